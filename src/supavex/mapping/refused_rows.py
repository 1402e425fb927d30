"""Counts rows of a live source that a migration would reject, before it begins.

Each table is read once, by conditions that PostgreSQL evaluates, within time limits. A table that takes longer is
reported as unchecked. The copy checks references, because they need joins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from supavex.convex.limits import MAX_DOCUMENT_BYTES
from supavex.convex.validators import unwrap
from supavex.diagnostics import Diagnostic, Place
from supavex.mapping.plan import ALIAS, FieldPlan, IdFile, Plan, TablePlan
from supavex.mapping.rejections import REJECTIONS
from supavex.mapping.source import Source
from supavex.postgres.catalog import Column
from supavex.postgres.connection import connect
from supavex.postgres.driver import psycopg

#: Seconds for one table, and for all of them.
TABLE_SECONDS, SECONDS = 10.0, 60.0


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition of rows that would be rejected."""

    #: SQL that is true for these rows.
    sql: str
    #: The column's name.
    place: str
    #: The code of the rejection.
    code: str
    #: The reason, for the message.
    reason: str
    #: The fix, as a sentence.
    fix: str
    #: The line of schema.py that the condition comes from; None if it is unknown.
    written: Place | None = None


def refused_rows(plan: Plan) -> list[Diagnostic]:
    """A warning for each reason for which rows of the live source would be rejected, with the number of rows."""
    found: list[Diagnostic] = []
    late: list[str] = []
    started = time.monotonic()
    with connect(str(plan.project.database_url)) as connection:
        connection.execute(f"SELECT set_config('statement_timeout', '{TABLE_SECONDS * 1000:.0f}', false)".encode())
        for table in plan.moving:
            conditions = list(_conditions(table))
            if not conditions:
                continue
            if time.monotonic() - started > SECONDS:
                late.append(table.name)
                continue
            try:
                counts = _counts(connection, table, conditions)
            except psycopg.Error:
                # It took too long, or the role may not read the table. A migration reports the latter.
                late.append(table.name)
                continue
            found += [
                _finding(table, condition, count) for condition, count in zip(conditions, counts, strict=True) if count
            ]
    if late:
        named = ", ".join(late[:5]) + (", …" if len(late) > 5 else "")
        message = f"whether rows would be rejected was not looked at here: {named}."
        hint = "A table takes long, or this role can't read it. `supavex migrate --dry-run` looks at all rows."
        found.append(Diagnostic("RowsNotLookedAt", "note", message, Source(plan.project).described, hint))
    return found


def _counts(connection: psycopg.Connection, table: TablePlan, conditions: list[_Condition]) -> list[int]:
    counts = ", ".join(f"count(*) FILTER (WHERE {condition.sql})" for condition in conditions)
    name = table.source.sql_name
    row = connection.execute(f"SELECT {counts} FROM {name} AS {ALIAS}".encode()).fetchone()
    assert row is not None
    return [int(count) for count in row]


def _conditions(table: TablePlan) -> Iterator[_Condition]:
    sizes: list[str] = []
    table_place = None if table.definition is None else table.definition.place
    for field in table.fields:
        if not isinstance(field.value, Column | IdFile) or field.expression:
            continue
        place = unwrap(field.validator).place or table_place
        for guard in field.conversion.guards:
            sql = f"({field.source} IS NOT NULL AND ({guard.sql.replace('{c}', field.source)}) IS FALSE)"
            yield _Condition(sql, field.place, guard.code, guard.message, guard.hint, place)
        if field.nullable and field.loses_null and not field.conversion.makes_null:
            reason = f"the column is NULL, and the field {field.name} is required"
            fix = f"Make {field.name} v.optional(…), fill it (fill in supavex.toml), or correct the rows."
            yield _Condition(f"({field.source} IS NULL)", field.place, "NullInRequired", reason, fix, place)
        if not field.conversion.cut:
            sizes += _size(field)
    if sizes:
        sql = f"({' + '.join(sizes)} > {MAX_DOCUMENT_BYTES})"
        reason = "the document is larger than Convex's 1 MiB"
        fix = "Let the longest column become a stored file (file), cut it (truncate), or leave a column out."
        yield _Condition(sql, "", "ValueTooLargeError", reason, fix, table_place)


def _size(field: FieldPlan) -> Iterator[str]:
    """SQL for the least bytes of a value in a document. For compressed values, the compressed size counts."""
    assert field.column is not None
    if field.column.type.base in ("text", "varchar", "bytea"):
        yield f"coalesce(octet_length({field.source}), 0)"
    elif field.column.type.base in ("json", "jsonb"):
        yield f"coalesce(pg_column_size({field.source}), 0)"


def _finding(table: TablePlan, condition: _Condition, count: int) -> Diagnostic:
    rows = f"{count:,} row{'' if count == 1 else 's'}"
    known = REJECTIONS.get(condition.code)
    hint = condition.fix
    if known is not None and known.toml and condition.place:
        line = known.toml[0].partition("  #")[0]
        if not line.startswith("sql"):
            hint += f" Under [tables.{table.toml}.columns.{condition.place}] in supavex.toml: {line}"
    where = ".".join(part for part in (table.source.name, condition.place) if part)
    message = f"{rows} would be rejected ({condition.code}): {condition.reason}."
    return Diagnostic("RowsRefused", "warning", message, where, hint, condition.written)
