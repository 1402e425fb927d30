"""The WebSocket of Convex's clients: the queries of one session, their results whenever they change, and its mutations.

Messages: ``convex/sync_types/src/types`` and ``sync/src`` of convex-backend. All results of one transition are of one
moment. A session's mutations run one after another; each is acknowledged before a transition that shows it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from supavex.convex.values import from_internal_json, to_internal_json
from supavex.deployment.functions.engine import Snapshot
from supavex.deployment.functions.identity import NOBODY, Identity
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.functions.running import Call
from supavex.deployment.server import session_requests, system
from supavex.deployment.server.calls import Calls
from supavex.deployment.server.host import Host
from supavex.deployment.server.wire import json_text, parse_json
from supavex.errors import SupavexError

_SILENCE_SECONDS = 15.0
_MAX_QUERIES = 4096
#: Mutations and actions of one session that wait or run.
_MAX_REQUESTS = 4096
#: Transitions above this size go in pieces to clients that understand them.
_CHUNK = 5 << 20


class _Fatal(Exception):
    """A message that the protocol does not allow: the session ends."""


def _timestamp(nanoseconds: int) -> str:
    return base64.b64encode(struct.pack("<Q", nanoseconds)).decode()


@dataclass(slots=True)
class _Query:
    path: str
    args: dict[str, Any]
    journal: str | None = None
    #: What was sent of it last.
    last: str | None = None
    outcome: Outcome | None = None
    #: The last moment at which the outcome is known to hold.
    checked: int = 0


@dataclass(slots=True)
class _Session:
    host: Host
    socket: WebSocket
    calls: Calls
    chunks: bool
    id: str = ""
    queries: dict[int, _Query] = field(default_factory=dict)
    who: Identity = NOBODY
    query_set: int = 0
    identity: int = 0
    ts: int = 0
    skew: float = 0.0
    connected: bool = False
    mutations: asyncio.Queue[dict[str, Any]] = field(default_factory=lambda: asyncio.Queue(_MAX_REQUESTS))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    #: One transition at a time; what is sent keeps the order of what it follows from.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def version(self) -> dict[str, Any]:
        return {"querySet": self.query_set, "identity": self.identity, "ts": _timestamp(self.ts)}

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send_text(json_text(message))

    # Transitions

    async def transition(self, start: dict[str, Any], removed: list[int], *, quiet: bool = False) -> None:
        """Sends what has changed since ``start``; nothing at all where ``quiet`` and nothing has."""
        if quiet and not self._stale():
            return
        with ExitStack() as stack:
            snapshot = await asyncio.to_thread(stack.enter_context, self.host.functions.engine.snapshot())
            modifications: list[dict[str, Any]] = [{"type": "QueryRemoved", "queryId": id_} for id_ in removed]
            current = list(self.queries.items())
            results = await asyncio.gather(*(self._result(query, snapshot) for _, query in current))
            for (id_, query), result in zip(current, results, strict=True):
                text = None if result is None else json.dumps([result.get("value"), result.get("errorMessage")])
                if text is None or text == query.last:
                    continue
                query.last = text
                assert result is not None
                modifications.append({"queryId": id_, **result})
            if quiet and not modifications:
                return
            self.ts = max(snapshot.ts, self.ts + 1 if modifications else self.ts)
        await self._send_transition(
            {
                "type": "Transition",
                "startVersion": start,
                "endVersion": self.version(),
                "modifications": modifications,
                "clientClockSkew": self.skew,
                "serverTs": time.time_ns(),
            }
        )

    async def _send_transition(self, message: dict[str, Any]) -> None:
        text = json_text(message)
        if not self.chunks or len(text) <= _CHUNK:
            await self.socket.send_text(text)
            return
        parts = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
        id_ = str(self.ts)
        for number, part in enumerate(parts):
            chunk = {"type": "TransitionChunk", "chunk": part, "partNumber": number, "totalParts": len(parts)}
            await self.send({**chunk, "transitionId": id_})

    def _stale(self) -> bool:
        """Whether some query may have another result by now."""
        live, now = self.host.live, self.host.functions.engine.log.last
        for query in self.queries.values():
            if query.outcome is None or not live.holds(query.outcome, query.checked, now):
                return True
            query.checked = now
        return False

    async def _result(self, query: _Query, snapshot: Snapshot) -> dict[str, Any] | None:
        """The result of a query at the moment of ``snapshot``; None where it is the one that is known."""
        if query.path.startswith("_system/"):
            return await self._system_result(query)
        known = query.outcome
        if known is not None and self.host.live.holds(known, query.checked, snapshot.ts):
            query.checked = snapshot.ts
            return None
        call = Call(query.path, query.args, self.who, internal=self.who.admin, journal=query.journal)
        outcome = await self.host.call(lambda c: self.host.live.outcome(c, snapshot), call)
        query.outcome, query.checked = outcome, snapshot.ts
        if query.journal is None:
            query.journal = outcome.journal
        more = {"logLines": outcome.log_texts, "journal": query.journal}
        if outcome.failure is not None:
            data = outcome.failure.data
            failed = {} if data is None else {"errorData": json.loads(data)}
            return {"type": "QueryFailed", "errorMessage": outcome.error, **failed, **more}
        return {"type": "QueryUpdated", "value": json.loads(outcome.value or "null"), **more}

    async def _system_result(self, query: _Query) -> dict[str, Any]:
        nothing: dict[str, Any] = {"logLines": [], "journal": None}
        if not self.who.admin:
            message = "Could not find public function. System functions need the admin key."
            return {"type": "QueryFailed", "errorMessage": message, **nothing}
        try:
            addresses, arguments = self.host.addresses, from_internal_json(query.args)
            value = await self.host.run(lambda d: system.call(d, addresses, query.path, arguments))
        except SupavexError as error:
            return {"type": "QueryFailed", "errorMessage": error.message, **nothing}
        if isinstance(value, dict) and value.get("_id") in self.host.progress:
            value = {**value, "state": self.host.progress[value["_id"]]}
        return {"type": "QueryUpdated", "value": to_internal_json(value), **nothing}

    # Messages

    async def receive(self, message: dict[str, Any]) -> None:
        """Answers one message."""
        kind = message.get("type")
        if kind == "Connect":
            self._connect(message)
        elif not self.connected:
            raise _Fatal("The first message is Connect.")
        elif kind == "Authenticate":
            async with self.lock:
                await self._authenticate(message)
        elif kind == "ModifyQuerySet":
            async with self.lock:
                await self._modify(message)
        elif kind == "Mutation":
            try:
                self.mutations.put_nowait(_checked_request(message))
            except asyncio.QueueFull:
                raise _Fatal("Too many mutations at once.") from None
        elif kind == "Action":
            if len(self.tasks) >= _MAX_REQUESTS:
                raise _Fatal("Too many actions at once.")
            task = asyncio.create_task(self._action(_checked_request(message)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif kind != "Event":
            raise _Fatal(f"Not supported here: messages of type {kind!r}.")

    def _connect(self, message: dict[str, Any]) -> None:
        self.connected = True
        self.id = str(message.get("sessionId", ""))
        sent = message.get("clientTs")
        self.skew = sent - time.time() * 1000 if isinstance(sent, float | int) and abs(sent) < 1e18 else 0.0
        seen = message.get("maxObservedTimestamp")
        if isinstance(seen, str) and _nanoseconds(seen) > self.host.functions.engine.log.last:
            # Of another deployment, or of one that was put back: what the client knows is not of this one.
            self.host.functions.engine.notice()
            if _nanoseconds(seen) > time.time_ns() + 1_000_000_000:
                raise _Fatal("The client has seen a later moment than this deployment has.")

    async def _authenticate(self, message: dict[str, Any]) -> None:
        if message.get("baseVersion") != self.identity:
            raise _Fatal("BaseVersionMismatch: the identity's version is another one.")
        start = self.version()
        try:
            self.who = await asyncio.to_thread(self._identity, message)
        except SupavexError as error:
            told = {"error": error.message, "baseVersion": self.identity, "authUpdateAttempted": True}
            await self.send({"type": "AuthError", **told})
            return
        for query in self.queries.values():
            if query.outcome is None or query.outcome.saw_identity or not self.who.admin:
                query.outcome = None
        self.identity += 1
        await self.transition(start, [])

    def _identity(self, message: dict[str, Any]) -> Identity:
        kind, value = message.get("tokenType"), str(message.get("value", ""))
        if kind == "Admin":
            acting = message.get("impersonating") or message.get("acting_as")
            if acting is not None:
                value += f":{base64.b64encode(json.dumps(acting).encode()).decode()}"
            return self.calls.admin(value)
        if kind == "User":
            return self.host.user(value)
        return NOBODY

    async def _modify(self, message: dict[str, Any]) -> None:
        changes = message.get("modifications")
        if message.get("baseVersion") != self.query_set or type(message.get("newVersion")) is not int:
            raise _Fatal("BaseVersionMismatch: the query set's version is another one.")
        if not isinstance(changes, list) or not all(isinstance(change, dict) for change in changes):
            raise _Fatal("modifications is a list of objects.")
        start, removed = self.version(), []
        for change in changes:
            id_ = change.get("queryId")
            if type(id_) is not int:
                raise _Fatal("A modification names a query by a number.")
            if change.get("type") == "Remove":
                if self.queries.pop(id_, None) is not None:
                    removed.append(id_)
                continue
            arguments = change.get("args") or [{}]
            if not (isinstance(arguments, list) and isinstance(arguments[0], dict)):
                raise _Fatal("A query's arguments are a list of one object.")
            if len(self.queries) >= _MAX_QUERIES:
                raise _Fatal(f"A session has at most {_MAX_QUERIES} queries.")
            journal = change.get("journal")
            self.queries[id_] = _Query(
                str(change.get("udfPath")), arguments[0], journal if isinstance(journal, str) else None
            )
        self.query_set = message["newVersion"]
        await self.transition(start, removed)

    async def run_mutations(self) -> None:
        """Runs the session's mutations, one after another, until it is cancelled."""
        while True:
            message = await self.mutations.get()
            answer = await self._mutation(message)
            async with self.lock:
                await self.send(answer)
                # Its promise is kept when a transition of its moment, or a later one, has come.
                await self.transition(self.version(), [])

    async def _mutation(self, message: dict[str, Any]) -> dict[str, Any]:
        call = self._call(message)
        request = message["requestId"]

        def run(call: Call) -> dict[str, Any]:
            kept = session_requests.kept(self.host.functions.engine, self.id, request)
            if kept is not None:
                return kept
            keep: Callable[[Outcome], Any] | None = None
            if self.id:
                keep = session_requests.keeping(self.id, request, lambda o, ts: _mutation_answer(request, o, ts))
            outcome = self.host.functions.mutation(call, keep)
            return _mutation_answer(request, outcome, outcome.ts)

        return await self.host.call(run, call)

    async def _action(self, message: dict[str, Any]) -> None:
        outcome = await self.host.call(self.host.functions.action, self._call(message))
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.send({"type": "ActionResponse", **_answer(message["requestId"], outcome)})

    def _call(self, message: dict[str, Any]) -> Call:
        arguments = message.get("args") or [{}]
        args = arguments[0] if isinstance(arguments, list) else arguments
        return Call(str(message.get("udfPath")), args, self.who, internal=self.who.admin)


