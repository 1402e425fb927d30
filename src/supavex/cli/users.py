"""``supavex users``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import shown_progress
from supavex.cli.reports.users import ids_lines, report_lines
from supavex.cli.verbosity import log
from supavex.errors import UsageError

if TYPE_CHECKING:
    from supavex.migrate.users.clerk_ids import ClerkIds
    from supavex.migrate.users.report import UsersReport


@click.command("users")
@project_options
@click.option(
    "--for",
    "target",
    type=click.Choice(["clerk", "convex-auth"]),
    help="Where the users go. Default: [users] of supavex.toml.",
)
@click.option("--out", metavar="FILE", help="The file. Default: one in .supavex/users/; with --ids, clerk_ids.csv.")
@click.option("--with-password-hashes", "hashes", is_flag=True, help="Write password hashes into the file, too.")
@click.option("--ids", metavar="FILE", multiple=True, help="Clerk's list of its users, to write the id file from.")
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

    For Clerk: a JSON file for `clerk migrate import`. The old id becomes the user's external_id. With --ids,
    Clerk's list of its users becomes the id file that supavex.toml names for columns with user ids. For Convex
    Auth: a proven snapshot archive with users and authAccounts. Only you can read the files. They hold password
    hashes only with --with-password-hashes, and supavex never prints the hashes. Without them, users set a new
    password. The exit code is 1 if a user who should be able to sign in can't.

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
            after = "supavex check, with that file as `ids` of the columns with user ids"
            return _show(made, as_json, lambda: ids_lines(made, shown), after)
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
        log(f"Next: {after}")
    return 0 if result.ok else 1
