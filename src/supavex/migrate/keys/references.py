"""Finds dangling references and shared keys.

If the keys of the referenced table fit into memory, the copy itself finds dangling references. Otherwise PostgreSQL
finds them, by one anti-join for each foreign key.
"""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

from supavex.mapping.key_sql import key_sql
from supavex.mapping.keys import Key
from supavex.mapping.plan import ALIAS, FieldPlan, TablePlan
from supavex.mapping.row_sql import parent_sql, parts_sql, reference_sql
from supavex.postgres.connection import quoted


def _bytes_sql(field: FieldPlan) -> str:
    assert field.reference is not None
    expression = reference_sql(field)
    return f"uuid_send({expression})" if field.reference.key.form == "uuid" else expression


def _rows_sql(table: TablePlan, field: FieldPlan) -> str:
    """The FROM for the field's references: the table, or each element of its arrays."""
    source = f"{table.source.sql_name} AS {ALIAS}"
    assert field.reference is not None
    return f"{source}, unnest({field.source}) AS e(x)" if field.reference.is_array else source


def keys_sql(column: str, key: Key, keys: Iterable[bytes]) -> str:
    """SQL: whether ``column``, in the form of :func:`key_sql`, is one of ``keys`` (16 bytes each)."""
    if key.form == "uuid":
        return f"{column} = ANY('{{{','.join(data.hex() for data in keys)}}}'::uuid[])"
    texts = ",".join(f'"\\\\x{data.hex()}"' for data in keys)
    return f"{column} = ANY('{{{texts}}}'::bytea[])"


#: A name that no column has: it is as long as PostgreSQL's longest names.
_OWN_KEY = quoted("supavex key".ljust(63))


def named_keys(
    connection: psycopg.Connection, table: TablePlan, field: FieldPlan, rows: Iterable[bytes]
) -> list[tuple[bytes, bytes]]:
    """The keys that ``field`` names in ``rows`` of its table, as pairs of a row's key and a named key."""
    key = table.key
    assert key is not None
    assert field.reference is not None
    own = key_sql(key, key.own(ALIAS))
    name = table.source.sql_name
    source = f"(SELECT {ALIAS}.*, {own} AS {_OWN_KEY} FROM {name} AS {ALIAS}) AS {ALIAS}"
    many = f", unnest({field.source}) AS e(x)" if field.reference.is_array else ""
    found = f"{ALIAS}.{_OWN_KEY}"
    shown = f"uuid_send({found})" if key.form == "uuid" else found
    sql = f"SELECT DISTINCT {shown}, {_bytes_sql(field)} FROM {source}{many} WHERE {keys_sql(found, key, rows)}"
    return [(bytes(row), bytes(named)) for row, named in connection.execute(sql.encode()) if named is not None]


def missing_keys(connection: psycopg.Connection, table: TablePlan, field: FieldPlan) -> frozenset[bytes]:
    """The keys (16 bytes each) that ``field`` names and that no row of the referenced table has."""
    reference = field.reference
    assert reference is not None
    if reference.via_unique:
        return frozenset()  # The row's guard reports a dangling key.
    parent = reference.source
    named = parent_sql(reference, parts_sql(field))
    there = " AND ".join(f"{part} IS NOT NULL" for part in reference.parts)
    sql = (
        f"SELECT DISTINCT {_bytes_sql(field)} FROM {_rows_sql(table, field)} "
        f"WHERE {there} AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {named})"
    )
    return frozenset(bytes(row[0]) for row in connection.execute(sql.encode()))


def names_any(connection: psycopg.Connection, table: TablePlan, field: FieldPlan, keys: Iterable[bytes]) -> bool:
    """Whether any row's ``field`` names one of ``keys``."""
    sql = f"SELECT EXISTS (SELECT 1 FROM {_rows_sql(table, field)} WHERE {_bytes_sql(field)} = ANY(%s))"
    row = connection.execute(sql.replace("%", "%%").replace("%%s", "%s").encode(), (list(keys),)).fetchone()
    return bool(row and row[0])


def shared_keys(connection: psycopg.Connection, table: TablePlan) -> dict[bytes, str]:
    """The keys (16 bytes each) that several rows of ``table`` have; none if PostgreSQL keeps them unique.

    With each key come the tables that have it, if some inherit from this one (PostgreSQL keeps a key unique only within
    each table); else an empty text.
    """
    key = table.key
    assert key is not None
    if key.form == "row":
        return {}  # Such a key numbers equal rows.
    source = table.source.sql_name
    about = "SELECT relkind = 'r' AND relhassubclass FROM pg_catalog.pg_class WHERE oid = %s::regclass"
    row = connection.execute(about, (source,)).fetchone()
    inherited = bool(row and row[0])
    kept = [table.source.primary_key, *(unique.columns for unique in table.source.uniques if not unique.predicate)]
    if not inherited and any(columns and set(columns) <= set(key.columns) for columns in kept):
        return {}
    expression = key_sql(key, key.own(ALIAS))
    if key.form == "uuid":
        expression = f"uuid_send({expression})"
    where = f"string_agg(DISTINCT {ALIAS}.tableoid::regclass::text, ' and ')" if inherited else "''"
    sql = f"SELECT {expression} AS k, {where} FROM {source} AS {ALIAS} GROUP BY 1 HAVING count(*) > 1"
    return {bytes(found): tables for found, tables in connection.execute(sql.encode()) if found is not None}
