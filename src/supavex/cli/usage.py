"""``supavex usage``."""

from __future__ import annotations

from pathlib import Path

import click

from supavex.cli.completion import complete_tables
from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.verbosity import next_step
from supavex.errors import UsageError
from supavex.library import Project
from supavex.settings.settings import CONFIG_NAME


@click.command("usage")
@click.argument("app", required=False, metavar="[APP]")
@project_options
@json_option
@click.option("--tables", metavar="A,B", shell_complete=complete_tables, help="List only queries of these tables.")
def command(app: str | None, folder: str, config: str | None, as_json: bool, tables: str | None) -> int:
    """List the app's code that still calls Supabase, and what to write instead.

    APP is the app's folder. Default: the folder that holds the convex folder. supavex reads its files and never
    runs them. The exit code is 1 if something calls Supabase. Without a supavex.toml, the calls are listed without
    advice.

    \b
    Examples:
      supavex usage
      supavex usage web --tables articles,webinars
    """
    from supavex.cli.reports.usage import report_lines

    names = None if tables is None else frozenset(name.strip() for name in tables.split(",") if name.strip())
    project, why = _project(folder, config)
    if project is None:
        from supavex.usage.usage import usage

        found = usage(None, Path(app or folder), names, why=why)
    else:
        found = project.usage(None if app is None else Path(app), names)
    if as_json:
        print_json(found.to_json())
    else:
        for line in report_lines(found):
            click.echo(line)
        if project is None:
            next_step("init")
        else:
            next_step("build" if found.ok else "usage")
    return 0 if found.ok else 1


def _project(folder: str, config: str | None) -> tuple[Project | None, str]:
    try:
        return open_project(folder, config), ""
    except UsageError as error:
        # A configuration file that was named explicitly has to exist.
        if error.code != "NoProject" or config is not None:
            raise
        return None, f"No advice: there is no {CONFIG_NAME} in {error.where}, so the Convex side is not known."
