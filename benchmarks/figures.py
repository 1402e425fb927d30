"""Figures: how many times its floor something takes, and how that compares with what RESULTS.md records.

A figure has one ratio for each run: of the seconds of something to those of a floor that was measured just before it.
The least and the most ratio show the machine's own noise. The table of figures in RESULTS.md is the one place where
they are recorded; this module reads it and writes it.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: A figure is slower where its median is so many times the recorded one, or more.
SLOWER = 1.25
_START, _END = "<!-- figures: written by `make bench RECORD=1` -->", "<!-- end of figures -->"
_HEAD = ("benchmark", "size", "what", "times", "floor", "least", "most", "date")


class NotMeasured(Exception):
    """Raised by a benchmark where this machine lacks what it needs. The text says what."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: a share of the full number of rows, and how often."""

    name: str
    share: float
    runs: int

    def of(self, full: int) -> int:
        """The share of ``full`` rows, files or documents; at least 1."""
        return max(1, round(full * self.share))


#: ``full`` is what the sections of RESULTS.md tell of; ``quick`` takes minutes.
SIZES = {size.name: size for size in (Size("quick", 0.1, 3), Size("full", 1.0, 5))}


@dataclass(frozen=True, slots=True)
class Figure:
    """How many times ``floor`` something takes: the least, the median and the most of several runs."""

    what: str
    floor: str
    least: float
    median: float
    most: float

    @classmethod
    def of(cls, what: str, floor: str, seconds: Sequence[float], floors: Sequence[float]) -> Figure:
        """The figure of the runs of something and of its floor, which were taken in turn."""
        ratios = [mine / base for mine, base in zip(seconds, floors, strict=True)]
        return cls(what, floor, min(ratios), statistics.median(ratios), max(ratios))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A figure with its place among all: the benchmark and size that it is of, and its day (ISO 8601)."""

    benchmark: str
    size: str
    figure: Figure
    date: str

    @property
    def place(self) -> tuple[str, str, str]:
        """What no two figures share."""
        return self.benchmark, self.size, self.figure.what


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure that was measured now beside the one that is recorded; None where none is."""

    now: Recorded
    before: Recorded | None

    @property
    def change(self) -> float | None:
        """How many times the recorded median the median is."""
        return None if self.before is None else self.now.figure.median / self.before.figure.median

    @property
    def slower(self) -> bool:
        """Whether it is slower by more than a quarter."""
        return self.change is not None and self.change > SLOWER

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        figure = self.now.figure
        return {
            "benchmark": self.now.benchmark,
            "size": self.now.size,
            "what": figure.what,
            "floor": figure.floor,
            "least": round(figure.least, 3),
            "median": round(figure.median, 3),
            "most": round(figure.most, 3),
            "recorded": None if self.before is None else self.before.figure.median,
            "slower": self.slower,
        }


def compare(measured: Iterable[Recorded], recorded: Iterable[Recorded]) -> list[Compared]:
    """What was measured, beside what is recorded of the same benchmark and size."""
    known = {each.place: each for each in recorded}
    return [Compared(each, known.get(each.place)) for each in measured]


def left_out(measured: Iterable[Recorded], recorded: Iterable[Recorded]) -> list[Recorded]:
    """What is recorded of the benchmarks and sizes that were measured, and was not measured now."""
    found = list(measured)
    runs, places = {(each.benchmark, each.size) for each in found}, {each.place for each in found}
    return [each for each in recorded if (each.benchmark, each.size) in runs and each.place not in places]


def read_figures(page: str) -> list[Recorded]:
    """The figures of RESULTS.md. Raises ValueError with the line that is none."""
    _, table, _ = _parts(page)
    found: list[Recorded] = []
    for line in table.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        try:
            benchmark, size, what, median, floor, least, most, date = cells
            figure = Figure(what, floor, float(least), float(median), float(most))
        except ValueError:
            raise ValueError(f"no line of figures: {line}") from None
        found.append(Recorded(benchmark, size, figure, date))
    return found


def write_figures(page: str, measured: Iterable[Recorded]) -> str:
    """RESULTS.md with what was measured in place of the older figures of the same benchmarks and sizes."""
    new = list(measured)
    runs = {(each.benchmark, each.size) for each in new}
    kept = [each for each in read_figures(page) if (each.benchmark, each.size) not in runs]
    before, _, after = _parts(page)
    lines = [f"| {' | '.join(_HEAD)} |", "|---|---|---|---:|---|---:|---:|---|"]
    for each in sorted([*kept, *new], key=lambda each: (each.benchmark, each.size)):
        figure = each.figure
        median, least, most = (f"{ratio:.3g}" for ratio in (figure.median, figure.least, figure.most))
        cells = (each.benchmark, each.size, figure.what, median, figure.floor, least, most, each.date)
        assert not any("|" in cell for cell in cells), cells
        lines.append(f"| {' | '.join(cells)} |")
    return before + "\n".join(lines) + after


def _parts(page: str) -> tuple[str, str, str]:
    """The page before its table of figures, the table, and the page after it."""
    found = re.fullmatch(f"(.*{re.escape(_START)}\n\n)(.*?)(\n\n{re.escape(_END)}.*)", page, re.DOTALL)
    if found is None:
        raise ValueError(f"RESULTS.md holds no table of figures: {_START}")
    return found[1], found[2], found[3]


def table(compared: Sequence[Compared]) -> str:
    """What people read."""
    width = max((len(each.now.figure.what) for each in compared), default=0)
    lines = [f"{'':<16}{'':<{width}}{'least':>9}{'median':>9}{'most':>9}{'recorded':>10}"]
    for each in compared:
        figure, before = each.now.figure, "" if each.before is None else f"{each.before.figure.median:.3g}"
        times = "".join(f"{ratio:>9.3g}" for ratio in (figure.least, figure.median, figure.most))
        said = f"  slower by {(each.change or 0) - 1:.0%}" if each.slower else ""
        lines.append(f"{each.now.benchmark:<16}{figure.what:<{width}}{times}{before:>10} x {figure.floor}{said}")
    return "\n".join(lines)
