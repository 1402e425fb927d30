"""Matches rows with documents for tables that exist in Convex: old key to the id that Convex chose.

A key that is NULL, or that several rows or several documents share, matches nothing. The number of shared keys is
reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg

from supavex.convex import validators as kinds
from supavex.convex.values import Document
from supavex.mapping.conversions import Target
from supavex.mapping.conversions.datetimes import micros
from supavex.mapping.conversions.numbers import FINITE
from supavex.mapping.key_sql import key_text_sql
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.postgres.connection import quoted


@dataclass(frozen=True, slots=True)
class Matched:
    """The result of matching a table."""

    #: The PostgreSQL table, ``schema.name``.
    table: str
    #: The Convex table.
    target: str
    #: The number of rows.
    rows: int
    #: The number of documents.
    documents: int
    #: The number of pairs.
    matched: int
    #: The number of keys that are not unique.
    ambiguous: int


def match_documents(
    connection: psycopg.Connection, table: TablePlan, documents: Iterable[Document]
) -> tuple[dict[str, str], Matched]:
    """Key text of each source row to the ``_id`` of the document that it matches."""
    assert table.key is not None
    matches = matches_of(table)
    by_match: dict[tuple[str, ...], str | None] = {}
    count = 0
    for document in documents:
        count += 1
        values = [document.get(match.field) for match in matches]
        if any(value is None for value in values):
            continue
        match = tuple(known.text(value) for known, value in zip(matches, values, strict=True))
        by_match[match] = None if match in by_match else str(document["_id"])
    columns = ", ".join(known.sql for known in matches)
    key = key_text_sql(table.key, table.key.own(ALIAS))
    sql = f"SELECT {key}, {columns} FROM {table.source.sql_name} AS {ALIAS}"
    ids: dict[str, str] = {}
    rows_of: dict[tuple[str, ...], str | None] = {}
    rows = ambiguous = 0
    for old, *values in connection.execute(sql.encode()):
        rows += 1
        if any(value is None for value in values):
            continue
        match = tuple(values)
        if match in rows_of:
            ambiguous += 1
            previous = rows_of[match]
            if previous is not None:
                ids.pop(previous, None)
            rows_of[match] = None
            continue
        rows_of[match] = old
        found = by_match.get(match)
        if found is not None:
            ids[old] = found
    ambiguous += sum(1 for id_ in by_match.values() if id_ is None)
    return ids, Matched(table.name, table.target, rows, count, len(ids), ambiguous)


@dataclass(frozen=True, slots=True)
class Match:
    """A field, and what it is matched with: SQL for the column's value as text, and a function from the field's value
    to that text.
    """

    field: str
    sql: str
    text: Callable[[Any], str]


def matches_of(table: TablePlan) -> list[Match]:
    """The fields and columns by which an existing table is matched."""
    return [_match(table, field, column) for field, column in (table.rule.existing or {}).items()]


def _match(table: TablePlan, field: str, column: str) -> Match:
    """The comparison of a column with a field: numbers as decimals, times in microseconds, other types by
    their text.
    """
    sql, found = f"{ALIAS}.{quoted(column)}", table.source.column(column)
    base = found.type.base if found is not None else ""
    validator = table.definition.fields.get(field) if table.definition is not None else None
    target = None if validator is None else Target(validator)
    if base in ("timestamptz", "timestamp", "date") and target is not None and target.takes(kinds.Number):
        moment = f"CASE WHEN isfinite({sql}) THEN (extract(epoch FROM {sql}) * 1000000)::numeric(30)::text END"
        return Match(field, moment, lambda value: _text(micros(value)))
    if base in ("numeric", "money", "float4", "float8") and (target is None or target.takes(kinds.Number)):
        decimal = f"{sql}::numeric"
        if base in ("float4", "float8"):
            # The text has all digits of the number. NaN and infinity match nothing.
            decimal = f"(CASE WHEN {FINITE.replace('{c}', sql)} THEN {sql}::text::numeric END)"
        return Match(field, f"trim_scale({decimal})::text", _decimal)
    if base == "bytea" and target is not None and target.takes(kinds.Bytes):
        return Match(field, f"encode({sql}, 'hex')", lambda value: value.hex() if isinstance(value, bytes) else "")
    return Match(field, f"{sql}::text", _text)


def _decimal(value: object) -> str:
    """A double's shortest text in PostgreSQL's notation of a decimal, without an exponent and trailing zeros."""
    if not isinstance(value, float) or not math.isfinite(value):
        return _text(value)
    return "0" if value == 0 else format(Decimal(repr(value)).normalize(), "f")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
