"""Defaults of columns that are constants.

A default that PostgreSQL computes (``now()``, ``gen_random_uuid()``, ``nextval(…)``) is not a constant: each run gives
another value.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from supavex.convex.broken_rules import rules_problem
from supavex.convex.coercion import coerce
from supavex.convex.field_rules import MISSING
from supavex.convex.names import key_problem
from supavex.convex.validators import Validator
from supavex.convex.values import Value
from supavex.postgres.catalog import Column, Type

#: The most digits of a numeric column that is scaffolded as a number: every double keeps as many (DBL_DIG).
EXACT_DIGITS = 15
_NUMBERS = ("int2", "int4", "int8", "oid", "float4", "float8", "money", "numeric")
_TEXTS = ("text", "varchar", "bpchar", "citext", "name")
_LITERAL = re.compile(r"'((?:[^']|'')*)'(?:::[^()']+(?:\(\d+(?:,\d+)?\))?)?")
_NUMBER = re.compile(r"\((-?[0-9.]+)\)(?:::[a-z ]+)?|(-?[0-9.]+)(?:::[a-z ]+)?")


def constant_default(column: Column) -> Value:
    """A column's constant default as its scaffolded field takes it; MISSING if there is none."""
    default = column.default
    if default is None or column.generated or column.identity:
        return MISSING
    type_ = column.type
    match = _LITERAL.fullmatch(default)
    literal = match[1].replace("''", "'") if match else None
    if type_.element is not None:
        return [] if literal == "{}" else MISSING
    if type_.base == "bool":
        return {"true": True, "false": False}.get(default, MISSING)
    if type_.base in _NUMBERS:
        return _number(default if literal is None else literal, type_)
    if type_.base in ("json", "jsonb"):
        return MISSING if literal is None else _json(literal)
    if literal is None or not (type_.base in _TEXTS or type_.category == "e"):
        return MISSING
    # In the form in which the column holds it: char(n) pads with blanks.
    return literal.ljust(type_.length) if type_.base == "bpchar" and type_.length else literal


def default_for(column: Column, validator: Validator) -> Value:
    """A column's constant default as a field of ``validator`` takes it; MISSING if none fits."""
    value = constant_default(column)
    if value is MISSING:
        return MISSING
    value = coerce(value, validator)
    fits = validator.check(value, lambda number: None) is None and rules_problem(validator, value) is None
    return value if fits else MISSING


def exact(type_: Type) -> bool:
    """Whether a double holds every value of a numeric type."""
    return type_.precision is None or type_.precision <= EXACT_DIGITS


def _number(text: str, type_: Type) -> Value:
    match = _NUMBER.fullmatch(text)
    digits = "" if match is None else match[1] or match[2]
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", digits):
        return MISSING
    if type_.base == "numeric" and not exact(type_):
        return digits if type_.scale is None else f"{Decimal(digits):.{max(type_.scale, 0)}f}"
    return float(digits) if "." in digits else int(digits)


def _json(text: str) -> Value:
    try:
        value: Value = json.loads(text)
    except ValueError:
        return MISSING
    return MISSING if value is None or _odd_keys(value) else value


def _odd_keys(value: Value) -> bool:
    if isinstance(value, dict):
        return any(key_problem(key) or _odd_keys(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_odd_keys, value))
