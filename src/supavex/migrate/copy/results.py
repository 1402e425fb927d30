"""The result of a copy, table by table and as a whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from supavex.migrate.state.rejects import Reject
from supavex.migrate.storage.buckets import BucketFiles
from supavex.migrate.storage.values import ValueFiles
from supavex.migrate.target.matching import Matched
from supavex.postgres.snapshot import Snapshot
from supavex.postgres.visibility import Visibility


@dataclass(slots=True)
class TableResult:
    """The result of one table: a record of counts. :meth:`add` adds a part."""

    #: The PostgreSQL table, ``schema.name``.
    source: str
    #: The Convex table.
    target: str
    #: The number of rows that were read.
    rows: int = 0
    #: The number of documents that were written.
    documents: int = 0
    #: The bytes of the documents as JSON.
    bytes: int = 0
    #: Wall-clock time.
    seconds: float = 0.0
    #: The rejected rows.
    rejects: list[Reject] = field(default_factory=list)
    #: By column, the number of NULLs that were filled.
    filled: Counter[str] = field(default_factory=Counter)
    #: By column, the documents with a text that ``truncate`` shortened.
    cut: Counter[str] = field(default_factory=Counter)
    #: By column, the documents whose JSON holds a number that JSON.parse rounds.
    rounded: Counter[str] = field(default_factory=Counter)
    #: Documents whose ``_creationTime`` is a substitute.
    creation_adjusted: int = 0
    #: Whether a column gives the creation time.
    created: bool = True
    #: When the table's snapshot was taken, if an earlier run read it.
    taken_at: str | None = None

    def add(self, part: PartResult) -> None:
        """Adds the result of one part of the table."""
        self.rows += part.rows
        self.documents += part.documents
        self.bytes += part.size
        self.rejects += part.rejects
        self.filled.update(part.filled)
        self.cut.update(part.cut)
        self.rounded.update(part.rounded)
        self.creation_adjusted += part.adjusted


@dataclass(slots=True)
class CopyResult:
    """The result of a copy."""

    #: None if no archive was written.
    archive: Path | None
    #: When the snapshot was taken (ISO 8601, UTC).
    taken_at: str
    #: The result of each table.
    tables: list[TableResult]
    #: The matches of tables that exist in Convex.
    matched: list[Matched]
    #: How long the copy took.
    seconds: float = 0.0
    #: Parts that an earlier run had finished.
    parts_kept: int = 0
    #: Rejected rows of tables that a copy of changes did not take.
    kept: list[Reject] = field(default_factory=list)
    #: The transactions that the snapshot sees.
    visibility: Visibility | None = None
    #: The snapshot. It can be imported as long as something holds it.
    snapshot: Snapshot | None = None
    #: The files of storage buckets; None if none were to be copied.
    files: BucketFiles | None = None
    #: The values that became files; None if no column has any.
    values: ValueFiles | None = None
    #: Files of the target that are in the archive as well.
    files_kept: int = 0

    @property
    def rejects(self) -> list[Reject]:
        """All rejected rows, table by table."""
        return [reject for table in self.tables for reject in table.rejects] + self.kept


@dataclass(frozen=True, slots=True)
class PartResult:
    """The result of a part."""

    #: The rows that were read.
    rows: int
    #: The documents that were written.
    documents: int
    #: The CRC-32 of the uncompressed lines.
    crc: int
    #: The bytes of the uncompressed lines.
    size: int
    #: The bytes of the file.
    packed: int
    #: Documents whose ``_creationTime`` is a substitute.
    adjusted: int
    #: The rejected rows.
    rejects: list[Reject]
    #: By column, the number of NULLs that were filled.
    filled: Counter[str]
    #: By column, the documents with a truncated text.
    cut: Counter[str]
    #: By column, the documents whose JSON holds a rounded number.
    rounded: Counter[str]
    #: How long the part took.
    seconds: float
