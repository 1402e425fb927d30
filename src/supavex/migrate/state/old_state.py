"""The error for state of another version of supavex: it is not read, and the error names the file to delete."""

from __future__ import annotations

from pathlib import Path

from supavex.errors import UsageError


def old_state(path: Path, then: str, delete: str = "it") -> UsageError:
    """The error for a file of another version. ``then``: what to run once the file is deleted."""
    message = f"another version of supavex wrote the file: delete {delete}, and {then}."
    return UsageError("OldState", message, where=str(path))
