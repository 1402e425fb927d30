"""``supavex verify``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from supavex.cli.options import json_option, open_project, print_json, project_options
from supavex.cli.progress import Audience, audience, bars
from supavex.cli.targets import to_option
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.server.jobs import job_documents
from supavex.errors import SupavexError, UsageError
from supavex.files import write_whole
from supavex.mapping.check import checked_plan
from supavex.mapping.graph import uses_existing
from supavex.mapping.source import Source
from supavex.migrate.documents import ArchiveDocuments, Documents, WithExisting
from supavex.migrate.file_proof import archive_files, deployment_files
from supavex.migrate.file_sources import file_source
from supavex.migrate.migration import Folder
from supavex.migrate.official import deployment_of, official_cli
from supavex.migrate.proof import CHANGED, LISTED, Proof, TableProof
from supavex.migrate.proof_page import About, proof_page
from supavex.migrate.rejects import Reject, read_rejects
from supavex.migrate.runs import Run
from supavex.migrate.storage_proof import files_proof
from supavex.migrate.store_proof import prove_store
from supavex.migrate.targets import local_deployment
from supavex.migrate.verification import FilesProof, holds_documents, verify
from supavex.postgres.connection import without_password
from supavex.project import Project
from supavex.temporary import temporary_folder
from supavex.text import counted, table_text

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
    sample: int | None,
) -> int:
    """Prove that every row arrived, field by field.

    Source and target are read again, by another way than the copy's. Exit code 1: something is missing, extra or
    different, and no rejected row explains it, or no import took place; rows that were written since the copy are told
    from wrong ones. "Proven for what the files gave" says that some statements of the files did not run. The
    proof is kept in .supavex/migration as proof.json, and as a page, proof.html; a sample leaves these as they are.

    \b
    Examples:
      supavex verify
      supavex verify snapshot.zip --json
    """
    project = open_project(folder, config).settings
    named = None if archive is None else Path(archive)
    beside = None if existing is None else Path(existing)
    result = run(project, to, named, rejects, sample, audience(as_json), files=files, existing=beside)
    folder_ = Folder(project.migration_folder)
    page = folder_.proof_page if sample is None else None
    if as_json:
        print_json({**result.to_json(), "page": None if page is None else str(page)})
    else:
        for line in [*report_lines(result), *([] if page is None else [f"Page: {project.shown(page)}"])]:
            click.echo(line)
    return 0 if result.ok else 1


def run(
    project: Project,
    to: str = "local",
    archive: Path | None = None,
    rejects: str | None = None,
    sample: int | None = None,
    show: Audience = "people",
    files: str | None = None,
    existing: Path | None = None,
) -> Proof:
    """Verifies ``project``, and writes the proof as JSON and as a page; see :mod:`supavex.migrate.verification`.

    ``existing``: of an archive, the export that has the tables which were in Convex already. A ``sample`` is not kept.
    """
    if existing is not None and archive is None:
        hint = "A deployment has the tables that are declared existing itself."
        raise UsageError("UnsupportedOption", "--existing goes with an archive.", hint=hint)
    project.make_state()
    plan, _ = checked_plan(project)
    source = file_source(project, files)
    with_files = source is not None or bool(plan.large)
    deployed = deployment_of(project.convex_folder, to)
    measured = Run("verify", "archive" if archive is not None else deployed)
    folder = Folder(project.migration_folder)
    if rejects is not None and not Path(rejects).is_file():
        problem = "this is a folder, no file." if Path(rejects).is_dir() else "there is no such file."
        hint = "A migration leaves one in .supavex/migration: rejects.jsonl."
        raise UsageError("NoRejects", problem, where=rejects, hint=hint)
    copied = folder.copied(deployed, archive, asked=to != "local")
    rejected = copied.rejects if rejects is None else list(read_rejects(Path(rejects)))
    named = project.shown(archive.resolve()) if archive is not None else described_target(project, to)
    known = folder.knows_import(deployed, archive, asked=to != "local")
    with ExitStack() as stack:
        target: Documents
        if archive is None and to != "local":
            archive = stack.enter_context(temporary_folder("export")) / "export.zip"
            stored = ("--include-file-storage",) if with_files else ()
            with measured.step("export"):
                official_cli(project.convex_folder, to).run("export", "--path", str(archive), *stored)
        prove: FilesProof | None = None
        if archive is None:
            if not known and not (project.state / "deployment.sqlite3").exists():
                raise _nothing_imported(named)
            target = deployment = stack.enter_context(local_deployment(project, to))
            # An import that ends meanwhile replaces its tables.
            stack.enter_context(deployment.reading())
            known = known or _imported_by_cli(deployment)
            if with_files:
                prove = files_proof(source, project.storage.buckets, deployment_files(deployment))
        else:
            target = stack.enter_context(ArchiveDocuments(archive))
            # Of a table that is in Convex already, an archive of supavex's holds nothing; an export does.
            lacking = {t.target for t in plan.tables if t.status == "existing"} - target.table_numbers().keys()
            if existing is not None:
                target = WithExisting(target, stack.enter_context(ArchiveDocuments(existing)), lacking)
            elif lacking and uses_existing(plan):
                raise UsageError(
                    "NoTarget",
                    f"the archive does not hold {', '.join(sorted(lacking))}, whose ids its documents name.",
                    where=str(archive),
                    hint="Add --existing FILE.zip: the export of the target that the archive was made with.",
                )
            if with_files:
                opened = stack.enter_context(SnapshotArchive(archive))
                prove = files_proof(source, project.storage.buckets, archive_files(opened))
        if not known and not holds_documents(plan, target):
            raise _nothing_imported(named)
        report = stack.enter_context(bars("verified", show))
        url = stack.enter_context(Source(project).running())
        with measured.step("proof"):
            proof = verify(plan, url, target, rejected, sample=sample, copied=copied, progress=report, files=prove)
        if isinstance(target, Deployment) and sample is None:
            with measured.step("indexes"):
                proof.store = prove_store(target, {table.target for table in plan.moved}, report)
            proof.seconds += proof.store.seconds
    if sample is None:
        measured.ok = proof.ok
        measured.rows = sum(table.rows for table in proof.tables)
        measured.documents = sum(table.documents for table in proof.tables)
        measured.write(folder.path)
        write_proof(project, proof, rejected, named)  # a sample is none, and the last proof stays
    return proof


def _imported_by_cli(deployment: Deployment) -> bool:
    """Whether `npx convex import` has put something into the local deployment."""
    return any(job["state"].get("state") == "completed" for job in job_documents(deployment.store, "import"))


def _nothing_imported(target: str) -> SupavexError:
    hint = "Run `supavex migrate` first."
    message = (
        "no import took place: the target holds no document of the tables that move, and there is nothing to prove."
    )
    return SupavexError("NothingImported", message, where=target, hint=hint)


def described_target(project: Project, to: str) -> str:
    """The target, as the page says it."""
    return (
        "the local deployment" if to == "local" else f"{without_password(to)} ({project.shown(project.convex_folder)})"
    )


def write_proof(project: Project, proof: Proof, rejects: Sequence[Reject], target: str) -> None:
    """Writes the proof as ``proof.json`` and ``proof.html`` into the folder of the project's migration."""
    folder = Folder(project.migration_folder)
    project.make_state()
    folder.make()
    text = json.dumps({**proof.to_json(), "target": target}, indent=2, ensure_ascii=False)
    write_whole(folder.proof, text + "\n")
    about = About(project.root.name, Source(project).described, target)
    write_whole(folder.proof_page, proof_page(proof, about, rejects))


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
    said = "; ".join([verdict.get(proof.verdict, proof.verdict), *proof.remarks])
    lines.append(
        f"{said}: {counted(matched, 'row')} equal in {fields} fields, "
        f"{counted(rejected, 'row')} rejected and explained, {counted(proof.wrong, 'difference')}; "
        f"as of {proof.taken_at}, in {proof.seconds:.1f} s."
    )
    return lines


def _finding_lines(table: TableProof, *, sampled: bool) -> list[str]:
    """The first findings of each kind of a table, and how many more there are."""
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
