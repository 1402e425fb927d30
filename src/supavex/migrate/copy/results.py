"""What a copy did, table by table and as a whole."""

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
    """What the copy did with one table: one flat record of counts, to which :meth:`add` adds a part.

    ``bytes`` are those of the documents as JSON; ``seconds`` wall-clock.

    ``taken_at``: when its snapshot was taken, where an earlier run read it.
    """

    source: str
    target: str
    rows: int = 0
    documents: int = 0
    bytes: int = 0
    seconds: float = 0.0
    rejects: list[Reject] = field(default_factory=list)
    #: By column, the NULLs that were filled.
    filled: Counter[str] = field(default_factory=Counter)
    #: By column, the documents that ``truncate`` left a shorter text in.
    cut: Counter[str] = field(default_factory=Counter)
    #: By column, the rows whose JSON holds a number that JSON.parse rounds.
    rounded: Counter[str] = field(default_factory=Counter)
    creation_adjusted: int = 0
    #: Whether a column says when a row was made.
    created: bool = True
    taken_at: str | None = None

    def add(self, part: PartResult) -> None:
        """Adds what the copy did with one part of the table."""
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
    """What the copy did: each table, the snapshot it read, the archive, and how many parts an earlier run had done.

    ``kept``: rejected rows of tables that a copy of changes did not take.
    ``visibility`` says which rows it sees. ``snapshot`` can be imported as long as something holds it.
    """

    archive: Path | None
    taken_at: str
    tables: list[TableResult]
    matched: list[Matched]
    seconds: float = 0.0
    parts_kept: int = 0
    kept: list[Reject] = field(default_factory=list)
    visibility: Visibility | None = None
    snapshot: Snapshot | None = None
    #: The files of storage buckets; None where none were to be moved.
    files: BucketFiles | None = None
    #: The values that became files; None where no column has such.
    values: ValueFiles | None = None
    #: Files of the target that went into the archive too.
    files_kept: int = 0

    @property
    def rejects(self) -> list[Reject]:
        """All rejected rows, table by table."""
        return [reject for table in self.tables for reject in table.rejects] + self.kept


@dataclass(frozen=True, slots=True)
class PartResult:
    """What became of a part. ``crc`` and ``size`` are of the lines, ``packed`` the bytes of the file."""

    rows: int
    documents: int
    crc: int
    size: int
    packed: int
    adjusted: int
    rejects: list[Reject]
    filled: Counter[str]
    cut: Counter[str]
    rounded: Counter[str]
    seconds: float
