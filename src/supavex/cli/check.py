"""``supavex check``."""

from __future__ import annotations

import click

from supavex.cli.options import json_option, open_project, print_diagnostics, print_json, project_options
from supavex.cli.verbosity import next_step
from supavex.text import counted


@click.command("check")
@project_options
@json_option
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
def command(folder: str, config: str | None, as_json: bool, strict: bool) -> int:
    """Check that the schema compiles and covers the source.

    Every source table needs a Convex table, or a reason to have none. Every column needs a field that it fits. It is
    also an error if the source has no tables, or if a table that its files create or use is missing after all files
    have run. It is a warning if statements that change data did not run. The exit code is 1 if there is an error
    (with --strict, an error or a warning).

    \b
    Example:
      supavex check -C projects/my21staff
    """
    result = open_project(folder, config).check()
    if as_json:
        print_json(result.to_json(strict=strict))
        return 0 if result.ok(strict=strict) else 1
    print_diagnostics(result.diagnostics)
    severities = [d.severity for d in result.diagnostics]
    found = ", ".join(counted(severities.count(s), s) for s in ("error", "warning", "note"))
    if result.plan is not None:
        statuses = [table.status for table in result.plan.tables]
        named = {
            "mapped": "mapped",
            "existing": "existing in Convex",
            "skipped": "skipped",
            "missing": "without a table",
        }
        tables = ", ".join(f"{statuses.count(s)} {named[s]}" for s in named if s in statuses)
        click.echo(f"{counted(len(statuses), 'source table')}: {tables or 'nothing to move'}.")
    click.echo(f"{'ok' if result.ok(strict=strict) else 'not ok'}: {found}.")
    next_step("build" if result.ok(strict=strict) else "check")
    return 0 if result.ok(strict=strict) else 1
