"""Proves one table: its rows against its documents, and its rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from supavex.callbacks import Progress
from supavex.mapping.plan import TablePlan
from supavex.migrate.proof.check_constraints import evaluate_checks
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.migrate.proof.comparison import RowComparison
from supavex.migrate.proof.digest_comparison import DigestComparison, DigestResult
from supavex.migrate.proof.extra_documents import list_extra
from supavex.migrate.proof.few_rows import FewRows
from supavex.migrate.proof.row_by_row import RowByRow, Suspects
from supavex.migrate.proof.source_rules import SourceRules
from supavex.migrate.proof.source_sql import earliest_sql
from supavex.migrate.proof.target_rules import check_documents
from supavex.migrate.proof.uniques import may_repeat
from supavex.postgres.connection import literal
from supavex.postgres.snapshot import reading


class TableCheck:
    """The proof of one table: :meth:`compare` for its rows, then :meth:`finish` for its rules."""

    def __init__(self, compared: ComparedTable) -> None:
        self._compared = compared
        self._rules = SourceRules(compared)
        self._result: DigestResult | None = None
        #: The rows and documents that differ, if they were few and were compared.
        self._few: FewRows | None = None

    def compare(self, sample: int | None, progress: Progress, would_go: Iterable[str] = ()) -> None:
        """Compares every row with its document; with ``sample``, only that many rows, which proves nothing.

        ``would_go``: the keys of rejected rows that the copy would accept now.
        """
        table, context = self._compared.table, self._compared.context
        with reading(context.snapshot, table.name) as connection:
            estimate = _estimate(connection, table) if sample is None else sample

            def done(rows: int) -> None:
                progress(table.name, rows, estimate)

            done(0)
            earliest = _one(connection, earliest_sql(table))
            comparison = RowComparison(
                table, context.numbers, context.existing, None if earliest is None else int(earliest)
            )
            rows = RowByRow(self._compared, comparison)
            if sample is None:
                by_digests = DigestComparison(self._compared, connection, self._rules.looking_for_references, done)
                self._result = by_digests.run(comparison)
            result = self._result
            if result is None:
                rows.compare_all(connection, done, sample)
            elif result.suspects is not None and not self._compare_few(result, rows, connection, progress):
                rows.compare_all(connection, done, suspects=Suspects(result.digests, result.suspects))
            rows.would_go(would_go)
            evaluate_checks(self._compared, connection)
        if sample is not None:
            self._compared.list_damaged()

    def finish(self, failed: frozenset[str]) -> None:
        """Checks what the comparison of rows can't show. ``failed``: tables of the target that are not proven."""
        compared, context, result = self._compared, self._compared.context, self._result
        with reading(context.snapshot, compared.table.name) as connection:
            # Whether the digests covered every document, and none breaks a rule of the schema.
            plain = result is not None and not result.digests.broken
            equal = result is not None and result.suspects is None
            holds = plain and (equal or self._few is not None) and self._rules.hold(connection, failed)
            if not (equal and holds):
                some = self._few.documents() if holds and self._few is not None and self._few_tell else None
                if self._few is None:
                    list_extra(compared, connection)
                check_documents(compared, some)
            compared.list_damaged()

    @property
    def _few_tell(self) -> bool:
        """Whether the differing documents suffice for the rules: no other document has their unique values."""
        compared = self._compared
        if self._few is None or not (compared.uniques and self._few.has_documents):
            return self._few is not None
        return not may_repeat(compared.context.target, compared.table.target, compared.uniques)

    def _compare_few(
        self, result: DigestResult, rows: RowByRow, connection: psycopg.Connection, progress: Progress
    ) -> bool:
        """Compares the rows that differ, if they are few and known. False: all rows have to be read."""

        def done(so_far: int, total: int) -> None:
            progress(f"{self._compared.table.name} (rows that differ)", so_far, total)

        if result.few is not None and result.few.compare(connection, rows, done):
            self._few = result.few
        return self._few is not None


def _estimate(connection: psycopg.Connection, table: TablePlan) -> int:
    name = literal(table.source.sql_name)
    found = _one(connection, f"SELECT reltuples::int8 FROM pg_catalog.pg_class WHERE oid = {name}::regclass")
    return max(int(found or 0), 0)


def _one(connection: psycopg.Connection, sql: str | None) -> Any:
    row = None if sql is None else connection.execute(sql.encode()).fetchone()
    return None if row is None else row[0]
