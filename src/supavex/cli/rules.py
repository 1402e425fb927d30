"""``supavex rules``."""

from __future__ import annotations

from collections import Counter

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.verbosity import next_step
from supavex.rules.writing import Rules
from supavex.text import counted

#: The most constraints of a kind that the terminal lists.
_LISTED = 10


@click.command("rules")
@project_options
@json_option
@click.option("--check", is_flag=True, help="Write nothing. Exit with 1 if the file is not up to date.")
def command(folder: str, config: str | None, as_json: bool, check: bool) -> int:
    """Write convex/rules.ts: the source's policies and constraints as TypeScript.

    The file exports `query` and `mutation`: builders for the app's functions whose ctx.db follows the rules. It
    imports the package convex-helpers. A policy without a translation refuses: it allows no reads and no writes
    until you fill in its stub. supavex does not overwrite a rules.ts that you have changed. The exit code is
    1 if a policy was not translated. `supavex verify --rules` tests the rules against PostgreSQL.

    \b
    Examples:
      supavex rules
      supavex rules --check --json
    """
    project = open_project(folder, config)
    result = project.rules(check=check)
    if as_json:
        print_json(result.to_json())
        return 0 if result.ok else 1
    click.echo(f"{result.state:<9} {project.settings.shown(result.path)}")
    for line in report_lines(result):
        click.echo(line)
    if result.state == "stale":
        click.echo("Not up to date. Run `supavex rules`.", err=True)
    next_step(*(["rules"] if check and not result.ok else ["verify --rules", "build"]))
    return 0 if result.ok else 1


def report_lines(result: Rules) -> list[str]:
    """The report for a person."""
    found, refused = len(result.rules.found), result.rules.refused
    lines = [f"policies: {found} found, {found - len(refused)} translated, {len(refused)} refuse."]
    for table, rule in refused:
        name = table.source.name if table.source is not None else table.target
        lines.append(f"    {name}: {rule.policy.name!r}: {rule.reason}")
    by_column = result.rules.grants_by_column
    if by_column:
        lines.append(f"grants of some columns, refused for the whole table: {len(by_column)}.")
        lines += [f"    {table.target}: {command} to {role}" for table, role, command in by_column]
    elsewhere = result.elsewhere
    if elsewhere:
        lines.append(f"policies of Supabase's own tables, left: {len(elsewhere)}.")
        lines += [f"    {table}: {name!r}" for table, name in elsewhere]
    carried, left = result.constraints.carried, result.constraints.left
    lines.append(f"constraints: {carried + len(left)} found, {carried} carried over, {len(left)} left.")
    lines += [f"    {one.table}: {one.constraint}: {one.reason}" for one in left[:_LISTED]]
    if len(left) > _LISTED:
        lines.append(f"    … and {len(left) - _LISTED} more (all of them: --json)")
    for name, visible in result.module.visible.items():
        lines += [f'{name}: .index("by_{field}", ["{field}"]) would find its visible rows.' for field in visible.add]
    closed = Counter(table.source is None for table in result.rules.tables.values())[True]
    if closed:
        lines.append(
            f"{counted(closed, 'table')} of no source: closed until rules.ts says who may see their documents."
        )
    return lines
