"""The pending mutations and actions of a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from supavex.deployment.functions.call import Call
from supavex.deployment.server.bodies import Turn

#: The most pending mutations, and the most pending actions, of one session.
_MOST = 4096
#: The most characters of pending messages. Further messages are received when there are fewer.
_MOST_CHARACTERS = 16 << 20
_LOGGER = logging.getLogger("supavex.server")


class TooMany(Exception):
    """A session has too many mutations or actions."""


@dataclass(slots=True)
class Request:
    """A mutation or an action of a client: its number, the call, and its message's turn and length."""

    number: int
    call: Call
    turn: Turn
    length: int


@dataclass(slots=True)
class Pending:
    """The requests of one session. Mutations wait for each other; actions start at once."""

    #: The mutations that wait.
    mutations: asyncio.Queue[Request] = field(default_factory=lambda: asyncio.Queue(_MOST))
    #: The running actions.
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    #: The answer of the running mutation.
    answering: asyncio.Future[dict[str, Any]] | None = None
    #: When that mutation committed; None before.
    committed: int | None = None
    #: The characters of pending messages.
    _characters: int = 0
    #: Set if there is room for more.
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    def add_mutation(self, request: Request) -> None:
        """Adds a mutation, which waits for its turn. Raises :class:`TooMany`."""
        try:
            self.mutations.put_nowait(request)
        except asyncio.QueueFull:
            raise TooMany from None
        self._characters += request.length

    def add_action(self, request: Request, action: Coroutine[Any, Any, None]) -> None:
        """Starts an action. Raises :class:`TooMany`."""
        if len(self.tasks) >= _MOST:
            action.close()
            raise TooMany
        task = asyncio.create_task(action)
        self.tasks.add(task)
        task.add_done_callback(self._acted)
        self._characters += request.length

    def _acted(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOGGER.error("an action's answer could not be sent", exc_info=task.exception())

    def done(self, request: Request) -> None:
        """Ends a request, answered or not."""
        request.turn.release()
        self._characters -= request.length
        self._room.set()

    def under_way(self) -> set[asyncio.Future[Any]]:
        """The running actions, and the running mutation."""
        return {*self.tasks, *([] if self.answering is None else [self.answering])}

    def let_go(self) -> None:
        """Releases the turns of requests that will not run any more."""
        while not self.mutations.empty():
            self.done(self.mutations.get_nowait())

    async def has_room(self) -> None:
        """Waits until further messages may be received."""
        while self._characters > _MOST_CHARACTERS:
            self._room.clear()
            await self._room.wait()
