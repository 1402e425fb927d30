"""``supavex users``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import shown_progress
from supavex.cli.verbosity import say
from supavex.errors import UsageError
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


@click.command("users")
@project_options
@click.option("--for", "target", type=click.Choice(["clerk", "convex-auth"]), help="Default: supavex.toml's [users].")
@click.option("--out", metavar="FILE", help="Default: in .supavex/users/; of --ids: clerk_ids.csv.")
@click.option("--with-password-hashes", "hashes", is_flag=True, help="Put the hashes of passwords into the file too.")
@click.option("--ids", metavar="FILE", multiple=True, help="Clerk's list of its users: write the id file from it.")
@json_option
def command(
    folder: str,
    config: str | None,
    target: str | None,
    out: str | None,
    hashes: bool,
    ids: tuple[str, ...],
    as_json: bool,
) -> int:
    """Write the users of auth.users for Clerk's import, or as Convex Auth's documents.

    For Clerk: a JSON file as `clerk migrate import` reads it; the old id becomes the user's external_id. With --ids,
    Clerk's own list of its users becomes the id file that supavex.toml names for columns with user ids. For Convex
    Auth: a snapshot archive with users and authAccounts, proven. The files are readable by you only. Password hashes
    are in them only when asked for, and are never printed; without them users set a new password. Exit code 1:
    somebody who should be able to sign in won't.

    \b
    Examples:
      supavex users --for clerk --with-password-hashes
      supavex users --ids users-of-clerk.json
      supavex users --for convex-auth --out users.zip
    """
    from supavex.migrate.users.export import UsersOptions

    project = open_project(folder, config)
    shown = project.settings.shown
    file = None if out is None else Path(out)
    with shown_progress() as progress:
        if ids:
            if target == "convex-auth" or hashes:
                message = "--ids reads Clerk's list; no other option but --out goes with it."
                raise UsageError("UnsupportedOption", message)
            made = project.clerk_ids([Path(name) for name in ids], file, progress)
            return _show(
                made, as_json, lambda: ids_lines(made, shown), "supavex check, with that file as `ids` of the columns"
            )
        report = project.users(UsersOptions(target, file, with_password_hashes=hashes), progress)
    after = (
        f"clerk migrate import, with {shown(report.file)}; then supavex users --ids LIST.json, with Clerk's own list"
        if report.target == "clerk"
        else f"npx convex import --replace {shown(report.file)}, in the app's folder"
    )
    return _show(report, as_json, lambda: report_lines(report, shown), after)


def _show(result: UsersReport | ClerkIds, as_json: bool, lines: Callable[[], list[str]], after: str) -> int:
    if as_json:
        print_json(result.to_json())
    else:
        for line in lines():
            click.echo(line)
        say(f"Next: {after}")
    return 0 if result.ok else 1


def report_lines(report: UsersReport, shown: Callable[[Path], str]) -> list[str]:
    """The report that a person reads."""
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


_AFTER_IDS = "supavex check, with that file as `ids` of the columns with user ids"
_LEFT = {"mfaFactors": "second factor", "sessions": "session"}


def ids_lines(result: ClerkIds, shown: Callable[[Path], str]) -> list[str]:
    """The report on the id file that a person reads."""
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
