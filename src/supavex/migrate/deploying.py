"""Pushes a project's schema: into the local deployment, or by Convex's CLI into another one."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any

from supavex.callbacks import Log
from supavex.convex.compile import compile_schema
from supavex.convex.schema import Schema
from supavex.convex.schema_changes import SchemaChange, schema_change
from supavex.convex.schema_json import schema_from_json
from supavex.convex_cli.cli import OfficialCli, env_files_kept, official_cli
from supavex.convex_cli.schemas import read_back
from supavex.convex_cli.targets import deployment_of
from supavex.deployment.database.database import Push
from supavex.errors import SupavexError, UsageError
from supavex.mapping.build import build, existing_targets, spread_hint
from supavex.migrate.state.runs import Run
from supavex.migrate.target.local import local_deployment
from supavex.settings.schema_file import load_schema
from supavex.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """The options of :func:`deploy`."""

    #: ``local``, ``cloud`` (the deployment of the app's folder), or the URL of a deployment.
    to: str = "local"
    #: Whether to only check, and change nothing.
    dry_run: bool = False
    #: Whether the app goes to its production deployment (``convex deploy``).
    production: bool = False


@dataclass(frozen=True, slots=True)
class Deployed:
    """A schema, and the result of its push."""

    schema: Schema
    push: Push
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``deploy --json``."""
        return {
            "ok": True,
            "dryRun": self.dry_run,
            "change": self.push.change.to_json(),
            "documentsChecked": self.push.documents_checked,
            "documentsIndexed": self.push.documents_indexed,
        }


def deploy(project: Settings, options: DeployOptions = DeployOptions(), log: Log = lambda line: None) -> Deployed:
    """Pushes the schema of ``project``.

    Every document is checked against the schema first. Raises :class:`~supavex.errors.SupavexError` for the first error
    of the schema, for a document that does not fit, and if Convex's CLI fails; nothing is changed then. ``log`` gets
    the lines of the CLI.
    """
    run = Run("deploy", deployment_of(project.convex_folder, options.to))
    with run.step("push"):
        if options.to == "local":
            schema, push = _push(project, dry_run=options.dry_run)
        else:
            schema, push = _push_by_cli(project, options, log)
    if not options.dry_run:
        run.ok = True
        project.make_state()
        run.write(project.migration_folder)
    return Deployed(schema, push, options.dry_run)


def _push(project: Settings, *, dry_run: bool) -> tuple[Schema, Push]:
    schema = load_schema(project)
    errors = [finding for finding in compile_schema(schema) if finding.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise SupavexError(
            "CheckFailed",
            f"{errors[0].code}: {errors[0].message}{more}; nothing was pushed.",
            where=errors[0].where,
            hint="`supavex check` shows all findings.",
        )
    with local_deployment(project) as deployment:
        return schema, deployment.push(schema.export(), dry_run=dry_run)


def _push_by_cli(project: Settings, options: DeployOptions, log: Log) -> tuple[Schema, Push]:
    """Makes Convex's CLI push the app with the generated tables, and reads back that the deployment has them."""
    cli = official_cli(project.convex_folder, options.to)
    built = build(project, check=options.dry_run)
    if built.stale:
        raise SupavexError("NotBuilt", "the generated files are not up to date.", hint="Run `supavex build`.")
    schema = load_schema(project)
    before = cli.schema_text()
    arguments = ["deploy", "--yes"] if options.production else ["dev", "--once"]
    if options.dry_run and not options.production:
        raise UsageError("NoDryRun", "Convex's `dev --once` has no dry run.", hint="Rehearse on the local deployment.")

    with env_files_kept(cli):
        cli.run(*arguments, *(["--dry-run"] if options.dry_run else []), log=log)
    if not options.dry_run:
        hint = f"Does the app's schema.ts take the generated tables? {spread_hint()}" if built.spread else ""
        _check_pushed(project, cli, schema, hint)
    after = schema.export() if options.dry_run else cli.schema_text()
    return schema, Push(_change(before, after, schema), 0, 0)


def _check_pushed(project: Settings, cli: OfficialCli, schema: Schema, hint: str) -> None:
    """Raises :class:`~supavex.errors.SupavexError` if the deployment lacks a pushed table or index."""
    existing = existing_targets(project, schema)
    exported = {table["tableName"]: table for table in schema.to_json()["tables"]}
    problems = read_back(cli, {name: table for name, table in exported.items() if name not in existing})
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise SupavexError("NotDeployed", f"pushed, but {problems[0]}{more}.", where=cli.target, hint=hint)


def _change(before: str | None, after: str | None, schema: Schema) -> SchemaChange:
    """The change of an app's push, without the app's own tables that ``schema`` does not define.

    ``before`` and ``after``: the deployment's schema as JSON, if it could be read.
    """
    old = None if before is None else schema_from_json(before)
    new = schema if after is None else schema_from_json(after)
    # A table in the app's own schema.ts belongs to the app.
    own = new.tables.keys() - schema.tables.keys()
    return schema_change(None if old is None else _without(old, own), _without(new, own))


def _without(schema: Schema, names: Set[str]) -> Schema:
    return replace(schema, tables={name: table for name, table in schema.tables.items() if name not in names})
