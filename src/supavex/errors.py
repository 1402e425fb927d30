"""The base class of all errors that a person has to act on."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable
from importlib.util import find_spec

from supavex.installation import PACKAGES, install_command


class SupavexError(Exception):
    """An error that a person has to act on: what happened, where, and what to do next.

    ``code`` is stable, for programs. ``where`` names the place (``table.column``, a key, ``file:line``). ``hint`` says
    what to do. ``exit_code`` is the command line's: 1 for a failure of the work, 2 for misuse or a missing piece.
    ``retryable``: whether trying again unchanged may help. Messages never contain a password: connection strings go
    through :func:`without_password` first.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        exit_code: int = 1,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint
        self.exit_code = exit_code
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        # Unpickles from a worker process as the base class, which has all attributes.
        return _made_again, (self.code, self.message, self.where, self.hint, self.exit_code, self.retryable)

    def to_json(self) -> dict[str, object]:
        """The error as one JSON object, for ``--json``."""
        return {
            "code": self.code,
            "severity": "error",
            "where": self.where or "",
            "message": self.message,
            "hint": self.hint or "",
            "retryable": self.retryable,
        }


def _made_again(
    code: str, message: str, where: str | None, hint: str | None, exit_code: int, retryable: bool
) -> SupavexError:
    return SupavexError(code, message, where=where, hint=hint, exit_code=exit_code, retryable=retryable)


class UsageError(SupavexError):
    """Misuse or a missing piece: exit code 2."""

    def __init__(self, code: str, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(code, message, where=where, hint=hint, exit_code=2)


#: The fix for a file or folder that can't be used, by the operating system's error.
_NOT_ALLOWED = "Let this user write there, or work in a copy of the project: supavex -C DIR."
_ANOTHER_KIND = "A file is where a folder has to be, or a folder where a file has: move it away, or name another one."
_FILE_HINTS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Make room, and run the command again."),
    errno.EFBIG: "The file would be larger than this user, or the file system, allows (ulimit -f).",
    errno.EIO: "The disk or its file system does not work: look at the system's log.",
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _NOT_ALLOWED),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.EEXIST), _ANOTHER_KIND),
    errno.ENOENT: "Was it removed meanwhile, by another supavex command, say? Run the command again.",
}
_MISUSE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)


def file_error(error: OSError, code: str = "CannotUseFile", where: str | None = None) -> SupavexError:
    """The error for a file or folder that can't be used. ``where``: by default the path in ``error``."""
    return SupavexError(
        code,
        f"{error.strerror or error}.",
        where=where or (None if error.filename is None else str(error.filename)),
        hint=_FILE_HINTS.get(error.errno or 0, "Run the command again."),
        exit_code=2 if error.errno in _MISUSE else 1,
        retryable=error.errno not in _MISUSE,
    )


#: Errors about a disk instead of a file. They may not name a file.
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)

#: SQLite's primary result codes (sqlite.org/rescode.html).
_BUSY, _LOCKED, _READONLY, _IO, _CORRUPT, _FULL, _CONSTRAINT, _NO_DATABASE = 5, 6, 8, 10, 11, 13, 19, 26


#: SQLite's codes for a wrong statement or call, independent of the file. Such an error is a bug of supavex.
_WRONG = (1, 2, 20, 21, 25)


def of_database_file(error: BaseException) -> bool:
    """Whether this is SQLite's error about one of its files."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF not in (*_WRONG, _CONSTRAINT)


def database_error(error: BaseException, where: str | None = None) -> SupavexError:
    """The error for SQLite's exception (``sqlite3.Error``) about one of its files."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    reason = f"{error} ({getattr(error, 'sqlite_errorname', None) or type(error).__name__})."
    if code in (_BUSY, _LOCKED):
        hint = "Try again when it is done."
        message = f"another process is writing to the file: {reason}"
        return SupavexError("DeploymentInUse", message, where=where, hint=hint, retryable=True)
    if code in (_CORRUPT, _NO_DATABASE):
        hint = "Put a backup in its place; or remove the file: deploy and migrate make it anew."
        return SupavexError("DamagedFile", f"SQLite can't read the file: {reason}", where=where, hint=hint)
    hint = "Nothing of this change is kept."
    if code == _FULL:
        hint += " Make room on the disk, and where temporary files go (SQLITE_TMPDIR), and run the command again."
    elif code == _READONLY:
        hint += " Let this user write to the file and into its folder."
    elif code == _IO:
        hint += " Is the disk full, or a limit of file sizes set (ulimit -f)? The system's log may say more."
    exit_code = 2 if code == _READONLY else 1
    return SupavexError("CannotWrite", reason, where=where, hint=hint, exit_code=exit_code, retryable=code != _READONLY)


def missing_extra(package: str, extra: str, what: str) -> UsageError:
    """The error for an optional package that is not installed; the hint is the command that installs it here."""
    return UsageError(
        "MissingExtra",
        f"{what} needs the Python package {package}, which is not installed.",
        hint=f"Install it: {install_command([extra])}",
    )


def check_extras(extras: Iterable[str], what: str) -> None:
    """Raises MissingExtra, naming all of ``extras`` that are not fully installed, so that one command installs them."""
    missing = [package for package, extra in PACKAGES.items() if extra in extras and find_spec(package) is None]
    if missing:
        wanted = dict.fromkeys(PACKAGES[package] for package in missing)
        raise UsageError(
            "MissingExtra",
            f"{what} needs Python packages that are not installed: {', '.join(missing)}.",
            hint=f"Install them: {install_command(wanted)}",
        )


def unreadable(code: str, what: str, where: str, error: OSError | UnicodeDecodeError) -> UsageError:
    """The error for a text file of the project, called ``what`` in the message, that can't be read."""
    if isinstance(error, UnicodeDecodeError):
        return UsageError(code, f"{what} is not UTF-8: {error}.", where=where, hint="Save the file as UTF-8.")
    hint = "Name a file that this user can read, or let this user read it."
    return UsageError(code, f"{what} can't be read: {error.strerror}.", where=where, hint=hint)


#: Modules of Python's library that only POSIX systems have, and that supavex uses.
POSIX_MODULES = ("fcntl", "pwd", "resource")


def check_system() -> None:
    """Raises UnsupportedSystem on Windows, whose file locks and file owners differ from what supavex needs."""
    if sys.platform == "win32":
        raise unsupported_system()


def unsupported_system() -> UsageError:
    """The error for a system without what supavex needs."""
    return UsageError(
        "UnsupportedSystem",
        "supavex runs on Linux and macOS, and on Windows inside WSL only.",
        hint="Install WSL (`wsl --install`), and install and run supavex in its Linux.",
    )
