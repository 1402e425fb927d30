"""Rows as Arrow columns, some pages of a heap at a time: PostgreSQL sends each column of a block in one piece.

A message for each row costs both sides more than its values: the server sends eight kilobytes at a time, and the
reader wakes for each and splits every row. Here an aggregate joins the values of a block's column, as the type's own
send function writes them, to one value. Source: PostgreSQL's manual, "COPY", "Binary Format", and "Tid Range Scan"
(PostgreSQL 14).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from supavex.postgres.connection import read_failed, without_password
from supavex.postgres.snapshot import Snapshot, denied, imported

#: Settings for a plan that reads the pages of each block in their order, without compilation.
_SETTINGS = "SET enable_tidscan = on; SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0; SET jit = off"
#: Bytes that no text in UTF-8 contains: the separator of the texts of a column, and the sign for NULL.
_BETWEEN, _NULL = b"\xff", b"\xfe"
#: This number stands for NULL: no timestamp has it. It is next to PostgreSQL's ``-infinity``.
_NULL_TIMESTAMP = np.int64(-(2**63) + 1)
#: Microseconds from 1970 to 2000, where PostgreSQL counts from.
_EPOCH = np.int64(946_684_800_000_000)
#: Bytes before the first row of a binary COPY: the signature, the flags and the length of the extension.
_COPY_HEAD = 19
#: Bytes of a large row. The cost of a message is small beside such a row, and a block of such rows is large.
_LARGE_ROW = 1024
#: Pages that show how large the rows are. The server works ahead of the reader, so a large first block would waste
#: its work on large rows.
_FIRST_PAGES = 16

_Numbers = np.ndarray[Any, Any]


class NotByBlocksError(Exception):
    """Blocks are not the way to read a table. ``page`` is the first one that was not read."""

    def __init__(self, page: int) -> None:
        super().__init__(page)
        self.page = page


@dataclass(frozen=True, slots=True)
class _Type:
    """How a type's values are sent: the function, Arrow's type, and NumPy's for one value ("" where lengths differ)."""

    send: str
    arrow: pa.DataType
    numpy: str = ""


_TYPES = {
    2950: _Type("uuid_send", pa.binary(16), "V16"),
    1184: _Type("timestamptz_send", pa.timestamp("us", "UTC"), ">i8"),
    1114: _Type("timestamp_send", pa.timestamp("us"), ">i8"),
    16: _Type("boolsend", pa.bool_(), "u1"),
    21: _Type("int2send", pa.int16(), ">i2"),
    23: _Type("int4send", pa.int32(), ">i4"),
    20: _Type("int8send", pa.int64(), ">i8"),
    700: _Type("float4send", pa.float32(), ">f4"),
    701: _Type("float8send", pa.float64(), ">f8"),
    25: _Type("textsend", pa.string()),
    1043: _Type("varcharsend", pa.string()),
    1042: _Type("bpcharsend", pa.string()),
    19: _Type("namesend", pa.string()),
    17: _Type("byteasend", pa.binary()),
}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a query. ``nulls``: it may hold NULL."""

    name: str
    type: _Type
    nulls: bool

    def aggregates(self, place: int) -> list[str]:
        """SQL for the aggregates of a block: the values, and if they don't show them, the NULLs or the lengths."""
        column, arrow = f"c{place}", self.type.arrow
        sent = f"pg_catalog.{self.type.send}({column})"
        if pa.types.is_timestamp(arrow):
            return [_aggregate(f"COALESCE({sent}, '\\x{int(_NULL_TIMESTAMP) % 2**64:016x}')")]
        if pa.types.is_string(arrow):
            return [_aggregate(f"COALESCE({sent}, '\\x{_NULL.hex()}')", _BETWEEN)]
        if arrow == pa.binary():
            lengths = f"COALESCE(pg_catalog.int4send(octet_length({column})), '\\xffffffff')"
            return [_aggregate(column), _aggregate(lengths)]
        valid = f"CASE WHEN {column} IS NULL THEN '\\x00'::bytea ELSE '\\x01'::bytea END"
        return [_aggregate(sent), *([_aggregate(valid)] if self.nulls else [])]

    def array(self, rows: int, pieces: Iterator[memoryview]) -> pa.Array:
        """The column's values in a block of ``rows``, from its ``pieces``. Raises ValueError where they don't fit."""
        arrow, values = self.type.arrow, next(pieces)
        if pa.types.is_string(arrow):
            return _texts(rows, bytes(values))
        if arrow == pa.binary():
            lengths = np.frombuffer(next(pieces), ">i4").astype(np.int64)
            return _of_lengths(arrow, np.maximum(lengths, 0), lengths < 0, values)
        content = np.frombuffer(values, self.type.numpy)
        if content.dtype.byteorder == ">":
            content = content.astype(content.dtype.newbyteorder("="))
        null = np.zeros(0, np.bool_)
        if pa.types.is_timestamp(arrow):
            null = content == _NULL_TIMESTAMP
            content += _EPOCH  # PostgreSQL's infinity overflows here, as it does in ADBC
        elif self.nulls:
            null = np.frombuffer(next(pieces), np.uint8) == 0
            content = _spread(content, ~null)
        if len(content) != rows:
            raise ValueError(self.name)
        if pa.types.is_boolean(arrow):
            content = np.packbits(content, bitorder="little")
        return pa.Array.from_buffers(arrow, rows, [_validity(null), pa.py_buffer(content)])


