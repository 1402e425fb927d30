"""The file of a baseline: digests of the rows in a deployment, with which later changes are found.

It is one SQLite file. For each row it holds the key (16 bytes) and a 64-bit digest of the row's moving columns, in
buckets that the key determines. A bucket fits into memory for tables of any size. The file also holds the transactions
that the snapshot saw, the rules of the copy, and the rejected rows.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from supavex.convex.ids import INTERNAL_ID_BYTES
from supavex.errors import SupavexError
from supavex.files import own_database
from supavex.migrate.keys.hashing import Array, mixed

_BITS = 8
#: Rows that are kept in memory before they are written. A smaller table has one bucket.
_HELD = 1 << 18

#: A row: its key and its digest.
RECORD = np.dtype([("key", f"S{INTERNAL_ID_BYTES}"), ("digest", "<i8")])


@dataclass(slots=True)
class Bucket:
    """Rows of one bucket, and their keys as text if the bytes don't show it."""

    records: Array
    texts: list[str] | None = None

    @property
    def keys(self) -> Array:
        """The keys."""
        return np.ascontiguousarray(self.records["key"])


def records_of(keys: Array, digests: Array) -> Array:
    """Records of keys (a matrix of bytes, one row each) and digests."""
    records = np.empty(len(keys), RECORD)
    records["key"] = np.ascontiguousarray(keys).view(f"S{INTERNAL_ID_BYTES}").reshape(-1)
    records["digest"] = digests
    return records


def keys_as_bytes(keys: Array) -> list[bytes]:
    """Keys as bytes. NumPy's own conversion drops trailing zeros."""
    data = np.ascontiguousarray(keys).tobytes()
    return [data[start : start + INTERNAL_ID_BYTES] for start in range(0, len(data), INTERNAL_ID_BYTES)]


def _bucket_numbers(records: Array, bits: int) -> Array:
    if not bits:
        return np.zeros(len(records), np.int64)
    halves = np.ascontiguousarray(records["key"]).view(np.uint64).reshape(-1, 2)
    return (mixed(halves[:, 0] ^ mixed(halves[:, 1])) & np.uint64((1 << bits) - 1)).astype(np.int64)


