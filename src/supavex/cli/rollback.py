"""``supavex rollback``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.errors import UsageError
from supavex.migrate.kept import Kept, damaged_notes, every_kept_export, kept_exports, read_kept
from supavex.migrate.lock import locked
from supavex.migrate.migration import Folder
from supavex.migrate.official import CLOUD, deployment_of, official_cli
from supavex.migrate.rollback import Rollback, choose_export, export_json, listed, roll_back, rollback_lines
from supavex.project import Project


@click.command("rollback")
@click.argument("export", required=False, metavar="[BEFORE.zip]")
@project_options
@click.option("--to", metavar="TARGET", help="The deployment: `cloud`, or a URL. Default: where the export is from.")
@json_option
@click.option("--list", "every", is_flag=True, help="The kept exports, and change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--discard-changes-since", "discard", is_flag=True, help="Also over what was written there since.")
def command(
    export: str | None,
    folder: str,
    config: str | None,
    to: str | None,
    as_json: bool,
    every: bool,
    yes: bool,
    discard: bool,
) -> int:
    """Put a deployment back to what it held before a migration.

    The export that every migration by Convex's CLI takes first is kept; by default the newest is put back. Tables that
    were imported since are replaced by what they were, and proven equal; tables that came with the migration are
    emptied. What is there now is exported first, and kept too. Where someone wrote to those tables since, nothing is
    done without --discard-changes-since. Exit code 1: it is not as it was.

    \b
    Examples:
      supavex rollback --list
      supavex rollback --to cloud
    """
    project = open_project(folder, config)
    place = Folder(project.migration_folder)
    if every:
        exports = (
            every_kept_export(place.path)
            if to is None
            else kept_exports(place.path, deployment_of(project.convex_folder, to))
        )
        for note in damaged_notes(place.path):
            click.echo(f"note: {project.shown(note)} is damaged: what it says of its export is not known.", err=True)
        if as_json:
            print_json({"exports": [export_json(kept) for kept in exports]})
        else:
            click.echo(listed(exports, project.shown) if exports else "No exports are kept.")
        return 0
    result = run(project, to, None if export is None else Path(export), yes=yes, discard=discard)
    if as_json:
        print_json(result.to_json())
    else:
        for line in rollback_lines(result, project.shown):
            click.echo(line)
    return 0 if result.ok else 1


def run(project: Project, to: str | None, export: Path | None, *, yes: bool = False, discard: bool = False) -> Rollback:
    """Rolls ``project``'s deployment back; see :func:`supavex.migrate.rollback.roll_back`."""
    folder = Folder(project.migration_folder)

    def confirm(question: str) -> bool:
        click.echo(question, err=True)
        if not yes and not sys.stdin.isatty():
            raise UsageError("NotConfirmed", "there is no terminal to ask on.", hint="Add --yes to go back.")
        return yes or click.confirm("Go back?", err=True)

    if to == "local":
        hint = "`supavex migrate` writes it anew; to keep several, use `supavex serve --data DIR` and its URL."
        raise UsageError("UnsupportedTarget", "of the local deployment no exports are kept.", hint=hint)
    if to is None:
        to = _only_target(folder.path, export)
        to = CLOUD if to.split()[0] == CLOUD else to
    cli = official_cli(project.convex_folder, to)
    project.make_state()
    with locked(folder.path):
        chosen: Kept = choose_export(folder.path, cli.deployment, export)
        return roll_back(folder, cli, chosen, confirm=confirm, say=_say, discard=discard)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _only_target(folder: Path, export: Path | None) -> str:
    if export is not None:
        return read_kept(export).target
    targets = sorted({kept.target for kept in every_kept_export(folder)})
    if len(targets) != 1:
        hint = f"--to is one of {', '.join(targets)}." if targets else "supavex migrate --to … keeps one, and imports."
        many = "exports of several deployments are kept." if targets else "no exports are kept."
        raise UsageError("WhichTarget" if targets else "NothingToRollBack", many, hint=hint)
    return targets[0]
