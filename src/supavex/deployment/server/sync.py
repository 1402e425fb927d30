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

from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import NOBODY, Identity
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.server import session_requests
from supavex.deployment.server.calls import Calls
from supavex.deployment.server.host import Host
from supavex.deployment.server.subscription import Subscription
from supavex.deployment.server.wire import json_text, parse_json
from supavex.errors import SupavexError

_MAX_QUERIES = 4096
#: Mutations and actions of one session that wait or run.
_MAX_REQUESTS = 4096
#: Transitions above this size go in pieces to clients that understand them.
_CHUNK = 5 << 20


class _Fatal(Exception):
    """A message that the protocol does not allow: the session ends."""


def _timestamp(nanoseconds: int) -> str:
    return base64.b64encode(struct.pack("<Q", nanoseconds)).decode()


class _NotAuthenticated(Exception):
    """A token that is not valid, or not any more. ``updating``: it is the one that has just been sent."""

    def __init__(self, message: str, *, updating: bool) -> None:
        super().__init__(message)
        self.updating = updating


@dataclass(slots=True)
class _Session:
    host: Host
    socket: WebSocket
    calls: Calls
    chunks: bool
    id: str = ""
    queries: dict[int, Subscription] = field(default_factory=dict)
    who: Identity = NOBODY
    query_set: int = 0
    identity: int = 0
    ts: int = 0
    #: Milliseconds that the client's clock is ahead: an integer, or clients in Rust and Python read none of it.
    skew: int = 0
    connected: bool = False
    #: Each with whoever had sent it.
    mutations: asyncio.Queue[tuple[dict[str, Any], Call]] = field(default_factory=lambda: asyncio.Queue(_MAX_REQUESTS))
    #: The answer of the mutation that runs.
    answering: asyncio.Future[dict[str, Any]] | None = None
    #: When that mutation has committed; None before.
    committed: int | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    #: One transition at a time; what is sent keeps the order of what it follows from.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Pieces of one message have no other message between them.
    wire: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_sent: float = field(default_factory=time.monotonic)

    def version(self) -> dict[str, Any]:
        return {"querySet": self.query_set, "identity": self.identity, "ts": _timestamp(self.ts)}

    def silence_left(self) -> float:
        """Seconds until the client is to be told that the server is still there."""
        return self.last_sent + self.host.silence_seconds - time.monotonic()

    async def send(self, *messages: dict[str, Any]) -> None:
        async with self.wire:
            for message in messages:
                await self.socket.send_text(json_text(message))
                self.last_sent = time.monotonic()

    # Transitions

    async def transition(self, start: dict[str, Any], removed: list[int], *, quiet: bool = False) -> None:
        """Sends what has changed since ``start``; nothing at all where ``quiet`` and nothing has."""
        if quiet and not self._stale():
            return
        self._check_expiry()
        with ExitStack() as stack:
            snapshot = await asyncio.to_thread(stack.enter_context, self.host.functions.engine.snapshot())
            modifications: list[dict[str, Any]] = [{"type": "QueryRemoved", "queryId": id_} for id_ in removed]
            current = list(self.queries.items())
            results = await asyncio.gather(*(query.changed(self.host, self.who, snapshot) for _, query in current))
            for (id_, _), result in zip(current, results, strict=True):
                if result is not None:
                    modifications.append({"queryId": id_, **result})
            if quiet and not modifications:
                return
            self.ts = max(snapshot.ts, self.ts + 1 if modifications else self.ts)
        if self.committed is not None and self.committed <= self.ts:
            # What a mutation has done is not shown before its answer: its optimistic update would be seen twice.
            await self.acknowledge()
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
            async with self.wire:
                await self.socket.send_text(text)
                self.last_sent = time.monotonic()
            return
        parts = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
        same = {"type": "TransitionChunk", "totalParts": len(parts), "transitionId": str(self.ts)}
        await self.send(*({**same, "chunk": part, "partNumber": number} for number, part in enumerate(parts)))

    def _stale(self) -> bool:
        """Whether some query may have another result by now."""
        live, now = self.host.live, self.host.functions.engine.log.last
        return any(query.stale(live, now) for query in self.queries.values())

    def _check_expiry(self) -> None:
        if self.who.expires is not None and self.who.expires < time.time():
            raise _NotAuthenticated("Convex token identity expired", updating=False)

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
                self.mutations.put_nowait((message, self._call(message)))
            except asyncio.QueueFull:
                raise _Fatal("Too many mutations at once.") from None
        elif kind == "Action":
            if len(self.tasks) >= _MAX_REQUESTS:
                raise _Fatal("Too many actions at once.")
            task = asyncio.create_task(self._action(message, self._call(message)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif kind != "Event":
            raise _Fatal(f"Not supported here: messages of type {kind!r}.")

    def _connect(self, message: dict[str, Any]) -> None:
        self.connected = True
        self.id = str(message.get("sessionId", ""))
        sent = message.get("clientTs")
        self.skew = int(sent - time.time() * 1000) if isinstance(sent, float | int) and abs(sent) < 1e18 else 0
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
            raise _NotAuthenticated(error.message, updating=True) from None
        for query in self.queries.values():
            query.forget()
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
            if change.get("componentPath"):
                raise _Fatal("Not supported here: functions of components.")
            if len(self.queries) >= _MAX_QUERIES:
                raise _Fatal(f"A session has at most {_MAX_QUERIES} queries.")
            journal = change.get("journal")
            self.queries[id_] = Subscription(
                str(change.get("udfPath")), arguments[0], journal if isinstance(journal, str) else None
            )
        self.query_set = message["newVersion"]
        await self.transition(start, removed)

    async def run_mutations(self) -> None:
        """Runs the session's mutations, one after another, until it is cancelled."""
        while True:
            message, call = await self.mutations.get()
            self.answering = asyncio.ensure_future(self._mutation(message, call))
            await asyncio.wait({self.answering})
            async with self.lock:
                # It may have been sent before a transition that shows what it has done.
                if self.answering is not None:
                    await self.acknowledge()
                    # Its promise is kept when a transition of its moment, or a later one, has come.
                    await self.transition(self.version(), [])

    async def acknowledge(self) -> None:
        """Sends the answer of the mutation that runs, once it has one; nothing where it has been sent."""
        answering = self.answering
        if answering is not None:
            answer = await answering
            self.answering = self.committed = None
            await self.send(answer)

    async def _mutation(self, message: dict[str, Any], call: Call) -> dict[str, Any]:
        request = message["requestId"]

        def run(call: Call) -> dict[str, Any]:
            kept = session_requests.kept(self.host.functions.engine, self.id, request)
            if kept is not None:
                return kept
            try:
                outcome = self.host.functions.mutation(call, keep)
            except session_requests.AlreadyAnswered:
                # The connection before this one was still at it.
                kept = session_requests.kept(self.host.functions.engine, self.id, request)
                assert kept is not None
                return kept
            return _mutation_answer(request, outcome, outcome.ts)

        def keep(outcome: Outcome) -> Callable[[Any, int], None]:
            write = session_requests.keeping(self.id, request, lambda o, ts: _mutation_answer(request, o, ts))(outcome)

            def also(connection: Any, ts: int) -> None:
                if self.id:
                    write(connection, ts)
                # Before anybody can see what is committed.
                self.committed = ts

            return also

        return await self.host.call(run, call)

    async def _action(self, message: dict[str, Any], call: Call) -> None:
        outcome = await self.host.call(self.host.functions.action, call, acting=True)
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.send({"type": "ActionResponse", **_answer(message["requestId"], outcome)})

    def _call(self, message: dict[str, Any]) -> Call:
        if type(message.get("requestId")) is not int:
            raise _Fatal("A request has a number.")
        if message.get("componentPath"):
            raise _Fatal("Not supported here: functions of components.")
        self._check_expiry()
        arguments = message.get("args") or [{}]
        args = arguments[0] if isinstance(arguments, list) else arguments
        return Call(str(message.get("udfPath")), args, self.who, internal=self.who.admin)


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
    changing: asyncio.Task[None] | None = None
    mutating = asyncio.create_task(session.run_mutations())
    seen = host.changes
    try:
        while not host.closing:
            receiving = receiving or asyncio.create_task(_received(socket))
            changing = changing or asyncio.create_task(host.change(seen, session.silence_left()))
            done, _ = await asyncio.wait({receiving, changing, mutating}, return_when=asyncio.FIRST_COMPLETED)
            if mutating in done:
                mutating.result()
            if receiving in done:
                text, receiving = receiving.result(), None
                await session.receive(_parsed(text))
            if changing in done:
                changing = None
                if host.changes != seen:
                    seen = host.changes
                    if session.connected:
                        async with session.lock:
                            await session.transition(session.version(), [], quiet=True)
                if session.silence_left() <= 0:
                    await session.send({"type": "Ping"})
        await socket.close(1012)
    except _NotAuthenticated as error:
        told = {"error": str(error), "baseVersion": session.identity, "authUpdateAttempted": error.updating}
        await _end(session, {"type": "AuthError", **told})
    except _Fatal as error:
        await _end(session, {"type": "FatalError", "error": str(error)})
    except WebSocketDisconnect:
        pass
    finally:
        for task in (receiving, changing, mutating, session.answering, *session.tasks):
            if task is not None:
                task.cancel()


async def _end(session: _Session, message: dict[str, Any]) -> None:
    """Sends a last message, and closes."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await session.send(message)
        await session.socket.close(1008)


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
