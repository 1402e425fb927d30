"""Runs pushed functions: queries and mutations in a transaction, actions outside of one.

Source: ``isolate/src/environment`` and ``application/src/application_function_runner`` of convex-backend.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supavex.convex.limits import MAX_VALUE_NESTING
from supavex.convex.messages import mismatch_text
from supavex.convex.values import (
    InvalidValue,
    Value,
    from_internal_json,
    nesting,
    size,
    to_internal_json,
    value_problem,
)
from supavex.deployment.functions import storage as _storage  # noqa: F401  (its operations are known from here on)
from supavex.deployment.functions.app import App, Function, Kind, canonical
from supavex.deployment.functions.engine import Conflict, Engine, Snapshot
from supavex.deployment.functions.identity import NOBODY, Identity
from supavex.deployment.functions.outcome import Failure, Outcome, failure_of, logged
from supavex.deployment.functions.paging import InvalidCursor
from supavex.deployment.functions.runner import AT_ONCE, Runner, RunnerLost, Runners
from supavex.deployment.functions.syscalls import Frame, Services, answer, understood
from supavex.deployment.functions.transaction import Transaction
from supavex.errors import SupavexError

#: Processor seconds that a query or a mutation may take, and wall-clock seconds of an action, as Convex has them.
QUERY_SECONDS, ACTION_SECONDS, ACTION_CPU_SECONDS = 1.0, 600.0, 60.0
MAX_ARGUMENT_BYTES = MAX_RESULT_BYTES = 16 << 20
TOO_NESTED = f"Value is too nested (more than {MAX_VALUE_NESTING} levels deep)"
_RETRIES = 20
#: Convex does not count the time that its operations take. Here each costs the function's process something, too: so
#: many seconds are not counted for one, of so many at most, for a function may ask without end.
_OPERATION_SECONDS, _OPERATIONS = 0.001, 20_000
_DEPTH = 8
Arguments = dict[str, Any]


#: Gives, for an outcome, what is to be done with the file's connection at a commit's timestamp.
Also = Callable[["Outcome"], Callable[[Any, int], None]]
Settle = Callable[[Transaction, "Outcome"], None]


@dataclass(slots=True)
class Call:
    """One function to be run. ``args`` is JSON data (internal form) of an object."""

    path: str
    args: Any
    identity: Identity = NOBODY
    #: Whether internal functions may be called.
    internal: bool = False
    journal: str | None = None
    scheduled: str | None = None
    #: The request that the call is part of; None for one of its own.
    request_id: str | None = None


class Functions:
    """The functions of the deployment in the file ``path``. Thread-safe; close it in the end."""

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
        #: Queries and mutations wait for nobody, so that as many may run at once as there are processes for.
        self.gate = threading.BoundedSemaphore(AT_ONCE)
        self.query_seconds = QUERY_SECONDS
        self.action_seconds = ACTION_SECONDS
        #: Called with each outcome of a call from outside, for logs.
        self.listeners: list[Callable[[Outcome], None]] = []

    def __enter__(self) -> Functions:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes and closes the file."""
        self.abort()
        self.engine.close()

    def abort(self) -> None:
        """Ends whatever runs, as a failure."""
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
        """Makes a process ready for the functions that are pushed now."""
        with self.engine.snapshot() as snapshot:
            app = self.app(snapshot)
            if app.functions:
                self._runners.warm(app.version, app.scripts)

    # Calls from outside

    def query(self, call: Call, snapshot: Snapshot | None = None) -> Outcome:
        """Runs a query, at the moment of ``snapshot`` or now."""
        if snapshot is None:
            with self.engine.snapshot() as now:
                return self.query(call, now)
        return self._told(self._in_transaction(call, "query", snapshot))

    def mutation(self, call: Call, also: Also | None = None, settle: Settle | None = None) -> Outcome:
        """Runs a mutation until it commits.

        ``also`` gives what is to be written to the file along with its outcome, be it good or bad; ``settle`` writes
        documents along with it.
        """
        retries = 0
        while True:
            with self.engine.snapshot() as snapshot:
                try:
                    outcome = self._in_transaction(call, "mutation", snapshot, also, settle)
                    outcome.retries = retries
                    return self._told(outcome)
                except Conflict:
                    retries += 1
            if retries > _RETRIES:
                message = "Documents read from or written to changed while this mutation was being run and on every "
                failure = Failure(f"{message}subsequent retry. A function and another one write the same documents.")
                return self._told(Outcome(canonical(call.path), "Mutation", failure=failure))
            time.sleep(random.uniform(0, 0.001 * 2 ** min(retries, 7)))

    def run(self, call: Call) -> Outcome:
        """Runs a function of any kind."""
        with self.engine.snapshot() as snapshot:
            found = self.app(snapshot).find(call.path)
        if found is None or found.kind == "query":
            return self.query(call)
        if found.kind == "mutation":
            return self.mutation(call)
        return self.action(call)

    def action(self, call: Call) -> Outcome:
        """Runs an action: what it does to the data is done by queries and mutations of their own."""
        from supavex.deployment.functions.actions import run_action

        return self._told(run_action(self, call))

    def _told(self, outcome: Outcome) -> Outcome:
        for listener in list(self.listeners):
            listener(outcome)
        return outcome

    def _in_transaction(
        self,
        call: Call,
        kind: Kind,
        snapshot: Snapshot,
        also: Also | None = None,
        settle: Settle | None = None,
    ) -> Outcome:
        outcome = Outcome(canonical(call.path), kind.capitalize(), ts=snapshot.ts, read_at=snapshot.ts)
        outcome.request_id = call.request_id or outcome.request_id
        started = time.monotonic()
        transaction = self.engine.begin(snapshot)
        begun = transaction.mark()
        app = self.app(snapshot)
        try:
            function = checked(app, call, kind)
            outcome.path = function.path
            check_arguments(function, call.args, transaction)
            with self.gate, self.runner(app) as leased:
                run = TransactionRun(self, app, leased.runner, transaction, call, outcome)
                outcome.value = run.outermost(function, call)
        except Failure as failure:
            outcome.failure = failure
        except RunnerLost as lost:
            outcome.failure = Failure(lost_message(lost.reason, self.query_seconds))
        except SupavexError as error:
            outcome.failure = Failure(error.message)
        outcome.reads = transaction.reads
        outcome.seconds = time.monotonic() - started
        if kind == "mutation":
            if outcome.failure is not None:
                transaction.go_back(begun)
            if settle is not None:
                settle(transaction, outcome)
            outcome.ts = self.engine.commit(transaction, None if also is None else also(outcome))
        return outcome

    def runner(self, app: App) -> Leased:
        """A process for one call, given back when the block ends."""
        return Leased(self._runners, app)

    def start_request(
        self, app: App, function: Function, call: Call, snapshot: Snapshot | Transaction
    ) -> dict[str, Any]:
        """What V8 is told of a function that is to run."""
        catalog = snapshot.catalog
        connection = snapshot.connection if isinstance(snapshot, Snapshot) else None
        addresses = self.services.addresses
        own = {"CONVEX_CLOUD_URL": addresses.cloud, "CONVEX_SITE_URL": addresses.site}
        if connection is not None:
            own |= dict(connection.execute("SELECT name, value FROM environment"))
        return {
            "path": function.module,
            "name": function.name,
            "kind": function.kind,
            "args": json.dumps([call.args]),
            "requestId": "",
            "imported": app.imported,
            "tables": catalog.numbers,
            "environment": own,
        }


