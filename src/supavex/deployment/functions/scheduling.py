"""Scheduled functions: documents of ``_scheduled_functions``, written in the transaction of who schedules them.

Source: ``model/src/scheduled_jobs`` of convex-backend. A mutation's job is done in the mutation's own transaction; an
action runs once at most.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.order_keys import order_key, successor
from supavex.convex.values import Document, from_internal_json, size, to_internal_json
from supavex.deployment.functions.call import Call, check_arguments, named
from supavex.deployment.functions.catalog import SCHEDULED
from supavex.deployment.functions.engine import Abandoned, Conflict
from supavex.deployment.functions.incidents import incident, recorded
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.functions.plans import QueryPlan
from supavex.deployment.functions.running import Functions
from supavex.deployment.functions.syscalls import Arguments, Frame, invalid, syscall, writable
from supavex.deployment.functions.transaction import Transaction
from supavex.deployment.store import StoredTable, read_body
from supavex.errors import SupavexError

_YEARS = 5 * 365.25 * 86_400
#: Seconds after which the scheduler looks again, though nothing told it to.
_LOOK_SECONDS = 5.0
#: Jobs that run at the same time.
_AT_ONCE = 16


@syscall("1.0/schedule")
def schedule(frame: Frame, arguments: Arguments) -> str:
    """A new job's id."""
    return json.dumps(scheduled(writable(frame), frame, arguments))


def scheduled(transaction: Transaction, frame: Frame, arguments: Arguments) -> str:
    """Writes a new job; its id. Raises where there is no such function, or it does not take the arguments."""
    function = frame.app.find(named(arguments))
    path = named(arguments)
    if function is None:
        message = f"Attempted to schedule function at nonexistent path: {path}"
        raise SupavexError("InvalidScheduledFunction", message)
    if function.kind == "query":
        message = f"Only mutations and actions can be scheduled. {function.path} is a query."
        raise SupavexError("UnsupportedScheduledFunctionType", message)
    ts = arguments["ts"]
    if not isinstance(ts, int | float) or abs(ts - time.time()) > _YEARS:
        raise SupavexError("InvalidScheduledFunctionDelay", f"{ts} is more than five years from now.")
    args = arguments.get("args", {})
    args = args[0] if isinstance(args, list) else args
    check_arguments(function, args, transaction)
    given = [from_internal_json(args)]
    transaction.usage.schedules(size(given))
    document: Document = {
        "name": function.udf_path,
        "args": given,
        "scheduledTime": float(ts) * 1000,
        "state": {"kind": "pending"},
    }
    if frame.job is not None and _is_cancelled(transaction, frame.job):
        # What a job schedules after it was cancelled is there, and never runs.
        document = _ended({**document, "scheduledTime": time.time_ns() / 1e6}, "canceled")
    return transaction.insert(SCHEDULED, document, system=True)


def _is_cancelled(transaction: Transaction, job: str) -> bool:
    table = transaction.table(SCHEDULED)
    body = None if table is None else transaction.get(table, decode_id(job)[1])
    return body is not None and read_body(body)["state"]["kind"] == "canceled"


@syscall("1.0/cancel_job")
def cancel(frame: Frame, arguments: Arguments) -> str:
    """Cancels a job that has not run yet; nothing of one that has."""
    cancelled(writable(frame), arguments, frame.job)
    return "null"


def cancel_from_action(frame: Frame, arguments: Arguments) -> str:
    """The same, but an action may cancel the job that runs it."""
    cancelled(writable(frame), arguments, None)
    return "null"


def cancelled(transaction: Transaction, arguments: Arguments, job: str | None) -> None:
    """Cancels a job."""
    id_ = arguments.get("id")
    try:
        number, internal_id = decode_id(str(id_))
    except InvalidId as error:
        raise invalid("id", "db.cancel_job", f"Unable to decode ID: {error.message}") from None
    if id_ == job:
        raise SupavexError("ScheduledFunctionCancelingItself", "A mutation cannot cancel itself")
    table = transaction.table(SCHEDULED)
    body = None if table is None or number != table.number else transaction.get(table, internal_id)
    if table is None or body is None:
        raise SupavexError("NonexistentDocument", f"Cancel on nonexistent document ID {id_}")
    document = read_body(body)
    if document["state"]["kind"] in ("pending", "inProgress"):
        transaction.put(table, internal_id, _ended(document, "canceled"))


def _ended(document: Document, kind: str, error: str | None = None) -> Document:
    state = {"kind": kind} if error is None else {"kind": kind, "error": error}
    ended = {**document, "state": state}
    if kind != "inProgress":
        ended["completedTime"] = time.time_ns() / 1e6
    return ended


