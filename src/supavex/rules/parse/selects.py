"""Subqueries: the tables of FROM, ordered so that fields that equal something known come first."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from supavex.rules import form
from supavex.rules.form import (
    Compare,
    Constant,
    Count,
    Exists,
    Expression,
    Field,
    InSelect,
    Kind,
    Not,
    Rows,
    Scalar,
    Select,
    Source,
    Untranslatable,
)
from supavex.rules.parse.arrangement import Tables, arranged
from supavex.rules.parse.expressions import all_of, any_of, condition, quantified
from supavex.rules.parse.operators import alike, compared
from supavex.rules.parse.program import select_of
from supavex.rules.parse.scope import Binding, Scope, expression, reads


@reads("SubLink")
def _sublink(node: Any, scope: Scope) -> Expression:
    kind = node.subLinkType.name
    if kind == "EXISTS_SUBLINK":
        found = [Exists(form.BOOLEAN, False, each) for each in selects(node.subselect, scope, output=False)]
        return any_of(list(found))
    if kind in ("ANY_SUBLINK", "ALL_SUBLINK"):
        return _any_sublink(node, scope, every=kind == "ALL_SUBLINK")
    if kind == "EXPR_SUBLINK":
        return _scalar(node.subselect, scope)
    if kind == "ARRAY_SUBLINK":
        return rows(selects(node.subselect, scope))
    raise Untranslatable(f"a subquery of the kind {kind} is not translated")


def _any_sublink(node: Any, scope: Scope, *, every: bool) -> Expression:
    operator = node.operName[-1].sval if node.operName else "="
    if operator not in (("<>", "!=") if every else ("=",)) or type(node.testexpr).__name__ == "RowExpr":
        raise Untranslatable(
            f"{operator} {'ALL' if every else 'ANY'} (SELECT …) is not translated: only IN and NOT IN of one column"
        )
    left = expression(node.testexpr, scope)
    found: list[Expression] = []
    for each in selects(node.subselect, scope):
        assert each.output is not None
        if not each.sources and each.condition is None and each.output.kind.name == "array":
            found.append(quantified("=", left, each.output, scope, every=False))
            continue
        if each.limit:
            found.append(compared("=", left, Scalar(each.output.kind, True, each), scope.source))
            continue
        held, output = alike(left, each.output, scope.source)
        select = replace(each, output=output)
        equal = Compare(form.BOOLEAN, True, "=", output, held)
        found.append(InSelect(form.BOOLEAN, True, held, select, with_condition(select, equal, scope)))
    made = any_of(found)
    return Not(form.BOOLEAN, True, made) if every else made


def with_condition(select: Select, part: Expression, scope: Scope) -> Select:
    """The select with another condition, and its tables ordered again."""
    found = Tables()
    for source in select.sources:
        table = scope.source.plan.to_target(source.table)
        binding = Binding("", source.row, table, secured=source.secured, outer=source.outer)
        equal = [_equality(source, name, value) for name, value in source.equal]
        if source.outer:
            found.outer.append((binding, [*equal, *_parts(source.on)]))
        else:
            found.inner[source.row] = binding
            found.where += equal
    found.where += [*_parts(select.condition), part]
    return arranged(found, None, select.limit, select.order)


def _equality(source: Source, name: str, value: Expression) -> Expression:
    return Compare(form.BOOLEAN, True, "=", Field(value.kind, True, source.row, name), value)


def _parts(condition: Expression | None) -> list[Expression]:
    if condition is None:
        return []
    return list(condition.parts) if isinstance(condition, form.All) else [condition]


def rows(found: Sequence[Select]) -> Expression:
    """The outputs of selects as one array."""
    first = found[0].output
    assert first is not None
    if len(found) == 1 and not found[0].sources and found[0].condition is None and first.kind.name == "array":
        return first
    kinds = [each.output.kind for each in found if each.output is not None]
    if len(kinds) < len(found) or not all(one.like(first.kind) for one in kinds):
        raise Untranslatable("a UNION has columns that Convex holds in different ways")
    element = replace(first.kind, bits=max(one.bits for one in kinds))
    return Rows(Kind("array", element=element), False, tuple(found))


def _scalar(node: Any, scope: Scope) -> Expression:
    aggregate = _aggregate(node)
    if aggregate is not None:
        return _aggregated(aggregate, node, scope)
    found = selects(node, scope)
    if len(found) != 1 or node.distinctClause:
        raise Untranslatable(
            "a subquery with UNION or DISTINCT is used as one value, of which PostgreSQL chooses any row"
        )
    select = found[0]
    assert select.output is not None
    if not select.sources and select.condition is None:
        return select.output
    return Scalar(select.output.kind, True, select)


def _aggregate(node: Any) -> Any:
    """The call of an aggregate that is a select's whole output, or None."""
    if len(node.targetList or ()) != 1:
        return None
    value = node.targetList[0].val
    while type(value).__name__ == "TypeCast":
        value = value.arg
    if type(value).__name__ == "FuncCall" and value.funcname[-1].sval in _AGGREGATES:
        return value
    return None


