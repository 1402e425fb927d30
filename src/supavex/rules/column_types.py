"""The checks that PostgreSQL makes by a column's type, and Convex's validators do not make."""

from __future__ import annotations

from dataclasses import dataclass

from supavex.convex import validators as kinds
from supavex.convex.validators import Validator
from supavex.mapping.conversions import Target
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.postgres.catalog import Column, Type

_BITS = {"int2": 16, "int4": 32, "int8": 64}
_FORMATS = {"time as HH:MM": 5, "time as HH:MM:SS": 8}


@dataclass(frozen=True, slots=True)
class TypeCheck:
    """A function of the runtime that gives the value that a column holds for a field's value, if its type takes it."""

    #: The function's name in TypeScript.
    name: str
    #: What it is made with: numbers (None: there is none), or the check of an array's elements.
    made_with: tuple[int | TypeCheck | None, ...] = ()


def type_checks(table: TablePlan) -> dict[str, TypeCheck]:
    """The checks of a table's fields. A field whose type needs none is left out."""
    found = {}
    for planned in table.fields:
        if isinstance(planned.value, Column) and not planned.value.generated and planned.file is None:
            check = _check(planned.value.type, planned.validator, planned)
            if check is not None:
                found[planned.name] = check
    return found


def _check(type_: Type, validator: Validator, planned: FieldPlan) -> TypeCheck | None:
    target = Target(validator)
    if target.any:
        return None
    if type_.element is not None:
        inner = _check(type_.element, target.elements[0], planned) if len(target.elements) == 1 else None
        return None if inner is None else TypeCheck("arrayType", (inner,))
    base, number, text = type_.base, target.takes(kinds.Number), target.takes(kinds.String)
    if base in _BITS and (number or text or target.takes(kinds.Int64)):
        return TypeCheck("integerType", (_BITS[base],))
    if base == "numeric" and number and type_.precision is not None:
        return TypeCheck("numericType", (type_.precision, type_.scale or 0))
    if base == "numeric" and text and not number and (type_.scale or 0) >= 0:
        return TypeCheck("numericTextType", (type_.precision, type_.scale or 0))
    if base == "float4" and number:
        return TypeCheck("realType")
    if base in ("timestamp", "timestamptz", "date") and number:
        return TypeCheck("midnightType" if base == "date" else "timestampType")
    if base == "bpchar" and text and type_.length is not None:
        return TypeCheck("charType", (type_.length,))
    if base in ("uuid", "date") and text:
        return TypeCheck(f"{base}Type")
    if base == "time" and text:
        return TypeCheck("timeType", (_FORMATS.get(planned.conversion.name, 0),))
    return None
