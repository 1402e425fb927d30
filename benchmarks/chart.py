"""A bar chart as SVG: how many times the floor each contender takes, on a logarithmic scale."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

_WIDTH, _LABEL, _BAR, _GAP = 760, 250, 18, 8
_COLORS = {"supavex": "#d97706", "COPY": "#94a3b8"}


def chart(ratios: dict[str, dict[str, float]]) -> str:
    """The chart: for each table, the contenders by name with their ratios to the floor."""
    largest = max(2.0, *(ratio for found in ratios.values() for ratio in found.values()))
    scale = (_WIDTH - _LABEL - 70) / math.log(largest / 0.7)
    parts, top = [], 28
    for table, found in ratios.items():
        parts.append(f'<text x="0" y="{top}" font-weight="bold">{escape(table)}: times the floor (log scale)</text>')
        top += 12
        for name, ratio in found.items():
            color = _COLORS.get(name.split(",")[0].split()[0], "#64748b")
            length = max(2.0, scale * math.log(ratio / 0.7))
            middle = top + _BAR - 5
            parts += [
                f'<text x="{_LABEL - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{_LABEL}" y="{top}" width="{length:.1f}" height="{_BAR}" rx="2" fill="{color}"/>',
                f'<text x="{_LABEL + length + 6:.1f}" y="{middle}">{ratio:.1f}</text>',
            ]
            top += _BAR + _GAP
        top += 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top - 20}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#475569">\n' + "\n".join(parts) + "\n</svg>\n"
    )
