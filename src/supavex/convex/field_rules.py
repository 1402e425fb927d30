"""The rules of a field: what Supabase knew about a column and Convex does not enforce.

They stay in Python. A default is for new documents, and for NULLs if supavex.toml has `fill`. The other rules are
checked by `supavex migrate` and `supavex verify`.
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
    """The type of :data:`MISSING`, the default of a field without a default. None can't mark it: None is a value."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        # Unpickles to the constant of this module, so that worker processes can compare with ``is``.
        return "MISSING"


MISSING: Any = _Missing()


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a field. A rule that is None, or False, does not apply."""

    #: The value of a new document that leaves the field out.
    default: Value = MISSING
    #: The allowed values.
    one_of: tuple[Value, ...] | None = None
    #: Lower bound, included.
    ge: float | None = None
    #: Upper bound, included.
    le: float | None = None
    #: Lower bound, excluded.
    gt: float | None = None
    #: Upper bound, excluded.
    lt: float | None = None
    #: A regular expression that is searched for in the text.
    pattern: str | None = None
    #: Whether no two documents have the same value.
    unique: bool = False

    def problem(self, value: Value) -> str | None:
        """The first rule that ``value`` breaks, as a sentence, or None. ``unique`` is not checked: it compares
        documents.
        """
        if self.one_of is not None and not any(_equal(value, allowed) for allowed in self.one_of):
            return f"{printed(value)} is not one of {', '.join(map(printed, self.one_of))}"
        for sign, bound, holds in self.bounds():
            if not (isinstance(value, int | float) and not isinstance(value, bool) and holds(value, bound)):
                return f"{printed(value)} is not {sign} {printed(bound)}"
        if self.pattern is not None and not (isinstance(value, str) and re.search(self.pattern, value)):
            return f"{printed(value)} does not match {self.pattern}"
        return None

    def bounds(self) -> Iterator[tuple[str, float, Callable[[float, float], bool]]]:
        """The bounds of the field. Each has a name, a number, and the comparison of a value with the number."""
        if self.ge is not None:
            yield "at least", self.ge, operator.ge
        if self.gt is not None:
            yield "above", self.gt, operator.gt
        if self.le is not None:
            yield "at most", self.le, operator.le
        if self.lt is not None:
            yield "below", self.lt, operator.lt

    def describe(self) -> str:
        """The rules on one line, for a comment: ``default 60, at least 0``. Empty if there are none."""
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


#: The rules of a field that has none.
NO_RULES = Rules()


def _equal(left: Value, right: Value) -> bool:
    """Equality as the author of a rule means it: 1 equals 1.0, but True does not equal 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return same(left, right)


def printed(value: Value) -> str:
    """A value as JSON shows it, for messages and comments."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=repr)
