"""Runs pushed queries and mutations, each in a transaction.

Source: ``isolate/src/environment`` and ``application/src/application_function_runner`` of convex-backend.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from supavex.convex.values import InvalidValue, to_internal_json
from supavex.deployment.database.engine import Conflict, Engine, Snapshot
from supavex.deployment.database.paging import InvalidCursor
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.functions import storage
from supavex.deployment.functions.app import App, Function, Kind, canonical
from supavex.deployment.functions.call import (
    TOO_NESTED,
    Arguments,
    Call,
    check_arguments,
    checked,
    checked_result,
)
from supavex.deployment.functions.incidents import recorded
from supavex.deployment.functions.operations import answer
from supavex.deployment.functions.outcome import Failure, Outcome, conflict_failure, failure_of, logged
from supavex.deployment.functions.outgoing import permitted
from supavex.deployment.functions.references import named
from supavex.deployment.functions.syscalls import Frame, Services, parsed, understood
from supavex.deployment.functions.turns import Turns
from supavex.deployment.runtime.runner import AT_ONCE, Runner, RunnerLost, Runners
from supavex.errors import SupavexError

#: The most processor seconds of a query or a mutation, and the most wall-clock and processor seconds of an action, as
#: in Convex.
QUERY_SECONDS, ACTION_SECONDS, ACTION_CPU_SECONDS = 1.0, 600.0, 60.0
_RETRIES = 20
#: The number of conflicts after which a mutation runs alone. Only writers other than mutations can then conflict.
_ALONE_AFTER = 3
#: Convex does not count the time that its operations take. Here each costs the function's process something, too: so
#: many seconds are not counted for one, of so many at most, for a function may ask without end.
_OPERATION_SECONDS, _OPERATIONS = 0.001, 20_000
_DEPTH = 8

#: Makes, for an outcome, the function that writes to the file in the commit at a timestamp.
Also = Callable[["Outcome"], Callable[[Any, int], None]]


@dataclass(frozen=True, slots=True)
class JobWrites:
    """The writes about a job in the transaction of its mutation: before it begins, and when it is over.

    Both may raise :class:`Abandoned`. The writes of ``begin`` stay if the mutation fails.
    """

    begin: Callable[[Transaction], None]
    end: Callable[[Transaction, Outcome], None]


class TransactionFunctions:
    """The queries and mutations of the deployment in the file ``path``. Thread-safe. Close it at the end."""

    def __init__(
        self,
        path: Path,
        services: Services | None = None,
        runners: Runners | None = None,
        *,
        durable: bool = True,
    ) -> None:
        self.engine = Engine(path, durable=durable)
        self.services = services or Services()
        self._own_runners = runners is None
        self._runners = runners or Runners()
        self._app: App | None = None
        #: Set where nothing is waited for any more.
        self.closing = threading.Event()
        #: Limits queries and mutations to the number of processes. They never wait for each other.
        self.gate = threading.BoundedSemaphore(AT_ONCE)
        self._turns = Turns(AT_ONCE)
        self.query_seconds = QUERY_SECONDS
        self.action_seconds = ACTION_SECONDS
        #: Called with each outcome of an external call, for logs.
        self.listeners: list[Callable[[Outcome], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes and closes the file."""
        self.abort()
        self.engine.close()

    def abort(self) -> None:
        """Ends all running functions with a failure."""
        self.closing.set()
        if self._own_runners:
            self._runners.close()

    def app(self, snapshot: Snapshot) -> App:
        """The app as it was at the moment of ``snapshot``."""
        version = App.version_of(snapshot.connection)
        if self._app is None or self._app.version != version:
            self._app = App(snapshot.connection, version)
        return self._app

    def warm(self) -> None:
        """Prepares a process for the pushed functions."""
        with self.engine.snapshot() as snapshot:
            app = self.app(snapshot)
            if app.functions:
                self._runners.warm(app.version, app.scripts, permitted(self.services.fetch_hosts))

    # Calls from outside

    def query(self, call: Call, snapshot: Snapshot | None = None) -> Outcome:
        """Runs a query, at ``snapshot`` or now."""
        outcome = Outcome(canonical(call.path), "Query", component=call.component)
        with recorded(outcome, self.query_seconds), self.gate, ExitStack() as stack:
            at = snapshot or stack.enter_context(self.engine.snapshot())
            self._in_transaction(call, outcome, self.engine.begin(at))
        return self.told(outcome)

    def mutation(self, call: Call, also: Also | None = None, job: JobWrites | None = None) -> Outcome:
        """Runs a mutation until it commits.

        ``also`` makes writes to the file along with its outcome, good or bad; ``job`` writes documents along with it.
        Both may raise :class:`Abandoned`, which passes through.
        """
        place, conflict = self._turns.place(), Conflict()
        for retries in range(_RETRIES + 1):
            if retries > _ALONE_AFTER:  # Another process is writing, or a scheduler.
                time.sleep(random.uniform(0, 0.001 * 2 ** min(retries, 7)))
            with self._turns.taken(place, alone=retries >= _ALONE_AFTER):
                try:
                    outcome = self._attempted(call, also, job)
                except Conflict as met:
                    conflict = met
                    continue
            outcome.retries = retries
            return self.told(outcome)
        path = canonical(call.path)
        failure = conflict_failure(conflict, path)
        return self.told(Outcome(path, "Mutation", failure=failure, component=call.component))

    def _attempted(self, call: Call, also: Also | None, job: JobWrites | None) -> Outcome:
        """Runs a mutation once, and commits. Raises :class:`Conflict` if it has to run again."""
        outcome = Outcome(canonical(call.path), "Mutation", component=call.component)
        settled: Transaction | None = None
        with recorded(outcome, self.query_seconds), self.gate, self.engine.snapshot() as snapshot:
            transaction = self.engine.begin(snapshot)
            transaction.source = outcome.path
            if job is not None:
                job.begin(transaction)
            begun = transaction.mark()
            with recorded(outcome, self.query_seconds):
                self._in_transaction(call, outcome, transaction)
            if outcome.failure is not None:
                transaction.go_back(begun)
            if job is not None:
                job.end(transaction, outcome)
            settled = transaction
        if settled is not None:
            # The snapshot has to end first: while it is open, a commit can't move the log into the file.
            with recorded(outcome, self.query_seconds):
                outcome.ts = self.engine.commit(settled, None if also is None else also(outcome))
        return outcome

    def told(self, outcome: Outcome) -> Outcome:
        """Passes an outcome to the listeners. Returns it."""
        for listener in list(self.listeners):
            listener(outcome)
        return outcome

    def _in_transaction(self, call: Call, outcome: Outcome, transaction: Transaction) -> None:
        """Runs a query or a mutation; its result is the value of ``outcome``. The caller holds the gate."""
        kind: Kind = "mutation" if outcome.kind == "Mutation" else "query"
        outcome.ts = outcome.read_at = transaction.ts
        outcome.request_id = call.request_id or outcome.request_id
        outcome.reads = transaction.reads
        app = self.app(snapshot_of(transaction))
        function = checked(app, call, kind)
        outcome.path = function.path
        with transaction.within(function.component.id):
            check_arguments(function, call.args, transaction)
            with self.runner(app) as leased:
                run = TransactionRun(self, app, leased.runner, transaction, call, outcome)
                outcome.value = run.outermost(function, call)

    def runner(self, app: App, function: Function | None = None) -> Leased:
        """A process for one call, given back when the block ends. One for Node runs that call alone."""
        if function is not None and function.node:
            return Leased(None, app, permitted(self.services.fetch_hosts))
        return Leased(self._runners, app, permitted(self.services.fetch_hosts))

    def start_request(self, app: App, function: Function, call: Call, snapshot: Snapshot) -> dict[str, Any]:
        """The description of a function for the process that runs it."""
        component = function.component
        addresses = self.services.addresses
        site = addresses.site + (component.http_prefix or "").rstrip("/")
        own = {"CONVEX_CLOUD_URL": addresses.cloud, "CONVEX_SITE_URL": site}
        app_own = dict(snapshot.connection.execute("SELECT name, value FROM environment"))
        return {
            "path": function.key,
            "component": component.id,
            "componentArgs": component.args,
            "name": function.name,
            "kind": function.kind,
            "args": json.dumps([call.args]),
            "requestId": "",
            "imported": app.imported,
            "tables": snapshot.catalog.of(component.id).numbers,
            "environment": own | component.environment(app_own),
        }


