"""What is being done just now, for a person who waits. Whoever shows it listens; else nothing is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Shows the steps of one thread. Steps lie in one another; the innermost is what is done."""

    def began(self, what: str) -> None:
        """A step began: ``what`` is done, in the words of ``reading the catalog``."""

    def goes_on(self, what: str) -> None:
        """The innermost step is now called so: it says how far it is."""

    def ended(self) -> None:
        """The innermost step has ended."""


#: A command sets it; None where nothing listens.
listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Says what is done while the block runs. The function that it gives says it anew, with how far it is."""
    heard = listener.get()
    if heard is None:
        yield lambda text: None
        return
    heard.began(what)
    try:
        yield heard.goes_on
    finally:
        heard.ended()