class Leased:
    """A runner that is in use; see :meth:`Functions.runner`. A context manager."""

    def __init__(self, runners: Runners, app: App) -> None:
        self._runners, self._app = runners, app

    def __enter__(self) -> Leased:
        self.runner = self._runners.take(self._app.version, self._app.scripts)
        return self

    def __exit__(self, *details: object) -> None:
        self._runners.give(self._app.version, self.runner)


def checked(app: App, call: Call, kind: Kind) -> Function:
    """The function that a call names. Raises :class:`Failure` where there is none that may be called so."""
    function = app.find(call.path)
    shown = canonical(call.path)
    if function is None:
        if call.internal:
            raise Failure(f"Could not find function for '{shown}'. Did you forget to run `npx convex dev`?")
        raise Failure(f"Could not find public function for '{shown}'. Did you forget to run `npx convex dev`?")
    if not function.public and not call.internal:
        raise Failure(f"Could not find public function for '{shown}'. Did you forget to run `npx convex dev`?")
    if function.kind != kind:
        raise Failure(
            f"Trying to execute {function.udf_path} as {kind.capitalize()}, but it is defined as "
            f"{function.kind.capitalize()}."
        )
    if function.node:
        raise Failure(f'Not supported here: {shown} is in a file with "use node", and Node does not run here.')
    return function


def _value(data: Any) -> Value:
    """The value of internal JSON. Raises :class:`InvalidValue` for what breaks Convex's limits on any value, too."""
    value = from_internal_json(data)
    problem = value_problem(value)
    if problem:
        raise InvalidValue(problem)
    if nesting(value) > MAX_VALUE_NESTING:
        raise InvalidValue(TOO_NESTED)
    return value


def check_arguments(function: Function, args: Any, transaction: Transaction) -> None:
    """Raises :class:`Failure` where arguments don't fit."""
    try:
        value = _value(args)
    except RecursionError:
        raise Failure(f"Invalid arguments for {function.path}: {TOO_NESTED}") from None
    except InvalidValue as error:
        raise Failure(f"Invalid arguments for {function.path}: {error.message}") from None
    weight = size([value])
    if weight > MAX_ARGUMENT_BYTES:
        raise Failure(f"Arguments for {function.path} are too large (actual: {_shown(weight)}, limit: 16 MiB)")
    mismatch = None if function.args is None else function.args.check(value, transaction.catalog.name_of)
    if mismatch:
        raise Failure(f"ArgumentValidationError: {mismatch_text(mismatch)}")


