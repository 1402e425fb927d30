"""Runs scheduled functions when they are due.

Source: ``application/src/scheduled_jobs`` of convex-backend. A mutation's job ends in the mutation's own transaction.
An action runs at most once.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

from supavex.convex.ids import decode_id
from supavex.convex.order_keys import order_key, successor
from supavex.convex.values import Document, to_internal_json
from supavex.deployment.database.catalog import SCHEDULED, Catalog
from supavex.deployment.database.commits import Abandoned
from supavex.deployment.database.components import components
from supavex.deployment.database.plans import QueryPlan
from supavex.deployment.database.store import StoredTable, read_body
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.functions.app import canonical
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.cron_runs import due_crons, fail_interrupted, run_cron
from supavex.deployment.functions.crons import CronJob
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.incidents import incident, recorded
from supavex.deployment.functions.outcome import Failure, Outcome
from supavex.deployment.functions.running import JobWrites
from supavex.deployment.functions.scheduling import ended

#: Seconds between two searches for due jobs, if no event comes before.
_LOOK_SECONDS = 5.0
#: The most jobs that run at the same time.
_AT_ONCE = 16


class Scheduler:
    """Runs the jobs of a deployment when they are due, one thread for each running job."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._wake = threading.Event()
        self._closing = False
        self._running: dict[str, threading.Thread] = {}
        #: Jobs that are not started again.
        self._given_up: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="supavex-scheduler", daemon=True)

    def start(self) -> None:
        """Starts the scheduler. Unfinished actions of an earlier process get a failure."""
        self._fail_interrupted()
        fail_interrupted(self._functions)
        self._functions.engine.listeners.append(lambda commit: self._wake.set())
        self._thread.start()

    def close(self) -> None:
        """Starts no further jobs, and waits briefly for the running ones."""
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
                now = self._functions.engine.clock.now()
                due, after = due_jobs(self._functions, now * 1000)
                crons, then = due_crons(self._functions, now)
                moments = [moment for moment in (after, None if then is None else then * 1000) if moment is not None]
                after = min(moments, default=None)
                self._begin(due)
                self._begin_crons(crons)
            except Exception:
                incident("the scheduler")
            wait = (
                _LOOK_SECONDS
                if after is None
                else min(_LOOK_SECONDS, max(0.0, after / 1000 - self._functions.engine.clock.now()))
            )
            self._wake.wait(wait)

    def _begin(self, due: list[Job]) -> None:
        for job in due:
            id_ = job.id
            free = id_ not in self._running and id_ not in self._given_up
            if free and not self._closing and len(self._running) < _AT_ONCE:
                thread = threading.Thread(target=self._run, args=(job,), name="supavex-job", daemon=True)
                self._running[id_] = thread
                thread.start()

    def _begin_crons(self, due: list[CronJob]) -> None:
        for job in due:
            key = f"cron {job.component} {job.name}"
            free = key not in self._running and key not in self._given_up
            if free and not self._closing and len(self._running) < _AT_ONCE:
                thread = threading.Thread(target=self._run_cron, args=(key, job), name="supavex-cron", daemon=True)
                self._running[key] = thread
                thread.start()

    def _run_cron(self, key: str, job: CronJob) -> None:
        try:
            run_cron(self._functions, job)
        except Exception:
            # Recording the failure failed as well. The job is not tried again before the next start of the server.
            self._given_up.add(key)
            incident(f"the cron job {job.name}")
        finally:
            self._running.pop(key, None)
            self._wake.set()

    def _run(self, job: Job) -> None:
        id_ = job.id
        try:
            run_job(self._functions, job)
        except Exception:
            # Recording the failure failed as well. The job stays pending until the next start of the server.
            self._given_up.add(id_)
            incident(f"the scheduled function {job.document.get('name')}")
        finally:
            self._running.pop(id_, None)
            self._wake.set()

    def _fail_interrupted(self) -> None:
        for job in _jobs(self._functions, "inProgress")[0]:
            _set(self._functions, job, "failed", "Transient error: the server was stopped while the action ran.")


@dataclass(frozen=True, slots=True)
class Job:
    """A document of ``_scheduled_functions``, with the id and path of its component (0 and "" for the app)."""

    document: Document
    component: int
    path: str

    @property
    def id(self) -> str:
        """The document's id, which is unique over all components."""
        return str(self.document["_id"])

    @property
    def function(self) -> tuple[str, str]:
        """The paths of the function and of its component."""
        return str(self.document["name"]), str(self.document.get("component", self.path))


def due_jobs(functions: Functions, now: float) -> tuple[list[Job], float | None]:
    """The jobs that are due at ``now`` (milliseconds), by time, and the time of the next one."""
    return _jobs(functions, "pending", now)


