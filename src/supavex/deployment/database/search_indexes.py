"""Text and vector indexes in the deployment's file: their entries for each document, and their updates.

A text index is a contentless FTS5 table of SQLite. It gets the words of each document, split by supavex as Convex does,
and has the postings of each word. A second table has what the order of results needs: length, creation time, id, filter
fields. All of it is written in the transaction that writes the document, and read in the same snapshot. A vector index
is a table of unit vectors (float32) with their filter fields.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from supavex.convex.field_paths import trimmed
from supavex.convex.ids import decode_id
from supavex.convex.order_keys import field_at
from supavex.convex.schema import SearchIndex, TableDefinition, VectorIndex
from supavex.convex.values import Document
from supavex.deployment.database.tokens import filter_key, norm, words
from supavex.errors import SupavexError

TABLES = """
CREATE TABLE IF NOT EXISTS search_indexes (
  storage INTEGER NOT NULL, name TEXT NOT NULL, definition TEXT NOT NULL, staged INTEGER NOT NULL,
  entries INTEGER NOT NULL UNIQUE, documents INTEGER NOT NULL, words INTEGER NOT NULL,
  PRIMARY KEY (storage, name)) WITHOUT ROWID
"""
#: Separators between the number of a filter field, its value, and a word, in the keys that a write changes.
_WORD, _FILTER = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Definition:
    """The definition of a text or vector index: a field, filter fields (sorted), and dimensions, which are
    0 for texts.
    """

    kind: Literal["text", "vector"]
    field: str
    filters: tuple[str, ...]
    dimensions: int = 0

    @classmethod
    def of(cls, index: SearchIndex | VectorIndex) -> Definition:
        """The definition from an index of a schema."""
        filters = tuple(sorted(set(map(trimmed, index.filter_fields))))
        if isinstance(index, SearchIndex):
            return cls("text", trimmed(index.search_field), filters)
        return cls("vector", trimmed(index.vector_field), filters, index.dimensions)


@dataclass(frozen=True, slots=True)
class StoredSearch:
    """A text or vector index in the file. ``entries`` is the ``n`` of its tables, and its space of keys."""

    name: str
    definition: Definition
    staged: bool
    entries: int

    def filter_keys(self, document: Document) -> list[bytes]:
        """The bytes of the document's filter fields, in their order."""
        return [filter_key(field_at(document, path)) for path in self.definition.filters]

    def words(self, document: Document) -> list[str]:
        """The words of a document for a text index; empty if the field is not a text."""
        value = field_at(document, self.definition.field)
        return words(value) if isinstance(value, str) else []

    def vector(self, document: Document) -> bytes | None:
        """The unit vector of a document for a vector index; None if the field has no array of the right length."""
        value = field_at(document, self.definition.field)
        if not isinstance(value, list) or len(value) != self.definition.dimensions:
            return None
        return unit(value) if all(type(item) is float for item in value) else None


def unit(values: list[float]) -> bytes:
    """A vector of length 1 in the same direction, as float32. A zero vector stays."""
    length = math.sqrt(math.fsum(value * value for value in values))
    scaled = [value / length for value in values] if length and math.isfinite(length) else values
    return struct.pack(f"<{len(values)}f", *(value if abs(value) <= 3e38 else math.inf for value in scaled))


def word_key(word: str) -> bytes:
    """The key of a word in the index's space, for reads without filters."""
    return _WORD + word.encode()


def filtered_key(field: int, value: bytes, word: str) -> bytes:
    """The key of a word in documents with ``value`` in the filter field of that number."""
    return _FILTER + bytes([field, len(value)]) + value + word.encode()


def keys_of(index: StoredSearch, document: Document) -> Iterator[bytes]:
    """The keys that a write of ``document`` changes in a text index. Vector indexes have no subscriptions."""
    if index.definition.kind == "vector":
        return
    filters = index.filter_keys(document)
    for word in set(index.words(document)):
        yield word_key(word)
        for number, value in enumerate(filters):
            yield filtered_key(number, value, word)


def definitions(table: TableDefinition | None) -> dict[str, tuple[Definition, bool]]:
    """The text and vector indexes that a table should have, each with whether it is staged."""
    every: list[SearchIndex | VectorIndex] = []
    if table is not None:
        every = [*table.search_indexes, *table.vector_indexes]
    return {index.name: (Definition.of(index), index.staged) for index in every}


