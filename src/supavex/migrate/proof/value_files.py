"""Proves large values that became stored files: every value is read again, and its SHA-256 compared.

A value is read with psycopg, and its file's id is computed from the row's key as text, both without the copy's code. A
file is extra if its id comes from a row or document of the table and no value belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from supavex.convex.ids import decode_id, encode_id
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.mapping.large_values import LargeValues
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.migrate.proof.bucket_files import FIELDS, compare_stored, digest
from supavex.migrate.proof.comparison import creation_micros
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.proof.request import Asked
from supavex.migrate.proof.source_sql import (
    creation_columns_sql,
    earliest_sql,
    file_content_sql,
    is_large_sql,
    own_key_sql,
)
from supavex.migrate.target.stored_files import Stored
from supavex.postgres.connection import quoted
from supavex.postgres.snapshot import reading
from supavex.postgres.visibility import Visibility


@dataclass(frozen=True, slots=True)
class _Column:
    """A column with large values. ``changed``: SQL that is true for rows that were written since the copy."""

    table: TablePlan
    large: LargeValues
    changed: str


def prove_values(
    asked: Asked, table: TablePlan, large: LargeValues, seen: Visibility | None, target: Mapping[str, Stored]
) -> TableProof:
    """Proves that the large values of a column are files of ``target``, except those of rejected rows, and that there
    are no others.

    ``seen``: the transactions that the copy saw of the table; None if unknown.
    """
    column = _Column(table, large, "false" if seen is None else seen.unseen_sql(ALIAS))
    proof = TableProof(large.name, STORAGE_TABLE)
    rejects = asked.rejects.get(table.name, {})
    known: set[bytes] = set()
    with reading(asked.snapshot, large.name) as connection:
        earliest = _earliest(connection, table)
        for key, since, value, *moments in _rows(connection, column):
            proof.rows += 1
            id_ = large.file_id(key)
            known.add(decode_id(id_)[1])
            stored = target.get(id_)
            if stored is None and key in rejects:
                proof.rejected += 1
            elif stored is None and since:
                proof.add_change(key, "its value has no file")
            elif stored is None:
                proof.add("missing file", key, f"{id_}, the file of its value, is not in the target")
            elif key in rejects:
                proof.documents += 1
                proof.add("rejected but there", key, f"{id_} is in the target though the row was rejected")
            else:
                proof.documents += 1
                proof.fields += FIELDS
                about = large.media_type, creation_micros(moments, earliest) / 1000
                found = list(compare_stored(large.name, key, digest([value]), about, stored))
                proof.matched += not found
                if found and since:
                    proof.add_change(key, f"its file differs in {', '.join(one.column for one in found)}")
                else:
                    proof.add_mismatches(found)
            asked.progress(large.name, proof.rows, 0)
        others = {decode_id(id_)[1] for id_ in target} - known
        if others:
            _extra(asked, connection, column, others, proof)
    return proof


def _extra(
    asked: Asked, connection: psycopg.Connection, column: _Column, others: set[bytes], proof: TableProof
) -> None:
    """Lists those of ``others`` (ids of files) that belong to the column without a value."""
    table, large = column.table, column.large
    assert table.key is not None
    hint = "delete it, for no document should refer to it"
    sql = f"SELECT {own_key_sql(table)} AS k, {column.changed} AS c FROM {_source(table)} AS {ALIAS}"
    for key, since in _copied(connection, sql, ["text", "bool"]):
        internal_id = b"" if key is None else large.internal_id(table.key.internal_id(key))
        if internal_id in others:
            others.discard(internal_id)
            id_ = encode_id(STORAGE_NUMBER, internal_id)
            if since:
                proof.add_change(key, f"its value is no file now, and {id_} is its file")
            else:
                proof.add("extra file", key, f"{id_} is its file, and its value should be none: {hint}")
    # For deleted rows, the documents show the files.
    for document in asked.target.documents(table.target) if others else ():
        internal_id = large.internal_id(decode_id(str(document["_id"]))[1])
        if internal_id in others:
            others.discard(internal_id)
            kind = "deleted or extra" if asked.written else "extra file"
            detail = f"{encode_id(STORAGE_NUMBER, internal_id)} is the file of a document that no row stands for"
            proof.add(kind, str(document["_id"]), detail)


def _rows(connection: psycopg.Connection, column: _Column) -> Iterator[tuple[Any, ...]]:
    """For each large value: the row's key, whether it was written since the copy, the value, each creation column.

    Rows without a key are rejected, and have no file.
    """
    table, large = column.table, column.large
    assert table.key is not None
    value = f"{ALIAS}.{quoted(large.column.name)}"
    moments = {f"m{index}": sql for index, sql in enumerate(creation_columns_sql(table))}
    columns = {
        "k": own_key_sql(table),
        "c": column.changed,
        "v": file_content_sql(large, value),
        **moments,
        "is_large": is_large_sql(large, value),
    }
    inner = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    names = ", ".join(f"s.{name}" for name in ("k", "c", "v", *moments))
    sql = f"SELECT {names} FROM (SELECT {inner} FROM {_source(table)} AS {ALIAS}) AS s"
    # PostgreSQL sends texts as UTF-8. Reading them as bytes needs no memory for decoding.
    types = ["text", "bool", "bytea", *("text" for _ in moments)]
    yield from _copied(connection, f"{sql} WHERE s.is_large AND s.k IS NOT NULL", types)


def _copied(connection: psycopg.Connection, sql: str, types: list[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of ``sql``, one at a time, because one row may hold as much as fits into memory."""
    statement = f"COPY ({sql}) TO STDOUT (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(types)
        yield from copy.rows()


def _earliest(connection: psycopg.Connection, table: TablePlan) -> int | None:
    sql = earliest_sql(table)
    row = None if sql is None else connection.execute(sql.encode()).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _source(table: TablePlan) -> str:
    return table.source.sql_name
