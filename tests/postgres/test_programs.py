"""PostgreSQL's programs: the wheel's, or those of a folder that supavex.toml names."""

import os
from pathlib import Path

import pytest

from supavex.errors import SupavexError, UsageError
from supavex.postgres import programs
from supavex.postgres import server as servers
from supavex.postgres.replay import Replay
from tests.databases import open_folder


def fake(folder: Path, says: str) -> Path:
    """A folder of programs whose ``postgres --version`` says ``says``."""
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_another_postgresql_replays(folder: Path) -> None:
    wheel = programs.programs()
    chosen = programs.chosen_programs(str(wheel), folder / "project")
    assert chosen == wheel.resolve()
    (folder / "1.sql").write_text("CREATE EXTENSION citext; CREATE TABLE t (a citext);")
    replay = Replay(folder / "source", [folder / "1.sql"], ["public"], postgres_bin=chosen)
    catalog, report = replay.catalog()
    assert [table.name for table in catalog] == ["t"] and report.failed == ()


def test_the_programs_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = programs.programs()
    monkeypatch.setenv("PATH", f"{wheel}{os.pathsep}{os.environ['PATH']}")
    assert programs.chosen_programs("PATH", tmp_path) == wheel.resolve()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no program postgres on PATH"):
        programs.chosen_programs("PATH", tmp_path / "project")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("postgres (PostgreSQL) 17.4", "PostgreSQL 17, which is too old"),
        ("postgres (PostgreSQL) 9.6.2", "PostgreSQL 9, which is too old"),
        ("something else", "is not PostgreSQL"),
        ("", "is not PostgreSQL"),
    ],
)
def test_programs_that_cannot_replay_are_refused(tmp_path: Path, says: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        programs.chosen_programs(str(fake(tmp_path / "bin", says)), tmp_path / "project")
    assert caught.value.exit_code == 2


def test_a_folder_without_programs_is_refused(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="holds no program initdb"):
            programs.chosen_programs(str(name), tmp_path / "project")
    with pytest.raises(UsageError, match="not an absolute path"):
        programs.chosen_programs("bin", tmp_path)


def test_no_program_of_the_project_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "app/.git").mkdir(parents=True)
    bad = fake(tmp_path / "app/evil", f"postgres (PostgreSQL) 18.1'; touch {mark}; echo '")
    (tmp_path / "link").symlink_to(bad)
    for name in (bad, tmp_path / "link"):
        with pytest.raises(UsageError, match="part of the project"):
            programs.chosen_programs(str(name), tmp_path / "app/packages/one")
    assert not mark.exists()


def test_data_of_another_major_version_are_made_anew(folder: Path) -> None:
    with servers.running(folder / "server") as server:
        servers.execute_script(server, "CREATE TABLE notes (a int)")
    before = (server.data / "PG_VERSION").stat()
    (server.data / "PG_VERSION").write_text("17\n")
    servers._keep_password(server.folder, server.password)
    with servers.running(folder / "server") as again, servers.as_superuser(again) as connection:
        assert connection.execute("SELECT to_regclass('public.notes')").fetchone() == (None,)
    assert (again.data / "PG_VERSION").stat().st_ino != before.st_ino or again.password != server.password


def test_shared_files_that_are_not_found_are_told(tmp_path: Path) -> None:
    with pytest.raises(SupavexError, match="extensions was not found"):
        programs.shared_files(fake(tmp_path / "bin", "x"))


def test_the_wheels_shared_files() -> None:
    with open_folder():
        assert (programs.shared_files(programs.programs()) / "extension" / "citext.control").is_file()
