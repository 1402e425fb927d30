"""When a cron job is due: its schedule from ``crons.ts``, and the times that it defines.

Source: ``model/src/cron_jobs`` of convex-backend, and saffron, its parser of cron expressions: five fields in UTC; days
of the week are 0 (Sunday) to 6, or names; ``L``, ``W`` and ``#`` as in Quartz; if both kinds of days are given, either
matches. Convex adds up to a minute to each time, so that the jobs of its cloud don't all begin at once. This module
adds nothing.
"""

from __future__ import annotations

import calendar
import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from supavex.errors import SupavexError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEK = {name: number for number, name in enumerate(("sunday", "monday", "tuesday", "wednesday", "thursday"))}
_WEEK |= {"friday": 5, "saturday": 6}
#: How far ahead a time is searched. In so many years there are always two 29ths of February.
_YEARS_AHEAD = 9


def _invalid(message: str) -> SupavexError:
    return SupavexError("InvalidCron", message)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule of a job: every so many seconds, or a cron expression. ``data`` is the form that Convex shows."""

    data: dict[str, Any]
    seconds: int | None
    expression: CronExpression | None

    def next(self, previous: float | None, now: float) -> float:
        """The time (seconds since 1970) of the run after ``previous``; None: of the first run."""
        if self.seconds is not None:
            return now if previous is None else previous + self.seconds
        assert self.expression is not None
        return self.expression.after(now)

    def text(self) -> str:
        """The schedule in words, or its cron expression."""
        if self.seconds is not None:
            return f"every {self.seconds} seconds"
        assert self.expression is not None
        return self.expression.source

    def following(self, previous: float, now: float) -> tuple[float, int]:
        """The time of the next run after ``now``, and the number of skipped runs."""
        if self.seconds is None:
            return self.next(previous, now), 0
        skipped = max(0, math.ceil((now - previous) / self.seconds) - 1)
        return previous + (skipped + 1) * self.seconds, skipped


def schedule_of(data: Any) -> Schedule:
    """The schedule from the JSON of ``crons.export()``. Raises Convex's errors for an invalid one."""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "interval":
        given = {name: data.get(name) for name in ("seconds", "minutes", "hours") if data.get(name) is not None}
        if len(given) != 1:
            raise _invalid("Exactly one of (seconds, minutes, hours) should be specified")
        ((unit, value),) = given.items()
        if not _whole(value) or value <= 0:
            raise _invalid("Interval must be an integer greater than 0")
        seconds = int(value) * {"seconds": 1, "minutes": 60, "hours": 3600}[unit]
        return Schedule({"type": "interval", "seconds": seconds}, seconds, None)
    if kind == "cron":
        text = data.get("cron")
        if not isinstance(text, str):
            raise _invalid("Invalid JSON")
        expression = CronExpression(text)
        if not expression.any():
            raise _invalid(f'The cron spec "{text}" will never match any time')
        return Schedule({"type": "cron", "cronExpr": text}, None, expression)
    if kind not in ("hourly", "daily", "weekly", "monthly"):
        raise _invalid("Invalid JSON")
    return _clock(str(kind), data)


def _clock(kind: str, data: dict[str, Any]) -> Schedule:
    """A schedule by the clock. Without a minute, it runs in the first minute of the hour."""
    found: dict[str, Any] = {"type": kind}
    minute = hour = "0" if kind != "hourly" else "*"
    day, weekday = "*", "*"
    if data.get("minuteUTC") is not None:
        found["minuteUTC"] = _within(data, "minuteUTC", 0, 59)
    minute = str(found.get("minuteUTC", 0))
    if kind != "hourly":
        found["hourUTC"] = _within(data, "hourUTC", 0, 23)
        hour = str(found["hourUTC"])
    if kind == "weekly":
        named = data.get("dayOfWeek")
        if named not in _WEEK:
            raise _invalid("Invalid JSON")
        found["dayOfWeek"] = _WEEK[named]
        weekday = str(found["dayOfWeek"])
    if kind == "monthly":
        found["day"] = _within(data, "day", 1, 31)
        day = str(found["day"])
    return Schedule(found, None, CronExpression(f"{minute} {hour} {day} * {weekday}"))


def _whole(value: Any) -> bool:
    return type(value) in (int, float) and value == int(value)


def _within(data: dict[str, Any], name: str, low: int, high: int) -> int:
    value = data.get(name)
    if value is None or not _whole(value):
        raise _invalid("Invalid JSON")
    if not low <= value <= high:
        raise _invalid(f"{'day of month' if name == 'day' else name} must be {low}-{high} in {data}")
    return int(value)


