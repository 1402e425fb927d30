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
#: The most pairs of both sides that are compared at once, with eight bytes each. The files of larger tables are read
#: several times.
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
    found = [[np.empty(0, np.uint64)], [np.empty(0, np.uint64)]]
    for part in range(parts):
        own, other = (_part(path, suspects, bucket, part, parts) for path in (source, target))
        found[0].append(own[~_among(own, other)])
        found[1].append(other[~_among(other, own)])
        if sum(len(some) for side in found for some in side) > most:
            break
    rows, documents = (np.sort(np.concatenate(side)) for side in found)
    return Differing(_chosen(source, rows), _chosen(target, documents))


def _part(path: Path, suspects: Array, bucket: Callable[[Array], Array], part: int, parts: int) -> Array:
    """The sorted fingerprints of the pairs in some of the ``suspects``."""
    found = [np.empty(0, np.uint64)]
    for pairs in _pairs(path):
        buckets = bucket(pairs["key"])
        found.append(_fingerprints(pairs[suspects[buckets] & (buckets % parts == part)]))
    whole = np.concatenate(found)
    whole.sort()
    return whole


def _among(some: Array, others: Array) -> Array:
    """A boolean for each of ``some``: whether the sorted ``others`` have it."""
    if not len(others):
        return np.zeros(len(some), np.bool_)
    # Searching takes a tenth of the time of np.isin, above all if ``some`` are sorted, too.
    places = np.searchsorted(others, some)
    places[places == len(others)] = 0
    return np.asarray(others[places] == some)


def _chosen(path: Path, fingerprints: Array) -> Array:
    """The pairs of a file with one of the sorted ``fingerprints``."""
    found = [np.empty(0, PAIR)]
    # Most pairs are not among them. A table of the first 20 bits shows that sooner than a search.
    starts = np.zeros(1 << 20, np.bool_)
    starts[fingerprints >> np.uint64(44)] = True
    for pairs in _pairs(path) if len(fingerprints) else ():
        own = _fingerprints(pairs)
        some = np.flatnonzero(starts[own >> np.uint64(44)])
        found.append(pairs[some[_among(own[some], fingerprints)]])
    return np.concatenate(found)


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
