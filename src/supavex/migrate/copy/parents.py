"""The keys that references must not name: keys of missing rows, and of rejected rows.

The keys of a referenced table are read into memory if they fit, and kept for the next table that refers to them.
Otherwise PostgreSQL finds the dangling references by one anti-join for each field.
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

#: The most keys of referenced tables that are kept in memory, with about 32 bytes each.
_HELD = 4 << 20


class ParentKeys:
    """The keys of referenced tables, at the snapshot that ``holder`` and ``reader`` read."""

    def __init__(self, holder: psycopg.Connection, reader: ColumnReader) -> None:
        self._holder, self._reader = holder, reader
        #: By table: the keys in memory, the last used at the end.
        self._known: dict[str, KeySet] = {}
        #: By table and field: the dangling keys that PostgreSQL found.
        self._missing: dict[tuple[str, str], frozenset[bytes]] = {}

    def forbidden(self, table: TablePlan, rejected: Mapping[str, Set[bytes]]) -> dict[str, list[ForbiddenKeys]]:
        """The keys that each reference field of ``table`` must not name. ``rejected``: keys of 16 bytes, by table."""
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
        """The keys without a row; None if no row of ``table`` names such a key."""
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


#: If a referenced table has more bytes, PostgreSQL joins it, and its keys are not read into memory.
_PARENT_BYTES = 128 << 20


_PARENT_KEYS = 1 << 20


def in_memory(field: FieldPlan) -> bool:
    """Whether keys can be compared in memory. For text and decimals, only PostgreSQL knows which values are equal."""
    reference = field.reference
    assert reference is not None
    return not reference.via_unique and not reference.is_array and reference.key.form in ("uuid", "integer")


def known_keys(
    connection: psycopg.Connection, reader: ColumnReader, table: TablePlan, field: FieldPlan
) -> KeySet | None:
    """The keys of the table to which ``field`` refers; None if :func:`missing_keys` is faster.

    Looking up a column of references in memory is many times as fast as PostgreSQL's join. But the keys have to fit
    into memory, and there must not be more of them than references, or reading them does not pay.
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
    # A key that supavex.toml chose may be NULL.
    batches = (batch.filter(batch.column(0).is_valid()) for batch in reader.read(sql))
    columns = [key_bytes(batch.column(0)) for batch in batches]
    keys = np.concatenate(columns) if columns else np.zeros((0, INTERNAL_ID_BYTES), np.uint8)
    return KeySet.of(keys) if len(keys) <= _PARENT_KEYS else None
