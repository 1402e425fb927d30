"""The folder of a migration, and the files in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from supavex.files import close_to_others, own_folder
from supavex.migrate.state.baselines import Moments
from supavex.migrate.state.copies import Copied, Copies
from supavex.migrate.state.old_state import old_state


@dataclass(frozen=True, slots=True)
class Folder:
    """The files that a migration leaves; see :attr:`Settings.migration_folder`."""

    path: Path

    def make(self) -> None:
        """Makes the folder."""
        own_folder(self.path)
        close_to_others(self.path, ("*.*",), ("moments", "copied"))

    @property
    def archive(self) -> Path:
        """The snapshot archive of the last migration into a deployment."""
        return self.path / "snapshot.zip"

    @property
    def changes_archive(self) -> Path:
        """The same of the last migration of changes: the tables that it took."""
        return self.path / "changes.zip"

    @property
    def moments(self) -> Moments:
        """The moments of which something is in a deployment."""
        return Moments(self.path / "moments")

    @property
    def rejects(self) -> Path:
        """Every rejected row of the last migration, one JSON object a line."""
        return self.path / "rejects.jsonl"

    @property
    def report(self) -> Path:
        """The last migration's report as JSON; beside it as Markdown."""
        return self.path / "report.json"

    @property
    def proof(self) -> Path:
        """The last proof as JSON."""
        return self.path / "proof.json"

    @property
    def proof_page(self) -> Path:
        """The last proof as a page."""
        return self.path / "proof.html"

    @property
    def copies(self) -> Copies:
        """What is known of the copies behind what each target and archive holds."""
        return Copies(self.path / "copied")

    def copied(self, target: str, archive: Path | None = None, *, asked: bool = False) -> Copied:
        """What a proof of ``target`` (as :func:`~supavex.convex_cli.targets.deployment_of` names it) is held against.

        Of an ``archive``: its own run, else, for it may be an export, that of ``target``, where that was ``asked`` for,
        else the last one.
        """
        copies = self.copies
        path = self._record(target, archive, asked=asked)
        if path.is_file():
            return copies.read(path)
        if self.report.is_file() and copies.newest() is None:
            raise old_state(self.report, "run supavex migrate again", f"the folder {self.path.name}")
        return Copied()

    def knows_import(self, target: str, archive: Path | None = None, *, asked: bool = False) -> bool:
        """Whether a run of this project brought rows to ``target``, or into ``archive``; as for :meth:`copied`."""
        return self._record(target, archive, asked=asked).is_file()

    def _record(self, target: str, archive: Path | None, *, asked: bool) -> Path:
        """The file that says what a proof is held against; it may not be there."""
        copies = self.copies
        path = copies.of_target(target)
        if archive is not None:
            own = copies.of_archive(archive)
            path = own if own is not None and own.is_file() else path if asked else copies.newest() or path
        return path


def work_folder(archive: Path) -> Path:
    """Where the copy into ``archive`` keeps its journal and its parts until it is done."""
    return archive.with_name(f"{archive.name}.work")
