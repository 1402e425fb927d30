"""Files that are their owner's only, that appear whole or not at all, or that one process holds at a time.

Everything in ``.supavex/`` is opened here. It holds people's data and keys, and a cloned repository may bring a
``.supavex/`` of its own, with symbolic links in it: none is followed, and no file or folder of another user is used,
also where root runs supavex.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from supavex.errors import SupavexError, UsageError

#: The folder in a project that is supavex's own.
STATE_NAME = ".supavex"
#: What holds people's data and keys beside a deployment's file.
PRIVATE_FILES, PRIVATE_FOLDERS = ("deployment.sqlite3*", "storage.key"), ("exports", "uploads", "storage", "users")
_SQLITE_FILES = ("", "-wal", "-shm", "-journal")
_WAIT_STEP_SECONDS = 0.05


def owner_only(path: str, flags: int) -> int:
    """An ``opener`` for :func:`open`, to read or to write: the file is a plain one, this user's, and its mode 0600.

    A file that is there already gets that mode, too. Raises UnsafeFile for a symbolic link, for anything that is no
    file, and for another user's file; where the file is in ``.supavex/``, for such a folder above it as well.
    """
    check_folders(Path(path).parent)
    # Nothing is cut before the file is known to be ours, and a FIFO does not block.
    kept = flags & ~os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, kept, 0o600)
    except OSError as error:
        if error.errno == errno.ENXIO or (error.errno in (errno.ELOOP, errno.EMLINK) and Path(path).is_symlink()):
            raise _unsafe(Path(path), os.lstat(path)) from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_own(status):
            raise _unsafe(Path(path), status)
        if status.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def own_folder(path: Path, *, passable: bool = False) -> Path:
    """Makes ``path`` a folder of this user's with mode 0700; one that is there already gets that mode, too.

    ``passable``: another user's process works in a folder below, as root's PostgreSQL does. For root the mode is 0711
    then, and that of ``.supavex`` always. Raises UnsafeFile for a symbolic link and for another user's folder, also
    above it in ``.supavex/``.
    """
    folders = _own_folders(path) or [path]
    folders[-1].parent.mkdir(parents=True, exist_ok=True)
    for folder in reversed(folders):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        mode = _checked_folder(folder).st_mode & 0o777
        wanted = 0o700
        if _user() == 0 and (passable or folder.name == STATE_NAME):
            wanted = 0o711
        elif _user() == 0 and folder != path:
            wanted |= mode & 0o011  # it may have a passable one in it
        if mode != wanted:
            folder.chmod(wanted)
    return path


def chosen_folder(path: Path) -> Path:
    """:func:`own_folder` for a folder in ``.supavex/`` and for one that is missing.

    Any other one is where a person wants it, and stays as it is.
    """
    if not path.exists():
        return own_folder(path)
    # What was made passable stays so, for a lock or a file that is written in it.
    return own_folder(path, passable=path.lstat().st_mode & 0o777 == 0o711) if _own_folders(path) else path


def close_to_others(folder: Path, names: Iterable[str], folders: Iterable[str]) -> None:
    """Gives what an earlier version left open to others the modes of :func:`own_folder` and :func:`owner_only`.

    ``names`` are patterns of files in ``folder``; ``folders`` are folders in it, with all that lies in them.
    """
    for name in folders:
        if (folder / name).is_symlink() or (folder / name).is_dir():
            for place, inner, files in os.walk(own_folder(folder / name)):
                for each in (*inner, *files):
                    _close(Path(place, each))
    for pattern in names:
        for file in folder.glob(pattern):
            _close(file)


def _close(path: Path) -> None:
    with suppress(FileNotFoundError):  # another process is at work there
        status = path.lstat()
        if _is_own(status) and status.st_mode & 0o077 and not stat.S_ISLNK(status.st_mode):
            path.chmod(0o700 if stat.S_ISDIR(status.st_mode) else 0o600)


def check_inside(root: Path, path: Path, what: str, where: str) -> None:
    """Raises OutsideProject where ``path``, which supavex is to write, leads out of ``root``, by itself or by links.

    ``what`` names it, and ``where`` says what names it so.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            "OutsideProject",
            f"{what} is outside of the project's folder, and supavex writes nothing there.",
            where=where,
            hint="Name a place in it. Where the app lies beside it, put supavex.toml into a folder above both.",
        )


