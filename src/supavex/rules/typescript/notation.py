"""TypeScript's notation: names, constants, types, and necessary parentheses."""

from __future__ import annotations

import json
import math
import re

from supavex.convex.typescript import IDENTIFIER, quoted
from supavex.rules import form
from supavex.rules.form import Constant, Expression, Kind


def member(row: str, name: str) -> str:
    """A field of a document."""
    return f"{row}.{name}" if IDENTIFIER.match(name) else f"{row}[{quoted(name)}]"


def literal(value: object, kind: Kind) -> str:
    """A constant."""
    if value is None:
        return "undefined" if kind.name == "json" else "null"
    if kind.name == "int64" and isinstance(value, int):
        return f"{value}n"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, tuple):
        return literal(float(value[1]), form.NUMBER)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and kind.element is not None:
        return f"[{', '.join(literal(one, kind.element) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)


def grouped(text: str) -> str:
    """``text`` in parentheses, if it has an operator outside brackets."""
    depth, at = 0, 0
    while at < len(text):
        character = text[at]
        if character in "\"'`":
            at += 1
            while at < len(text) and text[at] != character:
                at += 2 if text[at] == "\\" else 1
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and (
            text.startswith((" && ", " || ", " ? ", " ?? ", " => ", " === ", " !== ", " == "), at)
            or text.startswith((" != ", " < ", " <= ", "\n"), at)
        ):
            return f"({text})"
        at += 1
    return f"({text})" if text.startswith(("await ", "!", "-")) else text


def binds_less(part: str, sign: str) -> bool:
    """Whether ``part`` needs parentheses beside ``sign``."""
    if grouped(part) == part:
        return False
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"", "", part)
    return (
        " ? " in bare
        or " ?? " in bare
        or " => " in bare
        # The line of a long expression ends with the operator.
        or (sign == " || " and re.search(r" &&\s", bare) is not None)
        or (sign == " && " and re.search(r" \|\|\s", bare) is not None)
    )


def type_of(kind: Kind) -> str:
    """TypeScript's type of a kind."""
    if kind.name == "array" and kind.element is not None:
        return f"({type_of(kind.element)} | null | undefined)[]"
    if kind.name == "id":
        return "string"
    if kind.name == "row":
        return f"Row<{quoted(kind.table)}>"
    return {
        "boolean": "boolean", "number": "number", "int64": "bigint", "moment": "number", "interval": "number",
        "json": "unknown",
    }.get(kind.name, "string")  # fmt: skip


def type_text(e: Expression) -> str:
    """TypeScript's type of an expression, including its form of NULL."""
    return f"{type_of(e.kind)}{' | null | undefined' if e.nullable else ''}"


def may_be_nan(sides: tuple[Expression, Expression], operator: str) -> bool:
    """Whether both sides may be NaN, or the order of one counts. To PostgreSQL NaN is a number like others."""
    if sides[0].kind.name != "number" or all(side.kind.table == "int" for side in sides):
        return False
    finite = any(
        isinstance(one, Constant) and isinstance(one.value, int | float) and math.isfinite(one.value) for one in sides
    )
    return not finite or operator in ("<", "<=")
