"""Rolls back: puts the former content of a deployment back, table by table, and proves it equal.

It puts back the tables that migrations since the export have imported; the others stay. A table that the export does
not hold is emptied. Documents that were written since are only overwritten if the caller asks for that, and the present
content is always exported and kept. If the export holds stored files, deleted and changed files are put back as well;
newer files stay.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supavex.convex.limits import STORAGE_TABLE
from supavex.convex_cli.cli import OfficialCli
from supavex.errors import SupavexError, UsageError
from supavex.mapping.file_columns import OBJECTS
from supavex.migrate.golive.guarded_import import Callbacks, GuardedImport, Incoming, deployed_schema
from supavex.migrate.golive.kept_files import files_that_differ, holds_files, write_files
from supavex.migrate.golive.tables_of_export import write_tables
from supavex.migrate.golive.written_since import written_since
from supavex.migrate.state.baseline import Baseline
from supavex.migrate.state.baselines import name_of
from supavex.migrate.state.exports import KeptExport, damaged_notes, kept_exports, read_export, stamp_of
from supavex.migrate.state.folder import Folder
from supavex.migrate.state.runs import Run
from supavex.migrate.target.contents import Content, contents
from supavex.text import counted, table_text

#: The most tables that a list names. Further ones are counted.
_NAMED = 3


@dataclass(slots=True)
class Rollback:
    """The result of a rollback."""

    #: The export that was put back.
    export: KeptExport
    #: The content of each table that was put back.
    tables: dict[str, Content]
    #: The export of the content before the rollback.
    present: Path | None = None
    #: Tables with overwritten documents of the app.
    discarded: list[str] = field(default_factory=list)
    #: Tables that differ from the export after the rollback.
    unequal: list[str] = field(default_factory=list)
    #: Other tables that were written meanwhile.
    changed_meanwhile: list[str] = field(default_factory=list)
    #: The ids of the stored files that were put back.
    files: set[str] = field(default_factory=set)
    #: Whether the user refused the rollback.
    cancelled: bool = False
    #: Whether the deployment already equalled the export.
    nothing: bool = False

    @property
    def ok(self) -> bool:
        """Whether the deployment equals the export."""
        return not (self.cancelled or self.unequal or self.changed_meanwhile)

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``rollback --json``."""
        return {
            "ok": self.ok,
            "target": self.export.target,
            "export": str(self.export.path),
            "imported": not (self.cancelled or self.nothing),
            "cancelled": self.cancelled,
            "present": None if self.present is None else str(self.present),
            "tables": {table: content.documents for table, content in self.tables.items()},
            "files": len(self.files),
            "discarded": self.discarded,
            "unequal": self.unequal,
            "changedMeanwhile": self.changed_meanwhile,
        }


def choose_export(folder: Path, target: str, wanted: Path | None) -> KeptExport:
    """The export to put back: ``wanted``, or the one before the last import into ``target`` that was not
    rolled back.
    """
    chosen = _chosen(folder, target, wanted)
    damaged = [note for note in damaged_notes(folder) if stamp_of(note) >= stamp_of(chosen.path)]
    if damaged:
        hint = "Where it is of another deployment, or of no use any more, move it away with its .zip, and go back then."
        message = "the file is damaged: which tables were imported after that export is not known."
        raise UsageError("UnknownExport", message, where=str(damaged[0]), hint=hint)
    return chosen


def _chosen(folder: Path, target: str, wanted: Path | None) -> KeptExport:
    if wanted is not None:
        kept = read_export(wanted)
        if kept.target != target:
            hint = "Connect the app's folder with that deployment, or give its URL as --to."
            message = f"the export is of {kept.target}, and not of {target}."
            raise UsageError("OtherTarget", message, where=str(wanted), hint=hint)
        return kept
    exports = [kept for kept in kept_exports(folder, target) if kept.what != "rollback" and not kept.undone]
    if not exports:
        hint = "supavex rollback --list shows the kept exports; name one to put it back all the same."
        raise UsageError("NothingToRollBack", f"no migration into {target} is left to take back.", hint=hint)
    return exports[-1]


def roll_back(
    folder: Folder, cli: OfficialCli, export: KeptExport, callbacks: Callbacks, *, discard: bool = False
) -> Rollback:
    """Puts ``export`` back into the deployment of ``cli``.

    ``discard``: overwrite documents that were written since.
    """
    run = Run("rollback", cli.deployment)
    later = [kept for kept in kept_exports(folder.path, cli.deployment) if kept.at >= export.at]
    tables = sorted({table for kept in later for table in kept.wrote} - {STORAGE_TABLE})
    was = contents(export.path, tables)
    result = Rollback(export, was)
    archive = folder.path / "rollback.zip"
    with (
        GuardedImport(folder, cli, run, callbacks, stored=holds_files(export.path)) as guard,
        _temporary(archive),
    ):
        there = contents(guard.before, tables)
        result.files = files_that_differ(export.path, guard.before)
        if there == was and not result.files:
            result.nothing = True
            _undone(later)
            return result
        known = {table: {was[table], *(kept.wrote[table] for kept in later if table in kept.wrote)} for table in tables}
        result.discarded = [table for table in tables if there[table] not in known[table]]
        if result.discarded and not discard:
            guard.keep_before()
            _refuse(result.discarded, guard.after, guard.before, later)
        with run.step("rehearsal"):
            write_tables(export.path, guard.before, tables, archive)
            if result.files:
                with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
                    write_files(export.path, guard.before, file)
        incoming = Incoming(archive, deployed_schema(cli, callbacks.log), "rollback", "", was)
        if not guard.agreed(incoming, lambda: _question(export, was, there, later, len(result.files))):
            result.cancelled = True
            return result
        result.present = guard.before
        # The baseline of the last import no longer describes the deployment.
        _mark_stale(folder, cli.deployment, tables, files=bool(result.files))
        after = guard.import_archive(incoming)
        with run.step("proof"):
            found = contents(after, tables)
            result.unequal = [table for table in tables if found[table] != was[table]]
            if files_that_differ(export.path, after):
                result.unequal.append(STORAGE_TABLE)
            result.changed_meanwhile = guard.changed_meanwhile(set(tables))
    if not result.unequal:
        _undone(later)
    run.ok, run.documents = result.ok, sum(content.documents for content in was.values())
    run.write(folder.path)
    return result


