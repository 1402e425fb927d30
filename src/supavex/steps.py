"""The present step of a command, for a person who waits. Without a listener, steps are not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Shows the steps of one thread. Steps may be nested; the innermost is the present one."""

    def began(self, what: str) -> None:
        """A step began. ``what`` describes it: ``reading the catalog``."""

    def goes_on(self, what: str) -> None:
        """The innermost step has a new description, with its progress."""

    def ended(self) -> None:
        """The innermost step has ended."""


#: A command sets it; None if nothing listens.
listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Announces a step while the block runs. The function that it gives replaces the description."""
    heard = listener.get()
    if heard is None:
        yield lambda text: None
        return
    heard.began(what)
    try:
        yield heard.goes_on
    finally:
        heard.ended()
