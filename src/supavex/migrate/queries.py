"""The SQL that the copy reads a table with: its key, its creation time, each field's value, and each guard."""

from __future__ import annotations

from dataclasses import dataclass

from supavex.mapping.plan import ALIAS, FieldPlan, Reference, TablePlan
from supavex.postgres.connection import quoted

#: The bounds of ``_creationTime``: above zero, below 2**53 milliseconds.
EARLIEST = "'1970-01-01 00:00:00.001+00'::timestamptz"
LATEST = "'287396-10-12 08:59:00.991+00'::timestamptz"


@dataclass(frozen=True, slots=True)
class CopyQuery:
    """The SELECT that reads a table.

    Its columns: ``_key`` (16 bytes), ``_text`` (the key as text, where the bytes don't tell it), ``_created`` (a
    moment), ``v<i>`` (the value of field i) and ``g<i>_<j>`` (its guard j: false rejects the row).
    """

    sql: str
    has_text: bool


def copy_query(table: TablePlan) -> CopyQuery:
    """The query for every row of ``table``, in the order of its heap."""
    assert table.key is not None
    own = table.key.own(ALIAS)
    has_text = table.key.form != "uuid"
    columns = [f"{table.key.sql(own)} AS _key"]
    if has_text:
        columns.append(f"{table.key.text_sql(own)} AS _text")
    columns.append(f"{creation_sql(table)} AS _created")
    for index, field in enumerate(table.fields):
        columns.append(f"{value_sql(field)} AS v{index}")
        columns += [f"{guard} AS g{index}_{number}" for number, guard in enumerate(guards_sql(field))]
    sql = f"SELECT {', '.join(columns)} FROM {quoted(table.source.schema, table.source.name)} AS {ALIAS}"
    return CopyQuery(sql, has_text)


def creation_sql(table: TablePlan) -> str:
    """SQL for a row's creation time, never NULL, within Convex's bounds.

    The creation column; where that is NULL or infinite, the column of the last update; then the table's earliest
    creation time; then the earliest moment Convex takes. So it depends on the rows only, not on when they are copied.
    """
    columns = [f"{ALIAS}.{quoted(name)}::timestamptz" for name in table.creation.columns]
    choices = [f"CASE WHEN isfinite({column}) THEN {column} END" for column in columns]
    if columns:
        name = quoted(table.creation.columns[0])
        source = quoted(table.source.schema, table.source.name)
        choices.append(f"(SELECT min(e.{name})::timestamptz FROM {source} AS e WHERE isfinite(e.{name}))")
    return f"LEAST(GREATEST(COALESCE({', '.join([*choices, EARLIEST])}), {EARLIEST}), {LATEST})"


def part_sql(field: FieldPlan) -> str:
    """SQL for the key that a reference field names: the foreign key's value, or what a unique column leads to."""
    reference = field.reference
    assert reference is not None
    if reference.through is None:
        cast = "::uuid" if reference.key.form == "uuid" else ""
        return f"({field.source}){cast}"
    parent = quoted(reference.schema, reference.table)
    key, through = quoted(reference.column), quoted(reference.through)
    return f"(SELECT p.{key} FROM {parent} AS p WHERE p.{through} = {field.source})"


def reference_sql(field: FieldPlan, reference: Reference) -> str:
    """SQL for the 16 bytes of the row that a field refers to."""
    return reference.key.sql([part_sql(field)])


def value_sql(field: FieldPlan) -> str:
    """SQL for what the copy reads of a field."""
    if field.reference is not None:
        if field.reference.existing:
            return field.reference.key.text_sql([part_sql(field)])
        return reference_sql(field, field.reference)
    if field.ids is not None:
        return f"({field.source})::text"
    return field.conversion.select.replace("{c}", field.source)


def guards_sql(field: FieldPlan) -> list[str]:
    """SQL conditions that are false where the row can't go; true or NULL elsewhere."""
    guards = [
        f"({field.source} IS NULL OR ({guard.sql.replace('{c}', field.source)}))" for guard in field.conversion.guards
    ]
    if field.reference is not None and field.reference.through is not None:
        guards.append(f"({field.source} IS NULL OR {part_sql(field)} IS NOT NULL)")
    return guards
