"""One query that a session has subscribed to: what was sent of it last, and whether that still holds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from supavex.convex.values import from_internal_json, to_internal_json
from supavex.deployment.database.engine import Snapshot
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import Identity
from supavex.deployment.functions.incidents import incident
from supavex.deployment.functions.live import LiveQueries
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.server import system
from supavex.deployment.server.bodies import LARGE_BYTES
from supavex.deployment.server.host import Host
from supavex.errors import SupavexError


@dataclass(slots=True)
class Subscription:
    """A query and what is known of its result. ``args`` is JSON data (internal form) of an object."""

    path: str
    args: dict[str, Any]
    #: Where its page ends, from an earlier run: the page keeps its end when it is read again.
    journal: str | None = None
    #: The path of its component; empty for the app.
    component: str = ""
    outcome: Outcome | None = None
    #: The last moment at which the outcome is known to hold.
    checked: int = 0
    #: What was sent last, without what differs from run to run.
    _sent: tuple[Any, ...] | None = None
    #: Characters that its arguments came in.
    weight: int = 0
    #: Whether its result is a long text, which takes a while to be made and read.
    large: bool = False

    def stale(self, live: LiveQueries, now: int) -> bool:
        """Whether there may be another result by ``now``."""
        if self.outcome is None or not live.holds(self.outcome, self.checked, now):
            return True
        self.checked = now
        return False

    def forget(self) -> None:
        """Another one may call now. What does not depend on who calls is found again without being run."""
        self.outcome = None

    async def changed(self, host: Host, who: Identity, snapshot: Snapshot) -> dict[str, Any] | None:
        """The modification that tells of the result at the moment of ``snapshot``; None where it was told before."""
        if self.path.startswith("_system/"):
            found = await self._system(host, who)
        else:
            known = self.outcome
            if known is not None and host.live.holds(known, self.checked, snapshot.ts):
                self.checked = snapshot.ts
                return None
            found = await self._run(host, who, snapshot)
        told = self._told(found)
        if told == self._sent:
            return None
        self._sent = told
        return found

    def _told(self, found: dict[str, Any]) -> tuple[Any, ...]:
        outcome = self.outcome
        if outcome is None:
            return found.get("errorMessage"), json.dumps(found.get("value"))
        if outcome.failure is not None:
            return outcome.failure.message, outcome.failure.data, *outcome.log_texts
        return None, outcome.value, *outcome.log_texts

    async def _run(self, host: Host, who: Identity, snapshot: Snapshot) -> dict[str, Any]:
        call = Call(self.path, self.args, who, internal=who.admin, journal=self.journal, component=self.component)
        outcome = await host.call(lambda c: host.live.outcome(c, snapshot), call)
        self.outcome, self.checked = outcome, snapshot.ts
        if outcome.journal is not None:
            self.journal = outcome.journal
        more = {"logLines": outcome.log_texts, "journal": self.journal}
        if outcome.failure is not None:
            data = outcome.failure.data
            failed = {} if data is None else {"errorData": json.loads(data)}
            return {"type": "QueryFailed", "errorMessage": outcome.error, **failed, **more}
        text = outcome.value or "null"
        self.large = len(text) > LARGE_BYTES
        value = await asyncio.to_thread(json.loads, text) if self.large else json.loads(text)
        return {"type": "QueryUpdated", "value": value, **more}

    async def _system(self, host: Host, who: Identity) -> dict[str, Any]:
        nothing: dict[str, Any] = {"logLines": [], "journal": None}
        if not who.admin:
            message = "Could not find public function. System functions need the admin key."
            return {"type": "QueryFailed", "errorMessage": message, **nothing}
        try:
            addresses, arguments = host.addresses, from_internal_json(self.args)
            value = await host.run(lambda d: system.call(d, addresses, self.path, arguments, self.component))
        except SupavexError as error:
            return {"type": "QueryFailed", "errorMessage": error.message, **nothing}
        except Exception:
            return {"type": "QueryFailed", "errorMessage": incident(f"the system function {self.path}"), **nothing}
        if isinstance(value, dict) and value.get("_id") in host.progress:
            value = {**value, "state": host.progress[value["_id"]]}
        return {"type": "QueryUpdated", "value": to_internal_json(value), **nothing}
