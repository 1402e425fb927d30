"""What a new server begins with: made once, kept in the user's cache folder, and another cluster each time."""

import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from supavex.errors import SupavexError
from supavex.postgres import cluster
from supavex.postgres import server as servers
from supavex.postgres.programs import programs
from tests.databases import open_folder

SCRIPT = "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of a user who has none yet."""
    monkeypatch.setenv("SUPAVEX_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def made(made_once: Path, cache: Path) -> Path:
    """The archive, in the cache folder of a user who has it."""
    shutil.copytree(made_once, cache)
    (archive,) = archives(cache)
    return archive


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the archive of one server."""
    cache = tmp_path_factory.mktemp("made") / "cache"
    with pytest.MonkeyPatch.context() as patch, open_folder() as folder:
        patch.setenv("SUPAVEX_CACHE_DIR", str(cache))
        with servers.running(folder / "server", script=SCRIPT):
            pass
    return cache


@pytest.fixture
def initdbs(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that initdb was run for."""
    ran, initdb = list[Path](), cluster.initdb

    def counted(bin_folder: Path, data: Path, user: cluster.User) -> str:
        ran.append(data)
        return initdb(bin_folder, data, user)

    monkeypatch.setattr(cluster, "initdb", counted)
    return ran


def value(server: servers.Server, sql: str) -> Any:
    with servers.as_superuser(server) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return row and row[0]


def archives(cache: Path) -> list[Path]:
    return sorted((cache / "postgres").glob("*.tar"))


def test_initdb_runs_once_and_each_server_is_another_cluster(folder: Path, cache: Path, initdbs: list[Path]) -> None:
    with ExitStack() as stack:
        made = [stack.enter_context(servers.running(folder / name, script=SCRIPT)) for name in ("one", "two", "three")]
        assert [value(server, "SELECT text FROM public.notes") for server in made] == ["kept"] * 3
        identifiers = {value(server, "SELECT system_identifier FROM pg_control_system()") for server in made}
        assert len(identifiers) == len({server.password for server in made}) == 3
        assert [value(server, "SHOW data_checksums") for server in made] == ["on"] * 3
        for server in made:
            with servers.as_superuser(server) as connection:
                connection.execute("UPDATE public.notes SET text = %s", [str(server.folder)])
    assert len(initdbs) == 1
    for server in made:
        with servers.running(server.folder, script=SCRIPT) as again:
            assert value(again, "SELECT text FROM public.notes") == str(server.folder)
    with servers.running(folder / "four", script=SCRIPT) as server:
        assert value(server, "SELECT text FROM public.notes") == "kept", "what is written to a copy is its own"
    with servers.running(folder / "five") as server:
        assert value(server, "SELECT to_regclass('public.notes')::text") is None
    assert len(initdbs) == len(archives(cache)) == 2, "another script is another archive"


def test_the_archive_is_its_owners_only(made: Path, cache: Path) -> None:
    for path in (cache / "postgres", *(cache / "postgres").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert path.stat().st_uid == os.geteuid()


def test_servers_that_begin_at_the_same_time_make_one_archive(cache: Path, initdbs: list[Path]) -> None:
    with open_folder() as folder, ThreadPoolExecutor(3) as pool:

        def begun(number: int) -> Any:
            with servers.running(folder / str(number), script=SCRIPT) as server:
                return value(server, "SELECT text FROM public.notes")

        assert list(pool.map(begun, range(3))) == ["kept"] * 3
    assert len(initdbs) == len(archives(cache)) == 1


def damaged(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[: 1 << 20])


def without_checksum(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    at = content.index(b"global/pg_control\0")
    content[at + 512 : at + 516] = b"1234"
    archive.write_bytes(content)


def a_link(archive: Path) -> None:
    other = archive.with_name("other")
    archive.rename(other)
    archive.symlink_to(other)


@pytest.mark.parametrize("spoil", [damaged, without_checksum, a_link])
def test_an_archive_that_can_not_be_used_is_in_the_way_of_nothing(
    folder: Path, made: Path, initdbs: list[Path], spoil: Any
) -> None:
    spoil(made)
    with servers.running(folder / "server", script=SCRIPT) as server:
        assert value(server, "SELECT text FROM public.notes") == "kept"
    assert len(initdbs) == 1
    assert made.exists() == (spoil is a_link), "it is made again where it was damaged"


def no_home(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.delenv("SUPAVEX_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", home)


def a_file(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    cache.write_text("in the way")


@pytest.mark.parametrize("spoil", [no_home, a_file])
def test_where_nothing_can_be_kept_servers_begin_all_the_same(
    folder: Path, cache: Path, initdbs: list[Path], monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    spoil(monkeypatch, cache)
    with servers.running(folder / "server", script=SCRIPT) as server:
        assert value(server, "SELECT text FROM public.notes") == "kept"
    assert len(initdbs) == 1


def test_a_script_that_fails_leaves_no_server_that_lacks_it(folder: Path, cache: Path) -> None:
    with pytest.raises(Exception, match="nothing"), servers.running(folder / "server", script="SELECT nothing()"):
        pass
    assert archives(cache) == []
    assert not (folder / "server/password").exists(), "the next one begins anew"


def test_the_archives_of_versions_that_are_no_longer_used_go(cache: Path) -> None:
    for number in range(6):
        archive = cluster.archive_of(programs(), None, f"script {number}", Path.touch)
        assert archive is not None
        os.utime(archive, (number, number))
    assert {file.stat().st_mtime for file in archives(cache)} == {2, 3, 4, 5}


def test_time_is_told_as_supabase_tells_it_whatever_the_machine_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    with servers.running(folder / "server") as server:
        assert value(server, "SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'") == "UTC"


def test_programs_that_fail_are_told_by_initdb(folder: Path, cache: Path) -> None:
    """Where no archive can be made, the server's own folder is named."""
    fake = folder / "bin"
    fake.mkdir(0o755)
    for name, text in {"postgres": "echo 'postgres (PostgreSQL) 18.6'", "initdb": "echo 'no room' >&2; exit 1"}.items():
        (fake / name).write_text(f"#!/bin/sh\n{text}\n")
        (fake / name).chmod(0o755)
    (folder / "share").symlink_to(programs().parent / "share")
    with pytest.raises(SupavexError, match="no room") as caught, servers.running(folder / "server", bin_folder=fake):
        pass
    assert caught.value.where == str(folder / "server")
