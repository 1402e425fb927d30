"""Integers, numeric, floats and money.

A Convex number is an IEEE double. Integers up to 2**53, and decimals that are unchanged by ``numeric -> float8 -> text
-> numeric``, are converted exactly. Other values are refused, row by row, unless the field is a string or int64.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from decimal import Decimal

from supavex.convex import validators as kinds
from supavex.convex.limits import INT64_MAX, INT64_MIN
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import (
    Conversion,
    Guard,
    Misfit,
    Target,
    converts,
    misfit,
    plain_text,
)
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule

#: Whether a decimal is in the range of doubles, so that the cast raises no error.
_WITHIN = "(abs({c}) <= 1e308 AND ({c} = 0 OR abs({c}) >= 1e-300))"
#: Whether a decimal equals its double; NULL for NULL.
EXACT = f"CASE WHEN {_WITHIN} THEN ({{c}}::float8)::text::numeric = {{c}} WHEN {{c}} IS NOT NULL THEN false END"
FINITE = "{c} NOT IN ('NaN', 'Infinity', '-Infinity')"
SAFE = f"{{c}} BETWEEN -{1 << 53} AND {1 << 53}"
#: The double nearest to a decimal; NULL if it would be infinity.
_NEAREST = f"CASE WHEN {_WITHIN} THEN {{c}}::float8 WHEN abs({{c}}) < 1e-300 THEN 0::float8 END"
_USE_STRING = (
    "Make the field v.string() (or v.int64() for whole numbers), set lossy = true, "
    "or give the column an sql expression."
)
_NON_FINITE = Guard(
    FINITE,
    "NonFiniteNumber",
    "the value is NaN or infinite, which an app's JSON can't hold",
    'Set nonfinite = "null" or "keep", or give the column an sql expression that replaces it.',
)
#: Decimal digits that every double keeps (DBL_DIG).
_EXACT_DIGITS = 15
_SPECIAL = ("NaN", "Infinity", "-Infinity")
#: True for decimals with at most that many digits; false for NaN and infinity.
_FEW_DIGITS = "(abs({c}) < 1000000000 AND scale({c}) <= 6)"


def _integer(value: Value) -> object:
    """The whole number of a double. None for an int64, which a number field does not take."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value if isinstance(value, bool | str) else None


def _within_int8(value: Value) -> str | None:
    """The text of the 64-bit integer nearest to a double. 2**63 itself is out of range."""
    within = isinstance(value, float) and math.isfinite(value)
    return plain_text(min(max(int(value), INT64_MIN), INT64_MAX) if within else value)


def _whole(value: Value) -> object:
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def decimal(text: str) -> object:
    """A decimal from PostgreSQL's text. NaN and infinity become floats, which compare as Convex's do."""
    return float(text) if text in _SPECIAL else Decimal(text)


def decimal_of(value: Value) -> object:
    """The decimal of a double's shortest text."""
    return Decimal(repr(value)) if isinstance(value, float) and math.isfinite(value) else value


def nearest(text: str) -> float:
    """The double nearest to a decimal's text. Numbers nearer to zero than 1e-300 become zero."""
    number = float(text)
    return 0.0 if abs(number) < 1e-300 else number


