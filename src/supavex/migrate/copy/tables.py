"""Copies the tables of one snapshot, parents first, part by part."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from supavex.mapping.plan import TablePlan
from supavex.migrate.copy.context import CopyContext
from supavex.migrate.copy.deflate import whole
from supavex.migrate.copy.encoding.lookups import Lookup
from supavex.migrate.copy.jobs import TableJob
from supavex.migrate.copy.parts import PartTask, pages_of
from supavex.migrate.copy.results import PartResult, TableResult
from supavex.migrate.copy.selection import CopiedTable, Selection
from supavex.migrate.keys.references import names_any, shared_keys
from supavex.migrate.state.rejects import Reject, TooManyRejectsError
from supavex.migrate.storage.buckets import BucketFiles
from supavex.postgres.sizes import estimated_rows
from supavex.postgres.visibility import HeldSnapshot


@dataclass(frozen=True, slots=True)
class TableCopy:
    """The copy of one table."""

    #: The plan of the table.
    table: TablePlan
    #: The counts and the rejected rows of all parts.
    result: TableResult
    #: The parts in order: the file's name and the result of each.
    parts: list[tuple[str, PartResult]]
    #: Keys of 16 bytes that several rows have, with their tables.
    shared: Mapping[bytes, str]
    #: The keys of the rejected rows.
    rejected: frozenset[bytes]
    #: The number of parts that an earlier run had finished.
    kept: int

    def copied(self, same: set[str | None]) -> CopiedTable:
        """The table for a recorder. ``same``: the times of the copy's own snapshot."""
        return CopiedTable(self.table, self.shared, self.result.rejects, self.result.taken_at not in same)


def copy_tables(
    context: CopyContext,
    wanted: list[TablePlan],
    held: HeldSnapshot,
    selection: Selection,
    rejected: dict[str, set[bytes]],
    stored: BucketFiles | None,
) -> dict[str, TableCopy]:
    """Copies those of ``wanted`` that ``selection`` takes, by the source's name.

    ``rejected`` holds the keys of rejected rows by table, and gets those of each copied table. A table is copied again
    if rows to which it refers were rejected after its copy: in a cycle, or if it refers to itself.
    """
    taken = selection.choose(wanted, held, context.numbers, context.existing, stored)
    waiting = [table for table in wanted if table.name in taken]
    rejected |= {table.name: selection.rejected(table.name) for table in wanted if table.name not in taken}
    copies: dict[str, TableCopy] = {}
    while waiting:
        table = waiting.pop(0)
        before = frozenset(rejected.get(table.name, ()))
        others = [reject for name, copy in copies.items() if name != table.name for reject in copy.result.rejects]
        copy = copies[table.name] = copy_table(context, table, rejected, others)
        rejected[table.name] = set(copy.rejected)
        added = selection.added(held, table, copy.rejected, taken)
        if added:
            for name in added:
                rejected.pop(name, None)
            behind = copies.keys() - {other.name for other in waiting}
            waiting = [other for other in wanted if other.name in taken and other.name not in behind]
        new = copy.rejected - before
        if not new:
            continue
        # Parents come first, so this finds work only in cycles and in tables that refer to themselves.
        for child, planned in context.graph.children[table.name]:
            done = child.name in copies and child not in waiting
            if done and names_any(context.holder, child, planned, new):
                waiting.append(child)
    return copies


def copy_table(
    context: CopyContext, table: TablePlan, rejected: dict[str, set[bytes]], others: Sequence[Reject]
) -> TableCopy:
    """Copies one table. ``others``: the rejected rows of other tables, which count for the limit."""
    started = time.monotonic()
    shared = shared_keys(context.holder, table)
    lookups = {planned.name: Lookup.of(planned.ids) for planned in table.fields if planned.ids is not None}
    existing = {
        planned.name: context.existing[planned.reference.target]
        for planned in table.fields
        if planned.reference is not None and planned.reference.existing
    }
    bad = context.parents.forbidden(table, rejected)
    job = TableJob(table, context.numbers, bad, lookups, shared, existing, context.most_rejects)
    digest = job.digest()
    result = TableResult(table.name, table.target, created=bool(table.creation.columns))
    done = _finished(context, table, digest)
    if done is not None:
        parts, taken_at = done
        kept = len(parts)
        result.taken_at = taken_at if taken_at != context.snapshot.taken_at else None
    else:
        parts, kept = _copy_parts(context, job, digest, others)
        context.journal.finish(table.name, [name for name, _ in parts], context.snapshot.taken_at)
    for _, part in parts:
        result.add(part)
    result.seconds = time.monotonic() - started
    keys = frozenset(reject.internal_id for reject in result.rejects if reject.internal_id is not None)
    return TableCopy(table, result, parts, shared, keys, kept)


def _finished(context: CopyContext, table: TablePlan, digest: str) -> tuple[list[tuple[str, PartResult]], str] | None:
    """The finished parts of a table from an earlier run, and when it read them; None if it did not finish
    the same job.
    """
    found = context.journal.finished().get(table.name)
    if found is None:
        return None
    parts = []
    for name in found[0]:
        result = context.journal.result(name)
        if not name.startswith(digest[:16]) or result is None or not whole(context.files, name, result):
            return None
        parts.append((name, result))
    return parts, found[1]


def _copy_parts(
    context: CopyContext, job: TableJob, digest: str, others: Sequence[Reject]
) -> tuple[list[tuple[str, PartResult]], int]:
    """Copies the unfinished parts of a table. Returns all parts in order, and the number of those that were finished
    before.
    """
    pages = pages_of(context.holder, job.table)
    tasks = [PartTask(digest, number, page, context.snapshot, context.files) for number, page in enumerate(pages)]
    done: dict[str, PartResult] = {}
    for task in tasks:
        result = context.journal.result(task.name)
        if result is not None and whole(context.files, task.name, result):
            done[task.name] = result
    kept = len(done)
    estimated = estimated_rows(context.holder, job.table.source.sql_name)
    rows = sum(result.rows for result in done.values())

    def more(count: int) -> None:
        nonlocal rows
        rows += count
        context.progress(job.table.name, rows, estimated)

    waiting = [task for task in tasks if task.name not in done]
    count = len(others) + sum(len(result.rejects) for result in done.values())
    if waiting:
        with closing(context.executor.run(job, waiting, more)) as running:
            for task, result in running:
                context.journal.add(task, job.table.name, result)
                done[task.name] = result
                count += len(result.rejects)
                if count > context.most_rejects:
                    found = [reject for part in done.values() for reject in part.rejects]
                    raise TooManyRejectsError([*others, *found], context.most_rejects)
    more(0)
    return [(task.name, done[task.name]) for task in tasks], kept
