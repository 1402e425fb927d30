"""A session over a WebSocket: its queries and their changing results, its mutations and its actions.

Messages: ``convex/sync_types/src/types`` and ``sync/src`` of convex-backend. All results of one transition have one
timestamp. A session's mutations run one after another. Each is acknowledged before a transition with its effects.
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

from starlette.websockets import WebSocketDisconnect

from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import NOBODY, Identity
from supavex.deployment.functions.incidents import recorded
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.server import session_requests
from supavex.deployment.server.bodies import Turn
from supavex.deployment.server.calls import Calls, of_admin
from supavex.deployment.server.host import Host
from supavex.deployment.server.pending import Pending, Request, TooMany
from supavex.deployment.server.sender import Sender
from supavex.deployment.server.subscription import Subscription
from supavex.deployment.server.wire import json_text
from supavex.errors import SupavexError

_MAX_QUERIES = 4096
#: The most characters of the messages with a session's queries.
_MAX_QUERY_CHARACTERS = 32 << 20
_INT64 = range(-(1 << 63), 1 << 63)


class Fatal(Exception):
    """A message that the protocol does not allow. The session ends."""


def _timestamp(nanoseconds: int) -> str:
    return base64.b64encode(struct.pack("<Q", nanoseconds)).decode()


class NotAuthenticated(Exception):
    """An invalid or expired token. ``updating``: whether it was just sent."""

    def __init__(self, message: str, *, updating: bool) -> None:
        super().__init__(message)
        self.updating = updating


@dataclass(slots=True)
class Version:
    """The version of a client's knowledge: of its queries, its identity, and the data (nanoseconds)."""

    query_set: int = 0
    identity: int = 0
    ts: int = 0

    def to_json(self) -> dict[str, Any]:
        """The version in the JSON of transitions."""
        return {"querySet": self.query_set, "identity": self.identity, "ts": _timestamp(self.ts)}


