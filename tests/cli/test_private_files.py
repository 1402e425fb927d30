"""What holds people's data is its owner's only, whatever an earlier version or a cloned repository left there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.deployment.server.security import admin_key
from supavex.files import own_folder
from tests import projects
from tests.official.served import Served
from tests.projects import supavex

NOTES = (
    "CREATE TABLE notes (id uuid PRIMARY KEY, text text NOT NULL, n int); "
    "INSERT INTO notes SELECT gen_random_uuid(), 'x', g FROM generate_series(1, 9) g;"
)
SCHEMA = 'schema = define_schema({"notes": define_table({"text": v.string(), "n": v.number()})})\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield projects.write(path, schema=SCHEMA, migrations={"1.sql": NOTES})


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_ones(folder: Path) -> list[str]:
    """Files and folders of .supavex that others may read or write, PostgreSQL's own aside."""
    found = []
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except FileNotFoundError:  # a server tidies up when it starts
            continue
        if "database" not in path.parts and not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o066:
            found.append(f"{path} {stat.S_IMODE(status.st_mode):o}")
    return found


def test_what_a_migration_leaves(folder: Path) -> None:
    out = folder / "archives/all.zip"
    for command in (["build"], ["deploy"], ["migrate"], ["verify"], ["migrate", "--out", out], ["migrate"]):
        ran = supavex(*command, "-C", folder)
        assert ran.code == 0, ran.err
    assert open_ones(folder / ".supavex") == [] and stat.S_IMODE(out.stat().st_mode) == 0o600
    for path in (folder / ".supavex").rglob("*"):
        if "database" not in path.parts and path.is_file() and path.name != ".gitignore":
            path.chmod(0o644)
    for path in (".supavex", ".supavex/migration"):
        (folder / path).chmod(0o755)
    assert supavex("migrate", "-C", folder).code == 0
    assert open_ones(folder / ".supavex") == [], "what an earlier version left open is closed"


def test_what_a_server_keeps(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("storage/file", "exports/snapshot_a_1.zip", "uploads/old/part-00001"):
        (data / name).parent.mkdir(parents=True)
        (data / name).write_text("people")
    with Served(data):
        assert open_ones(data) == []
        assert (data / "storage/file").read_text() == "people"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_an_admin_key_that_others_could_read_is_replaced(tmp_path: Path, mode: int) -> None:
    folder = own_folder(tmp_path / ".supavex")
    (folder / "admin_key").write_text("supavex-local|committed\n")
    (folder / "admin_key").chmod(mode)
    key = admin_key(folder, "supavex-local")
    assert "committed" not in key and key == admin_key(folder, "supavex-local")
    assert stat.S_IMODE((folder / "admin_key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name", ["migration", "source", "users", "exports", "storage.key", "deployment.sqlite3", ".gitignore"]
)
def test_a_link_in_a_cloned_state_folder_leads_nowhere(folder: Path, name: str) -> None:
    outside = folder / "outside"
    state = own_folder(folder / ".supavex")
    if "." in name:
        outside.write_text("theirs")
    else:
        outside.mkdir()
    (state / name).symlink_to(outside)
    ran = [supavex(*command, "-C", folder) for command in (["build"], ["deploy"], ["migrate"], ["verify"])]
    if name in ("migration", "source", "deployment.sqlite3", "users", "exports"):
        assert any("UnsafeFile" in r.err and str(state / name) in r.err for r in ran), ran
    assert outside.read_text() == "theirs" if outside.is_file() else not list(outside.iterdir())


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("copied/**/*.jsonl", ["verify", "x.zip"]),
        ("runs.jsonl", ["plan-cutover"]),
        ("baselines/local.stale.json", ["changes"]),
        ("baselines/local.sqlite3", ["changes"]),
    ],
)
def test_a_link_among_what_a_migration_keeps_is_not_read(folder: Path, name: str, command: list[str]) -> None:
    for step in (["deploy"], ["migrate"], ["migrate", "--out", str(folder / "x.zip")]):
        assert supavex(*step, "-C", folder).code == 0
    outside = folder / "outside"
    outside.write_text('{"secret": "of another user"}\n')
    found = [*(folder / ".supavex/migration").glob(name)]
    for kept in found or [folder / ".supavex/migration" / name]:
        kept.unlink(missing_ok=True)
        kept.symlink_to(outside)
    if command[0] == "verify":
        command = ["verify", str(folder / "x.zip")]
    ran = supavex(*command, "-C", folder)
    assert (ran.code == 0, "UnsafeFile" in ran.err) == (False, True), ran.err + ran.out
    assert "of another user" not in ran.err + ran.out


@pytest.mark.parametrize("setting", ["convex", "lock", "schema", "summary"])
@pytest.mark.parametrize("how", ["above", "absolute", "link", "linked folder"])
def test_a_setting_that_leads_out_of_the_project_is_refused(
    folder: Path, tmp_path: Path, setting: str, how: str
) -> None:
    value = {"above": "../x", "absolute": str(tmp_path / "x"), "link": "here", "linked folder": "there/x"}[how]
    (folder / "here").symlink_to(tmp_path / "x")
    (folder / "there").symlink_to(tmp_path)
    (folder / "supavex.toml").write_text(f"{setting} = {value!r}\n")
    for command in ("check", "build", "deploy", "scaffold"):
        ran = supavex(command, "-C", folder)
        assert ran.code == 2 and "OutsideProject" in ran.err, ran.err
    assert not list(tmp_path.iterdir()) and setting in ran.err


def test_a_generated_file_that_is_a_link_is_not_written_through(folder: Path, tmp_path: Path) -> None:
    (folder / "convex").mkdir()
    (folder / "convex/schema.ts").symlink_to(tmp_path / "schema.ts")
    ran = supavex("build", "-C", folder)
    assert ran.code == 2 and "OutsideProject" in ran.err and not list(tmp_path.iterdir())
