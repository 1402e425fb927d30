"""The keys and digests of a table's rows and documents, in two files, from which the differing ones are found.

Sums show which ranges of keys differ. If one row in a hundred was written, many ranges differ. The pairs show the keys,
with 24 bytes a row, so that only the rows that differ are read again from PostgreSQL or the target.
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
#: The most pairs of both sides in memory. The files of larger tables are read several times.
HELD_PAIRS = 4_000_000
_READ = 1 << 18


class PairWriter:
    """Appends pairs to a new file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] = open(path, "wb", buffering=1 << 20)  # noqa: SIM115 - closed by close()

    def add(self, keys: Array, digests: Array) -> None:
        """Adds some rows: an (n, 16) matrix of bytes, and a digest for each."""
        pairs = np.empty(len(digests), PAIR)
        pairs["key"], pairs["digest"] = keys, digests
        self._file.write(pairs.tobytes())

    def close(self) -> None:
        """Writes the rest."""
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
    """The pairs of each file that the other lacks, in the buckets that are ``suspects``.

    ``bucket`` gives the bucket of each key. Reading ends when more than ``most`` pairs differ.
    """
    pairs = sum(path.stat().st_size for path in (source, target)) // PAIR.itemsize
    parts = max(1, -(-pairs // HELD_PAIRS))
    found: tuple[list[Array], list[Array]] = ([np.empty(0, PAIR)], [np.empty(0, PAIR)])
    for part in range(parts):
        rows, documents = (_part(path, suspects, bucket, part, parts) for path in (source, target))
        own, other = _fingerprints(rows), _fingerprints(documents)
        found[0].append(rows[_lacking(own, other)])
        found[1].append(documents[_lacking(other, own)])
        if sum(len(some) for side in found for some in side) > most:
            break
    return Differing(np.concatenate(found[0]), np.concatenate(found[1]))


def _lacking(own: Array, other: Array) -> Array:
    """A boolean for each of some numbers: whether ``other`` lacks it."""
    if not len(other):
        return np.ones(len(own), np.bool_)
    # Searching for sorted numbers takes a tenth of the time of np.isin, which makes the numbers unique first.
    order, there = np.argsort(own), np.sort(other)
    wanted = own[order]
    places = np.minimum(np.searchsorted(there, wanted), len(there) - 1)
    lacking = np.empty(len(own), np.bool_)
    lacking[order] = there[places] != wanted
    return lacking


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
    """A hash of each pair, of its key and its digest."""
    halves = np.ascontiguousarray(pairs["key"]).view("<u8").reshape(-1, 2)
    with np.errstate(over="ignore"):
        found = halves[:, 0] * np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(32))) + halves[:, 1]
        found = (found * np.uint64(0xBF58476D1CE4E5B9)) ^ pairs["digest"]
        found = (found ^ (found >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(found ^ (found >> np.uint64(32)))
