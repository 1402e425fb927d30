"""The last commits with the keys that they wrote, for the test whether data have changed since they were read.

A *space* is an index (the number of its entries table), a table by id (the negated number of its storage), or one of
the constants below. Reads are intervals of keys in spaces, writes are keys in spaces.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: The space of tables, indexes and schema. Looking for a missing table reads it.
CATALOG = 0
#: The space of stored files.
FILES = -(1 << 40)
#: The number of commits that are remembered. For older reads, everything counts as changed.
_REMEMBERED = 10_000


def _start(interval: tuple[bytes, bytes | None]) -> bytes:
    return interval[0]


@dataclass(slots=True)
class ReadSet:
    """Intervals ``start <= key < end`` (None: no end) by space. They are sorted, and none touch each other."""

    intervals: dict[int, list[tuple[bytes, bytes | None]]] = field(default_factory=dict)

    def add(self, space: int, start: bytes = b"", end: bytes | None = None) -> None:
        """Adds an interval, and joins it with those that it touches."""
        found = self.intervals.setdefault(space, [])
        first = bisect_left(found, start, key=_start)
        if first and ((before := found[first - 1][1]) is None or before >= start):
            first -= 1
            start = found[first][0]
        last = first
        while last < len(found) and (end is None or found[last][0] <= end):
            other = found[last][1]
            end = None if end is None or other is None else max(end, other)
            last += 1
        found[first:last] = [(start, end)]

    def count(self) -> int:
        """The number of intervals."""
        return sum(map(len, self.intervals.values()))

    def touched_by(self, commit: Commit) -> bool:
        """Whether ``commit`` wrote a key in one of the intervals."""
        return commit.keys is None or self.met(commit) is not None

    def met(self, commit: Commit) -> tuple[int, bytes] | None:
        """The first key, with its space, that ``commit`` wrote in one of the intervals."""
        for space, keys in (commit.keys or {}).items():
            for start, end in self.intervals.get(space, ()):
                at = bisect_left(keys, start)
                if at < len(keys) and (end is None or keys[at] < end):
                    return space, keys[at]
        return None


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its timestamp (nanoseconds) and the keys that it wrote, sorted, by space; None: unknown keys.

    ``source`` is the mutation that wrote it; None for other writers.
    """

    ts: int
    keys: Mapping[int, list[bytes]] | None
    source: str | None = None

    @classmethod
    def of(cls, ts: int, written: Iterable[tuple[int, bytes]], source: str | None = None) -> Commit:
        """The commit that wrote some keys."""
        keys: dict[int, set[bytes]] = {}
        for space, key in written:
            keys.setdefault(space, set()).add(key)
        return cls(ts, {space: sorted(found) for space, found in keys.items()}, source)


class CommitLog:
    """The last commits, the oldest first. Thread-safe."""

    def __init__(self, ts: int) -> None:
        self._lock = threading.Lock()
        self._commits: deque[Commit] = deque(maxlen=_REMEMBERED)
        #: The timestamp before the oldest remembered commit.
        self._start = ts
        self.last = ts

    def append(self, commit: Commit) -> None:
        """Adds the newest commit."""
        with self._lock:
            if len(self._commits) == self._commits.maxlen:
                self._start = self._commits[0].ts
            self._commits.append(commit)
            self.last = commit.ts

    def touched(self, reads: ReadSet, after: int, until: int | None = None) -> bool:
        """Whether data that were read at ``after`` have been written since, up to and including ``until``."""
        with self._lock:
            if after < self._start:
                return True
        return self.last_touching(reads, after, until) is not None

    def last_touching(self, reads: ReadSet, after: int, until: int | None = None) -> Commit | None:
        """The newest commit since ``after`` that wrote the read data; None if no remembered commit did."""
        with self._lock:
            newer = []
            for commit in reversed(self._commits):
                if commit.ts <= after:
                    break
                if until is None or commit.ts <= until:
                    newer.append(commit)
        return next((commit for commit in newer if reads.touched_by(commit)), None)


class Conflict(Exception):
    """Another transaction wrote what this one has read, before its commit. The caller runs it again.

    ``table``: the document's table. ``document``: the id of the written document. ``source``: the mutation that wrote
    it. Each is None if it is unknown.
    """

    def __init__(self, table: str | None = None, document: str | None = None, source: str | None = None) -> None:
        super().__init__(table)
        self.table, self.document, self.source = table, document, source


class Abandoned(Exception):
    """Raised at the commit if the caller no longer wants it."""
