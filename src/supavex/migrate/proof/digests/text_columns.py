"""The source's text as columns: PostgreSQL's notation of keys, times and numbers, as the proof reads it."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.pq import DiagnosticField, ExecStatus
from pyarrow import csv

from supavex.convex.ids import INTERNAL_ID_BYTES
from supavex.mapping.seen_text import JSON_TEXT
from supavex.migrate.keys.hashing import Numbers

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

#: Bytes of text that are processed together, because they fit the processor's cache.
BLOCK = 1 << 20

#: The value for a text that is not a time.
NO_TIME = -(1 << 62)
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?\+00$"
_DASHES_AT = [8, 13, 18, 23]
#: The positions of the two digits of each byte.
_PAIRS_AT = [
    position for start, end in ((0, 8), (9, 13), (14, 18), (19, 23), (24, 36)) for position in range(start, end, 2)
]
#: COPY's delimiter and quote. Texts rarely contain the delimiter, so they rarely need quotes.
_BETWEEN, _AROUND = "\x02", "\x01"
#: Types whose cast to text equals their output function, which COPY uses without a cast.
_WRITTEN = frozenset(
    "int2 int4 int8 numeric float4 float8 text varchar bytea uuid json jsonb date time timestamp timestamptz".split()  # noqa: SIM905
)
#: Types with another notation in JSON.
_TIMESTAMPS = ("timestamptz", "timestamp")
#: A column, or an expression in parentheses, that is cast to a type and then to text.
_CAST = re.compile(r"""((?:\([^()]*\)|[\w."]+)::(?:uuid|int8|timestamptz))::text""")


def _hex() -> np.ndarray[Any, Any]:
    """The byte of each pair of hexadecimal digits, as a little-endian number; above 255 for an invalid pair."""
    bytes_ = np.full(1 << 16, 256, np.uint16)
    digits = b"0123456789abcdef"
    for number in range(256):
        bytes_[digits[number >> 4] | digits[number & 15] << 8] = number
    return bytes_


_HEX = _hex()


class NotComparable(Exception):
    """A value that the digests can't represent. The caller compares row by row instead."""


def written(sql: str, column: str, base: str | None) -> str:
    """SQL whose values COPY writes as the text ``sql``, without a redundant cast.

    ``column``: SQL that the cast may apply to as a whole, and ``base``: its type.
    """
    if base in _WRITTEN and sql == f"{column}::text":
        return column
    if base is not None and base not in _TIMESTAMPS and sql == JSON_TEXT.replace("{c}", column):
        return column  # For these types, the text in JSON equals the output function's.
    cast = _CAST.fullmatch(sql)
    return cast[1] if cast else sql


def text_batches(connection: psycopg.Connection, columns: list[str], rest: str) -> Generator[pa.RecordBatch]:
    """The rows of some columns (SQL) in PostgreSQL's notation, in batches of about a megabyte.

    ``rest``: the SELECT from its FROM on.
    """
    options = f"FORMAT csv, DELIMITER E'\\x{ord(_BETWEEN):02x}', QUOTE E'\\x{ord(_AROUND):02x}'"
    sql = f"COPY (SELECT {', '.join(columns)} {rest}) TO STDOUT ({options})"
    rows = _Rows(connection.pgconn, sql.encode())
    try:
        yield from _parsed(rows, len(columns))
    finally:
        rows.end()


class _Rows(io.RawIOBase):
    """The rows of a COPY as a file that is never cut inside a row, for example one that is longer than a block.

    It reads with libpq's functions, because psycopg's cursor takes half as long again. Arrow reads ahead in its own
    thread.
    """

    def __init__(self, server: PGconn, sql: bytes) -> None:
        result = server.exec_(sql)
        if result.status != ExecStatus.COPY_OUT:
            raise _error(result)
        self._server, self._lock = server, threading.Lock()
        self._left = True

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts: list[memoryview] = []
        count = 0
        with self._lock:
            while self._left and not 0 <= size <= count:
                parts.append(self._row())
                count += len(parts[-1])
        return b"".join(parts)

    def _row(self) -> memoryview:
        size, row = self._server.get_copy_data(0)
        self._left = size >= 0
        return row

    def end(self) -> None:
        """Ends the COPY, even if it was not read to its end. Raises PostgreSQL's error, if any."""
        early = self._left
        results: list[PGresult] = []
        with suppress(psycopg.Error):  # The connection is lost, and its reader has raised the error.
            if early:
                self._server.get_cancel().cancel()  # Ends the wait for the next row.
            with self._lock:
                while self._left:
                    self._row()
                results += iter(self._server.get_result, None)
        failed = [result for result in results if result.status != ExecStatus.COMMAND_OK]
        if failed and not early:
            raise _error(failed[0])


def _error(result: PGresult) -> psycopg.Error:
    code = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    said = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message
    text = said.decode("utf-8", "replace").strip()
    try:
        return psycopg.errors.lookup(code)(text)
    except KeyError:
        return psycopg.OperationalError(text)


def _parsed(rows: _Rows, count: int) -> Iterator[pa.RecordBatch]:
    names = [f"c{index}" for index in range(count)]
    try:
        yield from csv.open_csv(
            pa.PythonFile(rows, "r"),
            csv.ReadOptions(column_names=names, block_size=BLOCK, use_threads=False),
            csv.ParseOptions(delimiter=_BETWEEN, quote_char=_AROUND, newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                # COPY quotes an empty text, and writes nothing for NULL.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise


def lengths(column: pa.Array) -> Numbers:
    """The length of each text in bytes."""
    return np.asarray(pc.binary_length(column).to_numpy(zero_copy_only=False)).astype(np.uint64)


def matrix(column: pa.Array, width: int) -> np.ndarray[Any, Any]:
    """Texts of one length as a matrix of bytes. Raises :class:`NotComparable` if one has another length."""
    if (lengths(column) != width).any():
        raise NotComparable
    if not len(column):
        return np.zeros((0, width), np.uint8)
    _, offsets, values = column.buffers()
    start = int(np.frombuffer(offsets, np.int32)[column.offset])
    return np.frombuffer(values, np.uint8)[start : start + len(column) * width].reshape(len(column), width)


def bytes_of_keys(column: pa.Array, form: str, internal_id: Callable[[str], bytes]) -> np.ndarray[Any, Any]:
    """The 16 bytes of each key, from its text; ``form`` and ``internal_id`` are the key's."""
    if form == "uuid":
        return uuid_bytes(column)
    if form == "integer":
        numbers = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False)).astype(">i8")
        prefix = np.frombuffer(internal_id("0")[:8], np.uint8)
        return np.hstack([np.tile(prefix, (len(numbers), 1)), numbers.view(np.uint8).reshape(-1, 8)])
    data = b"".join(internal_id(text) for text in column.to_pylist())
    return np.frombuffer(data, np.uint8).reshape(-1, INTERNAL_ID_BYTES)


def uuid_bytes(column: pa.Array) -> np.ndarray[Any, Any]:
    """The 16 bytes of uuids in PostgreSQL's notation."""
    text = matrix(column, 36)
    if not len(text):
        return np.zeros((0, INTERNAL_ID_BYTES), np.uint8)
    # Two characters at once, at each position: 35 overlapping pairs in a row.
    pairs = np.ndarray((len(text), 35), "<u2", text, strides=(36, 1))
    found = _HEX[pairs[:, _PAIRS_AT]]
    if (found > 255).any() or (text[:, _DASHES_AT] != ord("-")).any():
        raise NotComparable
    return np.asarray(found.astype(np.uint8))


def micros(column: pa.Array) -> np.ndarray[Any, Any]:
    """Microseconds from PostgreSQL's notation of times (ISO, UTC); :data:`NO_TIME` for infinity and other texts."""
    type_ = pa.timestamp("us", "UTC")
    try:
        moments = column.cast(type_).view(pa.int64())
    except pa.ArrowInvalid:
        plain = pc.match_substring_regex(column, _ISO)
        moments = pc.if_else(plain, column, pa.scalar(None, pa.string())).cast(type_).view(pa.int64())
        moments = pc.fill_null(moments, NO_TIME)
    return np.asarray(moments.to_numpy(zero_copy_only=False))


def integers(column: pa.Array) -> Numbers:
    """Whole numbers as the bits of their doubles. A number that is not exactly a double matches none."""
    whole = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False))
    return np.where((whole <= 1 << 53) & (whole >= -(1 << 53)), whole.astype(np.float64), np.nan).view(np.uint64)


def doubles(column: pa.Array) -> Numbers:
    """Decimals as the bits of their nearest doubles."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False)).view(np.uint64)
