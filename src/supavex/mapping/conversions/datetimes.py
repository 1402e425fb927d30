"""Dates and times.

A moment is a number: milliseconds since 1970-01-01 UTC, microseconds kept as the fraction. A double holds that exactly
between 1692 and 2248; outside, whole milliseconds go and finer values are refused.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from supavex.convex import validators as kinds
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Guard, Misfit, Target, converts, misfit
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule

_IS_FINITE = "isfinite({c})"
_FINITE = Guard(
    _IS_FINITE,
    "InfiniteTime",
    "the value is infinity, which is no moment",
    'Set nonfinite = "null" or "keep", or give the column an sql expression.',
)
_WITHIN = "({c} < '287396-10-12 08:59:00.992+00' OR NOT isfinite({c}))"
#: Within 2**43 milliseconds of 1970, where two doubles are less than a microsecond apart.
_NEAR = "{c} BETWEEN '1691-04-07' AND '2248-09-26'"
_FINE = f"(({_NEAR}) OR (date_trunc('milliseconds', {{c}}) = {{c}} AND {_WITHIN}))"
_EXACT = Guard(
    f"({_FINE} OR NOT isfinite({{c}}))",
    "InexactTime",
    "a double can't hold microseconds this far from 1970",
    "Set lossy = true (whole milliseconds), or give the column an sql expression.",
)
_TOO_FAR = Guard(_WITHIN, "InexactTime", "the moment is beyond 2^53 milliseconds", "Make the field v.string().")
#: The Julian day of 1970-01-01.
_JULIAN_1970 = 2_440_588
FORMATS = {"HH:MM": ("HH24:MI", 5, ":00"), "HH:MM:SS": ("HH24:MI:SS", 8, "")}


#: The same moments in microseconds: within these, doubles hold each of them; up to the last, whole milliseconds go.
NEAREST_PAST, NEAREST_FUTURE, LAST = -9_007_113_600_000_000, 9_007_113_600_000_000, (1 << 53) * 1000
#: What ADBC, which adds the years from 1970 to 2000 without looking for an overflow, makes of ∞ and -∞. Moments that
#: are too far away become less than these; the earliest that PostgreSQL knows is more.
POSITIVE_INFINITY, NEGATIVE_INFINITY = -9_222_425_352_054_775_809, -9_222_425_352_054_775_808


def micros(value: Value) -> object:
    """Milliseconds as a double, back to whole microseconds; infinity as it is."""
    return round(Fraction(value) * 1000) if isinstance(value, float) and math.isfinite(value) else value


def _microseconds(text: str) -> object:
    """Whole microseconds from the proof's text; infinity as a float."""
    return float(text) if "infinity" in text else int(text)


def moment_text(value: Value) -> str | None:
    """The text that a date or timestamp reads a number of milliseconds from: its Julian day, and the time in UTC.

    Julian days (PostgreSQL's manual, "Date/Time Types") reach as far as PostgreSQL's dates; Python's own don't.
    """
    if value is None or isinstance(value, str):
        return value
    if not math.isfinite(value):
        if math.isnan(value):
            raise ValueError("NaN is no moment")
        return "infinity" if value > 0 else "-infinity"
    day, rest = divmod(round(Fraction(value) * 1000), 86_400_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    return f"J{_JULIAN_1970 + day} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}+00"


#: A date that no timestamp can say.
_FAR = Guard(
    "({c} < '287396-10-12' OR NOT isfinite({c}))",
    "InexactTime",
    "the date is too far away for a number of milliseconds",
    "Make the field v.string().",
)


def _cut_to_milliseconds(text: str) -> object:
    """As :func:`_microseconds`; of a moment that a double can't say, its whole milliseconds."""
    found = _microseconds(text)
    far = isinstance(found, int) and not NEAREST_PAST <= found <= NEAREST_FUTURE
    return found // 1000 * 1000 if far and isinstance(found, int) else found


def _moment(rule: ColumnRule, inner: str = "{c}", *first: Guard) -> Conversion:
    """``inner``: SQL of the timestamp that the copy reads."""
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
        # No binary timestamp of a column of Arrow's says infinity.
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
        restore=moment_text,
        quick=f"({_NEAR})",
        seen=select == "{c}",
    )


def _iso(base: str) -> str:
    """SQL for a moment's text as JSON has it: a T before the time, and the whole offset, which is that of UTC."""
    if base == "timestamp":
        return r"regexp_replace({c}::text, '^(\S+) ([0-9:.]+)', '\1T\2')"
    return r"regexp_replace({c}::text, '^(\S+) ([0-9:.]+)\+00', '\1T\2+00:00')"


@converts("timestamptz", "timestamp")
def timestamps(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A moment: milliseconds, or the ISO text of a row's JSON. A timestamp without time zone is taken as UTC."""
    if target.takes(kinds.Number):
        return _moment(rule)
    if target.takes(kinds.String):
        return Conversion("moment as text", "string", _iso(type_.base))
    return misfit(type_, target, "v.number()")


@converts("date")
def dates(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A date: ``YYYY-MM-DD``, or the milliseconds of its midnight in UTC where the field is a number."""
    if target.takes(kinds.String):
        return Conversion("date as text", "string", "{c}::text")
    if target.takes(kinds.Number):
        return _moment(rule, f"(CASE WHEN {_FAR.sql} THEN {{c}}::timestamp END)", _FAR)
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
