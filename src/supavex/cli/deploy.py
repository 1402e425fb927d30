"""``supavex deploy``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.reports.deployment import SUMMARY_TITLE, deployment_summary
from supavex.cli.targets import target_option, to_option
from supavex.cli.verbosity import log, next_step
from supavex.errors import SupavexError
from supavex.files import begins_with, check_replaceable
from supavex.settings.settings import Settings
from supavex.text import counted

if TYPE_CHECKING:
    from supavex.convex.schema import Schema
    from supavex.deployment.database.database import Push
    from supavex.migrate.deploying import Deployed


@click.command("deploy")
@project_options
@to_option
@json_option
@click.option("--summary", metavar="FILE", help="The file of the Markdown summary. Default: `summary` of supavex.toml.")
@click.option("--dry-run", is_flag=True, help="Run every check, and change nothing.")
@click.option("--production", is_flag=True, help="With --to: `convex deploy`, to the production deployment.")
def command(
    folder: str, config: str | None, to: str, as_json: bool, summary: str | None, dry_run: bool, production: bool
) -> int:
    """Push the schema to a deployment.

    First checks existing documents against the new schema. If a document does not fit, the push is refused and
    nothing changes. For a deployment other than the local one, Convex's own CLI pushes from the app's folder, with
    the app's own functions. supavex then reads the tables and indexes back.

    \b
    Examples:
      supavex deploy --summary SUMMARY.md
      supavex deploy --to http://127.0.0.1:3210
    """
    from supavex.migrate.deploying import DeployOptions

    project = open_project(folder, config)
    wanted = project.settings.summary if summary is None else Path(summary)
    if wanted is not None and not dry_run:
        check_replaceable(wanted, lambda path: begins_with(path, (SUMMARY_TITLE,)), "--summary")
    options = DeployOptions(to, dry_run=dry_run, production=production)
    deployed = project.deploy(options, log=log)
    if wanted is not None and not dry_run:
        write_summary(project.settings, deployed, to, wanted)
    if as_json:
        print_json({**deployed.to_json(), "summary": None if wanted is None or dry_run else str(wanted)})
        return 0
    for line in push_lines(deployed.push, deployed.schema):
        click.echo(line)
    if dry_run:
        click.echo("Dry run: nothing was changed.")
    elif wanted is not None:
        click.echo(f"Summary: {project.settings.shown(wanted)}")
    next_step(*(f"{verb}{target_option(to)}" for verb in (["deploy"] if dry_run else ["migrate"])))
    return 0


def push_lines(push: Push, schema: Schema) -> list[str]:
    """The result of a push, in a few lines."""
    change = push.change
    if change.nothing:
        return [f"Nothing to change: {counted(len(schema.tables), 'table')} as they were."]
    indexes = sum(len(t.indexes) + len(t.search_indexes) + len(t.vector_indexes) for t in schema.tables.values())
    lines = [
        f"{counted(len(schema.tables), 'table')} ({len(change.new_tables)} new, {len(change.changed_tables)} changed), "
        f"{counted(indexes, 'index').replace('indexs', 'indexes')} ({len(change.new_indexes)} new, "
        f"{len(change.removed_indexes)} removed), {counted(push.documents_checked, 'document')} checked."
    ]
    if change.removed_tables:
        lines.append(f"No longer in the schema, documents kept: {', '.join(change.removed_tables)}.")
    return lines


def write_summary(project: Settings, deployed: Deployed, to: str, path: Path) -> None:
    """Writes the summary to ``path``."""
    from supavex.mapping.make_plan import make_plan
    from supavex.mapping.source import Source

    plan, why = None, ""
    try:
        plan = make_plan(project, deployed.schema, Source(project).catalog()[0])
    except SupavexError as error:
        why = error.message
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(deployment_summary(deployed.schema, deployed.push, plan, why, now, to), encoding="utf-8")
    except OSError as error:
        raise SupavexError(
            "CannotWrite",
            f"{error.strerror}.",
            where=str(path),
            hint="The schema is deployed; choose another --summary.",
        ) from None
