"""The SQL with which the copy reads a table: key, creation time, each field's value, and each guard."""

from __future__ import annotations

from dataclasses import dataclass

from supavex.mapping.key_sql import key_sql, key_text_sql
from supavex.mapping.plan import ALIAS, FieldPlan, IdFile, Reference, TablePlan
from supavex.mapping.row_sql import (
    bounded_sql,
    creation_sql,
    milliseconds_sql,
    parts_sql,
    reference_sql,
    reference_text_sql,
    within_sql,
)
from supavex.postgres.catalog import Column


@dataclass(frozen=True, slots=True)
class CopyQuery:
    """The SELECT that reads a table.

    Its columns: ``_key`` (16 bytes), ``_text`` (the key as text, if the bytes don't show it), ``_created`` (a
    timestamp), ``v<i>`` (the value of field i) and ``_notes``. ``_notes`` is NULL for a normal row. Otherwise it lists,
    with a blank after each: ``i_j`` if guard j of field i is broken, ``created`` if the creation time is a substitute,
    ``i_cut`` if the text of field i is truncated. It is one column because reading each column costs time, and it is
    missing if no row can have notes.

    ``created``: the index of the field that also holds the creation time. ``_created`` is then NULL unless a substitute
    is needed.
    """

    sql: str
    has_text: bool
    created: int | None


def copy_query(table: TablePlan) -> CopyQuery:
    """The query for every row of ``table``, in the order of its heap."""
    assert table.key is not None
    own = table.key.own(ALIAS)
    has_text = table.key.form != "uuid"
    created = _creation_field(table)
    columns = [f"{key_sql(table.key, own)} AS _key"]
    if has_text:
        columns.append(f"{key_text_sql(table.key, own)} AS _text")
    columns.append(f"{creation_sql(table) if created is None else _substitute_sql(table)} AS _created")
    for index, field in enumerate(table.fields):
        columns.append(f"{value_sql(field)} AS v{index}")
    notes = _notes_sql(table, created)
    if notes is not None:
        columns.append(f"{notes} AS _notes")
    sql = f"SELECT {', '.join(columns)} FROM {table.source.sql_name} AS {ALIAS}"
    return CopyQuery(sql, has_text, created)


def _creation_field(table: TablePlan) -> int | None:
    """The field to which the creation column is copied unchanged."""
    for index, field in enumerate(table.fields):
        own = isinstance(field.value, Column) and field.value.name in table.creation.columns[:1]
        if own and field.conversion.kind == "micros" and field.conversion.seen:
            return index
    return None


def _substitute_sql(table: TablePlan) -> str:
    """:func:`creation_sql` if it differs from the creation column's value; else NULL."""
    return f"CASE WHEN {within_sql(milliseconds_sql(table, 0))} THEN NULL ELSE {bounded_sql(table)} END"


def value_sql(field: FieldPlan) -> str:
    """SQL for the value of a field that the copy reads."""
    match field.value:
        case Reference(is_array=is_array):
            return reference_text_sql(field) if is_array else reference_sql(field)
        case IdFile():
            return f"({field.source})::text"
    return field.conversion.select.replace("{c}", field.source)


def guards_sql(field: FieldPlan) -> list[str]:
    """SQL conditions that are false for rows to reject, and true or NULL for others."""
    guards = [
        f"({field.source} IS NULL OR ({guard.sql.replace('{c}', field.source)}))" for guard in field.conversion.guards
    ]
    if field.reference is not None and field.reference.via_unique:
        found = f"{parts_sql(field)[0]} IS NOT NULL"
        if field.reference.is_array:
            found = f"NOT EXISTS (SELECT 1 FROM unnest({field.source}) AS e(x) WHERE e.x IS NOT NULL AND NOT ({found}))"
        guards.append(f"({field.source} IS NULL OR {found})")
    return guards


def _notes_sql(table: TablePlan, created: int | None) -> str | None:
    """SQL for the notes of a row, which are NULL for nearly every row. None if no row can have notes."""
    holds, names = [], []
    if table.creation.columns and created is None:
        holds.append(f"{within_sql(milliseconds_sql(table, 0))} IS TRUE")
        names.append(f"CASE WHEN {holds[0]} THEN '' ELSE 'created ' END")
    for index, field in enumerate(table.fields):
        if field.conversion.seen:
            continue
        if field.conversion.cut:
            cut = field.conversion.cut.replace("{c}", field.source)
            holds.append(f"({cut}) IS NOT TRUE")
            names.append(f"CASE WHEN {cut} THEN '{index}_cut ' ELSE '' END")
        guards = guards_sql(field)
        quick = field.conversion.quick
        if quick and len(guards) == len(field.conversion.guards):
            holds.append(f"({field.source} IS NULL OR {quick.replace('{c}', field.source)})")
        else:
            holds += [f"({guard} IS NOT FALSE)" for guard in guards]
        names += [f"CASE WHEN {guard} IS FALSE THEN '{index}_{n} ' ELSE '' END" for n, guard in enumerate(guards)]
    if not names:
        return None
    return f"CASE WHEN {' AND '.join(holds)} THEN NULL ELSE NULLIF({' || '.join(names)}, '') END"
