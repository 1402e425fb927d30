"""What a select list takes of a document, as the entries of a TypeScript object."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from supavex.convex.typescript import key
from supavex.convex.validators import AnyValue, String
from supavex.usage.advice.conditions import member
from supavex.usage.advice.tables import ColumnSide, TableSide
from supavex.usage.finding.selects import SelectItem


def selected(
    columns: Sequence[SelectItem], side: TableSide, row: str, *, whole: bool, note: Callable[[str], None]
) -> list[str] | None:
    """The entries (``name: row.name``) of the object that holds what ``columns`` select of the variable ``row``.

    None for the whole document. ``whole``: whether an absent list selects all columns, or nothing. Only selected
    columns are among the entries. Of a list that is partly unknown, they are the known columns, or ``_id`` alone.
    """
    if not columns:
        return None if whole else []
    entries: dict[str, str] = {}
    everything = any(column.name == "*" for column in columns)
    if everything:
        entries["..."] = f"...{row}"
    for column in columns:
        if not column.known or column.aggregate or column.name == "*":
            continue
        own = side.column(column.name)
        if not own.field:
            note(f"{column.name} {own.why}.")
            continue
        if column.cast and own.field != "_id":
            note(f"{column}: the value without the cast.")
        name = column.alias or _last_key(column.path) or own.field
        if column.name == side.key and own.field != "_id":
            entries["_id"] = f"_id: {row}._id"
        if name == own.field and not column.path and everything:
            continue
        entries[name] = f"{key(name)}: {_value(column, own, row, note)}"
    if list(entries) == ["..."]:
        return None
    if not entries and not all(column.known for column in columns):
        return [f"_id: {row}._id"]
    return list(entries.values())


def _value(column: SelectItem, own: ColumnSide, row: str, note: Callable[[str], None]) -> str:
    field = f"{row}{member(own.field)}"
    if not column.path:
        return field
    if "->>" in column.path:
        note(f"{column.name}{column.path}: the value itself, and not its text.")
    if isinstance(own.inner, String):
        missing = ' ?? "null"' if own.optional or own.nullable else ""
        field = f"JSON.parse({field}{missing})"
    elif not isinstance(own.inner, AnyValue):
        field = f"({field} as any)"
    steps = []
    for step in _steps(column.path):
        # A negative number counts from the end.
        at = f"?.[{step}]" if step.isdigit() else f"?.at({step})" if step[1:].isdigit() and step[0] == "-" else ""
        name = member(step)
        steps.append(at or (f"?.{name}" if name.startswith("[") else f"?{name}"))
    return field + "".join(steps)


def _steps(path: str) -> list[str]:
    return [step.strip().strip("\"'") for step in re.split(r"->>?", path) if step.strip()]


def _last_key(path: str) -> str:
    """The name that PostgREST gives a part of a JSON value: the last key of the path."""
    keys = [step for step in _steps(path) if not step.lstrip("-").isdigit()]
    return keys[-1] if keys else ""
