"""The file under a deployment: whose it is, what it must be, and that a transaction is all or nothing."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from supavex.deployment import Deployment
from supavex.errors import SupavexError
from tests.deployment.archives import document, documents, everything, import_entries, tables


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_files_are_their_owner_s_alone(tmp_path: Path, mask: int):
    """They hold the project's rows: no other user of the machine may read them, whatever the umask."""
    before = os.umask(mask)
    try:
        with Deployment(tmp_path / "deployment.sqlite3") as deployment:
            deployment.insert("posts", {})
            files = sorted(tmp_path.iterdir())
            assert [file.name.removeprefix("deployment.sqlite3") for file in files] == ["", "-shm", "-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


def test_closing_leaves_one_file(tmp_path: Path):
    with Deployment(tmp_path / "deployment.sqlite3") as deployment:
        deployment.insert("posts", {})
    assert [file.name for file in tmp_path.iterdir()] == ["deployment.sqlite3"]


def test_missing_folders_are_made(tmp_path: Path):
    with Deployment(tmp_path / "a" / "b" / "deployment.sqlite3") as deployment:
        assert deployment.tables() == []


@pytest.mark.parametrize("content", [b"no database\n" * 500, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes):
    path = tmp_path / "deployment.sqlite3"
    path.write_bytes(content)
    with pytest.raises(SupavexError) as caught:
        Deployment(path)
    assert (caught.value.code, caught.value.where) == ("CannotOpenDeployment", str(path))
    assert caught.value.exit_code == 2
    assert "remove it" in caught.value.hint
    assert path.read_bytes() == content


def test_a_folder_is_no_deployment(tmp_path: Path):
    with pytest.raises(SupavexError) as caught:
        Deployment(tmp_path)
    assert caught.value.code == "CannotOpenDeployment"


def test_a_place_that_can_t_be_is_named(tmp_path: Path):
    """Where a file stands in the place of a folder."""
    (tmp_path / "file").touch()
    with pytest.raises(SupavexError) as caught:
        Deployment(tmp_path / "file" / "deployment.sqlite3")
    assert caught.value.code == "CannotOpenDeployment"


def test_a_file_of_another_version_is_refused(tmp_path: Path):
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path) as deployment:
        deployment.store.connection.execute("UPDATE meta SET value = '999' WHERE key = 'format'")
    with pytest.raises(SupavexError, match="another version of supavex made the file: delete it") as caught:
        Deployment(path)
    assert (caught.value.code, caught.value.where) == ("CannotOpenDeployment", str(path))


def test_a_transaction_that_fails_leaves_nothing(deployment: Deployment):
    deployment.insert("posts", {"n": 1})
    before = everything(deployment)

    def fails() -> None:
        with deployment.store.transaction():
            deployment.insert("posts", {"n": 2})
            deployment.insert("users", {"n": 3})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert everything(deployment) == before
    deployment.insert("posts", {"n": 4})
    assert [document["n"] for document in deployment.query("posts")] == [1, 4]


def test_what_is_not_committed_no_other_sees(tmp_path: Path):
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path) as writer, Deployment(path) as reader:
        writer.insert("posts", {"n": 1})
        with writer.store.transaction():
            writer.insert("posts", {"n": 2})
            assert [document["n"] for document in reader.query("posts")] == [1]
        assert [document["n"] for document in reader.query("posts")] == [1, 2]


def test_a_writer_that_waited_in_vain_may_try_again(tmp_path: Path):
    """Another one has a transaction open; here the wait is over at once."""
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path) as writer, Deployment(path) as second:
        second.store.connection.execute("PRAGMA busy_timeout = 0")
        with writer.store.transaction():
            with pytest.raises(SupavexError) as caught:
                second.insert("posts", {})
            assert caught.value.retryable
        second.insert("posts", {})
        assert writer.count("posts") == 1


def test_the_file_is_sound(tmp_path: Path):
    """SQLite's own check, after tables were made, replaced and dropped."""
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path) as deployment:
        ids = [deployment.insert("posts", {"n": n}) for n in range(100)]
        for id_ in ids[::2]:
            deployment.delete(id_)
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        connection.close()


def test_what_is_read_at_one_moment_stays_while_an_import_takes_its_place(tmp_path: Path):
    path = tmp_path / "deployment.sqlite3"
    old = [document(10001, which, v="old") for which in range(3)]
    with Deployment(path) as deployment, Deployment(path) as other:
        import_entries(other, {**tables(posts=10001), **documents(posts=old)})
        with deployment.reading():
            first = next(deployment.documents("posts"))
            new = [document(10001, which, v="new") for which in range(5)]
            import_entries(other, {**tables(posts=10001, more=10002), **documents(posts=new, more=[])}, "replace")
            assert deployment.tables() == ["posts"]
            assert [first, *list(deployment.documents("posts"))[1:]] == old
            assert deployment.count("posts") == 3
            assert b"new" not in b"".join(deployment.blocks("posts"))
        assert (deployment.tables(), deployment.count("posts")) == (["more", "posts"], 5)
