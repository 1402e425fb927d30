"""State of another version is not read: one sentence says what to delete, whichever file it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from supavex.errors import UsageError
from supavex.migrate.state.baseline import Baseline
from supavex.migrate.state.copies import CopyRecord, CopyRecords
from supavex.migrate.state.exports import KeptExport, damaged_notes, read_export
from supavex.migrate.state.folder import Folder
from supavex.migrate.state.rejects import Reject, read_rejects, write_rejects
from supavex.migrate.state.runs import Run, read_runs
from supavex.migrate.target.contents import Content


def old_record(folder: Path) -> Callable[[], object]:
    """What a copy saw and rejected, as the version before wrote it: without a version."""
    copies = CopyRecords(folder / "copied")
    path = copies.of_target("local")
    copies.keep(path, {"public.notes"}, CopyRecord())
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]) + '{"source": "public.notes"}\n')
    return lambda: Folder(folder).copied("local")


def newer_record(folder: Path) -> Callable[[], object]:
    copies = CopyRecords(folder / "copied")
    path = copies.of_target("local")
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 4}\n')
    return lambda: Folder(folder).copied("local")


def report_alone(folder: Path) -> Callable[[], object]:
    """A migration's report, and no record of what its copy saw."""
    folder.mkdir()
    Folder(folder).report.write_text('{"tables": []}')
    return lambda: Folder(folder).copied("local")


def old_baseline(folder: Path) -> Callable[[], object]:
    path = Folder(folder).baselines.path("local")
    with Baseline.new(path, "local", "2026-01-01", {}) as baseline:
        baseline.database.execute("UPDATE about SET value = '0' WHERE name = 'version'")
    return lambda: Baseline.open(path)


def old_rejects(folder: Path) -> Callable[[], object]:
    folder.mkdir()
    path = Folder(folder).rejects
    path.write_text('{"table": "public.notes", "key": "1", "column": "x", "code": "X", "reason": "", "fix": ""}\n')
    return lambda: list(read_rejects(path))


def old_runs(folder: Path) -> Callable[[], object]:
    folder.mkdir()
    (folder / "runs.jsonl").write_text('{"command": "migrate", "target": "local"}\n')
    return lambda: read_runs(folder)


def earlier_folder(folder: Path) -> Callable[[], object]:
    (folder / "moments").mkdir(parents=True)
    return lambda: Baseline.open(Folder(folder).baselines.path("local"))


def old_export(folder: Path) -> Callable[[], object]:
    folder.mkdir()
    path = folder / "before-1.zip"
    path.touch()
    KeptExport(path, "cloud dev:a", "migration", "2026-01-01", "", {"notes": Content(1, "ab")}).write()
    note = path.with_suffix(".json")
    data = json.loads(note.read_text())
    assert read_export(path).target == "cloud dev:a"
    del data["version"]
    note.write_text(json.dumps(data))
    assert damaged_notes(folder) == [note]
    return lambda: read_export(path)


STATES = (
    old_record,
    newer_record,
    report_alone,
    old_baseline,
    earlier_folder,
    old_export,
    old_rejects,
    old_runs,
)


@pytest.mark.parametrize("make", STATES)
def test_state_of_another_version_is_refused(tmp_path: Path, make: Callable[[Path], Callable[[], object]]) -> None:
    read = make(tmp_path / "migration")
    with pytest.raises(UsageError, match=r"another version of supavex wrote the file: delete .*, and .*") as caught:
        read()
    assert caught.value.code == "OldState"
    assert str(tmp_path / "migration") in str(caught.value.where)


def test_reports_carry_their_version(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write_report({"ok": True})
    folder.write_proof({"verdict": "proven"})
    assert json.loads(folder.report.read_text()) == {"version": 1, "ok": True}
    assert json.loads(folder.proof.read_text()) == {"version": 1, "verdict": "proven"}


def test_what_this_version_wrote_is_read(tmp_path: Path) -> None:
    copies = Folder(tmp_path).copies
    assert Folder(tmp_path).copied("local") == CopyRecord()
    copies.keep(copies.of_target("local"), {"public.notes"}, CopyRecord())
    assert Folder(tmp_path).copied("local") == CopyRecord()
    Run("migrate", "local", rows=3).write(tmp_path)
    assert [run.rows for run in read_runs(tmp_path)] == [3]
    write_rejects(Folder(tmp_path).rejects, [Reject("public.notes", "1", "x", "X", "", "", b"1" * 16)])
    assert [reject.internal_id for reject in read_rejects(Folder(tmp_path).rejects)] == [b"1" * 16]
