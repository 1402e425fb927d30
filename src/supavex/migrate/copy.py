"""The copy: every row of the moved tables, at one moment, into a snapshot archive.

The archive's bytes depend on the source's rows, the plan and the table numbers, and on nothing else: two runs on the
same source give the same file. It appears under its name only when it is whole.
"""

from __future__ import annotations

import shutil
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psycopg
import pyarrow as pa

from supavex import __version__
from supavex.convex.snapshot import ArchiveWriter, Deflated, schema_entry, tables_entry
from supavex.convex.values import Document
from supavex.errors import SupavexError, UsageError, missing_extra
from supavex.mapping.plan import ALIAS, Plan, TablePlan
from supavex.migrate.encoding import SLICE_ROWS, BadKeys, Encoded, Lookup, TableEncoder
from supavex.migrate.existing import Matched, match_documents
from supavex.migrate.pipeline import ahead
from supavex.migrate.references import children, missing_keys, names_any, parents_first, shared_keys
from supavex.migrate.rejects import Reject
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import quoted
from supavex.postgres.snapshot import Snapshot, exported

#: Called with a source table, the rows done so far, and PostgreSQL's estimate of all.
Progress = Callable[[str, int, int], None]
#: Gives the documents of a table that is in the target already.
ExistingDocuments = Callable[[str], Iterator[Document]]
_README = "A Convex snapshot written by supavex {version}. Import it with: npx convex import --replace FILE.zip\n"


@dataclass(slots=True)
class TableResult:
    """What the copy did with one table. ``bytes`` are those of the documents as JSON; ``seconds`` wall-clock."""

    source: str
    target: str
    rows: int = 0
    documents: int = 0
    bytes: int = 0
    seconds: float = 0.0
    rejects: list[Reject] = field(default_factory=list)
    filled: Counter[str] = field(default_factory=Counter)
    creation_adjusted: int = 0


@dataclass(slots=True)
class CopyResult:
    """What the copy did: each table, the moment it read, and the archive."""

    archive: Path | None
    taken_at: str
    tables: list[TableResult]
    matched: list[Matched]
    seconds: float = 0.0

    @property
    def rejects(self) -> list[Reject]:
        """All rejected rows, table by table."""
        return [reject for table in self.tables for reject in table.rejects]


