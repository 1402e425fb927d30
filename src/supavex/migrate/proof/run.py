"""Proves a target: reads source and target again, compares every row and field, and checks the rules.

An entry in the rejects file explains a missing row. Any other missing, extra or different document is a failure. Rows
that were written after the copy read them are reported separately.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from supavex.callbacks import Progress
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.errors import SupavexError
from supavex.mapping.plan import Plan, TablePlan
from supavex.migrate.proof.compared_table import LARGE_BYTES, ComparedTable, ProofContext
from supavex.migrate.proof.digest_comparison import is_large
from supavex.migrate.proof.digests.process import DigestProcess
from supavex.migrate.proof.findings import Proof, TableProof
from supavex.migrate.proof.request import Asked, FilesProof, Retry
from supavex.migrate.proof.tables import TableCheck
from supavex.migrate.state.copies import CopyRecord
from supavex.migrate.state.rejects import Reject
from supavex.migrate.target.documents import Documents
from supavex.migrate.target.matching import match_documents
from supavex.postgres.snapshot import Snapshot, exported, imported
from supavex.postgres.visibility import Visibility, has_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofOptions:
    """The options of a proof."""

    #: The number of rows of each table to compare, which proves nothing; None: all rows.
    sample: int | None = None
    #: The record of the copy. The proof uses the copy's snapshot while it is held, else a new one.
    copied: CopyRecord | None = None
    #: Called with a table, the rows compared, and an estimate of all (0: unknown).
    progress: Progress = lambda table, rows, estimate: None
    #: Proves the stored files as well, except in a sample.
    files: FilesProof | None = None
    #: Finds the rejected rows that the copy would accept now. Required if there are rejected rows.
    retry: Retry | None = None
    #: If a table has more bytes, a separate process reads its rows.
    large_bytes: int = LARGE_BYTES


def verify(
    plan: Plan, url: str, target: Documents, rejects: Iterable[Reject], options: ProofOptions | None = None
) -> Proof:
    """Proves that the rows at ``url`` are the documents of ``target``, except the rejected ones.

    Digests of all rows show where to look. The rows found there are compared field by field. Rows that were written
    since the copy are reported separately.
    """
    options = options or ProofOptions()
    sample, copied = options.sample, options.copied
    started = time.monotonic()
    by_table: dict[str, dict[str | None, Reject]] = {}
    for reject in rejects:
        by_table.setdefault(reject.table, {})[reject.key] = reject
    numbers = {**target.table_numbers(), STORAGE_TABLE: STORAGE_NUMBER}
    with ExitStack() as stack:
        snapshot, holder = _snapshot(stack, url, copied)
        process = stack.enter_context(DigestProcess())
        if sample is None and any(is_large(holder, table, options.large_bytes) for table in plan.moving):
            process.start()
        now = Visibility.of(holder, snapshot.taken_at)
        known = {} if copied is None else copied.seen
        known = {name: seen for name, seen in known.items() if seen.same_database(now)}
        #: The transactions that the copy saw of each table, if any table was written to since.
        written = {name: seen for name, seen in known.items() if seen.transactions != now.transactions}
        existing = {
            table.target: match_documents(holder, table, target.documents(table.target))[0]
            for table in plan.tables
            if table.status == "existing"
        }
        would_go: Mapping[str, list[str]] = {}
        if by_table and sample is None:
            if options.retry is None:
                raise TypeError("a proof with rejected rows needs retry")
            would_go = options.retry(plan.moving, snapshot, target, by_table, existing)
        context = ProofContext(plan, snapshot, target, numbers, existing, by_table, process, options.large_bytes)
        tables: list[TableProof] = []
        checks: list[TableCheck] = []
        compared: list[tuple[TablePlan, Visibility | None]] = []
        for table in plan.moving:
            proof = TableProof(table.name, table.target)
            tables.append(proof)
            if table.target not in numbers:
                proof.add("missing table", "", f"the target has no table {table.target}")
                continue
            seen = written.get(table.name)
            if seen is not None and not has_versions(holder, table.source.schema, table.source.name):
                seen = None
            compared.append((table, seen))
            check = TableCheck(ComparedTable(context, table, proof, seen, table.name in written))
            check.compare(sample, options.progress, would_go.get(table.name, ()))
            checks.append(check)
        if options.files is not None and sample is None:
            tables += options.files(Asked(snapshot, target, by_table, compared, bool(written), options.progress))
        failed = frozenset(proof.target for proof in tables if not proof.ok)
        for check in checks if sample is None else ():
            check.finish(failed)
        # The tables may come from several imports. The first of them counts.
        at = min((known[table.name].taken_at for table in plan.moving if table.name in known), default=None)
        return Proof(tables, snapshot.taken_at, time.monotonic() - started, sample, at, plan.remarks)


def holds_documents(plan: Plan, target: Documents) -> bool:
    """Whether ``target`` has a document in a table that gets rows."""
    numbers = target.table_numbers()
    return any(table.target in numbers and target.count(table.target) for table in plan.moving)


def _snapshot(stack: ExitStack, url: str, copied: CopyRecord | None) -> tuple[Snapshot, psycopg.Connection]:
    """The snapshot for the comparison: the copy's while it is held, else a new one; and a connection that sees it."""
    if copied is not None and copied.snapshot is not None:
        try:
            return copied.snapshot, stack.enter_context(imported(copied.snapshot))
        except SupavexError as error:
            if error.code != "SnapshotGone":
                raise
    return stack.enter_context(exported(url))
