"""``supavex verify``: selects the target and the record of the import, proves the target, and keeps the proof."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from supavex.callbacks import Progress
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex_cli.cli import official_cli
from supavex.convex_cli.targets import deployment_of
from supavex.deployment import Deployment
from supavex.deployment.server.jobs import job_documents
from supavex.errors import SupavexError, UsageError
from supavex.files import write_whole
from supavex.mapping.check import checked_plan
from supavex.mapping.graph import uses_existing
from supavex.mapping.plan import Plan
from supavex.mapping.source import Source
from supavex.migrate.copy.retry import rejects_that_would_go
from supavex.migrate.proof.compared_table import LARGE_BYTES
from supavex.migrate.proof.findings import Proof
from supavex.migrate.proof.page import About, proof_page
from supavex.migrate.proof.request import FilesProof
from supavex.migrate.proof.run import ProofOptions, holds_documents, verify
from supavex.migrate.proof.storage import files_proof
from supavex.migrate.proof.store import prove_store
from supavex.migrate.state.folder import Folder
from supavex.migrate.state.rejects import Reject, read_rejects
from supavex.migrate.state.runs import Run
from supavex.migrate.storage.sources import FileSource, file_source
from supavex.migrate.target.archive import ArchiveDocuments, WithExisting
from supavex.migrate.target.documents import Documents
from supavex.migrate.target.local import local_deployment
from supavex.migrate.target.stored_files import archive_files, deployment_files
from supavex.postgres.connection import without_password
from supavex.settings.settings import Settings
from supavex.temporary import temporary_folder


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The options of :func:`verify_project`."""

    #: ``local``, ``cloud`` (the deployment of the app's folder), or the URL of a deployment.
    to: str = "local"
    #: A snapshot archive or an export, in place of a deployment.
    archive: Path | None = None
    #: The file of rejected rows; None: those of the imports that wrote the target's rows.
    rejects: Path | None = None
    #: For an archive: the export of the target with the tables that existed in Convex.
    existing: Path | None = None
    #: The files of storage buckets: a folder, or ``s3://…``; None: the setting of supavex.toml.
    files: str | None = None
    #: The number of rows of each table to compare. Such a sample proves nothing and is not kept.
    sample: int | None = None
    #: If a table has more bytes, a separate process reads its rows.
    large_bytes: int = LARGE_BYTES


def verify_project(project: Settings, options: VerifyOptions, progress: Progress) -> Proof:
    """Proves the target of ``project``, and writes the proof as ``proof.json`` and ``proof.html``.

    Raises ``NothingImported`` if there was no import. See :mod:`supavex.migrate.proof.run`.
    """
    _check(options)
    project.make_state()
    plan, _ = checked_plan(project)
    deployed = deployment_of(project.convex_folder, options.to)
    run = Run("verify", "archive" if options.archive is not None else deployed)
    folder = Folder(project.migration_folder)
    asked = options.to != "local"
    copied = folder.copied(deployed, options.archive, asked=asked)
    rejected = copied.rejects if options.rejects is None else list(read_rejects(options.rejects))
    with ExitStack() as stack:
        opened = _Opened(project, plan, options, run, stack)
        if not (folder.knows_import(deployed, options.archive, asked=asked) or opened.holds_an_import()):
            raise nothing_imported(opened.named)
        url = stack.enter_context(Source(project).running())
        with run.step("proof"):
            how = ProofOptions(
                sample=options.sample,
                copied=copied,
                progress=progress,
                files=opened.files,
                retry=rejects_that_would_go,
                large_bytes=options.large_bytes,
            )
            proof = verify(plan, url, opened.target, rejected, how)
        if isinstance(opened.target, Deployment) and options.sample is None:
            with run.step("indexes"):
                proof.store = prove_store(opened.target, {table.target for table in plan.moving}, progress)
            proof.seconds += proof.store.seconds
    if options.sample is None:  # A sample proves nothing, and the last proof stays.
        run.ok = proof.ok
        run.rows = sum(table.rows for table in proof.tables)
        run.documents = sum(table.documents for table in proof.tables)
        run.write(folder.path)
        write_proof(project, proof, rejected, opened.named)
    return proof


