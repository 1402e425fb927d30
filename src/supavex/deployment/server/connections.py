"""Connections of clients: how many there may be, and how long one may take to say what it wants.

uvicorn has a time limit for the pause between two requests alone. Without others, a few clients that send a byte now
and then hold every connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

#: Connections at the same time, WebSockets among them. One more is closed at once.
MAX_CONNECTIONS = 1000
#: Seconds for the head of a request.
HEAD_SECONDS = 20.0
#: Seconds for a body, and for so many bytes of it one second more.
BODY_SECONDS, BODY_RATE = 30.0, 1000
#: How often a connection that is being read is looked at, in seconds.
_LOOK_SECONDS = 1.0
#: Pieces of a WebSocket's message that are kept apart: an object for each takes far more memory than what it holds.
_MAX_FRAMES = 256


class HttpConnection(H11Protocol):
    """An HTTP connection that is closed where it is one too many, or where a request comes too slowly."""

    _timer: asyncio.TimerHandle | None = None
    _began = 0.0
    _received = 0
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._begin(in_body=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, or is let go."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A piece of a request has come."""
        self._received += len(data)
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """A request has been answered; the next one may be there already."""
        super().on_response_complete()
        self._follow()

    def _follow(self) -> None:
        """Sets the time limit for what is to come next."""
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
            # It is the application that does not take what has come.
            self._began += _LOOK_SECONDS
        allowed = BODY_SECONDS + self._received / BODY_RATE if self._in_body else HEAD_SECONDS
        if self.loop.time() - self._began < allowed:
            self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)
            return
        self._timer = None
        self.transport.abort()


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket whose messages take no more memory in pieces than whole."""

    def handle_cont(self, event: Any) -> None:
        """One more piece of a message."""
        super().handle_cont(event)
        if len(self.frames) > _MAX_FRAMES:
            self.frames = [b"".join(self.frames)]


def allow_files(wanted: int) -> None:
    """Lets this process open ``wanted`` files, as far as the system allows it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
