"""``supavex deploy``."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from supavex.cli.build import spread_hint
from supavex.cli.options import json_option, open_project, print_diagnostics, print_json, project_options
from supavex.cli.summaries import deployment_summary
from supavex.cli.targets import open_target, to_option
from supavex.convex.compile import compile_schema
from supavex.convex.schema import Schema
from supavex.convex.schema_changes import SchemaChange, schema_change
from supavex.convex.schema_json import schema_from_json
from supavex.deployment.database import Push
from supavex.diagnostics import has_errors
from supavex.errors import SupavexError, UsageError
from supavex.mapping.build import build, existing_targets
from supavex.mapping.planning import make_plan
from supavex.mapping.source import Source
from supavex.migrate.official import deployment_of, env_files_kept, official_cli, read_back
from supavex.migrate.runs import Run
from supavex.project import Project, load_schema
from supavex.text import counted


@click.command("deploy")
@project_options
@to_option
@json_option
@click.option("--summary", metavar="FILE", help="Where the Markdown summary goes. Default: supavex.toml's `summary`.")
@click.option("--dry-run", is_flag=True, help="Do all the checks, and change nothing.")
@click.option("--production", is_flag=True, help="With --to: `convex deploy`, to the production deployment.")
def command(
    folder: str, config: str | None, to: str, as_json: bool, summary: str | None, dry_run: bool, production: bool
) -> int:
    """Push the schema to a deployment.

    Existing documents are held against the new schema first: one that does not fit refuses the push, and nothing
    changes. To another deployment than the local one, Convex's own CLI pushes, in the app's folder, with the app's own
    functions; then the tables and indexes are read back.

    \b
    Examples:
      supavex deploy --summary SUMMARY.md
      supavex deploy --to http://127.0.0.1:3210
    """
    project = open_project(folder, config)
    measured = Run("deploy", deployment_of(project.convex_folder, to))
    with measured.step("push"):
        if to != "local":
            schema, push = deploy_by_cli(project, to, dry_run=dry_run, production=production)
        else:
            schema, push = deploy(project, to, dry_run=dry_run)
    if not dry_run:
        measured.ok = True
        project.make_state()
        measured.write(project.migration_folder)
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


def deploy_by_cli(project: Project, to: str, *, dry_run: bool = False, production: bool = False) -> tuple[Schema, Push]:
    """Has Convex's CLI push the app, generated tables included, and reads back that they are there."""
    cli = official_cli(project.convex_folder, to)
    built = build(project, check=dry_run)
    if built.stale:
        raise SupavexError("NotBuilt", "the generated files are not up to date.", hint="Run `supavex build`.")
    schema = load_schema(project)
    before = cli.schema_text()
    arguments = ["deploy", "--yes"] if production else ["dev", "--once"]
    if dry_run and not production:
        raise UsageError("NoDryRun", "Convex's `dev --once` has no dry run.", hint="Rehearse on the local deployment.")
    with env_files_kept(cli):
        cli.run(*arguments, *(["--dry-run"] if dry_run else []), say=lambda line: click.echo(line, err=True))
    if not dry_run:
        existing = existing_targets(project, schema)
        exported = {table["tableName"]: table for table in schema.to_json()["tables"]}
        wanted = {name: table for name, table in exported.items() if name not in existing}
        problems = read_back(cli, wanted)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            hint = f"Does the app's schema.ts take the generated tables? {spread_hint(built)}" if built.spread else ""
            raise SupavexError("NotDeployed", f"pushed, but {problems[0]}{more}.", where=to, hint=hint)
    after = schema.export() if dry_run else cli.schema_text()
    return schema, Push(_change(before, after, schema), 0, 0)


def _change(before: str | None, after: str | None, schema: Schema) -> SchemaChange:
    """What the push of an app changed, without the tables of its own that ``schema`` knows nothing of.

    ``before`` and ``after``: the deployment's schema as JSON, where it can be asked for.
    """
    old = None if before is None else schema_from_json(before)
    new = schema if after is None else schema_from_json(after)
    # A table that stays, or comes, in a schema.ts of the app's own is the app's business.
    own = new.tables.keys() - schema.tables.keys()
    return schema_change(None if old is None else _without(old, own), _without(new, own))


def _without(schema: Schema, names: Set[str]) -> Schema:
    return replace(schema, tables={name: table for name, table in schema.tables.items() if name not in names})


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
