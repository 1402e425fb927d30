"""State of another version is not read: one sentence says what to delete, whichever file it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from supavex.errors import UsageError
from supavex.migrate.state.baseline import Moment
from supavex.migrate.state.copies import Copied, Copies
from supavex.migrate.state.exports import Kept, damaged_notes, read_kept
from supavex.migrate.state.folder import Folder
from supavex.migrate.target.contents import Content


def old_record(folder: Path) -> Callable[[], object]:
    """What a copy saw and rejected, as the version before wrote it: without a version."""
    copies = Copies(folder / "copied")
    path = copies.of_target("local")
    copies.keep(path, {"public.notes"}, Copied())
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]) + '{"source": "public.notes"}\n')
    return lambda: Folder(folder).copied("local")


def newer_record(folder: Path) -> Callable[[], object]:
    copies = Copies(folder / "copied")
    path = copies.of_target("local")
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 2}\n')
    return lambda: Folder(folder).copied("local")


def report_alone(folder: Path) -> Callable[[], object]:
    """A migration's report, and no record of what its copy saw."""
    folder.mkdir()
    Folder(folder).report.write_text('{"tables": []}')
    return lambda: Folder(folder).copied("local")


def old_baseline(folder: Path) -> Callable[[], object]:
    path = Folder(folder).moments.path("local")
    with Moment.new(path, "local", "2026-01-01", {}) as moment:
        moment.database.execute("UPDATE about SET value = '0' WHERE name = 'version'")
    return lambda: Moment.open(path)


def old_export(folder: Path) -> Callable[[], object]:
    folder.mkdir()
    path = folder / "before-1.zip"
    path.touch()
    Kept(path, "cloud dev:a", "migration", "2026-01-01", "", {"notes": Content(1, "ab")}).write()
    note = path.with_suffix(".json")
    data = json.loads(note.read_text())
    assert read_kept(path).target == "cloud dev:a"
    del data["version"]
    note.write_text(json.dumps(data))
    assert damaged_notes(folder) == [note]
    return lambda: read_kept(path)


@pytest.mark.parametrize("make", [old_record, newer_record, report_alone, old_baseline, old_export])
def test_state_of_another_version_is_refused(tmp_path: Path, make: Callable[[Path], Callable[[], object]]) -> None:
    read = make(tmp_path / "migration")
    with pytest.raises(UsageError, match=r"another version of supavex wrote the file: delete .*, and .*") as caught:
        read()
    assert caught.value.code == "OldState"
    assert str(tmp_path / "migration") in str(caught.value.where)


def test_what_this_version_wrote_is_read(tmp_path: Path) -> None:
    copies = Folder(tmp_path).copies
    assert Folder(tmp_path).copied("local") == Copied()
    copies.keep(copies.of_target("local"), {"public.notes"}, Copied())
    assert Folder(tmp_path).copied("local") == Copied()
