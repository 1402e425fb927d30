"""Calls functions from Python without a server, for tests, scripts and the demo."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from supavex.convex.coercion import coerce
from supavex.convex.validators import AnyValue
from supavex.convex.values import Value, from_internal_json, plain_value, to_internal_json
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.cron_runs import due_crons, run_cron
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.identity import ADMIN, Identity, acting
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.functions.scheduler import due_jobs, run_job
from supavex.errors import SupavexError, UsageError


class FunctionFailed(SupavexError):
    """A function threw. ``data``: the data of a ``ConvexError``, else None. ``logs``: the printed lines."""

    def __init__(self, outcome: Outcome) -> None:
        assert outcome.failure is not None
        super().__init__("FunctionFailed", outcome.failure.message.strip(), where=outcome.path)
        data = outcome.failure.data
        self.data: Value = None if data is None else from_internal_json(json.loads(data))
        self.logs = outcome.log_texts


def run_now(functions: Functions, path: str, args: dict[str, Value], user: Mapping[str, Value] | None) -> Value:
    """Runs a function. Returns its result. See :meth:`supavex.deployment.Deployment.run`."""
    identity = ADMIN
    if user is not None:
        try:
            identity = Identity(admin=True, user=acting(user))
        except ValueError as error:
            raise UsageError("InvalidIdentity", f"{error}.") from None
    found = functions.find(path)
    if found is not None:
        args = dict(coerce(args, AnyValue() if found.args is None else found.args))
    outcome = functions.run(Call(path, to_internal_json(args), identity, internal=True))
    if outcome.failure is not None:
        raise FunctionFailed(outcome)
    text = outcome.value or "null"
    plain = plain_value(text)
    return from_internal_json(json.loads(text)) if plain is None else plain[0]


def advance(functions: Functions, seconds: float) -> int:
    """Sets the clock forward, and runs what becomes due. See :meth:`supavex.deployment.Deployment.advance`."""
    if not 0 <= seconds < float("inf"):
        raise UsageError("InvalidDuration", f"the clock goes forward, by a number of seconds, and not by {seconds}.")
    clock, count = functions.engine.clock, 0
    end = clock.now() + seconds
    while True:
        moment = _next_moment(functions)
        if moment is None or moment > end:
            clock.turn_to(end)
            return count
        clock.turn_to(moment)
        for job in due_jobs(functions, clock.now() * 1000)[0]:
            count += run_job(functions, job) is not None
        for cron in due_crons(functions, clock.now())[0]:
            count += run_cron(functions, cron) is not None


def _next_moment(functions: Functions) -> float | None:
    """The time of the next or earliest due run: seconds since 1970."""
    jobs, then = due_jobs(functions, float("-inf"))
    crons, after = due_crons(functions, float("-inf"))
    found = [None if then is None else then / 1000, after]
    assert not jobs and not crons
    return min((moment for moment in found if moment is not None), default=None)


def run_scheduled(functions: Functions, until: float | None) -> int:
    """Runs what is due. Returns the number. See :meth:`supavex.deployment.Deployment.run_scheduled`."""
    count = 0
    while True:
        moment = time.time() if until is None else until
        due, _ = due_jobs(functions, moment * 1000)
        if not due:
            return count
        for job in due:
            count += run_job(functions, job) is not None
