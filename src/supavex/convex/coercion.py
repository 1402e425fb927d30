"""Converts values as a Python author writes them into values that a validator takes."""

from __future__ import annotations

from dataclasses import replace

from supavex.convex.field_rules import MISSING, Rules
from supavex.convex.validators import AnyValue, Array, Literal, Number, Object, Record, Union, Validator, unwrap
from supavex.convex.values import Value


def coerce(value: Value, validator: Validator) -> Value:
    """``value``, converted to the type that ``validator`` takes: 60 becomes 60.0 for a number."""
    validator = unwrap(validator)
    if isinstance(value, bool) or value is None:
        return value
    wants_float = isinstance(validator, Number)
    wants_float |= isinstance(validator, Literal) and isinstance(validator.value, float)
    if wants_float and isinstance(value, int):
        return float(value)
    if isinstance(validator, Array) and isinstance(value, list | tuple):
        return [coerce(item, validator.element) for item in value]
    if isinstance(validator, Object) and isinstance(value, dict):
        return {k: coerce(x, validator.fields[k]) if k in validator.fields else x for k, x in value.items()}
    if isinstance(validator, Record) and isinstance(value, dict):
        return {k: coerce(x, validator.values) for k, x in value.items()}
    if isinstance(validator, AnyValue):
        return _floats(value)
    if isinstance(validator, Union):
        for member in validator.members:
            candidate = coerce(value, member)
            if isinstance(member, Validator) and member.check(candidate, lambda number: None) is None:
                return candidate
    return value


def _floats(value: Value) -> Value:
    """JSON-like data for ``v.any()`` with every number as a float, as the app's JSON.parse gives numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list | tuple):
        return [_floats(item) for item in value]
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    return value


def with_rules(validator: Validator, rules: Rules, comment: str) -> Validator:
    """A copy of ``validator`` with ``rules`` (values coerced to its type) and ``comment``."""
    default = rules.default if rules.default is MISSING else coerce(rules.default, validator)
    one_of = None if rules.one_of is None else tuple(coerce(item, validator) for item in rules.one_of)
    return replace(validator, rules=replace(rules, default=default, one_of=one_of), comment=comment)
