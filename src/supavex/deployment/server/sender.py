"""Sends messages to the client of one WebSocket."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from supavex.deployment.server.wire import json_text

#: Larger transitions are sent in pieces to clients that understand them.
_CHUNK = 5 << 20


@dataclass(slots=True)
class Sender:
    """Sends messages in the order of the calls. ``chunks``: whether the client joins the pieces of a transition."""

    socket: WebSocket
    chunks: bool
    #: Keeps other messages from between the pieces of a message.
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _last: float = field(default_factory=time.monotonic)

    def silent(self) -> float:
        """Seconds since the last message to the client."""
        return time.monotonic() - self._last

    async def send(self, *messages: dict[str, Any]) -> None:
        """Sends messages, with no other between them. Raises :class:`WebSocketDisconnect` if the client has gone."""
        await self._texts([json_text(message) for message in messages])

    async def send_transition(self, text: str, ts: int) -> None:
        """Sends the transition to ``ts``, in pieces if it is long."""
        if not self.chunks or len(text) <= _CHUNK:
            await self._texts([text])
            return
        parts = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
        same = {"type": "TransitionChunk", "totalParts": len(parts), "transitionId": str(ts)}
        await self.send(*({**same, "chunk": part, "partNumber": number} for number, part in enumerate(parts)))

    async def _texts(self, texts: list[str]) -> None:
        async with self._lock:
            for text in texts:
                try:
                    await self.socket.send_text(text)
                except (RuntimeError, OSError):  # It was closed meanwhile.
                    raise WebSocketDisconnect(1006) from None
                self._last = time.monotonic()
