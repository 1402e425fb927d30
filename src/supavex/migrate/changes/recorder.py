"""Records a baseline while a copy runs, at the copy's own snapshot."""

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
    """Records the rows that a copy into ``target`` reads, at the same snapshot.

    Tables that the copy does not take keep their entry in the target's last baseline, if there is one.
    """

    #: The project's baselines.
    baselines: Baselines
    #: The deployment that gets the rows, as ``--to`` names it.
    target: str
    #: A second name under which the baseline is kept.
    also: str | None = None
    #: The tables of a copy of changes; None: all tables.
    changed: ChangedTables | None = None
    #: The source tables, ``schema.name``, whose rows the copy read at this snapshot.
    read: list[str] = field(default_factory=list)
    #: The source tables whose rows an interrupted run read at an earlier snapshot. They stay stale.
    earlier: list[str] = field(default_factory=list)

    def write(
        self,
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        copied: Iterable[CopiedTable],
        files: BucketFiles | None,
    ) -> None:
        """Writes the new baseline beside the valid one. It becomes valid in :meth:`keep`. ``files``: the moving stored
        files.
        """
        since = self.changed
        # An unreadable baseline is replaced. The tables that it described have to be imported again.
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
                    # The detector compared this table's rows, and none has changed. The next run has to look at newer
                    # rows only.
                    checked = since is not None
                    kept = replace(table, visibility=held.visibility) if checked else table
                    if since is not None:
                        kept = _as_it_is(kept, since, held, numbers, lookups)
                    baseline.take_over(last, kept)
        finally:
            if since is None and last is not None:
                last.database.close()

    def begin(self) -> None:
        """Marks the tables as stale when the import begins. :meth:`keep` ends that."""
        self.baselines.mark_stale(self.target, [*self.read, *self.earlier])

    def keep(self, also: Iterable[str] = ()) -> None:
        """Makes the baseline valid: the rows are in the deployment. ``also``: source tables that are not proven."""
        stale = {*self.earlier, *also}
        # A crash between the two steps leaves a table marked stale, which is only imported once more.
        self.baselines.keep(self.target, self.also)
        self.baselines.mark_current(self.target, set(self.read) - stale)


def _as_it_is(
    table: TableBaseline, since: ChangedTables, held: HeldSnapshot, numbers: Mapping[str, int], lookups: Lookups
) -> TableBaseline:
    """The entry of a table that was compared as a whole and not copied, with its present identity."""
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
