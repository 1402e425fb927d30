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
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import psycopg

from supavex import __version__
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.convex.snapshot import ArchiveWriter, JoinedEntry, schema_entry, tables_entry
from supavex.convex.values import Document
from supavex.errors import SupavexError, UsageError, file_error
from supavex.files import owner_only
from supavex.mapping.graph import ReferenceGraph
from supavex.mapping.plan import FieldPlan, Plan, TablePlan
from supavex.mapping.storage import OBJECTS
from supavex.migrate.archive_storage import Storage
from supavex.migrate.encoding import BadKeys, Lookup, needs_uniform
from supavex.migrate.executors import Executor, Here
from supavex.migrate.existing import ExistingIds, Matched, matched_ids
from supavex.migrate.journal import Journal, Moment
from supavex.migrate.key_sets import KeySet
from supavex.migrate.part_files import PartFiles
from supavex.migrate.parts import LAST_BLOCK, MOST_REJECTS, PartResult, PartTask, TableJob, cut, joined_crc, whole
from supavex.migrate.references import (
    in_memory,
    known_keys,
    missing_keys,
    names_any,
    shared_keys,
)
from supavex.migrate.rejects import Reject, TooManyRejectsError
from supavex.migrate.selection import CopiedTable, Everything, Recorder, Selection
from supavex.migrate.stored_files import FileList, FilesJob, address_secret, list_files
from supavex.migrate.value_files import ValueFiles, list_values
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import quoted, without_password
from supavex.postgres.snapshot import Snapshot, exported, imported
from supavex.postgres.visibility import HeldSnapshot, Visibility, visibility
from supavex.text import counted

#: Called with a source table, the rows done so far, and PostgreSQL's estimate of all.
Progress = Callable[[str, int, int], None]
#: Gives the documents of a table that is in the target already.
ExistingDocuments = Callable[[str], Iterator[Document]]
#: What to do with the parts of an interrupted run where rows have been written since: see :func:`copy`.
Moments = Literal["ask", "restart", "accept two"]
#: Keys of referenced tables that are held from one table to the next, at about 32 bytes each.
_PARENTS_HELD = 4 << 20
_README = "A Convex snapshot written by supavex {version}. Import it with: npx convex import --replace FILE.zip\n"


class CopyOptions(TypedDict, total=False):
    """How the parts are copied, and with which files; see :func:`copy`."""

    executor: Executor
    place: str | None
    moments: Moments
    selection: Selection
    recorder: Recorder | None
    hold: ExitStack | None
    most_rejects: int
    files: FilesJob | None
    known_rejects: Mapping[str, frozenset[bytes]]


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
    #: By column, the documents that ``truncate`` left a shorter text in.
    cut: Counter[str] = field(default_factory=Counter)
    creation_adjusted: int = 0
    taken_at: str | None = None


@dataclass(slots=True)
class CopyResult:
    """What the copy did: each table, the moment it read, the archive, and how many parts an earlier run had done.

    ``kept``: rejected rows of tables that a copy of changes did not take.
    ``visible`` says which rows that moment saw. ``snapshot`` can be imported as long as something holds it.
    """

    archive: Path | None
    taken_at: str
    tables: list[TableResult]
    matched: list[Matched]
    seconds: float = 0.0
    parts_kept: int = 0
    kept: list[Reject] = field(default_factory=list)
    visible: Visibility | None = None
    snapshot: Snapshot | None = None
    #: The files of storage buckets; None where none were to be moved.
    files: FileList | None = None
    #: The values that became files; None where no column has such.
    values: ValueFiles | None = None
    #: Files of the target that went into the archive too.
    files_kept: int = 0

    @property
    def rejects(self) -> list[Reject]:
        """All rejected rows, table by table."""
        return [reject for table in self.tables for reject in table.rejects] + self.kept


