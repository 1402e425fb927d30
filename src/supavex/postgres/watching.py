"""Whom a replay of files tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

#: Told the file's name, empty while the server starts, its statements so far, and True when the replay has ended.
Watch = Callable[[str, int, bool], None]
#: A command sets it; None where nobody looks.
watcher: ContextVar[Watch | None] = ContextVar("watcher", default=None)
