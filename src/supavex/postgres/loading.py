"""Loads whole tables in one transaction: parents first, cycles deferred, triggers off, sequences set forward.

A table that others inherit from comes after these. Its rows are its own (``ONLY``), without those of the inheriting
tables.

Only the rights of the tables' owner are needed: a foreign key that closes a cycle is made deferrable until the end
(``ALTER CONSTRAINT``), which also works for columns with NOT NULL, and triggers are disabled by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from supavex.errors import UsageError
from supavex.postgres.connection import quoted
from supavex.postgres.sequences import UnreadSequence, set_forward

_FOREIGN_KEYS = """
SELECT conrelid::int8, conname, confrelid::int8, condeferrable, condeferred FROM pg_catalog.pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND conrelid = ANY(%(oids)s::oid[]) AND confrelid = ANY(%(oids)s::oid[])
ORDER BY conrelid, conname
"""

_TRIGGERS = """
SELECT g.tgrelid::regclass::text, g.tgname, g.tgenabled::text FROM pg_catalog.pg_trigger g
WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgparentid = 0
  AND (g.tgrelid = ANY(%(oids)s::oid[])
       OR g.tgrelid IN (SELECT p.relid FROM pg_catalog.unnest(%(oids)s::oid[]) AS t(oid),
                               pg_catalog.pg_partition_tree(t.oid) AS p))
ORDER BY 1, 2
"""

#: Tables, the tables that refer to them directly or through others, and whether each is to be loaded.
_REFERRING = """
WITH RECURSIVE referring AS (
    SELECT pg_catalog.unnest(%(oids)s::oid[]) AS oid
    UNION
    SELECT f.conrelid FROM pg_catalog.pg_constraint f JOIN referring r ON f.confrelid = r.oid
    WHERE f.contype = 'f' AND f.conparentid = 0)
SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || r.oid::regclass::text, r.oid = ANY(%(loaded)s::oid[])
FROM referring r JOIN pg_catalog.pg_class c ON c.oid = r.oid ORDER BY 1
"""

#: Tables, and the tables that they inherit from directly or through others. Partitions are left out.
_HEIRS = """
WITH RECURSIVE heirs AS (
    SELECT i.inhrelid AS heir, i.inhparent AS ancestor FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE NOT c.relispartition
    UNION
    SELECT h.heir, i.inhparent FROM heirs h JOIN pg_catalog.pg_inherits i ON i.inhrelid = h.ancestor)
