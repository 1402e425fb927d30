"""A query to which a session has subscribed: the last result that was sent, and whether it is still valid."""

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
from supavex.deployment.functions.live import LiveQueries, arguments_text
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.server import system
from supavex.deployment.server.bodies import LARGE_BYTES
from supavex.deployment.server.host import Host
from supavex.deployment.server.wire import ascii_json, json_text
from supavex.errors import SupavexError


@dataclass(slots=True)
class Subscription:
    """A subscribed query, with its last result."""

    #: The query's path, ``module:function``.
    path: str
    #: The arguments, an object in internal JSON.
    args: dict[str, Any]
    #: The end of its page in an earlier run, which stays when the page is read again.
    journal: str | None = None
    #: The path of its component; empty for the app.
    component: str = ""
    #: The outcome of the last run; None before the first, and after :meth:`forget`.
    outcome: Outcome | None = None
    #: The last timestamp at which the outcome is known to be valid.
    checked: int = 0
    #: The last sent result, without parts that differ from run to run.
    _sent: tuple[Any, ...] | None = None
    #: The characters of its arguments' message.
    weight: int = 0
    #: Its arguments as canonical JSON, after they were first needed.
    _arguments: str | None = None

    def stale(self, live: LiveQueries, now: int) -> bool:
        """Whether there may be a new result at ``now``."""
        if self.outcome is None or not live.holds(self.outcome, self.checked, now):
            return True
        self.checked = now
        return False

    def forget(self) -> None:
        """Forgets the result, because the caller may have changed. A result that does not depend on the caller is found
        again without a run.
        """
        self.outcome = None

    async def changed(self, id_: int, host: Host, who: Identity, snapshot: Snapshot) -> str | None:
        """The modification of the query ``id_``, as JSON, with the result at ``snapshot``.

        None if it was already sent.
        """
        head = f'{{"queryId":{id_},'
        if self.path.startswith("_system/"):
            found = await self._system(host, who)
            told: tuple[Any, ...] = found.get("errorMessage"), json.dumps(found.get("value"))
        else:
            known = self.outcome
            if known is not None and host.live.holds(known, self.checked, snapshot.ts):
                self.checked = snapshot.ts
                return None
            outcome = await self._run(host, who, snapshot)
            failure = outcome.failure
            result = (None, outcome.value) if failure is None else (failure.message, failure.data)
            told = (*result, *outcome.log_texts)
            found = {"logLines": outcome.log_texts, "journal": self.journal}
            if failure is None:
                # One text for all subscribers.
                head += f'"type":"QueryUpdated","value":{outcome.shown},'
            else:
                data = {} if failure.data is None else {"errorData": json.loads(failure.data)}
                found |= {"type": "QueryFailed", "errorMessage": outcome.error, **data}
        if told == self._sent:
            return None
        self._sent = told
        return head + json_text(found)[1:]

    async def _run(self, host: Host, who: Identity, snapshot: Snapshot) -> Outcome:
        call = Call(self.path, self.args, who, internal=who.admin, journal=self.journal, component=self.component)
        if self._arguments is None:
            large = self.weight > LARGE_BYTES
            self._arguments = await asyncio.to_thread(arguments_text, self.args) if large else arguments_text(self.args)
        outcome = await host.outcome(call, self._arguments, snapshot)
        self.outcome, self.checked = outcome, snapshot.ts
        if outcome.journal is not None:
            self.journal = outcome.journal
        text = outcome.value or "null"
        if outcome.shown is None:
            large = len(text) > LARGE_BYTES
            outcome.shown = await asyncio.to_thread(ascii_json, text) if large else ascii_json(text)
        return outcome

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
