"""Maps places in pushed modules to the app's own files. Format: "Source Map Revision 3 Proposal".

Deno applies the maps of modules that it loads, but not those of evaluated texts, as pushed modules are. Its
``SourceMap`` of ``node:module`` would need every map in every process, for the few errors that are shown. Here, a map
is read when an error needs it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from supavex.convex.json_bounds import parse_bounded

_DIGITS = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}


@dataclass(frozen=True, slots=True)
class SourceMap:
    """For each line of a module, the columns at which a place of a source begins: (column, source, line, column)."""

    sources: list[str]
    lines: list[list[tuple[int, int, int, int]]]

    @classmethod
    def parse(cls, text: str) -> SourceMap | None:
        """The map of its JSON; None if it is invalid."""
        try:
            data = parse_bounded(text)
            root = data.get("sourceRoot") or ""
            return cls([f"{root}{source}" for source in data["sources"]], _lines(data["mappings"]))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return None

    def place(self, line: int, column: int) -> tuple[str, int, int] | None:
        """Source, line and column of a place, all counted from 1; None if it is unknown."""
        if not 0 < line <= len(self.lines):
            return None
        segments = self.lines[line - 1]
        at = bisect_right(segments, (column - 1, 1 << 60, 0, 0)) - 1
        if at < 0:
            return None
        _, source, its_line, its_column = segments[at]
        return (self.sources[source], its_line + 1, its_column + 1) if 0 <= source < len(self.sources) else None


def _lines(mappings: str) -> list[list[tuple[int, int, int, int]]]:
    lines = []
    source = line = column = 0
    for text in mappings.split(";"):
        segments = []
        generated = 0
        for segment in filter(None, text.split(",")):
            numbers = _numbers(segment)
            generated += numbers[0]
            if len(numbers) >= 4:
                source, line, column = source + numbers[1], line + numbers[2], column + numbers[3]
                segments.append((generated, source, line, column))
        lines.append(segments)
    return lines


def _numbers(text: str) -> list[int]:
    """The numbers of a segment: base 64, five bits a digit, the lowest first, the sign in the lowest bit."""
    numbers = []
    value = shift = 0
    for character in text:
        digit = _DIGITS[character]
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            numbers.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return numbers
