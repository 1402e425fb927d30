"""The keys that references may not name: of rows that are not there, and of rows that were rejected.

Keys of a referenced table are read into memory where they fit, and kept for the next table that refers to them; else
PostgreSQL finds the references that lead nowhere, by one anti-join for each field.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np
import psycopg

from supavex.convex.ids import INTERNAL_ID_BYTES
from supavex.mapping.key_sql import key_sql
from supavex.mapping.plan import ALIAS, FieldPlan, TablePlan
from supavex.migrate.copy.encoding.lookups import AllowedKeys, ForbiddenKeys
from supavex.migrate.keys.references import missing_keys
from supavex.migrate.keys.sets import KeySet, key_bytes
from supavex.postgres.columns import ColumnReader

#: Keys of referenced tables that are held from one table to the next, at about 32 bytes each.
_HELD = 4 << 20


class ParentKeys:
    """The keys of referenced tables, under the snapshot that ``holder`` and ``reader`` read."""

    def __init__(self, holder: psycopg.Connection, reader: ColumnReader) -> None:
        self._holder, self._reader = holder, reader
        #: By table: the keys in memory, the last used at the end.
        self._known: dict[str, KeySet] = {}
        #: By table and field: keys that references name and no row has, where PostgreSQL looked for them.
        self._missing: dict[tuple[str, str], frozenset[bytes]] = {}

    def forbidden(self, table: TablePlan, rejected: Mapping[str, Set[bytes]]) -> dict[str, list[ForbiddenKeys]]:
        """For each reference field of ``table``, the keys it may not name. ``rejected``: keys of 16 bytes, by table."""
        found: dict[str, list[ForbiddenKeys]] = {}
        for planned in table.fields:
            reference = planned.reference
            if reference is None or reference.existing:
                continue
            dangling = self._dangling(table, planned)
            bad = [dangling] if dangling is not None else []
            parent = f"{reference.schema}.{reference.table}"
            if rejected.get(parent):
                reason = f"it refers to a row of {parent} that was rejected"
                fix = "Fix that row first: this one is rejected only because of it."
                bad.append(ForbiddenKeys(KeySet.of_bytes(rejected[parent]), "RejectedParent", reason, fix))
            if bad:
                found[planned.name] = bad
        return found

    def _dangling(self, table: TablePlan, planned: FieldPlan) -> ForbiddenKeys | None:
        """The keys that lead to no row; None where no row of ``table`` names such a key."""
        assert planned.reference is not None
        parent = f"{planned.reference.schema}.{planned.reference.table}"
        reason = f"it refers to a row that {parent} does not have"
        about = "DanglingReference", reason, "Insert that row, clear the reference, or delete the row."
        known = self._known.pop(parent, None) if in_memory(planned) else None
        if known is None:
            known = known_keys(self._holder, self._reader, table, planned)
        if known is not None:
            self._known[parent] = known
            while sum(map(len, self._known.values())) > _HELD and len(self._known) > 1:
                del self._known[next(iter(self._known))]
            return AllowedKeys(known, *about)
        place = (table.name, planned.name)
        if place not in self._missing:
            self._missing[place] = missing_keys(self._holder, table, planned)
        missing = self._missing[place]
        return ForbiddenKeys(KeySet.of_bytes(missing), *about) if missing else None


#: A referenced table of more bytes than that is not read into memory, but joined with in PostgreSQL.
_PARENT_BYTES = 128 << 20


_PARENT_KEYS = 1 << 20


def in_memory(field: FieldPlan) -> bool:
    """Whether references can be looked up in memory: of text and decimals PostgreSQL alone knows which are equal."""
    reference = field.reference
    assert reference is not None
    return not reference.via_unique and not reference.is_array and reference.key.form in ("uuid", "integer")


def known_keys(
    connection: psycopg.Connection, reader: ColumnReader, table: TablePlan, field: FieldPlan
) -> KeySet | None:
    """The keys that the table has which ``field`` refers to; None where :func:`missing_keys` is the better way.

    A column of references is looked up in them many times as fast as PostgreSQL joins it, but they must be few enough
    to be held, and worth reading: not more than the rows that refer to them.
    """
    reference = field.reference
    assert reference is not None
    if not in_memory(field):
        return None
    parent = reference.source
    sizes = [
        connection.execute("SELECT pg_catalog.pg_table_size(%s::regclass)", (name,)).fetchone()
        for name in (parent, table.source.sql_name)
    ]
    own, referring = (int(row[0]) if row else 0 for row in sizes)
    if own > _PARENT_BYTES or referring < own:
        return None
    expression = key_sql(reference.key, reference.key.own(ALIAS))
    sql = f"SELECT {expression} AS k FROM {parent} AS {ALIAS} LIMIT {_PARENT_KEYS + 1}"
    # A key that was chosen in supavex.toml may be NULL.
    batches = (batch.filter(batch.column(0).is_valid()) for batch in reader.read(sql))
    columns = [key_bytes(batch.column(0)) for batch in batches]
    keys = np.concatenate(columns) if columns else np.zeros((0, INTERNAL_ID_BYTES), np.uint8)
    return KeySet.of(keys) if len(keys) <= _PARENT_KEYS else None
