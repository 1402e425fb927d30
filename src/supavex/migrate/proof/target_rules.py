"""Checks a target's documents alone: references, unique values and rules."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from supavex.convex.broken_rules import may_break_rules, rules_problem
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.order_keys import UNDEFINED, field_at
from supavex.convex.validators import unwrap
from supavex.convex.values import Document, Value, to_export_json
from supavex.mapping.references import pointer_of
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.scratch import scratch_database

T = TypeVar("T")
_CHUNK = 2000


def check_documents(compared: ComparedTable, some: Iterable[Document] | None = None) -> None:
    """Adds the findings about a table's documents to the proof, independent of the source.

    ``some``: the only documents to check.
    """
    table, proof, target = compared.table, compared.proof, compared.context.target
    definition = table.definition
    assert definition is not None
    references = {
        name: found[0].table
        for name, validator in definition.fields.items()
        if (found := pointer_of(unwrap(validator))) is not None
    }
    ruled = {name: validator for name, validator in definition.fields.items() if may_break_rules(validator)}
    with _Uniques(compared.uniques) as seen:
        for documents in chunks(target.documents(table.target, compared.damage) if some is None else some, _CHUNK):
            for name, referred in references.items():
                _references(documents, name, referred, compared)
            for document in documents:
                for name, validator in ruled.items():
                    problem = rules_problem(validator, document.get(name))
                    if problem:
                        proof.add("broken rule", str(document["_id"]), f"{name}: {problem}")
                for fields in seen.repeated(document):
                    proof.add("broken unique", str(document["_id"]), f"{', '.join(fields)} are not unique")


def _references(documents: list[Document], name: str, table: str, compared: ComparedTable) -> None:
    """Lists the documents whose field ``name`` refers to a document that ``table`` lacks."""
    target, number = compared.context.target, compared.context.numbers.get(table)
    ids = {value for document in documents for value in _ids(document.get(name))}
    there = target.present(table, filter(_of(number), ids))
    for document in documents:
        for value in _ids(document.get(name)):
            if value not in there:
                detail = f"{name} refers to {value}, which {table} does not have"
                compared.proof.add("dangling reference", str(document["_id"]), detail)


def _of(number: int | None) -> Callable[[str], bool]:
    """Whether a text is an id of the table of that number."""

    def is_id(text: str) -> bool:
        try:
            return decode_id(text)[0] == number
        except InvalidId:
            return False

    return is_id


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of ``size``."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


class _Uniques:
    """Finds repeated values of groups of fields, in a temporary file. As in SQL, a group with a missing part equals no
    other.
    """

    def __init__(self, groups: list[tuple[str, ...]]) -> None:
        self._groups = groups
        self._database = scratch_database()
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> _Uniques:
        return self

    def __exit__(self, *details: object) -> None:
        self._database.close()

    def repeated(self, document: Document) -> Iterator[tuple[str, ...]]:
        for number, fields in enumerate(self._groups):
            values = [field_at(document, name) for name in fields]
            if any(value is UNDEFINED or value is None for value in values):
                continue
            digest = hashlib.sha256(to_export_json([float(number), *values]).encode()).digest()
            if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 0:
                yield fields


def _ids(value: Value) -> list[str]:
    """The ids in a field of references: one, or the elements of an array."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
