"""Shows progress on standard error. On a terminal with Rich installed it shows bars. Otherwise it prints a line for
each finished table, and for a long one after half a second and then every ten seconds.

With ``--json`` it prints events for programs, one JSON object a line: ``progress`` (at most twice a second) and
``done`` (once a table), with ``step``, ``table``, ``rows``, ``estimate`` (of all rows; 0 if unknown), ``seconds``,
``rowsPerSecond`` and ``secondsLeft`` (null if unknown).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import click

from supavex.cli.steps import SECONDS, hidden
from supavex.cli.verbosity import colored, current, on_terminal
from supavex.text import counted, duration

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

#: Called with a table, the rows done, and an estimate of all (0 if unknown).
Report = Callable[[str, int, int], None]
#: The readers: people, programs (``--json``), or none.
Audience = Literal["people", "programs", "nobody"]
_EVENT_SECONDS, _LINE_SECONDS = 0.5, 10.0


def audience(as_json: bool) -> Audience:
    """The readers of a command's progress."""
    if current().quiet:
        return "nobody"
    return "programs" if as_json else "people"


@dataclass(frozen=True, slots=True)
class _State:
    """The progress of one table."""

    table: str
    rows: int
    estimate: int
    seconds: float

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """The remaining seconds by the estimate, which may be too low; None if unknown."""
        return max(0, self.estimate - self.rows) / self.rate if self.estimate and self.rate else None


class _Shown(Protocol):
    """An output of progress."""

    def running(self, state: _State) -> None: ...

    def done(self, state: _State) -> None: ...


class _Lines:
    """Prints a line for each finished table, and one every ``seconds`` for a table in work; the first comes early."""

    def __init__(self, step: str, seconds: float) -> None:
        self._step, self._seconds = step, seconds
        self._last = time.monotonic() - max(0.0, seconds - SECONDS)

    def running(self, state: _State) -> None:
        now = time.monotonic()
        if state.rows and now - self._last >= self._seconds:
            self._last = now
            of = f" of about {state.estimate:,}" if state.estimate > state.rows else ""
            rows = f"{state.rows:,}{of} {'rows' if of or state.rows != 1 else 'row'}"
            click.echo(f"{self._step} {state.table}: {rows} so far", err=True)

    def done(self, state: _State) -> None:
        rate = f", {state.rate:,.0f} rows/s" if state.seconds >= 1 else ""
        rows = counted(state.rows, "row")
        click.echo(f"{self._step} {state.table}: {rows} in {duration(state.seconds)}{rate}", err=True)


class _Events:
    """Prints JSON for programs."""

    def __init__(self, step: str) -> None:
        self._step, self._last = step, 0.0

    def running(self, state: _State) -> None:
        now = time.monotonic()
        if now - self._last >= _EVENT_SECONDS:
            self._last = now
            self._say("progress", state)

    def done(self, state: _State) -> None:
        self._say("done", state)

    def _say(self, event: str, state: _State) -> None:
        data = {
            "event": event,
            "step": self._step,
            "table": state.table,
            "rows": state.rows,
            "estimate": state.estimate,
            "seconds": round(state.seconds, 3),
            "rowsPerSecond": round(state.rate),
            "secondsLeft": None if state.left is None or event == "done" else round(state.left, 1),
        }
        click.echo(json.dumps(data, ensure_ascii=False), err=True)


class _Nothing:
    def running(self, state: _State) -> None:
        """Prints nothing."""

    def done(self, state: _State) -> None:
        """Prints nothing."""


@contextmanager
def bars(step: str, audience: Audience = "people", line_seconds: float = _LINE_SECONDS) -> Iterator[Report]:
    """Shows the progress of each table while the block runs. ``step`` names the work (``copying``).

    ``line_seconds``: without a terminal, the seconds between two lines about a table.
    """
    with _shown(step, audience, line_seconds) as shown:
        started = time.monotonic()
        current: _State | None = None

        def report(table: str, rows: int, estimate: int) -> None:
            nonlocal started, current
            now = time.monotonic()
            if current is not None and current.table != table:
                shown.done(current)
                # The time between two tables belongs to the second, for its queries.
                started += current.seconds
            current = _State(table, rows, estimate, now - started)
            shown.running(current)

        yield report
        if current is not None:
            shown.done(_State(current.table, current.rows, current.estimate, time.monotonic() - started))


@contextmanager
def shown_progress(audience: Audience = "people") -> Iterator[Callable[[str, str, int, int], None]]:
    """Shows the steps of a library call while the block runs. The callback gets the step, a table, the rows done, and
    an estimate.
    """
    with ExitStack() as stack:
        step, report = "", None

        def progress(now: str, table: str, rows: int, estimate: int) -> None:
            nonlocal step, report
            if report is None or now != step:
                stack.close()  # Ends the bars of the previous step.
                step, report = now, stack.enter_context(bars(now, audience))
            report(table, rows, estimate)

        yield progress


@contextmanager
def _shown(step: str, audience: Audience, line_seconds: float) -> Iterator[_Shown]:
    if audience == "people" and on_terminal():
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn
        except ImportError:
            yield _Lines(step, line_seconds)
            return
        texts = ("{task.fields[rows]}", "{task.fields[rate]}", "{task.fields[left]}")
        columns = (TextColumn(step + " {task.description}"), BarColumn(), *map(TextColumn, texts))
        with ExitStack() as stack:
            yield _Bars(
                Progress(*columns, console=Console(stderr=True, no_color=colored() is False), transient=True), stack
            )
        return
    yield (
        _Nothing() if audience == "nobody" else _Events(step) if audience == "programs" else _Lines(step, line_seconds)
    )


class _Bars:
    """A bar for each table, with rows per second and the remaining time. Until the first table, steps are shown."""

    def __init__(self, progress: RichProgress, stack: ExitStack) -> None:
        self._progress, self._stack = progress, stack
        self._tasks: dict[str, TaskID] = {}

    def running(self, state: _State) -> None:
        # PostgreSQL's estimate is as old as its last ANALYZE, so more rows may be done than estimated.
        total = max(state.rows, state.estimate) if state.estimate else None
        of = f" of about {state.estimate:,}" if state.estimate > state.rows else ""
        left = "" if state.left is None else f"{duration(state.left)} left"
        self._draw(state, state.rows, total, f"{state.rows:,}{of} rows", left)

    def done(self, state: _State) -> None:
        full = max(1, state.rows)
        self._draw(state, full, full, f"{state.rows:,} rows", f"in {duration(state.seconds)}")

    def _draw(self, state: _State, completed: int, total: int | None, rows: str, left: str) -> None:
        rate = f"{state.rate:,.0f} rows/s"
        if not self._tasks:
            self._stack.enter_context(hidden())
            self._stack.enter_context(self._progress)
        if state.table not in self._tasks:
            self._tasks[state.table] = self._progress.add_task(
                state.table, total=total, rows=rows, rate=rate, left=left
            )
        task = self._tasks[state.table]
        self._progress.update(task, completed=completed, total=total, rows=rows, rate=rate, left=left)
