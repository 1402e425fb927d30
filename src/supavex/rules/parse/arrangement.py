"""Orders the tables of a subquery: tables come first if their fields equal something known, so that an index finds
their rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Any

from supavex.convex.schema import TableDefinition
from supavex.rules.form import Compare, Expression, Field, Select, Source, rows_in
from supavex.rules.parse.expressions import all_of
from supavex.rules.parse.scope import Binding

#: Kinds whose values are equal in SQL exactly if they are equal by JavaScript's ===. An index finds such values.
LOOKED_UP = ("text", "uuid", "id", "clerk", "number", "int64", "boolean", "date", "moment", "time")


@dataclass
class Tables:
    """FROM and WHERE of a select: tables of inner joins, conditions, and tables of LEFT JOINs."""

    inner: dict[str, Binding] = dataclass_field(default_factory=dict)
    where: list[Expression] = dataclass_field(default_factory=list)
    outer: list[tuple[Binding, list[Expression]]] = dataclass_field(default_factory=list)


def arranged(
    found: Tables, output: Expression | None, limit: int = 0, order: tuple[tuple[Expression, bool], ...] = ()
) -> Select:
    """The select with its tables in the best order, each with the fields that equal something known before it."""
    left, sources, rest = dict(found.inner), list[Source](), list(found.where)
    optional = {binding.row for binding, _ in found.outer}
    while left:
        choices = [(_equal(row, rest, set(left) | optional), row) for row in left]
        equal, row = max(choices, key=lambda choice: _worth(choice[0], left[choice[1]]))
        made, used = _source(left.pop(row), equal)
        sources.append(made)
        rest = [part for part in rest if id(part) not in used]
    for number, (binding, on) in enumerate(found.outer):
        unknown = {other.row for other, _ in found.outer[number:]}
        made, used = _source(binding, _equal(binding.row, on, unknown))
        further = [part for part in on if id(part) not in used]
        sources.append(replace(made, on=all_of(further) if further else None))
    return Select(tuple(sources), all_of(rest) if rest else None, output, limit, order)


def _source(binding: Binding, equal: dict[str, tuple[Expression, Expression]]) -> tuple[Source, set[int]]:
    """A table with its equal fields, and the conditions that these express."""
    assert binding.table is not None
    assert binding.table.definition is not None
    fields = {name: value for name, (value, _) in equal.items()}
    index, served = ("", ()) if "_id" in fields else index_for(binding.table.definition, fields)
    ordered = [*served, *(name for name in fields if name not in served)]
    pairs = tuple((name, fields[name]) for name in ordered)
    source = Source(binding.table.target, binding.row, pairs, index, served, binding.secured, binding.outer)
    return source, {id(part) for _, part in equal.values()}


def _worth(equal: dict[str, Any], binding: Binding) -> tuple[int, int]:
    assert binding.table is not None
    assert binding.table.definition is not None
    # A document by its id is better than any index.
    if "_id" in equal:
        return (9, 0)
    return (len(index_for(binding.table.definition, equal)[1]), len(equal))


def _equal(row: str, where: list[Expression], unknown: set[str]) -> dict[str, tuple[Expression, Expression]]:
    """The fields of ``row`` that equal an expression without ``unknown`` rows, each with its condition."""
    found: dict[str, tuple[Expression, Expression]] = {}
    for part in where:
        if not isinstance(part, Compare) or part.operator != "=" or part.left.kind.name not in LOOKED_UP:
            continue
        for field, other in ((part.left, part.right), (part.right, part.left)):
            plain = isinstance(field, Field) and field.row == row and field.name not in found
            if plain and isinstance(field, Field) and not rows_in(other) & unknown:
                found[field.name] = (other, part)
                break
    return found


def index_for(definition: TableDefinition, fields: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The index that begins with the most of ``fields``, and these fields; ``""`` if no index begins with one."""
    wanted = set(fields)
    best: tuple[str, tuple[str, ...]] = ("", ())
    for index in definition.indexes:
        served = tuple(itertools.takewhile(wanted.__contains__, index.fields))
        if not index.staged and len(served) > len(best[1]):
            best = (index.name, served)
    return best
