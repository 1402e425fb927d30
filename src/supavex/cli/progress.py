"""Progress bars, on a terminal with Rich installed; elsewhere nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: A table, the rows done, and an estimate of all (0 where unknown).
Report = Callable[[str, int, int], None]


@contextmanager
def bars(verb: str) -> Iterator[Report]:
    """Draws a bar per table on standard error while the block runs."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield lambda table, done, estimate: None
        return
    if not sys.stderr.isatty():
        yield lambda table, done, estimate: None
        return
    columns = (TextColumn(f"{verb} {{task.description}}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, object] = {}

        def report(table: str, done: int, estimate: int) -> None:
            if table not in tasks:
                tasks[table] = progress.add_task(table, total=None)
            # The estimate is PostgreSQL's, from its last ANALYZE: the rows done may pass it.
            progress.update(tasks[table], completed=done, total=max(done, estimate))  # type: ignore[arg-type]

        yield report
