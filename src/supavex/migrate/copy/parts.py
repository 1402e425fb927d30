"""A part of the copy: some pages of one table, which are read, encoded and deflated independently.

Parts are ranges of the heap's pages. The boundaries depend only on the table's size on disk. So the joined archive is
the same for any number of workers, skewed keys don't matter, and no key needs an index.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from typing import IO

import psycopg
import pyarrow as pa

from supavex.ahead import prefetch
from supavex.errors import SupavexError
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.migrate.copy.deflate import Deflater
from supavex.migrate.copy.encoding.encoder import SLICE_ROWS, Encoded, TableEncoder
from supavex.migrate.copy.jobs import MOST_REJECTS, TableJob
from supavex.migrate.copy.part_files import SUFFIX, PartFiles
from supavex.migrate.copy.results import PartResult
from supavex.migrate.state.rejects import Reject, TooManyRejectsError
from supavex.postgres.columns import ColumnReader
from supavex.postgres.heap import HeapReader, NotByBlocksError
from supavex.postgres.snapshot import Snapshot

#: The bytes on disk, with the TOAST table's, for which a part is planned.
PART_BYTES = 64 << 20
#: Bytes of the heap that a block aims at, and of the TOAST table that it may bring: values that lie there may be of any
#: length, and PostgreSQL holds a whole block in its memory.
_BLOCK_BYTES, _BLOCK_TOAST = 4 << 20, 16 << 20

#: PostgreSQL reads a range of pages without the others from this version on.
_TID_RANGES = 140_000
#: Called with the number of newly encoded rows of a part.
RowCount = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of a heap: from ``first`` to before ``end`` (None: to the last).

    ``block``: the blocks of pages that PostgreSQL may send in one piece; None where it sends row by row.
    """

    first: int
    end: int | None
    block: range | None = None

    @property
    def condition(self) -> str:
        """SQL for the rows on these pages; empty for all rows."""
        parts = [f"{ALIAS}.ctid >= '({self.first},0)'::tid"] if self.first else []
        if self.end is not None:
            parts.append(f"{ALIAS}.ctid < '({self.end},0)'::tid")
        return " AND ".join(parts)


