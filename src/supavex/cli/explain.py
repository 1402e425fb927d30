"""``supavex explain``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from supavex.cli.completion import complete_table
from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.verbosity import next_step

if TYPE_CHECKING:
    from supavex.migrate.explain import Explanation


@click.command("explain")
@click.argument("table", shell_complete=complete_table)
@project_options
@json_option
def command(table: str, folder: str, config: str | None, as_json: bool) -> int:
    """Show what happens to each column of TABLE, and why, with one row before and after.

    \b
    Example:
      supavex explain ari_payments
    """
    explained = open_project(folder, config).explain(table)
    if as_json:
        print_json(explained.to_json())
    else:
        for line in report_lines(explained):
            click.echo(line)
        next_step("scaffold" if explained.status == "missing" else "check")
    return 0


def report_lines(explained: Explanation) -> list[str]:
    """The report for a person."""
    if explained.status == "skipped":
        return [f"{explained.source} is left behind: {explained.reason}"]
    if explained.status == "missing":
        return [f"{explained.source} has no Convex table. `supavex scaffold` writes one."]
    lines = [
        f"{explained.source} -> {explained.target}"
        + (" (in Convex already)" if explained.status == "existing" else ""),
        f"    _id            {explained.key}",
        f"    _creationTime  {explained.creation}",
    ]
    for column in explained.columns:
        origin = f"{column.column} {column.type}" if column.column else "(no column)"
        arrow = f" -> {column.field}: {column.validator}" if column.field else ""
        lines += ["", f"{origin}{arrow}", f"    {column.how}"]
        if column.null:
            lines.append(f"    NULL {column.null}")
        if column.rejects:
            lines.append(f"    the row is rejected where {'; or '.join(column.rejects)}")
    if explained.after is not None:
        lines += ["", "A row before:"]
        lines += [f"    {name}: {_value(value)}" for name, value in (explained.before or {}).items()]
        lines += [f"and after ({explained.provided}):" if explained.provided else "and after:"]
        lines += [f"    {name}: {_value(value)}" for name, value in explained.after.items()]
    return lines


def _value(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:99] + "…"
