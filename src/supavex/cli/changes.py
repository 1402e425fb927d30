"""``supavex changes``."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import bars
from supavex.errors import UsageError
from supavex.mapping.check import checked_plan
from supavex.mapping.source import Source
from supavex.migrate.changes import ChangeDetector, Changes, Each, changes_since, listed_line
from supavex.migrate.migration import Folder
from supavex.migrate.moments import Moment, name_of
from supavex.migrate.official import deployment_of
from supavex.migrate.stored_files import files_job
from supavex.migrate.touched import other_rules
from supavex.project import Project
from supavex.text import counted, table_text

_NAMED = 5


@click.command("changes")
@project_options
@json_option
@click.option("--to", metavar="TARGET", help="Since the last import into this deployment. Default: into any.")
@click.option("--moment", metavar="NAME", help="Since the moment that `supavex migrate --moment NAME` kept.")
@click.option("--files", metavar="PLACE", help="Where the files of storage buckets are. Default: supavex.toml's.")
@click.option("--list", "every", is_flag=True, help="Every changed row, as one JSON object a line.")
@click.option("--full", is_flag=True, help="Compare every row's digest, whatever xmin says.")
def command(
    folder: str,
    config: str | None,
    as_json: bool,
    to: str | None,
    moment: str | None,
    files: str | None,
    every: bool,
    full: bool,
) -> int:
    """List the rows inserted, updated and deleted since they were imported.

    Every migration that imports keeps what it saw. A row that was written again as it was, or in columns that do not
    move, is no change. Exit code 1: something has changed; `supavex migrate --changes` imports it.

    \b
    Examples:
      supavex changes
      supavex changes --to cloud --list > changes.jsonl
    """
    if every and as_json:
        raise UsageError("TwoChoices", "--list writes JSON lines, --json one object.", hint="Give one.")
    project = open_project(folder, config)
    each = (lambda table, kind, key: click.echo(listed_line(table, kind, key))) if every else None
    found = run(project, to, moment, full=full, each=each, files=files)
    if as_json:
        print_json(found.to_json())
    else:
        for line in report_lines(found):
            click.echo(line, err=every)
    return 1 if found.any else 0


def run(
    project: Project,
    to: str | None = None,
    moment: str | None = None,
    *,
    full: bool = False,
    each: Each | None = None,
    files: str | None = None,
) -> Changes:
    """The changes of ``project``; see :func:`supavex.migrate.changes.changes_since`."""
    moments = Folder(project.migration_folder).moments
    if to is not None and moment is not None:
        raise UsageError("TwoChoices", "--to and --moment both name a moment.", hint="Give one.")
    latest = moments.latest() or "local"
    name = moment or (latest if to is None else name_of(deployment_of(project.convex_folder, to)))
    path = moments.path(name)
    if moment is not None and not path.is_file():
        kept = ", ".join(moments.names()) or "none"
        raise UsageError("NoMoment", f"there is no moment {moment}.", where=str(path), hint=f"Kept are: {kept}.")
    plan, _ = checked_plan(project)
    with ExitStack() as stack:
        opened = stack.enter_context(Moment.open(path))
        # A named moment is what was imported once; the target's own is what should be there now.
        doubted = moments.doubted(opened.target) if path == moments.path(name_of(opened.target)) else ()
        detector = ChangeDetector(opened, full, each)
        report = stack.enter_context(bars("reading"))
        detector.progress = lambda table, rows: report(table, rows, 0)
        url = stack.enter_context(Source(project).running())
        rules = partial(other_rules, plan, opened)
        return changes_since(plan, url, detector, doubted, files_job(plan, files), rules)


def report_lines(found: Changes) -> list[str]:
    """The report that a person reads."""
    rows = [
        (t.source.removeprefix("public."), t.rows, t.inserted, t.updated, t.deleted, t.unchanged, t.by)
        for t in found.tables
        if t.any
    ]
    lines = []
    if rows:
        lines += [table_text(["source", "rows", "inserted", "updated", "deleted", "unchanged", "by"], rows), ""]
    for table in found.tables:
        for kind, keys in table.keys.items():
            more = getattr(table, kind) - len(keys)
            lines.append(f"{kind}: {table.source} {', '.join(keys)}" + (f" … and {more} more" if more else ""))
    whys: dict[str, list[str]] = {}
    for table in found.tables:
        if table.why:
            whys.setdefault(table.why, []).append(table.source)
    lines += [f"note: {why}: every row of {_names(tables)} was compared." for why, tables in whys.items()]
    if found.rules:
        lines.append(
            f"note: what decides on the rows of {_names(found.rules)} has changed (schema.py, supavex.toml, ids, "
            "supavex): `supavex migrate --changes` imports them again."
        )
    if found.files:
        lines.append("note: files of storage buckets came, went, or were uploaded again since.")
    if found.doubted:
        lines.append(
            f"note: an import of {_names(found.doubted)} did not end, was not proven, or was taken back: "
            "`supavex migrate --changes` imports them again."
        )
    if found.gone:
        lines.append(f"note: not moved any more: {', '.join(found.gone)}. Their documents stay as they are.")
    count = sum(t.inserted + t.updated + t.deleted for t in found.tables)
    what = f"{counted(count, 'row')} of {counted(len(rows), 'table')}" if rows else counted(0, "row")
    lines.append(
        f"{what} changed since {found.since} (moment {found.moment}), as of {found.taken_at}, in {found.seconds:.1f} s."
    )
    return lines


def _names(tables: list[str]) -> str:
    return ", ".join(tables) if len(tables) <= _NAMED else f"{tables[0]} and {len(tables) - 1} other tables"