SELECT heir::int8, ancestor::int8 FROM heirs WHERE ancestor = ANY(%(oids)s::oid[]) ORDER BY 1, 2
"""


class Loading:
    """Prepares tables (SQL names) for loading in the connection's transaction, and restores their definitions.

    ``order`` has parents before children as far as cycles allow. Inheriting tables always come before the tables that
    they inherit from. Load each table by one statement in this order. ``inherited`` has the tables that others inherit
    from.
    """

    def __init__(self, connection: psycopg.Connection, tables: Sequence[str]) -> None:
        self._connection = connection
        found = self._rows(
            "SELECT n, n::regclass::oid::int8 FROM pg_catalog.unnest(%s::text[]) AS t(n)", [list(tables)]
        )
        self._oids: dict[str, int] = dict(found)
        self._keys = self._rows(_FOREIGN_KEYS, {"oids": list(self._oids.values())})
        names = {oid: name for name, oid in self._oids.items()}
        found = self._rows(_HEIRS, {"oids": list(names)})
        self.inherited = {names[parent] for _, parent in found}
        heirs = [(names[heir], names[parent]) for heir, parent in found if heir in names]
        keys = [(names[parent], names[child]) for child, _, parent, _, _ in self._keys]
        # The second pass orders by inheritance alone: foreign keys of a cycle can wait until the end, inherited rows
        # can't.
        self.order = _in_order(_in_order(list(self._oids), [*heirs, *keys]), heirs)
        self._put_back: list[str] = []

    def _rows(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.encode(), values).fetchall()

    def _run(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def filled(self) -> list[str]:
        """The tables that are not empty."""
        return [name for name in self.order if self._holds_rows(self._own_rows(name))]

    def _own_rows(self, name: str) -> str:
        return f"ONLY {name}" if name in self.inherited else name

    def _holds_rows(self, name: str) -> bool:
        return bool(self._rows(f"SELECT EXISTS (SELECT 1 FROM {name})")[0][0])

    def begin(self) -> None:
        """Disables the triggers that people created, and defers the foreign keys whose parents are loaded later."""
        oids = list(self._oids.values())
        for table, name, state in self._rows(_TRIGGERS, {"oids": oids}):
            self._run(f"ALTER TABLE {table} DISABLE TRIGGER {quoted(name)}")
            always = "ALWAYS " if state == "A" else ""
            self._put_back.append(f"ALTER TABLE {table} ENABLE {always}TRIGGER {quoted(name)}")
        names = {oid: name for name, oid in self._oids.items()}
        position = {name: number for number, name in enumerate(self.order)}
        for child, name, parent, deferrable, deferred in self._keys:
            if deferred or position[names[parent]] <= position[names[child]]:
                continue
            alter = f"ALTER TABLE {names[child]} ALTER CONSTRAINT {quoted(name)}"
            self._run(f"{alter} DEFERRABLE INITIALLY DEFERRED")
            self._put_back.append(f"{alter} {'DEFERRABLE INITIALLY IMMEDIATE' if deferrable else 'NOT DEFERRABLE'}")

    def empty(self, tables: Sequence[str]) -> None:
        """Empties ``tables``, and those of the other tables to be loaded that refer to them.

        Raises :class:`~supavex.errors.SupavexError` if a table outside refers to them and has rows: only rows of the
        loaded tables are ever deleted.
        """
        wanted = [self._oids[name] for name in tables]
        found = self._rows(_REFERRING, {"oids": wanted, "loaded": list(self._oids.values())})
        for name, loaded in found:
            if not loaded and self._holds_rows(name):
                raise UsageError(
                    "RowsRefer",
                    f"rows of {name}, which is not restored, refer to tables that would be emptied.",
                    hint="Empty that table yourself, or drop its foreign key until the restore is done.",
                )
        if found:
            self._run(f"TRUNCATE {', '.join(name for name, _ in found)}")

    def finish(self) -> list[UnreadSequence]:
        """Checks deferred foreign keys, undoes the changes of :meth:`begin`, and sets sequences forward.

        Sequences are outside transactions, so they come last and are never set back. Returns the sequences that could
        not be set.
        """
        self._run("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in self._put_back:
            self._run(statement)
        return set_forward(self._connection, self._oids)

    def begin_apart(self, name: str, columns: Sequence[str]) -> str:
        """The table to load the rows of ``name`` into. If others inherit from ``name``, it is a temporary table for
        :meth:`add_own`.
        """
        names = ", ".join(quoted(column) for column in columns)
        self._run("DROP TABLE IF EXISTS pg_temp.supavex_rows")
        self._run(f"CREATE TEMPORARY TABLE supavex_rows ON COMMIT DROP AS SELECT {names} FROM {name} WITH NO DATA")
        return "pg_temp.supavex_rows"

    def add_own(self, name: str, columns: Sequence[str], key: Sequence[str]) -> int:
        """Inserts the rows of :meth:`begin_apart` that no inheriting table has, by ``key``. Returns the number of other
        rows.

        A query of ``name`` also gives the rows of the inheriting tables. If n of these have a key, n rows with this key
        are left out.
        """
        names = [quoted(column) for column in columns]
        text = f"ROW({', '.join(quoted(column) for column in key)})::text"
        theirs = f"SELECT {text} AS key, count(*) AS number FROM {name} GROUP BY 1"
        apart = (
            f'SELECT {", ".join(names)}, {text} AS "supavex key", '
            f'row_number() OVER (PARTITION BY {text}) AS "supavex number" FROM pg_temp.supavex_rows'
        )
        self._run(
            f"INSERT INTO {name} ({', '.join(names)}) OVERRIDING SYSTEM VALUE "
            f"SELECT {', '.join(f'r.{column}' for column in names)} FROM ({apart}) AS r "
            f'LEFT JOIN ({theirs}) AS h ON h.key = r."supavex key" '
            'WHERE h.number IS NULL OR r."supavex number" > h.number'
        )
        counts = f"SELECT (SELECT count(*) FROM pg_temp.supavex_rows) - (SELECT count(*) FROM ONLY {name})"
        return int(self._rows(counts)[0][0])


def _in_order(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[str]:
    """The names in an order that puts the first of each of ``edges`` before the second, as far as cycles allow."""
    before: dict[str, list[str]] = {}
    for first, second in edges:
        before.setdefault(second, []).append(first)
    order: list[str] = []
    seen: set[str] = set()
    # A stack instead of recursion: chains may be longer than Python's limit. A name is pushed before and after its
    # predecessors.
    stack = [(name, False) for name in reversed(names)]
    while stack:
        name, done = stack.pop()
        if done:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            stack.append((name, True))
            stack += [(first, False) for first in reversed(before.get(name, []))]
    return order