def checked_result(function: Function, text: str, catalog_name: Callable[[int], str | None]) -> str:
    """A function's result. Raises :class:`Failure` where it is none, too large, or does not fit."""
    try:
        value = _value(json.loads(text))
    except RecursionError:
        raise Failure(f"Function {function.path} return value invalid: {TOO_NESTED}") from None
    except (InvalidValue, ValueError) as error:
        said = error.message if isinstance(error, InvalidValue) else str(error)
        raise Failure(f"Function {function.path} return value invalid: {said}") from None
    weight = size(value)
    if weight > MAX_RESULT_BYTES:
        said = f"Function {function.path} return value is too large (actual: {_shown(weight)}, limit: 16 MiB)"
        raise Failure(said)
    mismatch = None if function.returns is None else function.returns.check(value, catalog_name)
    if mismatch:
        raise Failure(f"ReturnsValidationError: {mismatch_text(mismatch)}")
    return text


def _shown(weight: int) -> str:
    return f"{weight / (1 << 20):.2f} MiB"


def lost_message(reason: str, seconds: float) -> str:
    """What is said of a function whose process was killed."""
    if reason == "timeout":
        return f"Function execution timed out (maximum duration: {seconds:g}s)"
    if reason == "memory":
        return "JavaScript execution ran out of memory (maximum memory usage: 512 MB)"
    return "The process that ran the function ended unexpectedly."


@dataclass(slots=True)
class TransactionRun:
    """A query or a mutation while it runs, with the functions that it calls, in one transaction and one process."""

    functions: Functions
    app: App
    runner: Runner
    transaction: Transaction
    call: Call
    outcome: Outcome
    #: Functions that have begun.
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
            job=self.call.scheduled,
            request_id=self.outcome.request_id,
        )

    def _run(self, frame: Frame, function: Function, call: Call, *, outermost: bool = False) -> str:
        self._count += 1
        id_ = self._count
        request = self.functions.start_request(self.app, function, call, self._snapshot())
        request |= {"outermost": outermost, "now": time.time_ns() // 1_000_000}
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
                raise RunnerLost("crash")  # run.js says how a function is that asks for nothing

    def _result(self, frame: Frame, function: Function, how: str, payload: Any, read: list[Any]) -> str:
        """What becomes of a function that is over: its result as JSON."""
        if how == "done":
            try:
                frame.consumed(read)
            except SupavexError as error:
                raise Failure(f"Uncaught Error: {error.message}\n") from None
            return checked_result(function, payload, self.transaction.catalog.name_of)
        with suppress(SupavexError):
            frame.consumed(read)
        raise failure_of(payload, self.app) if how == "failed" else Failure("Returned promise will never resolve")

    def _snapshot(self) -> Snapshot:
        return Snapshot(self.transaction.connection, self.transaction.catalog, self.transaction.ts)

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
                    return ["settle", call_id, True, self._nested(frame, json.loads(payload))]
            return ["settle", call_id, True, answer(frame, operation, payload)]
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
        """``ctx.runQuery`` and ``ctx.runMutation``: what a mutation that fails has written is taken back."""
        kind: Kind = "mutation" if arguments["udfType"] == "mutation" else "query"
        if kind == "mutation" and frame.kind != "mutation":
            raise SupavexError("InvalidFunctionCall", "Cannot run a mutation inside a query.")
        if self._calling >= _DEPTH:
            raise SupavexError("MaximumCallDepth", f"Functions call each other more than {_DEPTH} deep.")
        call = Call(named(arguments), arguments.get("args", {}), frame.identity, internal=True)
        if isinstance(call.args, list):
            call.args = call.args[0] if call.args else {}
        function = checked(self.app, call, kind)
        check_arguments(function, call.args, self.transaction)
        outer = self.transaction
        if arguments["udfType"] == "snapshotQuery":
            # It sees nothing that was written since, and what it reads may change before the commit.
            self.transaction = self.functions.engine.begin(self._snapshot())
        mark = self.transaction.mark()
        self._calling += 1
        called = self._frame(function, call)
        try:
            with self.transaction.limited(arguments.get("transactionLimits") or {}):
                return self._run(called, function, call)
        except Failure:
            self.transaction.go_back(mark)
            raise
        finally:
            self.transaction = outer
            self._calling -= 1
            self.outcome.saw_identity |= called.saw_identity


def named(arguments: Arguments) -> str:
    """The path of the function that an operation names."""
    name = arguments.get("name")
    if isinstance(name, str):
        return name
    handle = arguments.get("functionHandle")
    if isinstance(handle, str) and handle.startswith("function://"):
        return handle.partition("//")[2].partition(";")[2] or handle.rpartition("/")[2]
    message = "Not supported here: a reference to a component's function."
    raise SupavexError("NotSupportedHere", message)
