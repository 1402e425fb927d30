"""Removes what a killed process left of its server: the running server, and the folder of its socket."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

from supavex.files import read_own

_STOP_SECONDS = 20


def stop_server(data: Path, owner: int) -> None:
    """Stops the server that runs on ``data``. The caller holds the folder's lock. ``owner`` is the id of the server's
    user.

    A process is only signalled if it is PostgreSQL, belongs to that user, and runs in that folder. If the id belongs to
    any other process, the file with the id is stale or forged. It is removed, because PostgreSQL does not start while a
    process has the id.
    """
    import psutil

    file = data / "postmaster.pid"
    process = _server_process(first_line(file), data, owner)
    if process is None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            file.unlink()
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGINT)  # fast shutdown
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(_STOP_SECONDS)
            return
        process.send_signal(signal.SIGQUIT)  # immediate shutdown
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(_STOP_SECONDS)


def _server_process(pid: str, data: Path, owner: int) -> psutil.Process | None:
    import psutil

    if not pid.isascii() or not pid.isdigit():
        return None
    with contextlib.suppress(psutil.Error, OSError, ValueError, OverflowError):
        process = psutil.Process(int(pid))
        # Linux adds this note to the path of a program that was replaced, as by an upgrade.
        program = Path(process.exe().removesuffix(" (deleted)")).name
        same_folder = os.path.realpath(process.cwd()) == os.path.realpath(data)
        if process.uids().real == owner and program == "postgres" and same_folder:
            return process
    return None


def socket_record(sockets: Path, folder: Path) -> str:
    """The record of the folder of sockets, for ``folder``. It names ``folder``, so that a copy of the record is
    recognized.
    """
    found = folder.stat()
    return f"{sockets}\n{found.st_dev} {found.st_ino}"


def remove_sockets(record: Path, owner: int) -> None:
    """Removes the folder of sockets that ``record``, a file of supavex, names.

    A copied record is ignored: it names the sockets of another folder's server, which may be running.
    """
    with contextlib.suppress(OSError, ValueError):
        text = read_own(record)
        sockets = Path(text.partition("\n")[0])
        if text != socket_record(sockets, record.parent):
            return
        found = sockets.lstat()
        named = sockets.parent == Path("/tmp") and sockets.name.startswith("supavex-")
        if named and stat.S_ISDIR(found.st_mode) and found.st_uid in (owner, os.geteuid()):
            shutil.rmtree(sockets, ignore_errors=True)


def first_line(path: Path) -> str:
    """The first line of a short plain file of the server's user; empty if there is no such file."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return (os.read(descriptor, 64).decode("ascii", "replace").splitlines() or [""])[0].strip()
    finally:
        os.close(descriptor)
