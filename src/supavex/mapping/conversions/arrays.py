"""Arrays: one-dimensional ones of scalars, element by element."""

from __future__ import annotations

import json
from decimal import Decimal

from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Guard, Misfit, Target, choose, converts, misfit
from supavex.mapping.conversions.numbers import EXACT, FINITE, SAFE
from supavex.postgres.catalog import Type
from supavex.project import ColumnRule

_ONE_DIMENSION = Guard(
    "(cardinality({c}) = 0 OR array_ndims({c}) = 1)",
    "NestedArray",
    "the array has more than one dimension",
    "Give the column an sql expression, such as to_jsonb(column), for a field of v.any().",
)


@converts("array")
def arrays(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """An array of what its elements become. NULL elements need ``v.null()`` among the element's types."""
    assert type_.element is not None
    wanted = target.elements
    if target.any:
        inner = choose(type_.element, target, ColumnRule())
    elif wanted:
        inner = choose(type_.element, Target(wanted[0]), ColumnRule())
    else:
        return misfit(type_, target, "v.array(…)")
    if isinstance(inner, Misfit):
        return Misfit(f"{type_.name} does not fit {target}: {inner.message}", inner.hint)
    if inner.kind == "string" and inner.select in ("{c}", "{c}::text"):
        select, text = "{c}::text[]", "to_jsonb({c}::text[])::text"
    elif inner.kind == "boolean":
        select, text = "{c}", "to_jsonb({c})::text"
    elif inner.kind == "number" and type_.element.base in ("int2", "int4", "int8", "numeric", "float8"):
        base = type_.element.base
        holds = {"numeric": EXACT, "float8": FINITE, "int8": SAFE}.get(base, "true").replace("{c}", "e.x")
        every = f"NOT EXISTS (SELECT 1 FROM unnest({{c}}) AS e(x) WHERE NOT coalesce({holds}, true))"
        select = f"CASE WHEN {every} THEN {{c}}::float8[] END"
        same = Guard(
            every,
            "InexactNumber",
            "an element is not exactly a finite double",
            "Make the elements v.string(), or give the column an sql expression.",
        )
        text = "to_jsonb({c}::text[])::text"
        return Conversion("array of numbers", "array", select, text, (_ONE_DIMENSION, same), _decimals, _doubles, inner)
    else:
        return Misfit(
            f"{type_.name} does not fit {target}.",
            "Use v.array(v.string()), or v.any() with an sql expression such as to_jsonb(column).",
        )
    return Conversion(f"array of {inner.name}", "array", select, text, (_ONE_DIMENSION,), json.loads, element=inner)


def _decimals(text: str) -> Value:
    return [item if item is None else Decimal(item) for item in json.loads(text)]


def _doubles(value: Value) -> Value:
    if not isinstance(value, list):
        return value
    return [Decimal(repr(item)) if isinstance(item, float) else item for item in value]
