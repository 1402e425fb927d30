"""The folder of a migration, and the files in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supavex.files import close_to_others, own_folder, write_whole
from supavex.migrate.state.baselines import Baselines
from supavex.migrate.state.copies import CopyRecord, CopyRecords
from supavex.migrate.state.old_state import old_state

#: The format of report.json and proof.json.
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a migration; see :attr:`Settings.migration_folder`."""

    path: Path

    def make(self) -> None:
        """Makes the folder."""
        own_folder(self.path)
        close_to_others(self.path, ("*.*",), ("baselines", "copied", "moments"))

    @property
    def archive(self) -> Path:
        """The snapshot archive of the last migration into a deployment."""
        return self.path / "snapshot.zip"

    @property
    def changes_archive(self) -> Path:
        """The archive of the last migration of changes, with the tables that it copied."""
        return self.path / "changes.zip"

    @property
    def baselines(self) -> Baselines:
        """The baselines of the targets."""
        return Baselines(self.path / "baselines")

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

    def write_report(self, report: Mapping[str, Any]) -> None:
        """Writes the last migration's report, with the format's version."""
        _write_json(self.report, report)

    def write_proof(self, proof: Mapping[str, Any]) -> None:
        """Writes the last proof, with the format's version."""
        _write_json(self.proof, proof)

    @property
    def copies(self) -> CopyRecords:
        """The records of the copies in each target and archive."""
        return CopyRecords(self.path / "copied")

    def copied(self, target: str, archive: Path | None = None, *, asked: bool = False) -> CopyRecord:
        """The record for a proof of ``target`` (as :func:`~supavex.convex_cli.targets.deployment_of` names it).

        For an ``archive``: the record of its own run. An export has none, and then the target's counts if it was
        ``asked`` for, else the last one.
        """
        copies = self.copies
        path = self._record(target, archive, asked=asked)
        if path.is_file():
            return copies.read(path)
        if self.report.is_file() and copies.newest() is None:
            raise old_state(self.report, "run supavex migrate again", f"the folder {self.path.name}")
        return CopyRecord()

    def knows_import(self, target: str, archive: Path | None = None, *, asked: bool = False) -> bool:
        """Whether a run of this project imported rows into ``target``, or wrote ``archive``. The arguments are those of
        :meth:`copied`.
        """
        return self._record(target, archive, asked=asked).is_file()

    def _record(self, target: str, archive: Path | None, *, asked: bool) -> Path:
        """The file with the record for a proof, which may not exist."""
        copies = self.copies
        path = copies.of_target(target)
        if archive is not None:
            own = copies.of_archive(archive)
            path = own if own is not None and own.is_file() else path if asked else copies.newest() or path
        return path


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps({"version": _VERSION, **content}, indent=2, ensure_ascii=False) + "\n")


def work_folder(archive: Path) -> Path:
    """The folder for the journal and the parts of an unfinished copy into ``archive``."""
    return archive.with_name(f"{archive.name}.work")