def _jobs(functions: Functions, kind: str, now: float | None = None) -> tuple[list[Job], float | None]:
    with functions.engine.snapshot() as snapshot:
        transaction, found, later = functions.engine.begin(snapshot), list[Job](), list[float]()
        paths: dict[int, str] = {}
        for catalog in snapshot.catalog.components:
            table = catalog.readable(SCHEDULED)
            if table is None:
                continue
            if catalog.component and not paths:
                paths = {one.id: path for path, one in components(snapshot.connection).items()}
            due, after = _due(transaction, catalog, table, kind, now)
            found += [Job(document, catalog.component, paths.get(catalog.component, "")) for document in due]
            later += [] if after is None else [after]
        found.sort(key=lambda job: float(job.document["scheduledTime"]))
        return found, min(later, default=None)


def _due(
    transaction: Transaction, catalog: Catalog, table: StoredTable, kind: str, now: float | None
) -> tuple[list[Document], float | None]:
    """The jobs of one component; see :func:`due_jobs`."""
    index, prefix = catalog.indexes(table)["by_state"], order_key(kind)
    plan = QueryPlan(SCHEDULED, table, index, prefix, successor(prefix), descending=False, operators=(), fingerprint="")
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


def run_job(functions: Functions, job: Job) -> Outcome | None:
    """Runs a pending job; None if it is no longer pending. A job that fails for any reason is recorded as failed."""
    path, component = job.function
    outcome = Outcome(canonical(path), "Mutation", component=component)
    ran: Outcome | None = None
    with recorded(outcome, functions.query_seconds):
        ran = _ran(functions, job, outcome)
    if ran is not None:
        outcome = ran
    elif outcome.failure is not None:
        functions.told(outcome)  # It failed before the function ran, which tells its own outcome.
    if outcome.failure is not None:
        # A mutation has recorded this in its commit, unless the commit itself failed.
        _set(functions, job, "failed", _why(outcome))
        return outcome
    return ran


def _ran(functions: Functions, job: Job, begun: Outcome) -> Outcome | None:
    """Runs a job. ``begun``: the outcome if it fails before its function runs; it gets the function's kind."""
    path, component = job.function
    with functions.engine.snapshot() as snapshot:
        function = functions.app(snapshot).find(path, component)
    if function is not None:
        begun.kind = function.kind.capitalize()
    if function is not None and function.kind == "query":
        where = f'"{function.name}" in module "{function.module}"{function.component.shown}'
        message = f"Unsupported function type. {where} is defined as a Query. "
        message += "Only Mutation and Action can be scheduled."
        raise Failure(message)
    args = job.document["args"]
    data = to_internal_json(args[0] if args else {})
    call = Call(path, data, internal=True, scheduled=(job.component, job.id), component=component)
    if function is not None and function.kind == "action":
        if not _set(functions, job, "inProgress"):
            return None
        outcome = functions.action(call)
        _set(functions, job, "failed" if outcome.failure else "success", _why(outcome))
        return outcome

    def begin(transaction: Transaction) -> None:
        table, internal_id = _place(transaction, job)
        body = transaction.peek(table, internal_id)
        if body is None or read_body(body)["state"]["kind"] != "pending":
            raise _Gone
        # The mutation sees its own job in this state. For others it stays pending until it is over.
        transaction.put(table, internal_id, ended(job.document, "inProgress", transaction))

    def end(transaction: Transaction, outcome: Outcome) -> None:
        table, internal_id = _place(transaction, job)
        body = transaction.peek(table, internal_id)
        if body is None or read_body(body)["state"]["kind"] != "canceled":
            kind = "failed" if outcome.failure else "success"
            transaction.put(table, internal_id, ended(job.document, kind, transaction, _why(outcome)))

    with suppress(_Gone):
        return functions.mutation(call, job=JobWrites(begin, end))
    return None


class _Gone(Abandoned):
    """The job was cancelled, or another process has run it."""


def _why(outcome: Outcome) -> str | None:
    return None if outcome.failure is None else outcome.failure.text(outcome.request_id)


def _place(transaction: Transaction, job: Job) -> tuple[StoredTable, bytes]:
    table = transaction.catalog.of(job.component).readable(SCHEDULED)
    assert table is not None
    return table, decode_id(job.id)[1]


def _set(functions: Functions, job: Job, kind: str, error: str | None = None) -> bool:
    """Sets the state of a job, unless it was cancelled meanwhile. Returns whether it was set."""

    def write(transaction: Transaction) -> bool:
        table, internal_id = _place(transaction, job)
        body = transaction.get(table, internal_id)
        allowed = ("pending",) if kind == "inProgress" else ("pending", "inProgress")
        if body is None or read_body(body)["state"]["kind"] not in allowed:
            return False
        transaction.put(table, internal_id, ended(job.document, kind, transaction, error))
        return True

    return bool(functions.engine.write(write))
