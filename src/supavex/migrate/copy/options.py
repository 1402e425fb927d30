"""The options of a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

from supavex.callbacks import Progress
from supavex.convex.values import Document
from supavex.migrate.copy.executors import Executor
from supavex.migrate.copy.jobs import MOST_REJECTS
from supavex.migrate.copy.selection import Everything, Recorder, Selection
from supavex.migrate.storage.buckets import FileJob

#: Returns the documents of a table that exists in the target.
ExistingDocuments = Callable[[str], Iterator[Document]]
#: What to do with the parts of an interrupted run if rows were written since: raise an error, start anew, or use the
#: parts of finished tables regardless.
Resume = Literal["ask", "restart", "accept two"]


def unseen(table: str, rows: int, estimate: int) -> None:
    """Shows no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOptions:
    """What a copy takes, who does the work, and how it treats an interrupted run."""

    #: The source tables (``schema.name``) that are copied; None: all. References to others get their computed ids.
    tables: frozenset[str] | None = None
    #: Documents of tables that are declared existing.
    existing: ExistingDocuments | None = None
    #: Copies the parts; None: this process.
    executor: Executor | None = None
    #: The place of the parts, for workers on other machines; None: the copy's own folder.
    place: str | None = None
    #: What to do with the parts of an interrupted run.
    resume: Resume = "ask"
    #: Selects the tables at the copy's snapshot. If it selects none, no archive is written.
    selection: Selection = field(default_factory=Everything)
    #: Records the rows that were read.
    recorder: Recorder | None = None
    #: Keeps the snapshot until it is closed; None: until the copy ends.
    hold: ExitStack | None = None
    #: The most rejected rows in memory. With more, the copy raises ``TooManyRejectsError``.
    most_rejects: int = MOST_REJECTS
    #: The stored files that are copied with the rows.
    files: FileJob | None = None
    #: By source table outside ``tables``, the keys (16 bytes) of its rejected rows. The copy reads the other tables to
    #: find theirs.
    known_rejects: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    #: Called with each table's finished rows.
    progress: Progress = unseen
