"""Tests whether the values of columns are keys of tables, for columns without a foreign key.

Little of a live database is read: small tables whole, and of large tables a sample of the pages. Each statement and the
whole search have a time limit. Each answer says what was read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supavex.postgres.connection import quoted
from supavex.postgres.driver import psycopg
from supavex.steps import step

#: The number of different values that are looked up in all candidate tables, before one table is tested in full.
_PROBES = 20
_PROBED_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read.

    A table of up to ``whole_bytes`` bytes is read whole. Of a larger table, about ``sample_bytes`` are read, and up to
    ``sample_values`` values of these are tested. One statement takes up to ``statement_seconds``, all of them
    ``seconds``.
    """

    whole_bytes: int = 16 << 20
    sample_bytes: int = 4 << 20
    sample_values: int = 20_000
    statement_seconds: float = 5
    seconds: float = 60


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """The key of a table, of one column. ``type`` is the SQL type in which its values are compared: uuid,
    int8 or text.
    """

    schema: str
    table: str
    column: str
    type: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A column, or an array column (``many``), and the keys that its values may refer to."""

    schema: str
    table: str
    column: str
    many: bool
    keys: tuple[KeyColumn, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The result for a column: ``keys`` are the keys that contain all of its ``values`` different values.

    ``whole``: whether every row was read, or else a sample. ``problem``: why nothing was read, if so.
    """

    keys: tuple[KeyColumn, ...] = ()
    values: int = 0
    whole: bool = True
    problem: str = ""


def answer_from_json(data: dict[str, Any]) -> Answer:
    """An :class:`Answer` from its JSON."""
    return Answer(**{**data, "keys": tuple(KeyColumn(**key) for key in data["keys"])})


@step("looking for keys in the rows")
def look(connection: psycopg.Connection, asked: Sequence[Asked], bounds: Bounds = BOUNDS) -> list[Answer]:
    """The keys that the values of each column belong to. ``connection`` is in autocommit mode; its time limit is
    changed.
    """
    connection.execute(
        "SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(int(bounds.statement_seconds * 1000)),)
    )
    end = time.monotonic() + bounds.seconds
    answers = []
    for one in asked:
        if time.monotonic() > end:
            answers.append(Answer(problem=_no_time(bounds)))
            continue
        try:
            answers.append(_Look(connection, one, bounds, end).answer())
        except psycopg.Error as error:
            answers.append(Answer(problem=_words(error, bounds)))
    return answers


def _no_time(bounds: Bounds) -> str:
    return f"looking at columns took more than {bounds.seconds:g} s"


def _words(error: psycopg.Error, bounds: Bounds) -> str:
    if isinstance(error, psycopg.errors.QueryCanceled):
        return f"it takes more than {bounds.statement_seconds:g} s"
    return error.diag.message_primary or type(error).__name__


class _Look:
    """The search for one column."""

    def __init__(self, connection: psycopg.Connection, asked: Asked, bounds: Bounds, end: float) -> None:
        self.connection, self.asked, self.bounds, self.end = connection, asked, bounds, end
        size = self._size()
        self.whole = size <= bounds.whole_bytes
        sample = "" if self.whole else f" TABLESAMPLE SYSTEM ({100 * bounds.sample_bytes / size:.6f}) REPEATABLE (1)"
        rows = f"{quoted(asked.schema, asked.table)} AS t{sample}"
        column = f"t.{quoted(asked.column)}"
        if asked.many:
            self.values = f"SELECT e.x FROM {rows}, LATERAL pg_catalog.unnest({column}) AS e(x) WHERE e.x IS NOT NULL"
        else:
            self.values = f"SELECT {column} AS x FROM {rows} WHERE {column} IS NOT NULL"

    def answer(self) -> Answer:
        probes = self._probes()
        keys, counted, problem = [], 0, ""
        holding = self._holding(self.asked.keys, probes) if probes else []
        for key in holding:
            if isinstance(key, str):
                problem = key
                continue
            try:
                counted, strangers = self._compared(key)
            except psycopg.Error as error:
                problem = _words(error, self.bounds)
                continue
            if not strangers:
                keys.append(key)
        return Answer(tuple(keys), counted or len(probes), self.whole, problem if not keys else "")

    def _size(self) -> int:
        """The bytes of the table, its partitions and its inheriting tables, without indexes and TOAST."""
        row = self.connection.execute(
            "WITH RECURSIVE tree AS (SELECT %s::pg_catalog.regclass::pg_catalog.oid AS id "
            "UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.id) "
            "SELECT coalesce(pg_catalog.sum(pg_catalog.pg_relation_size(id)), 0)::int8 FROM tree",
            (quoted(self.asked.schema, self.asked.table),),
        ).fetchone()
        return int(row[0]) if row else 0

    def _probes(self) -> list[str]:
        sql = f"SELECT DISTINCT v.x::text FROM ({self.values} LIMIT {_PROBED_ROWS}) AS v LIMIT {_PROBES}"
        return [row[0] for row in self.connection.execute(sql.encode())]

    def _holding(self, keys: Sequence[KeyColumn], probes: list[str]) -> list[KeyColumn | str]:
        """The ``keys`` that contain all of ``probes``. A key that can't be read is replaced by the reason.

        One statement looks up all keys, because a live database may be far away.
        """
        counts = [
            f"(SELECT pg_catalog.count(DISTINCT p.{quoted(key.column)}) FROM {quoted(key.schema, key.table)} AS p "
            f"WHERE p.{quoted(key.column)} = ANY(%s::{key.type}[]))"
            for key in keys
        ]
        sql = f"SELECT ARRAY[{', '.join(counts)}]"
        if time.monotonic() > self.end:
            return [_no_time(self.bounds)]
        try:
            row = self.connection.execute(sql.encode(), [probes] * len(keys)).fetchone()
        except psycopg.Error as error:
            if len(keys) == 1:
                return [_words(error, self.bounds)]
            return [found for key in keys for found in self._holding([key], probes)]
        assert row is not None
        return [key for key, count in zip(keys, row[0], strict=True) if count == len(probes)]

    def _compared(self, key: KeyColumn) -> tuple[int, bool]:
        """The number of different values that were tested, and whether one of them is missing from ``key``."""
        limit = "" if self.whole else f" LIMIT {self.bounds.sample_values}"
        column, table = f"p.{quoted(key.column)}", quoted(key.schema, key.table)
        sql = (
            f"WITH s AS MATERIALIZED (SELECT DISTINCT v.x::{key.type} AS x FROM ({self.values}{limit}) AS v) "
            "SELECT (SELECT pg_catalog.count(*) FROM s), EXISTS (SELECT 1 FROM s WHERE NOT EXISTS "
            f"(SELECT 1 FROM {table} AS p WHERE {column} = s.x))"
        )
        row = self.connection.execute(sql.encode()).fetchone()
        assert row is not None
        return row[0], row[1]
