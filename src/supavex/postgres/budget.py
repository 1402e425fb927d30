"""Limits the time and the disk space of a replay. Migration files are untrusted: a loop or a join can fill a disk.

A thread watches the folder of the server, with its log. If a limit is broken, the thread ends the sessions of the
replay, and the replay stops.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from supavex.errors import SupavexError
from supavex.postgres import server as servers
from supavex.postgres.driver import psycopg

_GB = 1 << 30
#: Bytes on disk that a byte of a file may become, and seconds that a megabyte of it may take.
_GROWTH = 20
_SECONDS_PER_MB = 1.0
#: Bytes that stay free on the disk.
_RESERVE = 512 << 20
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of every replay in gigabytes and minutes. Large files get more, by their size.

    ``wait_seconds``: how long to wait for another process that uses the database.
    """

    gigabytes: float = 4
    minutes: float = 15
    wait_seconds: float = 60

    def bytes_for(self, size: int) -> int:
        """The bytes on disk that files of ``size`` bytes may become."""
        return int(max(self.gigabytes * _GB, size * _GROWTH))

    def seconds_for(self, size: int) -> float:
        """The seconds that files of ``size`` bytes may take."""
        return max(self.minutes * 60, size / 1e6 * _SECONDS_PER_MB)


DEFAULT_LIMITS = Limits()


class Budget:
    """Watches one replay, as a context manager; :meth:`check` raises once a limit is broken."""

    def __init__(self, server: servers.Server, size: int, limits: Limits) -> None:
        self._server, self._bytes, self._seconds = server, limits.bytes_for(size), limits.seconds_for(size)
        self._broken: SupavexError | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supavex-budget", daemon=True)

    def __enter__(self) -> Budget:
        self._started = time.monotonic()
        self._first = folder_size(self._server.folder)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raises :class:`~supavex.errors.SupavexError` if a limit is broken."""
        if self._broken is not None:
            raise self._broken

    def _watch(self) -> None:
        while not self._done.wait(_POLL_SECONDS):
            self._broken = self._broken or self._problem()
            if self._broken is not None:
                self._end_sessions()

    def _problem(self) -> SupavexError | None:
        grown = folder_size(self._server.folder) - self._first
        if grown > self._bytes:
            message = f"the files have filled {grown / _GB:.1f} GB of disk; {self._bytes / _GB:.1f} GB are allowed."
            return _stopped("ReplayTooLarge", message, "replay_gb")
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(self._server.data).free
            if free < _RESERVE:
                message = f"only {free >> 20} MB are free on the disk of the replay."
                return SupavexError("DiskFull", message, where=str(self._server.data), hint="Make room.")
        if time.monotonic() - self._started > self._seconds:
            message = f"the files have run for {self._seconds / 60:.0f} minutes, which is the limit."
            return _stopped("ReplayTooSlow", message, "replay_minutes")
        return None

    def _end_sessions(self) -> None:
        with contextlib.suppress(psycopg.Error), servers.as_superuser(self._server) as connection:
            connection.execute(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
                "WHERE usename OPERATOR(pg_catalog.=) 'postgres'"
            )


def _stopped(code: str, message: str, setting: str) -> SupavexError:
    hint = f"If that is right, set {setting} under [source] in supavex.toml; or use a live database (database_url)."
    return SupavexError(code, f"The replay was stopped: {message}", hint=hint)


def folder_size(folder: Path) -> int:
    """The bytes of all files under ``folder``. Files that vanish meanwhile are not counted."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