def _check(options: VerifyOptions) -> None:
    if options.existing is not None and options.archive is None:
        hint = "A deployment has the tables that are declared existing itself."
        raise UsageError("UnsupportedOption", "--existing goes with an archive.", hint=hint)
    if options.rejects is not None and not options.rejects.is_file():
        problem = "this is a folder, no file." if options.rejects.is_dir() else "there is no such file."
        hint = "A migration leaves one in .supavex/migration: rejects.jsonl."
        raise UsageError("NoRejects", problem, where=str(options.rejects), hint=hint)


class _Opened:
    """The target of a proof, open until ``stack`` ends.

    ``named``: the target's name in messages. ``files``: proves stored files; None if none were to be moved.
    """

    def __init__(self, project: Settings, plan: Plan, options: VerifyOptions, run: Run, stack: ExitStack) -> None:
        self._project, self._plan, self._stack = project, plan, stack
        source = file_source(project, options.files)
        with_files = source is not None or bool(plan.file_columns)
        archive = options.archive
        self.named = described_target(project, options.to) if archive is None else project.shown(archive.resolve())
        if archive is None and options.to != "local":
            archive = stack.enter_context(temporary_folder("export")) / "export.zip"
            stored = ("--include-file-storage",) if with_files else ()
            with run.step("export"):
                official_cli(project.convex_folder, options.to).run("export", "--path", str(archive), *stored)
        self.target: Documents
        self.files: FilesProof | None = None
        if archive is None:
            self._open_deployment(source if with_files else None, with_files=with_files)
        else:
            self._open_archive(archive, options.existing, source, with_files=with_files)

    def _open_deployment(self, source: FileSource | None, *, with_files: bool) -> None:
        project = self._project
        if not (project.state / "deployment.sqlite3").exists():
            raise nothing_imported(self.named)
        self.target = deployment = self._stack.enter_context(local_deployment(project))
        # Otherwise an import that ends meanwhile would replace the tables.
        self._stack.enter_context(deployment.reading())
        if with_files:
            self.files = files_proof(source, project.storage.buckets, deployment_files(deployment))

    def _open_archive(
        self, archive: Path, existing: Path | None, source: FileSource | None, *, with_files: bool
    ) -> None:
        documents = self._stack.enter_context(ArchiveDocuments(archive))
        self.target = documents
        # An archive of supavex does not hold the tables that exist in Convex, but an export does.
        lacking = {t.target for t in self._plan.tables if t.status == "existing"} - documents.table_numbers().keys()
        if existing is not None:
            self.target = WithExisting(documents, self._stack.enter_context(ArchiveDocuments(existing)), lacking)
        elif lacking and uses_existing(self._plan):
            raise UsageError(
                "NoTarget",
                f"the archive does not hold {', '.join(sorted(lacking))}, whose ids its documents name.",
                where=str(archive),
                hint="Add --existing FILE.zip: the export of the target that the archive was made with.",
            )
        if with_files:
            opened = self._stack.enter_context(SnapshotArchive(archive))
            self.files = files_proof(source, self._project.storage.buckets, archive_files(opened))

    def holds_an_import(self) -> bool:
        """Whether the target itself shows an import: it has documents, or a record of an import by Convex's CLI."""
        if isinstance(self.target, Deployment):
            jobs = job_documents(self.target.store, "import")
            if any(job["state"].get("state") == "completed" for job in jobs):
                return True
        return holds_documents(self._plan, self.target)


def nothing_imported(target: str) -> SupavexError:
    """The error for a target without an import."""
    message = (
        "no import took place: the target holds no document of the tables that move, and there is nothing to prove."
    )
    return SupavexError("NothingImported", message, where=target, hint="Run `supavex migrate` first.")


def described_target(project: Settings, to: str) -> str:
    """A deployment's name on the proof's page."""
    if to == "local":
        return "the local deployment"
    return f"{without_password(to)} ({project.shown(project.convex_folder)})"


def write_proof(project: Settings, proof: Proof, rejects: Sequence[Reject], target: str) -> None:
    """Writes ``proof.json`` and ``proof.html`` into the folder of the project's migration."""
    folder = Folder(project.migration_folder)
    project.make_state()
    folder.make()
    folder.write_proof({**proof.to_json(), "target": target})
    about = About(project.root.name, Source(project).described, target)
    write_whole(folder.proof_page, proof_page(proof, about, rejects))
