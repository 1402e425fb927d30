"""What the routes share: the deployment, one thread at a time on it, and a signal for whoever waits for changes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from supavex.deployment.deployment import Deployment

T = TypeVar("T")
#: Log entries that are kept for `convex logs`.
_LOG_ENTRIES = 1000
#: Characters of a function's path that an entry keeps.
_LOG_PATH = 200


@dataclass(slots=True)
class Addresses:
    """Where clients reach the deployment."""

    cloud: str
    site: str


@dataclass(slots=True)
class Host:
    """A served deployment. ``folder`` holds its file, uploads and stored files."""

    deployment: Deployment
    folder: Path
    admin_key: str
    addresses: Addresses
    #: The names by which a request may call this server; see :mod:`supavex.deployment.server.security`.
    names: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    name: str = "supavex-local"
    #: The port where HTTP actions would answer.
    site_port: int = 0
    logs: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_LOG_ENTRIES))
    #: How far imports are, by their ids.
    progress: dict[str, dict[str, Any]] = field(default_factory=dict)
    closing: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _timestamp: int = 0
    _data_version: int = -1

    async def run(self, function: Callable[[Deployment], T]) -> T:
        """Calls ``function`` with the deployment, in another thread, alone."""
        return await asyncio.to_thread(self.run_now, function)

    def run_now(self, function: Callable[[Deployment], T]) -> T:
        """Calls ``function`` with the deployment in this thread, alone."""
        with self._lock:
            return function(self.deployment)

    def timestamp(self) -> int:
        """Nanoseconds since 1970, greater than every one before."""
        self._timestamp = max(time.time_ns(), self._timestamp + 1)
        return self._timestamp

    def changed(self) -> None:
        """Wakes whoever waits for a change. To be called in the event loop."""
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    async def change(self, seconds: float) -> bool:
        """Waits for a change, for at most ``seconds``; whether there was one."""
        event = self._changed
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def watch_file(self) -> None:
        """Tells of changes that other processes make to the deployment's file; runs until it is cancelled."""
        while True:
            (version,) = await self.run(lambda d: d.store.connection.execute("PRAGMA data_version").fetchone())
            if version != self._data_version:
                self._data_version = version
                self.changed()
            await asyncio.sleep(0.25)

    def log(self, entry: dict[str, Any]) -> None:
        """Keeps an entry for `convex logs`."""
        self.logs.append({**entry, "cursor": max(time.time() * 1000, self._last_cursor() + 0.001)})

    def log_refused(self, udf_type: str, path: str, error: str) -> None:
        """Keeps the entry of a function that was called and failed at once. To be called in the event loop."""
        entry = {"kind": "Completion", "udfType": udf_type, "identifier": path[:_LOG_PATH], "logLines": []}
        self.log({**entry, "error": error, "timestamp": time.time(), "executionTime": 0.0, "success": None})
        self.changed()

    def _last_cursor(self) -> float:
        return float(self.logs[-1]["cursor"]) if self.logs else 0.0
