"""``supavex build``."""

from __future__ import annotations

import click

from supavex.cli.options import json_option, open_project, print_diagnostics, print_json, project_options
from supavex.cli.verbosity import log, next_step
from supavex.mapping.build import spread_hint


@click.command("build")
@project_options
@json_option
@click.option("--check", is_flag=True, help="Write nothing. Exit with 1 if a file is not up to date.")
def command(folder: str, config: str | None, as_json: bool, check: bool) -> int:
    """Write convex/schema.ts and convex/defaults.ts from schema.py.

    If supavex did not write schema.ts, it leaves the file alone and writes the tables to convex/supavexTables.ts.
    Spread them into your schema.ts.

    \b
    Example:
      supavex build --check
    """
    project = open_project(folder, config)
    result = project.build(check=check)
    shown = project.settings.shown
    if as_json:
        files = [{"file": shown(file.path), "state": file.state} for file in result.files]
        print_json({"ok": not result.stale, "files": files, "spread": result.spread})
        return 1 if result.stale else 0
    print_diagnostics(result.diagnostics, err=True)
    for file in result.files:
        click.echo(f"{file.state:<9} {shown(file.path)}")
    if result.spread and not result.stale:
        log(spread_hint())
    if result.stale:
        click.echo("Not up to date.", err=True)
    next_step("build" if result.stale else "deploy")
    return 1 if result.stale else 0
