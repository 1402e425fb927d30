"""Integers, numeric, floats and money.

A Convex number is an IEEE double. Integers up to 2**53 and decimals that survive ``numeric -> float8 -> text ->
numeric`` go exactly; anything else is refused, row by row, unless the field is a string or int64.
"""

from __future__ import annotations

from decimal import Decimal

from supavex.convex import validators as kinds
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Guard, Misfit, Target, converts, misfit
from supavex.postgres.catalog import Type
from supavex.project import ColumnRule

#: Where a decimal is in the range of doubles, so that casting it raises no error.
_WITHIN = "(abs({c}) <= 1e308 AND ({c} = 0 OR abs({c}) >= 1e-300))"
#: Whether a decimal is exactly what its double says; NULL for NULL.
EXACT = f"CASE WHEN {_WITHIN} THEN ({{c}}::float8)::text::numeric = {{c}} WHEN {{c}} IS NOT NULL THEN false END"
FINITE = "{c} NOT IN ('NaN', 'Infinity', '-Infinity')"
SAFE = f"{{c}} BETWEEN -{1 << 53} AND {1 << 53}"
_USE_STRING = "Make the field v.string() (or v.int64() for whole numbers), or give the column an sql expression."
#: Decimal digits that every double keeps (DBL_DIG).
_EXACT_DIGITS = 15


def _integer(value: Value) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole(value: Value) -> object:
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _decimal(value: Value) -> object:
    return Decimal(repr(value)) if isinstance(value, float) else value


@converts("int2", "int4", "int8", "oid")
def integers(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Whole numbers: a number (int8 within 2**53), an int64, or their digits as text."""
    if target.takes(kinds.Number):
        guards: tuple[Guard, ...] = ()
        if type_.base == "int8":
            message = "the number is beyond 2^53, where a double skips whole numbers"
            guards = (Guard(SAFE, "InexactNumber", message, "Make the field v.int64() or v.string()."),)
        return Conversion("integer as number", "number", "{c}::int8", guards=guards, parse=int, decode=_integer)
    if target.takes(kinds.Int64):
        return Conversion("integer as int64", "int64", "{c}::int8", parse=int)
    if target.takes(kinds.String):
        return Conversion("integer as text", "string", "{c}::text")
    return misfit(type_, target, "v.number()", "v.int64()")


@converts("numeric")
def numeric(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Decimals: a number where exact, else text or int64."""
    if target.takes(kinds.Number):
        select = f"CASE WHEN {_WITHIN} THEN {{c}}::float8 END"
        small = (
            type_.precision is not None and type_.precision <= _EXACT_DIGITS and abs(type_.scale or 0) <= _EXACT_DIGITS
        )
        exact = "{c} <> 'NaN'" if small else EXACT
        guard = Guard(exact, "InexactNumber", "the decimal is not exactly a double", _USE_STRING)
        return Conversion("numeric as number", "number", select, guards=(guard,), parse=Decimal, decode=_decimal)
    if target.takes(kinds.Int64):
        sql = "({c} BETWEEN -9223372036854775808 AND 9223372036854775807 AND {c} = trunc({c}))"
        guard = Guard(sql, "InexactNumber", "the decimal is no 64-bit integer", _USE_STRING)
        select = f"CASE WHEN {sql} THEN {{c}}::int8 END"
        return Conversion("numeric as int64", "int64", select, guards=(guard,), parse=Decimal, decode=_whole)
    if target.takes(kinds.String):
        return Conversion("numeric as text", "string", "{c}::text")
    return misfit(type_, target, "v.number()", "v.string()")


@converts("float4", "float8")
def floats(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Floats: a number. A float4 becomes the double that PostgreSQL's text of it reads as."""
    if target.takes(kinds.Number):
        select = "{c}::text::float8" if type_.base == "float4" else "{c}"
        guard = Guard(
            FINITE,
            "NonFiniteNumber",
            "the value is NaN or infinite, which an app's JSON can't hold",
            "Give the column an sql expression that replaces it, such as nullif(column, 'NaN').",
        )
        return Conversion("float as number", "number", select, guards=(guard,), parse=float)
    if target.takes(kinds.String):
        return Conversion("float as text", "string", "{c}::text")
    return misfit(type_, target, "v.number()")


@converts("money")
def money(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Money: its amount as numeric; the currency sign depends on the server's locale and is not carried."""
    inner = numeric(Type("numeric", "numeric"), target, rule)
    if isinstance(inner, Misfit):
        return misfit(type_, target, "v.number()", "v.string()")
    cast = "({c}::numeric)"
    return Conversion(
        inner.name.replace("numeric", "money"),
        inner.kind,
        inner.select.replace("{c}", cast),
        inner.text.replace("{c}", cast),
        tuple(Guard(g.sql.replace("{c}", cast), g.code, g.message, g.hint) for g in inner.guards),
        inner.parse,
        inner.decode,
    )
