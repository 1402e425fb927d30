"""Copies every row of the moving tables, at one snapshot, into a snapshot archive.

The archive's bytes depend only on the source's rows in the order of its disk, the plan and the table numbers. Two runs
on the same source give the same file, with any number of workers. The archive appears under its name when it is whole.
The work of an interrupted run is kept beside it (see :mod:`supavex.migrate.copy.journal`).
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.errors import SupavexError, UsageError, file_error
from supavex.files import chosen_folder
from supavex.mapping.file_columns import OBJECTS
from supavex.mapping.graph import ReferenceGraph
from supavex.mapping.plan import Plan, TablePlan
from supavex.migrate.copy.archive import write_archive
from supavex.migrate.copy.context import CopyContext
from supavex.migrate.copy.executors import InProcess
from supavex.migrate.copy.existing import ExistingIds, matched_ids
from supavex.migrate.copy.journal import Journal
from supavex.migrate.copy.options import CopyOptions, Resume
from supavex.migrate.copy.parents import ParentKeys
from supavex.migrate.copy.part_files import PartFiles
from supavex.migrate.copy.results import CopyResult, TableResult
from supavex.migrate.copy.tables import copy_tables
from supavex.migrate.storage.archive import Storage
from supavex.migrate.storage.buckets import BucketFiles, FileJob, list_files
from supavex.migrate.storage.entries import address_secret
from supavex.migrate.storage.values import ValueFiles, list_values
from supavex.migrate.target.matching import Matched
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import read_failed, without_password
from supavex.postgres.snapshot import exported, imported
from supavex.postgres.visibility import HeldSnapshot, Visibility
from supavex.text import counted


@dataclass(frozen=True, slots=True)
class _Request:
    """The arguments of :func:`copy`."""

    #: The plan of the migration.
    plan: Plan
    #: The connection string of the source, with its password.
    url: str
    #: The number of each table that ids name, by the table's name in Convex.
    numbers: Mapping[str, int]
    #: The path of the archive; None if none is written.
    archive: Path | None
    #: The folder for the journal and the parts.
    work: Path
    #: The choices of the command.
    options: CopyOptions

    def wanted(self) -> list[TablePlan]:
        """The tables whose documents are requested, in the plan's order."""
        return [table for table in self.plan.moving if self.options.tables is None or table.name in self.options.tables]

    def files_job(self) -> FileJob | None:
        """The stored files to copy. If none are requested and some values become files, only these values."""
        job = self.options.files
        if job is None and self.plan.file_columns:
            return FileJob(None, (), partial(address_secret, self.plan.project))
        return job


@dataclass(frozen=True, slots=True)
class _Opened:
    """A copy with a held snapshot and an open journal."""

    context: CopyContext
    held: HeldSnapshot
    matched: list[Matched]
    #: The times under which the journal records this very snapshot. None is a new record.
    same: set[str | None]


def copy(
    plan: Plan,
    url: str,
    numbers: Mapping[str, int],
    archive: Path | None,
    work: Path,
    options: CopyOptions | None = None,
) -> CopyResult:
    """Copies the moving tables of ``plan`` from ``url`` to ``archive``. If ``archive`` is None, everything but the
    writing is done.

    ``numbers`` are the numbers of all tables that ids name. Raises
    :class:`~supavex.migrate.state.rejects.TooManyRejectsError`.

    ``work`` is a folder for the journal and the parts, which is removed at the end. If an earlier run left one and the
    source has not changed since, its parts are used. If the source has changed, the parts belong to another snapshot:
    see ``options.resume``.
    """
    started = time.monotonic()
    options = options or CopyOptions()
    request = _Request(plan, url, numbers, archive, work, options)
    place = options.place
    files = PartFiles(place or str(work), private=place is None)
    try:
        chosen_folder(work)
        files.make()
        with ExitStack() as stack:
            result = _copied(request, _opened(request, files, stack), stack)
        files.keep_only(set())
        shutil.rmtree(work, ignore_errors=True)
        result.seconds = time.monotonic() - started
        return result
    except psycopg.Error as error:
        raise read_failed(error, without_password(url), "What is done is kept: run the command again.") from None
    except (OSError, sqlite3.Error) as error:
        safe = "Nothing was replaced, and what is done is kept."
        if isinstance(error, OSError):
            refused = file_error(error, "CannotWrite", str(error.filename or archive or work))
            refused.hint = f"{safe} {refused.hint}"
            raise refused from None
        raise SupavexError(
            "CannotWrite",
            "the journal of the copy can't be written.",
            where=str(archive or work),
            hint=f"{safe} Make room, and run the command again.",
            retryable=True,
        ) from None


