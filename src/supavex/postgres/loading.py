"""Loading whole tables in one transaction: parents first, circles deferred, triggers off, sequences set forward.

It takes the rights of the tables' owner and no more: a foreign key that closes a circle is made deferrable until the
end (``ALTER CONSTRAINT``), which serves columns that can't be NULL too, and triggers are disabled by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from supavex.errors import UsageError
from supavex.postgres.connection import literal, quoted

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

#: Tables, those that refer to them, those that refer to these, and so on; and whether each is among those to be loaded.
_REFERRING = """
WITH RECURSIVE referring AS (
    SELECT pg_catalog.unnest(%(oids)s::oid[]) AS oid
    UNION
    SELECT f.conrelid FROM pg_catalog.pg_constraint f JOIN referring r ON f.confrelid = r.oid
    WHERE f.contype = 'f' AND f.conparentid = 0)
SELECT r.oid::regclass::text, r.oid = ANY(%(loaded)s::oid[]) FROM referring r ORDER BY 1
"""

#: The rising sequences of a table's columns: those that a column owns, and those that its default reads.
_SEQUENCES = """
SELECT DISTINCT d.sequence::regclass::text, a.attname
FROM (SELECT objid AS sequence, refobjid AS relation, refobjsubid AS number FROM pg_catalog.pg_depend
      WHERE classid = 'pg_catalog.pg_class'::regclass AND refclassid = 'pg_catalog.pg_class'::regclass
        AND deptype IN ('a', 'i')
      UNION
      SELECT p.refobjid, e.adrelid, e.adnum
      FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_attrdef e ON e.oid = p.objid
      WHERE p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.refclassid = 'pg_catalog.pg_class'::regclass) AS d
JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.sequence AND q.seqincrement > 0
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.relation AND a.attnum = d.number
WHERE d.relation = %(oid)s
ORDER BY 1, 2
"""


class Loading:
    """Some tables (SQL names) of a connection's transaction, made ready to be loaded and put back as they were.

    ``order`` has those that others refer to first, as far as circles allow: load them so, each by one statement.
    """

    def __init__(self, connection: psycopg.Connection, tables: Sequence[str]) -> None:
        self._connection = connection
        found = self._rows(
            "SELECT n, n::regclass::oid::int8 FROM pg_catalog.unnest(%s::text[]) AS t(n)", [list(tables)]
        )
        self._oids: dict[str, int] = dict(found)
        self._keys = self._rows(_FOREIGN_KEYS, {"oids": list(self._oids.values())})
        self.order = self._parents_first()
        self._put_back: list[str] = []

    def _rows(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.encode(), values).fetchall()

    def _run(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def _parents_first(self) -> list[str]:
        names = {oid: name for name, oid in self._oids.items()}
        parents: dict[str, list[str]] = {}
        for child, _, parent, _, _ in self._keys:
            parents.setdefault(names[child], []).append(names[parent])
        order: list[str] = []
        seen: set[str] = set()
        # A stack, for chains may be longer than Python recurses: a table stands on it before and after its parents.
        stack = [(name, False) for name in reversed(self._oids)]
        while stack:
            name, done = stack.pop()
            if done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack += [(parent, False) for parent in reversed(parents.get(name, []))]
        return order

    def filled(self) -> list[str]:
        """The tables that hold rows."""
        return [name for name in self.order if self._holds_rows(name)]

    def _holds_rows(self, name: str) -> bool:
        return bool(self._rows(f"SELECT EXISTS (SELECT 1 FROM {name})")[0][0])

    def begin(self) -> None:
        """Disables the triggers that people made, and defers the foreign keys whose parents are loaded later."""
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
        """Empties some of the tables, and those of the others that refer to them.

        Raises where any table besides refers to them and holds rows: none but the loaded tables' rows are ever deleted.
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

    def finish(self) -> None:
        """Has deferred foreign keys checked, puts back what :meth:`begin` changed, and sets sequences forward.

        Sequences are no part of a transaction; so they come last, and are never set back.
        """
        self._run("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in self._put_back:
            self._run(statement)
        for table, oid in self._oids.items():
            for sequence, column in self._rows(_SEQUENCES, {"oid": oid}):
                self._run(
                    f"SELECT pg_catalog.setval(q.seqrelid, m.highest) FROM pg_catalog.pg_sequence q, {sequence} AS s, "
                    f"(SELECT max({quoted(column)})::int8 AS highest FROM {table}) AS m "
                    f"WHERE q.seqrelid = {literal(sequence)}::regclass AND m.highest BETWEEN q.seqmin AND q.seqmax "
                    "AND (m.highest > s.last_value OR (m.highest = s.last_value AND NOT s.is_called))"
                )
