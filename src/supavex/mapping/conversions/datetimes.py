"""Dates and times.

A moment is a number: milliseconds since 1970-01-01 UTC, microseconds kept as the fraction. A double holds that exactly
between 1684 and 2255; outside, whole milliseconds go and finer values are refused.
"""

from __future__ import annotations

from fractions import Fraction

from supavex.convex import validators as kinds
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Guard, Misfit, Target, converts, misfit
from supavex.postgres.catalog import Type
from supavex.project import ColumnRule

_FINITE = Guard(
    "isfinite({c})",
    "InfiniteTime",
    "the value is infinity, which is no moment",
    "Give the column an sql expression, such as nullif(column, 'infinity').",
)
_EXACT = Guard(
    "(({c} BETWEEN '1684-07-29' AND '2255-06-05') OR "
    "(date_trunc('milliseconds', {c}) = {c} AND {c} < '287396-10-12 08:59:00.992+00') OR NOT isfinite({c}))",
    "InexactTime",
    "a double can't hold microseconds this far from 1970",
    "Give the column an sql expression, such as date_trunc('milliseconds', column).",
)
FORMATS = {"HH:MM": ("HH24:MI", 5, ":00"), "HH:MM:SS": ("HH24:MI:SS", 8, "")}


def micros(value: Value) -> object:
    """Milliseconds as a double, back to whole microseconds."""
    return round(Fraction(value) * 1000) if isinstance(value, float) else value


#: A date that no timestamp can say.
_FAR = Guard(
    "({c} < '287396-10-12' OR NOT isfinite({c}))",
    "InexactTime",
    "the date is too far away for a number of milliseconds",
    "Make the field v.string().",
)


def _moment(inner: str = "{c}", *first: Guard) -> Conversion:
    guards = [Guard(g.sql.replace("{c}", inner), g.code, g.message, g.hint) for g in (_FINITE, _EXACT)]
    # extract() is exact (numeric), and a way of its own beside the binary timestamps that the copy reads.
    text = f"CASE WHEN isfinite({inner}) THEN (extract(epoch FROM {inner}) * 1000000)::numeric(30)::text END"
    return Conversion("moment as milliseconds", "micros", inner, text, (*first, *guards), parse=int, decode=micros)


@converts("timestamptz", "timestamp")
def timestamps(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A moment: milliseconds, or PostgreSQL's ISO text. A timestamp without time zone is taken as UTC."""
    if target.takes(kinds.Number):
        return _moment()
    if target.takes(kinds.String):
        return Conversion("moment as text", "string", "{c}::text")
    return misfit(type_, target, "v.number()")


@converts("date")
def dates(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A date: ``YYYY-MM-DD``, or the milliseconds of its midnight in UTC where the field is a number."""
    if target.takes(kinds.String):
        return Conversion("date as text", "string", "{c}::text")
    if target.takes(kinds.Number):
        return _moment(f"(CASE WHEN {_FAR.sql} THEN {{c}}::timestamp END)", _FAR)
    return misfit(type_, target, "v.string()", "v.number()")


@converts("time")
def times(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A time of day: text, in PostgreSQL's form or cut to ``format`` where that loses nothing."""
    if not target.takes(kinds.String):
        return misfit(type_, target, "v.string()")
    if rule.format is None:
        return Conversion("time as text", "string", "{c}::text")
    if rule.format not in FORMATS:
        return Misfit(f"format {rule.format!r} is unknown.", f"Use one of {', '.join(FORMATS)}.")
    pattern, length, rest = FORMATS[rule.format]
    guard = Guard(
        f"to_char({{c}}, '{pattern}')::time = {{c}} AND {{c}} <> '24:00'",
        "InexactTime",
        f"the time does not fit {rule.format}",
        "Drop the format, or give the column an sql expression that rounds.",
    )
    return Conversion(
        f"time as {rule.format}",
        "string",
        f"to_char({{c}}, '{pattern}')",
        guards=(guard,),
        parse=lambda text: text[:length] if text[length:] == rest else text,
    )
