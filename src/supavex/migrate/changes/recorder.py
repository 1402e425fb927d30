"""Writes a baseline while a copy runs, under the copy's own snapshot."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from supavex.mapping.file_columns import OBJECTS
from supavex.migrate.changes.row_digests import RowDigests, relation_of, shape_of
from supavex.migrate.changes.selection import ChangedTables, rules_digest
from supavex.migrate.copy.selection import CopiedTable, Lookups
from supavex.migrate.keys.references import shared_keys
from supavex.migrate.state.baseline import Baseline, TableBaseline
from supavex.migrate.state.baselines import Baselines, name_of
from supavex.migrate.state.row_files import RowWriter
from supavex.migrate.storage.buckets import BucketFiles
from supavex.postgres.columns import ColumnReader
from supavex.postgres.visibility import HeldSnapshot


@dataclass(slots=True)
class BaselineRecorder:
    """Writes what a copy into ``target`` saw, under the same snapshot. ``also``: another name for it.

    Tables that the copy does not take stay as the target's last baseline has them, where there is one.
    """

    baselines: Baselines
    target: str
    also: str | None = None
    #: The tables that the copy takes, where it does not take all.
    changed: ChangedTables | None = None
    #: The source tables whose rows the copy read at this snapshot, or at an earlier one.
    read: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)

    def write(
        self,
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        copied: Iterable[CopiedTable],
        files: BucketFiles | None,
    ) -> None:
        """Writes the baseline beside the one that holds until :meth:`keep`. ``files``: the stored files that go."""
        since = self.changed
        # One that can't be read is written anew: what it held of other tables has to be imported again.
        path = self.baselines.path(name_of(self.target))
        last = since.baseline if since is not None else Baseline.usable(path)
        known = {} if last is None else last.tables()
        path = self.baselines.begun(name_of(self.target))
        try:
            with Baseline.new(path, self.target, held.snapshot.taken_at, numbers) as baseline:
                if files is not None:
                    baseline.files = files.digest
                    self.read.append(OBJECTS)
                elif last is not None:
                    baseline.files = last.files
                with ColumnReader(held.snapshot) as reader:
                    for one in copied:
                        name = one.table.name
                        (self.earlier if one.earlier else self.read).append(name)
                        rules = rules_digest(one.table, numbers, lookups, one.shared)
                        _write_table(baseline, one, known.pop(name, None), held, rules, reader)
                for table in known.values():
                    assert last is not None
                    # Its rows were looked at, and are as they were: only newer ones have to be looked at next time.
                    checked = since is not None
                    kept = replace(table, visibility=held.visibility) if checked else table
                    if since is not None:
                        kept = _as_it_is(kept, since, held, numbers, lookups)
                    baseline.take_over(last, kept)
        finally:
            if since is None and last is not None:
                last.database.close()

    def begin(self) -> None:
        """The import begins: until :meth:`keep`, nothing is sure of the tables."""
        self.baselines.mark_stale(self.target, [*self.read, *self.earlier])

    def keep(self, also: Iterable[str] = ()) -> None:
        """The rows are in the deployment: the baseline holds. ``also``: source tables that are not proven."""
        stale = {*self.earlier, *also}
        # Between the two, a table is marked as stale that is not: it is imported once more.
        self.baselines.keep(self.target, self.also)
        self.baselines.mark_current(self.target, set(self.read) - stale)


def _as_it_is(
    table: TableBaseline, since: ChangedTables, held: HeldSnapshot, numbers: Mapping[str, int], lookups: Lookups
) -> TableBaseline:
    """A table that was not taken, with what identifies it now: all of it was compared."""
    planned = next((moved for moved in since.plan.moving if moved.name == table.source), None)
    if planned is None:
        return table
    return replace(
        table,
        relation=relation_of(held.holder, planned),
        shape=shape_of(planned),
        rules=rules_digest(planned, numbers, lookups, shared_keys(held.holder, planned)),
    )


def _write_table(
    baseline: Baseline,
    one: CopiedTable,
    old: TableBaseline | None,
    held: HeldSnapshot,
    rules: str,
    reader: ColumnReader,
) -> None:
    table = one.table
    digests = RowDigests(table, old.seed if old is not None else secrets.randbits(62))
    writer = RowWriter(baseline, table.name)
    for _ in digests.read(reader, writer):
        pass
    about = TableBaseline(
        table.name,
        table.target,
        held.visibility,
        relation_of(held.holder, table),
        shape_of(table),
        rules,
        digests.seed,
        writer.rows,
        writer.bits,
    )
    baseline.add_table(about, one.rejects)
