"""The copy: every row of the moved tables, at one moment, into a snapshot archive.

The archive's bytes depend on the source's rows as they lie on its disk, the plan and the table numbers, and on nothing
else: two runs on the same source give the same file, with one worker or with many. It appears under its name only when
it is whole; what an interrupted run has done is kept beside it (see :mod:`supavex.migrate.journal`).
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import psycopg

from supavex import __version__
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.convex.snapshot import ArchiveWriter, JoinedEntry, schema_entry, tables_entry
from supavex.convex.values import Document
from supavex.errors import SupavexError, UsageError
from supavex.mapping.plan import Plan, TablePlan
from supavex.mapping.storage import OBJECTS
from supavex.migrate.encoding import BadKeys, Lookup, needs_uniform
from supavex.migrate.executors import Executor, Here
from supavex.migrate.existing import Matched, match_documents
from supavex.migrate.journal import Journal, Moment
from supavex.migrate.part_files import PartFiles
from supavex.migrate.parts import LAST_BLOCK, PartResult, PartTask, TableJob, cut, joined_crc, whole
from supavex.migrate.private_files import owner_only
from supavex.migrate.references import children, missing_keys, names_any, parents_first, shared_keys
from supavex.migrate.rejects import Reject
from supavex.migrate.stored_files import FileList, FilesJob, list_files, write_files
from supavex.postgres.connection import quoted, without_password
from supavex.postgres.snapshot import Snapshot, exported
from supavex.text import counted

#: Called with a source table, the rows done so far, and PostgreSQL's estimate of all.
Progress = Callable[[str, int, int], None]
#: Gives the documents of a table that is in the target already.
ExistingDocuments = Callable[[str], Iterator[Document]]
#: What to do with the parts of an interrupted run where rows have been written since: see :func:`copy`.
Moments = Literal["ask", "restart", "accept two"]
_README = "A Convex snapshot written by supavex {version}. Import it with: npx convex import --replace FILE.zip\n"


class CopyOptions(TypedDict, total=False):
    """How the parts are copied, and with which files; see :func:`copy`."""

    executor: Executor
    place: str | None
    moments: Moments
    files: FilesJob | None


@dataclass(slots=True)
class TableResult:
    """What the copy did with one table. ``bytes`` are those of the documents as JSON; ``seconds`` wall-clock.

    ``taken_at``: the moment it was read at, where an earlier run read it.
    """

    source: str
    target: str
    rows: int = 0
    documents: int = 0
    bytes: int = 0
    seconds: float = 0.0
    rejects: list[Reject] = field(default_factory=list)
    filled: Counter[str] = field(default_factory=Counter)
    creation_adjusted: int = 0
    taken_at: str | None = None


@dataclass(slots=True)
class CopyResult:
    """What the copy did: each table, the moment it read, the archive, and how many parts an earlier run had done."""

    archive: Path | None
    taken_at: str
    tables: list[TableResult]
    matched: list[Matched]
    seconds: float = 0.0
    parts_kept: int = 0
    #: The files of storage buckets; None where none were to be moved.
    files: FileList | None = None

    @property
    def rejects(self) -> list[Reject]:
        """All rejected rows, table by table."""
        return [reject for table in self.tables for reject in table.rejects]


@dataclass(slots=True)
class _State:
    plan: Plan
    numbers: Mapping[str, int]
    files: PartFiles
    snapshot: Snapshot
    holder: psycopg.Connection
    journal: Journal
    executor: Executor
    progress: Progress
    lookups: dict[str, Lookup]
    missing: dict[tuple[str, str], frozenset[bytes]] = field(default_factory=dict)
    rejected: dict[str, set[bytes]] = field(default_factory=dict)
    results: dict[str, TableResult] = field(default_factory=dict)
    #: The parts of each table, in order: the names of their files, and what they hold.
    parts: dict[str, list[tuple[str, PartResult]]] = field(default_factory=dict)
    kept: int = 0
    stored: FileList | None = None
    #: Whether stored files are among what is to be moved.
    with_files: bool = True


def copy(
    plan: Plan,
    url: str,
    numbers: Mapping[str, int],
    archive: Path | None,
    work: Path,
    *,
    tables: frozenset[str] | None = None,
    existing: ExistingDocuments | None = None,
    progress: Progress = lambda table, done, estimate: None,
    **how: Unpack[CopyOptions],
) -> CopyResult:
    """Copies the moved tables of ``plan`` from ``url`` to ``archive``; with None, everything but the writing is done.

    ``numbers`` are the table numbers of all tables that ids name. ``tables`` limits the copy to some source tables
    (by name); references to others still get their computed ids. ``existing`` gives the documents of tables that are
    declared existing. Of ``how``: ``executor`` copies the parts (by default this process); ``place`` is where they go,
    for workers on other machines (by default ``work``); ``files`` are the stored files that go with them.

    ``work`` is a folder for the journal and the parts, removed at the end. Where an earlier run left one and the
    source has not changed since, its parts are used. Where it has changed, they are of another moment: ``moments``
    says whether that is an error, they are thrown away, or those of whole tables are used all the same.
    """
    started = time.monotonic()
    place = how.get("place")
    files = PartFiles(place or str(work), private=place is None)
    try:
        work.mkdir(parents=True, exist_ok=True)
        files.make()
        with ExitStack() as stack:
            journal = stack.enter_context(Journal(work))
            last = journal.moment
            snapshot, holder = stack.enter_context(exported(url, None if last is None else last.snapshot))
            _begin(journal, Moment.of(snapshot, holder), how.get("moments", "ask"), work)
            files.keep_only(journal.names())
            running = stack.enter_context(how.get("executor") or Here())
            numbers = {**numbers, STORAGE_TABLE: STORAGE_NUMBER}
            state = _State(plan, numbers, files, snapshot, holder, journal, running, progress, {})
            state.with_files = tables is None or OBJECTS in tables
            _list_files(state, how.get("files"), stack)
            matched = _lookups(state, existing)
            wanted = [t for t in parents_first(plan) if tables is None or t.name in tables or t.source.name in tables]
            _copy_tables(state, wanted)
            moved = [table for table in plan.moved if table.name in state.results]
            if archive is not None:
                _write(state, moved, archive)
            results = [state.results[table.name] for table in moved]
            if state.stored is not None and state.with_files:
                results.append(_files_result(state.stored))
        files.keep_only(set())
        shutil.rmtree(work, ignore_errors=True)
        stored = state.stored if state.with_files else None
        seconds = time.monotonic() - started
        return CopyResult(archive, snapshot.taken_at, results, matched, seconds, state.kept, stored)
    except psycopg.Error as error:
        reason = error.diag.message_primary or (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SupavexError(
            "ReadFailed",
            f"PostgreSQL stopped the read: {reason}",
            where=without_password(url),
            hint="What is done is kept: run the command again.",
            retryable=True,
        ) from None
    except (OSError, sqlite3.Error) as error:
        full = "the journal of the copy can't be written" if isinstance(error, sqlite3.Error) else error.strerror
        raise SupavexError(
            "CannotWrite",
            f"{full or error}.",
            where=str(getattr(error, "filename", None) or archive or work),
            hint="Nothing was replaced, and what is done is kept. Make room, and run the command again.",
            retryable=True,
        ) from None


def _begin(journal: Journal, moment: Moment, moments: Moments, work: Path) -> None:
    """Makes the journal one of ``moment``. Raises where the parts in it are of another one, and nobody chose."""
    last = journal.moment
    if moments == "restart":
        journal.clear()
    elif last is not None and not last.same(moment):
        journal.forget_unfinished()
        finished = journal.finished()
        if finished and moments == "ask":
            raise UsageError(
                "TwoMoments",
                f"an interrupted copy of {last.taken_at} has {counted(len(finished), 'table')} done "
                f"({', '.join(sorted(finished))}). Rows may have been written since: to go on would mix two moments.",
                where=str(work),
                hint="Add --restart to copy all anew, or --accept-two-moments to keep those tables as they were.",
            )
    journal.begin(moment)


def _list_files(state: _State, job: FilesJob | None, stack: ExitStack) -> None:
    """Finds out which files go: rows that refer to others don't go either."""
    if job is None:
        if state.plan.stored:
            table, planned = state.plan.stored[0]
            raise UsageError(
                "NoFiles",
                "the column refers to stored files, and nothing says where they are.",
                where=f"{table.name}.{planned.place}",
                hint="Set [storage] files in supavex.toml, or add --files DIR (or s3://…).",
            )
        return
    state.stored = stack.enter_context(list_files(job, state.holder))
    state.rejected[OBJECTS] = state.stored.refused