@dataclass(slots=True)
class _State:
    plan: Plan
    graph: ReferenceGraph
    numbers: Mapping[str, int]
    files: PartFiles
    snapshot: Snapshot
    holder: psycopg.Connection
    reader: ColumnReader
    journal: Journal
    executor: Executor
    progress: Progress
    #: Of tables that are in Convex already, by their names there.
    existing: dict[str, ExistingIds]
    #: By table and field: the keys that references name and no row has, where PostgreSQL looked for them.
    missing: dict[tuple[str, str], frozenset[bytes]] = field(default_factory=dict)
    #: By table, those last used at the end: its keys, where references to it are looked up in them.
    parents: dict[str, KeySet] = field(default_factory=dict)
    rejected: dict[str, set[bytes]] = field(default_factory=dict)
    results: dict[str, TableResult] = field(default_factory=dict)
    #: The parts of each table, in order: the names of their files, and what they hold.
    parts: dict[str, list[tuple[str, PartResult]]] = field(default_factory=dict)
    kept: int = 0
    most_rejects: int = MOST_REJECTS
    shared: dict[str, frozenset[bytes]] = field(default_factory=dict)
    stored: FileList | None = None
    #: Whether stored files are among what is to be moved.
    with_files: bool = True
    storage: Storage | None = None
    files_kept: int = 0


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
    (by ``schema.name``); references to others still get their computed ids. Which rows of those are rejected is said by
    ``known_rejects`` (keys of 16 bytes each, by table), or found out by reading them too. ``existing`` gives the
    documents of tables that are declared existing. Of ``how``: ``executor`` copies the parts (by default this process);
    ``place`` is where they go, for workers on other machines (by default ``work``). ``selection`` chooses the
    tables under the copy's snapshot: where it takes none, no archive is written. ``recorder`` records what was read;
    ``hold`` keeps the snapshot until it is closed. ``most_rejects`` is how many rejected rows are held in memory before
    the copy stops with :class:`~supavex.migrate.rejects.TooManyRejectsError`; ``files`` are the stored files that go
    with the rows.

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
            moments = how.get("moments", "ask")
            # A new start is one of a new moment, even where a connection still holds the earlier one.
            last = None if moments == "restart" else journal.moment
            snapshot, keeper = (how.get("hold") or stack).enter_context(
                exported(url, None if last is None else last.snapshot)
            )
            visible = visibility(keeper, snapshot.taken_at)
            moment = Moment.of(snapshot, keeper)
            # What is asked locks tables until the connection's end, which is the copy's: the snapshot may be held for
            # longer, while somebody thinks about a question, and must not hold up a change of the source's schema.
            holder = stack.enter_context(imported(snapshot))
            # What an interrupted run read at this very moment is not of an earlier one.
            same: set[str | None] = {None}
            if last is not None and last.same(moment):
                same.add(last.taken_at)
            _begin(journal, moment, moments, work, {table.name for table, _ in plan.large})
            files.keep_only(journal.names())
            running = stack.enter_context(how.get("executor") or Here())
            reader = stack.enter_context(ColumnReader(snapshot))
            numbers = {**numbers, STORAGE_TABLE: STORAGE_NUMBER}
            graph = ReferenceGraph.of(plan)
            state = _State(plan, graph, numbers, files, snapshot, holder, reader, journal, running, progress, {})
            state.most_rejects = how.get("most_rejects", MOST_REJECTS)
            state.with_files = tables is None or OBJECTS in tables
            files_job = _files_job(plan, how.get("files"))
            _list_files(state, files_job, stack)
            matched = _match(state, existing)
            wanted = {table.name for table in plan.moved if tables is None or table.name in tables}
            known = how.get("known_rejects", {})
            state.rejected.update({name: set(keys) for name, keys in known.items() if name not in wanted})
            read = wanted | state.graph.ancestors(wanted, known.keys())
            held = HeldSnapshot.of(snapshot, holder)
            selection, recorder = how.get("selection") or Everything(), how.get("recorder")
            _copy_tables(state, [table for table in state.graph.parents_first() if table.name in read], held, selection)
            moved = [table for table in plan.moved if table.name in state.results and table.name in wanted]
            taken = bool(moved) or selection.files
            state.with_files = state.with_files and taken
            left = [table.name for table in plan.moved if table.name not in state.results]
            kept = selection.rejects_of(left)
            kept += state.stored.rejects if state.stored is not None and not taken else []
            _list_values(state, files_job, moved, stack)
            if archive is not None and taken:
                _write(state, moved, archive)
            if recorder is not None:
                copied = [_copied(state, table, same) for table in moved]
                going = state.stored if state.with_files else None
                recorder.write(held, numbers, state.existing, copied, going)
            results = [state.results[table.name] for table in moved]
            values = state.storage.values if state.storage is not None and state.storage.values.columns else None
            results += [] if values is None else _value_results(values)
            if state.stored is not None and state.with_files:
                results.append(_files_result(state.stored))
        files.keep_only(set())
        shutil.rmtree(work, ignore_errors=True)
        archive = archive if taken else None
        seconds = time.monotonic() - started
        result = CopyResult(archive, snapshot.taken_at, results, matched, seconds, state.kept, kept, visible, snapshot)
        result.files = state.stored if state.with_files else None
        result.values, result.files_kept = values, state.files_kept
        return result
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