class RowFile:
    """Rows by table and bucket, in an SQLite file (a temporary one if there is no path). A context manager."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.database = sqlite3.connect("" if path is None else own_database(path), isolation_level=None)
        try:
            self.database.execute("PRAGMA synchronous = OFF")
            self.database.execute("PRAGMA journal_mode = OFF" if path is None else "PRAGMA journal_mode = DELETE")
            self.database.execute(
                "CREATE TABLE IF NOT EXISTS pieces (source TEXT, bucket INTEGER, records BLOB, texts BLOB)"
            )
            self.database.execute("CREATE INDEX IF NOT EXISTS by_bucket ON pieces (source, bucket)")
        except sqlite3.DatabaseError as error:
            self.database.close()
            raise unusable_baseline(path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.database.close()

    def bucket(self, source: str, number: int, bits: int, stored_bits: int, *, texts: bool = False) -> Bucket:
        """The rows of a bucket by ``bits`` bits, of a table that is stored by ``stored_bits`` (as many, or 0)."""
        stored = number if stored_bits else 0
        sql = f"SELECT records, {'texts' if texts else 'NULL'} FROM pieces WHERE source = ? AND bucket = ?"
        records, found = [np.empty(0, RECORD)], list[str]()
        for data, text in self.database.execute(sql, (source, stored)):
            records.append(np.frombuffer(data, RECORD))
            if text is not None:
                found += text.decode().split("\0")
        rows = np.concatenate(records)
        whole = found if texts and len(found) == len(rows) and len(rows) else None
        if bits and not stored_bits:
            chosen = _bucket_numbers(rows, bits) == number
            if whole is not None:
                whole = [text for text, take in zip(whole, chosen, strict=True) if take]
            rows = rows[chosen]
        return Bucket(rows, whole)


@dataclass(slots=True)
class RowWriter:
    """Writes the rows of one table. Call :meth:`close` at the end."""

    #: The file that gets the rows.
    file: RowFile
    #: The PostgreSQL table, ``schema.name``.
    source: str
    #: The bits of the key that determine a bucket: 0 (a single bucket) until ``_HELD`` rows are held, then ``_BITS``.
    bits: int = 0
    #: The number of rows that were added.
    rows: int = 0
    #: The keys and digests of the rows that are not yet written.
    _records: list[Array] = field(default_factory=list)
    #: The key texts of these rows, if the caller gives texts.
    _texts: list[str] = field(default_factory=list)
    #: The number of these rows.
    _held: int = 0

    def add(self, keys: Array, digests: Array, texts: Iterable[str] | None = None) -> None:
        """Adds some rows."""
        self._records.append(records_of(keys, digests))
        if texts is not None:
            self._texts += texts
        self.rows += len(keys)
        self._held += len(keys)
        if self._held >= _HELD:
            self.bits = _BITS
            self._flush()

    def close(self) -> None:
        """Writes the rest."""
        if self._held:
            self._flush()

    def _flush(self) -> None:
        records = np.concatenate(self._records)
        numbers = _bucket_numbers(records, self.bits)
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange((1 << self.bits) + 1))
        database = self.file.database
        database.execute("BEGIN")
        for number in range(1 << self.bits):
            some = order[ends[number] : ends[number + 1]]
            if len(some):
                texts = "\0".join(self._texts[i] for i in some).encode() if self._texts else None
                row = (self.source, number, records[some].tobytes(), texts)
                database.execute("INSERT INTO pieces VALUES (?, ?, ?, ?)", row)
        database.execute("COMMIT")
        self._records, self._texts, self._held = [], [], 0


def unusable_baseline(path: Path | None, error: Exception) -> SupavexError:
    """The error for a file that is not a baseline."""
    return SupavexError(
        "InvalidBaseline",
        f"the file can't be used: {error}.",
        where=str(path),
        hint="Run `supavex migrate` once without --changes: it writes the file anew.",
    )


def known_and_same(there: Bucket, new: Bucket) -> tuple[Array, Array]:
    """For each new row: whether its key existed, and whether with the same digest. Keys are unique on both sides."""
    if not len(there.records) or not len(new.records):
        none = np.zeros(len(new.records), np.bool_)
        return none, none.copy()
    keys, order = there.keys, np.argsort(there.keys)
    ordered = keys[order]
    wanted = new.keys
    places = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    known = ordered[places] == wanted
    same = known & (there.records["digest"][order][places] == new.records["digest"])
    return known, same


def difference(there: Bucket, new: Bucket) -> tuple[Array, Array, Array]:
    """The positions of inserted and of updated rows in ``new``, and of deleted rows in ``there``.

    Rows are compared by key and digest, and counted. If several rows have a key, the smaller number of differing rows
    on the two sides counts as updated.
    """
    both = np.concatenate([there.records, new.records]).view(f"S{there.records.dtype.itemsize}").reshape(-1)
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    old = np.bincount(inverse[: len(there.records)], minlength=len(counts))
    kept = np.minimum(old, counts - old)
    lost = _beyond(inverse[: len(there.records)], kept)
    come = _beyond(inverse[len(there.records) :], kept)
    left = Counter(keys_as_bytes(there.keys[lost]))
    updated, inserted = list[int](), list[int]()
    for position, key in zip(come.tolist(), keys_as_bytes(new.keys[come]), strict=True):
        if left[key]:
            left[key] -= 1
            updated.append(position)
        else:
            inserted.append(position)
    deleted = list[int]()
    for position, key in zip(lost.tolist(), keys_as_bytes(there.keys[lost]), strict=True):
        if left[key]:
            left[key] -= 1
            deleted.append(position)
    return tuple(np.array(found, np.int64) for found in (inserted, updated, deleted))  # type: ignore[return-value]


def _beyond(groups: Array, kept: Array) -> Array:
    """The positions of rows of each group, without its first ``kept``."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    return np.asarray(np.sort(order[np.arange(len(ordered)) - first >= kept[ordered]]))
