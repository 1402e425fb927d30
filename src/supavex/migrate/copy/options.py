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

#: Gives the documents of a table that is in the target already.
ExistingDocuments = Callable[[str], Iterator[Document]]
#: How a run treats the parts of an interrupted run when rows were written since: an error, a new start, or the parts of
#: whole tables are used all the same.
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
    #: Where the parts go, for workers on other machines; None: the copy's own folder.
    place: str | None = None
    resume: Resume = "ask"
    #: Chooses the tables under the copy's snapshot. Where it takes none, no archive is written.
    selection: Selection = field(default_factory=Everything)
    #: Records what was read.
    recorder: Recorder | None = None
    #: Holds the snapshot until it is closed; None: until the copy ends.
    hold: ExitStack | None = None
    #: Rejected rows that are held in memory before the copy stops with ``TooManyRejectsError``.
    most_rejects: int = MOST_REJECTS
    #: The stored files that go with the rows.
    files: FileJob | None = None
    #: By source table outside of ``tables``, the keys (16 bytes) of its rejected rows. Tables that are not named are
    #: read for theirs.
    known_rejects: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    #: Called with each table's rows that are done.
    progress: Progress = unseen
