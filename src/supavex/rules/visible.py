"""Finds the indexes for the rows that a policy shows: by fields that equal a value of the caller, or of a subquery."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supavex.convex.schema import TableDefinition
from supavex.rules import form
from supavex.rules.form import AnyOf, Compare, Exists, Expression, Field, InSelect, Rows, Select, rows_in
from supavex.rules.parse.arrangement import LOOKED_UP, Tables, arranged, index_for
from supavex.rules.parse.scope import Binding
from supavex.rules.policies import RuleSet, TableRules

ROW = "row"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to find rows: an index whose fields equal values."""

    #: As for :class:`~supavex.rules.policies.PolicyRule`.
    roles: tuple[str, ...]
    #: Empty for ``_id``.
    index: str
    #: The fields, each with the expression that it equals.
    fields: tuple[tuple[str, Expression], ...]
    #: An array with the values for ``field``.
    each: Expression | None = None
    #: The field that equals an element of ``each``.
    field: str = ""
    #: Whether it finds only visible rows, so that no rule has to test them.
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Visibility:
    """The ways that together find all rows of a table that its policies show; None if there are none.

    ``add``: fields for an index that would help.
    """

    ways: tuple[Way, ...] | None
    add: tuple[str, ...] = ()


def visible_name(table: str) -> str:
    """The name of the function of rules.ts for a table's documents that the caller may see."""
    return "visible" + table[0].upper() + table[1:]


def visibility(table: TableRules, rules: RuleSet) -> Visibility:
    """The way to find the rows of ``table`` that a caller may see."""
    if not table.security or table.source is None or table.source.definition is None:
        return Visibility(None)
    shown = [rule for rule in table.policies if rule.policy.command in ("ALL", "SELECT") and rule.roles]
    restricted = any(not rule.policy.permissive for rule in shown)
    ways: list[Way] = []
    missing: list[str] = []
    whole = False
    for rule in shown:
        if not rule.policy.permissive or rule.reason or rule.using is None:
            continue
        for part in rule.using.parts if isinstance(rule.using, form.Any) else (rule.using,):
            found = _way(part, rule.roles, table.source.definition, rules)
            if isinstance(found, Way):
                ways.append(replace(found, exact=found.exact and not restricted))
            elif found:
                missing.append(found)
            else:
                whole = True
    if whole or missing:
        return Visibility(None, () if whole else tuple(dict.fromkeys(missing)))
    return Visibility(tuple(way for at, way in enumerate(ways) if way not in ways[:at]))


def _way(part: Expression, roles: tuple[str, ...], definition: TableDefinition, rules: RuleSet) -> Way | str:
    """The way for a condition; otherwise the field that lacks an index, or nothing."""
    parts = part.parts if isinstance(part, form.All) else (part,)
    equal: dict[str, Expression] = {}
    said: dict[str, Expression] = {}
    for one in parts:
        if isinstance(one, Compare) and one.operator == "=":
            for field, other in ((one.left, one.right), (one.right, one.left)):
                if isinstance(field, Field) and field.row == ROW and ROW not in rows_in(other):
                    if equal.setdefault(field.name, other) is other and field.kind.name in LOOKED_UP:
                        said[field.name] = one
                    break
    if "_id" in equal:
        return Way(roles, "", (("_id", equal["_id"]),), exact=len(parts) == 1)
    index, served = index_for(definition, equal)
    if index:
        exact = all(any(one is said.get(name) for name in served) for one in parts)
        return Way(roles, index, tuple((name, equal[name]) for name in served), exact=exact)
    missing = next(iter(equal), "")
    for one in parts:
        name, values = _many(one, rules)
        if values is None:
            continue
        index = "" if name == "_id" else index_for(definition, (name,))[0]
        if index or name == "_id":
            return Way(roles, index, (), values, name, exact=len(parts) == 1)
        missing = missing or name
    return missing


def _many(one: Expression, rules: RuleSet) -> tuple[str, Expression | None]:
    """The field that is one of several values, and an array of these; ``None`` if there is none."""
    if isinstance(one, InSelect) and isinstance(one.left, Field) and one.left.row == ROW:
        if ROW not in rows_in(one.select) and one.select.output is not None:
            return one.left.name, _array(one.select)
    elif isinstance(one, AnyOf) and isinstance(one.left, Field) and one.left.row == ROW and not one.every:
        if one.operator == "=" and ROW not in rows_in(one.array):
            return one.left.name, one.array
    elif isinstance(one, Exists):
        return _correlated(one.select, rules)
    return "", None


def _array(select: Select) -> Expression:
    assert select.output is not None
    return Rows(form.Kind("array", element=select.output.kind), False, (select,))


def _correlated(select: Select, rules: RuleSet) -> tuple[str, Expression | None]:
    """The only field by which a subquery of EXISTS depends on the row, and its values in the subquery."""
    links: list[tuple[Field, Field]] = []
    found = Tables()
    if any(source.outer for source in select.sources):
        return "", None
    where = found.where
    for source in select.sources:
        found.inner[source.row] = Binding("", source.row, rules.plan.to_target(source.table), secured=source.secured)
        for name, value in source.equal:
            own = Field(value.kind, True, source.row, name)
            if isinstance(value, Field) and value.row == ROW:
                links.append((value, own))
            else:
                where.append(Compare(form.BOOLEAN, True, "=", own, value))
    if select.condition is not None:
        where += select.condition.parts if isinstance(select.condition, form.All) else [select.condition]
    if len(links) != 1 or any(ROW in rows_in(part) for part in where):
        return "", None
    field, own = links[0]
    return field.name, _array(arranged(found, own))
