"""``supavex scaffold``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.verbosity import next_step
from supavex.settings.settings import Settings
from supavex.text import counted

if TYPE_CHECKING:
    from supavex.mapping.scaffold import Scaffolded


@click.command("scaffold")
@project_options
@json_option
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the definitions, and change no file.")
def command(folder: str, config: str | None, as_json: bool, to_stdout: bool) -> int:
    """Write Python definitions for source tables that have none.

    Adds the definitions to schema.py and changes nothing else in it. Adds settings to supavex.toml for columns that
    are renamed, and for columns that are left behind.

    \b
    Example:
      supavex scaffold --stdout
    """
    project = open_project(folder, config)
    made = project.scaffold(write=not to_stdout)
    if as_json:
        print_json({"ok": True, "tables": made.names, "toml": made.toml})
    elif to_stdout:
        click.echo("\n".join(made.tables.values()))
        if made.toml:
            click.echo("\n".join(["# supavex.toml:", *(f"# {line}" for line in made.toml)]))
    else:
        click.echo(said(project.settings, made))
        next_step("check")
    return 0


def said(project: Settings, made: Scaffolded) -> str:
    """The files that were written, in a line."""
    if not made.tables and not made.toml:
        return "Nothing to add: every source table has its definition."
    files = [project.shown(project.schema_file)] + ([project.config.name] if made.toml else [])
    return f"{counted(len(made.tables), 'table')} added to {' and '.join(files)}. Read them."