_AGGREGATES = ("count", "array_agg", "bool_or", "bool_and", "max", "min", "sum")


def _aggregated(call: Any, node: Any, scope: Scope) -> Expression:
    name = call.funcname[-1].sval
    if (
        node.groupClause
        or node.havingClause
        or call.agg_distinct
        or call.agg_filter
        or call.agg_order
        or node.limitCount
    ):
        raise Untranslatable(f"{name} with GROUP BY, HAVING, DISTINCT, FILTER, ORDER BY or LIMIT is not translated")
    if name == "count":
        argument = None if call.agg_star else call.args[0]
        select = _select(node, scope, argument)
        if argument is not None and select.output is not None and select.output.nullable:
            test: Expression = Not(form.BOOLEAN, False, form.IsNull(form.BOOLEAN, False, select.output))
            select = replace(select, condition=all_of([test, *([select.condition] if select.condition else [])]))
        return Count(form.BIGINT, False, replace(select, output=None))
    select = _select(node, scope, call.args[0])
    assert select.output is not None
    if name == "array_agg":
        return form.Call(Kind("array", element=select.output.kind), True, "nullIfEmpty", (rows([select]),))
    if name in ("bool_or", "bool_and"):
        return form.Call(form.BOOLEAN, True, "anyTrue" if name == "bool_or" else "allTrue", (rows([select]),))
    if name in ("max", "min") and select.output.kind.ordered and select.output.kind.name != "boolean":
        return form.Call(select.output.kind, True, "greatestOf" if name == "max" else "leastOf", (rows([select]),))
    raise Untranslatable(f"the aggregate {name} is not translated")


def selects(node: Any, scope: Scope, *, output: bool = True) -> list[Select]:
    """The selects of a SELECT statement; several for a UNION. Raises :class:`Untranslatable` for other statements."""
    if node.op.name != "SETOP_NONE":
        if node.op.name != "SETOP_UNION" or node.limitCount or node.limitOffset:
            raise Untranslatable(
                f"{node.op.name.removeprefix('SETOP_')}, or a UNION with LIMIT or OFFSET, is not translated"
            )
        return [*selects(node.larg, scope, output=output), *selects(node.rarg, scope, output=output)]
    if output and _aggregate(node) is not None:
        value = _aggregated(_aggregate(node), node, scope)
        return [Select((), None, value)]
    if output and len(node.targetList or ()) != 1:
        raise Untranslatable("a subquery that is used as a value has several columns")
    if not output:
        _hold_rows(node, scope)
    called = _called_in_from(node)
    if output and called is not None:
        return [Select((), None, expression(called, scope))]
    return [_select(node, scope, node.targetList[0].val if output else None)]


#: Functions of PostgreSQL and Supabase with one value for each row. An aggregate has one row for all rows, and other
#: functions have several rows for one, so unknown functions are refused.
_OF_EACH_ROW = frozenset(
    {
        "uid", "role", "email", "jwt", "lower", "upper", "length", "char_length", "btrim", "ltrim", "rtrim", "left",
        "right", "substr", "substring", "replace", "split_part", "strpos", "position", "starts_with", "concat", "abs",
        "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "current_setting", "array_length",
        "cardinality", "string_to_array", "jsonb_typeof", "json_typeof", "jsonb_array_length", "json_array_length",
        "gen_random_uuid", "uuid_generate_v4", "date_trunc", "to_char", "round", "floor", "ceil", "format",
    }
)  # fmt: skip
_ROWS_ALONE = (
    "in the SELECT list of an EXISTS, or of a subquery in FROM, may change how many rows there are: "
    "write SELECT 1 FROM … WHERE … for EXISTS"
)
#: Parts of an output that don't change the number of rows.
_PLAIN = frozenset(
    {
        "ResTarget", "ColumnRef", "A_Star", "A_Const", "A_Expr", "A_ArrayExpr", "A_Indirection", "A_Indices",
        "BoolExpr", "BooleanTest", "CaseExpr", "CaseWhen", "CoalesceExpr", "FuncCall", "MinMaxExpr", "NullTest",
        "RowExpr", "SQLValueFunction", "String", "Integer", "Float", "Boolean", "TypeCast", "TypeName",
    }
)  # fmt: skip


