"""Detects which rows were inserted, updated and deleted since a baseline, without triggers and without a superuser.

The ``xmin`` of a row shows whether the transaction that wrote it had finished before the baseline (see
:mod:`supavex.postgres.visibility`). Such rows are not read further. Of each other row, the digest is compared with the
baseline's. So a row does not count if it was written without a change, or only in columns that do not move. Deleted
keys are looked for only if the number of rows shows that some are gone. If ``xmin`` is not reliable for a
table, every row's digest is compared, and the result says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from supavex.callbacks import RowProgress
from supavex.mapping.file_columns import OBJECTS
from supavex.mapping.keys import Key
from supavex.mapping.plan import ALIAS, Plan, TablePlan
from supavex.migrate.changes.result import KINDS, LISTED, Changes, Kind, TableChanges
from supavex.migrate.changes.row_digests import RowDigests, identifies, key_texts, reads_more, relation_of, shape_of
from supavex.migrate.keys.hashing import Array
from supavex.migrate.state.baseline import Baseline, TableBaseline
from supavex.migrate.state.row_files import Bucket, RowFile, RowWriter, difference, keys_as_bytes, known_and_same
from supavex.migrate.storage.buckets import BucketFiles, FileJob, listed_files
from supavex.postgres.columns import ColumnReader
from supavex.postgres.visibility import HeldSnapshot, held_snapshot

#: The most keys of inserted and deleted rows that are kept in memory for one table.
HELD_KEYS = 20_000
#: Called with a source table, the kind of change, and the row's key as text.
Each = Callable[[str, Kind, str], None]


@dataclass(slots=True)
class ChangeDetector:
    """Detects the changes of tables since ``baseline``. ``full``: by all digests, without ``xmin``."""

    baseline: Baseline
    full: bool = False
    each: Each | None = None
    progress: RowProgress = lambda table, rows: None

    def at(self, plan: Plan, held: HeldSnapshot) -> list[TableChanges]:
        """The changes of all moving tables, at one snapshot."""
        known = self.baseline.tables()
        with ColumnReader(held.snapshot) as reader:
            return [self._table(table, known.get(table.name), held, reader) for table in plan.moving]

    def _table(
        self, table: TablePlan, old: TableBaseline | None, held: HeldSnapshot, reader: ColumnReader
    ) -> TableChanges:
        started = time.monotonic()
        changes = TableChanges(table.name, table.target)
        digests = RowDigests(table, old.seed if old is not None else 0)
        why = self._distrust(table, old, held)
        if why or not self._newer(digests, old, held, reader, changes):
            why = why or "some rows are older than the baseline and were not in it"
            changes = TableChanges(table.name, table.target, by="digests", why=why)
            self._all(digests, old, reader, changes)
        changes.seconds = time.monotonic() - started
        return changes

    def _distrust(self, table: TablePlan, old: TableBaseline | None, held: HeldSnapshot) -> str:
        """Why ``xmin`` does not show the newer rows of a table; empty if it does."""
        if old is None:
            return "the baseline does not hold the table"
        if self.full:
            return "all digests are asked for"
        if (problem := old.visibility.incomparable(held.visibility)) is not None:
            return problem
        relation = relation_of(held.holder, table)
        if relation != old.relation:
            return "it is another table, or has other partitions, than at the baseline"
        if any(part[0] not in "rp" for part in relation.split()):
            return "a part of it is a foreign table"
        if shape_of(table) != old.shape:
            return "its columns have changed"
        if not identifies(table):
            return "no unique key of the table tells its rows apart"
        if reads_more(table):
            return "an sql expression may read more than the row"
        return ""

    def _newer(
        self,
        digests: RowDigests,
        old: TableBaseline | None,
        held: HeldSnapshot,
        reader: ColumnReader,
        changes: TableChanges,
    ) -> bool:
        """Finds the changes by ``xmin``. Returns False if they do not agree with the numbers of rows."""
        assert old is not None
        name = digests.table.name
        with ExitStack() as stack:
            now = stack.enter_context(RowFile())
            writer = RowWriter(now, name, old.bits)
            done = 0
            for count in digests.read(reader, writer, old.visibility.newer_sql(held.visibility, ALIAS)):
                done += count
                self.progress(name, done)
            changes.rows = digests.count(held.holder)
            changed: list[tuple[int, int]] = []
            bits = writer.bits
            for number in range(1 << bits) if writer.rows else ():
                new = now.bucket(name, number, bits, bits)
                there = self.baseline.bucket(name, number, bits, old.bits)
                known, same = known_and_same(there, new)
                changed.append((int((~known).sum()), int((known & ~same).sum())))
                _keep_keys(changes, new.keys[~known])
                changes.rewritten += int(same.sum())
            changes.inserted = sum(pair[0] for pair in changed)
            changes.updated = sum(pair[1] for pair in changed)
            changes.deleted = old.rows + changes.inserted - changes.rows
            if changes.deleted < 0:
                return False
            if changes.deleted and not self._gone(digests, old, reader, changes):
                return False
            for number, (inserted, updated) in enumerate(changed):
                if (inserted or updated) and (self.each or self._short(changes)):
                    new = now.bucket(name, number, bits, bits, texts=digests.has_text)
                    known, same = known_and_same(self.baseline.bucket(name, number, bits, old.bits), new)
                    self._list_keys(changes, digests.key, "inserted", new, np.flatnonzero(~known))
                    self._list_keys(changes, digests.key, "updated", new, np.flatnonzero(known & ~same))
        return True

    def _gone(self, digests: RowDigests, old: TableBaseline, reader: ColumnReader, changes: TableChanges) -> bool:
        """Finds the keys of the baseline that no row has now. Returns False if their number differs from the expected
        one.
        """
        name = digests.table.name
        gone: list[tuple[int, Array]] = []
        with RowFile() as now:
            writer = RowWriter(now, name, old.bits)
            done = 0
            for count in digests.read(reader, writer, digests=False):
                done += count
                self.progress(name, done)
            bits, total = writer.bits, 0
            for number in range(1 << bits):
                there = self.baseline.bucket(name, number, bits, old.bits)
                lost = np.flatnonzero(~np.isin(there.keys, now.bucket(name, number, bits, bits).keys))
                total += len(lost)
                _keep_keys(changes, there.keys[lost])
                if len(lost):
                    gone.append((number, lost))
        if total != changes.deleted:
            return False
        for number, lost in gone:
            if self.each or self._short(changes):
                there = self.baseline.bucket(name, number, bits, old.bits, texts=digests.has_text)
                self._list_keys(changes, digests.key, "deleted", there, lost)
        return True

    def _all(self, digests: RowDigests, old: TableBaseline | None, reader: ColumnReader, changes: TableChanges) -> None:
        """Finds the changes by all digests. Keys may repeat: equal keys are counted."""
        name = digests.table.name
        old_bits = 0 if old is None else old.bits
        with RowFile() as now:
            writer = RowWriter(now, name, old_bits)
            for count in digests.read(reader, writer):
                changes.rows += count
                self.progress(name, changes.rows)
            bits, texts = writer.bits, digests.has_text
            for number in range(1 << bits):
                new = now.bucket(name, number, bits, bits, texts=texts)
                there = (
                    self.baseline.bucket(name, number, bits, old_bits, texts=texts) if old else Bucket(new.records[:0])
                )
                inserted, updated, deleted = difference(there, new)
                changes.inserted += len(inserted)
                changes.updated += len(updated)
                changes.deleted += len(deleted)
                _keep_keys(changes, new.keys[inserted])
                _keep_keys(changes, there.keys[deleted])
                self._list_keys(changes, digests.key, "inserted", new, inserted)
                self._list_keys(changes, digests.key, "updated", new, updated)
                self._list_keys(changes, digests.key, "deleted", there, deleted)

    def _short(self, changes: TableChanges) -> bool:
        """Whether more keys are to be listed."""
        return any(len(changes.keys.get(kind, ())) < LISTED and getattr(changes, kind) for kind in KINDS)

    def _list_keys(self, changes: TableChanges, key: Key, kind: Kind, bucket: Bucket, chosen: Array) -> None:
        if not len(chosen):
            return
        listed = changes.keys.setdefault(kind, [])
        wanted = len(chosen) if self.each else min(len(chosen), max(0, LISTED - len(listed)))
        for text in key_texts(key, bucket, chosen[:wanted]):
            if len(listed) < LISTED:
                listed.append(text)
            if self.each is not None:
                self.each(changes.source, kind, text)


def _keep_keys(changes: TableChanges, keys: Array) -> None:
    if changes.came_or_went is not None:
        some = len(changes.came_or_went) + len(keys) <= HELD_KEYS
        changes.came_or_went = [*changes.came_or_went, *keys_as_bytes(keys)] if some else None


def files_changed(baseline: Baseline, files: BucketFiles, stale: Collection[str]) -> bool:
    """Whether the stored files differ from those that moved at ``baseline``."""
    return files.digest != baseline.files or OBJECTS in stale


def changes_since(
    plan: Plan,
    url: str,
    detector: ChangeDetector,
    stale: Collection[str] = (),
    files: FileJob | None = None,
    rules: Callable[[HeldSnapshot], list[str]] = lambda held: [],
) -> Changes:
    """The changes of the rows of ``plan`` at ``url``, and of ``files``, since the baseline of ``detector``.

    ``rules`` finds the tables whose rules have changed.
    """
    started = time.monotonic()
    baseline = detector.baseline
    with held_snapshot(url) as held, listed_files(files, held.holder) as stored:
        tables = detector.at(plan, held)
        moved = {table.name for table in plan.moving}
        gone = [source for source in baseline.tables() if source not in moved]
        assert baseline.path is not None
        seconds = time.monotonic() - started
        return Changes(
            baseline.path.stem,
            baseline.target,
            baseline.made_at,
            held.snapshot.taken_at,
            tables,
            gone,
            sorted(moved & set(stale)),
            seconds,
            stored is not None and files_changed(baseline, stored, stale),
            rules(held),
        )