def _begin(journal: Journal, moment: Moment, moments: Moments, work: Path, with_values: set[str]) -> None:
    """Makes the journal one of ``moment``. Raises where the parts in it are of another one, and nobody chose.

    ``with_values``: tables whose values become files. These are read now, and have to be those of the documents.
    """
    last = journal.moment
    if moments == "restart":
        journal.clear()
    elif last is not None and not last.same(moment):
        journal.forget_unfinished(with_values)
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


def _files_job(plan: Plan, job: FilesJob | None) -> FilesJob | None:
    """The job, or, where none is given and values become files, one of these alone."""
    if job is None and plan.large:
        return FilesJob(None, (), partial(address_secret, plan.project))
    return job


def _list_files(state: _State, job: FilesJob | None, stack: ExitStack) -> None:
    """Finds out which files go: rows that refer to others don't go either."""
    if job is None or job.source is None:
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


def _list_values(state: _State, job: FilesJob | None, moved: list[TablePlan], stack: ExitStack) -> None:
    """Finds out which values become files, now that it is known which rows don't go."""
    if job is None:
        return
    values = stack.enter_context(list_values(job, state.snapshot, moved, state.rejected))
    files = state.stored if state.with_files else None
    state.storage = Storage(job, files, values, moved, state.rejected, state.snapshot)


def _value_results(values: ValueFiles) -> list[TableResult]:
    return [TableResult(c.large.name, STORAGE_TABLE, c.files, c.files, c.size, c.seconds) for c in values.columns]


def _files_result(found: FileList) -> TableResult:
    result = TableResult(OBJECTS, STORAGE_TABLE, found.rows, found.files, found.size)
    result.rejects = found.rejects
    return result


def _match(state: _State, existing: ExistingDocuments | None) -> list[Matched]:
    """Fills the ids of existing tables; returns what matching found."""
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
        state.existing[table.target], report = matched_ids(state.reader, table, existing(table.target))
        matched.append(report)
    return matched


def _copy_tables(state: _State, wanted: list[TablePlan], held: HeldSnapshot, selection: Selection) -> None:
    taken = selection.choose(wanted, held, state.numbers, state.existing, state.stored)
    waiting = [table for table in wanted if table.name in taken]
    state.rejected |= {table.name: selection.rejected(table.name) for table in wanted if table.name not in taken}
    while waiting:
        table = waiting.pop(0)
        before = frozenset(state.rejected.get(table.name, ()))
        _copy_table(state, table)
        added = selection.added(held, table, state.rejected[table.name], taken)
        if added:
            for name in added:
                state.rejected.pop(name, None)
            behind = state.results.keys() - {other.name for other in waiting}
            waiting = [other for other in wanted if other.name in taken and other.name not in behind]
        new = state.rejected[table.name] - before
        if not new:
            continue
        # Parents come first, so this finds work only in cycles and in tables that refer to themselves.
        for child, planned in state.graph.children[table.name]:
            done = child.name in state.results and child not in waiting
            if done and names_any(state.holder, child, planned, new):
                waiting.append(child)


