"""``supavex users``: writes the users of ``auth.users`` for Clerk's import, with remarks on single users.

Password hashes are only read if requested, and only the file has them: no report, message or log.
"""

from __future__ import annotations

from pathlib import Path

from supavex.files import begins_with, whole_file
from supavex.migrate.users.clerk_user import clerk_user, hasher_of, why_not
from supavex.migrate.users.report import UserProgress, UsersReport, listed_users, remarks_path, say_remark


def holds_users(path: Path) -> bool:
    """Whether ``path`` looks like a file of :func:`export_for_clerk`."""
    return begins_with(path, ('[\n{"userId": ', "[\n]"))


def export_for_clerk(
    url: str, file: Path, *, hashes: bool = False, progress: UserProgress = lambda done: None
) -> UsersReport:
    """Writes the users at ``url`` to ``file`` for Clerk's import: a JSON array, one object a line.

    ``hashes``: with the password hashes. The file can be read by its owner only, and appears when it is whole; so does
    the file of remarks beside it. Raises :class:`~supavex.errors.SupavexError` if the source can't be read.
    """
    report = UsersReport("clerk", file, remarks_path(file), hashes)

    with whole_file(file) as out, whole_file(report.remarks_file) as remarked:
        out.write("[")
        for user in listed_users(url, report, progress):
            reason = why_not(user)
            if reason is not None:
                say_remark(report, report.skipped, user.id, reason, remarked)
                continue
            text, remarks = clerk_user(user, hashes=hashes)
            out.write(f"{',' if report.exported else ''}\n{text}")
            report.exported += 1
            report.hashes += user.password_hash is not None and hasher_of(user.password_hash) is not None
            for remark in remarks:
                say_remark(report, report.remarks, user.id, remark, remarked)
        out.write("\n]\n")
    return report
