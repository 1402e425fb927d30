"""Filter expressions, as ``.filter(q => …)`` writes them. Source: ``common/src/query.rs`` of convex-backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from supavex.convex.limits import INT64_MAX, INT64_MIN
from supavex.convex.messages import value_text
from supavex.convex.order_keys import UNDEFINED, field_at, order_key
from supavex.convex.values import Document, Value, from_internal_json
from supavex.errors import SupavexError

Expression = Callable[[Document], Value]
_COMPARISONS: dict[str, Callable[[bytes, bytes], bool]] = {
    "$eq": lambda left, right: left == right,
    "$neq": lambda left, right: left != right,
    "$lt": lambda left, right: left < right,
    "$lte": lambda left, right: left <= right,
    "$gt": lambda left, right: left > right,
    "$gte": lambda left, right: left >= right,
}
_NAMES = {"$add": "add", "$sub": "subtract", "$mul": "multiply", "$div": "divide", "$mod": "modulo"}


def literal(data: Any) -> Value:
    """A literal of a filter or range, which may be undefined."""
    return UNDEFINED if data == {"$undefined": None} else from_internal_json(data)


def expression(data: Any) -> Expression:
    """The function that evaluates an expression for a document. Raises for invalid JSON."""
    if not isinstance(data, dict) or len(data) != 1:
        value = literal(data)
        return lambda document: value
    ((operator, operand),) = data.items()
    if operator == "$field":
        return lambda document: field_at(document, operand)
    if operator == "$literal":
        value = literal(operand)
        return lambda document: value
    if operator in _COMPARISONS:
        holds, (left, right) = _COMPARISONS[operator], _two(operator, operand)
        return lambda document: holds(order_key(left(document)), order_key(right(document)))
    if operator in _NAMES:
        left, right = _two(operator, operand)
        return lambda document: _calculated(operator, left(document), right(document))
    if operator == "$neg":
        inner = expression(operand)
        return lambda document: _negated(inner(document))
    if operator == "$not":
        inner = expression(operand)
        return lambda document: not _boolean(inner(document))
    if operator in ("$and", "$or"):
        parts = [expression(part) for part in operand]
        if operator == "$and":
            return lambda document: all(_boolean(part(document)) for part in parts)
        return lambda document: any(_boolean(part(document)) for part in parts)
    value = literal(data)
    return lambda document: value


def holds(filter_: Expression, document: Document) -> bool:
    """Whether a document passes a filter. Raises if the result is not a boolean."""
    return _boolean(filter_(document))


def _two(operator: str, operand: Any) -> tuple[Expression, Expression]:
    if not isinstance(operand, list) or len(operand) != 2:
        raise SupavexError("InvalidArgument", f"{operator} takes two expressions.")
    return expression(operand[0]), expression(operand[1])


def _boolean(value: Value) -> bool:
    if value is True or value is False:
        return bool(value)
    raise SupavexError("EvalError", f"Expected boolean, got {_shown(value)} (type {type_name(value)})")


def _shown(value: Value) -> str:
    return "undefined" if value is UNDEFINED else value_text(value)


def type_name(value: Value) -> str:
    """The name of a value's type in Convex's errors."""
    if value is UNDEFINED:
        return "Undefined"
    names = {bool: "Boolean", int: "Int64", float: "Float64", str: "String", bytes: "Bytes", list: "Array"}
    return "Null" if value is None else names.get(type(value), "Object")


def _calculated(operator: str, left: Value, right: Value) -> Value:
    if type(left) is float and type(right) is float:
        return _floats(operator, left, right)
    if type(left) is int and type(right) is int:
        result = _integers(operator, left, right)
        if result is None or not INT64_MIN <= result <= INT64_MAX:
            name = _NAMES[operator]
            message = f"Cannot {name} {left} and {right}: the result is out of range for Int64"
            raise SupavexError("EvalError", message)
        return result
    message = f"Cannot {_NAMES[operator]} {_shown(left)} (type {type_name(left)}) and {_shown(right)} "
    raise SupavexError("EvalError", f"{message}(type {type_name(right)})")


def _floats(operator: str, left: float, right: float) -> float:
    if operator == "$add":
        return left + right
    if operator == "$sub":
        return left - right
    if operator == "$mul":
        return left * right
    if operator == "$mod":
        return math.nan if right == 0 or math.isinf(left) or math.isnan(right) else math.fmod(left, right)
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _integers(operator: str, left: int, right: int) -> int | None:
    if operator == "$add":
        return left + right
    if operator == "$sub":
        return left - right
    if operator == "$mul":
        return left * right
    if right == 0:
        return None
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if operator == "$div" else left - quotient * right


def _negated(value: Value) -> Value:
    if type(value) is float:
        return -value
    if type(value) is int:
        if value == INT64_MIN:
            raise SupavexError("EvalError", f"Cannot negate {value}: the result is out of range for Int64")
        return -value
    raise SupavexError("EvalError", f"Cannot negate {_shown(value)} (type {type_name(value)})")
