"""One query that a session has subscribed to: what was sent of it last, and whether that still holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from supavex.convex.values import from_internal_json, to_internal_json
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.engine import Snapshot
from supavex.deployment.functions.identity import Identity
from supavex.deployment.functions.live import LiveQueries
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.server import system
from supavex.deployment.server.host import Host
from supavex.errors import SupavexError


@dataclass(slots=True)
class Subscription:
    """A query and what is known of its result. ``args`` is JSON data (internal form) of an object."""

    path: str
    args: dict[str, Any]
    #: Where its page ends, from an earlier run: the page keeps its end when it is read again.
    journal: str | None = None
    outcome: Outcome | None = None
    #: The last moment at which the outcome is known to hold.
    checked: int = 0
    #: What was sent last, without what differs from run to run.
    _sent: str | None = None

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
        failure = None if self.outcome is None or self.outcome.failure is None else self.outcome.failure.message
        told = [failure or found.get("errorMessage"), found.get("value"), found.get("errorData"), found["logLines"]]
        sent = json.dumps(told)
        if sent == self._sent:
            return None
        self._sent = sent
        return found

    async def _run(self, host: Host, who: Identity, snapshot: Snapshot) -> dict[str, Any]:
        call = Call(self.path, self.args, who, internal=who.admin, journal=self.journal)
        outcome = await host.call(lambda c: host.live.outcome(c, snapshot), call)
        self.outcome, self.checked = outcome, snapshot.ts
        if outcome.journal is not None:
            self.journal = outcome.journal
        more = {"logLines": outcome.log_texts, "journal": self.journal}
        if outcome.failure is not None:
            data = outcome.failure.data
            failed = {} if data is None else {"errorData": json.loads(data)}
            return {"type": "QueryFailed", "errorMessage": outcome.error, **failed, **more}
        return {"type": "QueryUpdated", "value": json.loads(outcome.value or "null"), **more}

    async def _system(self, host: Host, who: Identity) -> dict[str, Any]:
        nothing: dict[str, Any] = {"logLines": [], "journal": None}
        if not who.admin:
            message = "Could not find public function. System functions need the admin key."
            return {"type": "QueryFailed", "errorMessage": message, **nothing}
        try:
            addresses, arguments = host.addresses, from_internal_json(self.args)
            value = await host.run(lambda d: system.call(d, addresses, self.path, arguments))
        except SupavexError as error:
            return {"type": "QueryFailed", "errorMessage": error.message, **nothing}
        if isinstance(value, dict) and value.get("_id") in host.progress:
            value = {**value, "state": host.progress[value["_id"]]}
        return {"type": "QueryUpdated", "value": to_internal_json(value), **nothing}
