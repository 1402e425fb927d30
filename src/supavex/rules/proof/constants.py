"""The values that rules compare fields with, and those beside them: where a wrong rule shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from supavex.convex.values import Value
from supavex.rules.form import AnyOf, Call, Compare, Constant, Distinct, Expression, Field, parts_in

#: Values of one field that are tried.
_MOST = 8


def constants_of(found: object) -> Mapping[str, tuple[Value, ...]]:
    """By the row's fields, as documents hold them: numbers and lengths with those beside them."""
    made: dict[str, dict[Value, None]] = {}
    for one in parts_in(found):
        sides: list[tuple[Expression, Expression]] = []
        if isinstance(one, Compare | Distinct):
            sides = [(one.left, one.right), (one.right, one.left)]
        elif isinstance(one, AnyOf):
            sides = [(one.left, one.array)]
        for side, other in sides:
            for name, value in _beside(side, other):
                made.setdefault(name, {})[value] = None
    return {name: tuple(values)[:_MOST] for name, values in made.items()}


def _beside(side: Expression, other: Expression) -> Iterator[tuple[str, Value]]:
    """The field of the row that ``side`` is made of, with values that ``other``, a constant, makes worth to try."""
    if not isinstance(other, Constant) or other.value is None:
        return
    name = _field(side)
    values = other.value if isinstance(other.value, list) else [other.value]
    if not name:
        return
    for value in values:
        if isinstance(side, Call):
            if side.name == "length" and isinstance(value, int | float) and 0 <= value < 10_000:
                yield from ((name, "x" * int(value)), (name, "x" * (int(value) + 1)))
                yield from ((name, "x" * (int(value) - 1)),) if value else ()
            elif isinstance(value, str):
                yield from ((name, value), (name, value.upper()))
        elif isinstance(value, bool | str):
            yield name, value
        elif isinstance(value, int | float) and side.kind.name in ("number", "moment"):
            yield from ((name, float(value)), (name, float(value) - 1), (name, float(value) + 1))


def _field(side: Expression) -> str:
    """The field of the row that a value is, or that a function of texts is called with."""
    if isinstance(side, Call) and side.name in ("length", "lower", "upper", "trimmed") and side.arguments:
        side = side.arguments[0]
    return side.name if isinstance(side, Field) and side.row == "row" else ""
