"""``supavex migrate``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
from supavex.cli.progress import Audience, audience, bars
from supavex.cli.targets import to_option
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.file_import import import_all
from supavex.errors import UsageError
from supavex.mapping.check import checked_plan
from supavex.mapping.source import Source
from supavex.migrate.targets import local_deployment
from supavex.project import Project

if TYPE_CHECKING:
    from supavex.mapping.plan import Plan
    from supavex.migrate.copy.results import CopyResult
    from supavex.migrate.copy.run import CopyOptions, Moments
    from supavex.migrate.migration import Migration
    from supavex.migrate.stored_files import FilesJob
    from supavex.migrate.touched import ChangedTables


@click.command("migrate")
@project_options
@to_option
@json_option
@click.option("--out", metavar="FILE.zip", help="Write the archive only; no deployment is needed.")
@click.option("--tables", metavar="A,B", help="Only these source tables; schema.name in other schemas than the first.")
@click.option("--files", metavar="PLACE", help="Where the files of storage buckets are: a folder, or s3://….")
@click.option("--existing", metavar="FILE.zip", help="An export of the target: ids of tables that are there already.")
@click.option("--max-rejects", type=click.IntRange(min=0), metavar="N", help="Rejected rows that are allowed.")
@click.option("--dry-run", is_flag=True, help="Do all of it, and write nothing.")
@click.option("--yes", is_flag=True, help="With --to: import without asking.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes that copy parts of tables.")
@click.option("--cluster", metavar="ADDRESS", help="Copy by the workers of this Dask scheduler: tcp://host:8786.")
@click.option("--parts", metavar="PLACE", help="With --cluster: a folder or URL that this machine and the workers see.")
@click.option("--restart", is_flag=True, help="Throw away what an interrupted copy has done.")
@click.option("--changes", is_flag=True, help="Only tables that have changed since the last import into the target.")
@click.option("--moment", metavar="NAME", help="Keep what the source holds now under this name, for `supavex changes`.")
@click.option("--accept-two-moments", is_flag=True, help="Keep the tables of an interrupted copy, though rows changed.")
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
    moment: str | None,
    accept_two_moments: bool,
) -> int:
    """Copy the rows at one moment, with ids that are computed.

    They go into a snapshot archive and from it into the deployment, replacing the tables that are moved. Rejected rows
    are listed with key, column, reason and fix; more of them than allowed, and nothing is imported. Into another
    deployment than the local one, Convex's own CLI exports before, imports, and exports after; the proof follows.
    A run that was cut short goes on where it was. With --changes, nothing is imported where nothing has changed.

    \b
    Examples:
      supavex migrate
      supavex migrate --changes
      supavex migrate --to cloud
      supavex migrate --out snapshot.zip && npx convex import --replace snapshot.zip
    """
    project = open_project(folder, config).settings
    how = Copying(workers, cluster, parts, restart, accept_two_moments)
    if changes and (out is not None or tables is not None or existing is not None):
        hint = "supavex migrate --changes --to TARGET takes the tables that have changed, whichever they are."
        raise UsageError(
            "UnsupportedOption", "--changes goes with --to, not with --out, --tables, --existing.", hint=hint
        )
    if to != "local":
        if out is not None:
            raise UsageError("OutAndTo", "--out writes an archive only; --to names a deployment.", hint="Give one.")
        if dry_run or existing is not None:
            raise UsageError("UnsupportedOption", "--dry-run and --existing work with the local deployment and --out.")
        keeping = Keeping(changes, moment)
        return _by_cli(project, to, tables, max_rejects, how, keeping, files=files, as_json=as_json, yes=yes)
    result = run(
        project,
        to,
        out=None if out is None else _new_archive(out),
        tables=_names(tables),
        existing=None if existing is None else Path(existing),
        max_rejects=max_rejects,
        dry_run=dry_run,
        show=audience(as_json),
        how=how,
        keeping=Keeping(changes, moment),
        files=files,
    )
    if as_json:
        print_json(result.to_json())
    else:
        from supavex.migrate.report import report_lines

        for line in report_lines(result, project.shown):
            click.echo(line)
    return 0 if result.ok else 1


def _new_archive(name: str) -> Path:
    """The file that ``--out`` names. Raises where there can be none."""
    path = Path(name).resolve()
    above = next(folder for folder in path.parents if folder.exists())
    if not name or path.is_dir() or not above.is_dir():
        problem = f"{above} is a file, no folder." if not above.is_dir() else "this names a folder, and no file."
        raise UsageError("NoArchiveName", problem, where=f"--out {name!r}", hint="Name a file: --out snapshot.zip")
    return path


@dataclass(frozen=True)
class Copying:
    """Who copies, and what becomes of an interrupted copy."""

    workers: int | None = None
    cluster: str | None = None
    parts: str | None = None
    restart: bool = False
    accept_two_moments: bool = False

    def options(self) -> CopyOptions:
        """The arguments of :func:`~supavex.migrate.copy.run.copy`. Raises where the options contradict each other."""
        from supavex.migrate.executors import Cluster, Executor, Here, Processes

        if self.workers is not None and self.cluster is not None:
            raise UsageError("TwoChoices", "--workers are processes here, --cluster has its own.", hint="Give one.")
        if self.restart and self.accept_two_moments:
            raise UsageError("TwoChoices", "--restart throws away what --accept-two-moments keeps.", hint="Give one.")
        if (self.cluster is None) != (self.parts is None):
            hint = "Give both: --cluster tcp://host:8786 --parts /mnt/shared/parts (or s3://bucket/parts)."
            raise UsageError("NoPlaceForParts", "--cluster needs --parts: a place that all workers see.", hint=hint)
        executor: Executor = Here()
        if self.cluster is not None:
            executor = Cluster(self.cluster)
        elif self.workers is not None and self.workers > 1:
            executor = Processes(self.workers)
        place = None
        if self.parts is not None:
            place = self.parts if "://" in self.parts else str(Path(self.parts).resolve())
        accept: Moments = "accept two" if self.accept_two_moments else "ask"
        return {"executor": executor, "place": place, "moments": "restart" if self.restart else accept}


@dataclass(frozen=True)
class Keeping:
    """Since which moment, and under which other name this one is kept."""

    changes: bool = False
    moment: str | None = None

    @contextmanager
    def options(self, plan: Plan, target: str, how: Copying, *, dry_run: bool = False) -> Iterator[CopyOptions]:
        """The arguments of :func:`~supavex.migrate.copy.run.copy`, those of ``how`` among them.

        ``target``: the deployment, or ``archive`` where the rows stay in one.
        """
        from supavex.migrate.changes import ChangeDetector
        from supavex.migrate.migration import Folder
        from supavex.migrate.moments import Moment, name_of
        from supavex.migrate.touched import BaselineRecorder, ChangedTables

        moments = Folder(plan.project.migration_folder).moments
        options = how.options()
        if self.moment is not None:
            moments.path(self.moment)
        recorder = None
        if not dry_run and (target != "archive" or self.moment is not None):
            recorder = options["recorder"] = BaselineRecorder(moments, target, self.moment)
        if not self.changes:
            yield options
            return
        # What an interrupted copy of changes has done is of another choice of tables.
        options["moments"] = "restart"
        with Moment.open(moments.path(name_of(target))) as moment:
            changed = options["selection"] = ChangedTables(plan, ChangeDetector(moment), moments.doubted(target))
            if recorder is not None:
                recorder.changed = changed
            yield options


def _by_cli(
    project: Project,
    to: str,
    tables: str | None,
    max_rejects: int | None,
    how: Copying,
    keeping: Keeping,
    *,
    files: str | None,
    as_json: bool,
    yes: bool,
) -> int:
    from supavex.migrate.lock import locked
    from supavex.migrate.official import official_cli
    from supavex.migrate.remote import migrate_by_cli, remote_lines
    from supavex.migrate.report import nothing_line, report_lines
    from supavex.migrate.stored_files import files_job
    from supavex.migrate.touched import ChangedTables

    def confirm(changes: str) -> bool:
        click.echo(changes, err=True)
        if not yes and not sys.stdin.isatty():
            raise UsageError("NotConfirmed", "there is no terminal to ask on.", hint="Add --yes to import.")
        return yes or click.confirm("Import?", err=True)

    cli = official_cli(project.convex_folder, to)
    plan, diagnostics = checked_plan(project)
    if not as_json:
        print_diagnostics([d for d in diagnostics if d.severity == "warning"], err=True)
    project.make_state()
    with locked(project.migration_folder), keeping.options(plan, cli.deployment, how) as options:
        options["files"] = files_job(plan, files)
        since = options.get("selection")
        if isinstance(since, ChangedTables) and _nothing(project, since, options["files"]):
            if as_json:
                found = [change.to_json() for change in since.changes]
                print_json({"ok": True, "imported": False, "target": to, "since": since.made_at, "changes": found})
            else:
                click.echo(nothing_line(since.made_at))
            return 0
        remote = migrate_by_cli(
            plan,
            cli,
            confirm=confirm,
            say=lambda line: click.echo(line, err=True),
            tables=_names(tables),
            max_rejects=max_rejects,
            showing=lambda step: bars(step, audience(as_json)),
            **options,
        )
        if remote.proof is not None:
            from supavex.cli.verify import described_target, write_proof

            write_proof(project, remote.proof, remote.migration.copy.rejects, described_target(project, to))
    if as_json:
        print_json(remote.to_json())
    else:
        for line in [*report_lines(remote.migration, project.shown), *remote_lines(remote, project.shown)]:
            click.echo(line)
    return 0 if remote.ok else 1


def _nothing(project: Project, since: ChangedTables, files: FilesJob | None) -> bool:
    from supavex.migrate.touched import nothing_changed

    with Source(project).running() as url:
        return nothing_changed(since, url, files)


def _names(tables: str | None) -> frozenset[str] | None:
    return None if tables is None else frozenset(name.strip() for name in tables.split(",") if name.strip())


def run(
    project: Project,
    to: str,
    *,
    out: Path | None = None,
    tables: frozenset[str] | None = None,
    existing: Path | None = None,
    max_rejects: int | None = None,
    dry_run: bool = False,
    show: Audience = "people",
    how: Copying = Copying(),
    keeping: Keeping = Keeping(),
    files: str | None = None,
) -> Migration:
    """Migrates ``project``; see :func:`supavex.migrate.migration.migrate`."""
    # Arrow and what comes with it are an extra, and slow to import: `--help` does without.
    from supavex.files import write_whole
    from supavex.migrate.documents import ArchiveDocuments
    from supavex.migrate.lock import locked
    from supavex.migrate.migration import migrate
    from supavex.migrate.report import report_lines
    from supavex.migrate.runs import Run, measure
    from supavex.migrate.stored_files import files_job
    from supavex.migrate.value_files import files_to_forget

    plan, diagnostics = checked_plan(project)
    place = to if out is None else "archive"
    measured = Run("changes" if keeping.changes else "migrate", place)
    if show == "people":
        print_diagnostics([d for d in diagnostics if d.severity == "warning"], err=True)
    with ExitStack() as stack:
        if not dry_run:
            project.make_state()
            stack.enter_context(locked(project.migration_folder))
        target = None if out is not None else stack.enter_context(local_deployment(project, to, make=not dry_run))
        known = None if existing is None else stack.enter_context(ArchiveDocuments(existing))
        options = stack.enter_context(keeping.options(plan, place, how, dry_run=dry_run))
        options["files"] = files_job(plan, files, existing)
        copying = stack.enter_context(ExitStack())
        report = copying.enter_context(bars("copied", show))

        def put(archive: SnapshotArchive, copied: CopyResult) -> object:
            assert target is not None
            copying.close()
            counts = {table.target: table.documents for table in copied.tables}
            with bars("imported", show) as importing, measured.step("import"):
                forget = files_to_forget(target, archive, [t for t in plan.moved if t.target in counts])
                return import_all(
                    target, archive, progress=lambda t, n: importing(t, n, counts.get(t, 0)), forget=forget
                )

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
            **options,
        )
        recorder = options.get("recorder")
        if out is not None and recorder is not None and result.ok:
            recorder.keep()
        if not dry_run and not result.nothing:
            if result.ok:
                measured.ok = True
                measure(measured, result.copy)
                measured.write(result.folder.path)
            text = "\n".join(report_lines(result, project.shown))
            write_whole(result.folder.report.with_suffix(".md"), f"# Migration\n\n```\n{text}\n```\n")
    return result