def check_folders(folder: Path) -> None:
    """Raises UnsafeFile where ``folder``, or one above it up to ``.supavex``, is a link or another user's.

    A folder that is not in a ``.supavex`` is where a person wants it, and passes. So does one that is missing.
    """
    for each in reversed(_own_folders(folder)):
        with suppress(FileNotFoundError):
            _checked_folder(each)


def is_private_folder(folder: Path) -> bool:
    """Whether ``folder`` is this user's or the system's, and no other user may write into it."""
    status = folder.stat()
    return (_is_own(status) or status.st_uid == 0) and not status.st_mode & stat.S_IWOTH


def _own_folders(folder: Path) -> list[Path]:
    """``folder`` and those above it, up to ``.supavex``; empty where it is not in one."""
    chain = [folder, *folder.parents]
    for number, each in enumerate(chain):
        if each.name == STATE_NAME:
            return chain[: number + 1]
    return []


def _checked_folder(folder: Path) -> os.stat_result:
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode) or not _is_own(status):
        raise _unsafe(folder, status)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    return status


def _user() -> int | None:
    """The id of the user of this process; None where the system has no such thing."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def _is_own(status: os.stat_result) -> bool:
    return _user() in (None, status.st_uid)


def _unsafe(path: Path, status: os.stat_result) -> UsageError:
    if stat.S_ISLNK(status.st_mode):
        message = "a symbolic link is in a place of supavex's own, and supavex does not follow it."
        hint = "Remove the link. What supavex keeps there is made again."
    elif not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        message = "something that is neither a file nor a folder is in a place of supavex's own."
        hint = "Remove it."
    else:
        message = f"this belongs to {_user_name(status.st_uid)}, and supavex runs as {_user_name(_user() or 0)}."
        hint = "Run supavex as its owner, or remove it: supavex uses no file or folder of another user's there."
    return UsageError("UnsafeFile", message, where=str(path), hint=hint)


def _user_name(user: int) -> str:
    import pwd  # only POSIX has it, and owners with it

    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"the user with the id {user}"


def read_own(path: Path) -> str:
    """The text of a file of supavex's own; invalid UTF-8 becomes escapes. Raises as :func:`owner_only`."""
    with open(path, encoding="utf-8", errors="backslashreplace", opener=owner_only) as file:
        return file.read()


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A new text file, its owner's only, which takes the place of ``path`` when the block ends well."""
    with whole_path(path) as partial, open(partial, "x", encoding="utf-8", newline="\n", opener=owner_only) as file:
        yield file


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Where a new file is to be written, which takes the place of ``path`` when the block ends well.

    The folder is made, its owner's only, where it is missing.
    """
    chosen_folder(path.parent)
    partial = path.with_name(f"{path.name}.partial")
    # What a killed run left may be open to others: it is not written on.
    partial.unlink(missing_ok=True)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)  # a write that finds no room names no file
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Writes ``text`` (unpaired surrogates as escapes) as a :func:`whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace").decode())


def own_database(path: Path) -> Path:
    """The file of an SQLite database, its owner's only: an empty one where there is none yet.

    One that is there is not opened: to close it again would end the locks that this process has on it. Raises as
    :func:`owner_only`, also for the files that SQLite keeps beside it.
    """
    check_folders(path.parent)
    for name in _SQLITE_FILES:
        file = path.with_name(path.name + name)
        try:
            status = file.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            continue  # SQLite says what is wrong with it
        if not stat.S_ISREG(status.st_mode) or not _is_own(status):
            raise _unsafe(file, status)
        if status.st_mode & 0o077:
            file.chmod(0o600)
    if not path.exists():
        os.close(owner_only(str(path), os.O_WRONLY | os.O_CREAT))
    return path


@contextmanager
def held(path: Path, busy: Callable[[str], SupavexError], *, wait_seconds: float = 0) -> Iterator[None]:
    """Holds the lock of the file ``path`` until the block ends, waiting for up to ``wait_seconds`` for who has it.

    The folder and the file are made where they are missing; the file says the id of the process that holds it. After
    the wait, raises what ``busy`` makes of that text. The lock is the operating system's: it ends with the process,
    however that ends.
    """
    import fcntl  # only POSIX has it

    chosen_folder(path.parent)
    with open(path, "a+", encoding="utf-8", errors="replace", opener=owner_only) as file:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise busy(file.read(100).strip()) from None
                time.sleep(_WAIT_STEP_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
