"""Selects the tables that `migrate --changes` copies.

A table is selected if its rows have changed since the baseline. It is also selected if its rules have changed, the ids
of tables that exist in Convex, or the rows to which it refers (inserted or deleted), and if its rows in the deployment
are stale. While the copy runs, tables are added whose rows refer to rows that are newly rejected, or no longer
rejected. Tables that refer to each other in a cycle are selected together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from supavex.convex.field_rules import MISSING
from supavex.mapping.file_columns import OBJECTS
from supavex.mapping.graph import ReferenceGraph, uses_existing
from supavex.mapping.plan import Plan, TablePlan
from supavex.migrate.changes.detection import ChangeDetector, files_changed
from supavex.migrate.changes.result import TableChanges
from supavex.migrate.copy.jobs import TableJob
from supavex.migrate.copy.selection import Lookups
from supavex.migrate.keys.references import names_any, shared_keys
from supavex.migrate.state.baseline import Baseline
from supavex.migrate.state.rejects import Reject
from supavex.migrate.storage.buckets import BucketFiles, FileJob, listed_files
from supavex.postgres.visibility import HeldSnapshot, held_snapshot


def rules_digest(table: TablePlan, numbers: Mapping[str, int], lookups: Lookups, shared: Mapping[bytes, str]) -> str:
    """A digest of everything that decides on a table's documents, except the rows of other tables.

    Of ``numbers``, it includes those of the tables that its ids name.
    """
    named = {table.target} | {planned.reference.target for planned in table.fields if planned.reference is not None}
    used = {name: number for name, number in numbers.items() if name in named}
    hashed = hashlib.sha256(TableJob(table, used, {}, {}, shared).digest().encode())
    for planned in table.fields:
        if planned.ids is not None:
            hashed.update(repr(sorted(planned.ids.items())).encode())
        elif planned.reference is not None and planned.reference.existing:
            hashed.update(lookups[planned.reference.target].digest().encode())
        # The replacement of NULL is part of the documents.
        hashed.update(b"" if planned.fill is MISSING else repr(planned.fill).encode())
    return hashed.hexdigest()


def other_rules(plan: Plan, baseline: Baseline, held: HeldSnapshot) -> list[str]:
    """The source tables, by name, whose rules differ from those at ``baseline``.

    It reads only the source. Changes of ids that Convex chose are not found.
    """
    known, numbers, found = baseline.tables(), baseline.numbers, []
    for table in plan.moving:
        old = known.get(table.name)
        if old is None or any(field.reference is not None and field.reference.existing for field in table.fields):
            continue
        shared = shared_keys(held.holder, table)
        if old.target != table.target or rules_digest(table, numbers, {}, shared) != old.rules:
            found.append(table.name)
    return sorted(found)


@dataclass(slots=True)
class ChangedTables:
    """Selects the tables of a copy."""

    #: The plan of the migration.
    plan: Plan
    #: Finds the changes since the baseline.
    detector: ChangeDetector
    #: Source tables, ``schema.name``, that are selected in any case: their rows in the target may differ from the
    #: baseline.
    stale: frozenset[str] = frozenset()
    #: Why each table was selected, by name.
    reasons: dict[str, str] = field(default_factory=dict)
    #: Whether the stored files are copied.
    files: bool = False
    #: The changes of every table.
    changes: list[TableChanges] = field(default_factory=list)
    #: When the snapshot of the baseline was taken (ISO 8601, UTC).
    made_at: str = field(init=False, default="")
    #: The references between the moving tables.
    graph: ReferenceGraph = field(init=False)

    def __post_init__(self) -> None:
        self.made_at = self.baseline.made_at
        self.graph = ReferenceGraph.of(self.plan)

    @property
    def baseline(self) -> Baseline:
        """The baseline that the source is compared with."""
        return self.detector.baseline

    def choose(
        self,
        tables: Iterable[TablePlan],
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        files: BucketFiles | None = None,
    ) -> set[str]:
        """See :class:`~supavex.migrate.copy.selection.Selection`."""
        wanted = {table.name for table in tables}
        self.reasons.clear()
        self.files = files is not None and files_changed(self.baseline, files, self.stale)
        self.changes = self.detector.at(self.plan, held)
        known = self.baseline.tables()
        moved = {table.name: table for table in self.plan.moving}
        came_or_went: dict[str, list[bytes] | None] = {}
        for change in self.changes:
            if change.any:
                self.reasons[change.source] = change.described
            if change.inserted or change.deleted:
                came_or_went[change.source] = change.came_or_went
        for name, table in moved.items():
            if name in self.reasons:
                continue
            if name not in known:
                self.reasons[name] = "the baseline does not hold it"
            elif name in self.stale:
                self.reasons[name] = "an earlier import did not end, was not proven, or was taken back"
            elif known[name].target != table.target:
                self.reasons[name] = f"it went to {known[name].target} before"
            elif rules_digest(table, numbers, lookups, shared_keys(held.holder, table)) != known[name].rules:
                self.reasons[name] = "what decides on its rows has changed (schema.py, supavex.toml, ids, supavex)"
        for table, planned in self.plan.file_references if self.files else ():
            self.reasons.setdefault(table.name, f"{planned.name} refers to stored files, and these have changed")
        for name, table in moved.items():
            if name not in self.reasons:
                self._by_parents(table, held, came_or_went)
        taken = set(self.reasons)
        for name in sorted(taken):
            self._with_cycle(name, taken)
        if self.files:
            self.reasons[OBJECTS] = "files came, went, or were uploaded again"
        return taken & wanted

    def _by_parents(self, table: TablePlan, held: HeldSnapshot, came_or_went: Mapping[str, list[bytes] | None]) -> None:
        """Selects a table without changed rows if rows to which it refers were inserted or deleted."""
        for planned in table.fields:
            reference = planned.reference
            if reference is None or reference.existing:
                continue
            parent = f"{reference.schema}.{reference.table}"
            if reference.via_unique and parent in self.reasons:
                self.reasons[table.name] = f"{planned.name} finds rows of {parent} by another key than theirs"
            elif parent in came_or_went:
                keys = came_or_went[parent]
                if keys is None:
                    self.reasons[table.name] = f"many rows of {parent}, which {planned.name} refers to, came or went"
                elif names_any(held.holder, table, planned, keys):
                    self.reasons[table.name] = f"rows of {parent} that {planned.name} refers to came or went"

    def _with_cycle(self, name: str, taken: set[str]) -> list[str]:
        cycle = self.graph.cycle(name)
        added = sorted(cycle - taken)
        for name in added:
            self.reasons[name] = "it refers to a table that is taken, and that table to it"
        taken |= cycle
        return added

    def added(self, held: HeldSnapshot, table: TablePlan, rejected: Iterable[bytes], taken: set[str]) -> list[str]:
        """Tables to copy as well, after ``table`` was copied with its ``rejected`` keys. It adds them to ``taken``."""
        before = self.rejected(table.name)
        other = before ^ set(rejected)
        if not other:
            return []
        found = []
        for child, planned in self.graph.children[table.name]:
            if child.name not in taken and names_any(held.holder, child, planned, other):
                self.reasons[child.name] = f"rows of {table.name} that it refers to are rejected now, or no longer"
                taken.add(child.name)
                found += [child.name, *self._with_cycle(child.name, taken)]
        return found

    def rejected(self, source: str) -> set[bytes]:
        """The keys of rows of a table that were rejected at the baseline."""
        return {reject.internal_id for reject in self.baseline.rejects(source) if reject.internal_id is not None}

    def rejects_of(self, sources: Iterable[str]) -> list[Reject]:
        """The rejected rows of tables that are not copied, from the baseline."""
        return [reject for source in sources for reject in self.baseline.rejects(source)]


def nothing_changed(changed: ChangedTables, url: str, job: FileJob | None = None) -> bool:
    """Whether it is certain from the source alone that nothing is to be copied. False if ids that Convex chose matter.

    ``job``: the stored files that move.
    """
    if uses_existing(changed.plan):
        return False
    with held_snapshot(url) as held, listed_files(job, held.holder) as files:
        return not changed.choose(changed.plan.moving, held, changed.baseline.numbers, {}, files) and not changed.files
