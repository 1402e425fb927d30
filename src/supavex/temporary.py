"""Temporary folders that go, also after a kill: the next run finds those whose process is gone."""

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

#: What supavex makes temporary folders for; each is called ``supavex-NAME-…``.
Name = Literal["bundle", "dry", "export", "inspect", "proof", "rehearsal", "rules", "server"]
_NAMES = ("bundle", "dry", "export", "inspect", "proof", "rehearsal", "rules", "server")
#: The folders of versions that held no lock.
_OLDER_NAMES = (*_NAMES, "archive")
#: The file that the folder's process holds a lock on.
_OWNER = ".owner"
#: From then on a folder without that file is nobody's: it is made right after the folder.
_ABANDONED_SECONDS = 24 * 3600


@contextmanager
def temporary_folder(name: Name, where: str | None = None) -> Iterator[Path]:
    """An empty folder of this user's, removed when the block ends.

    ``where``: the folder that it is made in; by default the system's for temporary files. Folders there that an ended
    process of this user has left are removed first.
    """
    place = Path(where or tempfile.gettempdir())
    remove_abandoned(place)
    folder = Path(tempfile.mkdtemp(prefix=f"supavex-{name}-", dir=place))
    try:
        # The lock goes with the process, however that ends.
        with open(folder / _OWNER, "xb") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(place: Path) -> int:
    """Removes the temporary folders in ``place`` that ended processes of this user have left; how many."""
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
        # Between the making of the file and its lock, no process holds it.
        if time.time() - os.fstat(descriptor).st_mtime < 30:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)