class CronExpression:
    """A cron expression. Raises ValueError if it is invalid."""

    def __init__(self, text: str) -> None:
        self.source = text
        fields = re.split("[ \t]+", text)
        if len(fields) != 5:
            raise _invalid("Failed to parse cron expression")
        minute, hour, day, month, weekday = fields
        self._minutes = _values(minute, 0, 59)
        self._hours = _values(hour, 0, 23)
        self._months = _values(month, 1, 12, _MONTHS)
        self._day, self._weekday = day, weekday
        #: Days of the month or of the week; None if the field has a special form, or is a star.
        self._days = None if day == "*" or _SPECIAL_DAY.match(day) else _values(day, 1, 31)
        special = weekday in ("*", "L") or _SPECIAL_WEEKDAY.match(weekday.upper())
        self._weekdays = None if special else _values(weekday, 0, 6, _DAYS)
        if weekday == "L":
            self._weekdays = frozenset({6})

    def any(self) -> bool:
        """Whether it matches any time."""
        return self._next_day(date(2024, 1, 1)) is not None

    def after(self, now: float) -> float:
        """The first matching time after ``now``, in seconds since 1970."""
        start = datetime.fromtimestamp(now // 60 * 60 + 60, UTC)
        for hour in sorted(self._hours):
            for minute in sorted(self._minutes):
                if self._fits(start.date()) and (hour, minute) >= (start.hour, start.minute):
                    return start.replace(hour=hour, minute=minute).timestamp()
        found = self._next_day(start.date() + timedelta(days=1))
        if found is None:
            raise _invalid("Could not compute next timestamp for cron")
        first = datetime(found.year, found.month, found.day, min(self._hours), min(self._minutes), tzinfo=UTC)
        return first.timestamp()

    def _next_day(self, start: date) -> date | None:
        for ahead in range(_YEARS_AHEAD * 366):
            found = start + timedelta(days=ahead)
            if self._fits(found):
                return found
        return None

    def _fits(self, found: date) -> bool:
        if found.month not in self._months:
            return False
        if self._day == "*" or self._weekday == "*":
            by_day = self._day == "*" or self._fits_day(found)
            return by_day and (self._weekday == "*" or self._fits_weekday(found))
        return self._fits_day(found) or self._fits_weekday(found)

    def _fits_day(self, found: date) -> bool:
        if self._days is not None:
            return found.day in self._days
        last = calendar.monthrange(found.year, found.month)[1]
        special = _SPECIAL_DAY.match(self._day)
        assert special is not None
        offset, last_weekday, near, day = special["offset"], special["weekday"], special["near"], special["day"]
        wanted = int(day) if near else last - int(offset or 0)
        if not 1 <= wanted <= last:
            return False
        return found.day == (_weekday_near(found, wanted, last) if near or last_weekday else wanted)

    def _fits_weekday(self, found: date) -> bool:
        number = found.isoweekday() % 7
        if self._weekdays is not None:
            return number in self._weekdays
        special = _SPECIAL_WEEKDAY.match(self._weekday.upper())
        assert special is not None
        if number != (int(special["day"]) if special["day"].isdecimal() else _DAYS.index(special["day"])):
            return False
        if special["nth"]:
            return (found.day - 1) // 7 + 1 == int(special["nth"])
        return found.day + 7 > calendar.monthrange(found.year, found.month)[1]


#: ``L``, ``L-3``, ``LW``, ``L-3W``, ``15W``.
_SPECIAL_DAY = re.compile(
    r"L(?:-(?P<offset>[1-9]|[12][0-9]|30))?(?P<weekday>W)?\Z|(?P<day>[1-9]|[12][0-9]|3[01])(?P<near>W)\Z"
)
#: ``5L``, ``FRIL``, ``5#2``, ``FRI#2``.
_SPECIAL_WEEKDAY = re.compile(rf"(?P<day>[0-6]|{'|'.join(_DAYS)})(?:L|#(?P<nth>[1-5]))\Z")
_PART = re.compile(r"(?P<start>[0-9]+|[A-Z]{3}|\*)(?:-(?P<end>[0-9]+|[A-Z]{3}))?(?:/(?P<step>[0-9]+))?\Z")


def _weekday_near(found: date, day: int, last: int) -> int:
    """The weekday (Monday to Friday) nearest to a day of the month, in the same month."""
    number = found.replace(day=day).isoweekday()
    if number == 6:
        return day - 1 if day > 1 else day + 2
    if number == 7:
        return day + 1 if day < last else day - 2
    return day


def _values(text: str, low: int, high: int, named: tuple[str, ...] = ()) -> frozenset[int]:
    """The values of a field: a star, values, ranges (which may wrap around), and steps, with commas."""
    if text == "*":
        return frozenset(range(low, high + 1))
    found: set[int] = set()
    for part in text.upper().split(","):
        match = _PART.match(part)
        if match is None or (match["start"] == "*" and (match["end"] or not match["step"])):
            raise _invalid("Failed to parse cron expression")
        start = low if match["start"] == "*" else _value(match["start"], low, high, named)
        step = 1 if match["step"] is None else int(match["step"])
        end = high if match["step"] and not match["end"] else start
        end = _value(match["end"], low, high, named) if match["end"] else end
        if not 1 <= step <= max(1, high - low):
            raise _invalid("Failed to parse cron expression")
        row = range(start, end + 1) if start <= end else [*range(start, high + 1), *range(low, end + 1)]
        found.update(list(row)[::step])
    return frozenset(found)


def _value(text: str, low: int, high: int, named: tuple[str, ...]) -> int:
    value = named.index(text) + low if text in named else int(text) if text.isdecimal() else -1
    if not low <= value <= high:
        raise _invalid("Failed to parse cron expression")
    return value
