"""Checks a table's references and unique values in the source's rows, which equal its documents."""

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
    """The rules of one table, checked in its rows without reading its documents."""

    def __init__(self, compared: ComparedTable) -> None:
        self._compared, self._table = compared, compared.table
        self._dangling: Future[list[str]] | None = None

    def hold(self, connection: psycopg.Connection, failed: frozenset[str]) -> bool:
        """Whether the rows, which equal the documents, meet all rules, so that the documents need not be read.

        ``failed``: tables of the target that are not proven.
        """
        if not self._may_hold(failed):
            return False
        dangling = self._fields_that_dangle(connection) if self._dangling is None else self._dangling.result()
        return not dangling and all(self._unique(connection, fields) for fields in self._compared.uniques)

    def _may_hold(self, failed: frozenset[str]) -> bool:
        """Whether the rows can show that all references lead to a document."""
        moved = {table.target for table in self._compared.context.plan.moving} - failed
        return all(
            reference.target in moved and not reference.via_unique and not self._rejects_of(reference)
            for _, reference in self._references_by_id()
        )

    def _references_by_id(self) -> Iterator[tuple[FieldPlan, Reference]]:
        """The fields with ids of rows that move as well."""
        for planned in self._table.fields:
            reference = planned.reference
            if reference is None or reference.existing:
                continue
            if reference.target == STORAGE_TABLE and not self._rejects_of(reference):
                continue  # The files are proven separately, and a path without a file would have no id.
            yield planned, reference

    def _rejects_of(self, reference: Reference) -> Mapping[str | None, Reject]:
        return self._compared.context.rejects.get(f"{reference.schema}.{reference.table}", {})

    def _fields_that_dangle(self, connection: psycopg.Connection) -> list[str]:
        """The fields with a dangling reference."""
        return [field.name for field, _ in self._references_by_id() if self._dangles(connection, field)]

    def _dangles(self, connection: psycopg.Connection, field: FieldPlan) -> bool:
        """Whether a field of some row names a missing row."""
        reference = field.reference
        assert reference is not None
        if reference.via_unique:
            return False  # Such a row has no key to name, and is rejected.
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
        """Makes PostgreSQL look for dangling references meanwhile, unless the block fails."""
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
        """Whether the columns of some fields are unique, if the fields then are; False if that is uncertain."""
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
            return False  # json, points and the like can't be grouped.
