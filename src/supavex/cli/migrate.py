"""``supavex migrate``."""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.completion import complete_tables
from supavex.cli.options import (
    confirmed,
    json_option,
    open_project,
    print_diagnostics,
    print_json,
    project_options,
)
from supavex.cli.progress import audience, shown_progress
from supavex.cli.reports.migration import nothing_line, report_lines
from supavex.cli.targets import target_option, to_option
from supavex.cli.verbosity import log, next_step
from supavex.errors import UsageError
from supavex.files import write_whole
from supavex.settings.settings import Settings

if TYPE_CHECKING:
    from supavex.migrate.golive.live import NothingChanged
    from supavex.migrate.golive.remote import RemoteMigration
    from supavex.migrate.migration import Migration
    from supavex.migrate.options import MigrateOptions


@click.command("migrate")
@project_options
@to_option
@json_option
@click.option("--out", metavar="FILE.zip", help="Write only this archive. No deployment is needed.")
@click.option(
    "--tables",
    metavar="A,B",
    shell_complete=complete_tables,
    help="Copy only these source tables. A table outside the first schema is schema.name.",
)
@click.option("--files", metavar="PLACE", help="Where the files of storage buckets are: a folder, or s3://….")
@click.option(
    "--existing", metavar="FILE.zip", help="An export of the target, with the ids of the tables that exist there."
)
@click.option(
    "--max-rejects", type=click.IntRange(min=0), metavar="N", help="The number of rejected rows that are allowed."
)
@click.option("--dry-run", is_flag=True, help="Run every step, and write nothing.")
@click.option("--yes", is_flag=True, help="With --to: import without asking.")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="The number of processes that copy parts of tables."
)
@click.option("--cluster", metavar="ADDRESS", help="Copy with the workers of this Dask scheduler: tcp://host:8786.")
@click.option(
    "--parts", metavar="PLACE", help="With --cluster: a folder or URL that this machine and all workers reach."
)
@click.option("--restart", is_flag=True, help="Discard the finished parts of an interrupted copy.")
@click.option("--changes", is_flag=True, help="Copy only tables that have changed since the last import.")
@click.option("--baseline", metavar="NAME", help="Record a baseline under this name, for `supavex changes`.")
@click.option(
    "--accept-two-snapshots",
    is_flag=True,
    help="Keep the finished tables of an interrupted copy, although rows changed.",
)
def command(
    folder: str,
    config: str | None,
    to: str,
    as_json: bool,
    out: str | None,
    tables: str | None,
    files: str | None,
    existing: str | None,
    max_rejects: int | None,
    dry_run: bool,
    yes: bool,
    workers: int | None,
    cluster: str | None,
    parts: str | None,
    restart: bool,
    changes: bool,
    baseline: str | None,
    accept_two_snapshots: bool,
) -> int:
    """Copy the rows at one snapshot, with ids that are computed.

    The rows go into a snapshot archive, and from it into the deployment, where they replace the documents of their
    tables. Rejected rows are listed with key, column, reason and fix. If more rows are rejected than allowed,
    nothing is imported. The same command continues an interrupted run. With --changes, nothing is imported if
    nothing has changed.

    For a deployment other than the local one, Convex's own CLI exports the deployment, imports the archive, and
    exports the deployment again. supavex then proves the result.

    \b
    Examples:
      supavex migrate
      supavex migrate --changes
      supavex migrate --to cloud
      supavex migrate --out snapshot.zip && npx convex import --replace snapshot.zip
    """
    from supavex.migrate.options import MigrateOptions

    options = MigrateOptions(
        to=to,
        out=None if out is None else _new_archive(out),
        tables=None if tables is None else frozenset(name.strip() for name in tables.split(",") if name.strip()),
        files=files,
        existing=None if existing is None else Path(existing),
        max_rejects=max_rejects,
        dry_run=dry_run,
        workers=workers,
        cluster=cluster,
        parts=parts,
        restart=restart,
        accept_two_snapshots=accept_two_snapshots,
        changes=changes,
        baseline=baseline,
    )
    project = open_project(folder, config)
    told = partial(print_diagnostics, err=True)
    with shown_progress(audience(as_json)) as progress:
        result = project.migrate(
            options,
            confirm=partial(confirmed, "Import?", "Add --yes to import.", yes=yes),
            log=log,
            warn=(lambda found: None) if as_json else told,
            progress=progress,
        )
    lines = _reported(result, project.settings)
    if as_json:
        print_json(result.to_json())
    else:
        for line in lines:
            click.echo(line)
        _say_next(result, options)
    return 0 if result.ok else 1


def _say_next(result: Migration | RemoteMigration | NothingChanged, options: MigrateOptions) -> None:
    again = f"migrate{' --changes' if options.changes else ''}{target_option(options.to)}"
    if not result.ok:
        next_step("check", again)
    elif options.dry_run:
        next_step(again)
    elif options.out is not None:
        out = shlex.quote(os.path.relpath(options.out))
        next_step(f"verify {out}")
        log(f"  or: npx convex import --replace {out}, in the app's folder")
    elif options.to == "local":
        next_step("verify")
    else:
        next_step(f"changes{target_option(options.to)}", f"plan-cutover{target_option(options.to)}")


def _reported(result: Migration | RemoteMigration | NothingChanged, settings: Settings) -> list[str]:
    """The report for a person. After a migration on this machine, it is also kept as report.md."""
    from supavex.migrate.golive.live import NothingChanged
    from supavex.migrate.golive.remote import RemoteMigration, remote_lines

    if isinstance(result, NothingChanged):
        return [nothing_line(result.since)]
    if isinstance(result, RemoteMigration):
        told = report_lines(result.migration, settings.shown, settings.schemas[0])
        return [*told, *remote_lines(result, settings.shown)]
    lines = report_lines(result, settings.shown, settings.schemas[0])
    if not result.dry_run and not result.nothing:
        text = "\n".join(lines)
        write_whole(result.folder.report.with_suffix(".md"), f"# Migration\n\n```\n{text}\n```\n")
    return lines


def _new_archive(name: str) -> Path:
    """The path of ``--out``. Raises :class:`~supavex.errors.UsageError` if no file can be there."""
    path = Path(name).resolve()
    above = next(folder for folder in path.parents if folder.exists())
    if not name or path.is_dir() or not above.is_dir():
        problem = f"{above} is a file, no folder." if not above.is_dir() else "this names a folder, and no file."
        raise UsageError("NoArchiveName", problem, where=f"--out {name!r}", hint="Name a file: --out snapshot.zip")
    return path
