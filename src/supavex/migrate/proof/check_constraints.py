"""Evaluates the source's CHECK constraints over the rows as they were copied."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import psycopg

from supavex.convex.field_rules import MISSING
from supavex.mapping.plan import ALIAS, IdFile
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.migrate.proof.source_sql import own_key_sql
from supavex.postgres.catalog import CheckConstraint
from supavex.postgres.connection import literal, quoted
from supavex.text import counted

#: PostgreSQL's errors for an expression that it can't evaluate. Errors that end a connection or query are not among
#: them.
_UNEVALUATED = (psycopg.ProgrammingError, psycopg.DataError, psycopg.errors.RaiseException)
_SEARCH_PATH = "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'"


def evaluate_checks(compared: ComparedTable, connection: psycopg.Connection) -> None:
    """Evaluates the source's CHECK constraints over the rows as copied: NULLs filled, texts truncated, without rejected
    rows.

    Every field has been compared, so what holds for these rows holds in the target.
    """
    checks = compared.table.source.checks
    if not checks:
        return
    key, rows = _rows_sql(compared)
    # One query for all constraints, because most hold.
    counts = ", ".join(f"count(*) FILTER (WHERE NOT ({check.expression}))" for check in checks)
    broken: tuple[int, ...] | None = None
    with suppress(*_UNEVALUATED), connection.transaction():
        broken = connection.execute(f"SELECT {counts} {rows}".encode()).fetchone()
    for index, check in enumerate(checks):
        if broken is not None and not broken[index]:
            continue
        if not check.validated:
            if broken is not None:
                detail = f"{check.expression}: {counted(broken[index], 'row')} of the source break it, as they may"
                compared.proof.note("check not valid", check.name, detail)
            continue
        sql = f"SELECT {key} {rows} WHERE NOT ({check.expression})"
        problem = _broken(compared, connection, check, sql, "")
        if problem is not None:
            # A function in the expression may rely on the search path with which sessions begin.
            path = connection.execute(_SEARCH_PATH).fetchone()
            problem = _broken(compared, connection, check, sql, str(path[0] if path else ""))
        if problem is not None:
            compared.proof.note("check not evaluated", check.name, f"{check.expression}: {problem}")


def _rows_sql(compared: ComparedTable) -> tuple[str, str]:
    """SQL of a row's key, and FROM with the rows as copied: NULLs filled, texts truncated."""
    table, project = compared.table, compared.context.plan.project
    assert table.key is not None
    cut = {f.column.name for f in table.fields if f.column is not None and f.conversion.cut}
    filled = {
        f.column.name: f
        for f in table.fields
        if f.column is not None and f.fill is not MISSING and not isinstance(f.value, IdFile) and not f.expression
    }
    columns = []
    for column in table.source.columns:
        name = f"{ALIAS}.{quoted(column.name)}"
        planned = filled.get(column.name)
        # A truncated value of another type than text, such as an enum, may be invalid.
        if column.name in cut and column.type.base in ("text", "varchar", "bpchar", "citext"):
            length = project.column_rule(table.rule, column.name).truncate
            name = f"left(to_jsonb({name}) #>> '{{}}', {length})::{column.type.name}"
        filling = None if planned is None else planned.conversion.restore(planned.fill)
        if filling is not None:
            name = f"COALESCE({name}, {literal(filling)}::{column.type.name})"
        columns.append(f"{name} AS {quoted(column.name)}")
    source = table.source.sql_name
    # A name that no column has: it is as long as PostgreSQL's longest names.
    key = quoted("supavex key".ljust(63))
    columns.append(f"{own_key_sql(table)} AS {key}")
    rows = f"FROM (SELECT {', '.join(columns)} FROM {source} AS {ALIAS}) AS s"
    return key, rows


def _broken(
    compared: ComparedTable, connection: psycopg.Connection, check: CheckConstraint, sql: str, path: str
) -> str | None:
    """Finds the rows that break a check (``sql``: their keys), on a search path. Returns why it can't, or None."""
    proof = compared.proof
    before = proof.counts["broken check"], len(proof.findings)
    try:
        with connection.transaction():
            connection.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (path,))
            with connection.cursor(name="supavex_check") as cursor:
                cursor.execute(sql.encode())
                for (found,) in cursor:
                    if found not in compared.rejects:
                        proof.add("broken check", str(found), f"{check.name}: {check.expression}")
            connection.execute("SELECT pg_catalog.set_config('search_path', '', true)")
    except _UNEVALUATED as error:
        proof.counts["broken check"], listed = before
        proof.counts += Counter()  # Removes zeros.
        del proof.findings[listed:]
        return error.diag.message_primary or type(error).__name__
    return None