@dataclass(slots=True)
class Session:
    """The subscriptions and requests of one WebSocket's client, and the client's version."""

    #: The server.
    host: Host
    #: Checks admin keys.
    calls: Calls
    #: Sends messages over the WebSocket.
    sender: Sender
    #: The client's id of the session, from ``Connect``. Answers of mutations are kept under it; empty: none are kept.
    id: str = ""
    #: The subscriptions, by the client's number of each.
    queries: dict[int, Subscription] = field(default_factory=dict)
    #: The identity of the client, from the last ``Authenticate``.
    who: Identity = NOBODY
    #: The version that the client has: the end of the last transition.
    known: Version = field(default_factory=Version)
    #: Milliseconds by which the client's clock is ahead. It is an integer, because clients in Rust and Python refuse
    #: others.
    skew: int = 0
    #: Whether ``Connect`` has come, which has to be the first message.
    connected: bool = False
    #: The mutations and actions that have not been answered.
    pending: Pending = field(default_factory=Pending)
    #: Serializes transitions, so that messages are sent in the order of their causes.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def version(self) -> dict[str, Any]:
        """The client's version, in the JSON of transitions."""
        return self.known.to_json()

    def silence_left(self) -> float:
        """Seconds until the next ``Ping`` to the client, if no other message is sent."""
        return self.host.silence_seconds - self.sender.silent()

    # Transitions

    async def transition(self, start: dict[str, Any], removed: list[int], *, quiet: bool = False) -> None:
        """Sends the changes since ``start``. With ``quiet``, it sends nothing if there are none."""
        if quiet and not self._stale():
            return
        self._check_expiry()
        with ExitStack() as stack:
            snapshot = await self.host.snapshot(stack)
            modifications = [json_text({"type": "QueryRemoved", "queryId": id_}) for id_ in removed]
            current = list(self.queries.items())
            changed = (query.changed(id_, self.host, self.who, snapshot) for id_, query in current)
            modifications += [text for text in await asyncio.gather(*changed) if text is not None]
            if quiet and not modifications:
                return
            self.known.ts = max(snapshot.ts, self.known.ts + 1 if modifications else self.known.ts)
        if self.pending.committed is not None and self.pending.committed <= self.known.ts:
            # The answer of a mutation comes before its effects. Otherwise its optimistic update would be visible twice.
            await self.acknowledge()
        head: dict[str, Any] = {"type": "Transition", "startVersion": start, "endVersion": self.version()}
        head |= {"clientClockSkew": self.skew, "serverTs": time.time_ns()}
        text = f'{json_text(head)[:-1]},"modifications":[{",".join(modifications)}]}}'
        await self.sender.send_transition(text, self.known.ts)

    def _stale(self) -> bool:
        """Whether some query may have a new result."""
        live, now = self.host.live, self.host.functions.engine.log.last
        return any(query.stale(live, now) for query in self.queries.values())

    def _check_expiry(self) -> None:
        if self.who.expires is not None and self.who.expires < time.time():
            raise NotAuthenticated("Convex token identity expired", updating=False)

    # Messages

    async def receive(self, message: dict[str, Any], turn: Turn, length: int) -> None:
        """Answers one message of ``length`` characters. Work that continues after this call releases its ``turn``
        later.
        """
        kind = message.get("type")
        if kind == "Connect":
            self._connect(message)
        elif not self.connected:
            raise Fatal("The first message is Connect.")
        elif kind == "Authenticate":
            async with self.lock:
                await self._authenticate(message)
        elif kind == "ModifyQuerySet":
            async with self.lock:
                await self._modify(message, length)
        elif kind in ("Mutation", "Action"):
            self._request(kind, message, turn, length)
            return
        elif kind != "Event":
            raise Fatal(f"Not supported here: messages of type {str(kind)[:40]!r}.")
        turn.release()

    def _request(self, kind: str, message: dict[str, Any], turn: Turn, length: int) -> None:
        number = _integer(message, "requestId")
        component = self._component(message)
        self._check_expiry()
        arguments = message.pop("args", None) or [{}]
        args = arguments[0] if isinstance(arguments, list) else arguments
        path, admin = str(message.get("udfPath")), self.who.admin
        call = Call(path, args, self.who, internal=admin, component=component, taken=turn.release)
        request = Request(number, call, turn, length)
        try:
            if kind == "Mutation":
                self.pending.add_mutation(request)
            else:
                self.pending.add_action(request, self._action(request))
        except TooMany:
            turn.release()
            raise Fatal(f"Too many {kind.lower()}s at once.") from None

    def _component(self, message: dict[str, Any]) -> str:
        """The path of the component of a message. Only the admin may name one."""
        try:
            return of_admin(message.get("componentPath"), self.who)
        except SupavexError as error:
            raise Fatal(error.message) from None

    def _connect(self, message: dict[str, Any]) -> None:
        self.connected = True
        self.id = str(message.get("sessionId", ""))
        sent = message.get("clientTs")
        self.skew = int(sent - time.time() * 1000) if isinstance(sent, float | int) and abs(sent) < 1e18 else 0
        seen = message.get("maxObservedTimestamp")
        if isinstance(seen, str) and _nanoseconds(seen) > self.host.functions.engine.log.last:
            # The client's version is of another deployment, or of one that was rolled back.
            self.host.functions.engine.notice()
            if _nanoseconds(seen) > time.time_ns() + 1_000_000_000:
                raise Fatal("The client has seen a later timestamp than this deployment has.")

    async def _authenticate(self, message: dict[str, Any]) -> None:
        if message.get("baseVersion") != self.known.identity:
            raise Fatal("BaseVersionMismatch: the identity's version is another one.")
        start = self.version()
        try:
            self.who = await asyncio.to_thread(self._identity, message)
        except SupavexError as error:
            raise NotAuthenticated(error.message, updating=True) from None
        for query in self.queries.values():
            query.forget()
        self.known.identity += 1
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

    async def _modify(self, message: dict[str, Any], length: int) -> None:
        changes = message.get("modifications")
        version = _integer(message, "newVersion")
        if message.get("baseVersion") != self.known.query_set:
            raise Fatal("BaseVersionMismatch: the query set's version is another one.")
        if not isinstance(changes, list) or not all(isinstance(change, dict) for change in changes):
            raise Fatal("modifications is a list of objects.")
        start, removed = self.version(), []
        for change in changes:
            id_ = _integer(change, "queryId")
            if change.get("type") == "Remove":
                if self.queries.pop(id_, None) is not None:
                    removed.append(id_)
                continue
            arguments = change.get("args") or [{}]
            if not (isinstance(arguments, list) and isinstance(arguments[0], dict)):
                raise Fatal("A query's arguments are a list of one object.")
            component = self._component(change)
            if len(self.queries) >= _MAX_QUERIES:
                raise Fatal(f"A session has at most {_MAX_QUERIES} queries.")
            journal = change.get("journal")
            weight = length // len(changes)
            if weight + sum(query.weight for query in self.queries.values()) > _MAX_QUERY_CHARACTERS:
                raise Fatal(f"The arguments of a session's queries have at most {_MAX_QUERY_CHARACTERS:,} characters.")
            path, journal = str(change.get("udfPath")), journal if isinstance(journal, str) else None
            self.queries[id_] = Subscription(path, arguments[0], journal, component=component, weight=weight)
        self.known.query_set = version
        await self.transition(start, removed)

    async def run_mutations(self) -> None:
        """Runs the session's mutations, one after another, until it is cancelled."""
        while True:
            request = await self.pending.mutations.get()
            self.pending.answering = asyncio.ensure_future(self._mutation(request))
            await asyncio.wait({self.pending.answering})
            self.pending.done(request)
            async with self.lock:
                # The answer may already have been sent before a transition with the mutation's effects.
                if self.pending.answering is not None:
                    await self.acknowledge()
                    # The client resolves the mutation's promise at a transition of its timestamp or a later one.
                    await self.transition(self.version(), [])

    async def acknowledge(self) -> None:
        """Sends the answer of the running mutation when it is known, unless it has been sent."""
        answering = self.pending.answering
        if answering is not None:
            answer = await answering
            self.pending.answering = self.pending.committed = None
            await self.sender.send(answer)

    async def _mutation(self, request: Request) -> dict[str, Any]:
        number = request.number

        def run(call: Call) -> dict[str, Any]:
            failed = Outcome(call.path, "Mutation")
            with recorded(failed, 0):
                kept = session_requests.kept(self.host.functions.engine, self.id, number)
                if kept is not None:
                    return kept
                try:
                    outcome = self.host.functions.mutation(call, keep)
                except session_requests.AlreadyAnswered:
                    # The previous connection was still running it.
                    kept = session_requests.kept(self.host.functions.engine, self.id, number)
                    assert kept is not None
                    return kept
                return _mutation_answer(number, outcome, outcome.ts)
            return _mutation_answer(number, failed, 0)

        def keep(outcome: Outcome) -> Callable[[Any, int], None]:
            write = session_requests.keeping(self.id, number, lambda o, ts: _mutation_answer(number, o, ts))(outcome)

            def also(connection: Any, ts: int) -> None:
                if self.id:
                    write(connection, ts)
                # Set before any reader can see the commit.
                self.pending.committed = ts

            return also

        return await self.host.call(run, request.call)

    async def _action(self, request: Request) -> None:
        def run(call: Call) -> dict[str, Any]:
            return {"type": "ActionResponse", **_answer(request.number, self.host.functions.action(call))}

        try:
            answer = await self.host.call(run, request.call, acting=True)
        finally:
            self.pending.done(request)
        with suppress(WebSocketDisconnect):
            await self.sender.send(answer)


def _integer(message: dict[str, Any], name: str) -> int:
    """A number in a message. Raises :class:`Fatal` if it is not an int64."""
    value = message.get(name)
    if type(value) is not int or value not in _INT64:
        raise Fatal(f"{name} is no 64-bit integer.")
    return value


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
        raise Fatal("maxObservedTimestamp is not a timestamp.") from None
