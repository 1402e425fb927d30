"""json, jsonb and pgvector's vectors.

Numbers inside JSON become doubles, as in every app that reads them through JSON.parse. What Convex refuses (keys that
start with ``$`` or aren't ASCII, nesting, sizes) is found row by row, after a scan of the whole column for rows that
might hold such a thing.
"""

from __future__ import annotations

import json

from supavex.convex import validators as kinds
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Misfit, Target, converts, misfit
from supavex.postgres.catalog import Type
from supavex.project import ColumnRule


def numbers_as_doubles(text: str) -> Value:
    """Parsed JSON whose numbers are all doubles."""
    return json.loads(text, parse_int=float)


@converts("json", "jsonb")
def documents(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """JSON: embedded as it is, or as its text where the field is a string."""
    if target.any or target.structured:
        return Conversion(
            "json", "json", "{c}::text", parse=numbers_as_doubles, check_rows=type_.base == "json" or not target.any
        )
    if target.takes(kinds.String):
        return Conversion("json as text", "string", "{c}::text")
    return misfit(type_, target, "v.any()", "v.object({…})", "v.string()")


@converts("vector", "halfvec")
def vectors(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A vector: an array of numbers; its text is a JSON array already."""
    if target.any or any(isinstance(element, kinds.Number) for element in target.elements):
        return Conversion("vector", "json", "{c}::text", parse=numbers_as_doubles)
    return misfit(type_, target, "v.array(v.float64())")
