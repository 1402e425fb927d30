"""``supavex migrate``: copies the rows into an archive, and imports it into the local deployment."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from supavex.convex.snapshot import SnapshotArchive
from supavex.errors import UsageError
from supavex.files import check_replaceable
from supavex.mapping.file_columns import OBJECTS
from supavex.mapping.plan import Plan
from supavex.mapping.source import Source
from supavex.mapping.table_numbers import load_lock, with_new_tables
from supavex.migrate.changes.selection import ChangedTables
from supavex.migrate.copy.archive import is_own
from supavex.migrate.copy.options import CopyOptions
from supavex.migrate.copy.results import CopyResult, TableResult
from supavex.migrate.copy.run import copy
from supavex.migrate.state.copies import CopyRecord, CopyRecords
from supavex.migrate.state.folder import Folder, work_folder
from supavex.migrate.state.rejects import TooManyRejectsError, write_rejects
from supavex.migrate.state.runs import Run
from supavex.migrate.storage.buckets import BucketFiles
from supavex.migrate.storage.values import ValueFiles
from supavex.migrate.target.conflicts import check_conflicts
from supavex.migrate.target.documents import Documents
from supavex.temporary import temporary_folder


class ImportTarget(Documents, Protocol):
    """A deployment into which rows can be imported."""

    @property
    def schema_text(self) -> str | None:
        """The JSON of its active schema."""


#: Imports an archive into the target, replacing the archive's tables. It also gets the result of the copy.
PutArchive = Callable[[SnapshotArchive, CopyResult], object]


@dataclass(slots=True)
class Migration:
    """The result of a migration."""

    #: The result of the copy: counts and rejected rows by table.
    copy: CopyResult
    #: The folder with the migration's state.
    folder: Folder
    #: The number of rejected rows that are allowed.
    allowed: int
    #: False if the rows stayed in the archive, or nothing was written.
    imported: bool
    #: Whether nothing was to be written.
    dry_run: bool
    #: For a migration of changes: the changes that it found.
    since: ChangedTables | None = None
    #: The seconds of the import after the copy.
    import_seconds: float = 0.0
    #: Parts of the source that are missing, each in a few words; see :attr:`~supavex.mapping.plan.Plan.remarks`.
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no more rows were rejected than allowed."""
        return len(self.copy.rejects) <= self.allowed

    @property
    def nothing(self) -> bool:
        """Whether it was a migration of changes that found none."""
        return self.since is not None and not self.copy.tables

    def keep(self, path: Path) -> None:
        """Keeps the record of the copy as the target's present content. ``path``: see
        :mod:`supavex.migrate.state.copies`.
        """
        at_once = {table.source for table in self.copy.tables if table.taken_at is None}
        taken = {table.source for table in self.copy.tables}
        # A migration of changes also compared the other tables, at the same snapshot.
        others = set() if self.since is None else {change.source for change in self.since.changes} - taken
        seen = self.copy.visibility
        copied = CopyRecord({} if seen is None else dict.fromkeys(at_once | others, seen), self.copy.rejects)
        self.folder.copies.keep(path, taken | others, copied)

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``migrate --json`` and of ``report.json``."""
        return {
            "ok": self.ok,
            "dryRun": self.dry_run,
            "imported": self.imported,
            "remarks": list(self.remarks),
            "takenAt": self.copy.taken_at,
            "visibility": None if self.copy.visibility is None else self.copy.visibility.to_json(),
            "seconds": round(self.copy.seconds, 3),
            "partsKept": self.copy.parts_kept,
            "archive": None if self.copy.archive is None else str(self.copy.archive),
            "rejects": None if self.dry_run else str(self.folder.rejects),
            "rejected": len(self.copy.rejects),
            "rejectsAllowed": self.allowed,
            "reasons": dict(
                Counter(f"{r.table}.{why.column}: {why.code}" for r in self.copy.rejects for why in r.reasons)
            ),
            "tables": [_table_json(table) for table in self.copy.tables],
            **({} if self.since is None else _since_json(self.since)),
            **({} if self.copy.files is None else {"files": _files_json(self.copy.files, self.copy.files_kept)}),
            **({} if self.copy.values is None else {"values": _values_json(self.copy.values, self.copy.files_kept)}),
            "existing": [
                {
                    "source": m.table,
                    "target": m.target,
                    "rows": m.rows,
                    "documents": m.documents,
                    "matched": m.matched,
                    "ambiguous": m.ambiguous,
                }
                for m in self.copy.matched
            ],
        }


def _since_json(since: ChangedTables) -> dict[str, Any]:
    return {
        "since": since.made_at,
        "reasons": dict(since.reasons),
        "changes": [change.to_json() for change in since.changes],
    }


def _values_json(values: ValueFiles, kept: int) -> dict[str, Any]:
    return {
        "files": values.files,
        "bytes": values.size,
        "kept": kept,
        "columns": [
            {"source": column.large.name, "over": column.large.over, "files": column.files, "bytes": column.size}
            for column in values.columns
        ],
    }


def _files_json(files: BucketFiles, kept: int) -> dict[str, Any]:
    return {
        "from": files.source.shown,
        "files": files.files,
        "bytes": files.size,
        "kept": kept,
        "placeholders": files.placeholders,
        "unlisted": files.unlisted,
        "firstUnlisted": files.first_unlisted,
        "retyped": files.retyped,
        "firstRetyped": files.first_retyped,
    }


def _table_json(table: TableResult) -> dict[str, Any]:
    return {
        "source": table.source,
        "target": table.target,
        "rows": table.rows,
        "documents": table.documents,
        "rejected": len(table.rejects),
        "filled": dict(sorted(table.filled.items())),
        "cut": dict(sorted(table.cut.items())),
        "rounded": dict(sorted(table.rounded.items())),
        "creationTimeAdjusted": table.creation_adjusted,
        "bytes": table.bytes,
        "seconds": round(table.seconds, 3),
        **({} if table.taken_at is None else {"takenAt": table.taken_at}),
    }


@dataclass(frozen=True, slots=True)
class Destination:
    """The destination of the rows, with what is known of the deployment there."""

    #: The archive; None: the migration's own.
    out: Path | None = None
    #: The deployment into which ``put`` imports the archive.
    target: ImportTarget | None = None
    put: PutArchive | None = None
    #: Ids and documents of tables that exist in Convex; None: those of ``target``.
    existing: Documents | None = None

    @property
    def known(self) -> Documents | None:
        """The present documents; None if they are unknown."""
        return self.existing or self.target


def migrate(
    plan: Plan,
    to: Destination,
    options: CopyOptions,
    *,
    max_rejects: int | None = None,
    dry_run: bool = False,
) -> Migration:
    """Copies the rows of ``plan`` to an archive, and imports it.

    A dry run does all of the work and leaves no file but the cached source. If more rows are rejected than allowed,
    nothing is imported. ``options.tables`` may have names without the first schema.
    """
    project = plan.project
    tables = _named_tables(plan, options.tables)
    known = to.known
    if to.target is not None:
        _check_schema(plan, to.target)
    numbers = with_new_tables(load_lock(project.lock_file), plan.schema.tables)
    if known is not None:
        numbers = _with_target(numbers, known.table_numbers())
    moved = {t.target: numbers[t.target] for t in plan.moving if tables is None or t.name in tables}
    if known is not None:
        check_conflicts(plan.schema, moved, to.target or known)
    folder = Folder(project.migration_folder)
    allowed = project.max_rejects if max_rejects is None else max_rejects
    if to.out is not None:
        check_replaceable(to.out, is_own)
    archive = None if dry_run else (to.out or folder.archive)
    recorder = options.recorder
    since = options.selection if isinstance(options.selection, ChangedTables) else None
    if since is not None and archive is not None and to.out is None:
        archive = folder.changes_archive
    if not dry_run:
        project.make_state()
        folder.make()
    options = replace(
        options,
        tables=tables,
        existing=None if known is None else known.documents,
        most_rejects=max(allowed, options.most_rejects),
    )
    if tables is not None and recorder is not None and recorder.target != "archive":
        options = replace(options, known_rejects=_known_rejects(plan, folder.copies, recorder.target))
    with (
        temporary_folder("dry") as empty,
        Source(project).running() as url,
        _written(None if dry_run else folder.rejects),
    ):
        work = empty / "work" if archive is None else work_folder(archive)
        result = copy(plan, url, numbers, archive, work, options)
    migration = Migration(result, folder, allowed, imported=False, dry_run=dry_run, since=since)
    migration.remarks = plan.remarks
    if dry_run:
        return migration
    write_rejects(folder.rejects, result.rejects)
    if result.archive is not None and (own := folder.copies.of_archive(result.archive)) is not None:
        own.unlink(missing_ok=True)
        migration.keep(own)
    if migration.ok and to.put is not None and archive is not None:
        if not migration.nothing:
            if recorder is not None:
                recorder.begin()
            started = time.monotonic()
            with SnapshotArchive(archive) as opened:
                to.put(opened, result)
            migration.import_seconds = time.monotonic() - started
            migration.keep(folder.copies.of_target("local" if recorder is None else recorder.target))
            migration.imported = True
        if recorder is not None:
            recorder.keep()
    if migration.nothing:
        return migration  # The last report stays.
    folder.write_report(migration.to_json())
    return migration


@contextmanager
def _written(path: Path | None) -> Iterator[None]:
    """Writes the rejected rows to ``path`` if the copy stops because there are too many."""
    try:
        yield
    except TooManyRejectsError as error:
        if path is not None:
            write_rejects(path, error.rejects)
        raise


def _named_tables(plan: Plan, names: frozenset[str] | None) -> frozenset[str] | None:
    """The tables of these names: ``schema.name``, or the name alone in the first schema, as in supavex.toml."""
    if names is None:
        return None
    if not names:
        raise UsageError("NoTables", "--tables names no table.", hint="--tables A,B; without it, all tables are moved.")
    short = {t.source.name if t.source.schema == plan.project.schemas[0] else t.name: t.name for t in plan.moving}
    known = {**{table.name: table.name for table in plan.moving}, OBJECTS: OBJECTS, **short}
    for name in sorted(names):
        if name not in known:
            raise UsageError(
                "UnknownTable", f"{name} is not a table that moves.", hint=f"Tables: {', '.join(sorted(short))}."
            )
    return frozenset(known[name] for name in names)


def _known_rejects(plan: Plan, copies: CopyRecords, target: str) -> dict[str, frozenset[bytes]]:
    """The keys of rejected rows, which ``target`` therefore lacks, by source table."""
    path = copies.of_target(target)
    if not path.is_file():
        return {}
    copied = copies.read(path)
    keys: dict[str, set[bytes]] = {name: set() for name in copied.seen}
    moving = {table.name for table in plan.moving}
    for reject in copied.rejects:
        if reject.table in moving and reject.internal_id is not None:
            keys.setdefault(reject.table, set()).add(reject.internal_id)
    return {name: frozenset(found) for name, found in keys.items()}


def _check_schema(plan: Plan, target: ImportTarget) -> None:
    if target.schema_text is None or json.loads(target.schema_text) != plan.schema.to_json():
        what = "has no schema yet" if target.schema_text is None else "has another schema than schema.py"
        raise UsageError("SchemaNotDeployed", f"the deployment {what}.", hint="Run `supavex deploy` first.")


def _with_target(numbers: dict[str, int], target: dict[str, int]) -> dict[str, int]:
    """``numbers`` with the target's numbers in place of others. Tables that the target lacks get numbers that are free
    in both.
    """
    result = dict(target)
    used = set(target.values())
    for name, number in sorted(numbers.items(), key=lambda item: item[1]):
        if name in result:
            continue
        while number in used:
            number += 1
        result[name] = number
        used.add(number)
    return result


def measure(run: Run, copied: CopyResult) -> None:
    """Records the counts of the copy in ``run``."""
    run.steps = {"copy": copied.seconds, **run.steps}
    for table in copied.tables:
        run.rows += table.rows
        run.documents += table.documents
        run.tables[table.source] = {"rows": table.rows, "seconds": round(table.seconds, 3), "bytes": table.bytes}
