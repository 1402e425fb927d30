"""Which tables a copy takes, and who records what it read: the two parts of a copy that its caller chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from supavex.mapping.plan import TablePlan
from supavex.migrate.copy.existing import ExistingIds
from supavex.migrate.state.rejects import Reject
from supavex.migrate.storage.buckets import BucketFiles
from supavex.postgres.visibility import HeldSnapshot

#: Ids of existing tables, by the table's name in Convex; see :func:`~supavex.migrate.copy.run.copy`.
Lookups = Mapping[str, ExistingIds]


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """One table that a copy read.

    ``shared``: keys of 16 bytes that several rows have, and in which tables. ``earlier``: an interrupted run read the
    rows, at an earlier snapshot.
    """

    table: TablePlan
    shared: Mapping[bytes, str]
    rejects: list[Reject]
    earlier: bool


class Selection(Protocol):
    """Selects the source tables (``schema.name``) that a copy takes."""

    #: Whether the stored files are taken; known after :meth:`choose`.
    files: bool

    def choose(
        self,
        tables: Iterable[TablePlan],
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        files: BucketFiles | None,
    ) -> set[str]:
        """The names of those of ``tables`` that are taken from the start. ``files``: the files in the buckets now."""

    def added(self, held: HeldSnapshot, table: TablePlan, rejected: Iterable[bytes], taken: set[str]) -> list[str]:
        """Tables to take too, now that ``table`` is copied with the keys ``rejected``; adds them to ``taken``."""

    def rejected(self, source: str) -> set[bytes]:
        """The keys (16 bytes) of the rejected rows of a table that is not taken."""

    def rejects_of(self, sources: Iterable[str]) -> list[Reject]:
        """The rejected rows of tables that are not taken."""


class Everything:
    """The selection of a copy of all tables."""

    files = True

    def choose(
        self,
        tables: Iterable[TablePlan],
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        files: BucketFiles | None,
    ) -> set[str]:
        """All of ``tables``."""
        return {table.name for table in tables}

    def added(self, held: HeldSnapshot, table: TablePlan, rejected: Iterable[bytes], taken: set[str]) -> list[str]:
        """Nothing: every table is taken already."""
        return []

    def rejected(self, source: str) -> set[bytes]:
        """Nothing: every table is taken."""
        return set()

    def rejects_of(self, sources: Iterable[str]) -> list[Reject]:
        """Nothing: every table is taken."""
        return []


class Recorder(Protocol):
    """Records what a copy read, for a later comparison. ``target``: the deployment the rows go to, or ``archive``."""

    target: str

    def write(
        self,
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        copied: Iterable[CopiedTable],
        files: BucketFiles | None,
    ) -> None:
        """Writes the record of ``copied`` under the copy's snapshot. The record counts after :meth:`keep`."""

    def begin(self) -> None:
        """An import begins: until :meth:`keep`, the record of its tables is stale."""

    def keep(self, also: Iterable[str] = ()) -> None:
        """The rows are in the deployment. ``also``: source tables that are not proven, and stay stale."""
