"""``supavex users``: exports auth.users of a project for Clerk or Convex Auth, and writes the id file from Clerk's
list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from supavex.callbacks import Progress
from supavex.errors import SupavexError, UsageError
from supavex.files import check_replaceable
from supavex.mapping.source import Source
from supavex.migrate.users.report import holds_remarks, remarks_path
from supavex.settings.settings import Settings

if TYPE_CHECKING:
    from supavex.migrate.users.clerk_ids import ClerkIds
    from supavex.migrate.users.report import UsersReport


@dataclass(frozen=True, slots=True)
class UsersOptions:
    """The target of the users, and the file."""

    #: ``clerk`` or ``convex-auth``; None: the setting of supavex.toml.
    target: str | None = None
    #: None: a file in ``.supavex/users``.
    out: Path | None = None
    #: Whether the file contains password hashes.
    with_password_hashes: bool = False


def export_users(project: Settings, options: UsersOptions, progress: Progress) -> UsersReport:
    """Exports the users of ``project``; see :mod:`supavex.migrate.users.clerk_file`."""
    target = options.target or project.users.kind
    if target is None:
        raise UsageError("NoTarget", "who takes the users?", hint="--for clerk, --for convex-auth, or [users] for = …")
    project.make_state()
    suffix = "json" if target == "clerk" else "zip"
    file = options.out.resolve() if options.out else project.state / "users" / f"{target}.{suffix}"
    try:
        if target == "clerk":
            from supavex.migrate.users.clerk_file import export_for_clerk, holds_users

            check_replaceable(file, holds_users)
            check_replaceable(remarks_path(file), holds_remarks)
            with Source(project).running() as url:
                return export_for_clerk(
                    url, file, hashes=options.with_password_hashes, progress=lambda n: progress("auth.users", n, 0)
                )
        return _for_convex_auth(project, file, hashes=options.with_password_hashes, progress=progress)
    except OSError as error:
        raise _cannot_write(error, file) from None


def _for_convex_auth(project: Settings, file: Path, *, hashes: bool, progress: Progress) -> UsersReport:
    from supavex.mapping.check import checked_plan
    from supavex.migrate.copy.archive import is_own
    from supavex.migrate.users.convex_auth import export_for_convex_auth

    check_replaceable(file, is_own)
    check_replaceable(remarks_path(file), holds_remarks)
    if project.users.kind != "convex-auth":
        hint = 'Set [users] for = "convex-auth", and put **auth_tables() into schema.py (docs/users-and-files.md).'
        raise UsageError("NotConvexAuth", "supavex.toml does not move the users to Convex Auth.", hint=hint)
    project = replace(project, users=replace(project.users, password_hashes=hashes))
    plan, _ = checked_plan(project)
    return export_for_convex_auth(plan, file, progress=progress)


def clerk_ids(project: Settings, lists: Sequence[Path], out: Path | None, progress: Progress) -> ClerkIds:
    """Writes the id file from Clerk's lists; see :func:`supavex.migrate.users.clerk_ids.write_clerk_ids`."""
    from supavex.migrate.users.clerk_ids import write_clerk_ids

    file = out.resolve() if out is not None else project.root / "clerk_ids.csv"
    try:
        with Source(project).running() as url:
            shown = [(path, str(path)) for path in lists]
            return write_clerk_ids(shown, url, file, progress=lambda n: progress("auth.users", n, 0))
    except OSError as error:
        raise _cannot_write(error, file) from None


def _cannot_write(error: OSError, file: Path) -> SupavexError:
    hint = "Nothing was replaced. Name another --out, or make room."
    return SupavexError("CannotWrite", f"{error.strerror or error}.", where=str(error.filename or file), hint=hint)
