"""The source's text, as the proof reads it, as columns: what PostgreSQL writes of keys, moments and numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from supavex.convex.ids import INTERNAL_ID_BYTES

#: Bytes of text that are looked at together.
BLOCK = 4 << 20
Numbers = np.ndarray[Any, np.dtype[np.uint64]]
#: What stands for a text that is no moment.
NO_MOMENT = -(1 << 62)
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?\+00$"
_HEX = np.full(256, 255, np.uint8)
_HEX[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16, dtype=np.uint8)
_DIGITS_AT = [position for position in range(36) if position not in (8, 13, 18, 23)]
_DASHES_AT = [8, 13, 18, 23]


class Unlike(Exception):
    """Something that no right row or document holds, or that only the comparison row by row understands."""


def text_batches(connection: psycopg.Connection, sql: str, count: int) -> Iterator[pa.RecordBatch]:
    """The rows of ``sql`` (``count`` columns, all of them text) in batches of some megabytes."""
    with connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)".encode()) as rows:
        yield from _parsed(_Stream(iter(rows)), count)


class _Stream(io.RawIOBase):
    """The blocks of a COPY as a file."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks, self._left = blocks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, count = [self._left], len(self._left)
        for block in self._blocks:
            parts.append(block)
            count += len(block)
            if 0 <= size <= count:
                break
        data = b"".join(parts)
        end = len(data) if size < 0 else size
        self._left = data[end:]
        return data[:end]


def _parsed(stream: _Stream, count: int) -> Iterator[pa.RecordBatch]:
    names = [f"c{index}" for index in range(count)]
    try:
        yield from csv.open_csv(
            pa.PythonFile(stream, "r"),
            csv.ReadOptions(column_names=names, block_size=BLOCK, use_threads=False),
            csv.ParseOptions(newlines_in_values=True),
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
    """The bytes of each text."""
    return np.asarray(pc.binary_length(column).to_numpy(zero_copy_only=False)).astype(np.uint64)


def matrix(column: pa.Array, width: int) -> np.ndarray[Any, Any]:
    """Texts of one length as a matrix of bytes. Raises :class:`Unlike` where one has another."""
    if (lengths(column) != width).any():
        raise Unlike
    if not len(column):
        return np.zeros((0, width), np.uint8)
    _, offsets, values = column.buffers()
    start = int(np.frombuffer(offsets, np.int32)[column.offset])
    return np.frombuffer(values, np.uint8)[start : start + len(column) * width].reshape(len(column), width)


def key_bytes(column: pa.Array, form: str, internal_id: Callable[[str], bytes]) -> np.ndarray[Any, Any]:
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
    """The 16 bytes of uuids as PostgreSQL writes them."""
    text = matrix(column, 36)
    digits = _HEX[text[:, _DIGITS_AT]]
    if (digits == 255).any() or (text[:, _DASHES_AT] != ord("-")).any():
        raise Unlike
    return np.asarray((digits[:, 0::2] << 4) | digits[:, 1::2])


def micros(column: pa.Array) -> np.ndarray[Any, Any]:
    """Microseconds of moments as PostgreSQL writes them (ISO, UTC); :data:`NO_MOMENT` for infinity and the like."""
    type_ = pa.timestamp("us", "UTC")
    try:
        moments = column.cast(type_).view(pa.int64())
    except pa.ArrowInvalid:
        plain = pc.match_substring_regex(column, _ISO)
        moments = pc.if_else(plain, column, pa.scalar(None, pa.string())).cast(type_).view(pa.int64())
        moments = pc.fill_null(moments, NO_MOMENT)
    return np.asarray(moments.to_numpy(zero_copy_only=False))


def integers(column: pa.Array) -> Numbers:
    """Whole numbers as the bits of their doubles; those that no double is exactly, like none."""
    whole = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False))
    return np.where((whole <= 1 << 53) & (whole >= -(1 << 53)), whole.astype(np.float64), np.nan).view(np.uint64)


def doubles(column: pa.Array) -> Numbers:
    """Decimals as the bits of the nearest doubles."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False)).view(np.uint64)
