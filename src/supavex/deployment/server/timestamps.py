"""Snapshots at which clients may still read: ``/api/query_ts`` takes one, ``/api/query_at_ts`` reads at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from supavex.deployment.database.engine import Engine, Snapshot
from supavex.errors import SupavexError

#: Seconds for which a snapshot is held, as Convex promises.
_HELD_SECONDS = 30.0
#: The most held snapshots. Each keeps the file's log from being emptied, so the oldest is released first.
_MAX_HELD = 16


@dataclass(slots=True)
class _Held:
    snapshot: Snapshot
    stack: ExitStack
    until: float
    readers: int = 0


class ReadableSnapshots:
    """Snapshots by timestamp (nanoseconds), each held for half a minute. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}

    def now(self) -> int:
        """The present timestamp, whose snapshot is held from now on."""
        stack = ExitStack()
        snapshot = stack.enter_context(self._engine.snapshot())
        until = time.monotonic() + _HELD_SECONDS
        with self._lock:
            known = self._held.get(snapshot.ts)
            if known is None:
                self._held[snapshot.ts] = _Held(snapshot, stack, until)
            else:
                known.until = until
        if known is not None:
            stack.close()
        self.let_go()
        return snapshot.ts

    @contextmanager
    def at(self, ts: int) -> Iterator[Snapshot]:
        """The file at ``ts``. Raises if no snapshot with that timestamp is held."""
        with self._lock:
            held = self._held.get(ts)
            if held is not None:
                held.readers += 1
        if held is None:
            message = (
                "this timestamp can't be read, or not any more: ask for one with /api/query_ts, which holds for 30 s."
            )
            raise SupavexError("OutOfRetention", message)
        try:
            yield held.snapshot
        finally:
            with self._lock:
                held.readers -= 1

    def let_go(self, *, everything: bool = False) -> None:
        """Releases the snapshots whose time is over."""
        now = time.monotonic()
        with self._lock:
            old = [ts for ts, held in self._held.items() if everything or (held.until < now and not held.readers)]
            idle = [ts for ts, held in self._held.items() if not held.readers and ts not in old]
            surplus = max(0, len(self._held) - len(old) - _MAX_HELD)
            gone = [self._held.pop(ts) for ts in [*old, *idle[:surplus]]]
        for held in gone:
            held.stack.close()