def _files_result(found: FileList) -> TableResult:
    result = TableResult(OBJECTS, STORAGE_TABLE, found.rows, found.files, found.size)
    result.rejects = found.rejects
    return result


def _lookups(state: _State, existing: ExistingDocuments | None) -> list[Matched]:
    """Fills the lookups of existing tables (by their target's name); returns what matching found."""
    used = {
        planned.reference.target
        for table in state.plan.moved
        for planned in table.fields
        if planned.reference is not None and planned.reference.existing
    }
    matched = []
    for table in state.plan.tables:
        if table.status != "existing" or table.target not in used:
            continue
        if existing is None:
            raise UsageError(
                "NoTarget",
                f"{table.target} is declared existing: its ids are in the target, which is needed to copy.",
                hint="Copy into a deployment (--to), or name an export of it with --existing FILE.zip.",
            )
        ids, report = match_documents(state.holder, table, existing(table.target))
        state.lookups[table.target] = Lookup.of(ids)
        matched.append(report)
    return matched


def _copy_tables(state: _State, wanted: list[TablePlan]) -> None:
    waiting = list(wanted)
    while waiting:
        table = waiting.pop(0)
        before = frozenset(state.rejected.get(table.name, ()))
        _copy_table(state, table)
        new = state.rejected[table.name] - before
        if not new:
            continue
        # Parents come first, so this finds work only in cycles and in tables that refer to themselves.
        for child, planned in children(state.plan, table):
            done = child.name in state.results and child not in waiting
            if done and names_any(state.holder, child, planned, new):
                waiting.append(child)


