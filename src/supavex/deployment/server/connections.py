"""Limits on clients' connections: their number, and the time for a request.

uvicorn only limits the pause between two requests. Without further limits, a few clients that send a byte now and then
could hold every connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: The most connections at the same time, including WebSockets. Further ones are closed at once.
MAX_CONNECTIONS = 1000
#: Seconds for the head of a request.
HEAD_SECONDS = 20.0
#: Seconds for a body, and the bytes of it that add one second.
BODY_SECONDS, BODY_RATE = 30.0, 1000
#: Seconds between two checks of a connection that is being read.
_LOOK_SECONDS = 1.0
#: The most separate pieces of a WebSocket's message, because an object for each takes far more memory than its content.
_MAX_FRAMES = 256


class HttpConnection(H11Protocol):
    """An HTTP connection that is closed if there are too many, or if a request arrives too slowly."""

    _timer: asyncio.TimerHandle | None = None
    _began = 0.0
    _received = 0
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._begin(in_body=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A piece of a request has arrived."""
        self._received += len(data)
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """A request has been answered. The next one may have arrived already."""
        super().on_response_complete()
        self._follow()

    def _follow(self) -> None:
        """Sets the time limit for the next part of a request."""
        state = self.conn.their_state
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._end()
        elif state is h11.SEND_BODY:
            if self._timer is None or not self._in_body:
                self._begin(in_body=True)
        elif state is h11.IDLE and self.conn.trailing_data[0]:
            if self._timer is None or self._in_body:
                self._begin(in_body=False)
        else:
            self._end()

    def _begin(self, *, in_body: bool) -> None:
        self._end()
        self._began, self._received, self._in_body = self.loop.time(), 0, in_body
        self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._in_body and self.flow.read_paused:
            # The application is busy and does not read, so the client is not late.
            self._began += _LOOK_SECONDS
        allowed = BODY_SECONDS + self._received / BODY_RATE if self._in_body else HEAD_SECONDS
        if self.loop.time() - self._began < allowed:
            self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)
            return
        self._timer = None
        self.transport.abort()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket whose messages take no more memory in pieces than as a whole."""

    def handle_cont(self, event: Any) -> None:
        """Another piece of a message."""
        super().handle_cont(event)
        if len(self.frames) > _MAX_FRAMES:
            self.frames = [b"".join(self.frames)]


def allow_files(wanted: int) -> None:
    """Allows this process to open ``wanted`` files, as far as the system permits."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
