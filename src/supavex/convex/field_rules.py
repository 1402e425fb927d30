"""What Supabase knew about a column and Convex does not: the rules of a field.

``default``, ``one_of``, ``ge``, ``le``, ``gt``, ``lt``, ``pattern`` and ``unique`` are not Convex's. They stay in
Python: a default is for new documents (and for NULLs where supavex.toml asks to fill them), and all of them are checked
while migrating and verifying.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from supavex.convex.values import Value, same


class _Missing:
    """The default of a field that has none (None is a value)."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        # A worker that gets a plan compares with its own.
        return "MISSING"


MISSING: Any = _Missing()


@dataclass(frozen=True, slots=True)
class Rules:
    """What Supabase knew about a column and Convex does not."""

    default: Value = MISSING
    one_of: tuple[Value, ...] | None = None
    ge: float | None = None
    le: float | None = None
    gt: float | None = None
    lt: float | None = None
    pattern: str | None = None
    unique: bool = False

    def problem(self, value: Value) -> str | None:
        """The first rule that ``value`` breaks, as a sentence, or None. ``unique`` is not one value's business."""
        if self.one_of is not None and not any(_equal(value, allowed) for allowed in self.one_of):
            return f"{printed(value)} is not one of {', '.join(map(printed, self.one_of))}"
        for sign, bound, holds in self.bounds():
            if not (isinstance(value, int | float) and not isinstance(value, bool) and holds(value, bound)):
                return f"{printed(value)} is not {sign} {printed(bound)}"
        if self.pattern is not None and not (isinstance(value, str) and re.search(self.pattern, value)):
            return f"{printed(value)} does not match {self.pattern}"
        return None

    def bounds(self) -> Iterator[tuple[str, float, Callable[[float, float], bool]]]:
        """The bounds there are: sign in words, number, and the comparison of a value with it."""
        if self.ge is not None:
            yield "at least", self.ge, operator.ge
        if self.gt is not None:
            yield "above", self.gt, operator.gt
        if self.le is not None:
            yield "at most", self.le, operator.le
        if self.lt is not None:
            yield "below", self.lt, operator.lt

    def describe(self) -> str:
        """One line for a comment: ``default 60, at least 0``; empty where there is nothing to say."""
        parts = [] if self.default is MISSING else [f"default {printed(self.default)}"]
        if self.one_of is not None:
            parts.append(" | ".join(map(printed, self.one_of)))
        if self.ge is not None and self.le is not None:
            parts.append(f"{printed(self.ge)} to {printed(self.le)}")
        else:
            parts += [f"{sign} {printed(bound)}" for sign, bound, _ in self.bounds() if sign in ("at least", "at most")]
        parts += [f"{sign} {printed(bound)}" for sign, bound, _ in self.bounds() if sign in ("above", "below")]
        if self.pattern is not None:
            parts.append(f"matches {self.pattern}")
        if self.unique:
            parts.append("unique")
        return ", ".join(parts)


#: Of a field without any.
NO_RULES = Rules()


def _equal(left: Value, right: Value) -> bool:
    """Equality as the author of a rule means it: 1 is 1.0, but True is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return same(left, right)


def printed(value: Value) -> str:
    """A value as JSON would show it, for messages and comments."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=repr)
