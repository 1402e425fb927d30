"""``supavex inspect``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from supavex import library
from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.verbosity import next_step
from supavex.errors import UsageError
from supavex.text import counted, table_text

if TYPE_CHECKING:
    from supavex.mapping.inspect import Inspection
    from supavex.postgres.catalog import ForeignKey


@click.command("inspect")
@click.argument("source", required=False, metavar="[SOURCE]")
@project_options
@json_option
@click.option("--schemas", default=None, metavar="A,B", help="PostgreSQL schemas. Default: the project's, or public.")
def command(source: str | None, folder: str, config: str | None, as_json: bool, schemas: str | None) -> int:
    """Show what a source holds, and what Convex won't carry over.

    SOURCE is a folder of migrations, a .sql file, or postgresql://…. Default: the source that supavex.toml names.

    \b
    Examples:
      supavex inspect supabase/migrations
      supavex inspect --json
    """
    names = None if schemas is None else [name.strip() for name in schemas.split(",") if name.strip()]
    found, project = _inspected(source, folder, config, names)
    if as_json:
        print_json(found.to_json())
    else:
        for line in report_lines(found):
            click.echo(line)
        here = project is not None and project.settings.schema_file.exists()
        next_step("init" if project is None else "check" if here else "scaffold")
    return 0


def _inspected(
    source: str | None, folder: str, config: str | None, names: list[str] | None
) -> tuple[Inspection, library.Project | None]:
    if source is None:
        try:
            project = open_project(folder, config)
        except UsageError as error:
            if error.code != "NoProject" or config is not None:
                raise
            return library.inspect_folder(folder, names), None
        else:
            return project.inspect(names), project
    return library.inspect(source, names or ["public"]), None


def report_lines(found: Inspection) -> list[str]:
    """The report for a person."""
    lines = []
    if found.replay is not None:
        replay = found.replay
        lines.append(
            f"{found.source}: {counted(replay.files, 'file')}, {counted(replay.statements, 'statement')}, "
            f"{len(replay.failed)} failed."
        )
        lines += [f"    {failure.file}:{failure.line}: {failure.error}" for failure in replay.failed]
        for loss in found.lost:
            place = f"{loss.file}:{loss.line}"
            if loss.made:
                lines.append(f"The table {loss.table} is lost: the statement that makes it failed ({place}).")
            else:
                what = "table" if loss.certain else "table or view"
                lines.append(f"No file creates the {what} {loss.table}, which {place} needs.")
        if found.lost:
            lines.append("Inspect a dump (supabase db dump > dump.sql) or the live database (postgresql://…) instead.")
    rows = [
        (
            table.qualified.removeprefix("public."),
            len(table.columns),
            found.rows.get(table.qualified, "?"),
            ", ".join(table.primary_key) or "none",
            ", ".join(sorted({_referenced(key) for key in table.foreign_keys})),
        )
        for table in found.catalog
    ]
    lines += ["", table_text(["table", "columns", "rows", "key", "refers to"], rows)] if rows else ["No tables."]
    kinds = Counter(item.kind for item in found.not_carried)
    if kinds:
        lines += ["", "Convex won't carry over by itself:"]
        instead: dict[str, dict[str, None]] = {}
        for item in found.not_carried:
            instead.setdefault(item.kind, {})[item.instead] = None
        counts = [(kind, count, " ".join(instead[kind])) for kind, count in kinds.items()]
        lines.append(table_text(["what", "how many", "instead"], counts))
        lines.append("Where each of them is: --json.")
    return lines


def _referenced(key: ForeignKey) -> str:
    """The table that a key refers to, without the schema where that is ``public``."""
    return f"{key.referenced_schema}.{key.referenced_table}".removeprefix("public.")
