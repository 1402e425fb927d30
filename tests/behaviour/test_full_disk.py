"""A disk without room, a file that can't be written, and one that is locked: an error that says what to do."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v
from supavex.scratch import scratch_database
from tests import projects
from tests.projects import supavex


@pytest.fixture(scope="module")
def moved() -> Iterator[Path]:
    with projects.folder() as path:
        projects.copy_of_my21staff(path)
        assert supavex("deploy", "-C", path).code == 0
        assert supavex("migrate", "-C", path).code == 0
        yield path


SCHEMA = define_schema({"a": define_table({"n": v.string()})})


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(tmp_path / "deployment.sqlite3") as opened:
        opened.create_table("a", 20_000)  # a number that no archive has
        opened.push(SCHEMA.export())
        yield opened


def fill(deployment: Deployment) -> None:
    """No page more may be taken: SQLite says what it says of a full disk."""
    (pages,) = deployment.store.connection.execute("PRAGMA page_count").fetchone()
    deployment.store.connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_write_into_a_full_deployment_is_refused_whole(deployment: Deployment) -> None:
    fill(deployment)

    def write() -> None:
        with deployment.transaction():
            for _ in range(100):
                deployment.insert("a", {"n": "x" * 2000})

    with pytest.raises(SupavexError) as caught:
        write()
    assert (caught.value.code, caught.value.where) == ("CannotWrite", str(deployment.path))
    assert "Make room" in (caught.value.hint or "")
    assert deployment.count("a") == 0, "the transaction is taken back"


def test_a_push_and_an_import_into_a_full_deployment_are_refused_whole(moved: Path, deployment: Deployment) -> None:
    fill(deployment)
    more = {f"b{number}": define_table({}) for number in range(40)}
    with pytest.raises(SupavexError) as caught:
        deployment.push(define_schema({"a": define_table({"n": v.string()}), **more}).export())
    assert caught.value.code == "CannotWrite"
    assert deployment.tables() == ["a"]
    with (
        SnapshotArchive(moved / ".supavex/migration/snapshot.zip") as archive,
        pytest.raises(SupavexError) as caught,
    ):
        import_snapshot(deployment, archive, "replaceAll")
    assert caught.value.code == "CannotWrite"
    assert deployment.tables() == ["a"]


def test_a_deployment_that_another_process_writes_to_is_in_use(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.store.connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(deployment.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SupavexError) as caught:
            deployment.insert("a", {"n": ""})
        other.execute("ROLLBACK")
    assert (caught.value.code, caught.value.retryable) == ("DeploymentInUse", True)
    assert deployment.insert("a", {"n": ""})


def test_a_deployment_that_may_only_be_read_says_so(deployment: Deployment) -> None:
    deployment.store.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(SupavexError) as caught:
        deployment.insert("a", {"n": ""})
    assert (caught.value.code, caught.value.exit_code) == ("CannotWrite", 2)


def test_a_temporary_database_without_room_says_where_it_is() -> None:
    with closing(scratch_database()) as database:
        database.execute("CREATE TABLE a (n)")
        database.execute("PRAGMA max_page_count = 3")
        with pytest.raises(SupavexError) as caught:
            database.executemany("INSERT INTO a VALUES (?)", (("x" * 2000,) for _ in range(100)))
    assert caught.value.code == "CannotWrite"
    assert "temporary files" in (caught.value.where or "")


def test_a_file_that_finds_no_room_is_named(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from supavex.files import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: write_whole(Path(sys.argv[1]), 'x' * 9999)\n"
        "except OSError as error: print(error.filename)"
    )
    target = tmp_path / "report.json"
    ran = subprocess.run([sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(target)
    assert list(tmp_path.iterdir()) == []


def mount(*arguments: str | Path) -> None:
    """Mounts something; where nobody may, there is nothing to try it on."""
    if os.geteuid() != 0 or subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small file system")


def free(folder: Path) -> int:
    """Bytes that are free on a folder's file system."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


@pytest.mark.parametrize("command", [["deploy"], ["verify"], ["migrate"], ["migrate", "--out", "a.zip"]])
def test_a_full_disk_under_the_project_is_no_traceback(moved: Path, command: list[str]) -> None:
    """A file system of its own that is full. PostgreSQL's files are on another: its start makes room on theirs."""
    with projects.folder() as folder, projects.folder() as elsewhere, contextlib.ExitStack() as mounted:
        mount("-t", "tmpfs", "-o", "size=100m", "tmpfs", folder)
        mounted.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
        folder.chmod(0o755)
        elsewhere.chmod(0o755)
        subprocess.run(["cp", "-a", f"{moved}/.", str(folder)], check=True)
        source = folder / ".supavex/source"
        subprocess.run(["mv", source, elsewhere / "source"], check=True)  # with its owner
        source.mkdir()
        mount("--bind", elsewhere / "source", source)
        mounted.callback(subprocess.run, ["umount", "-l", str(source)], check=True)
        (folder / ".supavex/deployment.sqlite3-wal").unlink(missing_ok=True)
        with (folder / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while ballast.write(bytes(4096)):
                pass
        assert free(folder) == 0
        ran = subprocess.run(
            [sys.executable, "-c", "from supavex.cli.main import main; main()", *command, "-C", str(folder)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=folder,
            check=False,
        )
        assert "Traceback" not in ran.stderr, ran.stderr
        assert ran.returncode in (1, 2), f"{free(folder)} bytes are free\n{ran.stdout}"
        assert "error" in ran.stderr, ran.stderr
