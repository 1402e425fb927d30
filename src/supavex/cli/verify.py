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
    "--rejects", metavar="FILE", help="The rejected rows. Default: those of the runs that wrote the target's rows."
)
@click.option(
    "--existing", metavar="FILE.zip", help="For an archive: the export of the target that the archive was made with."
)
@click.option("--files", metavar="PLACE", help="Where the files of storage buckets are: a folder, or s3://….")
@click.option(
    "--rules", "of_rules", is_flag=True, help="Compare the app's functions and rules.ts with PostgreSQL instead."
)
@click.option(
    "--users", type=click.IntRange(min=1), metavar="N", help="With --rules: the number of users. Default: all."
)
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Compare N rows of each table only. This is not a proof."
)
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

    Source and target are read again, by other code than the copy's. The exit code is 1 if no import took place, or
    if something is missing, extra or different and no rejected row explains it. Rows that were written since the
    copy are counted apart from wrong ones. "Proven for what the files gave" means that some statements of the files
    did not run. The proof is kept in .supavex/migration as proof.json, and as a page, proof.html. With --sample,
    these two files stay as they are.

    With --rules, supavex reads and writes the source's rows as anon and as each user: in PostgreSQL, where all of
    it is rolled back, and in a fork of the local deployment. An app's public query leaks if it returns a document
    that PostgreSQL hides from its caller. The builders of rules.ts must allow the same reads and writes as
    PostgreSQL. The exit code is 1 if there is a leak or a difference.

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

    result = project.verify_rules(users, lambda line: click.echo(line, err=True))
    if as_json:
        print_json(result.to_json())
    else:
        for line in report_lines(result):
            click.echo(line)
    return 0 if result.ok else 1


def _say_next(proof: Proof, archive: str | None, to: str) -> None:
    if not proof.ok:
        from supavex.migrate.copy.archive import is_own

        out = archive if archive is None or is_own(Path(archive)) else "snapshot.zip"
        next_step(f"migrate{target_option(to)}" if out is None else f"migrate --out {shlex.quote(out)}")
    elif archive is not None:
        log(f"Next: npx convex import --replace {shlex.quote(archive)}")
    elif proof.sampled is not None:
        next_step(f"verify{target_option(to)}")
    elif to == "local":
        next_step("serve", "usage", "migrate --to cloud")
    else:
        next_step(f"plan-cutover{target_option(to)}", f"changes{target_option(to)}")