class Scheduler:
    """Runs the jobs of a deployment when they are due, one thread for each that runs."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._wake = threading.Event()
        self._closing = False
        self._running: dict[str, threading.Thread] = {}
        #: Jobs that are not begun again.
        self._given_up: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="supavex-scheduler", daemon=True)

    def start(self) -> None:
        """Begins: actions that an earlier process left unfinished have failed."""
        self._fail_interrupted()
        self._functions.engine.listeners.append(lambda commit: self._wake.set())
        self._thread.start()

    def close(self) -> None:
        """Begins no more jobs, and waits for those that run for a moment."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        for thread in list(self._running.values()):
            thread.join(timeout=5)

    def _work(self) -> None:
        while not self._closing:
            self._wake.clear()
            after: float | None = None
            try:
                due, after = due_jobs(self._functions, time.time() * 1000)
                self._begin(due)
            except Exception:
                incident("the scheduler")
            wait = _LOOK_SECONDS if after is None else min(_LOOK_SECONDS, max(0.0, after / 1000 - time.time()))
            self._wake.wait(wait)

    def _begin(self, due: list[Document]) -> None:
        for job in due:
            id_ = str(job["_id"])
            free = id_ not in self._running and id_ not in self._given_up
            if free and not self._closing and len(self._running) < _AT_ONCE:
                thread = threading.Thread(target=self._run, args=(job,), name="supavex-job", daemon=True)
                self._running[id_] = thread
                thread.start()

    def _run(self, job: Document) -> None:
        id_ = str(job["_id"])
        try:
            run_job(self._functions, job)
        except Exception:
            # Not even its failure could be written. It waits, as pending, for the next start of the server.
            self._given_up.add(id_)
            incident(f"the scheduled function {job.get('name')}")
        finally:
            self._running.pop(id_, None)
            self._wake.set()

    def _fail_interrupted(self) -> None:
        for job in _jobs(self._functions, "inProgress")[0]:
            _set(self._functions, job, "failed", "Transient error: the server was stopped while the action ran.")


def due_jobs(functions: Functions, now: float) -> tuple[list[Document], float | None]:
    """The jobs that are due at ``now`` (milliseconds), in the order of their times, and when the next one is."""
    return _jobs(functions, "pending", now)


def _jobs(functions: Functions, kind: str, now: float | None = None) -> tuple[list[Document], float | None]:
    with functions.engine.snapshot() as snapshot:
        table = snapshot.catalog.readable(SCHEDULED)
        if table is None:
            return [], None
        index = snapshot.catalog.indexes(table)["by_state"]
        prefix = order_key(kind)
        plan = QueryPlan(
            SCHEDULED, table, index, prefix, successor(prefix), descending=False, operators=(), fingerprint=""
        )
        transaction = functions.engine.begin(snapshot)
        due: list[Document] = []
        after: bytes | None = None
        while rows := transaction.rows(plan, after, 256):
            for row in rows:
                job = read_body(row.body)
                if now is not None and job["scheduledTime"] > now:
                    return due, float(job["scheduledTime"])
                due.append(job)
            after = rows[-1].key
        return due, None


def run_job(functions: Functions, job: Document) -> Outcome | None:
    """Runs a job that is pending; None where it is not any more. One that fails, for whatever reason, is failed."""
    outcome = Outcome(str(job.get("name")), "Mutation")
    ran: Outcome | None = None
    with recorded(outcome, functions.query_seconds):
        ran = _ran(functions, job)
        outcome = outcome if ran is None else ran
    if outcome.failure is not None:
        # A mutation has written so with its commit, unless it was the commit that failed.
        _set(functions, job, "failed", _why(outcome))
        return outcome
    return ran


def _ran(functions: Functions, job: Document) -> Outcome | None:
    with functions.engine.snapshot() as snapshot:
        function = functions.app(snapshot).find(str(job["name"]))
    args = job["args"]
    data = to_internal_json(args[0] if args else {})
    call = Call(str(job["name"]), data, internal=True, scheduled=str(job["_id"]))
    if function is not None and function.kind == "action":
        if not _set(functions, job, "inProgress"):
            return None
        outcome = functions.action(call)
        _set(functions, job, "failed" if outcome.failure else "success", _why(outcome))
        return outcome

    def settle(transaction: Transaction, outcome: Outcome) -> None:
        table, internal_id = _place(transaction, job)
        body = transaction.get(table, internal_id)
        if body is None or read_body(body)["state"]["kind"] != "pending":
            raise _Gone
        kind = "failed" if outcome.failure else "success"
        transaction.put(table, internal_id, _ended(job, kind, _why(outcome)))

    with suppress(_Gone):
        return functions.mutation(call, settle=settle)
    return None


class _Gone(Abandoned):
    """The job was cancelled, or somebody else has run it."""


def _why(outcome: Outcome) -> str | None:
    return None if outcome.failure is None else outcome.failure.text(outcome.request_id)


def _place(transaction: Transaction, job: Document) -> tuple[StoredTable, bytes]:
    table = transaction.catalog.readable(SCHEDULED)
    assert table is not None
    return table, decode_id(str(job["_id"]))[1]


def _set(functions: Functions, job: Document, kind: str, error: str | None = None) -> bool:
    """Puts a job into another state, unless it was cancelled meanwhile; whether it was."""

    def write(transaction: Transaction) -> bool:
        table, internal_id = _place(transaction, job)
        body = transaction.get(table, internal_id)
        allowed = ("pending",) if kind == "inProgress" else ("pending", "inProgress")
        if body is None or read_body(body)["state"]["kind"] not in allowed:
            return False
        transaction.put(table, internal_id, _ended(job, kind, error))
        return True

    return bool(write_directly(functions, write))


def write_directly(functions: Functions, write: Callable[[Transaction], Any]) -> Any:
    """Writes in a transaction of its own, again where another one was first; what ``write`` gives."""
    while True:
        with functions.engine.snapshot() as snapshot:
            transaction = functions.engine.begin(snapshot)
            result = write(transaction)
        with suppress(Conflict):
            functions.engine.commit(transaction)
            return result
