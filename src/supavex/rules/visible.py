"""Which indexes find the rows that a policy shows: by fields that equal what the caller brings, or a subquery finds."""

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
    """One way to rows: an index whose fields equal values. ``each``: the values of ``field`` are those of an array.

    ``index`` is empty for ``_id``. ``roles`` as of :class:`~supavex.rules.policies.PolicyRule`. ``exact``: whether it
    leads to visible rows alone, so that no rule has to look at them again.
    """

    roles: tuple[str, ...]
    index: str
    fields: tuple[tuple[str, Expression], ...]
    each: Expression | None = None
    field: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Visibility:
    """The ways to all rows of a table that its policies show; None: no indexes lead to all of them.

    ``add``: fields that an index would have to begin with.
    """

    ways: tuple[Way, ...] | None
    add: tuple[str, ...] = ()


def visible_name(table: str) -> str:
    """The name of the function of rules.ts that gives a table's documents that the caller may see."""
    return "visible" + table[0].upper() + table[1:]


def visibility(table: TableRules, rules: RuleSet) -> Visibility:
    """How the rows of ``table`` that a caller may see are found."""
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
    """The way that a condition gives; else the field that an index is missing for, or nothing."""
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
    """The field that is one of several values, and an array of those; ``None`` where there is none."""
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
    """The one field by which a subquery of EXISTS depends on the row, and the values that the subquery gives it."""
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
