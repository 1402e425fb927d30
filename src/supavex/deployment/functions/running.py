"""Runs pushed queries and mutations, each in a transaction.

Source: ``isolate/src/environment`` and ``application/src/application_function_runner`` of convex-backend.
"""

from __future__ import annotations

import json
import random
import secrets
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from supavex.convex.values import InvalidValue, to_internal_json
from supavex.deployment.database.commits import Conflict
from supavex.deployment.database.engine import Engine, Snapshot
from supavex.deployment.database.paging import InvalidCursor
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.functions import storage
from supavex.deployment.functions.app import App, Function, Kind, canonical
from supavex.deployment.functions.call import (
    TOO_NESTED,
    Call,
    check_arguments,
    checked,
    checked_result,
)
from supavex.deployment.functions.incidents import recorded
from supavex.deployment.functions.operations import answer
from supavex.deployment.functions.outcome import Failure, Outcome, conflict_failure, failure_of, logged
from supavex.deployment.functions.outgoing import permitted
from supavex.deployment.functions.processes import Leased, Processes
from supavex.deployment.functions.references import named
from supavex.deployment.functions.syscalls import Arguments, Frame, Services, parsed, understood
from supavex.deployment.functions.turns import Turns
from supavex.deployment.runtime.deno import Modules
from supavex.deployment.runtime.runner import AT_ONCE, Runner, RunnerLost, Runners
from supavex.errors import SupavexError

#: The most processor seconds of a query or a mutation, and the most wall-clock and processor seconds of an action, as
#: in Convex.
QUERY_SECONDS, ACTION_SECONDS, ACTION_CPU_SECONDS = 1.0, 600.0, 60.0
_RETRIES = 20
#: The number of conflicts after which a mutation runs alone. Only writers other than mutations can then conflict.
_ALONE_AFTER = 3
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
        #: The app that was pushed last, and the number of :meth:`Engine.foreign` for which that holds.
        self._app: tuple[int | None, App] | None = None
        #: Set when all waits have to end.
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
        """The app at ``snapshot``."""
        known = self._app
        if known is not None and snapshot.foreign is not None and known[0] == snapshot.foreign:
            return known[1]
        version = App.version_of(snapshot.connection)
        app = known[1] if known is not None and known[1].version == version else App(snapshot.connection, version)
        self._app = snapshot.foreign, app
        return app

    def find(self, path: str, component: str = "") -> Function | None:
        """The function that a path names now; see :meth:`App.find`."""
        known, foreign = self._app, self.engine.foreign()
        if known is not None and foreign is not None and known[0] == foreign:
            return known[1].find(path, component)
        with self.engine.snapshot() as snapshot:
            return self.app(snapshot).find(path, component)

    def warm(self) -> None:
        """Prepares a process for the pushed functions."""
        with self.engine.snapshot() as snapshot:
            app = self.app(snapshot)
            if app.functions:
                self._runners.warm(self._modules(app))

    # Calls from outside

    def query(self, call: Call, snapshot: Snapshot | None = None) -> Outcome:
        """Runs a query, at ``snapshot`` or now."""
        outcome = Outcome(canonical(call.path), "Query", component=call.component)
        with recorded(outcome, self.query_seconds), self.gate, ExitStack() as stack:
            at = snapshot or stack.enter_context(self.engine.snapshot())
            self._in_transaction(call, outcome, self.engine.begin(at), self.app(at))
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
                self._in_transaction(call, outcome, transaction, self.app(snapshot))
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

    def _in_transaction(self, call: Call, outcome: Outcome, transaction: Transaction, app: App) -> None:
        """Runs a query or a mutation. Its result becomes the value of ``outcome``. The caller holds the gate."""
        kind: Kind = "mutation" if outcome.kind == "Mutation" else "query"
        outcome.ts = outcome.read_at = transaction.ts
        outcome.request_id = call.request_id or outcome.request_id
        outcome.reads = transaction.reads
        function = checked(app, call, kind)
        outcome.path = function.path
        with transaction.within(function.component.id):
            check_arguments(function, call.args, transaction)
            with self.runner(app, function) as runner:
                outcome.value = TransactionRun(self, app, transaction, call, outcome).outermost(function, runner)

    def _modules(self, app: App, definition: str = "", *, node: bool = False) -> Modules:
        scripts = app.scripts(definition, node=node)
        return Modules(app.version, scripts, permitted(self.services.fetch_hosts), definition)

    def runner(self, app: App, function: Function | None = None, held: int = 0) -> Leased:
        """A process for one call, given back when the block ends. ``held``: the number that the call holds already."""
        if function is None:
            return Leased(self._runners, self._modules(app), None, held)
        modules = self._modules(app, function.component.definition, node=function.node)
        return Leased(self._runners, modules, function, held)

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
            "outermostKind": function.kind,
            "args": json.dumps([call.args]),
            "requestId": "",
            "imported": app.imported,
            "tables": snapshot.catalog.of(component.id).numbers,
            "environment": own | component.environment(app_own),
        }


