"""Results of queries, kept as long as the data that they read are unchanged. Subscriptions share them."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeAlias

from supavex.deployment.database.engine import Snapshot
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.outcome import Outcome

_KEPT = 8192
#: The identity of a query. The arguments are a text that is made once, because it may be long.
QueryKey: TypeAlias = tuple[str, str, str, str | None, bool, str]


@dataclass(slots=True)
class Result:
    """A query's outcome, and the last timestamp at which it is known to be valid."""

    outcome: Outcome
    checked: int


class LiveQueries:
    """Outcomes of queries by path, arguments and caller. Each query runs once for all subscribers. Thread-safe."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._lock = threading.Lock()
        self._results: OrderedDict[QueryKey, Result] = OrderedDict()
        self._running: dict[tuple[QueryKey, int], Future[Outcome]] = {}

    def holds(self, outcome: Outcome, since: int, ts: int) -> bool:
        """Whether an outcome that was valid at ``since`` is still valid at ``ts``."""
        return self._functions.engine.valid(outcome.reads, since, ts)

    def known(self, call: Call, arguments: str, ts: int) -> Outcome | None:
        """The outcome of a query at ``ts``, if it is known. It never waits. ``arguments``: as JSON."""
        shared, own = query_key(call, arguments, who=False), query_key(call, arguments, who=True)
        with self._lock:
            return self._known(shared, ts) or self._known(own, ts)

    def outcome(self, call: Call, snapshot: Snapshot, arguments: str | None = None) -> Outcome:
        """The outcome of a query at ``snapshot``: a known one, or the query runs. ``arguments``: as JSON."""
        arguments = arguments_text(call.args) if arguments is None else arguments
        shared, own = query_key(call, arguments, who=False), query_key(call, arguments, who=True)
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

    def _known(self, key: QueryKey, ts: int) -> Outcome | None:
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


def arguments_text(args: object) -> str:
    """The arguments of a call as JSON in canonical form."""
    return json.dumps(args, sort_keys=True)


def query_key(call: Call, arguments: str, *, who: bool) -> QueryKey:
    """The identity of a query; with ``who``, also of its caller. ``arguments``: as JSON."""
    return call.component, call.path, arguments, call.journal, call.internal, call.identity.key if who else ""
