"""What must hold of a table's documents, asked of its rows: references that lead somewhere, and unique values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psycopg

from supavex.convex.field_rules import MISSING
from supavex.convex.limits import STORAGE_TABLE
from supavex.mapping.plan import ALIAS, FieldPlan, Reference
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.migrate.proof.source_sql import named_parts, parent_sql
from supavex.migrate.state.rejects import Reject
from supavex.postgres.connection import quoted
from supavex.postgres.snapshot import reading


class SourceRules:
    """The rules of one table. Without a look at its documents, its rows tell whether they hold."""

    def __init__(self, compared: ComparedTable) -> None:
        self._compared, self._table = compared, compared.table
        self._dangling: Future[list[str]] | None = None

    def hold(self, connection: psycopg.Connection, failed: frozenset[str]) -> bool:
        """Whether no look at the documents is needed, where they are the rows: what must hold holds of those.

        ``failed``: tables of the target that are not proven.
        """
        if not self._may_hold(failed):
            return False
        dangling = self._fields_that_dangle(connection) if self._dangling is None else self._dangling.result()
        return not dangling and all(self._unique(connection, fields) for fields in self._compared.uniques)

    def _may_hold(self, failed: frozenset[str]) -> bool:
        """Whether the rows themselves tell what their references lead to."""
        moved = {table.target for table in self._compared.context.plan.moving} - failed
        return all(
            reference.target in moved and not reference.via_unique and not self._rejects_of(reference)
            for _, reference in self._references_by_id()
        )

    def _references_by_id(self) -> Iterator[tuple[FieldPlan, Reference]]:
        """The fields whose ids are of rows that move, too."""
        for planned in self._table.fields:
            reference = planned.reference
            if reference is None or reference.existing:
                continue
            if reference.target == STORAGE_TABLE and not self._rejects_of(reference):
                continue  # its file is proven by itself, and one that names none would have no id
            yield planned, reference

    def _rejects_of(self, reference: Reference) -> Mapping[str | None, Reject]:
        return self._compared.context.rejects.get(f"{reference.schema}.{reference.table}", {})

    def _fields_that_dangle(self, connection: psycopg.Connection) -> list[str]:
        """The fields that name a row which is not there."""
        return [field.name for field, _ in self._references_by_id() if self._dangles(connection, field)]

    def _dangles(self, connection: psycopg.Connection, field: FieldPlan) -> bool:
        """Whether a row's field names a row that is not there."""
        reference = field.reference
        assert reference is not None
        if reference.via_unique:
            return False  # such a row has no key to name, and is rejected
        parts = named_parts(field)
        rows = f"{self._table.source.sql_name} AS {ALIAS}"
        if reference.is_array:
            rows += f", unnest({field.source}) AS e(x)"
        there = " AND ".join(f"{part} IS NOT NULL" for part in parts)
        parent = f"SELECT 1 FROM {reference.source} AS p WHERE {parent_sql(reference, parts)}"
        sql = f"SELECT 1 FROM {rows} WHERE {there} AND NOT EXISTS ({parent}) LIMIT 1"
        return connection.execute(sql.encode()).fetchone() is not None

    @contextmanager
    def looking_for_references(self) -> Iterator[None]:
        """Has PostgreSQL look for references that lead nowhere meanwhile, unless the block fails."""
        if self._dangling is not None or not self._may_hold(frozenset()):
            yield
            return
        with reading(self._compared.context.snapshot, self._table.name) as connection, ThreadPoolExecutor(1) as beside:
            self._dangling = beside.submit(self._fields_that_dangle, connection)
            try:
                yield
            except BaseException:
                connection.cancel()
                self._dangling = None
                raise

    def _unique(self, connection: psycopg.Connection, fields: tuple[str, ...]) -> bool:
        """Whether the columns behind some fields are unique, where that says that the fields are; False if unsure."""
        planned = {field.name: field for field in self._table.fields}
        columns = []
        for name in fields:
            found = planned.get(name)
            if found is None or found.column is None or found.expression or found.ids is not None:
                return False
            lossy = self._compared.context.plan.project.column_rule(self._table.rule, found.column.name).lossy
            if found.fill is not MISSING or lossy or found.conversion.cut or found.conversion.rounding:
                return False
            columns.append(f"{ALIAS}.{quoted(found.column.name)}")
        source = self._table.source.sql_name
        there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        sql = (
            f"SELECT 1 FROM {source} AS {ALIAS} WHERE {there} GROUP BY {', '.join(columns)} HAVING count(*) > 1 LIMIT 1"
        )
        try:
            with connection.transaction():
                return connection.execute(sql.encode()).fetchone() is None
        except psycopg.errors.UndefinedFunction:
            return False  # json, points and the like can't be grouped
