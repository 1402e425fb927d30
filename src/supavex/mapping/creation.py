"""Finds the column with a row's creation time, for ``_creationTime``."""

from __future__ import annotations

import re

from supavex.postgres.catalog import Column, Table

#: Columns for ``_creationTime``. The first that a table has counts.
CREATION_COLUMNS = ("created_at", "createdAt", "inserted_at", "created", "created_on")
#: Words of a column's name that mean the row's creation, in any order and spelling.
_CREATION_NAMES = frozenset([
    "createdat", "insertedat", "created", "createdon", "datecreated", "creationdate", "createddate", "creationtime",
    "createtime", "createdtime", "createtimestamp", "createdtimestamp", "creationtimestamp", "timecreated", "inserted",
    "insertedon", "dateinserted", "dateadded", "addedat", "addedon", "datecreate", "createdate", "createat", "createon",
    "createddatetime",
])  # fmt: skip
MOMENTS = ("timestamptz", "timestamp", "date")
#: PostgreSQL's expressions for the start of the statement or transaction.
_NOW = re.compile(
    r"\(*(?:now\(\)|CURRENT_TIMESTAMP|LOCALTIMESTAMP|(?:transaction|statement|clock)_timestamp\(\)"
    r"|timezone\('[^']+'::text, (?:now\(\)|CURRENT_TIMESTAMP)\))(?:\(\d\))?\)*"
    r"(?: AT TIME ZONE '[^']+'(?:::text)?)?\)*(?:::timestamp with(?:out)? time zone)?",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"updat|modif|chang|edit|last|latest|recent|seen|sync|touch|refresh|expir|delet|remov|until|next|due|scheduled"
    r"|valid|starts|ends|checked|active|activity|access",
    re.IGNORECASE,
)


def creation_column(table: Table) -> tuple[str | None, tuple[str, ...]]:
    """The column of a row's creation time, and the candidates if there are several.

    It is found by name. Otherwise it is the only time column whose default is the time of the insert, and that neither
    its name nor a trigger marks as changing later.
    """
    moments = [column for column in table.columns if column.type.base in MOMENTS and column.type.element is None]
    by_name = {column.name: column for column in moments}
    exact = next((name for name in CREATION_COLUMNS if name in by_name), None)
    if exact is not None:
        return exact, ()
    named = [c.name for c in moments if re.sub(r"[^a-z]", "", c.name.lower()) in _CREATION_NAMES]
    if not named:
        named = [column.name for column in moments if _made_then(table, column)]
    return (named[0], ()) if len(named) == 1 else (None, tuple(named))


def _made_then(table: Table, column: Column) -> bool:
    default = column.default or ""
    if column.type.base == "date" or not _NOW.fullmatch(default) or _CHANGES.search(column.name):
        return False
    name = re.escape(column.name)
    changed = re.compile(rf"\bnew\s*\.\s*\"?{name}\"?\s*:?=", re.IGNORECASE)
    given = re.compile(rf"\bmoddatetime\(['\"]?{name}['\"]?\)", re.IGNORECASE)
    return not any(
        given.search(trigger.definition) or (changed.search(trigger.function) and "UPDATE" in trigger.definition)
        for trigger in table.triggers
    )
