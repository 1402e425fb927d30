"""Triggers that do nothing but set columns to the time of an update."""

from __future__ import annotations

import re

from supavex.postgres.catalog import Table, Trigger

_TOUCH = re.compile(
    r"\s*BEGIN\s+((?:NEW\.\"?\w+\"?\s*:?=\s*[^;]+;\s*)+)RETURN\s+NEW\s*;?\s*END\s*;?\s*", re.IGNORECASE | re.DOTALL
)
_TOUCHED = re.compile(r"NEW\.\"?(\w+)\"?\s*:?=\s*([^;]+?)\s*;", re.IGNORECASE)
_NOW = re.compile(
    r"(?:now\(\)|current_timestamp|timezone\('utc'(?:::text)?,\s*now\(\)\)|clock_timestamp\(\)|"
    r"\(?now\(\) at time zone 'utc'\)?|transaction_timestamp\(\))\Z",
    re.IGNORECASE,
)
_MODDATETIME = re.compile(r"moddatetime\('?(\w+)'?\)", re.IGNORECASE)


def touched_by(trigger: Trigger, table: Table) -> list[str] | None:
    """The columns that a trigger sets to the time of the update; None if it does anything else, or the table has no
    such column, so that PostgreSQL refuses every update.
    """
    found = _touched(trigger)
    return None if found is None or any(table.column(name) is None for name in found) else found


def _touched(trigger: Trigger) -> list[str] | None:
    definition = trigger.definition
    if " BEFORE UPDATE ON " not in definition or " FOR EACH ROW " not in definition or " WHEN " in definition:
        return None
    found = _MODDATETIME.search(definition)
    if found:
        return [found[1]]
    body = _TOUCH.fullmatch(trigger.function)
    if body is None:
        return None
    pairs = _TOUCHED.findall(body[1])
    if not pairs or not all(_NOW.match(value.strip()) for _, value in pairs):
        return None
    return [column.lower() for column, _ in pairs]
