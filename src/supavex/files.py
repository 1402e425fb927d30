"""Files that only their owner can read, that appear whole or not at all, or that one process holds at a time.

Everything in ``.supavex/`` is opened here. It holds people's data and keys. A cloned repository may bring its own
``.supavex/`` with symbolic links, so no link is followed, and no file or folder of another user is used, even if root
runs supavex.
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

#: The name of supavex's own folder in a project.
STATE_NAME = ".supavex"
#: Files and folders with people's data and keys beside a deployment's file.
PRIVATE_FILES, PRIVATE_FOLDERS = ("deployment.sqlite3*", "storage.key"), ("exports", "uploads", "storage", "users")
_SQLITE_FILES = ("", "-wal", "-shm", "-journal")
_WAIT_STEP_SECONDS = 0.05


def owner_only(path: str, flags: int) -> int:
    """An ``opener`` for :func:`open`: the file has to be a plain file of this user, and gets mode 0600.

    An existing file gets that mode, too. Raises UnsafeFile for a symbolic link, for anything other than a file, and for
    another user's file; in ``.supavex/`` also for such a folder above it.
    """
    check_folders(Path(path).parent)
    # O_TRUNC is left out until the file is known to be ours, and O_NONBLOCK keeps a FIFO from blocking.
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
    """Makes ``path`` a folder of this user with mode 0700. An existing folder gets that mode, too.

    ``passable``: another user's process works in a folder below, as root's PostgreSQL does. For root the mode is then
    0711, and for ``.supavex`` always. Raises UnsafeFile for a symbolic link and for another user's folder, also above
    it in ``.supavex/``.
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
            wanted |= mode & 0o011  # A passable folder may be inside.
        if mode != wanted:
            folder.chmod(wanted)
    return path


def chosen_folder(path: Path) -> Path:
    """:func:`own_folder` for a folder in ``.supavex/`` and for a missing one.

    Any other folder was chosen by a person, and is not changed.
    """
    if not path.exists():
        return own_folder(path)
    # A passable folder stays passable, although a lock or file is written in it.
    return own_folder(path, passable=path.lstat().st_mode & 0o777 == 0o711) if _own_folders(path) else path


def close_to_others(folder: Path, names: Iterable[str], folders: Iterable[str]) -> None:
    """Gives files and folders of earlier versions the modes of :func:`own_folder` and :func:`owner_only`.

    ``names`` are patterns of files in ``folder``. ``folders`` are folders in it, with all their contents.
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
    with suppress(FileNotFoundError):  # Another process may remove the file meanwhile.
        status = path.lstat()
        if _is_own(status) and status.st_mode & 0o077 and not stat.S_ISLNK(status.st_mode):
            path.chmod(0o700 if stat.S_ISDIR(status.st_mode) else 0o600)


def check_inside(root: Path, path: Path, what: str, where: str) -> None:
    """Raises OutsideProject if ``path``, which supavex is about to write, leads out of ``root``, directly or by links.

    ``what`` is its name in the message, and ``where`` the place of the setting.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            "OutsideProject",
            f"{what} is outside of the project's folder, and supavex writes nothing there.",
            where=where,
            hint="Name a place in it. Where the app lies beside it, put supavex.toml into a folder above both.",
        )


def check_replaceable(path: Path, is_own: Callable[[Path], bool], option: str = "--out") -> None:
    """Raises FileInTheWay if ``path`` is a file with contents that supavex did not write, which ``is_own`` decides.

    ``option`` is the option of the command line that names the file.
    """
    if path.is_file() and path.stat().st_size and not is_own(path):
        message = "supavex did not write this file, and does not replace it."
        hint = f"Choose another {option}, or move the file away."
        raise UsageError("FileInTheWay", message, where=str(path), hint=hint)


def begins_with(path: Path, beginnings: tuple[str, ...]) -> bool:
    """Whether the text of a file begins with one of ``beginnings``."""
    with path.open("rb") as file:
        return any(file.read(len(each.encode())) == each.encode() or file.seek(0) for each in beginnings)


def check_folders(folder: Path) -> None:
    """Raises UnsafeFile if ``folder``, or one above it up to ``.supavex``, is a link or another user's.

    A folder outside ``.supavex`` was chosen by a person, and passes. A missing folder passes, too.
    """
    for each in reversed(_own_folders(folder)):
        with suppress(FileNotFoundError):
            _checked_folder(each)


def is_private_folder(folder: Path) -> bool:
    """Whether ``folder`` belongs to this user or the system, and no other user may write into it."""
    status = folder.stat()
    return (_is_own(status) or status.st_uid == 0) and not status.st_mode & stat.S_IWOTH


def _own_folders(folder: Path) -> list[Path]:
    """``folder`` and those above it, up to ``.supavex``; empty outside ``.supavex``."""
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
    """The id of this process's user; None on systems without user ids."""
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
    import pwd  # The module exists only on POSIX systems, as owners of files do.

    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"the user with the id {user}"


def read_own(path: Path) -> str:
    """The text of a file of supavex; invalid UTF-8 becomes escapes. Raises as :func:`owner_only`."""
    with open(path, encoding="utf-8", errors="backslashreplace", opener=owner_only) as file:
        return file.read()


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A new text file, readable by its owner only. It replaces ``path`` when the block ends without an error."""
    with whole_path(path) as partial, open(partial, "x", encoding="utf-8", newline="\n", opener=owner_only) as file:
        yield file


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """The path for a new file, which replaces ``path`` when the block ends without an error.

    A missing folder is made, readable by its owner only.
    """
    chosen_folder(path.parent)
    if path.exists() and not path.is_file() and not path.is_dir():
        # A rename over a device, such as /dev/null, would remove it.
        message = "this is neither a file nor a folder, and supavex replaces files only."
        raise UsageError("FileInTheWay", message, where=str(path), hint="Name a file.")
    partial = path.with_name(f"{path.name}.partial")
    # The partial file of a killed run may be readable by others, so it is not reused.
    partial.unlink(missing_ok=True)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)  # A write to a full disk raises an error without a file name.
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Writes ``text`` (unpaired surrogates as escapes) as a :func:`whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace").decode())


def own_database(path: Path) -> Path:
    """The file of an SQLite database, readable by its owner only. It is created empty if it is missing.

    An existing file is not opened, because closing it would end this process's locks on it. Raises as
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
            continue  # SQLite reports what is wrong with it.
        if not stat.S_ISREG(status.st_mode) or not _is_own(status):
            raise _unsafe(file, status)
        if status.st_mode & 0o077:
            file.chmod(0o600)
    if not path.exists():
        os.close(owner_only(str(path), os.O_WRONLY | os.O_CREAT))
    return path


@contextmanager
def held(path: Path, busy: Callable[[str], SupavexError], *, wait_seconds: float = 0) -> Iterator[None]:
    """Holds the lock of the file ``path`` until the block ends, and waits up to ``wait_seconds`` for another holder.

    A missing folder or file is made. The file contains the id of the process that holds it. After the wait, raises the
    error that ``busy`` makes of that text. The operating system releases the lock when the process ends, even if it is
    killed.
    """
    import fcntl  # The module exists only on POSIX systems.

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