def _opened(request: _Request, files: PartFiles, stack: ExitStack) -> _Opened:
    """Takes the snapshot, and opens the journal for it. ``stack`` closes both."""
    journal = stack.enter_context(Journal(request.work))
    options = request.options
    # A new start takes a new snapshot, even if a connection still holds the earlier one.
    last = None if options.resume == "restart" else journal.visibility
    snapshot, keeper = (options.hold or stack).enter_context(
        exported(request.url, None if last is None else journal.snapshot)
    )
    visibility = Visibility.of(keeper, snapshot.taken_at)
    # These queries lock tables until their connection ends, so they use a connection that ends with the copy. The
    # snapshot may be held longer, while a person answers a question, and must not block a change of the source's
    # schema.
    holder = stack.enter_context(imported(snapshot))
    # If an interrupted run read this very snapshot, its rows are not of an earlier one.
    same: set[str | None] = {None}
    if last is not None and last.same_rows(visibility):
        same.add(last.taken_at)
    _begin(journal, visibility, options.resume, request.work, {table.name for table, _ in request.plan.file_columns})
    journal.begin(visibility, snapshot.name)
    files.keep_only(journal.names())
    executor = stack.enter_context(options.executor or InProcess())
    reader = stack.enter_context(ColumnReader(snapshot))
    existing, matched = _match(request, reader)
    context = CopyContext(
        graph=ReferenceGraph.of(request.plan),
        numbers={**request.numbers, STORAGE_TABLE: STORAGE_NUMBER},
        existing=existing,
        files=files,
        snapshot=snapshot,
        holder=holder,
        reader=reader,
        parents=ParentKeys(holder, reader),
        journal=journal,
        executor=executor,
        progress=options.progress,
        most_rejects=options.most_rejects,
    )
    return _Opened(context, HeldSnapshot(snapshot, holder, visibility), matched, same)


def _copied(request: _Request, opened: _Opened, stack: ExitStack) -> CopyResult:
    """Copies the tables and the stored files, and writes the archive and the record."""
    plan, options, context = request.plan, request.options, opened.context
    job = request.files_job()
    stored = _list_files(plan, job, context, stack)
    wanted = request.wanted()
    names = {table.name for table in wanted}
    known = options.known_rejects
    rejected = {name: set(keys) for name, keys in known.items() if name not in names}
    if stored is not None:
        rejected[OBJECTS] = stored.refused
    read = names | context.graph.ancestors(names, known.keys())
    selection, recorder = options.selection, options.recorder
    in_order = [table for table in context.graph.parents_first() if table.name in read]
    copies = copy_tables(context, in_order, opened.held, selection, rejected, stored)
    moved = [table for table in wanted if table.name in copies]
    taken = bool(moved) or selection.files
    going = stored if taken and (options.tables is None or OBJECTS in options.tables) else None
    kept = selection.rejects_of(table.name for table in plan.moving if table.name not in copies)
    kept += stored.rejects if stored is not None and not taken else []
    storage = _list_values(job, going, moved, rejected, context, stack)
    files_kept = 0
    if request.archive is not None and taken:
        done = [copies[table.name] for table in moved]
        files_kept = write_archive(request.archive, done, context.numbers, context.files, storage, context.progress)
    if recorder is not None:
        recorded = [copies[table.name].copied(opened.same) for table in moved]
        recorder.write(opened.held, context.numbers, context.existing, recorded, going)
    values = storage.values if storage is not None and storage.values.columns else None
    results = [copies[table.name].result for table in moved]
    results += [] if values is None else _value_results(values)
    results += [] if going is None else [_files_result(going)]
    return CopyResult(
        archive=request.archive if taken else None,
        taken_at=context.snapshot.taken_at,
        tables=results,
        matched=opened.matched,
        parts_kept=sum(copy.kept for copy in copies.values()),
        kept=kept,
        visibility=opened.held.visibility,
        snapshot=context.snapshot,
        files=going,
        values=values,
        files_kept=files_kept,
    )


