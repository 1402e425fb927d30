"""``supavex init``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from supavex.cli.options import json_option, print_diagnostics, print_json
from supavex.cli.scaffold import said
from supavex.diagnostics import has_errors
from supavex.errors import UsageError
from supavex.mapping.scaffold_files import scaffold_files
from supavex.mapping.source import Source
from supavex.mapping.source_findings import losses
from supavex.postgres.report import Failure
from supavex.postgres.source_files import find_files
from supavex.project import CONFIG_NAME, load_project
from supavex.text import counted

_VARIABLE = "SUPABASE_DB_URL"


@click.command("init")
@click.option(
    "-C", "folder", metavar="DIR", default=".", help="The project's folder. Default: here.", show_default=False
)
@click.option("--migrations", metavar="DIR", help="Where the migration files are. Default: supabase/migrations.")
@click.option("--database-url-env", metavar="NAME", help="The environment variable with a live database's address.")
@click.option("--database-url", metavar="URL", help="A live database's address: used now, not written down.")
@json_option
def command(
    folder: str, migrations: str | None, database_url_env: str | None, database_url: str | None, as_json: bool
) -> int:
    """Write supavex.toml, scaffold schema.py, and say what to do next.

    Statements of the migrations that failed are listed. Exit code 1: a table that the files make, or need, is lost, or
    there is no table at all; the files are written all the same.

    \b
    Examples:
      supavex init
      supavex init --database-url-env SUPABASE_DB_URL
    """
    root = Path(folder)
    config = root / CONFIG_NAME
    if config.exists():
        raise UsageError(
            "ProjectExists",
            "there is a supavex.toml already.",
            where=str(config),
            hint="`supavex scaffold` adds definitions for tables that have none.",
        )
    config.write_text(_toml(root, migrations, database_url_env, database_url), encoding="utf-8")
    try:
        project = load_project(root)
        schemas = Source(project).schemas()
        if schemas and schemas != list(project.schemas):
            config.write_text(_with_schemas(config.read_text(encoding="utf-8"), schemas), encoding="utf-8")
            project = load_project(root)
        made = scaffold_files(project)
        catalog, report = Source(project).catalog()
    except BaseException:
        config.unlink()
        raise
    lost = losses(project, catalog, report)
    ok = not has_errors(lost)
    failed = [] if report is None else list(report.failed)
    if as_json:
        found = {"failed": [asdict(failure) for failure in failed], "lost": [loss.to_json() for loss in lost]}
        print_json({"ok": ok, "tables": made.names, **found})
        return 0 if ok else 1
    click.echo(f"{CONFIG_NAME} written. {said(project, made)}")
    _print_failed(failed)
    print_diagnostics(lost)
    if database_url:
        click.echo(f"The address is not written down: export {_VARIABLE}=postgresql://… for the commands that follow.")
    click.echo("\nNext:\n    read schema.py\n    supavex check\n    supavex build\n    supavex deploy")
    click.echo("    supavex migrate\n    supavex verify")
    return 0 if ok else 1


def _print_failed(failed: list[Failure]) -> None:
    """The statements that failed, without those that change no table and no row."""
    harmless = sum(bool(failure.harmless) for failure in failed)
    if len(failed) > harmless:
        number = counted(len(failed) - harmless, "statement")
        click.echo(f"{number} failed to replay; what they make or write is missing:")
    for failure in failed:
        if not failure.harmless:
            click.echo(f"    {failure.file}:{failure.line}: {failure.error}")
    if harmless:
        click.echo(f"{counted(harmless, 'statement')} failed that can change no table and no row.")


def _with_schemas(text: str, schemas: list[str]) -> str:
    """supavex.toml with the schemas that hold tables, where that is not just ``public``."""
    return (text or "[source]\n") + f"schemas = {json.dumps(schemas)}\n"


def _toml(root: Path, migrations: str | None, env: str | None, url: str | None) -> str:
    if url and env:
        raise UsageError("InvalidConfig", "--database-url and --database-url-env: give one of them.")
    if url:
        # An address holds a password, which does not belong in a file that is committed.
        env = _VARIABLE
        os.environ[env] = url
    if env:
        if not env.isidentifier():
            hint = "--database-url takes an address, --database-url-env the name of a variable that holds one."
            raise UsageError("InvalidConfig", "--database-url-env names no environment variable.", hint=hint)
        return f'[source]\ndatabase_url_env = "{env}"\n'
    where = migrations or "supabase/migrations"
    find_files(root.resolve(), root.resolve() / where, chosen=migrations is not None)
    return "" if migrations is None else f'[source]\nmigrations = "{migrations}"\n'
