"""Casts to SQL's types by their names, where the name says more than the kind: enums, and the sizes of numbers."""

from __future__ import annotations

from collections.abc import Iterator

from supavex.postgres.catalog import Type
from supavex.rules import form
from supavex.rules.form import Call, Constant, Expression, Kind, Untranslatable
from supavex.rules.parse.casts import cast, constant, null
from supavex.rules.parse.columns import Source, kind_named


def cast_named(given: Expression, name: str, source: Source) -> Expression:
    """``given`` as a value of the type ``name``, which throws where PostgreSQL does. Raises :class:`Untranslatable`."""
    base = name.lower().removeprefix("pg_catalog.").replace('"', "")
    if isinstance(given, Constant) and base.removesuffix("[]") in ("real", "float4"):
        return _real(given, Kind("array", element=form.REAL) if base.endswith("[]") else form.REAL)
    if isinstance(given, Constant) and isinstance(given.value, str) and base == "bpchar":
        return Constant(form.PADDED, False, given.value.rstrip(" "))
    kind = kind_named(name, source)
    if isinstance(given, Constant) and given.kind != form.REAL:
        return cast(given, kind)
    if kind.name == "array" and given.kind.name == "array":
        _demand_elements(given.kind, kind, base, source)
    if base in ("numeric", "decimal") and given.kind.name == "number" and given.kind.table != "int":
        return _decimal(given)
    if base == "name":
        raise Untranslatable("a cast to name is not translated: PostgreSQL cuts the text to 63 bytes")
    if kind.name == "number" and kind.bits and given.kind.name in ("text", "json", "int64"):
        return _whole(given, kind)
    if is_enum(base, source):
        return _label(given, base, source)
    return cast(given, kind)


def _real(given: Constant, kind: Kind) -> Constant:
    return null(kind) if given.value is None else constant(str(given.value), kind)


def _decimal(given: Expression) -> Expression:
    if given.kind == form.REAL:
        raise Untranslatable("a cast of real to numeric is not translated: PostgreSQL rounds the value to 6 digits")
    return Call(form.NUMBER, given.nullable, "decimalOf", (given,))


def _demand_elements(own: Kind, kind: Kind, name: str, source: Source) -> None:
    """Raises for an array whose elements PostgreSQL reads as another type: one of them may be none."""
    text = own.element is not None and own.element.name == "text"
    if text and (kind.element != form.TEXT or is_enum(name.removesuffix("[]"), source)):
        raise Untranslatable(f"a cast of {own} to {name} is not translated: one element may be no such value")


def _whole(given: Expression, kind: Kind) -> Expression:
    size = Constant(form.WHOLE_NUMBER, False, kind.bits)
    if given.kind.name == "text":
        return Call(kind, given.nullable, "wholeFromText", (given, size))
    made = cast(given, form.NUMBER if given.kind.name == "json" else kind)
    return Call(kind, made.nullable, "wholeOf", (made, size))


def is_enum(name: str, source: Source) -> bool:
    """Whether the project has an enum of that name."""
    enums = (other.name.lower() for other in source.plan.catalog.others if other.kind == "enum")
    return any(name in (enum, enum.rpartition(".")[2]) for enum in enums)


def _label(given: Expression, name: str, source: Source) -> Expression:
    found = {
        one.labels for one in _types(source) if one.category == "e" and name.rpartition(".")[2] == one.base.lower()
    }
    if len(found) != 1 or given.kind.name != "text":
        raise Untranslatable(
            f"a cast of {given.kind} to the enum {name} is not translated: only text, to an enum that a column has"
        )
    (labels,) = found
    if given.kind.labels == labels:
        return given
    return Call(form.TEXT, given.nullable, "labelOf", (given, Constant(_LABELS, False, list(labels))))


_LABELS = Kind("array", element=form.TEXT)


def _types(source: Source) -> Iterator[Type]:
    for table in source.plan.catalog.tables:
        for column in table.columns:
            yield column.type
            if column.type.element is not None:
                yield column.type.element
