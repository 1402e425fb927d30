"""The two parts of a copy that its caller chooses: the selection of tables, and the recorder of what was read."""

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
    """A table that a copy read.

    ``shared``: keys of 16 bytes that several rows have, with their tables. ``earlier``: an interrupted run read the
    rows, at an earlier snapshot.
    """

    table: TablePlan
    shared: Mapping[bytes, str]
    rejects: list[Reject]
    earlier: bool


class Selection(Protocol):
    """Selects the source tables (``schema.name``) that a copy takes."""

    #: Whether the stored files are copied. It is known after :meth:`choose`.
    files: bool

    def choose(
        self,
        tables: Iterable[TablePlan],
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        files: BucketFiles | None,
    ) -> set[str]:
        """The names of those of ``tables`` that are copied from the start. ``files``: the present files of
        the buckets.
        """

    def added(self, held: HeldSnapshot, table: TablePlan, rejected: Iterable[bytes], taken: set[str]) -> list[str]:
        """Tables to copy as well, after ``table`` was copied with the keys ``rejected``. It adds them to ``taken``."""

    def rejected(self, source: str) -> set[bytes]:
        """The keys (16 bytes) of the rejected rows of a table that is not copied."""

    def rejects_of(self, sources: Iterable[str]) -> list[Reject]:
        """The rejected rows of tables that are not copied."""


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
        """Nothing: every table is already selected."""
        return []

    def rejected(self, source: str) -> set[bytes]:
        """Nothing: every table is selected."""
        return set()

    def rejects_of(self, sources: Iterable[str]) -> list[Reject]:
        """Nothing: every table is selected."""
        return []


class Recorder(Protocol):
    """Records what a copy read, for a later comparison. ``target``: the deployment of the rows, or ``archive``."""

    target: str

    def write(
        self,
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        copied: Iterable[CopiedTable],
        files: BucketFiles | None,
    ) -> None:
        """Writes the record of ``copied`` at the copy's snapshot. The record becomes valid in :meth:`keep`."""

    def begin(self) -> None:
        """Marks the record of its tables as stale when an import begins. :meth:`keep` ends that."""

    def keep(self, also: Iterable[str] = ()) -> None:
        """Makes the record valid: the rows are in the deployment. ``also``: source tables that are not proven, and stay
        stale.
        """
