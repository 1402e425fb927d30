"""The WebSocket of Convex's clients: queries of one session, their results whenever they change.

Messages: ``convex/sync_types/src/types`` of convex-backend. The app's own functions are not run here: a query of one
fails with a message that says so.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from supavex.convex.values import from_internal_json, to_internal_json
from supavex.deployment.server import system
from supavex.deployment.server.host import Host
from supavex.deployment.server.security import is_admin_key
from supavex.deployment.server.wire import json_text, parse_json
from supavex.errors import SupavexError

_SILENCE_SECONDS = 15.0
_MAX_QUERIES = 4096
NO_FUNCTIONS = "Not supported here: the functions of the app are not run by this version of supavex."


class _Fatal(Exception):
    """A message that the protocol does not allow: the session ends."""


def _timestamp(nanoseconds: int) -> str:
    return base64.b64encode(struct.pack("<Q", nanoseconds)).decode()


@dataclass(slots=True)
class _Query:
    path: str
    arguments: dict[str, Any]
    last: str | None = None


@dataclass(slots=True)
class _Session:
    host: Host
    socket: WebSocket
    queries: dict[int, _Query] = field(default_factory=dict)
    admin: bool = False
    query_set: int = 0
    identity: int = 0
    ts: int = 0
    skew: float = 0.0
    connected: bool = False

    def version(self) -> dict[str, Any]:
        return {"querySet": self.query_set, "identity": self.identity, "ts": _timestamp(self.ts)}

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send_text(json_text(message))

    async def transition(self, start: dict[str, Any], removed: list[int], *, quiet: bool = False) -> None:
        """Sends what has changed since ``start``; nothing at all where ``quiet`` and nothing has."""
        modifications: list[dict[str, Any]] = [{"type": "QueryRemoved", "queryId": id_} for id_ in removed]
        for id_, query in list(self.queries.items()):
            result = await self._result(query)
            text = json.dumps(result, sort_keys=True)
            if text != query.last:
                query.last = text
                if not query.path.startswith("_system/"):
                    self.host.log_refused("Query", query.path, NO_FUNCTIONS)
                modifications.append({"queryId": id_, "logLines": [], "journal": None, **result})
        if quiet and not modifications:
            return
        self.ts = self.host.timestamp()
        await self.send(
            {
                "type": "Transition",
                "startVersion": start,
                "endVersion": self.version(),
                "modifications": modifications,
                "clientClockSkew": self.skew,
                "serverTs": self.ts,
            }
        )

    async def _result(self, query: _Query) -> dict[str, Any]:
        if not query.path.startswith("_system/"):
            return {"type": "QueryFailed", "errorMessage": NO_FUNCTIONS}
        if not self.admin:
            message = "Could not find public function. System functions need the admin key."
            return {"type": "QueryFailed", "errorMessage": message}
        try:
            addresses = self.host.addresses
            arguments = from_internal_json(query.arguments)
            value = await self.host.run(lambda d: system.call(d, addresses, query.path, arguments))
        except SupavexError as error:
            return {"type": "QueryFailed", "errorMessage": error.message}
        if isinstance(value, dict) and value.get("_id") in self.host.progress:
            value = {**value, "state": self.host.progress[value["_id"]]}
        return {"type": "QueryUpdated", "value": to_internal_json(value)}

    async def receive(self, message: dict[str, Any]) -> None:
        """Answers one message."""
        kind = message.get("type")
        if kind == "Connect":
            self.connected = True
            sent = message.get("clientTs")
            self.skew = sent - time.time() * 1000 if isinstance(sent, float | int) and abs(sent) < 1e18 else 0.0
        elif not self.connected:
            raise _Fatal("The first message is Connect.")
        elif kind == "Authenticate":
            await self._authenticate(message)
        elif kind == "ModifyQuerySet":
            await self._modify(message)
        elif kind in ("Mutation", "Action"):
            self.host.log_refused(kind, str(message.get("udfPath")), NO_FUNCTIONS)
            answer = {"type": f"{kind}Response", "requestId": message.get("requestId"), "success": False}
            answer |= {"result": NO_FUNCTIONS, "logLines": []} | ({"ts": None} if kind == "Mutation" else {})
            await self.send(answer)
        elif kind != "Event":
            raise _Fatal(f"Not supported here: messages of type {kind!r}.")

    async def _authenticate(self, message: dict[str, Any]) -> None:
        if message.get("baseVersion") != self.identity:
            raise _Fatal("BaseVersionMismatch: the identity's version is another one.")
        start = self.version()
        token = message.get("tokenType")
        if token == "Admin":
            key = str(message.get("value", ""))
            self.admin = is_admin_key(self.host.admin_key, key)
            if not self.admin:
                error = "The provided deploy key was invalid for this deployment."
                await self.send(
                    {"type": "AuthError", "error": error, "baseVersion": self.identity, "authUpdateAttempted": True}
                )
                return
        else:
            self.admin = False
        self.identity += 1
        await self.transition(start, [])

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
            self.queries[id_] = _Query(str(change.get("udfPath")), arguments[0])
        self.query_set = message["newVersion"]
        await self.transition(start, removed)


async def sync(host: Host, socket: WebSocket) -> None:
    """Serves one WebSocket until either side closes it."""
    await socket.accept()
    session = _Session(host, socket)
    receiving: asyncio.Task[str] | None = None
    changing: asyncio.Task[bool] | None = None
    try:
        while not host.closing:
            receiving = receiving or asyncio.create_task(_received(socket))
            changing = changing or asyncio.create_task(host.change(_SILENCE_SECONDS))
            done, _ = await asyncio.wait({receiving, changing}, return_when=asyncio.FIRST_COMPLETED)
            if receiving in done:
                text, receiving = receiving.result(), None
                await session.receive(_parsed(text))
            if changing in done:
                changed, changing = changing.result(), None
                if changed and session.connected:
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
        for task in (receiving, changing):
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
