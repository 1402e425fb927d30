"""Finds documents without a row in the source."""

from __future__ import annotations

from contextlib import closing

import psycopg

from supavex.convex.damage import Damaged
from supavex.convex.ids import InvalidId, decode_id
from supavex.mapping.plan import ALIAS
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.migrate.proof.source_sql import own_key_sql
from supavex.scratch import scratch_database

#: Keys that are read at once.
_KEYS = 20_000


def list_extra(compared: ComparedTable, connection: psycopg.Connection) -> None:
    """Counts the documents of the table, and lists those without a row. ``connection`` reads the source."""
    proof, table, target = compared.proof, compared.table, compared.context.target
    proof.documents = target.count(table.target)
    if proof.documents == proof.rows - proof.rejected - compared.missing:
        return
    assert table.key is not None
    with closing(scratch_database()) as seen:
        seen.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")
        own = own_key_sql(table)
        source = table.source.sql_name
        with connection.cursor(name="supavex_keys") as cursor:
            cursor.itersize = _KEYS
            cursor.execute(f"SELECT {own} FROM {source} AS {ALIAS}".encode())
            keys = ((table.key.internal_id(str(key)),) for (key,) in cursor if key is not None)
            seen.executemany("INSERT OR IGNORE INTO keys VALUES (?)", keys)
        for document in target.documents(table.target, compared.damage):
            try:
                _, internal_id = decode_id(str(document["_id"]))
            except InvalidId as error:
                compared.damage(Damaged(table.target, str(document["_id"]), "", error.message))
                continue
            if seen.execute("SELECT 1 FROM keys WHERE key = ?", (internal_id,)).fetchone() is None:
                compared.add_extra(str(document["_id"]), internal_id)