def _hold_rows(node: Any, scope: Scope) -> None:
    """Raises :class:`Untranslatable` if a select whose output is unused may have another number of rows than FROM and
    WHERE give.
    """
    from pglast.visitors import Skip, Visitor

    class Parts(Visitor):
        def visit_SubLink(self, _: Any, __: Any) -> Any:
            return Skip

        def visit_FuncCall(self, _: Any, call: Any) -> None:
            names = [part.sval for part in call.funcname]
            own = scope.source.functions(names[-2] if len(names) > 1 else "", names[-1])
            scalar = not any(function.returns_set for function in own) if own else names[-1] in _OF_EACH_ROW
            special = call.agg_star or call.agg_filter or call.agg_within_group or call.over
            if special or not scalar or names[-1] in _AGGREGATES:
                raise Untranslatable(f"{names[-1]}() {_ROWS_ALONE}")

        def visit(self, _: Any, part: Any) -> None:
            if type(part).__name__ not in _PLAIN:
                raise Untranslatable(f"{type(part).__name__} {_ROWS_ALONE}")

    for target in node.targetList or ():
        Parts()(target)


def _called_in_from(node: Any) -> Any:
    """The call of a set-returning function whose rows are a select's whole result, or None."""
    items: Any = node.fromClause or ()
    plain = len(items) == 1 and type(items[0]).__name__ == "RangeFunction" and not node.whereClause
    if not plain or type(node.targetList[0].val).__name__ != "ColumnRef" or node.limitCount or items[0].ordinality:
        return None
    return items[0].functions[0][0] if len(items[0].functions) == 1 else None


def _select(node: Any, scope: Scope, output: Any) -> Select:
    """One SELECT with the output ``output``; None if the output is unused."""
    found = Tables()
    inner = _joined(node, scope, found)
    value = None if output is None else expression(output, inner)
    if value is not None and value.kind.name == "row":
        raise Untranslatable("a subquery returns a whole row, and only single columns are translated")
    order = tuple(_order(each, inner) for each in node.sortClause or ()) if node.limitCount is not None else ()
    return arranged(found, value, _limit(node, scope), order)


def _joined(node: Any, scope: Scope, found: Tables) -> Scope:
    """The scope of a select's outputs. Its tables and conditions are added to ``found``."""
    if node.groupClause or node.havingClause or node.windowClause or node.valuesLists:
        raise Untranslatable("a subquery with GROUP BY, HAVING, WINDOW or VALUES is not translated")
    if node.lockingClause or node.limitOffset:
        raise Untranslatable("a subquery with OFFSET or FOR UPDATE is not translated")
    queries = dict(scope.queries)
    for query in node.withClause.ctes if node.withClause else ():
        if node.withClause.recursive or query.aliascolnames:
            raise Untranslatable("WITH RECURSIVE, or WITH that names columns, is not translated")
        queries[query.ctename] = query.ctequery
    inner = replace(scope, bindings=(), variables={}, outer=scope, queries=queries)
    for item in node.fromClause or ():
        inner = _from(item, inner, found)
    if node.whereClause is not None:
        found.where += _parts(condition(node.whereClause, inner))
    return inner


def _limit(node: Any, scope: Scope) -> int:
    if node.limitCount is None:
        return 0
    found = expression(node.limitCount, scope)
    if isinstance(found, Constant) and found.value is None:
        return 0
    if not isinstance(found, Constant) or found.value != 1:
        raise Untranslatable("a subquery has a LIMIT other than 1, or one that is not a constant")
    return 1


def _order(node: Any, scope: Scope) -> tuple[Expression, bool]:
    value = expression(node.node, scope)
    if not value.kind.ordered or node.sortby_nulls.name != "SORTBY_NULLS_DEFAULT":
        raise Untranslatable(
            f"ORDER BY {value.kind} is not translated: JavaScript orders it in another way, or NULLS FIRST is set"
        )
    return value, node.sortby_dir.name == "SORTBY_DESC"


