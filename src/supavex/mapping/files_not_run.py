"""Findings about the files of a replay: files that were not run, and remarks on the others."""

from __future__ import annotations

from supavex.diagnostics import Diagnostic
from supavex.postgres.report import Report


def file_diagnostics(report: Report | None) -> list[Diagnostic]:
    """A note for each file or psql command that was not run, and for each remark on how files were run."""
    if report is None:
        return []
    hint = "docs/running-files.md says which files are run."
    found = [
        # An entry with a line is a psql command, which might have loaded rows.
        Diagnostic("NotRun", "warning" if ":" in item.file else "note", f"{item.reason}.", item.file, hint)
        for item in report.not_run
    ]
    return found + [Diagnostic("FilesRun", "note", note) for note in report.notes]
