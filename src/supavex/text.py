"""Small things that all printed reports share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``, ``no errors``."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def table_text(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, left: int = 1) -> str:
    """Rows as aligned columns; the first ``left`` columns and the last one are text, the others numbers."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(headings), *cells]) for i in range(len(headings))]
    last = len(headings) - 1

    def line(row: Sequence[str]) -> str:
        parts = [
            c.ljust(w) if i < left or i == last else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(parts).rstrip()

    return "\n".join([line(headings), "  ".join("─" * width for width in widths), *map(line, cells)])