def pages_of(connection: psycopg.Connection, table: TablePlan) -> list[Pages]:
    """The parts of ``table``. It is one part if the table can't be read by pages: it is partitioned, inherited, or
    without a key.
    """
    assert table.key is not None
    # A key of the whole row numbers equal rows over the whole table.
    if table.key.form == "row" or connection.info.server_version < _TID_RANGES:
        return [Pages(0, None)]
    row = connection.execute(
        "SELECT c.relkind::text = ANY('{r,m}') AND NOT c.relhassubclass, pg_catalog.pg_relation_size(c.oid), "
        "CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END, "
        "pg_catalog.current_setting('block_size')::int FROM pg_catalog.pg_class AS c WHERE c.oid = %s::regclass",
        (table.source.sql_name,),
    ).fetchone()
    assert row is not None
    plain, heap, toast, block = row
    pages = heap // block
    if not plain or not pages:
        return [Pages(0, None)]
    count = max(1, round((heap + toast) / PART_BYTES))
    step = -(-pages // count)
    starts = list(range(0, pages, step))
    small = toast <= _BLOCK_TOAST
    blocks = [range(start, min(start + step, pages), _BLOCK_BYTES // block) if small else None for start in starts]
    # The last part has no end. A page that is added while the copy runs has no rows that the snapshot sees.
    ends = [*starts[1:], None]
    return [Pages(*cut) for cut in zip(starts, ends, blocks, strict=True)]


@dataclass(frozen=True, slots=True)
class PartTask:
    """A part to copy, as a worker receives it. ``job``: the digest of the :class:`TableJob`."""

    job: str
    number: int
    pages: Pages
    snapshot: Snapshot
    files: PartFiles

    @property
    def name(self) -> str:
        """The name of the part's file."""
        return f"{self.job[:16]}-{self.number:06}{SUFFIX}"


class PartCopier:
    """Copies parts over one connection, one at a time. A context manager."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._closing = False
        self._reader: ColumnReader | None = None
        self._blocks: HeapReader | None = None
        self._snapshot: Snapshot | None = None
        self._encoders: dict[str, TableEncoder] = {}
        self._most_rejects = MOST_REJECTS

    def __enter__(self) -> PartCopier:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection as soon as no part is being read. Until then, the source keeps old row versions."""
        self._closing = True
        if self._busy.acquire(blocking=False):
            try:
                self._disconnect()
            finally:
                self._busy.release()

    def _disconnect(self) -> None:
        for reader in (self._reader, self._blocks):
            if reader is not None:
                reader.__exit__()
        self._reader = self._blocks = self._snapshot = None

    def copy(self, task: PartTask, job: Callable[[], TableJob], rows: RowCount = lambda count: None) -> PartResult:
        """Copies one part into its file. ``job`` is called if this copier does not have the task's job yet."""
        with closing(self.copies([task], job, rows)) as results:
            return next(results)[1]

    def copies(
        self, tasks: list[PartTask], job: Callable[[], TableJob], rows: RowCount = lambda count: None
    ) -> Generator[tuple[PartTask, PartResult]]:
        """Copies parts of one table, each into its file. The next part is read while the last is deflated.

        Close the generator if it is not exhausted.
        """
        with self._busy:
            self._closing = False
            try:
                yield from self._copies(tasks, job, rows)
            finally:
                if self._closing:
                    self._disconnect()

    def _copies(
        self, tasks: list[PartTask], job: Callable[[], TableJob], rows: RowCount
    ) -> Generator[tuple[PartTask, PartResult]]:
        first = tasks[0]
        if self._snapshot != first.snapshot:
            self._disconnect()
            self._snapshot = first.snapshot
        if first.job not in self._encoders:
            known = job()
            self._encoders, self._most_rejects = {first.job: known.encoder()}, known.most_rejects
        encoder = self._encoders[first.job]

        # None marks the end of a part.
        def slices() -> Iterator[pa.RecordBatch | None]:
            for task in tasks:
                try:
                    for batch in self._batches(encoder.query.sql, task):
                        # Of equal sizes: a small one would cost as much of Python as a large one.
                        count = -(-batch.num_rows // SLICE_ROWS)
                        for number in range(count):
                            start, end = (batch.num_rows * n // count for n in (number, number + 1))
                            yield batch.slice(start, end - start)
                except SupavexError as error:
                    raise _about(error, encoder.table) from None
                yield None

        def encoded(batches: Iterator[pa.RecordBatch | None]) -> Iterator[Encoded | None]:
            return (None if batch is None else encoder.encode(batch) for batch in batches)

        with prefetch(slices) as batches, prefetch(lambda: encoded(batches)) as pieces:
            for task in tasks:
                with task.files.write(task.name) as file:
                    result = self._written(file, takewhile(lambda piece: piece is not None, pieces), rows)
                yield task, result

    def _batches(self, sql: str, task: PartTask) -> Iterator[pa.RecordBatch]:
        """The rows of a part: by blocks where PostgreSQL can send them so."""
        rest = task.pages
        if rest.block is not None:
            self._blocks = self._blocks or HeapReader(task.snapshot)
            if self._blocks.columns(sql):
                try:
                    yield from self._blocks.read(sql, ALIAS, rest.block)
                    return
                except NotByBlocksError as error:
                    rest = Pages(error.page, rest.end)
        self._reader = self._reader or ColumnReader(task.snapshot)
        yield from self._reader.read(sql + (f" WHERE {rest.condition}" if rest.condition else ""))

    def _written(self, file: IO[bytes], pieces: Iterator[Encoded | None], rows: RowCount) -> PartResult:
        started = time.monotonic()
        done = adjusted = documents = 0
        rejects: list[Reject] = []
        filled: Counter[str] = Counter()
        cut: Counter[str] = Counter()
        rounded: Counter[str] = Counter()
        deflater = Deflater(file)
        for piece in pieces:
            assert piece is not None
            deflater.write(piece.lines)
            done += piece.rows
            documents += piece.documents
            adjusted += piece.adjusted
            rejects += piece.rejects
            if len(rejects) > self._most_rejects:
                raise TooManyRejectsError(rejects, self._most_rejects)
            filled.update(piece.filled)
            cut.update(piece.cut)
            rounded.update(piece.rounded)
            rows(piece.rows)
        deflater.close()
        return PartResult(
            rows=done,
            documents=documents,
            crc=deflater.crc,
            size=deflater.size,
            packed=deflater.packed,
            adjusted=adjusted,
            rejects=rejects,
            filled=filled,
            cut=cut,
            rounded=rounded,
            seconds=time.monotonic() - started,
        )


def _about(error: SupavexError, table: TablePlan) -> SupavexError:
    """The error of a read, with the table, and with what may be wrong besides the connection."""
    if error.code == "ReadFailed":
        error.where = table.name
        made = [field.name for field in table.fields if field.expression]
        made += [name for name, rule in table.rule.fields.items() if rule.sql]
        if made:
            where = f"the sql expression of {', '.join(made)} in supavex.toml"
            error.hint = f"Where a value is what fails, fix that row or {where}; else run the command again."
    return error
