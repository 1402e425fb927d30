"""``supavex verify``."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import audience, shown_progress
from supavex.cli.targets import target_option, to_option
from supavex.cli.verbosity import next_step, say
from supavex.text import counted, table_text

if TYPE_CHECKING:
    from supavex.migrate.proof.findings import Proof, TableProof

#: Findings of a kind that the terminal shows for each table.
_SHOWN = 3


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
        from supavex.cli.rules_proof import rules_verdict

        if archive or rejects or existing or files or sample or to != "local":
            raise click.UsageError("--rules goes with --users alone.")
        return rules_verdict(project, users, as_json=as_json)
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


def _say_next(proof: Proof, archive: str | None, to: str) -> None:
    if not proof.ok:
        next_step(f"migrate{target_option(to)}" if archive is None else f"migrate --out {shlex.quote(archive)}")
    elif archive is not None:
        say(f"Next: npx convex import --replace {shlex.quote(archive)}")
    elif proof.sampled is not None:
        next_step(f"verify{target_option(to)}")
    elif to == "local":
        next_step("serve", "usage", "migrate --to cloud")
    else:
        next_step(f"plan-cutover{target_option(to)}", f"changes{target_option(to)}")


def report_lines(proof: Proof) -> list[str]:
    """The report that a person reads."""
    rows = [
        (
            t.source.removeprefix("public."),
            f"{t.rows:,}",
            f"{t.documents:,}" if proof.sampled is None else "",
            f"{t.matched:,}",
            f"{t.rejected:,}",
            f"{t.changed:,}",
            f"{t.fields:,}",
            f"{t.wrong:,}",
            _verdict(t),
        )
        for t in proof.tables
    ]
    headings = ["source", "rows", "documents", "matched", "rejected", "changed", "fields", "wrong", "verdict"]
    lines = [table_text(headings, rows), ""]
    for table in [*proof.tables, *([] if proof.store is None else [proof.store.found])]:
        lines += _finding_lines(table, sampled=proof.sampled is not None)
    rejected = sum(table.rejected for table in proof.tables)
    matched = sum(table.matched for table in proof.tables)
    fields = sum(table.fields for table in proof.tables)
    if proof.changed:
        lines.append(
            f"{counted(proof.changed, 'row')} changed since the copy ({proof.copied_at}): written after it had read, "
            "so the target does not have them as they are now. Run supavex migrate again once the app writes no more."
        )
    if any(table.counts["deleted or extra"] for table in proof.tables):
        lines.append(
            "A row that was deleted since the copy leaves nothing to tell it by: its document may be right as of then."
        )
    lines += [
        f"{counted(count, 'NULL')} filled: {table.source}.{column}."
        for table in proof.tables
        for column, count in table.filled.items()
    ]
    lines += [
        f"{counted(count, 'row')} of {table.source}.{column} with a number that JSON.parse rounds: equal as doubles."
        for table in proof.tables
        for column, count in table.rounded.items()
    ]
    verdict = {"sample equal": "the sample is equal; this is no proof", "sample differs": "the sample differs"}
    said = "; ".join([verdict.get(proof.verdict, proof.verdict), *proof.all_remarks])
    lines.append(
        f"{said}: {counted(matched, 'row')} equal in {fields} fields, "
        f"{counted(rejected, 'row')} rejected and explained, {counted(proof.wrong, 'difference')}; "
        f"as of {proof.taken_at}, in {proof.seconds:.1f} s."
    )
    return lines


def _finding_lines(table: TableProof, *, sampled: bool) -> list[str]:
    """The first findings of each kind of a table, and how many more there are."""
    from supavex.migrate.proof.findings import CHANGED, LISTED

    kinds: dict[str, list[str]] = {}
    for m in table.mismatches[:_SHOWN]:
        line = f"mismatch: {m.table} {m.key} {m.column}: source {m.source}, target {m.target}"
        kinds.setdefault("mismatch", []).append(line)
    counts = Counter(finding.kind for finding in table.findings)
    for finding in [*table.findings, *table.changes]:
        kinds.setdefault(finding.kind, []).append(f"{finding.kind}: {finding.table} {finding.key}: {finding.detail}")
    lines: list[str] = []
    for kind, found in kinds.items():
        lines += found[:_SHOWN]
        count = table.changed if kind == CHANGED else table.counts[kind] or counts[kind]
        more = count - len(found[:_SHOWN])
        if more > 0:
            where = "all of them: --json" if sampled else "in proof.json"
            where = f"the first {LISTED:,} are {where}" if count > LISTED else where
            lines.append(f"    … and {more:,} more, {where}")
    return lines


def _verdict(table: TableProof) -> str:
    kinds = [f"{count} × {kind}" for kind, count in table.counts.items()]
    return ", ".join(kinds + (["changed since the copy"] if table.changed else [])) or "equal"