def _copy_table(state: _State, table: TablePlan) -> None:
    started = time.monotonic()
    shared = shared_keys(state.holder, table)
    job = TableJob(table, state.numbers, _bad(state, table), _table_lookups(state, table), shared)
    digest = job.digest()
    result = TableResult(table.name, table.target)
    done = _finished(state, table, digest)
    if done is not None:
        parts, taken_at = done
        result.taken_at = taken_at if taken_at != state.snapshot.taken_at else None
    else:
        parts = _copy_parts(state, job, digest)
        state.journal.finish(table.name, [name for name, _ in parts], state.snapshot.taken_at)
    keys: set[bytes] = set()
    for _, part in parts:
        result.rows += part.rows
        result.documents += part.documents
        result.bytes += part.size
        result.rejects += part.rejects
        result.filled.update(part.filled)
        result.creation_adjusted += part.adjusted
        keys.update(part.rejected_keys)
    result.seconds = time.monotonic() - started
    state.parts[table.name] = parts
    state.results[table.name] = result
    state.rejected[table.name] = keys


def _finished(state: _State, table: TablePlan, digest: str) -> tuple[list[tuple[str, PartResult]], str] | None:
    """The parts of a table that an earlier run has done, and when; None where it has not, or not the same way."""
    found = state.journal.finished().get(table.name)
    if found is None:
        return None
    parts = []
    for name in found[0]:
        result = state.journal.result(name)
        if not name.startswith(digest[:16]) or result is None or not whole(state.files, name, result):
            return None
        parts.append((name, result))
    state.kept += len(parts)
    return parts, found[1]


