"""SQL over the rows of a planned table: the parts of its key, its references, its creation time."""

from __future__ import annotations

from collections.abc import Sequence

from supavex.mapping.key_sql import key_sql, key_text_sql
from supavex.mapping.plan import ALIAS, FieldPlan, Reference, TablePlan
from supavex.postgres.connection import quoted

#: The bounds of ``_creationTime``: above zero, below 2**53 milliseconds.
EARLIEST = "'1970-01-01 00:00:00.001+00'::timestamptz"
LATEST = "'287396-10-12 08:59:00.991+00'::timestamptz"


def creation_sql(table: TablePlan) -> str:
    """SQL for a row's creation time, within Convex's bounds and never NULL.

    It is the creation column. If that is NULL or infinite, it is the column of the last update, then the table's
    earliest creation time, then Convex's earliest time. So it depends only on the rows, and not on the time of the
    copy.
    """
    # For nearly every row, the first column is enough.
    if not table.creation.columns:
        return bounded_sql(table)
    column = milliseconds_sql(table, 0)
    return f"CASE WHEN {within_sql(column)} THEN {column} ELSE {bounded_sql(table)} END"


def bounded_sql(table: TablePlan) -> str:
    """SQL for a row's creation time in milliseconds: the first of its columns whose value a document can hold."""
    columns = [milliseconds_sql(table, index) for index in range(len(table.creation.columns))]
    choices = [f"CASE WHEN isfinite({column}) THEN {column} END" for column in columns]
    if columns:
        name = quoted(table.creation.columns[0])
        source = table.source.sql_name
        choices.append(f"(SELECT min(e.{name})::timestamptz FROM {source} AS e WHERE isfinite(e.{name}))")
    return f"LEAST(GREATEST(COALESCE({', '.join([*choices, EARLIEST])}), {EARLIEST}), {LATEST})"


def milliseconds_sql(table: TablePlan, index: int) -> str:
    """SQL for one of the columns of a row's creation time, as timestamptz."""
    return f"{ALIAS}.{quoted(table.creation.columns[index])}::timestamptz"


def within_sql(moment: str) -> str:
    """SQL that is true if a document can hold a timestamp as its creation time."""
    return f"({moment} BETWEEN {EARLIEST} AND {LATEST})"


def parent_sql(reference: Reference, parts: Sequence[str]) -> str:
    """SQL that is true for the parent's row, with the alias ``p``, that ``parts`` name."""
    comparisons = reference.comparisons or (("=", ""),) * len(parts)
    return " AND ".join(
        f"p.{quoted(column)} {operator} {part}{behind}"
        for column, part, (operator, behind) in zip(reference.columns, parts, comparisons, strict=True)
    )


def parts_sql(field: FieldPlan) -> list[str]:
    """SQL for each part of the parent's key: the child's own values, or those of the parent found by its unique key."""
    reference = field.reference
    assert reference is not None
    if not reference.via_unique:
        cast = "::uuid" if reference.key.form == "uuid" else ""
        return [f"({part}){cast}" for part in reference.parts]
    parent = reference.source
    named = parent_sql(reference, reference.parts)
    return [f"(SELECT p.{quoted(column)} FROM {parent} AS p WHERE {named})" for column in reference.key.columns]


def reference_sql(field: FieldPlan) -> str:
    """SQL for the 16 bytes of the row to which a field (or its element ``e.x``) refers."""
    assert field.reference is not None
    return key_sql(field.reference.key, parts_sql(field))


def reference_text_sql(field: FieldPlan) -> str:
    """SQL for the key, as text, of the row to which a field refers; for an array field, a JSON array of keys."""
    assert field.reference is not None
    text = key_text_sql(field.reference.key, parts_sql(field))
    if not field.reference.is_array:
        return text
    every = f"SELECT to_jsonb(array_agg({text} ORDER BY e.i))::text FROM unnest({field.source}) "
    every += "WITH ORDINALITY AS e(x, i)"
    return f"CASE WHEN {field.source} IS NOT NULL THEN coalesce(({every}), '[]') END"