def snapshot_of(transaction: Transaction) -> Snapshot:
    """The snapshot of a transaction. The transaction's owner holds it."""
    return Snapshot(transaction.connection, transaction.catalog, transaction.ts)


@dataclass(slots=True)
class TransactionRun:
    """A running query or mutation, with the functions that it calls, in one transaction."""

    functions: TransactionFunctions  #: The deployment's queries and mutations.
    app: App  #: The pushed app, the same for all functions of the transaction.
    transaction: Transaction  #: The open transaction.
    call: Call  #: The outermost call.
    outcome: Outcome  #: The outcome of the outermost call, which collects the logs.
    #: The number of functions that have begun.
    _count: int = 0
    #: The depth of nested calls.
    _calling: int = 0
    #: The call's kind, and when it began, for the clocks of all its processes: milliseconds by the deployment's clock,
    #: and by this machine's.
    _began: dict[str, Any] = field(default_factory=dict)
    _processes: Processes = field(init=False)  #: The processes of the functions that run.

    def outermost(self, function: Function, runner: Runner) -> str:
        """Runs the function that was called from outside, in the process ``runner``. Returns its result as JSON."""
        functions, frame = self.functions, self._frame(function, self.call)
        frame.journal = self.call.journal
        now, real = functions.engine.clock.ns() // 1_000_000, time.time_ns() // 1_000_000
        self._began = {"outermostKind": function.kind, "now": now, "real": real}
        lease = partial(functions.runner, self.app)
        self._processes = Processes(lease, functions.query_seconds, runner, {function.component.id: runner})
        try:
            return self._run(frame, function, self.call, first=True)
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

    def _run(self, frame: Frame, function: Function, call: Call, *, first: bool) -> str:
        """Runs a function. Returns its result as JSON. ``first``: whether it is the first function in its process."""
        self._count += 1
        id_ = self._count
        request = self.functions.start_request(self.app, function, call, snapshot_of(self.transaction))
        request |= {"outermost": first, **self._began}
        new = self.transaction.new_tables.items()
        made = {name: table.number for (component, name), table in new if component == function.component.id}
        request["tables"] = request["tables"] | made
        request["seed"] = struct.unpack("4I", secrets.token_bytes(16))
        request["snapshot"] = to_internal_json(self.transaction.ts)["$integer"]
        instructions: list[Any] = [["start", id_, request]]
        while True:
            messages, instructions = self._processes.step(instructions), []
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

    def _answer(self, frame: Frame, call_id: int, operation: str, payload: str, read: Sequence[Any] = ()) -> list[Any]:
        try:
            frame.consumed(read)
            if operation == "1.0/runUdf":
                return ["settle", call_id, True, self._nested(frame, operation, payload)]
            if operation == "1.0/storageGet":
                arguments, files = parsed(operation, payload), self.functions.engine.files
                return ["settle", call_id, True, storage.load_in_mutation(files, frame, arguments)]
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

    def _asked(self, frame: Frame, arguments: Arguments) -> tuple[Call, Kind, bool]:
        """The call that ``arguments`` describe, its kind, and whether it reads the stored documents alone."""
        kind: Kind = "mutation" if arguments["udfType"] == "mutation" else "query"
        if kind == "mutation" and frame.kind != "mutation":
            raise SupavexError("InvalidFunctionCall", "Cannot run a mutation inside a query.")
        if self._calling >= _DEPTH:
            raise SupavexError("MaximumCallDepth", f"Functions call each other more than {_DEPTH} deep.")
        path, component = named(self.app, frame.component, arguments)
        call = Call(path, arguments.get("args", {}), frame.identity, internal=True, component=component)
        if isinstance(call.args, list):
            call.args = call.args[0] if call.args else {}
        return call, kind, arguments["udfType"] == "snapshotQuery"

    def _nested(self, frame: Frame, operation: str, payload: str) -> str:
        """``ctx.runQuery`` and ``ctx.runMutation``. Any failure undoes the writes of the mutation.

        Only an error of reading the arguments is about the arguments: an unforeseen exception fails the whole call.
        """
        arguments = parsed(operation, payload)
        call, kind, stale = self._asked(frame, arguments)
        function = checked(self.app, call, kind)
        with self.transaction.within(function.component.id):
            check_arguments(function, call.args, self.transaction)
        outer = self.transaction
        if stale:
            # A query sees no later writes, and its reads may change before the commit.
            self.transaction = self.functions.engine.begin(snapshot_of(self.transaction))
        mark = self.transaction.mark()
        self._calling += 1
        called = self._frame(function, call)
        try:
            with ExitStack() as stack:
                stack.enter_context(self.transaction.within(function.component.id))
                with understood(operation):
                    limits = arguments.get("transactionLimits") or {}
                    stack.enter_context(self.transaction.limited(limits))
                first = stack.enter_context(self._processes.within(function))
                return self._run(called, function, call, first=first)
        except BaseException:
            self.transaction.go_back(mark)
            raise
        finally:
            self.transaction = outer
            self._calling -= 1
            self.outcome.saw_identity |= called.saw_identity
