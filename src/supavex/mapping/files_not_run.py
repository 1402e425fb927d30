"""What a replay says of files: those that were not run, and how the others were."""

from __future__ import annotations

from supavex.diagnostics import Diagnostic
from supavex.postgres.report import Report


def file_diagnostics(report: Report | None) -> list[Diagnostic]:
    """A note for each file or psql command that was not run, and for each remark on how files were run."""
    if report is None:
        return []
    found = [
        Diagnostic("NotRun", "note", f"{item.reason}.", item.file, "docs/running-files.md says which files are run.")
        for item in report.not_run
    ]
    return found + [Diagnostic("FilesRun", "note", note) for note in report.notes]
