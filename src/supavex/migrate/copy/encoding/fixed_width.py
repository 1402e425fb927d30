"""Texts of one length, a whole column at a time: ids and times, by arithmetic on 64-bit words and look-up tables.

NumPy's loops over a few thousand words stay in the processor's cache and use its vector instructions. Nothing here
multiplies matrices: the library for that uses all cores, and waits for them spinning.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.ids import ALPHABET, INTERNAL_ID_BYTES, varint
from supavex.migrate.keys.sets import Words

_DIGITS = np.frombuffer(ALPHABET.encode(), np.uint8)
#: The two digits for each value of ten bits, as one 16-bit number in the machine's byte order.
_PAIRS = pa.array(np.stack([np.repeat(_DIGITS, 32), np.tile(_DIGITS, 32)], axis=1).copy().view(np.uint16).reshape(1024))
_UNCHECKED = pc.TakeOptions(boundscheck=False)
#: A mask for every second byte of a word, which leaves four numbers of 16 bits.
_LANES = np.uint64(0x00FF00FF00FF00FF)
_SUM = np.uint64(0x0001000100010001)
_TEN_BITS = np.uint64(0x000003FF000003FF)
_TWENTY_BITS = np.uint64(0xFFFFF)
_FORTY_BITS = np.uint64((1 << 40) - 1)


def taken(table: pa.Array, indices: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The numbers of ``table`` at ``indices`` (unsigned, contiguous, within the table)."""
    flat = indices.reshape(-1)
    positions = pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)])
    result = pc.call_function("array_take", [table, positions], _UNCHECKED)
    return np.asarray(result).reshape(indices.shape)


def texts(matrix: np.ndarray[Any, Any], validity: pa.Buffer | None = None) -> pa.Array:
    """A string column from the rows of an (n, length) matrix of bytes; NULL by ``validity``."""
    count, length = matrix.shape
    offsets = np.arange(0, (count + 1) * length, length, dtype=np.int32)
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))]
    return pa.Array.from_buffers(pa.string(), count, buffers)


def ids(keys: np.ndarray[Any, Any], table_number: int) -> pa.Array:
    """The ids of n rows from their (n, 16) key bytes: 31 to 37 characters each, all of one length, without quotes.

    The same bytes as :func:`supavex.convex.ids.encode_id`: the number, the key and a checksum, five bits a digit.
    """
    prefix = varint(table_number)
    head, count = len(prefix), len(keys)
    size = head + INTERNAL_ID_BYTES + 2
    first, second = np.ascontiguousarray(np.ascontiguousarray(keys).view(">u8").T).astype(np.uint64)
    parts = [(first, head, 8), (second, head + 8, 8), (_checksum(first, second, prefix), size - 2, 2)]
    groups = -(-size // 5)
    # The first of the two digits of ten bits is in the lower byte, so it comes first in memory.
    tens = np.empty((count, groups), np.dtype("<u8"))
    for group in range(groups):
        start = 5 * group
        constant = np.uint64(int.from_bytes(prefix[start : start + 5].ljust(5, b"\0"), "big"))
        value: Any = constant
        for word, place, length in parts:
            if place < start + 5 and place + length > start:
                shift = 8 * (start + 5 - place - length)
                value = value | (word << np.uint64(shift) if shift >= 0 else word >> np.uint64(-shift))
        value &= _FORTY_BITS
        value = (value >> np.uint64(20)) | ((value & _TWENTY_BITS) << np.uint64(32))
        tens[:, group] = ((value >> np.uint64(10)) & _TEN_BITS) | ((value & _TEN_BITS) << np.uint64(16))
    digits = taken(_PAIRS, tens.view(np.uint16)).view(np.uint8).reshape(count, groups * 8)
    return texts(digits[:, : (size * 8 + 4) // 5])


def _checksum(first: Words, second: Words, prefix: bytes) -> Words:
    """Fletcher-16 of the prefix and two words: the plain sum, and the sum weighted by the number of remaining bytes.

    Both are modulo 256, with the plain sum in the upper byte. The weights of the words' bytes are 16 to 1, so no lane
    of 16 bits overflows.
    """
    body = len(prefix) + INTERNAL_ID_BYTES
    plain: Any = np.uint64(0)
    weighted: Any = np.uint64(0)
    for word, left in ((first, 16), (second, 8)):
        # From the left: bytes 1, 3, 5, 7 of the word, then bytes 0, 2, 4, 6. The highest lane of the product is the sum
        # of all lanes, each multiplied by the weight in the opposite lane.
        for lanes, weight in ((word & _LANES, left - 1), ((word >> np.uint64(8)) & _LANES, left)):
            plain = plain + lanes
            weighted = weighted + lanes * np.uint64(sum((weight - 2 * lane) << 16 * lane for lane in range(4)))
    total = (plain * _SUM >> np.uint64(48)) + np.uint64(sum(prefix) & 255)
    known = sum(byte * (body - place) for place, byte in enumerate(prefix)) & 255
    moved = (weighted >> np.uint64(48)) + np.uint64(known)
    checked: Words = ((total & np.uint64(255)) << np.uint64(8)) | (moved & np.uint64(255))
    return checked


#: Microseconds with 16 digits: from 2001-09-09 to 2286-11-20.
_FIRST, _LAST = 10**15, 10**16 - 1
_FOUR_DIGITS, _EIGHT_DIGITS = np.uint32(10**4), np.uint64(10**8)
#: Replaces NULL during the computation.
_FILLER = pa.scalar(10**15, pa.int64())
#: The layout of ``1700000000000.123``: digits in groups of four, with three before the dot and three after it.
_MOMENT = np.dtype([("a", "<u4"), ("b", "<u4"), ("c", "<u4"), ("d", "u1"), ("dot", "u1"), ("e", "<u2"), ("f", "u1")])


@cache
def _fours() -> tuple[pa.Array, np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The digits of 0 to 9999: all four as one number; the first; the two in the middle; the last."""
    numbers = np.arange(10_000)
    digits = np.stack([numbers // 1000, numbers // 100 % 10, numbers // 10 % 10, numbers % 10], axis=1)
    text = (digits + ord("0")).astype(np.uint8)
    middle = np.ascontiguousarray(text[:, 1:3]).view("<u2").reshape(-1)
    return pa.array(text.view("<u4").reshape(-1)), text[:, 0].copy(), middle, text[:, 3].copy()


def milliseconds(micros: pa.Array) -> pa.Array | None:
    """Int64 microseconds as milliseconds with three decimals; None if any value does not have 16 digits."""
    if micros.null_count:
        micros = pc.fill_null(micros, _FILLER)
    signed = micros.to_numpy()
    if not len(signed) or int(signed.min()) < _FIRST or int(signed.max()) > _LAST:
        return None
    values = signed.view(np.uint64)
    fours, first, middle, last = _fours()
    high = values // _EIGHT_DIGITS
    low = (values - high * _EIGHT_DIGITS).astype(np.uint32)
    high = high.astype(np.uint32)
    rows = np.empty(len(values), _MOMENT)
    upper, lower = high // _FOUR_DIGITS, low // _FOUR_DIGITS
    for name, four in (("a", upper), ("b", high - upper * _FOUR_DIGITS), ("c", lower)):
        rows[name] = taken(fours, four.astype(np.uint16))
    rest = (low - lower * _FOUR_DIGITS).astype(np.intp)
    rows["d"], rows["e"], rows["f"] = first[rest], middle[rest], last[rest]
    rows["dot"] = ord(".")
    return texts(rows.view(np.uint8).reshape(len(values), _MOMENT.itemsize))
