"""Copies large values of columns into a snapshot archive, as Convex's stored files.

They are read after the rows, at the same snapshot, because the values of rejected rows do not become files. Each column
is read separately, in the order of its heap, and one value is in memory at a time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import pyarrow as pa

from supavex.callbacks import Progress
from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.ids import decode_id, encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.errors import SupavexError
from supavex.mapping.large_values import ENDINGS, LargeValues
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.mapping.row_sql import creation_sql
from supavex.migrate.storage.buckets import FileJob
from supavex.migrate.storage.entries import NewFile, add_file, address_name
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import quoted
from supavex.postgres.snapshot import Snapshot
from supavex.scratch import scratch_database

#: Parallel workers of PostgreSQL would return rows in random order.
_ONE_PROCESS = {"max_parallel_workers_per_gather": "0"}
_PIECE = 1 << 20


@dataclass(slots=True)
class ColumnFiles:
    """The values of one column that become files: their number, their bytes, and the seconds of the copy."""

    table: TablePlan
    large: LargeValues
    files: int = 0
    size: int = 0
    seconds: float = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Adds the seconds of the block."""
        started = time.monotonic()
        yield
        self.seconds += time.monotonic() - started


@dataclass(slots=True)
class ValueFiles:
    """The values that become files, by column. The ids of their files are in a temporary database."""

    job: FileJob
    database: sqlite3.Connection
    columns: list[ColumnFiles] = field(default_factory=list)

    @property
    def files(self) -> int:
        """The number of files."""
        return sum(column.files for column in self.columns)

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(column.size for column in self.columns)

    def holds(self, internal_id: bytes) -> bool:
        """Whether the file of that id (16 bytes) is copied."""
        return self.database.execute("SELECT 1 FROM going WHERE id = ?", (internal_id,)).fetchone() is not None


@contextmanager
def list_values(
    job: FileJob, snapshot: Snapshot, tables: Iterable[TablePlan], rejected: Mapping[str, set[bytes]]
) -> Iterator[ValueFiles]:
    """Finds the values of ``tables`` that become files, except those of ``rejected`` rows (keys by table).

    Raises :class:`~supavex.errors.SupavexError` if two files have one id.
    """
    with closing(scratch_database()) as database:
        database.execute("CREATE TABLE going (id BLOB PRIMARY KEY) WITHOUT ROWID")
        found = ValueFiles(job, database)
        with ColumnReader(snapshot, _ONE_PROCESS) as reader:
            for table in tables:
                for large in table.files:
                    column = ColumnFiles(table, large)
                    found.columns.append(column)
                    with column.measured():
                        _list(found, column, reader, rejected.get(table.name, ()))
        yield found


def _list(found: ValueFiles, column: ColumnFiles, reader: ColumnReader, refused: Collection[bytes]) -> None:
    for batch in reader.read(_values_sql(column.table, column.large, "n")):
        for row_id, size in zip(*(batch.column(name).to_pylist() for name in "kn"), strict=True):
            if row_id not in refused:
                _add(found, column, column.large.internal_id(row_id), size)


def _add(found: ValueFiles, column: ColumnFiles, internal_id: bytes, size: int) -> None:
    try:
        found.database.execute("INSERT INTO going VALUES (?)", (internal_id,))
    except sqlite3.IntegrityError:
        hint = "Two keys have one hash, or a row appears twice: choose another `key` for the table in supavex.toml."
        raise SupavexError("DuplicateId", "two files have one id.", where=column.large.name, hint=hint) from None
    column.files += 1
    column.size += size


def add_values(
    found: ValueFiles,
    snapshot: Snapshot,
    rejected: Mapping[str, set[bytes]],
    writer: ArchiveWriter,
    lines: IO[bytes],
    progress: Progress = lambda column, done, total: None,
) -> None:
    """Writes the files into an archive, and the metadata of each to ``lines``."""
    if not found.files:
        return
    secret = found.job.secret()
    with ColumnReader(snapshot, _ONE_PROCESS) as reader:
        for column in found.columns:
            if column.files:
                with column.measured():
                    going = _new_files(column, reader, rejected.get(column.table.name, ()), secret)
                    for done, (file, pieces) in enumerate(going, 1):
                        add_file(writer, lines, file, pieces)
                        progress(column.large.name, done, column.files)


def _new_files(
    column: ColumnFiles, reader: ColumnReader, refused: Collection[bytes], secret: bytes
) -> Iterator[tuple[NewFile, Iterator[bytes]]]:
    """The files of a column's values, except those of ``refused`` rows, each with its contents."""
    large = column.large
    for batch in reader.read(_values_sql(column.table, large, "v")):
        moments = _milliseconds(batch.column("m"))
        for index, row_id in enumerate(batch.column("k").to_pylist()):
            if row_id in refused:
                continue
            id_ = large.internal_id(row_id)
            name = address_name(secret, id_)
            pieces, ending = _pieces(batch.column("v")[index]), ENDINGS[large.media_type]
            file_id = encode_id(STORAGE_NUMBER, id_)
            yield NewFile(file_id, moments[index], large.media_type, name, ending), pieces


def _values_sql(table: TablePlan, large: LargeValues, wanted: str) -> str:
    """The SELECT of the values that become files: the row's id as ``k``; the bytes as ``n``, or the time as ``m`` and
    the value as ``v``.

    A row without a key has no file. A subquery computes the key, because the key of a whole row can't be in WHERE.
    """
    value = f"{ALIAS}.{quoted(large.column.name)}"
    text = large.text_sql(value)
    columns = {"n": f"octet_length({text}) AS n", "v": f"{creation_sql(table)} AS m, {text} AS v"}[wanted]
    source = table.source.sql_name
    inner = f"SELECT {large.row_id_sql(ALIAS)} AS k, {large.large_sql(value)} AS is_large, {columns}"
    names = "s.m, s.v" if wanted == "v" else "s.n"
    return f"SELECT s.k, {names} FROM ({inner} FROM {source} AS {ALIAS}) AS s WHERE s.is_large AND s.k IS NOT NULL"


def _milliseconds(column: pa.Array) -> list[float]:
    """Times as milliseconds since 1970."""
    micros = column.cast(pa.timestamp("us", column.type.tz)).view(pa.int64()).to_pylist()
    return [moment / 1000 for moment in micros]


def _pieces(value: Any) -> Iterator[bytes]:
    """The bytes of a text or of bytes (an Arrow scalar), in pieces."""
    content = memoryview(value.as_buffer())
    for start in range(0, len(content), _PIECE):
        yield bytes(content[start : start + _PIECE])


def left_over(tables: Iterable[TablePlan], ids: Callable[[str], Iterable[str]], candidates: set[bytes]) -> set[bytes]:
    """Those of ``candidates`` (ids of stored files, 16 bytes) that are files of documents of ``tables``.

    ``ids`` gives the ids of a Convex table's former documents.
    """
    found: set[bytes] = set()
    for table in tables if candidates else ():
        for id_ in ids(table.target) if table.files else ():
            row_id = decode_id(id_)[1]
            found |= candidates & {large.internal_id(row_id) for large in table.files}
    return found
