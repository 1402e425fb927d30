"""Shows the present step of a command on standard error, after half a second without output.

On a terminal it is one line, which is removed at the end. Otherwise it is a line for each long step, repeated every ten
seconds. With ``--json`` it is an event (``{"event": "step", "what": …}``). With ``-q`` nothing is shown.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import click

from supavex.cli.verbosity import current, on_terminal
from supavex.steps import listener

#: Seconds without output before a step is shown; between two lines about one step; between two checks.
SECONDS, AGAIN_SECONDS, _LOOK_SECONDS = 0.5, 10.0, 0.1


@dataclass(slots=True)
class _Step:
    """A step, its beginning, and when it was last shown (0: never)."""

    what: str
    began: float
    said: float = 0.0


class ShownSteps:
    """The steps of a command, shown by a thread while the command works. ``as_json``: as events for programs."""

    def __init__(self, as_json: bool) -> None:
        self._as_json, self._terminal = as_json, on_terminal() and not as_json
        self._verbosity = current()
        self._changed = threading.Condition()
        self._steps: list[_Step] = []
        self._started = time.monotonic()
        self._drawn = ""
        self._said = False
        self._hidden = 0
        self._over = False

    def began(self, what: str) -> None:
        """See :class:`~supavex.steps.Listener`."""
        with self._changed:
            self._steps.append(_Step(what, time.monotonic()))
            self._changed.notify()

    def goes_on(self, what: str) -> None:
        """See :class:`~supavex.steps.Listener`."""
        self._steps[-1].what = what

    def ended(self) -> None:
        """See :class:`~supavex.steps.Listener`."""
        with self._changed:
            self._steps.pop()
            if not self._steps:
                self._wipe()

    def hide(self) -> None:
        """Stops showing steps until :meth:`unhide`, because another output uses the terminal."""
        with self._changed:
            self._hidden += 1
            self._wipe()

    def unhide(self) -> None:
        """Continues to show steps."""
        with self._changed:
            self._hidden -= 1
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._over = True
            self._wipe()
            self._changed.notify()

    def watch(self) -> None:
        """Checks at intervals whether to show something, until :meth:`close`."""
        with self._changed:
            while not self._over:
                busy = bool(self._steps) and not self._hidden
                self._changed.wait(_LOOK_SECONDS if busy else None)
                self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Shows the innermost step if it is due at ``now``, a time of ``time.monotonic``."""
        if not self._steps or self._hidden or self._over or self._verbosity.quiet:
            return
        step = self._steps[-1]
        if self._terminal:
            if now - self._started >= SECONDS and step.what != self._drawn:
                self._drawn = step.what
                _write(f"\r\x1b[K{step.what} …")
            return
        since, wait = (
            (step.said, AGAIN_SECONDS) if step.said else (step.began if self._said else self._started, SECONDS)
        )
        if now - since >= wait:
            self._said, step.said = True, now
            event = json.dumps({"event": "step", "what": step.what}, ensure_ascii=False)
            _write(f"{event if self._as_json else f'{step.what} …'}\n")

    def _wipe(self) -> None:
        if self._drawn:
            self._drawn = ""
            _write("\r\x1b[K")


def _write(text: str) -> None:
    # An error of the output is ignored in this thread. The command's own output will report it.
    with suppress(OSError, ValueError):
        click.echo(text, nl=False, err=True)


@contextmanager
def shown_steps(as_json: bool) -> Iterator[None]:
    """Shows the steps of the block."""
    shown = ShownSteps(as_json)
    token = listener.set(shown)
    thread = threading.Thread(target=shown.watch, name="supavex-steps", daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.reset(token)
        shown.close()
        thread.join()


@contextmanager
def hidden() -> Iterator[None]:
    """Shows no steps while the block has the terminal."""
    shown = listener.get()
    if not isinstance(shown, ShownSteps):
        yield
        return
    shown.hide()
    try:
        yield
    finally:
        shown.unhide()
