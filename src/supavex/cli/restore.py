"""``supavex restore``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import audience, shown_progress
from supavex.cli.verbosity import log
from supavex.text import counted, table_text

if TYPE_CHECKING:
    from supavex.migrate.restore.run import Restored


@click.command("restore")
@click.argument("archive", metavar="ARCHIVE.zip")
@project_options
@click.option("--to", required=True, metavar="URL", help="A database that has the source's tables (postgresql://…).")
@click.option("--replace", is_flag=True, help="Empty tables that hold rows, instead of refusing them.")
@json_option
def command(archive: str, folder: str, config: str | None, to: str, replace: bool, as_json: bool) -> int:
    """Write the documents of an archive or export into the source's tables, in another database.

    Run the project's migrations in that database first. Everything is written in one transaction, or nothing is.
    The report lists what does not come back: columns that were skipped, columns with an sql expression, and values
    that became the nearest value.

    \b
    Examples:
      supavex restore snapshot.zip --to postgresql://postgres@localhost:5432/copy
      npx convex export --path export.zip && supavex restore export.zip --to "$URL" --replace
    """
    with shown_progress(audience(as_json)) as progress:
        result = open_project(folder, config).restore(Path(archive), to, replace=replace, progress=progress)
    if as_json:
        print_json(result.to_json())
    else:
        for line in report_lines(result):
            click.echo(line)
        log("Next: psql to that database, and look at what is listed above; its sequences and rows are as said")
    return 0


def report_lines(result: Restored) -> list[str]:
    """The report for a person."""
    rows = [(t.target, t.rows, t.source.removeprefix("public.")) for t in result.tables]
    lines = [table_text(["from", "rows", "to"], rows), ""]
    for (table, kind, reason), notes in groupby(result.notes, key=lambda note: (note.table, note.kind, note.reason)):
        columns = ", ".join(note.column for note in notes)
        what = {"left": "left to its default", "sequence": "sequence not set"}.get(kind, "not as it was")
        lines.append(f"{what if columns else 'left'}: {f'{table}.{columns}' if columns else table}: {reason}")
    for t in result.tables:
        said = (
            ("rounded", t.source, t.rounded, "these columns can't hold the values, and have the nearest"),
            ("default", t.source, t.maybe_null, "these values are defaults, and may have been NULL"),
            ("unknown", t.source, t.unknown, "these ids have no old one, and are NULL now"),
            ("not taken", t.target, t.untaken, "no column is for these values"),
        )
        for word, table, counts, meaning in said:
            if counts:
                each = ", ".join(f"{name} ({number})" for name, number in counts.items())
                lines.append(f"{word}: {table}: {each}: {meaning}")
    total = sum(table.rows for table in result.tables)
    lines.append(f"{counted(total, 'row')} in {counted(len(result.tables), 'table')}, in {result.seconds:.1f} s.")
    return lines
