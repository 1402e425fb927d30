"""Writes a baseline while a copy runs, under the copy's own snapshot."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from supavex.mapping.file_columns import OBJECTS
from supavex.migrate.changes.row_digests import RowDigests, relation_of, shape_of
from supavex.migrate.changes.selection import ChangedTables, rules_of
from supavex.migrate.copy.selection import CopiedTable, Lookups
from supavex.migrate.keys.references import shared_keys
from supavex.migrate.state.baseline import Moment, TableMoment
from supavex.migrate.state.baselines import Moments, name_of
from supavex.migrate.state.row_files import RowWriter
from supavex.migrate.storage.buckets import FileList
from supavex.postgres.columns import ColumnReader
from supavex.postgres.visibility import HeldSnapshot, Seen


@dataclass(slots=True)
class BaselineRecorder:
    """Writes what a copy into ``target`` saw, under the same snapshot. ``also``: another name for it.

    Tables that the copy does not take stay as the target's last moment has them, where there is one.
    """

    moments: Moments
    target: str
    also: str | None = None
    #: The tables that the copy takes, where it does not take all.
    changed: ChangedTables | None = None
    #: The source tables whose rows the copy read at this moment, or at an earlier one.
    read: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)

    def write(
        self,
        held: HeldSnapshot,
        numbers: Mapping[str, int],
        lookups: Lookups,
        copied: Iterable[CopiedTable],
        files: FileList | None,
    ) -> None:
        """Writes the moment beside the one that holds until :meth:`keep`. ``files``: the stored files that go."""
        since = self.changed
        # One that can't be read is written anew: what it held of other tables has to be imported again.
        path = self.moments.path(name_of(self.target))
        last = since.moment if since is not None else Moment.usable(path)
        known = {} if last is None else last.tables()
        path = self.moments.begun(name_of(self.target))
        try:
            with Moment.new(path, self.target, held.snapshot.taken_at, numbers) as moment:
                if files is not None:
                    moment.files = files.digest
                    self.read.append(OBJECTS)
                elif last is not None:
                    moment.files = last.files
                with ColumnReader(held.snapshot) as reader:
                    for one in copied:
                        name = one.table.name
                        (self.earlier if one.earlier else self.read).append(name)
                        rules = rules_of(one.table, numbers, lookups, one.shared)
                        _write_table(moment, one, known.pop(name, None), held, rules, reader)
                for table in known.values():
                    assert last is not None
                    # Its rows were looked at, and are as they were: only newer ones have to be looked at next time.
                    checked = since is not None
                    taken_at = held.snapshot.taken_at if checked else table.taken_at
                    kept = replace(table, seen=held.seen, taken_at=taken_at) if checked else table
                    if since is not None:
                        kept = _as_it_is(kept, since, held, numbers, lookups)
                    moment.take_over(last, kept)
        finally:
            if since is None and last is not None:
                last.database.close()

    def begin(self) -> None:
        """The import begins: until :meth:`keep`, nothing is sure of the tables."""
        self.moments.doubt(self.target, [*self.read, *self.earlier])

    def keep(self, also: Iterable[str] = ()) -> None:
        """The rows are in the deployment: the moment holds. ``also``: source tables that are not proven."""
        doubted = {*self.earlier, *also}
        # Between the two, a table is in doubt that need not be: it is imported once more.
        self.moments.keep(self.target, self.also)
        self.moments.trust(self.target, set(self.read) - doubted)


def _as_it_is(
    table: TableMoment, since: ChangedTables, held: HeldSnapshot, numbers: Mapping[str, int], lookups: Lookups
) -> TableMoment:
    """A table that was not taken, with what identifies it now: all of it was compared."""
    planned = next((moved for moved in since.plan.moved if moved.name == table.source), None)
    if planned is None:
        return table
    return replace(
        table,
        relation=relation_of(held.holder, planned),
        shape=shape_of(planned),
        rules=rules_of(planned, numbers, lookups, shared_keys(held.holder, planned)),
    )


def _write_table(
    moment: Moment,
    one: CopiedTable,
    old: TableMoment | None,
    held: HeldSnapshot,
    rules: str,
    reader: ColumnReader,
) -> None:
    table = one.table
    digests = RowDigests(table, old.seed if old is not None else secrets.randbits(62))
    writer = RowWriter(moment, table.name)
    for _ in digests.read(reader, writer):
        pass
    seen: Seen = held.seen
    about = TableMoment(
        table.name,
        table.target,
        seen,
        held.snapshot.taken_at,
        relation_of(held.holder, table),
        shape_of(table),
        rules,
        digests.seed,
        writer.rows,
        writer.bits,
    )
    moment.add_table(about, one.rejects)