def _aggregate(values: str, between: bytes = b"") -> str:
    return f"pg_catalog.string_agg({values}, '\\x{between.hex()}'::bytea)"


def _texts(rows: int, content: bytes) -> pa.Array:
    """A block's texts, from ``content`` with a byte between each two."""
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) == _BETWEEN[0])
    if len(ends) != rows - 1:
        raise ValueError("separators")
    lengths = np.diff(ends, prepend=-1, append=len(content)) - 1
    content = content.replace(_BETWEEN, b"")
    null = np.zeros(0, np.bool_)
    if _NULL in content:
        starts = np.minimum(np.cumsum(lengths) - lengths, len(content) - 1)
        null = (lengths == 1) & (np.frombuffer(content, np.uint8)[starts] == _NULL[0])
        lengths[null] = 0
        content = content.replace(_NULL, b"")
    return _of_lengths(pa.string(), lengths, null, content)


def _of_lengths(arrow: pa.DataType, lengths: _Numbers, null: _Numbers, content: bytes | memoryview) -> pa.Array:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] != len(content):
        raise ValueError("lengths")
    return pa.Array.from_buffers(arrow, len(lengths), [_validity(null), pa.py_buffer(offsets), pa.py_buffer(content)])


def _spread(content: _Numbers, valid: _Numbers) -> _Numbers:
    """Values at the places where ``valid`` is True, zeros at the others."""
    if len(content) == len(valid):
        return content
    spread = np.zeros(len(valid), content.dtype)
    spread[valid] = content
    return spread


def _validity(null: _Numbers) -> pa.Buffer | None:
    """Arrow's validity bits; None without a NULL."""
    return pa.py_buffer(np.packbits(~null, bitorder="little")) if null.any() else None


def _blocks_sql(sql: str, alias: str, pages: range, columns: Sequence[_Column]) -> str:
    """SQL with a row for each block: its first page, its number of rows, and :meth:`_Column.aggregates`."""
    sent = [text for place, column in enumerate(columns) for text in column.aggregates(place)]
    here = f"{alias}.ctid >= ('(' || g.page || ',0)')::tid AND {alias}.ctid < ('(' || g.behind || ',0)')::tid"
    names = ", ".join(f"c{place}" for place in range(len(columns)))
    return (
        f"SELECT g.page, b.* FROM (SELECT page, LEAST(page + {pages.step}, {pages.stop}) AS behind FROM "
        f"pg_catalog.generate_series({pages.start}::int8, {pages.stop - 1}::int8, {pages.step}::int8) AS s(page)) "
        f"AS g, LATERAL (SELECT pg_catalog.count(*), {', '.join(sent)} FROM ({sql} WHERE {here}) AS q({names})) AS b"
    )


