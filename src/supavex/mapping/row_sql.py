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
    """SQL for a row's creation time, never NULL, within Convex's bounds.

    The creation column; where that is NULL or infinite, the column of the last update; then the table's earliest
    creation time; then the earliest moment Convex takes. So it depends on the rows only, not on when they are copied.
    """
    # Nearly every row needs no more than one look.
    if not table.creation.columns:
        return bounded_sql(table)
    column = milliseconds_sql(table, 0)
    return f"CASE WHEN {within_sql(column)} THEN {column} ELSE {bounded_sql(table)} END"


def bounded_sql(table: TablePlan) -> str:
    """SQL: the creation time of a row, the first of its columns that a document can hold, in milliseconds."""
    columns = [milliseconds_sql(table, index) for index in range(len(table.creation.columns))]
    choices = [f"CASE WHEN isfinite({column}) THEN {column} END" for column in columns]
    if columns:
        name = quoted(table.creation.columns[0])
        source = table.source.sql_name
        choices.append(f"(SELECT min(e.{name})::timestamptz FROM {source} AS e WHERE isfinite(e.{name}))")
    return f"LEAST(GREATEST(COALESCE({', '.join([*choices, EARLIEST])}), {EARLIEST}), {LATEST})"


def milliseconds_sql(table: TablePlan, index: int) -> str:
    """SQL: one of the columns that a row's creation time comes from, as timestamptz."""
    return f"{ALIAS}.{quoted(table.creation.columns[index])}::timestamptz"


def within_sql(moment: str) -> str:
    """SQL: whether a timestamp is one that a document can hold."""
    return f"({moment} BETWEEN {EARLIEST} AND {LATEST})"


def parent_sql(reference: Reference, parts: Sequence[str]) -> str:
    """SQL that is true for the parent's row, called ``p``, that ``parts`` name."""
    comparisons = reference.comparisons or (("=", ""),) * len(parts)
    return " AND ".join(
        f"p.{quoted(column)} {operator} {part}{behind}"
        for column, part, (operator, behind) in zip(reference.columns, parts, comparisons, strict=True)
    )


def parts_sql(field: FieldPlan) -> list[str]:
    """SQL for each part of the key that a reference names: the row's own values, or what a unique key leads to."""
    reference = field.reference
    assert reference is not None
    if not reference.via_unique:
        cast = "::uuid" if reference.key.form == "uuid" else ""
        return [f"({part}){cast}" for part in reference.parts]
    parent = reference.source
    named = parent_sql(reference, reference.parts)
    return [f"(SELECT p.{quoted(column)} FROM {parent} AS p WHERE {named})" for column in reference.key.columns]


def reference_sql(field: FieldPlan) -> str:
    """SQL for the 16 bytes of the row that a field (or an element of it, ``e.x``) refers to."""
    assert field.reference is not None
    return key_sql(field.reference.key, parts_sql(field))


def reference_text_sql(field: FieldPlan) -> str:
    """SQL for the key, as text, of the row that a field refers to; of many, a JSON array of them."""
    assert field.reference is not None
    text = key_text_sql(field.reference.key, parts_sql(field))
    if not field.reference.is_array:
        return text
    every = f"SELECT to_jsonb(array_agg({text} ORDER BY e.i))::text FROM unnest({field.source}) "
    every += "WITH ORDINALITY AS e(x, i)"
    return f"CASE WHEN {field.source} IS NOT NULL THEN coalesce(({every}), '[]') END"
