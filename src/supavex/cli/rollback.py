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
    help="The deployment: `cloud`, or a URL. Default: the deployment of the export.",
)
@json_option
@click.option("--list", "every", is_flag=True, help="List the kept exports, and change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option(
    "--discard-changes-since", "discard", is_flag=True, help="Go back although this loses what was written there since."
)
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
    """Restore what a deployment held before a migration.

    Every migration through Convex's CLI first exports the deployment, and keeps the export. By default, the newest
    export is restored. Tables that were imported since then get their earlier documents back, and the result is
    proven equal. Tables that the migration created are emptied. The current contents are exported first, and kept
    too. If someone has written to
    these tables since, nothing is done without --discard-changes-since. The exit code is 1 if the deployment is not
    as it was before.

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
