"""The order of mutations: first come, first served. A mutation that runs again keeps its place."""

from __future__ import annotations

import itertools
import threading
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets ``most`` mutations run at the same time, or one alone, in the order of their places. Thread-safe.

    A mutation that met a conflict keeps its place before all later ones. So each mutation becomes the first in the end.
    A mutation that runs alone conflicts with no other.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = itertools.count()
        self._changed = threading.Condition()
        self._waiting: list[int] = []
        self._running = 0
        self._alone = False

    def place(self) -> int:
        """A place after all present ones."""
        return next(self._places)

    @contextmanager
    def taken(self, place: int, *, alone: bool) -> Iterator[None]:
        """The turn of ``place``, until the block ends. ``alone``: no other mutation has a turn meanwhile."""
        most = 1 if alone else self._most

        def free() -> bool:
            return self._waiting[0] == place and self._running < most and not self._alone

        with self._changed:
            insort(self._waiting, place)
            try:
                self._changed.wait_for(free)
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()
            self._running += 1
            self._alone = alone
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._alone = False
                self._changed.notify_all()