def _checked_request(message: dict[str, Any]) -> dict[str, Any]:
    if type(message.get("requestId")) is not int:
        raise _Fatal("A request has a number.")
    return message


def _answer(request: int, outcome: Outcome) -> dict[str, Any]:
    answer: dict[str, Any] = {"requestId": request, "success": outcome.failure is None, "logLines": outcome.log_texts}
    if outcome.failure is None:
        return {**answer, "result": json.loads(outcome.value or "null")}
    data = {} if outcome.failure.data is None else {"errorData": json.loads(outcome.failure.data)}
    return {**answer, "result": outcome.error, **data}


def _mutation_answer(request: int, outcome: Outcome, ts: int) -> dict[str, Any]:
    stamp = None if outcome.failure is not None else _timestamp(ts)
    return {"type": "MutationResponse", **_answer(request, outcome), "ts": stamp}


def _nanoseconds(text: str) -> int:
    try:
        return int.from_bytes(base64.b64decode(text, validate=True)[:8], "little")
    except ValueError:
        raise _Fatal("maxObservedTimestamp is no timestamp.") from None


async def sync(host: Host, socket: WebSocket) -> None:
    """Serves one WebSocket until either side closes it."""
    await socket.accept()
    # Only the npm client puts its version into the path, and only it joins pieces.
    session = _Session(host, socket, Calls(host), chunks="version" in socket.path_params)
    receiving: asyncio.Task[str] | None = None
    changing: asyncio.Task[bool] | None = None
    mutating = asyncio.create_task(session.run_mutations())
    try:
        while not host.closing:
            receiving = receiving or asyncio.create_task(_received(socket))
            changing = changing or asyncio.create_task(host.change(_SILENCE_SECONDS))
            done, _ = await asyncio.wait({receiving, changing, mutating}, return_when=asyncio.FIRST_COMPLETED)
            if mutating in done:
                mutating.result()
            if receiving in done:
                text, receiving = receiving.result(), None
                await session.receive(_parsed(text))
            if changing in done:
                changed, changing = changing.result(), None
                if changed and session.connected:
                    async with session.lock:
                        await session.transition(session.version(), [], quiet=True)
                elif not changed:
                    await session.send({"type": "Ping"})
        await socket.close(1012)
    except _Fatal as error:
        with suppress(WebSocketDisconnect):
            await session.send({"type": "FatalError", "error": str(error)})
            await socket.close(1008)
    except WebSocketDisconnect:
        pass
    finally:
        for task in (receiving, changing, mutating, *session.tasks):
            if task is not None:
                task.cancel()


async def _received(socket: WebSocket) -> str:
    """The next message's text. Raises for a binary one, and where the client has gone."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1005)
    text = message.get("text")
    if text is None:
        raise _Fatal("A message is a text.")
    return str(text)


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = parse_json(text)
    except ValueError:
        raise _Fatal("A message is a JSON object.") from None
    if not isinstance(message, dict):
        raise _Fatal("A message is a JSON object.")
    return message
