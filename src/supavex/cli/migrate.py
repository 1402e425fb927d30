"""``supavex migrate``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import (
    json_option,
    open_project,
    print_diagnostics,
    print_json,
    project_options,
)
from supavex.cli.progress import bars
from supavex.cli.targets import open_target, to_option
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.importing import import_snapshot
from supavex.errors import UsageError
from supavex.mapping.check import checked_plan
from supavex.project import Project

if TYPE_CHECKING:
    from supavex.migrate.migration import Migration


@click.command("migrate")
@project_options
@to_option
@json_option
@click.option("--out", metavar="FILE.zip", help="Write the archive only; no deployment is needed.")
@click.option("--tables", metavar="A,B", help="Only these source tables.")
@click.option("--existing", metavar="FILE.zip", help="An export of the target: ids of tables that are there already.")
@click.option("--max-rejects", type=click.IntRange(min=0), metavar="N", help="Rejected rows that are allowed.")
@click.option("--dry-run", is_flag=True, help="Do all of it, and write nothing.")
def command(
    folder: str,
    config: str | None,
    to: str,
    as_json: bool,
    out: str | None,
    tables: str | None,
    existing: str | None,
    max_rejects: int | None,
    dry_run: bool,
) -> int:
    """Copy the rows at one moment, with ids that are computed.

    They go into a snapshot archive and from it into the deployment, replacing the tables that are moved. Rejected rows
    are listed with key, column, reason and fix; more of them than allowed, and nothing is imported.

    \b
    Examples:
      supavex migrate
      supavex migrate --out snapshot.zip && npx convex import --replace snapshot.zip
    """
    project = open_project(folder, config)
    result = run(
        project,
        to,
        out=None if out is None else Path(out).resolve(),
        tables=None if tables is None else frozenset(name.strip() for name in tables.split(",") if name.strip()),
        existing=None if existing is None else Path(existing),
        max_rejects=max_rejects,
        dry_run=dry_run,
        quiet=as_json,
    )
    if as_json:
        print_json(result.to_json())
    else:
        from supavex.migrate.report import report_lines

        for line in report_lines(result, project.shown):
            click.echo(line)
    return 0 if result.ok else 1


def run(
    project: Project,
    to: str,
    *,
    out: Path | None = None,
    tables: frozenset[str] | None = None,
    existing: Path | None = None,
    max_rejects: int | None = None,
    dry_run: bool = False,
    quiet: bool = False,
) -> Migration:
    """Migrates ``project``; see :func:`supavex.migrate.migration.migrate`."""
    # Arrow and what comes with it are an extra, and slow to import: `--help` does without.
    from supavex.migrate.documents import ArchiveDocuments
    from supavex.migrate.migration import migrate
    from supavex.migrate.report import report_lines

    plan, diagnostics = checked_plan(project)
    if not quiet:
        print_diagnostics([d for d in diagnostics if d.severity == "warning"], err=True)
    if out is not None and to != "local":
        raise UsageError("OutAndTo", "--out writes an archive only; --to names a deployment.", hint="Give one of them.")
    with ExitStack() as stack:
        target = None if out is not None else stack.enter_context(open_target(project, to))
        known = None if existing is None else stack.enter_context(ArchiveDocuments(existing))
        report = stack.enter_context(bars("copying"))

        def put(archive: SnapshotArchive) -> object:
            assert target is not None
            with bars("importing") as importing:
                return import_snapshot(target, archive, "replace", progress=lambda t, n: importing(t, n, 0))

        result = migrate(
            plan,
            target=target,
            put=None if target is None else put,
            out=out,
            existing=known,
            tables=tables,
            max_rejects=max_rejects,
            dry_run=dry_run,
            progress=report,
        )
    if not dry_run:
        text = "\n".join(report_lines(result, project.shown))
        result.folder.report.with_suffix(".md").write_text(f"# Migration\n\n```\n{text}\n```\n", encoding="utf-8")
    return result
