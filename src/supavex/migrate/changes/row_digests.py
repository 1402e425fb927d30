"""Rows as keys and digests: how they are read, and how two sets of them differ.

A digest is PostgreSQL's 64-bit hash of a row's text, of all moving columns, with a seed of the baseline. PostgreSQL
computes it, so that only 24 bytes a row are transferred.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import psycopg
import pyarrow as pa

from supavex.convex.ids import INTERNAL_ID_BYTES
from supavex.mapping.key_sql import key_sql, key_text_sql
from supavex.mapping.keys import Key
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.migrate.keys.hashing import Array
from supavex.migrate.state.row_files import Bucket, RowWriter, keys_as_bytes
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import quoted

_NO_KEY = "'\\x" + "00" * INTERNAL_ID_BYTES + "'::bytea"


def shape_of(table: TablePlan) -> str:
    """A digest of a table's columns and types, which determine a value's text (for enums: the labels)."""
    return hashlib.sha256(repr(table.source.columns).encode()).hexdigest()


def relation_of(holder: psycopg.Connection, table: TablePlan) -> str:
    """The object ids of a table and its partitions. A table that was swapped in may hold rows older than itself."""
    row = holder.execute(
        "WITH RECURSIVE part(oid) AS (SELECT %s::regclass::oid UNION "
        "SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN part ON part.oid = i.inhparent) "
        "SELECT string_agg(c.relkind::text || c.oid::text, ' ' ORDER BY c.oid) "
        "FROM part JOIN pg_catalog.pg_class AS c ON c.oid = part.oid",
        (table.source.sql_name,),
    ).fetchone()
    assert row is not None
    return str(row[0])


def identifies(table: TablePlan) -> bool:
    """Whether PostgreSQL itself keeps the table's key unique and not NULL."""
    assert table.key is not None
    if table.key.form == "row":
        return False
    columns = {column.name: column for column in table.source.columns}
    keys = [table.source.primary_key]
    keys += [
        unique.columns
        for unique in table.source.uniques
        if unique.predicate is None and all(name in columns and not columns[name].nullable for name in unique.columns)
    ]
    return any(names and set(names) <= set(table.key.columns) for names in keys)


def reads_more(table: TablePlan) -> bool:
    """Whether a field's value may depend on more than its row: an ``sql`` expression may read anything."""
    return any(planned.expression for planned in table.fields) or any(rule.sql for rule in table.rule.fields.values())


class RowDigests:
    """Reads the keys and digests of one table's rows, at one snapshot."""

    def __init__(self, table: TablePlan, seed: int) -> None:
        assert table.key is not None
        self.table, self.key, self.seed = table, table.key, seed
        #: Whether the key can't be computed from its bytes.
        self.has_text = self.key.form in ("hash", "row")

    @property
    def _key_sql(self) -> str:
        own = key_sql(self.key, self.key.own(ALIAS))
        own = f"uuid_send({own})" if self.key.form == "uuid" else own
        return f"COALESCE({own}, {_NO_KEY}) AS k"

    @property
    def digest_sql(self) -> str:
        """SQL for the digest of a row: a hash of the text of its moving columns."""
        # A large value belongs to two fields. One of them is enough.
        values = [field.source for field in self.table.fields if field.file is None or not field.file.own]
        values += [f"{ALIAS}.{quoted(name)}" for name in self.table.creation.columns]
        return f'pg_catalog.hashtextextended(ROW({", ".join(values)})::text COLLATE "C", {self.seed})'

    def _from(self, where: str) -> str:
        source = f"FROM {self.table.source.sql_name} AS {ALIAS}"
        return f"{source} WHERE {where}" if where else source

    def read(self, reader: ColumnReader, writer: RowWriter, where: str = "", *, digests: bool = True) -> Iterator[int]:
        """Writes every row that meets ``where`` to ``writer``. Yields the number of rows in each batch.

        Without ``digests``, only the keys are written.
        """
        columns = [self._key_sql, f"{self.digest_sql if digests else '0::int8'} AS d"]
        if self.has_text and digests:
            columns.append(f"COALESCE({key_text_sql(self.key, self.key.own(ALIAS))}, 'NULL') AS x")
        for batch in reader.read(f"SELECT {', '.join(columns)} {self._from(where)}"):
            numbers = batch.column(1).to_numpy(zero_copy_only=False)
            texts = batch.column(2).to_pylist() if len(columns) > 2 else None
            writer.add(_matrix(batch.column(0)), numbers, texts)
            yield batch.num_rows
        writer.close()

    def count(self, holder: psycopg.Connection) -> int:
        """The number of rows."""
        row = holder.execute(f"SELECT count(*) {self._from('')}".encode()).fetchone()
        assert row is not None
        return int(row[0])


def _matrix(column: pa.Array) -> Array:
    """A column of 16-byte values as a matrix of bytes."""
    if not len(column):
        return np.zeros((0, INTERNAL_ID_BYTES), np.uint8)
    data = column.cast(pa.binary(INTERNAL_ID_BYTES))
    values = data.buffers()[1]
    start = data.offset * INTERNAL_ID_BYTES
    flat = np.frombuffer(values, np.uint8)[start : start + len(data) * INTERNAL_ID_BYTES]
    return flat.reshape(-1, INTERNAL_ID_BYTES)


def key_texts(key: Key, bucket: Bucket, chosen: Array) -> list[str]:
    """The keys of some rows of a bucket (by position) as text."""
    if bucket.texts is not None:
        return [bucket.texts[int(index)] for index in chosen]
    return [key.text_of(data) or data.hex() for data in keys_as_bytes(bucket.keys[chosen])]
