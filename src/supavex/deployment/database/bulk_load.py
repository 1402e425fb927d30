"""Loads a whole table into the deployment's file: rows in blocks, and indexes after all rows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from supavex.deployment.database.store import Store, StoredTable, read_body


@dataclass(slots=True)
class Rows:
    """Rows to store, by column: internal ids (16 bytes), documents (internal JSON in UTF-8), keys by index."""

    ids: list[bytes]
    bodies: list[bytes]
    keys: list[list[bytes]]

    def append(self, internal_id: bytes, body: bytes, keys: list[bytes]) -> None:
        """Adds one row."""
        self.ids.append(internal_id)
        self.bodies.append(body)
        for column, key in zip(self.keys, keys, strict=True):
            column.append(key)


class BulkLoad:
    """Fills an empty document table and its indexes: rows in blocks; index keys are sorted and inserted at the end.

    :meth:`finish` raises :class:`DuplicateRow` if two documents have one id.
    """

    def __init__(self, store: Store, table: StoredTable) -> None:
        self._store, self._table = store, table
        self._indexes = list(store.indexes(table).values())
        self._count = 0
        columns = ", ".join(f"k{number} BLOB" for number in range(len(self._indexes)))
        store.connection.execute(f"CREATE TEMP TABLE bulk_{table.storage} ({columns})")

    @property
    def fields(self) -> list[tuple[str, ...]]:
        """The fields of each index, in the order of the keys of :class:`Rows`."""
        return [index.fields for index in self._indexes]

    def add(self, rows: Rows) -> None:
        """Stores rows. Both tables number them in the same order, from 1."""
        connection, storage = self._store.connection, self._table.storage
        sql = f"INSERT INTO documents_{storage} (internal_id, body) VALUES (?, CAST(? AS TEXT))"
        connection.executemany(sql, zip(rows.ids, rows.bodies, strict=True))
        marks = ", ".join("?" * len(self._indexes))
        connection.executemany(f"INSERT INTO bulk_{storage} VALUES ({marks})", zip(*rows.keys, strict=True))
        self._count += len(rows.ids)

    def finish(self) -> int:
        """Builds the indexes. Returns the number of loaded documents."""
        connection, storage = self._store.connection, self._table.storage
        try:
            self._store.make_unique(storage)
        except sqlite3.IntegrityError:
            sql = f"SELECT max(row) FROM documents_{storage} GROUP BY internal_id HAVING count(*) > 1 LIMIT 1"
            (row,) = connection.execute(sql).fetchone()
            (body,) = connection.execute(f"SELECT body FROM documents_{storage} WHERE row = ?", (row,)).fetchone()
            raise DuplicateRow(read_body(body)["_id"]) from None
        for number, index in enumerate(self._indexes):
            sql = f"INSERT INTO entries_{index.entries} SELECT k{number}, rowid FROM bulk_{storage} ORDER BY k{number}"
            connection.execute(sql)
        connection.execute(f"DROP TABLE bulk_{storage}")
        for search in self._store.searches(self._table).values():
            self._store.fill_search(storage, search)
        return self._count


class DuplicateRow(Exception):
    """Two documents of a :class:`BulkLoad` have this id."""

    @property
    def id(self) -> str:
        """The document's id."""
        return str(self.args[0])
