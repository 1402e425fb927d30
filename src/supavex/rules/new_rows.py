"""Conditions for new rows. Convex chooses the id of a new document, so a condition does not know it.

A new key equals no value that exists. A subquery that looks for it finds nothing, and a comparison with it may be NULL
in the place of its value: AND, OR and NOT make no condition true by that. Other SQL may, for example ``IS NOT TRUE``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace

from supavex.rules import form
from supavex.rules.form import (
    AnyOf,
    Case,
    Compare,
    Constant,
    Expression,
    Field,
    Function,
    InSelect,
    IsNull,
    Not,
    Select,
    Whole,
)


def for_new_rows(condition: Expression) -> Expression:
    """``condition`` with NULL for each part that could be true only because a new row has no key yet.

    For rows with a key it is the same as ``condition``.
    """
    match condition:
        case form.All() | form.Any():
            parts = tuple(map(for_new_rows, condition.parts))
            changed = any(new is not old for new, old in zip(parts, condition.parts, strict=True))
            return replace(condition, parts=parts, nullable=True) if changed else condition
        case Not():
            part = for_new_rows(condition.part)
            return replace(condition, part=part, nullable=True) if part is not condition.part else condition
    key = next(_keys(condition), None)
    if key is None or _compares_key(condition):
        return condition
    known = Not(form.BOOLEAN, False, IsNull(form.BOOLEAN, False, key))
    return Case(form.BOOLEAN, True, ((known, condition),), Constant(form.BOOLEAN, True, None))


def _compares_key(found: object) -> bool:
    """Whether an expression compares the key itself, and has it nowhere else."""
    match found:
        case Compare():
            sides: Iterable[object] = (found.left, found.right)
        case AnyOf():
            sides = (found.left, found.array)
        case InSelect():
            sides = (found.left, found.select)
        case _:
            return False
    return all(isinstance(side, Field) or next(_keys(side), None) is None for side in sides)


def _keys(found: object) -> Iterator[Expression]:
    """The reads of the new row's key, or of the whole row, by which a value could differ from that for a new key."""
    if isinstance(found, Select) and _looks_for_key(found):
        return
    if isinstance(found, Field) and (found.row, found.name) == ("row", "_id"):
        yield found
    elif isinstance(found, Whole) and found.row == "row":
        yield Field(form.UNKNOWN, True, "row", "_id")
    elif isinstance(found, tuple | list):
        for one in found:
            yield from _keys(one)
    elif is_dataclass(found) and not isinstance(found, Function):
        # InSelect holds its select twice.
        for name in (each.name for each in fields(found) if each.name not in ("kind", "matching")):
            yield from _keys(getattr(found, name))


def _looks_for_key(select: Select) -> bool:
    """Whether a select finds only rows that have the key as a value, and so none."""
    values = [value for source in select.sources if not source.outer for _, value in source.equal]
    condition = select.condition
    conjuncts = condition.parts if isinstance(condition, form.All) else (condition,)
    values += [
        side for one in conjuncts if isinstance(one, Compare) and one.operator == "=" for side in (one.left, one.right)
    ]
    return any(isinstance(value, Field) and (value.row, value.name) == ("row", "_id") for value in values)
