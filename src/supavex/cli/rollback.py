"""``supavex rollback``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from supavex.cli.completion import complete_target
from supavex.cli.options import confirmed, json_option, open_project, print_json, project_options
from supavex.cli.targets import target_option
from supavex.cli.verbosity import log, next_step


@click.command("rollback")
@click.argument("export", required=False, metavar="[BEFORE.zip]")
@project_options
@click.option(
    "--to",
    metavar="TARGET",
    shell_complete=complete_target,
    help="The deployment: `cloud`, or a URL. Default: where the export is from.",
)
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
    from supavex.migrate.golive.project_rollback import RollbackOptions
    from supavex.migrate.golive.rollback import export_json, export_lines, rollback_lines

    project = open_project(folder, config)
    shown = project.settings.shown
    if every:
        kept = project.kept_exports(to)
        for note in kept.damaged:
            click.echo(f"note: {shown(note)} is damaged: what it says of its export is not known.", err=True)
        if as_json:
            print_json({"exports": [export_json(export) for export in kept.exports]})
        else:
            click.echo(export_lines(kept.exports, shown) if kept.exports else "No exports are kept.")
            next_step(f"{'rollback' if kept.exports else 'migrate'}{target_option(to)}")
        return 0
    options = RollbackOptions(to, None if export is None else Path(export), discard_changes_since=discard)
    asked = partial(confirmed, "Go back?", "Add --yes to go back.", yes=yes)
    result = project.rollback(options, confirm=asked, log=log)
    if as_json:
        print_json(result.to_json())
    else:
        for line in rollback_lines(result, shown):
            click.echo(line)
        next_step(f"changes{target_option(to)}")
    return 0 if result.ok else 1