def _begin(journal: Journal, visibility: Visibility, resume: Resume, work: Path, with_values: set[str]) -> None:
    """Drops the parts in the journal that a copy at ``visibility`` can't use.

    Raises ``TwoSnapshots`` if finished tables were read at another snapshot, and ``resume`` does not say what to do.

    ``with_values``: tables whose values become files. The values are read now, so their documents have to be read at
    the same snapshot.
    """
    last = journal.visibility
    if resume == "restart":
        journal.clear()
    elif last is not None and not last.same_rows(visibility):
        journal.forget_unfinished(with_values)
        finished = journal.finished()
        if finished and resume == "ask":
            raise UsageError(
                "TwoSnapshots",
                f"an interrupted copy of {last.taken_at} has {counted(len(finished), 'table')} done "
                f"({', '.join(sorted(finished))}). Rows may have been written since: to go on would mix two snapshots.",
                where=str(work),
                hint="Add --restart to copy all anew, or --accept-two-snapshots to keep those tables as they were.",
            )


def _list_files(plan: Plan, job: FileJob | None, context: CopyContext, stack: ExitStack) -> BucketFiles | None:
    """The stored files to copy; None if none are requested."""
    if job is None or job.source is None:
        if plan.file_references:
            table, planned = plan.file_references[0]
            raise UsageError(
                "NoFiles",
                "the column refers to stored files, and nothing says where they are.",
                where=f"{table.name}.{planned.place}",
                hint="Set [storage] files in supavex.toml, or add --files DIR (or s3://…).",
            )
        return None
    return stack.enter_context(list_files(job, context.holder))


def _list_values(
    job: FileJob | None,
    files: BucketFiles | None,
    moved: list[TablePlan],
    rejected: Mapping[str, set[bytes]],
    context: CopyContext,
    stack: ExitStack,
) -> Storage | None:
    """The values that become files, when the rejected rows are known, together with the stored files."""
    if job is None:
        return None
    values = stack.enter_context(list_values(job, context.snapshot, moved, rejected))
    return Storage(job, files, values, moved, rejected, context.snapshot)


def _value_results(values: ValueFiles) -> list[TableResult]:
    return [TableResult(c.large.name, STORAGE_TABLE, c.files, c.files, c.size, c.seconds) for c in values.columns]


def _files_result(found: BucketFiles) -> TableResult:
    result = TableResult(OBJECTS, STORAGE_TABLE, found.rows, found.files, found.size)
    result.rejects = found.rejects
    return result


def _match(request: _Request, reader: ColumnReader) -> tuple[dict[str, ExistingIds], list[Matched]]:
    """The ids of the existing tables that references name, by the table's name in Convex; and the result of the
    matching.
    """
    used = {
        planned.reference.target
        for table in request.plan.moving
        for planned in table.fields
        if planned.reference is not None and planned.reference.existing
    }
    ids, matched = {}, []
    for table in request.plan.tables:
        if table.status != "existing" or table.target not in used:
            continue
        if request.options.existing is None:
            raise UsageError(
                "NoTarget",
                f"{table.target} is declared existing: its ids are in the target, which is needed to copy.",
                hint="Copy into a deployment (--to), or name an export of it with --existing FILE.zip.",
            )
        ids[table.target], report = matched_ids(reader, table, request.options.existing(table.target))
        matched.append(report)
    return ids, matched