def _copy_parts(state: _State, job: TableJob, digest: str) -> list[tuple[str, PartResult]]:
    """Copies the parts of a table that are not done yet; all of them, in order."""
    pages = cut(state.holder, job.table)
    tasks = [PartTask(digest, number, page, state.snapshot, state.files) for number, page in enumerate(pages)]
    done: dict[str, PartResult] = {}
    for task in tasks:
        result = state.journal.result(task.name)
        if result is not None and whole(state.files, task.name, result):
            done[task.name] = result
    state.kept += len(done)
    estimate = _estimate(state.holder, job.table)
    rows = sum(result.rows for result in done.values())

    def more(count: int) -> None:
        nonlocal rows
        rows += count
        state.progress(job.table.name, rows, estimate)

    waiting = [task for task in tasks if task.name not in done]
    if waiting:
        for task, result in state.executor.run(job, waiting, more):
            state.journal.add(task, job.table.name, result)
            done[task.name] = result
    more(0)
    return [(task.name, done[task.name]) for task in tasks]


def _bad(state: _State, table: TablePlan) -> dict[str, list[BadKeys]]:
    """For each reference field, the keys it may not name: rows that are not there, and rows that were rejected."""
    bad: dict[str, list[BadKeys]] = {}
    for planned in table.fields:
        reference = planned.reference
        if reference is None or reference.existing:
            continue
        place = (table.name, planned.name)
        if place not in state.missing:
            state.missing[place] = missing_keys(state.holder, table, planned)
        found = []
        parent = f"{reference.schema}.{reference.table}"
        if state.missing[place]:
            reason = f"it refers to a row that {parent} does not have"
            fix = "Insert that row, clear the reference, or delete the row."
            found.append(BadKeys(state.missing[place], "DanglingReference", reason, fix))
        rejected = state.rejected.get(parent)
        if rejected:
            reason = f"it refers to a row of {parent} that was rejected"
            fix = "Mend that row first: this one is rejected for its sake only."
            found.append(BadKeys(frozenset(rejected), "RejectedParent", reason, fix))
        if found:
            bad[planned.name] = found
    return bad


def _table_lookups(state: _State, table: TablePlan) -> dict[str, Lookup]:
    lookups = {}
    for planned in table.fields:
        if planned.ids is not None:
            lookups[planned.name] = Lookup.of(planned.ids)
        elif planned.reference is not None and planned.reference.existing:
            lookups[planned.name] = state.lookups[planned.reference.target]
    return lookups


def _estimate(connection: psycopg.Connection, table: TablePlan) -> int:
    name = quoted(table.source.schema, table.source.name)
    row = connection.execute(
        "SELECT reltuples::int8 FROM pg_catalog.pg_class WHERE oid = %s::regclass", (name,)
    ).fetchone()
    return max(int(row[0]), 0) if row else 0


def _write(state: _State, moved: list[TablePlan], archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".partial")
    try:
        with open(partial, "wb", opener=owner_only) as file:
            writer = ArchiveWriter(file)
            writer.add("README.md", _README.format(version=__version__).encode())
            numbers = {table.target: state.numbers[table.target] for table in moved}
            writer.add("_tables/documents.jsonl", tables_entry(numbers))
            for table in moved:
                parts = state.parts[table.name]
                results = [result for _, result in parts]
                sizes = sum(r.size for r in results), sum(r.packed for r in results) + len(LAST_BLOCK)
                entry = JoinedEntry(f"{table.target}/documents.jsonl", joined_crc(results), *sizes)
                writer.add_joined(entry, _pieces(state.files, [name for name, _ in parts]))
                if needs_uniform(table):
                    writer.add(f"{table.target}/generated_schema.jsonl", schema_entry())
            if state.stored is not None and state.with_files:
                total = state.stored.files
                write_files(state.stored, writer, lambda done: state.progress(OBJECTS, done, total))
            writer.close()
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def _pieces(files: PartFiles, names: list[str]) -> Iterator[bytes]:
    """The bytes of parts, one after another, and what ends them."""
    for name in names:
        with files.read(name) as file:
            while piece := file.read(1 << 20):
                yield piece
    yield LAST_BLOCK