def _from(item: Any, scope: Scope, found: Tables) -> Scope:
    """``scope`` with the tables of an item of FROM. They are added to ``found`` with the conditions of joins."""
    kind = type(item).__name__
    if kind == "JoinExpr":
        return _join(item, scope, found)
    if kind == "RangeSubselect":
        return _pulled_up(item.subquery, item.alias, scope, found)
    if kind != "RangeVar":
        raise Untranslatable(
            "FROM has a function call, VALUES or another item that is not a table, a view or a subquery"
        )
    alias = item.alias.aliasname if item.alias else item.relname
    if item.alias and item.alias.colnames:
        raise Untranslatable("an alias in FROM renames columns: name them in the SELECT list instead")
    if not item.schemaname and item.relname in scope.queries:
        return _pulled_up(scope.queries[item.relname], item.alias or item.relname, scope, found)
    view = scope.source.view(item.schemaname or "", item.relname)
    if view is not None:
        secured = scope.secured and view.invoker
        return _pulled_up(select_of(view.query), alias, scope, found, secured=secured)
    table = scope.source.table(item.schemaname or "", item.relname)
    binding = Binding(alias, scope.row_name(alias), table, secured=scope.secured)
    found.inner[binding.row] = binding
    return replace(scope, bindings=(*scope.bindings, binding))


def _join(item: Any, scope: Scope, found: Tables) -> Scope:
    kind = item.jointype.name
    if kind not in ("JOIN_INNER", "JOIN_LEFT") or item.isNatural or item.alias or item.usingClause:
        raise Untranslatable("a RIGHT, FULL or NATURAL JOIN, or JOIN … USING, is not translated: write JOIN … ON")
    scope = _from(item.larg, scope, found)
    if kind == "JOIN_INNER":
        scope = _from(item.rarg, scope, found)
        if item.quals is not None:
            found.where += _parts(condition(item.quals, scope))
        return scope
    right = Tables()
    before = len(scope.bindings)
    scope = _from(item.rarg, scope, right)
    if len(right.inner) != 1 or right.where or right.outer or type(item.rarg).__name__ != "RangeVar":
        raise Untranslatable("the right side of a LEFT JOIN is not a single table")
    (binding,) = right.inner.values()
    optional = replace(binding, outer=True)
    scope = replace(scope, bindings=(*scope.bindings[:before], optional))
    found.outer.append((optional, _parts(condition(item.quals, scope))))
    return scope


def _pulled_up(node: Any, alias: Any, scope: Scope, found: Tables, *, secured: bool | None = None) -> Scope:
    """``scope`` with a plain subquery of FROM, whose tables and conditions join those around it."""
    name = alias if isinstance(alias, str) else alias.aliasname if alias is not None else ""
    if node.op.name != "SETOP_NONE" or node.distinctClause or node.limitCount or _aggregate(node) is not None:
        raise Untranslatable("a subquery in FROM with UNION, DISTINCT, LIMIT or an aggregate is not translated")
    _hold_rows(node, scope)
    around = replace(scope, bindings=(), secured=scope.secured if secured is None else secured)
    # The rows need other names than the tables beside the subquery.
    around = replace(around, outer=replace(scope, queries={}))
    inner = _joined(node, around, found)
    outputs: dict[str, Expression] = {}
    for target in node.targetList:
        if type(target.val).__name__ == "ColumnRef" and type(target.val.fields[-1]).__name__ == "A_Star":
            outputs |= _every_column(inner, target.val.fields[:-1])
            continue
        label = target.name or (target.val.fields[-1].sval if type(target.val).__name__ == "ColumnRef" else "")
        with suppress(Untranslatable):  # An unused column need not have a form.
            outputs[label] = expression(target.val, inner)
    # Outside the subquery, its tables are visible only by their TypeScript names.
    hidden = tuple(Binding(f"{name}.{b.alias}", b.row, outputs={}) for b in inner.bindings)
    return replace(scope, bindings=(*scope.bindings, *hidden, Binding(name, name, outputs=outputs)))


def _every_column(scope: Scope, alias: Any) -> dict[str, Expression]:
    wanted = alias[0].sval if alias else None
    found: dict[str, Expression] = {}
    for binding in scope.bindings:
        if wanted in (None, binding.alias):
            for column in binding.table.source.columns if binding.table is not None else ():
                with suppress(Untranslatable):
                    value = binding.column(column.name)
                    if value is not None:
                        found[column.name] = value
            found |= dict(binding.outputs or {})
    return found


def select_outputs(node: Any, scope: Scope) -> list[Expression]:
    """The outputs of the first row of a SELECT, for SELECT … INTO; NULL without a row."""
    if node.op.name != "SETOP_NONE":
        raise Untranslatable("SELECT … UNION … INTO is not translated")
    if _aggregate(node) is not None:
        return [_aggregated(_aggregate(node), node, scope)]
    found = []
    for target in node.targetList or ():
        select = _select(node, scope, target.val)
        assert select.output is not None
        plain = not select.sources and select.condition is None
        found.append(select.output if plain else Scalar(select.output.kind, True, replace(select, limit=1)))
    return found
