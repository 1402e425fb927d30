"""The WebSocket of Convex's clients: answers messages in order, and sends changes.

Messages: ``convex/sync_types/src/types`` and ``sync/src`` of convex-backend. All results of one transition have one
timestamp. A session's mutations run one after another. Each is acknowledged before a transition with its effects.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from supavex.convex.json_bounds import JsonTooLarge
from supavex.deployment.functions.incidents import incident
from supavex.deployment.server.bodies import Turn
from supavex.deployment.server.calls import Calls
from supavex.deployment.server.host import Host
from supavex.deployment.server.sender import Sender
from supavex.deployment.server.session import Fatal, NotAuthenticated, Session

#: Seconds in which a client has to identify itself.
_CONNECT_SECONDS = 30.0
Received = tuple[dict[str, Any], Turn, int]


async def sync(host: Host, socket: WebSocket) -> None:
    """Serves one WebSocket until either side closes it."""
    await socket.accept()
    # Only the npm client has its version in the path, and only it joins pieces.
    session = Session(host, Calls(host), Sender(socket, chunks="version" in socket.path_params))
    tasks: set[asyncio.Task[Any]] = set()
    try:
        await _served(session, tasks)
        await _end(session, None, 1012)
    except NotAuthenticated as error:
        told = {"error": str(error), "baseVersion": session.known.identity, "authUpdateAttempted": error.updating}
        await _end(session, {"type": "AuthError", **told})
    except Fatal as error:
        await _end(session, {"type": "FatalError", "error": str(error)})
    except WebSocketDisconnect:
        pass
    except Exception:
        # Not FatalError, after which clients don't reconnect.
        incident("a WebSocket")
        await _end(session, None, 1011)
    finally:
        left = {*tasks, *session.pending.under_way()}
        for task in left:
            task.cancel()
            # The client has gone, so errors are dropped.
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        session.pending.let_go()


async def _served(session: Session, tasks: set[asyncio.Task[Any]]) -> None:
    """Answers and sends until the server is to stop. ``tasks``: the running tasks, for the caller to end."""
    host, seen, began = session.host, session.host.changes, time.monotonic()

    def started(work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        tasks.add(task)
        return task

    mutating = started(session.run_mutations())
    receiving: asyncio.Task[Received] | None = None
    changing: asyncio.Task[None] | None = None
    while not host.closing:
        receiving = receiving or started(_received(session))
        changing = changing or started(host.change(seen, session.silence_left()))
        done, _ = await asyncio.wait({receiving, changing, mutating}, return_when=asyncio.FIRST_COMPLETED)
        if mutating in done:
            mutating.result()
        if receiving in done:
            tasks.discard(receiving)
            received, receiving = receiving.result(), None
            await session.receive(*received)
        if changing in done:
            tasks.discard(changing)
            changing = None
            if host.changes != seen:
                seen = host.changes
                if session.connected:
                    async with session.lock:
                        await session.transition(session.version(), [], quiet=True)
            if session.silence_left() <= 0:
                await session.sender.send({"type": "Ping"})
            if not session.connected and time.monotonic() - began > _CONNECT_SECONDS:
                raise Fatal("The first message is Connect, and none came.")


async def _end(session: Session, message: dict[str, Any] | None, code: int = 1008) -> None:
    """Sends a last message, and closes."""
    with suppress(WebSocketDisconnect, RuntimeError, OSError):
        if message is not None:
            await session.sender.send(message)
        await session.sender.socket.close(code)


async def _received(session: Session) -> Received:
    """The next message, its turn and its length. Raises for a text that is not a JSON object, or if the client has
    gone.
    """
    await session.pending.has_room()
    event = await session.sender.socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code") or 1005)
    text = event.get("text")
    if text is None:
        raise Fatal("A message is a text.")
    try:
        message, turn = await session.host.bodies.parsed(text)
    except JsonTooLarge as error:
        raise Fatal(f"The message has {error}.") from None
    except ValueError:
        raise Fatal("A message is a JSON object.") from None
    if not isinstance(message, dict):
        turn.release()
        raise Fatal("A message is a JSON object.")
    return message, turn, len(text)
