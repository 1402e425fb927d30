"""Follows dotted paths inside a validator."""

from __future__ import annotations

from supavex.convex import validators as kinds
from supavex.convex.validators import Validator, unwrap


def trimmed(path: str) -> str:
    """A field path without the dots around it, which Convex ignores: ``.a.b.`` is ``a.b``."""
    return path.strip(".")


def is_system_field(path: str) -> bool:
    """Whether a path is one field that starts with an underscore. Convex does not check such a path against
    the schema.
    """
    return "." not in path and path.startswith("_")


def can_contain_field(validator: Validator, path: str) -> bool:
    """Whether some document that fits ``validator`` has a value at the dotted ``path``."""
    return bool(fields_at(validator, path))


def fields_at(validator: Validator, path: str) -> list[Validator]:
    """The validators at the dotted ``path``, one for each variant of a union."""
    found = [validator]
    for part in trimmed(path).split("."):
        found = [child for outer in found for child in _step(unwrap(outer), part)]
    return found


def _step(validator: Validator, field: str) -> list[Validator]:
    if isinstance(validator, kinds.AnyValue):
        return [validator]
    if isinstance(validator, kinds.Union):
        return [child for member in validator.members for child in _step(unwrap(member), field)]
    if isinstance(validator, kinds.Object) and field in validator.fields:
        return [validator.fields[field]]
    return []