def _copy_table(state: _State, table: TablePlan) -> None:
    started = time.monotonic()
    shared = state.shared[table.name] = shared_keys(state.holder, table)
    lookups = {planned.name: Lookup.of(planned.ids) for planned in table.fields if planned.ids is not None}
    existing = {
        planned.name: state.existing[planned.reference.target]
        for planned in table.fields
        if planned.reference is not None and planned.reference.existing
    }
    job = TableJob(table, state.numbers, _bad(state, table), lookups, shared, existing, state.most_rejects)
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
        result.cut.update(part.cut)
        result.creation_adjusted += part.adjusted
        keys.update(part.rejected_keys)
    result.seconds = time.monotonic() - started
    state.parts[table.name] = parts
    state.results[table.name] = result
    state.rejected[table.name] = keys


def _copied(state: _State, table: TablePlan, same: set[str | None]) -> CopiedTable:
    """What the copy of a table went by."""
    rejects = [
        (key, reject)
        for _, part in state.parts[table.name]
        for key, reject in zip(part.rejected_keys, part.rejects, strict=True)
    ]
    earlier = state.results[table.name].taken_at not in same
    return CopiedTable(table, state.shared[table.name], rejects, earlier)


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
    held = [reject for table in state.results.values() for reject in table.rejects if table.source != job.table.name]
    count = len(held) + sum(len(result.rejects) for result in done.values())
    if waiting:
        with closing(state.executor.run(job, waiting, more)) as running:
            for task, result in running:
                state.journal.add(task, job.table.name, result)
                done[task.name] = result
                count += len(result.rejects)
                if count > state.most_rejects:
                    parts = [reject for part in done.values() for reject in part.rejects]
                    raise TooManyRejectsError([*held, *parts], state.most_rejects)
    more(0)
    return [(task.name, done[task.name]) for task in tasks]


def _bad(state: _State, table: TablePlan) -> dict[str, list[BadKeys]]:
    """For each reference field, the keys it may not name: rows that are not there, and rows that were rejected."""
    bad: dict[str, list[BadKeys]] = {}
    for planned in table.fields:
        reference = planned.reference
        if reference is None or reference.existing:
            continue
        dangling = _dangling(state, table, planned)
        found = [dangling] if dangling is not None else []
        parent = f"{reference.schema}.{reference.table}"
        rejected = state.rejected.get(parent)
        if rejected:
            reason = f"it refers to a row of {parent} that was rejected"
            fix = "Mend that row first: this one is rejected for its sake only."
            found.append(BadKeys(KeySet.of_bytes(rejected), "RejectedParent", reason, fix))
        if found:
            bad[planned.name] = found
    return bad


def _dangling(state: _State, table: TablePlan, planned: FieldPlan) -> BadKeys | None:
    """The keys that a reference may not name for no row has them; None where no row names such a one."""
    assert planned.reference is not None
    parent = f"{planned.reference.schema}.{planned.reference.table}"
    reason = f"it refers to a row that {parent} does not have"
    about = "DanglingReference", reason, "Insert that row, clear the reference, or delete the row."
    known = state.parents.pop(parent, None) if in_memory(planned) else None
    if known is None:
        known = known_keys(state.holder, state.reader, table, planned)
    if known is not None:
        state.parents[parent] = known
        while sum(map(len, state.parents.values())) > _PARENTS_HELD and len(state.parents) > 1:
            del state.parents[next(iter(state.parents))]
        return BadKeys(known, *about, others=True)
    place = (table.name, planned.name)
    if place not in state.missing:
        state.missing[place] = missing_keys(state.holder, table, planned)
    missing = state.missing[place]
    return BadKeys(KeySet.of_bytes(missing), *about) if missing else None


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
            if state.storage is not None:
                state.files_kept = state.storage.write(writer, state.progress)
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