def searches_of(connection: sqlite3.Connection, storage: int) -> dict[str, StoredSearch]:
    """The text and vector indexes of a table of documents, by name."""
    sql = "SELECT name, definition, staged, entries FROM search_indexes WHERE storage = ? ORDER BY name"
    found = {}
    for name, text, staged, entries in connection.execute(sql, (storage,)):
        kind, field, filters, dimensions = json.loads(text)
        found[name] = StoredSearch(name, Definition(kind, field, tuple(filters), dimensions), bool(staged), entries)
    return found


def create(connection: sqlite3.Connection, storage: int, index: StoredSearch) -> None:
    """Makes an empty index."""
    n, made = index.entries, index.definition
    columns = "".join(f", f{number} BLOB NOT NULL" for number in range(len(made.filters)))
    if made.kind == "text":
        # FTS5 gets prepared words separated by spaces, and counts every character beyond ASCII as a letter.
        try:
            connection.execute(
                f"CREATE VIRTUAL TABLE text_{n} USING fts5(words, content='', tokenize='ascii', columnsize=0)"
            )
        except sqlite3.OperationalError as error:
            if "no such module" not in str(error):
                raise
            message = f"the search index {index.name} needs FTS5, which the SQLite of this Python has not."
            raise SupavexError(
                "NoFullTextSearch", message, hint="Use a Python whose SQLite has it: most have."
            ) from None
        connection.execute(f"CREATE VIRTUAL TABLE words_{n} USING fts5vocab(text_{n}, 'row')")
        connection.execute(f"CREATE VIRTUAL TABLE places_{n} USING fts5vocab(text_{n}, 'instance')")
        shape = "norm INTEGER NOT NULL, created REAL NOT NULL"
    else:
        shape = "vector BLOB NOT NULL"
    connection.execute(f"CREATE TABLE found_{n} (row INTEGER PRIMARY KEY, internal_id BLOB NOT NULL, {shape}{columns})")
    text = json.dumps([made.kind, made.field, list(made.filters), made.dimensions])
    row = (storage, index.name, text, index.staged, n)
    connection.execute("INSERT INTO search_indexes VALUES (?, ?, ?, ?, ?, 0, 0)", row)


def drop(connection: sqlite3.Connection, index: StoredSearch) -> None:
    """Drops an index."""
    n = index.entries
    for table in ("places", "words", "text") if index.definition.kind == "text" else ():
        connection.execute(f"DROP TABLE {table}_{n}")
    connection.execute(f"DROP TABLE found_{n}")
    connection.execute("DELETE FROM search_indexes WHERE entries = ?", (n,))


def enter(connection: sqlite3.Connection, index: StoredSearch, found: Iterable[tuple[int, Document]]) -> None:
    """Inserts documents, with their rows."""
    n, made = index.entries, index.definition
    texts, rows, count, length = [], [], 0, 0
    for row, document in found:
        internal_id = decode_id(str(document["_id"]))[1]
        if made.kind == "vector":
            vector = index.vector(document)
            if vector is not None:
                rows.append((row, internal_id, vector, *index.filter_keys(document)))
            continue
        told = index.words(document)
        texts.append((row, " ".join(told)))
        rows.append((row, internal_id, norm(len(told)), document["_creationTime"], *index.filter_keys(document)))
        count, length = count + 1, length + len(told)
    if rows:
        connection.executemany(f"INSERT INTO found_{n} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    if texts:
        connection.executemany(f"INSERT INTO text_{n} (rowid, words) VALUES (?, ?)", texts)
        _counted(connection, index, count, length)


def withdraw(connection: sqlite3.Connection, index: StoredSearch, row: int, document: Document) -> None:
    """Removes the entries of a document."""
    n = index.entries
    connection.execute(f"DELETE FROM found_{n} WHERE row = ?", (row,))
    if index.definition.kind == "text":
        told = index.words(document)
        sql = f"INSERT INTO text_{n} (text_{n}, rowid, words) VALUES ('delete', ?, ?)"
        connection.execute(sql, (row, " ".join(told)))
        _counted(connection, index, -1, -len(told))


def _counted(connection: sqlite3.Connection, index: StoredSearch, documents: int, length: int) -> None:
    sql = "UPDATE search_indexes SET documents = documents + ?, words = words + ? WHERE entries = ?"
    connection.execute(sql, (documents, length, index.entries))


def totals(connection: sqlite3.Connection, index: StoredSearch) -> tuple[int, int]:
    """The number of documents in a text index, and the number of their words."""
    sql = "SELECT documents, words FROM search_indexes WHERE entries = ?"
    documents, length = connection.execute(sql, (index.entries,)).fetchone()
    return int(documents), int(length)
