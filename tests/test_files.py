"""Files of supavex's own: no link is followed, no other user's file is used, and nobody else reads them."""

import multiprocessing
import os
import pwd
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

import pytest

from supavex.errors import SupavexError, UsageError
from supavex.files import check_folders, chosen_folder, held, own_database, own_folder, owner_only, read_own, whole_file

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def give_away(path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


def touch(path: Path, how: str) -> None:
    with open(path, how, opener=owner_only):
        pass


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return own_folder(tmp_path / ".supavex")


@pytest.mark.parametrize("how", ["r", "w", "a", "r+", "a+"])
def test_a_link_is_followed_neither_to_read_nor_to_write(state: Path, how: str) -> None:
    outside = state.parent / "outside"
    outside.write_text("theirs")
    (state / "file").symlink_to(outside)
    with pytest.raises(UsageError, match="symbolic link") as caught:
        touch(state / "file", how)
    assert caught.value.code == "UnsafeFile" and caught.value.where == str(state / "file")
    assert outside.read_text() == "theirs"


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_linked_folder_is_refused_up_to_the_state_folder(tmp_path: Path, depth: int) -> None:
    folders = [tmp_path / ".supavex", tmp_path / ".supavex/migration", tmp_path / ".supavex/migration/parts"]
    elsewhere = tmp_path / "elsewhere/migration/parts"
    elsewhere.mkdir(parents=True)
    if depth:
        own_folder(folders[depth - 1])
    folders[depth].symlink_to([tmp_path / "elsewhere", tmp_path / "elsewhere/migration", elsewhere][depth])
    for use in (own_folder, check_folders):
        with pytest.raises(UsageError, match="symbolic link"):
            use(folders[2])
    for how in ("w", "a", "x"):
        with pytest.raises(UsageError, match="symbolic link"):
            touch(folders[2] / "file", how)
    with pytest.raises(UsageError, match="symbolic link"), whole_file(folders[2] / "file"):
        pass
    with pytest.raises(UsageError, match="symbolic link"):
        own_database(folders[2] / "file")
    assert not list(elsewhere.iterdir())


@as_root
def test_another_users_file_and_folder_are_refused_under_root_too(state: Path) -> None:
    file = state / "admin_key"
    file.write_text("theirs")
    give_away(file)
    for how in ("r", "w", "a"):
        with pytest.raises(UsageError, match="belongs to the user nobody"):
            touch(file, how)
    with pytest.raises(UsageError, match="belongs to the user nobody"):
        own_database(file)
    assert file.read_text() == "theirs" and file.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    folder = own_folder(state / "exports")
    give_away(folder)
    with pytest.raises(UsageError, match="belongs to the user nobody"):
        own_folder(folder)
    with pytest.raises(UsageError, match="belongs to the user nobody"), whole_file(folder / "file"):
        pass
    assert not list(folder.iterdir())


def test_what_is_no_file_is_refused_and_holds_nobody_up(state: Path) -> None:
    os.mkfifo(state / "pipe")
    for how in ("r", "w"):
        with pytest.raises(UsageError, match="neither a file nor a folder"):
            touch(state / "pipe", how)


@pytest.mark.parametrize("name", ["d.sqlite3", "d.sqlite3-wal", "d.sqlite3-shm", "d.sqlite3-journal"])
def test_a_database_is_no_link_and_neither_are_the_files_beside_it(state: Path, name: str) -> None:
    (state / name).symlink_to(state.parent / "outside")
    with pytest.raises(UsageError, match="symbolic link"):
        own_database(state / "d.sqlite3")


def test_what_others_could_read_is_the_owners_again(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = tmp_path / ".supavex" / "exports"
        folder.mkdir(parents=True)
        (folder / "old").write_text("people")
        with closing(sqlite3.connect(folder / "d.sqlite3")) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE t (a)")
            own_folder(folder)
            own_database(folder / "d.sqlite3")
            assert {mode(file) for file in folder.glob("d.sqlite3*")} == {0o600}
        assert read_own(folder / "old") == "people"
        with whole_file(folder / "new") as file:
            file.write("people")
        with held(folder / "lock", lambda _: SupavexError("Busy", "busy")):
            pass
    finally:
        os.umask(before)
    assert mode(folder) == 0o700 and mode(tmp_path / ".supavex") in (0o700, 0o711)
    assert {file.name: mode(file) for file in folder.iterdir()} == dict.fromkeys(
        ("old", "new", "lock", "d.sqlite3"), 0o600
    )


def test_a_folder_that_a_person_chose_keeps_its_mode(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    chosen.mkdir(mode=0o755)
    assert mode(chosen_folder(chosen)) == 0o755
    assert mode(chosen_folder(tmp_path / "made/here")) == 0o700
    with whole_file(chosen / "file") as file:
        file.write("people")
    assert mode(chosen / "file") == 0o600 and mode(chosen) == 0o755


def test_a_file_that_is_not_finished_does_not_take_the_place_of_the_one_before(state: Path) -> None:
    with whole_file(state / "report") as file:
        file.write("old")
    with suppress(KeyError), whole_file(state / "report") as file:
        file.write("new")
        raise KeyError
    assert read_own(state / "report") == "old" and [each.name for each in state.iterdir()] == ["report"]


def test_a_link_in_the_place_of_an_unfinished_file_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    (tmp_path / "report.partial").symlink_to(outside)
    with whole_file(tmp_path / "report") as file:
        file.write("ours")
    assert outside.read_text() == "theirs" and (tmp_path / "report").read_text() == "ours"


def _hold(path: Path, ready: "multiprocessing.Event", end: "multiprocessing.Event") -> None:  # type: ignore[valid-type]
    with held(path, lambda _: SupavexError("Busy", "busy")):
        ready.set()  # type: ignore[attr-defined]
        end.wait()  # type: ignore[attr-defined]


def test_one_process_holds_a_lock_and_a_second_hears_which(state: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(state / "lock", ready, end))
    process.start()
    try:
        assert ready.wait(60)
        with pytest.raises(SupavexError) as caught, held(state / "lock", lambda by: SupavexError("Busy", by)):
            pass
        assert caught.value.message == str(process.pid)
        end.set()
        with held(state / "lock", lambda by: SupavexError("Busy", by), wait_seconds=60):
            pass
    finally:
        end.set()
        process.join()
