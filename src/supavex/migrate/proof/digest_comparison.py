"""Compares the digests of a table's two sides: either all rows equal their documents, or it finds where to look."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from supavex.mapping.plan import TablePlan
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.migrate.proof.comparison import RowComparison
from supavex.migrate.proof.digests.process import ProcessLost
from supavex.migrate.proof.digests.sums import Sums
from supavex.migrate.proof.digests.table import NotVerbatim, TableDigests, table_digests
from supavex.migrate.proof.few_rows import FewRows, few_differing
from supavex.migrate.proof.pairs import PairWriter
from supavex.postgres.connection import literal

#: Up to this many different buckets, their rows are compared one by one. With more, all JSON is parsed first.
_FEW = 64


@dataclass(frozen=True, slots=True)
class DigestResult:
    """The result of comparing a table's digests."""

    digests: TableDigests
    #: A boolean for each bucket: whether it differs. None if no bucket differs.
    suspects: np.ndarray[Any, Any] | None = None
    #: The rows and documents that differ, if they are few and known.
    few: FewRows | None = None


class DigestComparison:
    """Compares one table by digests.

    ``beside`` is entered while PostgreSQL is otherwise idle. ``done`` is called with the rows so far.
    """

    def __init__(
        self,
        compared: ComparedTable,
        connection: psycopg.Connection,
        beside: Callable[[], AbstractContextManager[None]],
        done: Callable[[int], None],
    ) -> None:
        self._compared, self._connection, self._beside, self._done = compared, connection, beside, done
        self._target = compared.context.target
        self._uniform = self._target.uniform(compared.table.target)

    def run(self, comparison: RowComparison) -> DigestResult | None:
        """The result; None if the table has to be compared row by row.

        JSON is compared as text first. If much of it differs, the two sides may only have another notation, so it is
        parsed.
        """
        for verbatim in (True, False):
            digests = table_digests(self._compared.table, comparison, verbatim=verbatim)
            if digests is None:
                break
            if verbatim and not (digests.verbatim and self._seems_verbatim(digests)):
                continue
            try:
                found = self._compare(digests)
            except NotVerbatim:
                continue
            suspects = found.suspects
            if suspects is None or not verbatim or suspects.sum() <= _FEW or found.few is not None:
                return found
        return None

    def _blocks(self) -> Any:
        return self._target.blocks(self._compared.table.target)

    def _seems_verbatim(self, digests: TableDigests) -> bool:
        with closing(self._blocks()) as blocks:
            return digests.seems_verbatim(next(blocks, b""), uniform=self._uniform)

    def _compare(self, digests: TableDigests) -> DigestResult:
        compared, proof = self._compared, self._compared.proof
        source, target, seen = self._sums(digests)
        proof.rows, documents = source.read, target.read
        self._done(proof.rows)
        differing = source.differing(target)
        if differing.any() or len(seen) < len(compared.rejects):
            pairs = compared.context.process.pairs
            found = None if compared.rejects else few_differing(digests, source, target, pairs)
            few = None if found is None else FewRows(compared, found, source, target)
            return DigestResult(digests, differing, few)
        proof.documents, proof.rejected = documents, len(compared.rejects)
        proof.filled, proof.rounded = dict(+source.filled), dict(+source.rounded)
        proof.matched = documents
        proof.fields = documents * (len(compared.table.fields) + 1)
        return DigestResult(digests)

    def _sums(self, digests: TableDigests) -> tuple[Sums, Sums, set[str]]:
        """The sums of both sides, and the rejected keys that the source has."""
        context, table = self._compared.context, self._compared.table
        # Rows without a key are compared one by one.
        rejected = [key for key in self._compared.rejects if key is not None]
        rows, documents = context.process.pairs
        target = Sums(pairs=PairWriter(documents))
        with closing(target):
            steps = digests.target(self._blocks(), target, uniform=self._uniform)
            if is_large(self._connection, table, context.large_bytes):
                with suppress(ProcessLost), self._beside():
                    context.process.begin(digests, context.snapshot, rejected, rows)
                    try:
                        for _ in steps:
                            self._done(target.read)
                    except NotVerbatim:
                        context.process.stop()
                        raise
                    source, seen = context.process.result()
                    return source, target, seen
            source, seen = Sums(pairs=PairWriter(rows)), set[str]()
            with closing(source):
                for _ in digests.source(self._connection, rejected, source, seen):
                    self._done(source.read)
            for _ in steps:
                pass
        return source, target, seen


def is_large(connection: psycopg.Connection, table: TablePlan, large_bytes: int) -> bool:
    """Whether a separate process reads the table: by its bytes on disk, with TOAST."""
    name = literal(table.source.sql_name)
    row = connection.execute(f"SELECT pg_catalog.pg_table_size({name}::regclass)".encode()).fetchone()
    return int((row and row[0]) or 0) >= large_bytes
