"""Refuses requests that name another host, or come from a page of another site."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from supavex.deployment.functions.incidents import incident
from supavex.deployment.server import security
from supavex.deployment.server.host import Host
from supavex.deployment.server.wire import json_text

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]


class Json(JSONResponse):
    """An answer in JSON of ASCII characters."""

    def render(self, content: Any) -> bytes:
        """The answer's bytes."""
        return json_text(content).encode()


class Raw(Response):
    """An answer whose JSON is already made."""

    media_type = "application/json"


class Guard:
    """Refuses requests that name another host, or come from a page of another site. Answers CORS for the others.

    ``site`` answers by the app's HTTP actions.
    """

    def __init__(self, app: ASGIApp, host: Host, site: ASGIApp) -> None:
        self.app, self.host, self.site = app, host, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers it. An unforeseen exception becomes an answer, too."""
        started = False

        async def told(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            await self._guarded(scope, receive, told)
        except asyncio.CancelledError:
            if not self.host.closing:
                raise
        except Exception:
            message = incident(f"{scope.get('method', 'a WebSocket')} {scope['path']}")
            if scope["type"] == "http" and not started:
                await Json({"code": "InternalServerError", "message": message}, 500)(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        of_site = (scope.get("server") or (None, None))[1] == self.host.site_port
        if of_site and scope["type"] == "http":
            # Open to all sites, as in Convex: the app decides who may call.
            await self.site(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin")
        good = security.host_allowed(headers.get("host", ""), self.host.names) and not of_site
        if good and scope["type"] == "http" and scope["path"].startswith("/http/"):
            await self.app(scope, receive, send)
            return
        if not good or not security.origin_allowed(origin, self.host.names):
            what = f"the host {headers.get('host', '')!r}" if not good else f"the origin {origin!r}"
            await _refuse(scope, receive, send, f"Requests for {what} are refused.")
            return
        if scope["type"] == "websocket" or origin is None:
            await self.app(scope, receive, send)
            return
        cors = [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"Origin"),
        ]
        if scope["method"] == "OPTIONS":
            asked = headers.get("access-control-request-headers", "")
            more = {"access-control-allow-methods": ", ".join(METHODS), "access-control-allow-headers": asked}
            response = Response(status_code=204, headers={**{k.decode(): v.decode("latin-1") for k, v in cors}, **more})
            await response(scope, receive, send)
            return

        async def with_cors(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *cors]}
            await send(message)

        await self.app(scope, receive, with_cors)


async def _refuse(scope: Scope, receive: Receive, send: Send, message: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": message[:100]})
        return
    await Json({"code": "ForbiddenOrigin", "message": message}, 403)(scope, receive, send)
