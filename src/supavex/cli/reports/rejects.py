"""The rejected rows of ``supavex migrate``: causes first, each reason once, with the lines that fix it."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from supavex.mapping.rejections import FOLLOWER, REJECTIONS
from supavex.text import counted

if TYPE_CHECKING:
    from supavex.migrate.state.rejects import Reject

#: The most reasons that are printed, and the most keys of each.
_REASONS, _KEYS = 20, 3


def reject_lines(rejects: Iterable[Reject], first_schema: str) -> list[str]:
    """The lines. ``first_schema``: the schema whose tables supavex.toml names without it."""
    causes: dict[tuple[str, ...], list[Reject]] = defaultdict(list)
    followers: Counter[str] = Counter()
    for reject in rejects:
        if reject.code == FOLLOWER:
            followers[f"{reject.table}.{reject.column}"] += 1
        for why in reject.reasons:
            if why.code != FOLLOWER:
                causes[reject.table, why.column, why.code, why.reason, why.fix].append(reject)
    lines: list[str] = []
    by_count = sorted(causes.items(), key=lambda item: -len(item[1]))
    for (table, column, code, reason, fix), rows in by_count[:_REASONS]:
        keys = ", ".join(row.shown_key for row in rows[:_KEYS]) + (", …" if len(rows) > _KEYS else "")
        lines += [f"rejected: {len(rows):,} × {table}.{column} {code}: {reason} ({keys})", f"    {fix}"]
        lines += [f"        {line}" for line in toml_lines(code, table, column, first_schema)]
    left = by_count[_REASONS:]
    if left:
        more = sum(len(rows) for _, rows in left)
        lines.append(f"rejected: {more:,} more for {counted(len(left), 'other reason')}, in the file of rejected rows.")
    if followers:
        places = ", ".join(f"{count:,} × {place}" for place, count in followers.most_common(_REASONS))
        number = followers.total()
        what = f"{number:,} more row only follows" if number == 1 else f"{number:,} more rows only follow"
        lines.append(f"{what} these: of {places}. They go when the rows that they refer to do.")
    return lines


def toml_lines(code: str, table: str, column: str, first_schema: str) -> list[str]:
    """The lines for supavex.toml that make rows of this code acceptable, under their header; empty if there
    are none.
    """
    known = REJECTIONS.get(code)
    if known is None or not known.toml or "," in column:
        return []
    name = table.removeprefix(f"{first_schema}.")
    lines = [line for line in known.toml if not line.startswith("sql")] or list(known.toml)
    joined = [f"[tables.{_key(name)}.columns.{_key(column)}]", lines[0]]
    return joined + [f"# or {line}" for line in lines[1:]]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
