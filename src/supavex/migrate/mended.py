"""Rejected rows that would go now: they, or what decides on them, were mended since the copy.

A rejection explains that a row has no document only as long as it holds. So the rejected rows are encoded again, by the
rules that the copy goes by now; what becomes of the others is of no interest here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

import numpy as np
import psycopg

from supavex.convex.ids import INTERNAL_ID_BYTES, decode_id
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.mapping.keys import Key
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.migrate.encoding import SLICE_ROWS, BadKeys, Lookup, TableEncoder
from supavex.migrate.existing import ExistingIds
from supavex.migrate.json_columns import key_bytes
from supavex.migrate.key_sets import KeySet
from supavex.migrate.references import keys_sql, missing_keys, shared_keys
from supavex.migrate.rejects import Reject
from supavex.postgres.columns import ColumnReader
from supavex.postgres.snapshot import Snapshot
from supavex.postgres.storage import read_objects


def mended_rows(
    table: TablePlan,
    snapshot: Snapshot,
    connection: psycopg.Connection,
    rejects: Mapping[str, Mapping[str | None, Reject]],
    existing: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """The keys, as text, of the rejected rows of ``table`` that would go now.

    ``rejects``: by table and key; rows that refer to one of another table don't go. ``existing``: as in
    :class:`~supavex.migrate.comparison.RowComparison`. A row without a key never goes.
    """
    assert table.key is not None
    keys = {table.key.internal_id(key): key for key in rejects[table.name] if key is not None}
    if not keys:
        return []
    by_field = {planned.name: planned.reference for planned in table.fields if planned.reference is not None}
    # The ids themselves are of no interest.
    numbers = {reference.target: STORAGE_NUMBER for reference in by_field.values()}
    encoder = TableEncoder(
        table,
        {**numbers, table.target: STORAGE_NUMBER},
        {planned.name: _bad(table, planned, connection, rejects, keys.keys()) for planned in table.fields},
        {planned.name: Lookup.of(planned.ids) for planned in table.fields if planned.ids is not None},
        shared_keys(connection, table),
        {
            name: _ids(reference.key, existing[reference.target])
            for name, reference in by_field.items()
            if reference.existing
        },
    )
    going = set[bytes]()
    chosen = keys_sql("_key", table.key, keys)
    with ColumnReader(snapshot) as reader:
        for batch in reader.read(f"SELECT * FROM ({encoder.query.sql}) AS rejected WHERE {chosen}"):
            for start in range(0, batch.num_rows, SLICE_ROWS):
                some = batch.slice(start, SLICE_ROWS)
                going.update(map(bytes, key_bytes(some.column("_key"))))
                going.difference_update(encoder.encode(some).rejected_keys)
    return sorted(keys[key] for key in going)


def _bad(
    table: TablePlan,
    planned: FieldPlan,
    connection: psycopg.Connection,
    rejects: Mapping[str, Mapping[str | None, Reject]],
    keys: Iterable[bytes],
) -> list[BadKeys]:
    """What a reference of a rejected row may not name: see :class:`~supavex.migrate.encoding.BadKeys`."""
    reference = planned.reference
    if reference is None or reference.existing:
        return []
    parents = rejects.get(f"{reference.schema}.{reference.table}", {})
    refused = {reference.key.internal_id(key) for key in parents if key is not None}
    if reference.target == STORAGE_TABLE and any(
        reject.column == planned.place for reject in rejects[table.name].values()
    ):
        refused |= {uuid.UUID(object_.id).bytes for object_ in read_objects(connection) if object_.placeholder}
    refused |= missing_keys(connection, table, planned, keys)
    return [BadKeys(KeySet.of_bytes(refused), "RejectedParent", "", "")] if refused else []


def _ids(key: Key, existing: Mapping[str, str]) -> ExistingIds:
    """The ids that Convex chose as the encoder looks them up, of those by the text of the key."""
    keys = np.frombuffer(b"".join(map(key.internal_id, existing)), np.uint8).reshape(-1, INTERNAL_ID_BYTES)
    found, order = KeySet.ordered(keys)
    chosen = [decode_id(id_) for id_ in existing.values()]
    ids = np.frombuffer(b"".join(id_ for _, id_ in chosen), np.uint8).reshape(-1, INTERNAL_ID_BYTES)
    return ExistingIds(found, ids[order], chosen[0][0] if chosen else STORAGE_NUMBER)
