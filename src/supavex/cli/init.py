"""``supavex init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import folder_option, json_option, print_diagnostics, print_json
from supavex.cli.scaffold import said
from supavex.cli.verbosity import named_project, next_step
from supavex.settings.settings import CONFIG_NAME
from supavex.text import counted

if TYPE_CHECKING:
    from supavex.postgres.report import Failure


@click.command("init")
@folder_option("The project's folder. Default: here.")
@click.option("--migrations", metavar="DIR", help="The folder of the migration files. Default: supabase/migrations.")
@click.option(
    "--database-url-env", metavar="NAME", help="The environment variable with a live database's connection string."
)
@click.option(
    "--database-url",
    metavar="URL",
    help="A live database's connection string. supavex uses it now and does not store it.",
)
@click.option(
    "--force", is_flag=True, help="Start again. The old files are kept as supavex.toml.old and schema.py.old."
)
@json_option
def command(
    folder: str,
    migrations: str | None,
    database_url_env: str | None,
    database_url: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Write supavex.toml, scaffold schema.py, and say what to do next.

    Lists the statements of the migrations that failed. If a table that the migrations create or use is missing, the
    two files are written, and the exit code is 1. If there is no table at all, nothing is written, and the exit code
    is 1.

    \b
    Examples:
      supavex init
      supavex init --database-url-env SUPABASE_DB_URL
    """
    from supavex.mapping.start import VARIABLE, InitOptions, init_project

    named_project(folder, None)
    started = init_project(Path(folder), InitOptions(migrations, database_url_env, database_url, force))
    if as_json:
        print_json(started.to_json())
        return 0 if started.ok else 1
    click.echo(f"{CONFIG_NAME} written. {said(started.project, started.scaffolded)}")
    _print_failed(started.failed)
    print_diagnostics(started.lost)
    if database_url:
        click.echo(f"The address is not written down: export {VARIABLE}=postgresql://… for the commands that follow.")
    click.echo("\nRead schema.py, and change it as you like. Then, in this order:")
    click.echo("    supavex check, build, deploy, migrate, verify")
    next_step("check")
    return 0 if started.ok else 1


def _print_failed(failed: list[Failure]) -> None:
    """Prints the failed statements, except those that change no table and no row."""
    harmless = sum(bool(failure.harmless) for failure in failed)
    if len(failed) > harmless:
        number = counted(len(failed) - harmless, "statement")
        click.echo(f"{number} failed to replay; what they make or write is missing:")
    for failure in failed:
        if not failure.harmless:
            click.echo(f"    {failure.file}:{failure.line}: {failure.error}")
    if harmless:
        click.echo(f"{counted(harmless, 'statement')} failed that can change no table and no row.")
