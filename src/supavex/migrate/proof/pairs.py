"""The keys and digests of a table's rows and documents, kept in two files: which of them differ is read from there.

Sums tell that a range of keys differs, and many ranges do where one row in a hundred was written. The pairs tell the
keys, 24 bytes a row, so that nothing has to be read again from PostgreSQL or the target but the rows that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from supavex.migrate.keys.hashing import Array

PAIR = np.dtype([("key", "u1", (16,)), ("digest", "<u8")])
#: Pairs of both sides that are held in memory at once; of larger tables, the files are read several times.
HELD_PAIRS = 4_000_000
_READ = 1 << 18


class PairWriter:
    """Appends pairs to a new file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] = open(path, "wb", buffering=1 << 20)  # noqa: SIM115 - closed by close()

    def add(self, keys: Array, digests: Array) -> None:
        """Some rows: an (n, 16) matrix of bytes, and a number for each."""
        pairs = np.empty(len(digests), PAIR)
        pairs["key"], pairs["digest"] = keys, digests
        self._file.write(pairs.tobytes())

    def close(self) -> None:
        """Writes what is left."""
        self._file.close()

    def remove(self) -> None:
        """Removes the file."""
        self._file.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


@dataclass(frozen=True, slots=True)
class Differing:
    """The pairs that only one side has: of rows, and of documents."""

    source: Array
    target: Array


def differing(source: Path, target: Path, suspects: Array, bucket: Callable[[Array], Array], most: int) -> Differing:
    """The pairs of two files that the other does not hold, of the buckets that are ``suspects``.

    ``bucket`` gives the bucket of each key. Reading ends where more than ``most`` pairs differ.
    """
    pairs = sum(path.stat().st_size for path in (source, target)) // PAIR.itemsize
    parts = max(1, -(-pairs // HELD_PAIRS))
    found: tuple[list[Array], list[Array]] = ([np.empty(0, PAIR)], [np.empty(0, PAIR)])
    for part in range(parts):
        rows, documents = (_part(path, suspects, bucket, part, parts) for path in (source, target))
        own, other = _fingerprints(rows), _fingerprints(documents)
        found[0].append(rows[~np.isin(own, other)])
        found[1].append(documents[~np.isin(other, own)])
        if sum(len(some) for side in found for some in side) > most:
            break
    return Differing(np.concatenate(found[0]), np.concatenate(found[1]))


def _part(path: Path, suspects: Array, bucket: Callable[[Array], Array], part: int, parts: int) -> Array:
    chosen = [np.empty(0, PAIR)]
    for pairs in _pairs(path):
        buckets = bucket(pairs["key"])
        chosen.append(pairs[suspects[buckets] & (buckets % parts == part)])
    return np.concatenate(chosen)


def _pairs(path: Path) -> Iterator[Array]:
    with path.open("rb") as file:
        while data := file.read(_READ * PAIR.itemsize):
            yield np.frombuffer(data, PAIR)


def _fingerprints(pairs: Array) -> Array:
    """A number for each pair, of its key and its digest."""
    halves = np.ascontiguousarray(pairs["key"]).view("<u8").reshape(-1, 2)
    with np.errstate(over="ignore"):
        found = halves[:, 0] * np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(32))) + halves[:, 1]
        found = (found * np.uint64(0xBF58476D1CE4E5B9)) ^ pairs["digest"]
        found = (found ^ (found >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(found ^ (found >> np.uint64(32)))
