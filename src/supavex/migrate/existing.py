"""Tables that are in Convex already: old key to the id that Convex chose, by matching rows with documents.

A key that several rows or several documents share, or that is NULL, matches nothing; how many is reported.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg

from supavex.convex import validators as kinds
from supavex.convex.ids import INTERNAL_ID_BYTES, InvalidId, decode_id
from supavex.convex.values import Document
from supavex.errors import SupavexError
from supavex.mapping.conversions import Target
from supavex.mapping.conversions.datetimes import micros
from supavex.mapping.conversions.numbers import FINITE
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.migrate.json_columns import key_bytes
from supavex.migrate.key_sets import KeySet, once
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import quoted


@dataclass(frozen=True, slots=True)
class Matched:
    """What matching a table found: rows, documents, pairs, and keys that are unusable because they are not unique."""

    table: str
    target: str
    rows: int
    documents: int
    matched: int
    ambiguous: int


@dataclass(frozen=True, slots=True)
class ExistingIds:
    """The ids that Convex chose, by the keys (16 bytes each) of the rows: 40 bytes a row.

    ``ids`` are their 16 bytes, in the order of the places of ``keys``; ``number`` is the table's.
    """

    keys: KeySet
    ids: np.ndarray[Any, Any]
    number: int

    def digest(self) -> str:
        """Of all that decides what becomes of a reference."""
        return hashlib.sha256(f"{self.keys.digest()} {self.number}".encode() + self.ids.tobytes()).hexdigest()


def matched_ids(reader: ColumnReader, table: TablePlan, documents: Iterable[Document]) -> tuple[ExistingIds, Matched]:
    """The ids of the documents that the rows of ``table`` match: columns of hashes, joined whole.

    It takes about 64 bytes of memory for each row and each document, and no Python object for a row.
    """
    assert table.key is not None
    matches = _matches(table)
    hashes, ids = bytearray(), bytearray()
    count, number = 0, 0
    for document in documents:
        count += 1
        values = [document.get(match.field) for match in matches]
        if any(value is None for value in values):
            continue
        try:
            number, internal = decode_id(str(document.get("_id")))
        except InvalidId as error:
            raise SupavexError("InvalidId", error.message, where=table.target) from None
        hashes += _hash(matches, values)
        ids += internal
    theirs, their_ids = _matrix(hashes), _matrix(ids)
    key = table.key.sql(table.key.own(ALIAS))
    hashed = " || ".join(f"sha256(convert_to({match.sql}, 'UTF8'))" for match in matches)
    source = quoted(table.source.schema, table.source.name)
    sql = f"SELECT {key} AS k, substr(sha256({hashed}), 1, {INTERNAL_ID_BYTES}) AS h FROM {source} AS {ALIAS}"
    keys, ours = bytearray(), bytearray()
    rows = 0
    for batch in reader.read(sql):
        rows += batch.num_rows
        there = batch.filter(batch.column("h").is_valid())
        keys += key_bytes(there.column("k")).tobytes()
        ours += key_bytes(there.column("h")).tobytes()
    their_own, their_shared = once(theirs)
    our_matches = _matrix(ours)
    our_own, our_shared = once(our_matches)
    repeated = int((~our_own).sum()) - our_shared
    known, order = KeySet.ordered(theirs[their_own])
    places = known.find(our_matches[our_own])
    matched = places >= 0
    found, by_key = KeySet.ordered(_matrix(keys)[our_own][matched])
    chosen = their_ids[their_own][order][places[matched]][by_key]
    report = Matched(table.name, table.target, rows, count, len(found), repeated + their_shared)
    return ExistingIds(found, chosen, number), report


def _hash(matches: list[_Match], values: list[Any]) -> bytes:
    texts = (match.text(value) for match, value in zip(matches, values, strict=True))
    digests = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
    return hashlib.sha256(digests).digest()[:INTERNAL_ID_BYTES]


def _matrix(content: bytearray) -> np.ndarray[Any, Any]:
    return np.frombuffer(content, np.uint8).reshape(-1, INTERNAL_ID_BYTES)


def match_documents(
    connection: psycopg.Connection, table: TablePlan, documents: Iterable[Document]
) -> tuple[dict[str, str], Matched]:
    """Key text of each source row to the ``_id`` of the document that it matches."""
    assert table.key is not None
    matches = _matches(table)
    by_match: dict[tuple[str, ...], str | None] = {}
    count = 0
    for document in documents:
        count += 1
        values = [document.get(match.field) for match in matches]
        if any(value is None for value in values):
            continue
        match = tuple(known.text(value) for known, value in zip(matches, values, strict=True))
        by_match[match] = None if match in by_match else str(document["_id"])
    columns = ", ".join(known.sql for known in matches)
    key = table.key.text_sql(table.key.own(ALIAS))
    sql = f"SELECT {key}, {columns} FROM {quoted(table.source.schema, table.source.name)} AS {ALIAS}"
    ids: dict[str, str] = {}
    rows_of: dict[tuple[str, ...], str | None] = {}
    rows = ambiguous = 0
    for old, *values in connection.execute(sql.encode()):
        rows += 1
        if any(value is None for value in values):
            continue
        match = tuple(values)
        if match in rows_of:
            ambiguous += 1
            previous = rows_of[match]
            if previous is not None:
                ids.pop(previous, None)
            rows_of[match] = None
            continue
        rows_of[match] = old
        found = by_match.get(match)
        if found is not None:
            ids[old] = found
    ambiguous += sum(1 for id_ in by_match.values() if id_ is None)
    return ids, Matched(table.name, table.target, rows, count, len(ids), ambiguous)


@dataclass(frozen=True, slots=True)
class _Match:
    """A field and what it is matched with: SQL for the column's value as text, and the field's value as that text."""

    field: str
    sql: str
    text: Callable[[Any], str]


def _matches(table: TablePlan) -> list[_Match]:
    return [_match(table, field, column) for field, column in (table.rule.existing or {}).items()]


def _match(table: TablePlan, field: str, column: str) -> _Match:
    """How a column is compared with a field: numbers as decimals, moments in microseconds, the rest by its text."""
    sql, found = f"{ALIAS}.{quoted(column)}", table.source.column(column)
    base = found.type.base if found is not None else ""
    validator = table.definition.fields.get(field) if table.definition is not None else None
    target = None if validator is None else Target(validator)
    if base in ("timestamptz", "timestamp", "date") and target is not None and target.takes(kinds.Number):
        moment = f"CASE WHEN isfinite({sql}) THEN (extract(epoch FROM {sql}) * 1000000)::numeric(30)::text END"
        return _Match(field, moment, lambda value: _text(micros(value)))
    if base in ("numeric", "money", "float4", "float8") and (target is None or target.takes(kinds.Number)):
        decimal = f"{sql}::numeric"
        if base in ("float4", "float8"):
            # Its text has all of its digits; what is not finite matches nothing.
            decimal = f"(CASE WHEN {FINITE.replace('{c}', sql)} THEN {sql}::text::numeric END)"
        return _Match(field, f"trim_scale({decimal})::text", _decimal)
    if base == "bytea" and target is not None and target.takes(kinds.Bytes):
        return _Match(field, f"encode({sql}, 'hex')", lambda value: value.hex() if isinstance(value, bytes) else "")
    return _Match(field, f"{sql}::text", _text)


def _decimal(value: object) -> str:
    """A double's shortest text as PostgreSQL writes that decimal, without an exponent and trailing zeros."""
    if not isinstance(value, float) or not math.isfinite(value):
        return _text(value)
    return "0" if value == 0 else format(Decimal(repr(value)).normalize(), "f")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
