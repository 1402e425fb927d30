"""Temporary folders that are always removed. After a kill, the next run removes the folders of ended processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

#: The purposes of temporary folders, which are part of their names: ``supavex-NAME-…``.
Name = Literal["bundle", "dry", "export", "inspect", "proof", "rehearsal", "rules", "server"]
_NAMES = ("bundle", "dry", "export", "inspect", "proof", "rehearsal", "rules", "server")
#: The names of earlier versions' folders, which had no lock.
_OLDER_NAMES = (*_NAMES, "archive")
#: The file in a folder that its process keeps locked.
_OWNER = ".owner"
#: A folder older than this without that file is abandoned: the file is made right after the folder.
_ABANDONED_SECONDS = 24 * 3600


@contextmanager
def temporary_folder(name: Name, where: str | None = None) -> Iterator[Path]:
    """An empty folder of this user, removed when the block ends.

    ``where``: the folder around it; by default the system's temporary folder. Folders of this user's ended processes
    are removed there first.
    """
    place = Path(where or tempfile.gettempdir())
    remove_abandoned(place)
    folder = Path(tempfile.mkdtemp(prefix=f"supavex-{name}-", dir=place))
    try:
        # The operating system releases the lock when the process ends, even if it is killed.
        with open(folder / _OWNER, "xb") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(place: Path) -> int:
    """Removes the temporary folders in ``place`` of this user's ended processes. Returns their number."""
    removed = 0
    for name in _OLDER_NAMES:
        for folder in place.glob(f"supavex-{name}-*"):
            with suppress(OSError):
                removed += _remove(folder)
    return removed


def _remove(folder: Path) -> bool:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return False
    try:
        descriptor = os.open(folder / _OWNER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        if time.time() - found.st_mtime < _ABANDONED_SECONDS:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between creating the file and locking it, a living process does not hold the lock.
        if time.time() - os.fstat(descriptor).st_mtime < 30:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)
