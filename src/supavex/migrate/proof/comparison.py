"""Compares one row with its document, field by field, with other code than the copy's.

The row is read as text through psycopg, its id is computed by the scalar code, and the document's value is decoded to
PostgreSQL's value. Nothing here uses Arrow or the copy's encoders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supavex.convex.field_rules import MISSING
from supavex.convex.ids import InvalidId, decode_id, encode_id
from supavex.convex.values import Document, Value, same
from supavex.mapping.conversions.datetimes import micros
from supavex.mapping.convex_auth import HIDDEN, is_secret
from supavex.mapping.large_values import LargeValues
from supavex.mapping.plan import FieldPlan, IdFile, Reference, TablePlan
from supavex.migrate.state.rejects import NO_KEY

EARLIEST = 1_000
LATEST = (1 << 53) * 1000 - 9_000
ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One field that differs: both values as text."""

    table: str
    key: str
    column: str
    source: str
    target: str


def creation_micros(moments: Iterable[str | None], earliest: int | None) -> int:
    """The expected microseconds of ``_creationTime``, from the creation columns (microseconds). It restates the copy's
    rule.

    ``earliest``: the earliest creation time in the table.
    """
    found = next((int(moment) for moment in moments if moment is not None), None)
    if found is None:
        found = earliest if earliest is not None else EARLIEST
    return min(max(found, EARLIEST), LATEST)


class RowComparison:
    """Compares the rows of one table with documents.

    ``numbers`` are the target's table numbers, ``existing`` old key to id for tables that existed in Convex,
    ``earliest`` the table's earliest creation time in microseconds.
    """

    def __init__(
        self,
        table: TablePlan,
        numbers: Mapping[str, int],
        existing: Mapping[str, Mapping[str, str]],
        earliest: int | None,
    ) -> None:
        self.table, self.numbers, self.existing, self.earliest = table, numbers, existing, earliest
        self._expected_fields = {field.name for field in table.fields}
        self._defaults = {
            name: validator.rules.default
            for name, validator in (table.definition.fields if table.definition else {}).items()
            if name not in self._expected_fields and validator.rules.default is not MISSING
        }
        self._checks = [self._check_of(field) for field in table.fields]

    def id_of(self, key: str | None) -> str | None:
        """The id of the document for the row with that key; None if the key is NULL, because such a row has no
        document.
        """
        if key is None:
            return None
        assert self.table.key is not None
        return encode_id(self.numbers[self.table.target], self.table.key.internal_id(key))

    def compare(self, row: tuple[str | None, ...], document: Document) -> Iterator[Mismatch]:
        """Every difference between ``row`` (as :func:`proof_sql` reads it) and ``document``."""
        key = NO_KEY if row[0] is None else row[0]
        for field, check, text in zip(self.table.fields, self._checks, row[1:], strict=False):
            value = document.get(field.name, ABSENT)
            expected = check(text, value)
            if expected is not None:
                shown = _shown(value)
                if is_secret(self.table.name, field.name):
                    expected, shown = HIDDEN, HIDDEN
                yield Mismatch(self.table.name, key, field.place, expected, shown)
        created = creation_micros(row[1 + len(self.table.fields) :], self.earliest)
        if micros(document.get("_creationTime")) != created:
            shown = _shown(document.get("_creationTime"))
            yield Mismatch(self.table.name, key, "_creationTime", f"{created / 1000} ms", shown)
        for name in document.keys() - self._expected_fields - {"_id", "_creationTime"}:
            if name in self._defaults and same(self._defaults[name], document[name]):
                continue
            shown = HIDDEN if is_secret(self.table.name, name) else _shown(document[name])
            yield Mismatch(self.table.name, key, name, "(no such field)", shown)

    def _check_of(self, field: FieldPlan) -> Callable[[str | None, Value], str | None]:
        """A function of the row's text and the document's value. It returns None if they agree, else the expected
        value.
        """
        of_text = self._check_of_text(field)
        return lambda text, value: _null_expectation(field, value) if text is None else of_text(text, value)

    def _check_of_text(self, field: FieldPlan) -> Callable[[str, Value], str | None]:
        """As :meth:`_check_of`, for rows whose value is not NULL."""
        decode = self._decoder(field)
        match field.value:
            case IdFile(ids=ids):
                return lambda text, value: (
                    None if text in ids and value == ids[text] else f"{ids.get(text)!r} (for {text})"
                )
            case LargeValues() as large:
                return lambda text, value: None if value == large.file_id(text) else f"the file {large.file_id(text)}"
            case Reference() as reference:
                refers = self._refers_to_all if reference.is_array else self._refers
                return lambda text, value: None if refers(reference, text, value, decode) else text
        parse = field.conversion.parse

        def check(text: str, value: Value) -> str | None:
            if value is not ABSENT:
                expected, found = parse(text), decode(value)
                agree = same(expected, found) if isinstance(expected, float | list | dict) else expected == found
                if agree and type(expected) is type(found):
                    return None
            return f"{parse(text) / 1000} ms" if field.conversion.decode is micros else text

        return check

    def _refers_to_all(self, reference: Reference, text: str, values: Value, decode: Callable[[Value], object]) -> bool:
        texts: list[str | None] = json.loads(text)
        return (
            isinstance(values, list)
            and len(texts) == len(values)
            and all(
                value is None if text is None else self._refers(reference, text, value, decode)
                for text, value in zip(texts, values, strict=True)
            )
        )

    def _refers(self, reference: Reference, text: str, value: Value, decode: Callable[[Value], object]) -> bool:
        if reference.key.form == "hash" and not reference.existing:
            # A hash can't be reversed, so the id is computed from the text.
            number = self.numbers.get(reference.target)
            return number is not None and bool(value == encode_id(number, reference.key.internal_id(text)))
        return value is not ABSENT and decode(value) == text

    def _decoder(self, field: FieldPlan) -> Callable[[Value], object]:
        reference = field.reference
        if reference is None:
            return field.conversion.decode
        if reference.existing:
            old_keys = {id_: old for old, id_ in self.existing[reference.target].items()}
            return lambda value: old_keys.get(value) if isinstance(value, str) else None
        number = self.numbers.get(reference.target)  # Without a table number, no id is right.

        def decode(value: Value) -> object:
            try:
                found, internal_id = decode_id(value)
            except (InvalidId, TypeError):
                return None
            return reference.key.text_of(internal_id) if found == number else None

        return decode


def _null_expectation(field: FieldPlan, value: Value) -> str | None:
    """The expected value of a document for a NULL in the source; None if the document is right."""
    if field.fill is not MISSING:
        return None if value is not ABSENT and same(value, field.fill) else f"{field.fill!r} (NULL filled)"
    if field.takes_null:
        return None if value is None else "NULL"
    return None if value is ABSENT else "NULL"


def _shown(value: Value) -> str:
    return "(absent)" if value is ABSENT else repr(value)