@dataclass(slots=True)
class _State:
    plan: Plan
    numbers: Mapping[str, int]
    work: Path
    snapshot: Snapshot
    holder: psycopg.Connection
    progress: Progress
    lookups: dict[str, Lookup]
    missing: dict[tuple[str, str], frozenset[bytes]] = field(default_factory=dict)
    rejected: dict[str, set[bytes]] = field(default_factory=dict)
    results: dict[str, TableResult] = field(default_factory=dict)
    parts: dict[str, Deflated] = field(default_factory=dict)


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
) -> CopyResult:
    """Copies the moved tables of ``plan`` from ``url`` to ``archive``; with None, everything but the writing is done.

    ``numbers`` are the table numbers of all tables that ids name. ``tables`` limits the copy to some source tables
    (by name); references to others still get their computed ids. ``work`` is a folder for parts, emptied at the end.
    ``existing`` gives the documents of tables that are declared existing.
    """
    started = time.monotonic()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with exported(url) as (snapshot, holder):
            state = _State(plan, numbers, work, snapshot, holder, progress, {})
            matched = _lookups(state, existing)
            wanted = [t for t in parents_first(plan) if tables is None or t.name in tables or t.source.name in tables]
            with ColumnReader(snapshot) as reader:
                _copy_tables(state, reader, wanted)
            for table in wanted:
                state.results[table.name].creation_adjusted = _creation_adjusted(holder, table)
            moved = [table for table in plan.moved if table.name in state.results]
            if archive is not None:
                _write(state, moved, archive)
            results = [state.results[table.name] for table in moved]
        return CopyResult(archive, snapshot.taken_at, results, matched, time.monotonic() - started)
    except OSError as error:
        raise SupavexError(
            "CannotWrite",
            f"{error.strerror or error}.",
            where=str(error.filename or archive or work),
            hint="Nothing was replaced. Make room or another place (--out), and run the command again.",
            retryable=True,
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


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


def _copy_tables(state: _State, reader: ColumnReader, wanted: list[TablePlan]) -> None:
    waiting = list(wanted)
    while waiting:
        table = waiting.pop(0)
        before = frozenset(state.rejected.get(table.name, ()))
        _copy_table(state, reader, table)
        new = state.rejected[table.name] - before
        if not new:
            continue
        # Parents come first, so this finds work only in cycles and in tables that refer to themselves.
        for child, planned in children(state.plan, table):
            done = child.name in state.results and child not in waiting
            if done and names_any(state.holder, child, planned, new):
                waiting.append(child)


def _copy_table(state: _State, reader: ColumnReader, table: TablePlan) -> None:
    started = time.monotonic()
    shared = shared_keys(state.holder, table)
    encoder = TableEncoder(table, state.numbers, _bad(state, table), _table_lookups(state, table), shared)
    result = TableResult(table.name, table.target)
    keys: set[bytes] = set()
    estimate = _estimate(state.holder, table)
    path = state.work / f"{table.target}.deflate"

    def slices() -> Iterator[pa.RecordBatch]:
        for batch in reader.read(encoder.query.sql):
            for start in range(0, batch.num_rows, SLICE_ROWS):
                yield batch.slice(start, SLICE_ROWS)

    def encoded(batches: Iterator[pa.RecordBatch]) -> Iterator[Encoded]:
        return map(encoder.encode, batches)

    with path.open("wb") as file, ahead(slices) as batches, ahead(lambda: encoded(batches)) as pieces:
        writer = _Deflater(file)
        for piece in pieces:
            writer.write(piece.lines)
            result.rows += piece.rows
            result.documents += piece.documents
            result.rejects += piece.rejects
            keys.update(piece.rejected_keys)
            result.filled.update(piece.filled)
            state.progress(table.name, result.rows, estimate)
        state.parts[table.name] = writer.close(path)
    result.bytes = state.parts[table.name].size
    result.seconds = time.monotonic() - started
    state.results[table.name] = result
    state.rejected[table.name] = keys


class _Deflater:
    """Deflates what is written to it into a file (ISA-L level 1), counting size and CRC-32."""

    def __init__(self, file: IO[bytes]) -> None:
        try:
            from isal import isal_zlib
        except ImportError:
            raise missing_extra("isal", "copy", "Writing archives") from None
        self._file, self._crc32 = file, isal_zlib.crc32
        self._deflate: Any = isal_zlib.compressobj(1, zlib.DEFLATED, -15)
        self._crc = self._size = 0

    def write(self, content: bytes | memoryview) -> None:
        self._crc = self._crc32(content, self._crc)
        self._size += len(content)
        self._file.write(self._deflate.compress(content))

    def close(self, path: Path) -> Deflated:
        self._file.write(self._deflate.flush())
        return Deflated(path, self._crc, self._size)


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


def _creation_adjusted(connection: psycopg.Connection, table: TablePlan) -> int:
    """Rows whose ``_creationTime`` is not their creation column's value: NULL, infinite, or not above the epoch."""
    source = quoted(table.source.schema, table.source.name)
    condition = "true"
    if table.creation.columns:
        column = f"{ALIAS}.{quoted(table.creation.columns[0])}::timestamptz"
        condition = f"({column} IS NULL OR NOT isfinite({column}) OR {column} < '1970-01-01 00:00:00.001+00')"
    row = connection.execute(f"SELECT count(*) FROM {source} AS {ALIAS} WHERE {condition}".encode()).fetchone()
    return int(row[0]) if row else 0


def _write(state: _State, moved: list[TablePlan], archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".partial")
    try:
        with partial.open("wb") as file:
            writer = ArchiveWriter(file)
            writer.add("README.md", _README.format(version=__version__).encode())
            numbers = {table.target: state.numbers[table.target] for table in moved}
            writer.add("_tables/documents.jsonl", tables_entry(numbers))
            for table in moved:
                writer.add_deflated(f"{table.target}/documents.jsonl", state.parts[table.name])
                if TableEncoder(table, state.numbers).uniform:
                    writer.add(f"{table.target}/generated_schema.jsonl", schema_entry())
            writer.close()
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)
