"""What all steps of one copy share."""

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
    """One copy: what it reads from, what it writes to, and what it knows before the first row."""

    graph: ReferenceGraph
    #: The number of each table that ids name, by the table's name in Convex.
    numbers: Mapping[str, int]
    #: Ids of tables that are in Convex already, by the table's name there.
    existing: Mapping[str, ExistingIds]
    files: PartFiles
    snapshot: Snapshot
    #: A connection whose transaction reads the snapshot.
    holder: psycopg.Connection
    reader: ColumnReader
    parents: ParentKeys
    journal: Journal
    executor: Executor
    progress: Progress
    #: Rejected rows that are held in memory before the copy stops.
    most_rejects: int
