"""Results of queries, kept for as long as what they have read is unchanged: what subscriptions live on."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

from supavex.deployment.database.engine import Snapshot
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.outcome import Outcome

_KEPT = 8192


@dataclass(slots=True)
class Result:
    """A query's outcome, and the last moment at which it is known to hold."""

    outcome: Outcome
    checked: int


class LiveQueries:
    """Outcomes of queries by path, arguments and caller; each is run once for all who want it. Thread-safe."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._lock = threading.Lock()
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._running: dict[tuple[str, int], Future[Outcome]] = {}

    def holds(self, outcome: Outcome, since: int, ts: int) -> bool:
        """Whether an outcome that held at ``since`` is still that of ``ts``."""
        return self._functions.engine.valid(outcome.reads, since, ts)

    def known(self, call: Call, ts: int) -> Outcome | None:
        """The outcome of a query at ``ts``, where it is known. It waits for nothing."""
        with self._lock:
            return self._known(query_key(call, who=False), ts) or self._known(query_key(call, who=True), ts)

    def outcome(self, call: Call, snapshot: Snapshot) -> Outcome:
        """The outcome of a query at the moment of ``snapshot``: one that is known, or it is run."""
        shared, own = query_key(call, who=False), query_key(call, who=True)
        with self._lock:
            known = self._known(shared, snapshot.ts) or self._known(own, snapshot.ts)
            if known is not None:
                return known
            place = (own, snapshot.ts)
            running = self._running.get(place)
            mine = running is None
            if running is None:
                running = self._running[place] = Future()
        if not mine:
            return running.result()
        try:
            outcome = self._functions.query(call, snapshot)
        except BaseException as error:
            running.set_exception(error)
            with self._lock:
                del self._running[place]
            raise
        with self._lock:
            key = own if outcome.saw_identity else shared
            self._results[key] = Result(outcome, snapshot.ts)
            self._results.move_to_end(key)
            while len(self._results) > _KEPT:
                self._results.popitem(last=False)
            del self._running[place]
        running.set_result(outcome)
        return outcome

    def _known(self, key: str, ts: int) -> Outcome | None:
        result = self._results.get(key)
        if result is None:
            return None
        outcome = result.outcome
        if outcome.read_at <= ts:
            if ts <= result.checked:
                return outcome
            if self.holds(outcome, result.checked, ts):
                result.checked = ts
                return outcome
            return None
        return outcome if self.holds(outcome, ts, outcome.read_at) else None


def query_key(call: Call, *, who: bool) -> str:
    """What tells a query from others; ``who``: and who calls it."""
    caller = call.identity.key if who else ""
    return json.dumps([call.component, call.path, call.args, call.journal, call.internal, caller], sort_keys=True)
