"""Files that hold people's data: only their owner reads them, and they appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def owner_only(path: str, flags: int) -> int:
    """An ``opener`` for :func:`open`: the file is its owner's (0600), also where one was there before."""
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A new text file, its owner's only, which takes the place of ``path`` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    # What a killed run left may be open to others: it is not written on.
    partial.unlink(missing_ok=True)
    try:
        with open(partial, "w", encoding="utf-8", newline="\n", opener=owner_only) as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Writes ``text`` (what is no Unicode in it, as escapes) as a :func:`whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace").decode())


def own_database(path: Path) -> Path:
    """The file of an SQLite database, its owner's only: an empty one where there is none yet.

    One that is there is not opened: to close it again would end the locks that this process has on it.
    """
    if path.exists():
        path.chmod(0o600)
    else:
        os.close(owner_only(str(path), os.O_WRONLY | os.O_CREAT))
    return path
