"""Expressions of PostgreSQL's grammar, node by node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from supavex.rules import form
from supavex.rules.form import (
    AnyOf,
    Call,
    Case,
    Coalesce,
    Constant,
    Expression,
    IsNull,
    IsTrue,
    Kind,
    Not,
    Untranslatable,
)
from supavex.rules.parse.casts import cast, constant, null
from supavex.rules.parse.conversions import cast_named
from supavex.rules.parse.operators import alike, compared, distinct, operated
from supavex.rules.parse.scope import Scope, expression, reads


def all_of(parts: list[Expression]) -> Expression:
    """AND of the parts, without nesting."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, form.All) else (part,))]
    return flat[0] if len(flat) == 1 else form.All(form.BOOLEAN, any(p.nullable for p in flat), tuple(flat))


def any_of(parts: list[Expression]) -> Expression:
    """OR of the parts, without nesting."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, form.Any) else (part,))]
    return flat[0] if len(flat) == 1 else form.Any(form.BOOLEAN, any(p.nullable for p in flat), tuple(flat))


def condition(node: Any, scope: Scope) -> Expression:
    """An expression that is true, false or NULL."""
    found = expression(node, scope)
    if found.kind.name == "unknown":
        return cast(found, form.BOOLEAN)
    if found.kind.name != "boolean":
        raise Untranslatable(f"a condition has a value of {found.kind} instead of boolean")
    return found


def type_named(node: Any, scope: Scope) -> str:
    """The name of the type of a TypeName node. Raises :class:`Untranslatable` for one with a modifier."""
    names = [part.sval for part in node.names if part.sval != "pg_catalog"]
    if getattr(node, "pct_type", False):
        if len(names) < 2:
            raise Untranslatable("%TYPE of a variable is not translated: name its type")
        table = scope.source.table(names[-3] if len(names) > 2 else "", names[-2])
        column = table.source.column(names[-1])
        if column is None:
            raise Untranslatable(f"{'.'.join(names)}%TYPE names no column")
        return column.type.name
    if node.typmods:
        raise Untranslatable(
            f"a cast to {names[-1]} with a modifier is not translated: PostgreSQL cuts, pads or rounds the value"
        )
    return ".".join(names) + ("[]" if node.arrayBounds else "")


@reads("A_Const")
def _constant(node: Any, scope: Scope) -> Expression:
    if node.isnull:
        return null()
    value = node.val
    kind = type(value).__name__
    if kind == "Integer":
        return Constant(form.WHOLE_NUMBER, False, value.ival or 0)
    if kind == "Float":
        text = value.fval
        if not text.isdigit() or int(text) >= 2**63:
            return Constant(form.NUMBER, False, float(text))
        return Constant(form.BIGINT, False, int(text))
    if kind == "Boolean":
        return Constant(form.BOOLEAN, False, bool(value.boolval))
    if kind == "String":
        return Constant(form.UNKNOWN, False, value.sval)
    raise Untranslatable("a bit string is not translated")


@reads("TypeCast")
def _cast(node: Any, scope: Scope) -> Expression:
    given = expression(node.arg, scope)
    length = _length(node.typeName)
    if length:
        # A cast cuts the text; an assignment to such a column raises an error.
        text = cast_named(given, "text", scope.source)
        return Call(form.TEXT, text.nullable, "leftOf", (text, Constant(form.WHOLE_NUMBER, False, length)))
    return cast_named(given, type_named(node.typeName, scope), scope.source)


def _length(node: Any) -> int:
    """The n of ``varchar(n)``; 0 for other types."""
    if node.names[-1].sval != "varchar" or node.arrayBounds or len(node.typmods or ()) != 1:
        return 0
    return int(getattr(getattr(node.typmods[0], "val", None), "ival", None) or 0)


@reads("ColumnRef")
def _column(node: Any, scope: Scope) -> Expression:
    if type(node.fields[-1]).__name__ == "A_Star":
        raise Untranslatable("* as a value is not translated: name the columns")
    return scope.column([part.sval for part in node.fields])


@reads("ParamRef")
def _parameter(node: Any, scope: Scope) -> Expression:
    found = scope
    while f"${node.number}" not in found.variables and found.outer is not None:
        found = found.outer
    if f"${node.number}" not in found.variables:
        raise Untranslatable(f"the parameter ${node.number} is unknown here")
    return found.variables[f"${node.number}"]


@reads("BoolExpr")
def _bool(node: Any, scope: Scope) -> Expression:
    parts = [condition(part, scope) for part in node.args]
    name = node.boolop.name
    if name == "AND_EXPR":
        return all_of(parts)
    if name == "OR_EXPR":
        return any_of(parts)
    return Not(form.BOOLEAN, parts[0].nullable, parts[0])


@reads("NullTest")
def _null_test(node: Any, scope: Scope) -> Expression:
    inner = expression(node.arg, scope)
    found: Expression = IsNull(form.BOOLEAN, False, inner)
    if isinstance(inner, form.Field) and (inner.row, inner.name) == ("row", "_id"):
        # A new document has no id yet, but PostgreSQL's new row has its key.
        found = Constant(form.BOOLEAN, False, False)
    return found if node.nulltesttype.name == "IS_NULL" else Not(form.BOOLEAN, False, found)


@reads("BooleanTest")
def _boolean_test(node: Any, scope: Scope) -> Expression:
    inner = condition(node.arg, scope)
    name = node.booltesttype.name
    if name.endswith("UNKNOWN"):
        found: Expression = IsNull(form.BOOLEAN, False, inner)
    else:
        found = IsTrue(form.BOOLEAN, False, inner, name.endswith("TRUE"))
    return Not(form.BOOLEAN, False, found) if name.startswith("IS_NOT") else found


@reads("CoalesceExpr")
def _coalesce(node: Any, scope: Scope) -> Expression:
    parts = same_kinds([expression(part, scope) for part in node.args], scope)
    if len(parts) == 1:
        return parts[0]
    return Coalesce(parts[0].kind, all(part.nullable for part in parts), tuple(parts))


def same_kinds(parts: list[Expression], scope: Scope) -> list[Expression]:
    """The parts, converted to the first known kind among them."""
    known = [p for p in parts if p.kind.name != "unknown" and not isinstance(p, Constant)]
    first = next((p for p in known if p.kind.name == "int64"), known[0] if known else None)
    first = first or next((p for p in parts if p.kind.name != "unknown"), None)
    if first is None:
        return [cast(part, form.TEXT) for part in parts]
    found = []
    for part in parts:
        if part is first or (isinstance(part, Constant) and part.value is None):
            found.append(part if part is first else null(first.kind))
            continue
        held, other = alike(part, first, scope.source)
        if other.kind.name != first.kind.name:
            raise Untranslatable(f"CASE, COALESCE, ARRAY or another list has values of {part.kind} and {first.kind}")
        found.append(held)
    return _same_numbers(found) if first.kind.name == "number" else found


def _same_numbers(parts: list[Expression]) -> list[Expression]:
    """The parts as numbers of the type that PostgreSQL chooses for all of them."""
    if any(part.kind == form.REAL for part in parts):
        return [_real(part) for part in parts]
    whole = all(part.kind.table == "int" for part in parts)
    kind = max((part.kind for part in parts), key=lambda one: one.bits) if whole else form.NUMBER
    return [replace(part, kind=kind) for part in parts]


def _real(part: Expression) -> Expression:
    if isinstance(part, Constant) and isinstance(part.value, int | float):
        return constant(str(part.value), form.REAL)
    if part.kind != form.REAL:
        raise Untranslatable(
            "CASE, COALESCE or another list mixes real with other numbers: cast all to double precision"
        )
    return part


@reads("CaseExpr")
def _case(node: Any, scope: Scope) -> Expression:
    subject = None if node.arg is None else expression(node.arg, scope)
    tests, values = [], []
    for branch in node.args:
        if subject is None:
            tests.append(condition(branch.expr, scope))
        else:
            tests.append(compared("=", subject, expression(branch.expr, scope), scope.source))
        values.append(expression(branch.result, scope))
    values.append(null() if node.defresult is None else expression(node.defresult, scope))
    values = same_kinds(values, scope)
    nullable = any(value.nullable for value in values)
    return Case(values[0].kind, nullable, tuple(zip(tests, values[:-1], strict=True)), values[-1])


@reads("MinMaxExpr")
def _extreme(node: Any, scope: Scope) -> Expression:
    parts = same_kinds([expression(part, scope) for part in node.args], scope)
    if not parts[0].kind.ordered:
        raise Untranslatable(
            f"GREATEST or LEAST of {parts[0].kind} is not translated: JavaScript orders such values in another way"
        )
    name = "greatest" if node.op.name == "IS_GREATEST" else "least"
    return Call(parts[0].kind, all(p.nullable for p in parts), name, tuple(parts), False)


@reads("A_ArrayExpr")
def _array(node: Any, scope: Scope) -> Expression:
    parts = same_kinds([expression(part, scope) for part in node.elements or ()], scope) if node.elements else []
    element = parts[0].kind if parts else form.UNKNOWN
    kind = Kind("array", element=element)
    if all(isinstance(part, Constant) and part.value is not None for part in parts):
        return Constant(kind, False, [part.value for part in parts if isinstance(part, Constant)])
    return Call(kind, False, "list", tuple(parts), False)


@reads("A_Indirection")
def _subscript(node: Any, scope: Scope) -> Expression:
    given = expression(node.arg, scope)
    if len(node.indirection) != 1 or type(node.indirection[0]).__name__ != "A_Indices" or node.indirection[0].is_slice:
        raise Untranslatable("a part of a composite value, or a slice of an array, is not translated")
    index = expression(node.indirection[0].uidx, scope)
    if given.kind.name != "array" or index.kind.name != "number" or given.kind.element is None:
        raise Untranslatable(f"a subscript of {given.kind} is not translated")
    return Call(given.kind.element, True, "element", (given, index))


@reads("SQLValueFunction")
def _value_function(node: Any, scope: Scope) -> Expression:
    name = node.op.name.removeprefix("SVFOP_").removesuffix("_N").lower()
    if name in ("current_timestamp", "localtimestamp"):
        return form.Claim(form.MOMENT, False, "now")
    if name == "current_date":
        return cast(form.Claim(form.MOMENT, False, "now"), form.DATE)
    if name in ("current_user", "current_role", "user", "session_user") and scope.secured and name != "session_user":
        return form.Claim(form.TEXT, False, "databaseRole")
    raise Untranslatable(f"{name} is not translated")


@reads("A_Expr")
def _operation(node: Any, scope: Scope) -> Expression:
    kind, operator = node.kind.name, node.name[-1].sval
    if kind in ("AEXPR_OP", "AEXPR_LIKE", "AEXPR_ILIKE"):
        if node.lexpr is None:
            return _negative(operator, expression(node.rexpr, scope), scope)
        if type(node.lexpr).__name__ == "RowExpr":
            return _row_comparison(operator, node, scope)
        return operated(operator, expression(node.lexpr, scope), expression(node.rexpr, scope), scope.source)
    if kind == "AEXPR_IN":
        left = expression(node.lexpr, scope)
        parts = _listed(left, [expression(part, scope) for part in node.rexpr])
        found = any_of([compared("=", left, part, scope.source) for part in parts])
        return found if operator == "=" else Not(form.BOOLEAN, found.nullable, found)
    if kind in ("AEXPR_OP_ANY", "AEXPR_OP_ALL"):
        left, right = expression(node.lexpr, scope), expression(node.rexpr, scope)
        return quantified(operator, left, right, scope, every=kind.endswith("ALL"))
    sides = expression(node.lexpr, scope), None if kind == "AEXPR_IN" else node.rexpr
    if kind in ("AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT"):
        found = distinct(sides[0], expression(node.rexpr, scope), scope.source)
        return found if kind == "AEXPR_DISTINCT" else Not(form.BOOLEAN, False, found)
    if kind == "AEXPR_NULLIF":
        left, right = alike(sides[0], expression(node.rexpr, scope), scope.source)
        if left.kind == form.JSON_TEXT:
            return left  # A token's claims are never the empty text.
        return Call(left.kind, True, "nullIf", (left, right), False)
    if kind in ("AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN"):
        low, high = (expression(end, scope) for end in node.rexpr)
        found = all_of([compared(">=", sides[0], low, scope.source), compared("<=", sides[0], high, scope.source)])
        return found if kind == "AEXPR_BETWEEN" else Not(form.BOOLEAN, found.nullable, found)
    raise Untranslatable(f"the operator syntax {kind.removeprefix('AEXPR_')} is not translated")


def _listed(left: Expression, parts: list[Expression]) -> list[Expression]:
    """The values of IN. PostgreSQL takes several constants as values of one type, which rounds them for a real."""
    kinds = {left.kind, *(part.kind for part in parts if not _is_null(part))}
    if len(parts) == 1 or form.REAL not in kinds or len(kinds) == 1:
        return parts
    if left.kind != form.REAL or not all(isinstance(part, Constant) for part in parts):
        raise Untranslatable("IN mixes real with other numbers: cast all to double precision")
    return [part if _is_null(part) else _real(part) for part in parts]


def _is_null(part: Expression) -> bool:
    return isinstance(part, Constant) and part.value is None


def _negative(operator: str, given: Expression, scope: Scope) -> Expression:
    if operator == "-" and isinstance(given, Constant) and isinstance(given.value, int | float):
        return Constant(given.kind, False, -given.value)
    if operator == "-" and given.kind == form.WHOLE_NUMBER:
        return operated(operator, Constant(given.kind, False, 0), given, scope.source)
    raise Untranslatable(f"the operator {operator} before {given.kind} is not translated")


def _row_comparison(operator: str, node: Any, scope: Scope) -> Expression:
    if operator not in ("=", "<>") or type(node.rexpr).__name__ != "RowExpr":
        raise Untranslatable("a comparison of rows is translated only for = and <> of two lists of values")
    pairs = zip(node.lexpr.args, node.rexpr.args, strict=True)
    found = all_of([compared("=", expression(a, scope), expression(b, scope), scope.source) for a, b in pairs])
    return found if operator == "=" else Not(form.BOOLEAN, found.nullable, found)


def quantified(operator: str, left: Expression, array: Expression, scope: Scope, *, every: bool) -> Expression:
    """``left operator ANY (array)`` and ALL."""
    operator = "<>" if operator == "!=" else operator
    if operator not in ("=", "<>"):
        if isinstance(array, Constant) and isinstance(array.value, list) and array.kind.element is not None:
            ones = [Constant(array.kind.element, False, value) for value in array.value]
            parts = [operated(operator, left, one, scope.source) for one in ones]
            return (all_of if every else any_of)(parts) if parts else Constant(form.BOOLEAN, False, every)
        raise Untranslatable(f"{operator} with ANY or ALL is translated only for an array of constants")
    if isinstance(array, Constant) and array.kind.name == "unknown" and array.value is not None:
        array = cast(array, Kind("array", element=left.kind))
    if array.kind.name != "array" or array.kind.element is None:
        raise Untranslatable(f"ANY or ALL of {array.kind} is not translated")
    element = array.kind.element
    if not element.like(left.kind):
        if left.kind.name == "unknown":
            left = cast(left, element)
        else:
            array = _array_of(array, left, scope)
    return AnyOf(form.BOOLEAN, True, operator, left, array, every)  # type: ignore[arg-type]


def _array_of(array: Expression, left: Expression, scope: Scope) -> Expression:
    """The array with elements of the kind of ``left``."""
    return alike(array, Constant(Kind("array", element=left.kind), False, None), scope.source)[0]
