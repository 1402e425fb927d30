"""Sets of keys (16 bytes each) in which a whole column is looked up at once.

Arrow's ``is_in`` builds its hash table again for every column. This one is built once for a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.ids import INTERNAL_ID_BYTES

Words = np.ndarray[Any, np.dtype[np.uint64]]

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys as two words each, in the order of their slots. Slot s begins at ``starts[s]``.

    There are 2 to the power of ``bits`` slots. ``longest``: the number of keys in the fullest slot.
    """

    first: Words
    second: Words
    starts: np.ndarray[Any, np.dtype[np.uint32]]
    bits: int
    longest: int

    @classmethod
    def of(cls, keys: np.ndarray[Any, Any]) -> KeySet:
        """The set of the rows of an (n, 16) matrix of bytes."""
        return cls.ordered(keys)[0]

    @classmethod
    def ordered(cls, keys: np.ndarray[Any, Any]) -> tuple[KeySet, np.ndarray[Any, Any]]:
        """As :meth:`of`, with the row of the matrix at each place of the set."""
        first, second = _words(keys)
        bits = max(4, (2 * len(keys)).bit_length())
        slots = _slots(first, second, bits)
        order = np.argsort(slots, kind="stable")
        counts = np.bincount(slots, minlength=1 << bits)
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.uint32)
        return cls(first[order], second[order], starts, bits, int(counts.max())), order

    @classmethod
    def of_bytes(cls, keys: Iterable[bytes]) -> KeySet:
        """The set of ``keys``, of 16 bytes each."""
        return cls.of(np.frombuffer(b"".join(sorted(keys)), np.uint8).reshape(-1, 16))

    def to_list(self) -> list[bytes]:
        """The keys as Python objects, in the order of their places."""
        content = np.stack([self.first, self.second], axis=1).astype("<u8").tobytes()
        return [content[start : start + 16] for start in range(0, len(content), 16)]

    def __len__(self) -> int:
        return len(self.first)

    def digest(self) -> str:
        """SHA-256 of the keys. It is equal for sets with the same keys in the same order of slots."""
        return hashlib.sha256(self.first.tobytes() + self.second.tobytes()).hexdigest()

    def lacks(self, keys: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of n rows of key bytes are not in the set, as booleans."""
        absent: np.ndarray[Any, np.dtype[np.bool_]] = self.find(keys) < 0
        return absent

    def find(self, keys: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The place of each of n rows of key bytes in the set; -1 for missing ones."""
        found = np.full(len(keys), -1, np.int64)
        if not len(self):
            return found
        first, second = _words(keys)
        slots = _slots(first, second, self.bits)
        place, end = self.starts[slots], self.starts[slots + np.uint32(1)]
        rows = np.arange(len(keys))
        # Most keys are the first of their slot, so the number of remaining keys falls quickly.
        for _ in range(self.longest):
            open_ = place < end
            if not open_.all():
                rows, place, end = rows[open_], place[open_], end[open_]
            same = (self.first[place] == first[rows]) & (self.second[place] == second[rows])
            found[rows[same]] = place[same]
            other = ~same
            rows, place, end = rows[other], place[other] + np.uint32(1), end[other]
            if not len(rows):
                break
        return found


def once(keys: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], int]:
    """Which of n rows of key bytes equal no other row, as booleans; and the number of different keys that repeat."""
    first, second = _words(keys)
    order = np.lexsort((second, first))
    equal = (first[order][1:] == first[order][:-1]) & (second[order][1:] == second[order][:-1])
    shared = np.zeros(len(keys), np.bool_)
    shared[order[1:][equal]] = True
    shared[order[:-1][equal]] = True
    # In each run of equal keys, all but the first equal their predecessor.
    return ~shared, int(shared.sum() - equal.sum())


def _words(keys: np.ndarray[Any, Any]) -> tuple[Words, Words]:
    first, second = np.ascontiguousarray(np.ascontiguousarray(keys).view("<u8").T).astype(np.uint64)
    return first, second


def _slots(first: Words, second: Words, bits: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    # Keys may be packed integers, or uuids that begin with the time, so every bit must count.
    mixed = (first ^ (second * _MIX)) * _MIX
    mixed ^= mixed >> np.uint64(32)
    return ((mixed * _MIX) >> np.uint64(64 - bits)).astype(np.uint32)


def key_bytes(column: pa.Array) -> np.ndarray[Any, Any]:
    """A uuid or 16-byte binary column as an (n, 16) matrix of bytes. NULLs become zeros."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if not pa.types.is_fixed_size_binary(column.type):
        column = column.cast(pa.binary(INTERNAL_ID_BYTES))
    data = column.buffers()[1]
    if data is None:
        return np.zeros((len(column), INTERNAL_ID_BYTES), np.uint8)
    start = column.offset * INTERNAL_ID_BYTES
    matrix = np.frombuffer(data, np.uint8)[start : start + len(column) * INTERNAL_ID_BYTES]
    matrix = matrix.reshape(len(column), INTERNAL_ID_BYTES)
    if column.null_count:
        matrix = np.where(pc.is_null(column).to_numpy(zero_copy_only=False)[:, None], np.uint8(0), matrix)
    return matrix
