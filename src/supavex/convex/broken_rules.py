"""Finds the first field rule that a value breaks, at any level of its validator."""

from __future__ import annotations

from dataclasses import replace

from supavex.convex.field_rules import Rules
from supavex.convex.validators import Array, Id, Null, Object, Optional, Record, Union, Validator, unwrap
from supavex.convex.values import Value


def field_rules(validator: Validator) -> Rules:
    """The rules of a field's values other than null.

    They are the field's rules. If the field is a union of null and one other member, they are that member's rules, with
    the default and the uniqueness of the field.
    """
    validator = unwrap(validator)
    members = [member for member in _members(validator) if not isinstance(member, Null)]
    if not isinstance(validator, Union) or len(members) != 1:
        return validator.rules
    inner = members[0].rules
    return replace(inner, default=validator.rules.default, unique=inner.unique or validator.rules.unique)


def _members(validator: Validator) -> list[Validator]:
    """The members of a union, with the members of unions inside it. For any other validator: that validator alone."""
    if isinstance(validator, Union):
        return [inner for member in validator.members for inner in _members(member)]
    return [validator]


def _fits(validator: Validator, value: Value) -> bool:
    """Whether ``value`` has the shape of ``validator``. Any text passes as an id of any table."""
    validator = unwrap(validator)
    if isinstance(validator, Id):
        return isinstance(value, str)
    if isinstance(validator, Union):
        return any(_fits(member, value) for member in validator.members)
    if isinstance(validator, Array):
        return isinstance(value, list) and all(_fits(validator.element, item) for item in value)
    if isinstance(validator, Record):
        return isinstance(value, dict) and all(_fits(validator.values, item) for item in value.values())
    if isinstance(validator, Object):
        if not isinstance(value, dict) or not value.keys() <= validator.fields.keys():
            return False
        fields = validator.fields.items()
        return all(_fits(f, value[name]) if name in value else isinstance(f, Optional) for name, f in fields)
    return validator.accepts(value)


def may_break_rules(validator: Validator) -> bool:
    """Whether a value can break a rule of ``validator`` or of a validator inside it."""
    return any(v.rules != Rules(default=v.rules.default, unique=v.rules.unique) for _, v in unwrap(validator).walk())


def rules_problem(validator: Validator, value: Value) -> str | None:
    """The first rule that ``value`` breaks at any level of ``validator``, as a sentence, or None. Null breaks no rule.

    A value breaks the rules of a union if it breaks rules of every member that it fits.
    """
    if value is None:
        return None
    validator = unwrap(validator)
    problem = validator.rules.problem(value)
    if problem:
        return problem
    if isinstance(validator, Array) and isinstance(value, list):
        return next((p for item in value if (p := rules_problem(validator.element, item))), None)
    if isinstance(validator, Object) and isinstance(value, dict):
        fields = ((inner, value[name]) for name, inner in validator.fields.items() if name in value)
        return next((p for inner, item in fields if (p := rules_problem(inner, item))), None)
    if isinstance(validator, Record) and isinstance(value, dict):
        return next((p for item in value.values() if (p := rules_problem(validator.values, item))), None)
    if isinstance(validator, Union):
        problems = [rules_problem(member, value) for member in validator.members if _fits(member, value)]
        return None if None in problems or not problems else problems[0]
    return None
