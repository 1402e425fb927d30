"""Finds values that a table's columns would round: PostgreSQL rounds some values as it reads them, without a message.

It rounds a numeric with a scale, a time with a precision, float4 (also pgvector's vector) and money. A date drops the
time of day, and a varchar drops excess blanks. All other values that do not fit are errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg

#: For each column: the base type of domains and arrays, with its modifier; and whether the column is an array.
_TYPES = """
WITH RECURSIVE typed AS (
    SELECT a.attname, a.atttypid AS oid, a.atttypmod AS modifier, false AS many
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT d.attname, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END,
           CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE d.modifier END, d.many OR t.typtype <> 'd'
    FROM typed d JOIN pg_catalog.pg_type t ON t.oid = d.oid
    WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0))
SELECT d.attname, t.typname, pg_catalog.format_type(d.oid, d.modifier), d.modifier >= 0, d.many
FROM typed d JOIN pg_catalog.pg_type t ON t.oid = d.oid
WHERE t.typtype <> 'd' AND NOT (t.typcategory = 'A' AND t.typelem <> 0)
"""
#: By type: SQL that is true if the value that the type reads from the text ``{x}`` differs from the text. ``{s}`` is
#: ``[]`` for arrays.
_MODIFIED = dict.fromkeys(
    ("numeric", "timestamp", "timestamptz", "time", "timetz", "interval"), "{x}::{base}{s} <> {x}::{type}{s}"
)
_FLOATS = "{x}::float8[] <> {x}::float4[]::float8[] AND {x}::float8[] <> {x}::float4[]::text::float8[]"
_ALWAYS = {
    # A text that was printed from a float4 reads back as the same float4, so its double may differ.
    "float4": _FLOATS.replace("[]", "{s}"),
    "vector": _FLOATS.replace("{x}", "translate({x}, '[]', '{{{{}}}}')"),
    "money": "{x}::numeric{s} <> {x}::numeric{s}::money{s}::numeric{s}",
}
#: Dates beyond the range of timestamps are written without a time.
_DATE = "CASE WHEN {x}::date < '294000-01-01' THEN {x}::timestamp <> {x}::date::timestamp ELSE false END"


def rounding(connection: psycopg.Connection, table: str) -> dict[str, str]:
    """By column of ``table`` (an SQL name): SQL that is true if the column would hold another value than the text
    ``{x}``.

    Columns that hold every value exactly are left out.
    """
    found: dict[str, str] = {}
    for column, base, type_, modified, many in connection.execute(_TYPES.encode(), (table,)):
        sql = _ALWAYS.get(base) or (_MODIFIED.get(base) if modified else None)
        if base == "date" and not many:
            sql = _DATE
        elif base == "varchar" and modified and not many:
            sql = "{x} <> {x}::{type}::text"
        if sql is not None and not (base == "vector" and many):
            values = {"base": base, "type": type_, "s": "[]" if many else "", "x": "{x}"}
            found[column] = sql.format(**values)
    return found


def rounded(
    connection: psycopg.Connection, checks: Mapping[str, str], rows: Sequence[Sequence[str | None]]
) -> dict[str, int]:
    """The number of texts in ``rows`` that would be rounded. ``rows`` has one text for each of ``checks``, see
    :func:`rounding`.

    Texts that PostgreSQL refuses are not counted: writing them raises an error.
    """
    counts = [f"count(*) FILTER (WHERE {sql.format(x=f'x{n}')})" for n, sql in enumerate(checks.values())]
    names = [f"x{n}" for n in range(len(checks))]
    arrays = ", ".join(["pg_catalog.unnest(%s::text[])"] * len(checks))
    sql = f"SELECT {', '.join(counts)} FROM ROWS FROM ({arrays}) AS t({', '.join(names)})"
    try:
        found = connection.execute(sql.encode(), [list(texts) for texts in zip(*rows, strict=True)]).fetchone()
    except psycopg.DataError:
        return {}
    assert found is not None
    return {column: count for column, count in zip(checks, found, strict=True) if count}