@converts("int2", "int4", "int8", "oid")
def integers(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Whole numbers: a number (int8 within 2**53, or with `lossy` beyond it), an int64, or their digits as text."""
    if target.takes(kinds.Number):
        if type_.base == "int8" and rule.lossy:
            return Conversion(
                "integer as the nearest number", "number", "{c}::float8", parse=float, restore=_within_int8
            )
        guards: tuple[Guard, ...] = ()
        if type_.base == "int8":
            message = "the number is beyond 2^53, where a double skips whole numbers"
            hint = "Make the field v.int64() or v.string(), or set lossy = true."
            guards = (Guard(SAFE, "InexactNumber", message, hint),)
        return Conversion("integer as number", "number", "{c}::int8", guards=guards, parse=int, decode=_integer)
    if target.takes(kinds.Int64):
        return Conversion("integer as int64", "int64", "{c}::int8", parse=int, special=True)
    if target.takes(kinds.String):
        return Conversion("integer as text", "string", "{c}::text")
    return misfit(type_, target, "v.number()", "v.int64()")


@converts("numeric")
def numeric(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Decimals: a number if exact (with `lossy`, the nearest), else text or int64."""
    if target.takes(kinds.Number):
        return _non_finite(_numeric_as_number(type_, rule), rule)
    if target.takes(kinds.Int64):
        sql = "({c} BETWEEN -9223372036854775808 AND 9223372036854775807 AND {c} = trunc({c}))"
        guard = Guard(sql, "InexactNumber", "the decimal is not a 64-bit integer", "Make the field v.string().")
        select = f"CASE WHEN {sql} THEN {{c}}::int8 END"
        return Conversion(
            "numeric as int64", "int64", select, guards=(guard,), parse=Decimal, decode=_whole, special=True
        )
    if target.takes(kinds.String):
        return Conversion("numeric as text", "string", "{c}::text")
    return misfit(type_, target, "v.number()", "v.string()")


def _numeric_as_number(type_: Type, rule: ColumnRule) -> Conversion:
    if rule.lossy:
        large = Guard("abs({c}) <= 1e308", "InexactNumber", "the decimal is beyond every double", _USE_STRING)
        return Conversion("numeric as the nearest number", "number", _NEAREST, guards=(large,), parse=nearest)
    # If a decimal equals a double, its digits are also the number's JSON, and PostgreSQL prints them faster than the
    # double. NaN and infinity have no digits, so then doubles are read.
    digits = rule.nonfinite != "keep"
    small = type_.precision is not None and type_.precision <= _EXACT_DIGITS and abs(type_.scale or 0) <= _EXACT_DIGITS
    if small:
        # With this precision and scale every value is exact in a double. NaN, which fits every numeric, becomes NaN.
        select = "{c}::text" if digits else "{c}::float8"
        return Conversion("numeric as number", "number", select, parse=decimal, decode=decimal_of)
    select = "{c}::text" if digits else f"CASE WHEN {_WITHIN} THEN {{c}}::float8 END"
    guard = Guard(EXACT, "InexactNumber", "the decimal is not exactly a double", _USE_STRING)
    return Conversion("numeric as number", "number", select, guards=(guard,), parse=decimal, decode=decimal_of)


@converts("float4", "float8")
def floats(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Floats: a number. A float4 becomes the double of PostgreSQL's text of it."""
    if target.takes(kinds.Number):
        select = "{c}::text::float8" if type_.base == "float4" else "{c}"
        return _non_finite(Conversion("float as number", "number", select, parse=float), rule)
    if target.takes(kinds.String):
        return Conversion("float as text", "string", "{c}::text")
    return misfit(type_, target, "v.number()")


def _non_finite(finite: Conversion, rule: ColumnRule) -> Conversion:
    """``finite`` (a conversion to numbers) with the column's ``nonfinite`` rule for NaN and infinity."""
    if rule.nonfinite == "refuse":
        digits = finite.select == "{c}::text"
        quick = _FEW_DIGITS if digits and finite.guards else ""
        return replace(finite, guards=(_NON_FINITE, *finite.guards), quick=quick, seen=digits and not finite.guards)
    if rule.nonfinite == "null":
        select = f"CASE WHEN {FINITE} THEN {finite.select} END"
        guards = tuple(replace(g, sql=f"CASE WHEN {FINITE} THEN {g.sql} END") for g in finite.guards)
        return replace(finite, select=select, guards=guards, makes_null=True)
    select = f"CASE WHEN {FINITE} THEN {finite.select} ELSE {{c}}::float8 END"
    guards = tuple(replace(g, sql=f"CASE WHEN {FINITE} THEN {g.sql} END") for g in finite.guards)
    return replace(finite, select=select, guards=guards, special=True)


_AMOUNT = re.compile(r"-?\$?[0-9]{1,3}(?:,?[0-9]{3})*(?:\.[0-9]+)?")


def _amount(value: Value) -> str | None:
    """The text of an amount. Raises ValueError if comma and point are ambiguous."""
    text = plain_text(value)
    if text is not None and not _AMOUNT.fullmatch(text):
        raise ValueError("it is not an amount as lc_monetary C or en_US writes it")
    return text


@converts("money")
def money(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """Money: the amount without currency as a number, or in a string the text with currency that the app saw."""
    if not (target.takes(kinds.Number) or target.takes(kinds.Int64)) and target.takes(kinds.String):
        return Conversion("money as text", "string", "{c}::text", restore=_amount)
    inner = numeric(Type("numeric", "numeric"), target, rule)
    if isinstance(inner, Misfit):
        return misfit(type_, target, "v.number()", "v.string()")
    cast = "({c}::numeric)"
    return replace(
        inner,
        name=inner.name.replace("numeric", "money"),
        select=inner.select.replace("{c}", cast),
        guards=tuple(replace(guard, sql=guard.sql.replace("{c}", cast)) for guard in inner.guards),
        quick=inner.quick.replace("{c}", cast),
    )
