"""The tables, indexes and schema that a transaction sees."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cached_property
from types import MappingProxyType

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.schema import Schema
from supavex.convex.schema_json import schema_from_json
from supavex.convex.validators import Validator
from supavex.deployment.database.commits import FILES
from supavex.deployment.database.enforcement import SYSTEM_TABLES, enforced
from supavex.deployment.database.search_indexes import StoredSearch, searches_of
from supavex.deployment.database.store import CREATION_INDEX, StoredIndex, StoredTable, indexes_of, tables_of

#: Convex's own tables that functions read by ``ctx.db.system``.
SCHEDULED, STORAGE = "_scheduled_functions", "_storage"
SYSTEM_NUMBERS = MappingProxyType({name: number for number, name in SYSTEM_TABLES.items()})

#: Their indexes other than the one by creation time, which only the deployment uses.
SYSTEM_INDEXES = {SCHEDULED: {"by_state": ("state.kind", "scheduledTime")}}
#: The stored files as a table. All reads of them use one space of keys.
STORED_FILES = StoredTable(STORAGE, SYSTEM_NUMBERS[STORAGE], -FILES)
_FILE_INDEXES = {CREATION_INDEX: StoredIndex(CREATION_INDEX, (), staged=False, entries=FILES)}


class Catalog:
    """The tables, indexes and schema of the app in one version of the deployment's file. Immutable; transactions of one
    version share it.

    :meth:`of` returns those of a component.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._every: dict[int, Catalog] = {0: self}
        self._read(connection, 0)
        for (component,) in connection.execute("SELECT id FROM components").fetchall():
            other = self._every[component] = Catalog.__new__(Catalog)
            other._every = self._every
            other._read(connection, component)

    def of(self, component: int) -> Catalog:
        """The tables, indexes and schema of a component, or of the app (0)."""
        return self._every[component]

    @property
    def components(self) -> Iterable[Catalog]:
        """The catalogs of the app and of every component, mounted or not."""
        return self._every.values()

    def _read(self, connection: sqlite3.Connection, component: int) -> None:
        self.component = component
        self.tables = tables_of(connection, component)
        self._system = tables_of(connection, component, system=True)
        self._indexes = {
            table.storage: indexes_of(connection, table) for table in (*self.tables.values(), *self._system.values())
        }
        self._searches = {table.storage: searches_of(connection, table.storage) for table in self.tables.values()}
        sql = "SELECT schema FROM pushes WHERE component = ? ORDER BY id DESC LIMIT 1"
        row = connection.execute(sql, (component,)).fetchone()
        self._schema_text = None if row is None else str(row[0])
        every = (*self.tables.values(), *self._system.values(), STORED_FILES)
        self.by_number = {table.number: table for table in every}
        self._validators: dict[str, Validator] = {}

    @classmethod
    def version(cls, connection: sqlite3.Connection) -> tuple[int, int]:
        """A value that changes whenever tables, indexes or the schema change."""
        (shape,) = connection.execute("PRAGMA schema_version").fetchone()
        (push,) = connection.execute("SELECT coalesce(max(id), 0) FROM pushes").fetchone()
        return shape, push

    @cached_property
    def schema(self) -> Schema | None:
        """The active schema."""
        return None if self._schema_text is None else schema_from_json(self._schema_text)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Every table that functions can name, with its number."""
        return {**{name: table.number for name, table in self.tables.items()}, **SYSTEM_NUMBERS}

    def readable(self, name: str) -> StoredTable | None:
        """The table of that name, including system tables."""
        return STORED_FILES if name == STORAGE else self.tables.get(name) or self._system.get(name)

    def name_of(self, number: int) -> str | None:
        """The name of the table with that number."""
        table = self.by_number.get(number)
        return SYSTEM_TABLES.get(number) or (None if table is None else table.name)

    def of_space(self, space: int) -> StoredTable | None:
        """The table of the app or a component with the keys of a space: its ids, or one of its indexes."""
        tables = [(of, table) for of in self.components for table in of.by_number.values()]
        for of, table in tables:
            every = [index.entries for index in of.indexes(table).values()]
            every += [search.entries for search in of.searches(table).values()]
            if space == -table.storage or space in every:
                return table
        return None

    def indexes(self, table: StoredTable) -> dict[str, StoredIndex]:
        """The indexes of a table by name."""
        return _FILE_INDEXES if table is STORED_FILES else self._indexes.get(table.storage, {})

    def searches(self, table: StoredTable) -> dict[str, StoredSearch]:
        """The text and vector indexes of a table by name."""
        return self._searches.get(table.storage, {})

    def validator(self, table: str) -> Validator | None:
        """The validator of the documents of ``table``; None if the schema has none, or is not enforced."""
        if self.schema is None or not self.schema.schema_validation or table not in self.schema.tables:
            return None
        if table not in self._validators:
            self._validators[table] = enforced(self.schema.tables[table])
        return self._validators[table]

    @staticmethod
    def internal_id(table: StoredTable, text: object) -> bytes | None:
        """The 16 bytes of an id of ``table``; None for other texts."""
        try:
            number, internal_id = decode_id(text) if isinstance(text, str) else (0, b"")
        except InvalidId:
            return None
        return internal_id if number == table.number else None
