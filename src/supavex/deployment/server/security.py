"""Authorization: the admin key, and the Host and Origin of a request (against DNS rebinding and pages of
other sites).
"""

from __future__ import annotations

import hmac
import secrets
import stat
from pathlib import Path
from urllib.parse import urlsplit

from supavex.errors import SupavexError, UsageError
from supavex.files import check_folders, read_own, write_whole

_KEY_FILE = "admin_key"


def admin_key(folder: Path, name: str) -> str:
    """The admin key of the deployment in ``folder``, made at its first start. Only its owner may read the file.

    A key that others could read, such as one in a cloned repository, is not secret, so it is replaced.
    """
    path = folder / _KEY_FILE
    check_folders(folder)
    try:
        status = path.lstat()
    except FileNotFoundError:
        status = None
    if status is not None and not (stat.S_ISREG(status.st_mode) and status.st_mode & 0o077):
        key = read_own(path).strip()
        if not key:
            raise UsageError("NoAdminKey", "the file is empty.", where=str(path), hint="Remove it.") from None
        return key
    key = f"{name}|{secrets.token_hex(32)}"
    write_whole(path, key + "\n")
    return key


def is_admin_key(expected: str, given: str) -> bool:
    """Whether ``given`` is the key, with or without an identity to act as after it; in constant time."""
    name, _, rest = given.partition("|")
    key = f"{name}|{rest.partition(':')[0]}"
    return same(expected, key)


def bad_key() -> SupavexError:
    """The error for a wrong key."""
    message = "The provided deploy key was invalid for this deployment. Double check that the environment this "
    message += "deployment is running in and the provided deploy key match."
    return SupavexError("BadDeployKey", message)


def same(left: str, right: str) -> bool:
    """Whether two secrets are equal; in constant time."""
    return hmac.compare_digest(left.encode(errors="replace"), right.encode(errors="replace"))


def given_key(authorization: str) -> str:
    """The admin key in an ``Authorization`` header; empty if there is none."""
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "convex" else ""


def host_allowed(host: str, allowed: frozenset[str]) -> bool:
    """Whether a ``Host`` header names this server: by an address, or by one of its names."""
    return _named(f"//{host}", allowed)


def origin_allowed(origin: str | None, allowed: frozenset[str]) -> bool:
    """Whether a page of ``origin`` may use this server: no page at all, or one on this machine."""
    return origin is None or _named(origin, allowed)


def _named(url: str, allowed: frozenset[str]) -> bool:
    try:
        return (urlsplit(url).hostname or "") in allowed
    except ValueError:
        return False
