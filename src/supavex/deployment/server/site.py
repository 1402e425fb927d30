"""HTTP actions: the app's own router answers requests to the site's port, and to ``/http/*``.

Source: ``local_backend/src/http_actions.rs`` of convex-backend.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from supavex.deployment.functions.actions import HttpRequest, NoRouter
from supavex.deployment.functions.identity import Identity
from supavex.deployment.functions.outcome import Outcome
from supavex.deployment.functions.syscalls import Arguments, understood
from supavex.deployment.server.calls import Calls
from supavex.deployment.server.guard import Json
from supavex.deployment.server.host import Host
from supavex.errors import SupavexError

#: The most bytes of a request and of a response.
MAX_BODY_BYTES = 20 << 20
#: Messages of a body that are received before the action reads them.
_AHEAD = 4
_METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD")
_BODILESS = ("GET", "HEAD", "OPTIONS")
_PREFIX = "/http"


class Site:
    """An ASGI application that answers by the app's HTTP actions."""

    def __init__(self, host: Host, calls: Calls) -> None:
        self.host, self.calls = host, calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        if request.method not in _METHODS:
            await PlainTextResponse("Method Not Allowed", 405)(scope, receive, send)
            return
        if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
            await PlainTextResponse("Payload Too Large", 413)(scope, receive, send)
            return
        identity = await asyncio.to_thread(self._identity, request.headers.get("authorization", ""))
        asked = _request(request, self.host.site_port)
        async with _Exchange(receive, send, asyncio.get_running_loop()) as exchange:
            outcome = await self.host.act(lambda: self.host.functions.answer(asked, identity, exchange.answer))
        if outcome.failure is not None and not exchange.started:
            if isinstance(outcome.failure, NoRouter):
                await PlainTextResponse(outcome.failure.message, 404)(scope, receive, send)
            else:
                await Json(_error(outcome), 500)(scope, receive, send)
        elif exchange.started:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _identity(self, authorization: str) -> Identity:
        """The caller; an identity with a problem if the app itself interprets the header."""
        try:
            return self.calls.identity(authorization)
        except SupavexError as error:
            return Identity(problem=error.message)


def _request(request: Request, site_port: int) -> HttpRequest:
    scope = request.scope
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    if (scope.get("server") or (None, None))[1] != site_port:
        path = path.removeprefix(_PREFIX) or "/"
    scheme = request.headers.get("x-forwarded-proto") or _forwarded(request.headers.get("forwarded", "")) or "http"
    query = scope.get("query_string", b"").decode("latin-1")
    url = f"{scheme}://{request.headers.get('host', 'localhost')}{path}{'?' if query else ''}{query}"
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return HttpRequest(request.method, url, path, headers, request.method not in _BODILESS)


def _forwarded(header: str) -> str:
    """The protocol in a ``Forwarded`` header; empty if there is none."""
    for pair in header.partition(",")[0].split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "proto":
            return value.strip().strip('"')
    return ""


def _error(outcome: Outcome) -> dict[str, Any]:
    """The answer for an action that failed before it answered."""
    failure = outcome.failure
    assert failure is not None
    trace = failure.message
    code = f"[Request ID: {outcome.request_id}] Server Error: {trace.partition(chr(10))[0]}"
    data = {} if failure.data is None else {"data": json.loads(failure.data)}
    return {"code": code, "trace": trace, **data}


def _header(text: Any) -> bytes:
    return str(text).encode("latin-1")


class _Exchange:
    """The request's body and the response, for the thread of an action."""

    def __init__(self, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._send, self._loop = receive, send, loop
        self.started = False
        self._read = self._written = 0
        self._ended = False
        #: Messages of the client that the action has not read yet.
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_AHEAD)
        #: Set when the client has gone, or the answer is no longer awaited.
        self._gone = asyncio.Event()

    async def __aenter__(self) -> _Exchange:
        self._reading = asyncio.create_task(self._receiving())
        return self

    async def __aexit__(self, *details: object) -> None:
        self._reading.cancel()
        self._gone.set()

    async def _receiving(self) -> None:
        """Receives the body ahead of the action, and so notices when the client goes."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
            await self._messages.put(message)
            if self._gone.is_set():
                return

    def answer(self, operation: str, arguments: Arguments) -> str:
        """The answer to the action's operation on its request or response, as JSON."""
        if operation == "http/body":
            data = self._body()
            return json.dumps({"data": None if data is None else base64.b64encode(data).decode()})
        if operation == "http/gone":
            self._wait(self._gone.wait())
        elif operation == "http/head":
            with understood(operation):
                status = int(arguments["status"])
                headers = [(_header(name).lower(), _header(value)) for name, value in arguments["headers"]]
            self._head(status, headers)
        elif operation == "http/chunk":
            with understood(operation):
                data = base64.b64decode(arguments["data"])
            self._chunk(data)
        else:
            raise SupavexError("UnknownAsyncOperation", f"Unknown async operation {operation}")
        return "null"

    def _body(self) -> bytes | None:
        while not self._ended:
            message = self._wait(self._next())
            if message["type"] == "http.disconnect":
                self._ended = True
                raise SupavexError("StreamFailed", "The client has gone before the request's end.")
            self._ended = not message.get("more_body", False)
            data: bytes = message.get("body", b"")
            self._read += len(data)
            if self._read > MAX_BODY_BYTES:
                self._ended = True
                raise SupavexError("StreamFailed", "The request's body is too large (limit: 20 MiB).")
            if data:
                return data
        return None

    async def _next(self) -> Message:
        """The client's next message. After the exchange it behaves as if the client had gone."""
        if self._messages.empty() and not self._gone.is_set():
            message = asyncio.ensure_future(self._messages.get())
            gone = asyncio.ensure_future(self._gone.wait())
            await asyncio.wait((message, gone), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            if message.done():
                return message.result()
            message.cancel()
        return {"type": "http.disconnect"} if self._messages.empty() else self._messages.get_nowait()

    def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if self.started or not 200 <= status <= 599:
            raise SupavexError("InvalidResponse", "The response has another form than one has.")
        self.started = True
        self._wait(self._send({"type": "http.response.start", "status": status, "headers": headers}))

    def _chunk(self, data: bytes) -> None:
        self._written += len(data)
        if self._written > MAX_BODY_BYTES:
            raise SupavexError("HttpResponseTooLarge", "HTTP actions support responses up to 20 MiB")
        self._wait(self._send({"type": "http.response.body", "body": data, "more_body": True}))

    def _wait(self, what: Any) -> Any:
        async def waited(of: Coroutine[Any, Any, Any]) -> Any:
            return await of

        return asyncio.run_coroutine_threadsafe(waited(what), self._loop).result()
