"""Runs a benchmark in a process of its own: what it imports and keeps in memory is no other's."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import sys
import traceback
from multiprocessing.connection import Connection

from benchmarks.figures import SIZES, Figure, NotMeasured


def run(name: str, size: str) -> list[Figure] | str:
    """The figures of one benchmark; where there are none, why."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, size, theirs))
    process.start()
    theirs.close()
    try:
        found: list[Figure] | str = ours.recv()
    except EOFError:
        found = "failed: its process ended."
    process.join()
    return found


def _measure(name: str, size: str, pipe: Connection) -> None:
    found: list[Figure] | str
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = importlib.import_module(f"benchmarks.{name}").measure(SIZES[size])
    except NotMeasured as error:
        found = f"not measured: {error}"
    except (Exception, SystemExit):
        traceback.print_exc()
        found = "failed: its message is above."
    pipe.send(found)
