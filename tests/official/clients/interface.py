"""What the tests ask of each client, and what they hear from it.

Values are internal JSON everywhere, so that a test says once what it expects of three languages.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

SECONDS = 60.0
JsonValue = Any


@dataclass(eq=False)
class Failed(Exception):
    """A function has failed: the message that the client shows, and a ConvexError's data."""

    message: str
    data: JsonValue = None


@dataclass(eq=False)
class Heard:
    """What a client told of one thing that was asked: results and failures, the oldest first."""

    client: Client
    id: int
    events: list[JsonValue | Failed] = field(default_factory=list)

    @property
    def told(self) -> list[JsonValue | Failed]:
        """The events, without those that repeat the one before: the Python client tells of every transition."""
        return [event for at, event in enumerate(self.events) if not at or event != self.events[at - 1]]

    def until(self, holds: Callable[[list[Any]], bool], seconds: float = SECONDS) -> list[Any]:
        """Waits until ``holds`` of the events; all of them."""
        deadline = time.monotonic() + seconds
        while not holds(self.events):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.client.name}: nothing more than {self.events} within {seconds} s")
            self.client.listen()
        return self.events

    def shows(self, wanted: JsonValue, seconds: float = SECONDS) -> None:
        """Waits until the last event is ``wanted``."""
        self.until(lambda events: bool(events) and same(events[-1], wanted), seconds)

    def fails(self, seconds: float = SECONDS) -> Failed:
        """Waits until the last event is a failure; that one."""
        events = self.until(lambda events: bool(events) and isinstance(events[-1], Failed), seconds)
        found: Failed = events[-1]
        return found

    def result(self, seconds: float = SECONDS) -> JsonValue:
        """The first event. Raises it where it is a failure."""
        first = self.until(bool, seconds)[0]
        if isinstance(first, Failed):
            raise first
        return first


def same(one: JsonValue | Failed, other: JsonValue | Failed) -> bool:
    """Whether two values are the same; JavaScript does not tell 1 from 1.0."""
    return one == other


class Client(ABC):
    """A client that is connected to a deployment."""

    name: str
    #: Whether it has pages that grow, and optimistic updates.
    pages = True

    def __init__(self) -> None:
        self._heard: dict[int, Heard] = {}
        self._ids = count(1)
        #: The ids of what was told, in its order.
        self.order: list[int] = []

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Disconnects."""

    @abstractmethod
    def send(self, message: dict[str, Any]) -> None:
        """Hands over what is asked; does not wait for an answer."""

    @abstractmethod
    def received(self) -> list[dict[str, Any]]:
        """What was told since; waits a moment where that is nothing."""

    def listen(self) -> None:
        """Takes in what was told since."""
        for event in self.received():
            self.order.append(event["id"])
            heard = self._heard[event["id"]]
            if event["kind"] == "value":
                heard.events.append(event["value"])
            else:
                heard.events.append(Failed(event["message"], event.get("data")))

    def ask(self, op: str, **message: Any) -> Heard:
        """Begins ``op``; what will be heard of it."""
        id_ = next(self._ids)
        heard = self._heard[id_] = Heard(self, id_)
        self.send({"op": op, "id": id_, **message})
        return heard

    def watch(self, path: str, **args: JsonValue) -> Heard:
        """Subscribes to a query."""
        return self.ask("watch", path=path, args=args)

    def unwatch(self, heard: Heard) -> None:
        """Ends a subscription."""
        self.ask("unwatch", watch=heard.id)

    def query(self, path: str, **args: JsonValue) -> JsonValue:
        """A query's result, once."""
        return self.ask("query", path=path, args=args).result()

    def mutation(self, path: str, **args: JsonValue) -> JsonValue:
        """Runs a mutation and waits for its result."""
        return self.ask("mutation", path=path, args=args).result()

    def action(self, path: str, **args: JsonValue) -> JsonValue:
        """Runs an action and waits for its result."""
        return self.ask("action", path=path, args=args).result()

    def settle(self, seconds: float = 0.3) -> None:
        """Listens for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.listen()


def plain(value: JsonValue) -> JsonValue:
    """``value`` as a JavaScript client would write it: its numbers have no fraction where they need none."""
    return json.loads(json.dumps(value), parse_float=_shortest)


def _shortest(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 1e21 else number
