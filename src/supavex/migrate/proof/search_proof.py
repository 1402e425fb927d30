"""Proves the text and vector indexes of a local deployment: they hold exactly the documents' values.

The expected entries and the actual entries of an index are each added up to a sum of digests, in any order and in
constant memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import xxhash

from supavex.convex.damage import DamagedDocument
from supavex.convex.ids import decode_id
from supavex.convex.values import Document
from supavex.deployment.database.search_indexes import StoredSearch
from supavex.deployment.database.store import Store, StoredTable, read_body
from supavex.deployment.database.tokens import norm
from supavex.migrate.proof.findings import TableProof

_ROWS = 1000
_ALL = (1 << 64) - 1


class _Sum:
    """A sum of digests of entries."""

    def __init__(self) -> None:
        self.value = self.count = 0

    def add(self, *entry: object) -> None:
        """Adds one entry."""
        text = json.dumps([item.hex() if isinstance(item, bytes) else item for item in entry])
        self.value = (self.value + xxhash.xxh3_64_intdigest(text.encode())) & _ALL
        self.count += 1


def prove_searches(store: Store, table: StoredTable, found: TableProof) -> tuple[int, int]:
    """Compares the text and vector indexes of ``table`` with its documents. Returns the number of indexes and of
    entries.
    """
    entries = 0
    searches = store.searches(table).values()
    for index in searches:
        expected, there = _expected(store, table, index), _there(store, index)
        for what, mine, its in zip(("documents", "words"), expected, there, strict=True):
            entries += its.count
            if (mine.value, mine.count) != (its.value, its.count):
                name = f"{table.name}.{index.name}"
                detail = (
                    f"{name}: it holds other {what} than the table ({its.count:,} entries, {mine.count:,} are right)"
                )
                found.add("index differs", name, f"{detail}: push the schema without it, and again")
    return len(searches), entries


def _documents(store: Store, table: StoredTable) -> Iterator[tuple[int, Document]]:
    rows = store.connection.execute(f"SELECT row, body, internal_id FROM documents_{table.storage} ORDER BY row")
    while block := rows.fetchmany(_ROWS):
        for row, body, internal_id in block:
            try:
                yield row, read_body(body, table, internal_id)
            except DamagedDocument:
                continue  # Another check reports it.


def _expected(store: Store, table: StoredTable, index: StoredSearch) -> tuple[_Sum, _Sum]:
    rows, told = _Sum(), _Sum()
    add: Callable[[int, Document], None]

    def text(row: int, document: Document) -> None:
        words = index.words(document)
        id_ = decode_id(str(document["_id"]))[1]
        rows.add(row, id_, norm(len(words)), document["_creationTime"], *index.filter_keys(document))
        for place, word in enumerate(words):
            told.add(word, row, place)

    def vector(row: int, document: Document) -> None:
        unit = index.vector(document)
        if unit is not None:
            rows.add(row, decode_id(str(document["_id"]))[1], unit, *index.filter_keys(document))

    add = text if index.definition.kind == "text" else vector
    for row, document in _documents(store, table):
        add(row, document)
    return rows, told


def _there(store: Store, index: StoredSearch) -> tuple[_Sum, _Sum]:
    rows, told = _Sum(), _Sum()
    for entry in _entries(store, f"SELECT * FROM found_{index.entries}"):
        rows.add(*entry)
    if index.definition.kind == "text":
        for entry in _entries(store, f'SELECT term, doc, "offset" FROM places_{index.entries}'):
            told.add(*entry)
    return rows, told


def _entries(store: Store, sql: str) -> Iterator[tuple[Any, ...]]:
    cursor = store.connection.execute(sql)
    while block := cursor.fetchmany(_ROWS):
        yield from block