@contextmanager
def _temporary(path: Path) -> Iterator[None]:
    """Removes the file at ``path`` at the end, also after an error."""
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _undone(exports: Iterable[KeptExport]) -> None:
    for kept in exports:
        if not kept.undone:
            kept.marked_undone().write()


def _mark_stale(folder: Folder, target: str, tables: Iterable[str], *, files: bool) -> None:
    baselines = folder.baselines
    baseline = Baseline.usable(baselines.path(name_of(target)))
    if baseline is None:
        # An older version of supavex may have kept its own baseline here, and reads this mark.
        baselines.mark_all_stale(target)
        return
    with baseline:
        sources = [source for source, table in baseline.tables().items() if table.target in set(tables)]
    baselines.mark_stale(target, [*sources, OBJECTS] if files else sources)


def _refuse(tables: list[str], after: Path, present: Path, later: list[KeptExport]) -> None:
    expected: dict[str, Content] = {}
    for kept in later:
        expected.update(kept.wrote)
    lines = [f"{table} ({_written(table, after, present, expected[table])})" for table in tables]
    raise SupavexError(
        "WrittenSince",
        f"someone has written to the deployment since the migration: {', '.join(lines)}. To go back would lose that.",
        where=str(present),
        hint="That export, which is kept, holds it. To go back all the same: --discard-changes-since.",
    )


def _written(table: str, after: Path, present: Path, expected: Content) -> str:
    """The changes of a table since the last import: exact counts if the export after that import still exists."""
    if not after.is_file() or contents(after, [table])[table] != expected:
        count = contents(present, [table])[table].documents
        return f"{counted(expected.documents, 'document')} imported, {count} there now"
    inserted, updated, deleted = written_since(table, after, present)
    return f"{inserted} inserted, {updated} updated, {deleted} deleted"


def _question(
    export: KeptExport, was: Mapping[str, Content], there: Mapping[str, Content], later: list[KeptExport], files: int
) -> str:
    rows = [[table, there[table].documents, was[table].documents] for table in sorted(was)]
    lines = [f"Back into {export.target}: what it held at {export.at}", table_text(["table", "now", "then"], rows)]
    imports = [kept for kept in later if kept.what != "rollback" and not kept.undone]
    if len(imports) > 1:
        lines.append(f"That takes back {counted(len(imports), 'import')}.")
    if files:
        lines.append(f"And {counted(files, 'stored file')} as they were; those that came since stay.")
    return "\n".join(lines)


def rollback_lines(result: Rollback, shown: Callable[[Path], str]) -> list[str]:
    """The report for a person."""
    export = result.export
    if result.cancelled:
        return ["Cancelled: nothing was changed."]
    if result.nothing:
        return [f"{export.target} holds already what {shown(export.path)} does: proven equal, nothing was imported."]
    lines = [f"DIFFERENT: {table} is not as it was." for table in result.unequal]
    lines += [f"note: {name} was changed by someone else meanwhile." for name in result.changed_meanwhile]
    documents = sum(content.documents for content in result.tables.values())
    if not result.unequal:
        lines.append(
            f"proven equal: {counted(len(result.tables), 'table')}, {counted(documents, 'document')}, as they were at "
            f"{export.at}."
        )
        if result.files:
            lines.append(f"{counted(len(result.files), 'stored file')} put back, the others left as they are.")
    assert result.present is not None
    lines.append(f"What was there before this rollback: {shown(result.present)}")
    return lines


def export_lines(exports: Iterable[KeptExport], shown: Callable[[Path], str]) -> str:
    """The kept exports for a person, the oldest first."""
    rows = []
    for kept in exports:
        tables = ", ".join(sorted(kept.wrote)) if len(kept.wrote) <= _NAMED else counted(len(kept.wrote), "table")
        documents = sum(content.documents for content in kept.wrote.values())
        undone = "; taken back" if kept.undone else ""
        what = kept.what if kept.ended else f"{kept.what} (not ended)"
        rows.append([shown(kept.path), kept.target, kept.at, what, documents, tables + undone])
    return table_text(["before", "target", "at", "then came a", "documents", "of"], rows, left=4)


def export_json(kept: KeptExport) -> dict[str, Any]:
    """A kept export in the JSON of ``rollback --list --json``."""
    wrote = {table: content.documents for table, content in kept.wrote.items()}
    return {
        "file": str(kept.path),
        "target": kept.target,
        "at": kept.at,
        "what": kept.what,
        "takenAt": kept.taken_at,
        "wrote": wrote,
        "undone": kept.undone,
        "ended": kept.ended,
    }
