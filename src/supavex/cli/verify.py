"""``supavex verify``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import audience, shown_progress
from supavex.cli.reports.proof import report_lines
from supavex.cli.targets import target_option, to_option
from supavex.cli.verbosity import log, next_step

if TYPE_CHECKING:
    from supavex.library import Project
    from supavex.migrate.proof.findings import Proof


@click.command("verify")
@click.argument("archive", required=False, metavar="[ARCHIVE.zip]")
@project_options
@to_option
@json_option
@click.option(
    "--rejects", metavar="FILE", help="The rejected rows. Default: of the runs that the target's rows are of."
)
@click.option("--existing", metavar="FILE.zip", help="Of an archive: the export of the target that it was made beside.")
@click.option("--files", metavar="PLACE", help="Where the files of storage buckets are: a folder, or s3://….")
@click.option(
    "--rules", "of_rules", is_flag=True, help="Try the app's functions and rules.ts against PostgreSQL instead."
)
@click.option("--users", type=click.IntRange(min=1), metavar="N", help="With --rules: so many users. Default: all.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N rows a table: a quick look, no proof.")
def command(
    archive: str | None,
    folder: str,
    config: str | None,
    to: str,
    as_json: bool,
    rejects: str | None,
    existing: str | None,
    files: str | None,
    of_rules: bool,
    users: int | None,
    sample: int | None,
) -> int:
    """Prove that every row arrived, field by field; with --rules, that PostgreSQL's policies hold in Convex.

    Source and target are read again, by another way than the copy's. Exit code 1: something is missing, extra or
    different, and no rejected row explains it, or no import took place; rows that were written since the copy are told
    from wrong ones. "Proven for what the files gave" says that some statements of the files did not run. The
    proof is kept in .supavex/migration as proof.json, and as a page, proof.html; a sample leaves these as they are.

    With --rules the source's rows are read and written as anon and as each user, in PostgreSQL (all of it rolled back)
    and in a fork of the local deployment: an app's public query that returns a document which PostgreSQL hides from
    its caller is a leak, and the builders of rules.ts have to show and take what PostgreSQL does. Exit code 1: a leak
    or a difference.

    \b
    Examples:
      supavex verify
      supavex verify snapshot.zip --json
      supavex verify --rules --users 20
    """
    from supavex.migrate.state.folder import Folder
    from supavex.migrate.verifying import VerifyOptions

    project = open_project(folder, config)
    if of_rules:
        if archive or rejects or existing or files or sample or to != "local":
            raise click.UsageError("--rules goes with --users alone.")
        return _verify_rules(project, users, as_json=as_json)
    if users is not None:
        raise click.UsageError("--users goes with --rules.")
    options = VerifyOptions(
        to,
        archive=None if archive is None else Path(archive),
        rejects=None if rejects is None else Path(rejects),
        existing=None if existing is None else Path(existing),
        files=files,
        sample=sample,
    )
    with shown_progress(audience(as_json)) as progress:
        result = project.verify(options, progress)
    settings = project.settings
    page = Folder(settings.migration_folder).proof_page if sample is None else None
    if as_json:
        print_json({**result.to_json(), "page": None if page is None else str(page)})
    else:
        for line in [*report_lines(result), *([] if page is None else [f"Page: {settings.shown(page)}"])]:
            click.echo(line)
        _say_next(result, archive, to)
    return 0 if result.ok else 1


def _verify_rules(project: Project, users: int | None, *, as_json: bool) -> int:
    from supavex.cli.reports.rules import report_lines

    result = project.verify_rules(users, lambda user: click.echo(f"as {user} …", err=True))
    if as_json:
        print_json(result.to_json())
    else:
        for line in report_lines(result):
            click.echo(line)
    return 0 if result.ok else 1


def _say_next(proof: Proof, archive: str | None, to: str) -> None:
    if not proof.ok:
        next_step(f"migrate{target_option(to)}" if archive is None else f"migrate --out {shlex.quote(archive)}")
    elif archive is not None:
        log(f"Next: npx convex import --replace {shlex.quote(archive)}")
    elif proof.sampled is not None:
        next_step(f"verify{target_option(to)}")
    elif to == "local":
        next_step("serve", "usage", "migrate --to cloud")
    else:
        next_step(f"plan-cutover{target_option(to)}", f"changes{target_option(to)}")