class HeapReader:
    """A connection that reads tables by blocks of pages, at one snapshot. A context manager."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._url = snapshot.url
        self._stack = ExitStack()
        self._connection = self._stack.enter_context(imported(snapshot))
        self._connection.execute(_SETTINGS)
        #: By query.
        self._columns: dict[str, Sequence[_Column]] = {}

    def __enter__(self) -> HeapReader:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def columns(self, sql: str) -> Sequence[_Column]:
        """The columns of ``sql``; none where one of them can't be read by blocks, or texts are not UTF-8."""
        if sql not in self._columns:
            with self._failures():
                self._columns[sql] = self._described(sql)
        return self._columns[sql]

    def _described(self, sql: str) -> Sequence[_Column]:
        cursor = self._connection.execute(f"SELECT * FROM ({sql}) AS q LIMIT 0".encode())
        found, result = cursor.description or (), cursor.pgresult
        types = [_TYPES.get(column.type_code) for column in found]
        assert result is not None
        if self._connection.info.parameter_status("server_encoding") != "UTF8" or None in types:
            return ()
        places = [(result.ftable(index), result.ftablecol(index)) for index in range(len(found))]
        never = self._connection.execute(
            "SELECT attrelid::int8, attnum::int4 FROM pg_catalog.pg_attribute WHERE attnotnull AND attrelid = ANY(%s)",
            (sorted({table for table, _ in places}),),
        ).fetchall()
        return [
            _Column(column.name, type_, place not in never)
            for column, type_, place in zip(found, types, places, strict=True)
            if type_ is not None
        ]

    def read(self, sql: str, alias: str, pages: range) -> Iterator[pa.RecordBatch]:
        """The rows of ``sql`` that lie in ``pages`` of the table that it calls ``alias``: a batch for each step.

        The first ones are of few pages. Raises :class:`NotByBlocksError` where a block is too large for one piece, and
        after one of large rows.
        """
        first = min(pages.start + _FIRST_PAGES, pages.stop)
        for some in (range(pages.start, first, min(pages.step, _FIRST_PAGES)), range(first, pages.stop, pages.step)):
            if some:
                yield from self._read(sql, alias, some)

    def _read(self, sql: str, alias: str, pages: range) -> Iterator[pa.RecordBatch]:
        columns = self.columns(sql)
        query = f"COPY ({_blocks_sql(sql, alias, pages, columns)}) TO STDOUT (FORMAT binary)"
        page = pages.start
        try:
            with self._messages(query) as messages:
                for message in messages:
                    pieces = _pieces(memoryview(message))
                    if not pieces:
                        continue
                    page, rows = (struct.unpack(">q", piece)[0] for piece in pieces[:2])
                    if rows:
                        rest = iter(pieces[2:])
                        arrays = [column.array(rows, rest) for column in columns]
                        yield pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])
                    page = min(page + pages.step, pages.stop)
                    if len(message) > _LARGE_ROW * max(rows, 1):
                        raise NotByBlocksError(page)
        except (psycopg.errors.ProgramLimitExceeded, psycopg.errors.OutOfMemory, ValueError):
            raise NotByBlocksError(page) from None

    @contextmanager
    def _messages(self, query: str) -> Iterator[Iterable[memoryview | bytes | bytearray]]:
        """The messages of a COPY. A COPY that is stopped or fails ends a savepoint, not the transaction."""
        with (
            self._failures(),
            self._connection.transaction(),
            self._connection.cursor() as cursor,
            cursor.copy(query.encode()) as copy,
        ):
            yield copy

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.errors.ProgramLimitExceeded, psycopg.errors.OutOfMemory):
            raise
        except psycopg.errors.InsufficientPrivilege as error:
            raise denied(error, self._url) from None
        except psycopg.Error as error:
            raise read_failed(error, without_password(self._url)) from None


def _pieces(message: memoryview) -> list[memoryview] | None:
    """The fields of a row of binary COPY; NULL is empty. None where the message holds no row."""
    at = _COPY_HEAD if bytes(message[:6]) == b"PGCOPY" else 0
    if len(message) < at + 2:
        return None
    (count,) = struct.unpack_from(">h", message, at)
    at, pieces = at + 2, []
    for _ in range(max(count, 0)):
        (length,) = struct.unpack_from(">i", message, at)
        at += 4
        pieces.append(message[at : at + max(length, 0)])
        at += max(length, 0)
    return pieces or None
