"""Times of functions whose runs are taken in turn, so that a machine that slows down slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def in_turn(runs: int, *functions: Callable[[], object]) -> list[list[float]]:
    """The seconds of each function's runs."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(runs):
        for index, function in enumerate(functions):
            started = time.perf_counter()
            function()
            seconds[index].append(time.perf_counter() - started)
    return seconds


def timed(runs: int, *functions: Callable[[], object]) -> list[float]:
    """The median seconds of each function."""
    return [statistics.median(times) for times in in_turn(runs, *functions)]
