"""``supavex deploy``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from supavex.cli.options import json_option, open_project, print_diagnostics, print_json, project_options
from supavex.cli.summaries import deployment_summary
from supavex.cli.targets import open_target, to_option
from supavex.convex.compile import compile_schema
from supavex.convex.schema import Schema
from supavex.deployment.deployment import Push
from supavex.diagnostics import has_errors
from supavex.errors import SupavexError
from supavex.mapping.plan import make_plan
from supavex.mapping.source import Source
from supavex.project import Project, load_schema
from supavex.text import counted


@click.command("deploy")
@project_options
@to_option
@json_option
@click.option("--summary", metavar="FILE", help="Where the Markdown summary goes. Default: supavex.toml's `summary`.")
@click.option("--dry-run", is_flag=True, help="Do all the checks, and change nothing.")
def command(folder: str, config: str | None, to: str, as_json: bool, summary: str | None, dry_run: bool) -> int:
    """Push the schema to a deployment.

    Existing documents are held against the new schema first: one that does not fit refuses the push, and nothing
    changes.

    \b
    Example:
      supavex deploy --summary SUMMARY.md
    """
    project = open_project(folder, config)
    schema, push = deploy(project, to, dry_run=dry_run)
    file = None if dry_run else write_summary(project, schema, push, to, None if summary is None else Path(summary))
    if as_json:
        data = {
            "ok": True,
            "dryRun": dry_run,
            "change": push.change.to_json(),
            "documentsChecked": push.documents_checked,
            "documentsIndexed": push.documents_indexed,
            "summary": None if file is None else str(file),
        }
        print_json(data)
        return 0
    for line in push_lines(push, schema):
        click.echo(line)
    if dry_run:
        click.echo("Dry run: nothing was changed.")
    if file is not None:
        click.echo(f"Summary: {project.shown(file)}")
    return 0


def deploy(project: Project, to: str, *, dry_run: bool = False) -> tuple[Schema, Push]:
    """Compiles the project's schema and pushes it. Raises where it has errors, or a document does not fit."""
    schema = load_schema(project)
    diagnostics = compile_schema(schema)
    if has_errors(diagnostics):
        print_diagnostics([d for d in diagnostics if d.severity == "error"], err=True)
        raise SupavexError("CheckFailed", "the schema has errors; nothing was pushed.", hint="Mend them first.")
    with open_target(project, to) as deployment:
        return schema, deployment.push(schema.export(), dry_run=dry_run)


def push_lines(push: Push, schema: Schema) -> list[str]:
    """What a push did, in a few lines."""
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


def write_summary(project: Project, schema: Schema, push: Push, to: str, file: Path | None) -> Path | None:
    """Writes the summary where it is wanted; where it is."""
    path = file or project.summary
    if path is None:
        return None
    plan, why = None, ""
    try:
        plan = make_plan(project, schema, Source(project).catalog()[0])
    except SupavexError as error:
        why = error.message
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(deployment_summary(schema, push, plan, why, now, to), encoding="utf-8")
    except OSError as error:
        raise SupavexError(
            "CannotWrite",
            f"{error.strerror}.",
            where=str(path),
            hint="The schema is deployed; choose another --summary.",
        ) from None
    return path
