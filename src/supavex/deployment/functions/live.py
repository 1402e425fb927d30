"""Results of queries, kept for as long as what they have read is unchanged: what subscriptions live on."""

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
#: What tells a query from others. The arguments are a text that is made once, for it may be long.
QueryKey: TypeAlias = tuple[str, str, str, str | None, bool, str]


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
        self._results: OrderedDict[QueryKey, Result] = OrderedDict()
        self._running: dict[tuple[QueryKey, int], Future[Outcome]] = {}

    def holds(self, outcome: Outcome, since: int, ts: int) -> bool:
        """Whether an outcome that held at ``since`` is still that of ``ts``."""
        return self._functions.engine.valid(outcome.reads, since, ts)

    def known(self, call: Call, arguments: str, ts: int) -> Outcome | None:
        """The outcome of a query at ``ts``, where it is known. It waits for nothing. ``arguments``: as JSON."""
        shared, own = query_key(call, arguments, who=False), query_key(call, arguments, who=True)
        with self._lock:
            return self._known(shared, ts) or self._known(own, ts)

    def outcome(self, call: Call, snapshot: Snapshot, arguments: str | None = None) -> Outcome:
        """The outcome of a query at the moment of ``snapshot``: one that is known, or it is run."""
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
    """The arguments of a call as JSON in one form."""
    return json.dumps(args, sort_keys=True)


def query_key(call: Call, arguments: str, *, who: bool) -> QueryKey:
    """What tells a query from others; ``who``: and who calls it. ``arguments``: as JSON."""
    return call.component, call.path, arguments, call.journal, call.internal, call.identity.key if who else ""
