"""The reports of `supavex users`: the exported users, and the id file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from supavex.text import counted, table_text

if TYPE_CHECKING:
    from supavex.migrate.users.clerk_ids import ClerkIds
    from supavex.migrate.users.report import UsersReport


_KINDS = {
    "password": "with a password",
    "emailConfirmed": "with a confirmed email",
    "emailUnconfirmed": "with an unconfirmed email",
    "phoneOnly": "with a phone and no email",
    "socialOnly": "who sign in by a provider only",
    "sso": "who sign in by SSO",
    "anonymous": "anonymous",
    "banned": "banned",
    "deleted": "deleted",
}


def report_lines(report: UsersReport, shown: Callable[[Path], str]) -> list[str]:
    """The report for a person."""
    rows: list[tuple[object, ...]] = [
        (report.users, "users"),
        *((report.kinds[kind], text) for kind, text in _KINDS.items() if report.kinds[kind]),
        *((count, f"with an identity of {name}") for name, count in sorted(report.providers.items())),
    ]
    lines = [table_text(["count", "auth.users"], rows, left=0), ""]
    for title, counts in (("not exported", report.skipped), ("remark", report.remarks)):
        for code, count in sorted(counts.items()):
            remark = report.reasons[code]
            ids = [entry["user"] for entry in report.listed if entry["code"] == code]
            who = ids[0] if count == 1 else f"such as {ids[0]}"
            lines += [f"{title}: {count} × {code} ({who}): {remark.reason}", f"    {remark.fix}"]
    if report.skipped or report.remarks:
        lines.append(f"Each of them, with its reason: {shown(report.remarks_file)}")
    if report.with_password_hashes:
        lines.append(f"{counted(report.hashes, 'password hash').replace('hashs', 'hashes')} in the file: keep it safe.")
    elif report.kinds["password"]:
        lines.append(
            f"Without password hashes: {counted(report.kinds['password'], 'user')} with a password will have to set a "
            "new one. --with-password-hashes takes them along."
        )
    left = [counted(report.left[name], noun) for name, noun in _LEFT.items() if report.left.get(name)]
    if left:
        lines.append(f"Left behind, as no import takes them: {' and '.join(left)}. Users sign in again.")
    if report.proven is not None:
        documents = ", ".join(f"{count} in {table}" for table, count in report.documents.items())
        lines.append(f"{'proven' if report.proven else 'NOT proven'}: {documents}.")
    of = "" if report.exported == report.users else f" of {report.users}"
    lines.append(f"{report.exported}{of} users, as of {report.taken_at}: {shown(report.file)}")
    return lines


_LEFT = {"mfaFactors": "second factor", "sessions": "session"}


def ids_lines(result: ClerkIds, shown: Callable[[Path], str]) -> list[str]:
    """The report on the id file for a person."""
    lines = []
    if result.without_old_id:
        lines.append(f"{counted(result.without_old_id, 'user')} of Clerk without a Supabase id as external_id.")
    if result.unknown:
        lines.append(f"{counted(result.unknown, 'id')} in the list that auth.users does not have.")
    if result.not_meant:
        lines.append(f"{counted(result.not_meant, 'user')} of auth.users that Clerk can't have (see --for clerk).")
    if result.kept:
        lines.append(f"{counted(result.kept, 'line')} of the file for other users of auth.users kept.")
    if result.dropped:
        lines.append(f"{counted(result.dropped, 'line')} of the file dropped: Clerk's list has no such user.")
    if result.missing:
        who = ", ".join(result.listed[:3]) + (", …" if result.missing > 3 else "")
        lines.append(f"missing: {counted(result.missing, 'user')} of auth.users that Clerk does not have: {who}")
    lines.append(f"{counted(result.ids, 'id')}: {shown(result.file)}")
    return lines
