"""``supavex scaffold``."""

from __future__ import annotations

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.errors import UsageError
from supavex.files import check_inside
from supavex.mapping.scaffold import Scaffolded, insert, new_file, scaffold
from supavex.mapping.source import Source
from supavex.project import Project, load_schema
from supavex.text import counted


@click.command("scaffold")
@project_options
@json_option
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the definitions, and change no file.")
def command(folder: str, config: str | None, as_json: bool, to_stdout: bool) -> int:
    """Write Python definitions for source tables that have none.

    They are added to schema.py (what is there stays to the letter); renames and columns left behind go to supavex.toml.

    \b
    Example:
      supavex scaffold --stdout
    """
    project = open_project(folder, config)
    made = run(project, write=not to_stdout)
    if as_json:
        print_json({"ok": True, "tables": made.names, "toml": made.toml})
    elif to_stdout:
        click.echo("\n".join(made.tables.values()))
        if made.toml:
            click.echo("\n".join(["# supavex.toml:", *(f"# {line}" for line in made.toml)]))
    else:
        click.echo(said(project, made))
    return 0


def said(project: Project, made: Scaffolded) -> str:
    """What was written, in a line."""
    if not made.tables and not made.toml:
        return "Nothing to add: every source table has its definition."
    files = [project.shown(project.schema_file)] + ([project.config.name] if made.toml else [])
    return f"{counted(len(made.tables), 'table')} added to {' and '.join(files)}. Read them, then `supavex check`."


def run(project: Project, *, write: bool = True) -> Scaffolded:
    """Scaffolds ``project``; see :func:`supavex.mapping.scaffold.scaffold`."""
    try:
        schema = load_schema(project)
        text = project.schema_file.read_text(encoding="utf-8")
    except UsageError as error:
        if error.code != "NoSchema":
            raise
        schema, text = None, None
    source = Source(project)
    catalog, _ = source.catalog()
    made = scaffold(project, schema, catalog, source.look)
    if not write:
        return made
    if made.tables or text is None:
        new = new_file(made) if text is None else insert(text, made, project.shown(project.schema_file))
        project.schema_file.write_text(new, encoding="utf-8")
    if made.toml:
        old = project.config.read_text(encoding="utf-8").rstrip()
        addition = "\n".join(made.toml).strip()
        check_inside(project.root, project.config, "the file", project.config.name)
        project.config.write_text(f"{old}\n\n{addition}\n".lstrip(), encoding="utf-8")
    return made
