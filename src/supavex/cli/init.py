"""``supavex init``."""

from __future__ import annotations

from pathlib import Path

import click

from supavex.cli.options import json_option, print_diagnostics, print_json
from supavex.cli.scaffold import said
from supavex.mapping.start import VARIABLE, InitOptions, init_project
from supavex.postgres.report import Failure
from supavex.settings.settings import CONFIG_NAME
from supavex.text import counted


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
    started = init_project(Path(folder), InitOptions(migrations, database_url_env, database_url))
    if as_json:
        print_json(started.to_json())
        return 0 if started.ok else 1
    click.echo(f"{CONFIG_NAME} written. {said(started.project, started.scaffolded)}")
    _print_failed(started.failed)
    print_diagnostics(started.lost)
    if database_url:
        click.echo(f"The address is not written down: export {VARIABLE}=postgresql://… for the commands that follow.")
    click.echo("\nNext:\n    read schema.py\n    supavex check\n    supavex build\n    supavex deploy")
    click.echo("    supavex migrate\n    supavex verify")
    return 0 if started.ok else 1


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
