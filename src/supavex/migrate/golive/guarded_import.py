"""An import into a deployment that only Convex's own tools reach, with a way back.

The steps, each measured: export the deployment; rehearse the archive on a copy; ask for confirmation; write a record of
the import beside the export; import the archive; complete the record; export the deployment again. The caller then
proves the result from both exports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from supavex.callbacks import Log
from supavex.convex_cli.cli import OfficialCli
from supavex.migrate.golive.rehearsal import rehearse
from supavex.migrate.state.exports import KeptExport, What, new_path
from supavex.migrate.state.folder import Folder
from supavex.migrate.state.runs import Run
from supavex.migrate.target.contents import Content, changed_tables
from supavex.text import now


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The functions that a change of a deployment calls."""

    #: Called with the pending change. Returns whether to continue.
    confirm: Callable[[str], bool]
    #: Called with each line of Convex's CLI.
    log: Log
    #: Called with the step (``copied``, ``verified``), a table, the rows done, and an estimate of all (0: unknown).
    progress: Callable[[str, str, int, int], None] = lambda step, table, rows, estimate: None


@dataclass(frozen=True, slots=True)
class Incoming:
    """An archive that is about to be imported."""

    #: The archive.
    archive: Path
    #: The JSON of the schema that the deployment has, or should have; None if unknown.
    schema: str | None
    #: The words for it.
    what: What
    #: When the snapshot of the source was taken (ISO 8601); empty for a rollback.
    taken_at: str
    #: The content of each replaced table after the import.
    wrote: Mapping[str, Content]
    #: Whether the rehearsal also takes the documents of the deployment, and not only its tables.
    whole: bool = True


def deployed_schema(cli: OfficialCli, log: Log, otherwise: str | None = None) -> str | None:
    """The JSON of the deployment's schema. If it can't be read or there is none, ``otherwise``, with a line
    in the log.
    """
    found = cli.schema_text()
    if found is None:
        how = "without a schema" if otherwise is None else "with the schema of schema.py"
        log(f"The deployment names no schema, or can't be asked for it: the import is rehearsed {how}.")
    return found or otherwise


class GuardedImport:
    """One import into the deployment of ``cli``. A context manager.

    On entry the deployment is exported to :attr:`before`, with its stored files if ``stored``. On exit that export is
    removed, unless the deployment may have changed, or :meth:`keep_before` was called.
    """

    def __init__(self, folder: Folder, cli: OfficialCli, run: Run, callbacks: Callbacks, *, stored: bool) -> None:
        self.before, self.after = new_path(folder.path), folder.path / "after.zip"
        self._cli, self._run, self._callbacks = cli, run, callbacks
        self._options = ("--include-file-storage",) if stored else ()
        self._kept = False

    def __enter__(self) -> GuardedImport:
        with self._run.step("export before"):
            self._export(self.before)
        return self

    def __exit__(self, *details: object) -> None:
        if not self._kept:
            self.before.unlink(missing_ok=True)

    def _export(self, path: Path) -> None:
        self._cli.run("export", "--path", str(path), *self._options, log=self._callbacks.log)

    def keep_before(self) -> None:
        """Keeps the export from before, although nothing is imported."""
        self._kept = True

    def agreed(self, incoming: Incoming, question: Callable[[], str]) -> bool:
        """Rehearses the import on this machine, then asks ``question``. Returns the answer."""
        with self._run.step("rehearsal"):
            rehearse(incoming.schema, self.before, incoming.archive, whole=incoming.whole)
        return self._callbacks.confirm(question())

    def import_archive(self, incoming: Incoming, imported: Callable[[], object] = lambda: None) -> Path:
        """Imports the archive, calls ``imported``, and exports the deployment again. Returns the path of that export.

        The record is written before the import begins, in case the import is interrupted.
        """
        self._kept = True
        target = self._cli.deployment
        kept = KeptExport(self.before, target, incoming.what, now(), incoming.taken_at, incoming.wrote, ended=False)
        kept.write()
        with self._run.step("import"):
            self._cli.run("import", "--replace", "--yes", str(incoming.archive), log=self._callbacks.log)
        replace(kept, ended=True).write()
        imported()
        self.after.unlink(missing_ok=True)
        with self._run.step("export after"):
            self._export(self.after)
        return self.after

    def changed_meanwhile(self, replaced: set[str]) -> list[str]:
        """The tables outside ``replaced`` whose documents differ from those before the import."""
        return changed_tables(self.before, self.after, replaced)
