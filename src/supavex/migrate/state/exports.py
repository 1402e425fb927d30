"""Kept exports: the content of a deployment before an import, with a note of the import and of its rows.

``before-<time>.zip`` is Convex's own export. ``before-<time>.json`` names its target, and the tables that were imported
after it with their content. Documents are compared by digests of their values, which don't depend on the order of
documents or on the notation of JSON.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from supavex.errors import UsageError
from supavex.files import read_own, write_whole
from supavex.migrate.state.old_state import old_state
from supavex.migrate.target.contents import Content

What = Literal["migration", "changes", "rollback"]
_VERSION = 1


@dataclass(frozen=True, slots=True)
class KeptExport:
    """A kept export."""

    #: The path of the export, ``before-<time>.zip``.
    path: Path
    #: The deployment that was exported.
    target: str
    #: The kind of import that followed.
    what: What
    #: When the import began (ISO 8601, UTC).
    at: str
    #: When the imported snapshot was taken; empty for a rollback.
    taken_at: str
    #: The content of each table that the import replaced, after it.
    wrote: Mapping[str, Content]
    #: Whether a rollback has put it back.
    undone: bool = False
    #: False if the import may not have ended: it was interrupted, or Convex refused it.
    ended: bool = True

    def write(self) -> None:
        """Writes the note beside the export."""
        data: dict[str, Any] = {"version": _VERSION, **asdict(self), "path": self.path.name}
        write_whole(_note(self.path), json.dumps(data, indent=2) + "\n")

    def marked_undone(self) -> KeptExport:
        """The same export, marked as put back."""
        return replace(self, undone=True)


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def read_export(path: Path) -> KeptExport:
    """The kept export at ``path``. Raises :class:`~supavex.errors.UsageError` if it has no valid note."""
    note = _note(path)
    hint = "supavex rollback --list shows those that it can put back. By hand: npx convex import --replace FILE.zip"
    if not path.is_file():
        raise UsageError("NoExport", "there is no such export.", where=str(path), hint=hint)
    try:
        data = json.loads(read_own(note))
        if data.pop("version", None) != _VERSION:
            raise old_state(note, f"npx convex import --replace {path.name} puts the export back by hand")
        wrote = {table: Content(**content) for table, content in data.pop("wrote").items()}
        return KeptExport(**{**data, "path": path, "wrote": wrote})
    except FileNotFoundError:
        raise UsageError("UnknownExport", f"{note.name} is not beside it.", where=str(path), hint=hint) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError("UnknownExport", "the file is damaged.", where=str(note), hint=hint) from None


def kept_exports(folder: Path, target: str) -> list[KeptExport]:
    """The kept exports of ``target``, the oldest first. Those without a valid note are left out."""
    return [kept for kept in every_kept_export(folder) if kept.target == target]


def every_kept_export(folder: Path) -> list[KeptExport]:
    """The kept exports of all targets, the oldest first. :func:`damaged_notes` lists those that are left out."""
    found = [kept for note in folder.glob("before-*.json") if (kept := _known(note)) is not None]
    return sorted(found, key=lambda kept: (kept.at, kept.path.name))


def damaged_notes(folder: Path) -> list[Path]:
    """The unreadable notes of kept exports, the oldest first."""
    notes = [note for note in folder.glob("before-*.json") if note.with_suffix(".zip").is_file()]
    return sorted(note for note in notes if _known(note) is None)


def _known(note: Path) -> KeptExport | None:
    try:
        return read_export(note.with_suffix(".zip"))
    except UsageError:
        return None


def stamp_of(path: Path) -> str:
    """The second at which a kept export was begun, from its name or its note's. Later ones compare greater."""
    return path.stem.removeprefix("before-").partition("-")[0]


def new_path(folder: Path) -> Path:
    """The path of a new export. It contains the time (UTC), and never replaces another export."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"before-{stamp}{'' if n == 1 else f'-{n}'}.zip" for n in itertools.count(1))
    return next(path for name in names if not (path := folder / name).exists())
