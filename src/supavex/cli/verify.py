"""``supavex verify``."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import bars
from supavex.cli.targets import open_target, to_option
from supavex.convex.snapshot import SnapshotArchive
from supavex.errors import UsageError
from supavex.mapping.check import checked_plan
from supavex.mapping.source import Source
from supavex.migrate.documents import ArchiveDocuments, Documents
from supavex.migrate.file_proof import archive_files, deployment_files, files_proof
from supavex.migrate.file_sources import file_source
from supavex.migrate.official import official_cli
from supavex.migrate.proof import LISTED, Proof
from supavex.migrate.rejects import read_rejects
from supavex.migrate.verification import FilesProof, verify
from supavex.project import Project
from supavex.text import counted, table_text


@click.command("verify")
@click.argument("archive", required=False, metavar="[ARCHIVE.zip]")
@project_options
@to_option
@json_option
@click.option("--rejects", metavar="FILE", help="The rejected rows. Default: those of the last migration.")
@click.option("--files", metavar="PLACE", help="Where the files of storage buckets are: a folder, or s3://….")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N rows a table: a quick look, no proof.")
def command(
    archive: str | None,
    folder: str,
    config: str | None,
    to: str,
    as_json: bool,
    rejects: str | None,
    files: str | None,
    sample: int | None,
) -> int:
    """Prove that every row arrived, field by field.

    Source and target are read again, by another way than the copy's. Exit code 1: something is missing, extra or
    different, and no rejected row explains it.

    \b
    Examples:
      supavex verify
      supavex verify snapshot.zip --json
    """
    project = open_project(folder, config)
    result = run(project, to, None if archive is None else Path(archive), rejects, sample, files)
    if as_json:
        print_json(result.to_json())
    else:
        for line in report_lines(result):
            click.echo(line)
    return 0 if result.ok else 1


def run(
    project: Project,
    to: str = "local",
    archive: Path | None = None,
    rejects: str | None = None,
    sample: int | None = None,
    files: str | None = None,
) -> Proof:
    """Verifies ``project``; see :func:`supavex.migrate.verification.verify`."""
    plan, _ = checked_plan(project)
    source = file_source(project, files)
    file = project.migration_folder / "rejects.jsonl" if rejects is None else Path(rejects)
    if rejects is not None and not file.exists():
        raise UsageError("NoRejects", "there is no such file.", where=str(file))
    with ExitStack() as stack:
        target: Documents
        if archive is None and to != "local":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="supavex-export-"))
            archive = Path(folder) / "export.zip"
            stored = () if source is None else ("--include-file-storage",)
            official_cli(project.convex_folder, to).run("export", "--path", str(archive), *stored)
        prove: FilesProof | None = None
        if archive is None:
            target = deployment = stack.enter_context(open_target(project, to))
            if source is not None:
                prove = files_proof(source, project.storage.buckets, deployment_files(deployment))
        else:
            target = stack.enter_context(ArchiveDocuments(archive))
            if source is not None:
                opened = stack.enter_context(SnapshotArchive(archive))
                prove = files_proof(source, project.storage.buckets, archive_files(opened))
        report = stack.enter_context(bars("verifying"))
        url = stack.enter_context(Source(project).running())
        rejected = list(read_rejects(file))
        return verify(plan, url, target, rejected, sample=sample, progress=lambda t, n: report(t, n, 0), files=prove)


def report_lines(proof: Proof) -> list[str]:
    """The report that a person reads."""
    rows = [
        (
            t.source.removeprefix("public."),
            t.rows,
            t.documents if proof.sampled is None else "",
            t.matched,
            t.rejected,
            t.fields,
            sum(t.counts.values()),
            "equal" if t.ok else ", ".join(f"{n} × {kind}" for kind, n in t.counts.items()),
        )
        for t in proof.tables
    ]
    headings = ["source", "rows", "documents", "matched", "rejected", "fields", "wrong", "verdict"]
    lines = [table_text(headings, rows), ""]
    for table in proof.tables:
        lines += [
            f"mismatch: {m.table} {m.key} {m.column}: source {m.source}, target {m.target}" for m in table.mismatches
        ]
        lines += [f"{f.kind}: {f.table} {f.key}: {f.detail}" for f in table.findings]
        more = sum(max(0, count - LISTED) for count in table.counts.values())
        if more:
            lines.append(f"… and {more} more of {table.source}.")
    rejected = sum(table.rejected for table in proof.tables)
    matched = sum(table.matched for table in proof.tables)
    fields = sum(table.fields for table in proof.tables)
    if proof.sampled is not None:
        verdict = "the sample is equal; this is no proof" if proof.ok else "the sample differs"
    else:
        verdict = "proven" if proof.ok else "not proven"
    lines.append(
        f"{verdict}: {counted(matched, 'row')} equal in {fields} fields, {counted(rejected, 'row')} rejected and "
        f"explained, {counted(sum(sum(t.counts.values()) for t in proof.tables), 'difference')}; "
        f"as of {proof.taken_at}, in {proof.seconds:.1f} s."
    )
    return lines
