"""Kept exports: what a deployment held before an import, and beside it, what the import was and what it wrote.

``before-<time>.zip`` is Convex's own export; ``before-<time>.json`` says of which target it is, which tables were
imported after it, and what they hold then. Documents are compared by digests that don't depend on their order, of their
values and not of how the JSON is written.
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
    """A kept export. ``wrote``: what the import that followed put into each table that it replaced.

    ``taken_at``: when the snapshot that was imported was taken; empty for a rollback. ``undone``: a rollback has put it
    back since.
    """

    path: Path
    target: str
    what: What
    at: str
    taken_at: str
    wrote: Mapping[str, Content]
    undone: bool = False
    #: False where it is not known that the import came to its end: it was cut short, or Convex refused it.
    ended: bool = True

    def write(self) -> None:
        """Writes what is known beside the export."""
        data: dict[str, Any] = {"version": _VERSION, **asdict(self), "path": self.path.name}
        write_whole(_note(self.path), json.dumps(data, indent=2) + "\n")

    def marked_undone(self) -> KeptExport:
        """The same, put back."""
        return replace(self, undone=True)


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def read_export(path: Path) -> KeptExport:
    """What is known of the kept export at ``path``. Raises where nothing is."""
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
    """The kept exports of ``target``, the oldest first. Those of which nothing is known are left out."""
    return [kept for kept in every_kept_export(folder) if kept.target == target]


def every_kept_export(folder: Path) -> list[KeptExport]:
    """The kept exports of all targets, the oldest first; see :func:`damaged_notes` for what is left out."""
    found = [kept for note in folder.glob("before-*.json") if (kept := _known(note)) is not None]
    return sorted(found, key=lambda kept: (kept.at, kept.path.name))


def damaged_notes(folder: Path) -> list[Path]:
    """The notes beside kept exports that can't be read, the oldest first."""
    notes = [note for note in folder.glob("before-*.json") if note.with_suffix(".zip").is_file()]
    return sorted(note for note in notes if _known(note) is None)


def _known(note: Path) -> KeptExport | None:
    try:
        return read_export(note.with_suffix(".zip"))
    except UsageError:
        return None


def stamp_of(path: Path) -> str:
    """The second at which a kept export was begun, by its name or its note's: later ones are greater."""
    return path.stem.removeprefix("before-").partition("-")[0]


def new_path(folder: Path) -> Path:
    """Where an export from before goes: named after the time (UTC), and never over another one."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"before-{stamp}{'' if n == 1 else f'-{n}'}.zip" for n in itertools.count(1))
    return next(path for name in names if not (path := folder / name).exists())
