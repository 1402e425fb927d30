"""``supavex plan-cutover``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.targets import to_option
from supavex.errors import SupavexError
from supavex.mapping.check import checked_plan
from supavex.mapping.source import Source
from supavex.migrate.cutover import CutoverPlan, Naming, markdown, plan_cutover, write_plan
from supavex.migrate.kept import now
from supavex.migrate.official import app_variables, deployment_of
from supavex.migrate.runs import read_runs
from supavex.postgres.connection import connect, quoted
from supavex.project import CONFIG_NAME, Project


@click.command("plan-cutover")
@project_options
@to_option
@json_option
@click.option("--out", metavar="FILE", help="Write the checklist there. Default: standard output.")
def command(folder: str, config: str | None, to: str, as_json: bool, out: str | None) -> int:
    """Write the checklist of the cutover, with the times measured in rehearsal.

    Every run of deploy, migrate, verify and rollback is measured. Where the source has more rows now than it had then,
    the times are reckoned from the rows, and said to be. Without a rehearsal there is nothing to plan with.

    \b
    Examples:
      supavex plan-cutover --to cloud --out CUTOVER.md
    """
    project = open_project(folder, config)
    plan = run(project, to, options=_options(folder, config))
    if out is not None:
        try:
            write_plan(Path(out), markdown(plan))
        except OSError as error:
            raise SupavexError("CannotWrite", f"{error.strerror}.", where=out, hint="Choose another --out.") from None
    if as_json:
        print_json(plan.to_json())
    elif out is None:
        click.echo(markdown(plan), nl=False)
    else:
        click.echo(f"Written: {out}")
    return 0


def _options(folder: str, config: str | None) -> str:
    parts = [] if folder == "." else ["-C", folder]
    if config is not None and config != CONFIG_NAME:
        parts += ["--config", config]
    return shlex.join(parts)


def run(project: Project, to: str, *, options: str = "") -> CutoverPlan:
    """The plan of ``project``'s cutover; see :func:`supavex.migrate.cutover.plan_cutover`."""
    runs = read_runs(project.migration_folder)
    rows, database = None, "postgres"
    try:
        plan, _ = checked_plan(project)
        with Source(project).running() as url, connect(url) as connection:
            database = connection.info.dbname
            rows = {}
            for table in plan.moved:
                name = quoted(table.source.schema, table.source.name)
                found = connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone()
                rows[table.name] = int(found[0]) if found else 0
    except SupavexError as error:
        click.echo(f"note: the source can't be counted: {error.message}", err=True)
    deployment = deployment_of(project.convex_folder, to)
    naming = Naming(options, to, deployment, database, app_variables(project.convex_folder))
    return plan_cutover(project.root.name, Source(project).described, now(), runs, rows, naming)
