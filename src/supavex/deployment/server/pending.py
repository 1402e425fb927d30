"""The mutations and actions of a session that wait or run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from supavex.deployment.functions.call import Call
from supavex.deployment.server.bodies import Turn

#: Mutations, and actions, of one session that wait or run.
_MOST = 4096
#: Characters of the messages of mutations and actions that wait or run: no more is received before they are fewer.
_MOST_CHARACTERS = 16 << 20
_LOGGER = logging.getLogger("supavex.server")


class TooMany(Exception):
    """A session has as many mutations, or actions, as it may."""


@dataclass(slots=True)
class Request:
    """A mutation or an action that a client has asked for: its number, the call, and what its message takes."""

    number: int
    call: Call
    turn: Turn
    length: int


@dataclass(slots=True)
class Pending:
    """The requests of one session. Mutations wait for each other; actions run as they come."""

    mutations: asyncio.Queue[Request] = field(default_factory=lambda: asyncio.Queue(_MOST))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    #: The answer of the mutation that runs.
    answering: asyncio.Future[dict[str, Any]] | None = None
    #: When that mutation has committed; None before.
    committed: int | None = None
    _characters: int = 0
    #: Set where there is room for more.
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    def add_mutation(self, request: Request) -> None:
        """Has a mutation wait for its turn. Raises :class:`TooMany`."""
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
        """A request is answered, or never will be."""
        request.turn.release()
        self._characters -= request.length
        self._room.set()

    def under_way(self) -> set[asyncio.Future[Any]]:
        """The actions that run, and the mutation."""
        return {*self.tasks, *([] if self.answering is None else [self.answering])}

    def let_go(self) -> None:
        """Gives up the turns of what will not run any more."""
        while not self.mutations.empty():
            self.done(self.mutations.get_nowait())

    async def has_room(self) -> None:
        """Waits until so much of what was asked for is done that more may be."""
        while self._characters > _MOST_CHARACTERS:
            self._room.clear()
            await self._room.wait()
