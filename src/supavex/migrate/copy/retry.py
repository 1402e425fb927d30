"""Finds rejected rows that the copy would accept now, because they or the rules have been corrected since.

A rejection explains a missing document only as long as the row would still be rejected. So the rejected rows are
encoded again, by the present rules. The other rows do not matter here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import numpy as np
import psycopg

from supavex.convex.ids import INTERNAL_ID_BYTES, decode_id, encode_id
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.mapping.file_columns import OBJECTS
from supavex.mapping.keys import Key
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.migrate.copy.encoding.encoder import SLICE_ROWS, TableEncoder
from supavex.migrate.copy.encoding.lookups import ForbiddenKeys, Lookup
from supavex.migrate.copy.existing import ExistingIds
from supavex.migrate.keys.references import keys_sql, named_keys, shared_keys
from supavex.migrate.keys.sets import KeySet, key_bytes
from supavex.migrate.state.rejects import Rejects
from supavex.migrate.target.documents import Documents
from supavex.postgres.columns import ColumnReader
from supavex.postgres.snapshot import Snapshot, reading
from supavex.postgres.storage import read_objects

#: A row: its source table's name, and its key.
_Row = tuple[str, bytes]


def rejects_that_would_go(
    tables: Iterable[TablePlan],
    snapshot: Snapshot,
    target: Documents,
    rejects: Rejects,
    existing: Mapping[str, Mapping[str, str]],
) -> dict[str, list[str]]:
    """The keys, as text, of rejected rows of ``tables`` that the copy would accept now, by the source's name.

    A row stays rejected as long as it refers to a row that ``target`` lacks and that is rejected itself. ``rejects``:
    by table and key. ``existing``: documents of existing tables, by table and the source's key. A row without a key is
    always rejected.
    """
    keys: dict[str, dict[bytes, str]] = {}
    going: dict[str, set[bytes]] = {}
    waiting: dict[_Row, list[_Row]] = {}
    lost: list[_Row] = []
    some = [table for table in tables if rejects.get(table.name)]
    for table in some:
        assert table.key is not None
        keys[table.name] = _key_bytes(table.key, rejects[table.name])
        with reading(snapshot, table.name) as connection:
            going[table.name] = _fit(table, snapshot, connection, rejects, existing, keys[table.name])
    for table in some:
        if not going[table.name]:
            continue
        with reading(snapshot, table.name) as connection:
            for row, parent in _lacking(table, connection, target, going[table.name]):
                if parent[1] in going.get(parent[0], ()):
                    waiting.setdefault(parent, []).append(row)
                else:
                    lost.append(row)
    while lost:
        row = lost.pop()
        if row[1] in going[row[0]]:
            going[row[0]].discard(row[1])
            lost += waiting.pop(row, [])
    return {name: sorted(keys[name][key] for key in found) for name, found in going.items()}


def _fit(
    table: TablePlan,
    snapshot: Snapshot,
    connection: psycopg.Connection,
    rejects: Rejects,
    existing: Mapping[str, Mapping[str, str]],
    keys: Mapping[bytes, str],
) -> set[bytes]:
    """The rows of ``keys`` that the encoder accepts, without regard to their references to moving tables."""
    assert table.key is not None
    references = {planned.name: planned.reference for planned in table.fields if planned.reference is not None}
    # Only the verdict counts, so any id will do.
    numbers = {table.target: STORAGE_NUMBER, **{found.target: STORAGE_NUMBER for found in references.values()}}
    known = {
        name: _ids(reference.key, existing[reference.target])
        for name, reference in references.items()
        if reference.existing
    }
    bad = {planned.name: _bad_files(table, planned, connection, rejects) for planned in table.fields}
    lookups = {planned.name: Lookup.of(planned.ids) for planned in table.fields if planned.ids is not None}
    encoder = TableEncoder(table, numbers, bad, lookups, shared_keys(connection, table), known)
    going = set[bytes]()
    if not keys:
        return going
    sql = f"SELECT * FROM ({encoder.query.sql}) AS rejected WHERE {keys_sql('_key', table.key, keys)}"
    with ColumnReader(snapshot) as reader:
        for batch in reader.read(sql):
            for start in range(0, batch.num_rows, SLICE_ROWS):
                some = batch.slice(start, SLICE_ROWS)
                going.update(map(bytes, key_bytes(some.column("_key"))))
                going.difference_update(reject.internal_id for reject in encoder.encode(some).rejects)
    return going


def _bad_files(
    table: TablePlan, planned: FieldPlan, connection: psycopg.Connection, rejects: Rejects
) -> list[ForbiddenKeys]:
    """The files that a field must not name."""
    if planned.reference is None or planned.reference.target != STORAGE_TABLE:
        return []
    refused = set(_key_bytes(planned.reference.key, rejects.get(OBJECTS, {})))
    reasons = (reason for reject in rejects[table.name].values() for reason in reject.reasons)
    if any(reason.column == planned.place for reason in reasons):
        refused |= {uuid.UUID(object_.id).bytes for object_ in read_objects(connection) if object_.placeholder}
    return [ForbiddenKeys(KeySet.of_bytes(refused), "RejectedParent", "", "")] if refused else []


def _lacking(
    table: TablePlan, connection: psycopg.Connection, target: Documents, rows: set[bytes]
) -> Iterator[tuple[_Row, _Row]]:
    """The rows of ``rows`` (by key) that refer to a row which ``target`` lacks, each with that row."""
    numbers = target.table_numbers()
    for planned in table.fields:
        reference = planned.reference
        if reference is None or reference.existing or reference.target == STORAGE_TABLE:
            continue
        number = numbers.get(reference.target)
        pairs = named_keys(connection, table, planned, rows)
        ids = {} if number is None else {encode_id(number, named): named for _, named in pairs}
        there = {ids[id_] for id_ in target.present(reference.target, ids)}
        for row, named in pairs:
            if named not in there:
                yield (table.name, row), (f"{reference.schema}.{reference.table}", named)


def _key_bytes(key: Key, texts: Iterable[str | None]) -> dict[bytes, str]:
    """Keys by their 16 bytes. A file of rejected rows may have invalid keys, which belong to no row."""
    found = dict[bytes, str]()
    for text in texts:
        with suppress(ValueError, OverflowError):
            if text is not None:
                found[key.internal_id(text)] = text
    return found


def _ids(key: Key, existing: Mapping[str, str]) -> ExistingIds:
    """The ids that Convex chose in the form of the encoder, by the texts of the keys."""
    keys = np.frombuffer(b"".join(map(key.internal_id, existing)), np.uint8).reshape(-1, INTERNAL_ID_BYTES)
    found, order = KeySet.ordered(keys)
    chosen = [decode_id(id_) for id_ in existing.values()]
    ids = np.frombuffer(b"".join(id_ for _, id_ in chosen), np.uint8).reshape(-1, INTERNAL_ID_BYTES)
    return ExistingIds(found, ids[order], chosen[0][0] if chosen else STORAGE_NUMBER)
