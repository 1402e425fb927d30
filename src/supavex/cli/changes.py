"""``supavex changes``."""

from __future__ import annotations

import click

from supavex.cli.completion import complete_target
from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import shown_progress
from supavex.cli.reports.changes import report_lines
from supavex.cli.targets import target_option
from supavex.cli.verbosity import next_step
from supavex.errors import UsageError


@click.command("changes")
@project_options
@json_option
@click.option(
    "--to",
    metavar="TARGET",
    shell_complete=complete_target,
    help="Changes since the last import into this deployment. Default: into any deployment.",
)
@click.option("--baseline", metavar="NAME", help="Changes since the baseline of `supavex migrate --baseline NAME`.")
@click.option("--files", metavar="PLACE", help="Where the files of storage buckets are. Default: as in supavex.toml.")
@click.option("--list", "every", is_flag=True, help="Print every changed row, as one JSON object a line.")
@click.option("--full", is_flag=True, help="Compare the digest of every row, and do not rely on xmin.")
def command(
    folder: str,
    config: str | None,
    as_json: bool,
    to: str | None,
    baseline: str | None,
    files: str | None,
    every: bool,
    full: bool,
) -> int:
    """List the rows inserted, updated and deleted since they were imported.

    Every migration that imports records a baseline. A row that was written again with the same values, or with new
    values only in columns that do not move, is not a change. The exit code is 1 if something has changed. `supavex
    migrate --changes` imports the changes.

    \b
    Examples:
      supavex changes
      supavex changes --to cloud --list > changes.jsonl
    """
    from supavex.migrate.changes.result import listed_line
    from supavex.migrate.changes.run import ChangesOptions

    if every and as_json:
        raise UsageError("TwoChoices", "--list writes JSON lines, --json one object.", hint="Give one.")
    each = (lambda table, kind, key: click.echo(listed_line(table, kind, key))) if every else None
    options = ChangesOptions(to, baseline, full, files, each)
    with shown_progress() as progress:
        found = open_project(folder, config).changes(options, progress)
    if as_json:
        print_json(found.to_json())
    else:
        for line in report_lines(found):
            click.echo(line, err=every)
        next_step(f"migrate --changes{target_option(to)}" if found.any else f"verify{target_option(to)}")
    return 1 if found.any else 0