def snapshot_of(transaction: Transaction) -> Snapshot:
    """The snapshot of a transaction. The transaction's owner holds it."""
    return Snapshot(transaction.connection, transaction.catalog, transaction.ts)


class Leased:
    """A runner that is in use; see :meth:`Functions.runner`. A context manager."""

    def __init__(self, runners: Runners | None, app: App, hosts: frozenset[str]) -> None:
        self._runners, self._app, self._hosts = runners, app, hosts

    def __enter__(self) -> Leased:
        if self._runners is None:
            self.runner = Runner(self._app.node_scripts, self._hosts, node=True)
            self.runner.begin()
            return self
        self.runner = self._runners.take(self._app.version, self._app.scripts, self._hosts)
        return self

    def __exit__(self, *details: object) -> None:
        if self._runners is None:
            self.runner.kill()
        else:
            self._runners.give(self._app.version, self.runner, self._hosts)


@dataclass(slots=True)
class TransactionRun:
    """A query or a mutation while it runs, with the functions that it calls, in one transaction and one process."""

    functions: TransactionFunctions
    app: App
    runner: Runner
    transaction: Transaction
    call: Call
    outcome: Outcome
    #: The number of functions that have begun.
    _count: int = 0
    _spent: float = 0.0
    #: Operations that were answered.
    _answered: int = 0
    #: How deep functions have called each other.
    _calling: int = 0

    def outermost(self, function: Function, call: Call) -> str:
        """Runs the function that was called from outside; its result as JSON."""
        frame = self._frame(function, call)
        frame.journal = call.journal
        try:
            return self._run(frame, function, call, outermost=True)
        finally:
            self.outcome.journal = frame.next_journal
            self.outcome.saw_identity |= frame.saw_identity

    def _frame(self, function: Function, call: Call) -> Frame:
        services = self.functions.services
        return Frame(
            function.path,
            function.kind,
            self.transaction,
            call.identity,
            self.app,
            services,
            component=function.component,
            job=self.call.scheduled,
            request_id=self.outcome.request_id,
        )

    def _run(self, frame: Frame, function: Function, call: Call, *, outermost: bool = False) -> str:
        self._count += 1
        id_ = self._count
        request = self.functions.start_request(self.app, function, call, snapshot_of(self.transaction))
        request |= {"outermost": outermost, "now": self.functions.engine.clock.ns() // 1_000_000}
        request["seed"] = [secrets.randbits(32) for _ in range(4)]
        request["snapshot"] = to_internal_json(self.transaction.ts)["$integer"]
        instructions: list[Any] = [["start", id_, request]]
        while True:
            messages, instructions = self._step(instructions), []
            for _, call_id, operation, payload, *rest in messages:
                if operation == "log":
                    self.outcome.add_log(*logged(payload, rest[0], self.app))
                elif operation in ("done", "failed", "stuck"):
                    return self._result(frame, function, operation, payload, rest[0])
                else:
                    instructions.append(self._answer(frame, call_id, operation, payload, *rest))
            if not instructions:
                raise RunnerLost("crash")  # A process that waits for nothing reports the end of its function.

    def _result(self, frame: Frame, function: Function, how: str, payload: Any, read: list[Any]) -> str:
        """The result of a function that has ended, as JSON."""
        if how == "done":
            try:
                frame.consumed(read)
            except SupavexError as error:
                raise Failure(f"Uncaught Error: {error.message}\n") from None
            return checked_result(function, payload, self.transaction.name_of)
        with suppress(SupavexError):
            frame.consumed(read)
        raise failure_of(payload, self.app) if how == "failed" else Failure("Returned promise will never resolve")

    def _step(self, instructions: list[Any]) -> list[Any]:
        started = time.monotonic()
        limit = self.functions.query_seconds
        messages = self.runner.step(instructions, limit)
        self._spent += time.monotonic() - started
        self._answered += len(instructions)
        allowed = limit + _OPERATION_SECONDS * min(self._answered, _OPERATIONS)
        # Waiting is no processor time: that is looked at only where there may be too much of it.
        if self._spent > allowed and self.runner.run_cpu_seconds() > allowed:
            self.runner.kill()
            raise RunnerLost("timeout")
        return messages

    def _answer(self, frame: Frame, call_id: int, operation: str, payload: str, read: Sequence[Any] = ()) -> list[Any]:
        try:
            frame.consumed(read)
            if operation == "1.0/runUdf":
                with understood(operation):
                    return ["settle", call_id, True, self._nested(frame, parsed(payload))]
            if operation == "1.0/storageGet":
                with understood(operation):
                    files = self.functions.engine.files
                    return ["settle", call_id, True, storage.load_in_mutation(files, frame, parsed(payload))]
            answered = answer(frame, operation, payload)
            while frame.warnings:
                self.outcome.add_log("WARN", [frame.warnings.pop(0)])
            return ["settle", call_id, True, answered]
        except InvalidCursor as error:
            return ["settle", call_id, False, {"message": error.message, "data": json.loads(error.DATA)}]
        except SupavexError as error:
            return ["settle", call_id, False, {"message": error.message}]
        except InvalidValue as error:
            return ["settle", call_id, False, {"message": error.message}]
        except RecursionError:
            return ["settle", call_id, False, {"message": TOO_NESTED}]
        except Failure as failure:
            return ["settle", call_id, False, failure.thrown()]

    def _nested(self, frame: Frame, arguments: Arguments) -> str:
        """``ctx.runQuery`` and ``ctx.runMutation``. The writes of a failed mutation are undone."""
        kind: Kind = "mutation" if arguments["udfType"] == "mutation" else "query"
        if kind == "mutation" and frame.kind != "mutation":
            raise SupavexError("InvalidFunctionCall", "Cannot run a mutation inside a query.")
        if self._calling >= _DEPTH:
            raise SupavexError("MaximumCallDepth", f"Functions call each other more than {_DEPTH} deep.")
        path, component = named(self.app, frame.component, arguments)
        call = Call(path, arguments.get("args", {}), frame.identity, internal=True, component=component)
        if isinstance(call.args, list):
            call.args = call.args[0] if call.args else {}
        function = checked(self.app, call, kind)
        with self.transaction.within(function.component.id):
            check_arguments(function, call.args, self.transaction)
        outer = self.transaction
        if arguments["udfType"] == "snapshotQuery":
            # A query sees no later writes, and its reads may change before the commit.
            self.transaction = self.functions.engine.begin(snapshot_of(self.transaction))
        mark = self.transaction.mark()
        self._calling += 1
        called = self._frame(function, call)
        try:
            with (
                self.transaction.within(function.component.id),
                self.transaction.limited(arguments.get("transactionLimits") or {}),
            ):
                return self._run(called, function, call)
        except Failure:
            self.transaction.go_back(mark)
            raise
        finally:
            self.transaction = outer
            self._calling -= 1
            self.outcome.saw_identity |= called.saw_identity
