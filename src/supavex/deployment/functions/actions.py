"""Actions: they run outside transactions, and reach the data through queries and mutations."""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from supavex.deployment.database.components import APP, Component
from supavex.deployment.database.engine import Snapshot
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.database.vector_search import VectorQuery, vector_search
from supavex.deployment.functions import scheduling, storage
from supavex.deployment.functions.app import App, Function, canonical
from supavex.deployment.functions.call import (
    TOO_NESTED,
    Call,
    check_arguments,
    checked,
    checked_result,
)
from supavex.deployment.functions.identity import Identity, passed_on
from supavex.deployment.functions.incidents import recorded
from supavex.deployment.functions.operations import answer
from supavex.deployment.functions.outcome import Failure, Outcome, failure_of, logged
from supavex.deployment.functions.references import named
from supavex.deployment.functions.routing import routed
from supavex.deployment.functions.running import ACTION_CPU_SECONDS, TransactionFunctions
from supavex.deployment.functions.syscalls import Arguments, Frame, parsed, understood
from supavex.deployment.runtime.runner import Runner, RunnerLost
from supavex.errors import SupavexError

#: The most operations of an action at the same time.
_AT_ONCE = 16


def run_action(functions: TransactionFunctions, call: Call, action: Callable[[Call], Outcome]) -> Outcome:
    """Runs an action to its end. ``action`` runs the actions that it calls."""
    outcome = Outcome(canonical(call.path), "Action", component=call.component)
    outcome.request_id = call.request_id or outcome.request_id
    with recorded(outcome, functions.action_seconds):
        with functions.engine.snapshot() as snapshot:
            app = functions.app(snapshot)
            function = checked(app, call, "action")
            outcome.path = function.path
            transaction = functions.engine.begin(snapshot)
            with transaction.within(function.component.id):
                check_arguments(function, call.args, transaction)
            request = functions.start_request(app, function, call, snapshot)
        # An action may take minutes. From here on, its arguments are kept only as text.
        call.args = None
        call.taken()
        with functions.runner(app, function) as runner:
            run = _ActionRun(functions, action, app, runner, call, outcome, function.component)
            value = run.until_done(request)
        # Tables may have been made since the action began.
        with functions.engine.snapshot() as snapshot:
            outcome.value = checked_result(function, value, snapshot.catalog.of(function.component.id).name_of)
    outcome.ts = functions.engine.log.last
    return outcome


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request for an HTTP action. ``path`` is used for routing; ``url`` contains it."""

    method: str
    url: str
    path: str
    headers: list[tuple[str, str]]
    has_body: bool


#: The module and export with the router of HTTP actions.
_ROUTER = Function("http.js", "default", "action", True, None, None, False)


def run_http_action(
    functions: TransactionFunctions,
    request: HttpRequest,
    identity: Identity,
    exchange: Callable[[str, Arguments], str],
    action: Callable[[Call], Outcome],
) -> Outcome:
    """Answers a request with the app's router. ``exchange`` is the connection; see
    :mod:`supavex.deployment.server.site`.

    ``action`` runs the actions that it calls.
    """
    outcome = Outcome(f"{request.method} {request.path}", kind="HttpAction")
    with recorded(outcome, functions.action_seconds):
        call = Call("http", None, identity)
        with functions.engine.snapshot() as snapshot:
            app = functions.app(snapshot)
            found = routed(app, request.method, request.path)
            if found is None:
                raise NoRouter
            component, path = found
            router = replace(_ROUTER, component=component)
            start = functions.start_request(app, router, call, snapshot)
        start["http"] = {
            "method": request.method,
            "url": request.url,
            "path": path,
            "headerPairs": request.headers,
            "streamId": "body" if request.has_body else None,
        }
        outcome.component = component.path
        call.identity = passed_on(identity, component.path, component.path)
        with functions.runner(app, router) as runner:
            run = _ActionRun(functions, action, app, runner, call, outcome, component, exchange)
            outcome.value = run.until_done(start)
    return outcome


class NoRouter(Failure):
    """The app has no HTTP actions."""

    def __init__(self) -> None:
        super().__init__("This Convex deployment does not have HTTP actions enabled.")


#: The writing operations of an action, each of which is a transaction.
_WRITING = {
    "1.0/actions/schedule": scheduling.schedule,
    "1.0/actions/cancel_job": scheduling.cancel_from_action,
    "1.0/storageDelete": storage.delete,
}


@dataclass(slots=True)
class _ActionRun:
    #: The deployment's queries and mutations, which the action may call.
    functions: TransactionFunctions
    #: Runs another action of the app (``ctx.runAction``).
    action: Callable[[Call], Outcome]
    #: The pushed app, the same for the whole run.
    app: App
    #: The process that runs the action's JavaScript, for this run only.
    runner: Runner
    #: The action's own call.
    call: Call
    #: The outcome of the action, which collects the logs.
    outcome: Outcome
    #: The component to which the action belongs.
    component: Component = APP
    #: Answers the operations whose names begin with ``http/``.
    exchange: Callable[[str, Arguments], str] | None = None
    #: The operations that wait for a thread.
    _asked: queue.SimpleQueue[tuple[int, str, str] | None] = field(default_factory=queue.SimpleQueue)
    #: The number of answering threads that were started, at most ``_AT_ONCE``.
    _threads: int = 0
    #: Whether the run has ended. The answering threads then end too.
    _over: bool = False
    #: An unforeseen exception of an answering thread.
    _error: BaseException | None = None

    def until_done(self, request: dict[str, Any]) -> str:
        """Drives the action to its end. Returns its result as JSON."""
        request |= {"outermost": True, "now": 0, "snapshot": "", "requestId": self.outcome.request_id}
        request |= {"real": time.time_ns() // 1_000_000, "seed": [secrets.randbits(32) for _ in range(4)]}
        self.runner.tell([["start", 1, request]])
        try:
            while True:
                self._waits()
                for message in self.runner.told(ACTION_CPU_SECONDS, self._waits):
                    _, call_id, operation, payload, *rest = message
                    if operation == "log":
                        self.outcome.add_log(*logged(payload, rest[0], self.app))
                    elif operation == "failed":
                        raise failure_of(payload, self.app)
                    elif operation == "stuck":
                        raise Failure("Returned promise will never resolve")
                    elif operation == "done":
                        return str(payload)
                    else:
                        self._ask(call_id, operation, payload)
        finally:
            self._over = True
            for _ in range(self._threads):
                self._asked.put(None)

    def _waits(self) -> None:
        """Raises if there is no reason to wait any more."""
        if self._error is not None:
            raise self._error
        if self.functions.closing.is_set():
            self.runner.kill()
            raise Failure("The server was stopped while the action ran.")
        if time.monotonic() >= self.outcome.begun + self.functions.action_seconds:
            self.runner.kill()
            raise RunnerLost("timeout")

    def _ask(self, call_id: int, operation: str, payload: str) -> None:
        """Answers in a thread that delays neither the action's end nor this process's."""
        self._asked.put((call_id, operation, payload))
        if self._threads < _AT_ONCE:
            self._threads += 1
            threading.Thread(target=self._answers, name="supavex-action", daemon=True).start()

    def _answers(self) -> None:
        while (asked := self._asked.get()) is not None and not self._over:
            try:
                settled = self._settled(*asked)
                if not self._over:
                    self.runner.tell([settled])
            except RunnerLost:
                return
            except BaseException as error:
                self._error = error

    def _settled(self, call_id: int, operation: str, payload: str) -> list[Any]:
        """The instruction that settles an operation."""
        try:
            return ["settle", call_id, True, self._answer(operation, payload)]
        except SupavexError as error:
            return ["settle", call_id, False, {"message": error.message}]
        except RecursionError:
            return ["settle", call_id, False, {"message": TOO_NESTED}]
        except Failure as failure:
            return ["settle", call_id, False, failure.thrown()]

    def _answer(self, operation: str, payload: str) -> str:
        kind, arguments = operation.rpartition("/")[2], parsed(operation, payload)
        if self.exchange is not None and operation.startswith("http/"):
            return self.exchange(operation, arguments)
        if operation.startswith("1.0/actions/") and kind in ("query", "mutation", "action"):
            return self._called(kind, arguments)
        if operation == "1.0/storageStore":
            return json.dumps(storage.store(self.functions.engine, arguments, self.component.id))
        found = _WRITING.get(operation)
        if found is not None:
            return self._written(found, arguments)
        if operation == "1.0/actions/vectorSearch":
            with understood(operation):
                query = VectorQuery.parsed(arguments["query"])
            with self.functions.engine.snapshot() as snapshot:
                seen = Snapshot(snapshot.connection, snapshot.catalog.of(self.component.id), snapshot.ts)
                nearest = vector_search(seen, query)
            return json.dumps({"results": [{"_id": near.id, "_score": near.score} for near in nearest]})
        with self.functions.engine.snapshot() as snapshot:
            frame = self._frame(self.functions.engine.begin(snapshot), "action")
            with frame.transaction.within(self.component.id):
                if operation == "1.0/storageGet":
                    return storage.load(self.functions.engine.files, frame.transaction, arguments)
                return answer(frame, operation, payload)

    def _frame(self, transaction: Transaction, kind: str) -> Frame:
        return Frame(
            self.outcome.path,
            kind,
            transaction,
            self.call.identity,
            self.app,
            self.functions.services,
            component=self.component,
            job=self.call.scheduled,
            request_id=self.outcome.request_id,
        )

    def _called(self, kind: str, arguments: Arguments) -> str:
        """The result of ``ctx.runQuery``, ``ctx.runMutation`` or ``ctx.runAction`` as JSON."""
        args = arguments.get("args", {})
        if isinstance(args, list):
            args = args[0] if args else {}
        path, component = named(self.app, self.component, arguments)
        identity = passed_on(self.call.identity, self.component.path, component)
        call = Call(path, args, identity, internal=True, scheduled=self.call.scheduled, component=component)
        call.request_id = self.outcome.request_id
        run: dict[str, Callable[[Call], Outcome]] = {
            "query": self.functions.query,
            "mutation": self.functions.mutation,
            "action": self.action,
        }
        outcome = run[kind](call)
        for line in outcome.logs:
            self.outcome.add_log(line.level, line.messages)
        if outcome.failure is not None:
            raise outcome.failure
        assert outcome.value is not None
        return outcome.value

    def _written(self, write: Callable[[Frame, Arguments], str], arguments: Arguments) -> str:
        """The result of ``write``, in a transaction."""

        def within(transaction: Transaction) -> str:
            with transaction.within(self.component.id):
                return write(self._frame(transaction, "mutation"), arguments)

        return str(self.functions.engine.write(within))
