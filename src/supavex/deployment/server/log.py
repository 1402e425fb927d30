"""The log of a served deployment, for `convex logs`, `convex dev` and the dashboard."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any

from supavex.deployment.functions.outcome import Outcome

#: The number of entries that are kept.
_ENTRIES = 1000
#: The most characters of a function's path in an entry.
_PATH = 200


class Log:
    """The newest entries, each with a cursor: milliseconds since 1970, greater than every earlier cursor.

    All methods run in the event loop. Other threads may only read :attr:`entries`.
    """

    def __init__(self) -> None:
        self.entries = deque[dict[str, Any]](maxlen=_ENTRIES)
        self._added = asyncio.Event()

    def add(self, entry: dict[str, Any]) -> None:
        """Adds an entry, and wakes the waiters."""
        last = float(self.entries[-1]["cursor"]) if self.entries else 0.0
        self.entries.append({**entry, "cursor": max(time.time() * 1000, last + 0.001)})
        added, self._added = self._added, asyncio.Event()
        added.set()

    def since(self, cursor: float) -> list[dict[str, Any]]:
        """The entries after a cursor."""
        return [entry for entry in self.entries if entry["cursor"] > cursor]

    async def wait(self, seconds: float) -> None:
        """Waits for a new entry, for at most ``seconds``."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._added.wait(), seconds)


def entry_of(outcome: Outcome) -> dict[str, Any]:
    """The entry of a function's run, in the form that Convex's CLI reads."""
    error = None if outcome.failure is None else outcome.error
    return {
        "kind": "Completion",
        "udfType": outcome.kind,
        "identifier": outcome.path[:_PATH],
        "componentPath": outcome.component or None,
        "logLines": [line.entry() for line in outcome.logs],
        "timestamp": time.time(),
        "executionTime": outcome.seconds,
        "success": None if error else {"status": "success"},
        "error": error,
        "cachedResult": False,
        "requestId": outcome.request_id,
        "executionId": outcome.request_id,
    }
