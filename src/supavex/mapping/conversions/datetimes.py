"""Dates and times.

A point in time is a number: milliseconds since 1970-01-01 UTC, with microseconds as the fraction. A double holds that
exactly between 1692 and 2248. Outside these years, whole milliseconds are converted and finer values are refused.
"""

from __future__ import annotations

import math
from dataclasses import replace

from supavex.convex import validators as kinds
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Guard, Misfit, Target, converts, misfit
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule

_IS_FINITE = "isfinite({c})"
_FINITE = Guard(
    _IS_FINITE,
    "InfiniteTime",
    "the value is infinity, which is not a point in time",
    'Set nonfinite = "null" or "keep", or give the column an sql expression.',
)
_WITHIN = "({c} < '287396-10-12 08:59:00.992+00' OR NOT isfinite({c}))"
#: Within 2**43 milliseconds of 1970, neighbouring doubles are less than a microsecond apart.
_NEAR = "{c} BETWEEN '1691-04-07' AND '2248-09-26'"
_FINE = f"(({_NEAR}) OR (date_trunc('milliseconds', {{c}}) = {{c}} AND {_WITHIN}))"
_EXACT = Guard(
    f"({_FINE} OR NOT isfinite({{c}}))",
    "InexactTime",
    "a double can't hold microseconds this far from 1970",
    "Set lossy = true (whole milliseconds), or give the column an sql expression.",
)
_TOO_FAR = Guard(_WITHIN, "InexactTime", "the time is beyond 2^53 milliseconds", "Make the field v.string().")
#: The Julian day of 1970-01-01.
_JULIAN_1970 = 2_440_588
FORMATS = {"HH:MM": ("HH24:MI", 5, ":00"), "HH:MM:SS": ("HH24:MI:SS", 8, "")}


#: The same times in microseconds. Between the first two, doubles hold each microsecond. Up to the last, whole
#: milliseconds are converted.
NEAREST_PAST, NEAREST_FUTURE, LAST = -9_007_113_600_000_000, 9_007_113_600_000_000, (1 << 53) * 1000
#: ADBC's values for ∞ and -∞: it adds the years from 1970 to 2000 without a check for overflow. Times that are too far
#: away are below these values, and PostgreSQL's earliest time is above them.
POSITIVE_INFINITY, NEGATIVE_INFINITY = -9_222_425_352_054_775_809, -9_222_425_352_054_775_808


def micros(value: Value) -> object:
    """Milliseconds as a double, converted to whole microseconds. Infinity stays."""
    return _rounded(value) if isinstance(value, float) and math.isfinite(value) else value


def _rounded(milliseconds: float) -> int:
    """The nearest whole microseconds; of two that are equally near, the even one."""
    numerator, denominator = milliseconds.as_integer_ratio()
    found, rest = divmod(numerator * 1000, denominator)
    return found + (2 * rest > denominator or (2 * rest == denominator and found % 2 == 1))


def _microseconds(text: str) -> object:
    """Whole microseconds from the proof's text. Infinity is a float."""
    return float(text) if "infinity" in text else int(text)


def timestamp_text(value: Value) -> str | None:
    """PostgreSQL's text for a number of milliseconds: the Julian day, and the time in UTC.

    Julian days (PostgreSQL's manual, "Date/Time Types") cover the whole range of PostgreSQL's dates, which Python's
    dates do not.
    """
    if value is None or isinstance(value, str):
        return value
    if not math.isfinite(value):
        if math.isnan(value):
            raise ValueError("NaN is not a point in time")
        return "infinity" if value > 0 else "-infinity"
    day, rest = divmod(_rounded(float(value)), 86_400_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    return f"J{_JULIAN_1970 + day} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}+00"


#: A date outside the range of timestamps.
_FAR = Guard(
    "({c} < '287396-10-12' OR NOT isfinite({c}))",
    "InexactTime",
    "the date is too far away for a number of milliseconds",
    "Make the field v.string().",
)


def _cut_to_milliseconds(text: str) -> object:
    """As :func:`_microseconds`, but whole milliseconds if a double can't hold the time."""
    found = _microseconds(text)
    far = isinstance(found, int) and not NEAREST_PAST <= found <= NEAREST_FUTURE
    return found // 1000 * 1000 if far and isinstance(found, int) else found


def _moment(rule: ColumnRule, inner: str = "{c}", *first: Guard) -> Conversion:
    """The conversion of a timestamp. ``inner``: the SQL that the copy reads."""
    exact, parse = _EXACT, _microseconds
    if rule.lossy:
        inner = f"(CASE WHEN {_FINE.replace('{c}', inner)} THEN {inner} ELSE date_trunc('milliseconds', {inner}) END)"
        exact, parse = _TOO_FAR, _cut_to_milliseconds
    select, kind = inner, "micros"
    guards = [exact]
    if rule.nonfinite == "refuse":
        guards.insert(0, _FINITE)
    elif rule.nonfinite == "null":
        select = f"CASE WHEN {_IS_FINITE.replace('{c}', inner)} THEN {inner} END"
    else:
        # Arrow's timestamps have no infinity.
        select, kind = f"(extract(epoch FROM {inner}) * 1000)::float8", "number"
    return Conversion(
        "moment as milliseconds",
        "number" if kind == "number" else "micros",
        select,
        (*first, *(replace(guard, sql=guard.sql.replace("{c}", inner)) for guard in guards)),
        parse=parse,
        decode=micros,
        makes_null=rule.nonfinite == "null",
        special=rule.nonfinite == "keep",
        restore=timestamp_text,
        quick=f"({_NEAR})",
        seen=select == "{c}",
    )


def _iso(base: str) -> str:
    """SQL for a time as JSON text: a T before the time, and the full offset, which is UTC's."""
    if base == "timestamp":
        return r"regexp_replace({c}::text, '^(\S+) ([0-9:.]+)', '\1T\2')"
    return r"regexp_replace({c}::text, '^(\S+) ([0-9:.]+)\+00', '\1T\2+00:00')"


@converts("timestamptz", "timestamp")
def timestamps(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A point in time: milliseconds, or the ISO text of a row's JSON. A timestamp without time zone is read as UTC."""
    if target.takes(kinds.Number):
        return _moment(rule)
    if target.takes(kinds.String):
        return Conversion("moment as text", "string", _iso(type_.base))
    return misfit(type_, target, "v.number()")


@converts("date")
def dates(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A date: ``YYYY-MM-DD``, or the milliseconds of its midnight in UTC if the field is a number."""
    if target.takes(kinds.String):
        return Conversion("date as text", "string", "{c}::text")
    if target.takes(kinds.Number):
        return _moment(rule, f"(CASE WHEN {_FAR.sql} THEN {{c}}::timestamp END)", _FAR)
    return misfit(type_, target, "v.string()", "v.number()")


@converts("time")
def times(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A time of day: text in PostgreSQL's form, or in ``format`` if that loses nothing."""
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
        "Drop the format, set lossy = true (it is cut), or give the column an sql expression that rounds.",
    )
    if rule.lossy:
        return Conversion(
            f"time cut to {rule.format}", "string", f"to_char({{c}}, '{pattern}')", parse=lambda text: text[:length]
        )
    return Conversion(
        f"time as {rule.format}",
        "string",
        f"to_char({{c}}, '{pattern}')",
        guards=(guard,),
        parse=lambda text: text[:length] if text[length:] == rest else text,
    )
