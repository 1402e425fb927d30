"""The state that all steps of one copy share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from supavex.callbacks import Progress
from supavex.mapping.graph import ReferenceGraph
from supavex.migrate.copy.executors import Executor
from supavex.migrate.copy.existing import ExistingIds
from supavex.migrate.copy.journal import Journal
from supavex.migrate.copy.parents import ParentKeys
from supavex.migrate.copy.part_files import PartFiles
from supavex.postgres.columns import ColumnReader
from supavex.postgres.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class CopyContext:
    """One copy: its source, its target, and what is known before the first row."""

    #: The references between the moving tables.
    graph: ReferenceGraph
    #: The number of each table that ids name, by the table's name in Convex.
    numbers: Mapping[str, int]
    #: Ids of tables that exist in Convex, by the table's name there.
    existing: Mapping[str, ExistingIds]
    #: The place of the parts.
    files: PartFiles
    #: The exported snapshot at which all rows are read.
    snapshot: Snapshot
    #: A connection whose transaction reads the snapshot.
    holder: psycopg.Connection
    #: Reads columns at the snapshot.
    reader: ColumnReader
    #: The keys that references may not name.
    parents: ParentKeys
    #: The record of finished parts.
    journal: Journal
    #: Copies the parts.
    executor: Executor
    #: Called with each table's finished rows.
    progress: Progress
    #: The most rejected rows in memory. With more, the copy stops.
    most_rejects: int
