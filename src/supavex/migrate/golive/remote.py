"""A migration into a deployment that only Convex's own tools reach: export, rehearsal, import, export, proof.

The export from before the import is kept. Importing it with ``--replace`` puts everything back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from supavex.callbacks import Log, Progress
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex_cli.cli import OfficialCli
from supavex.mapping.plan import Plan
from supavex.mapping.source import Source
from supavex.migrate.changes.selection import ChangedTables
from supavex.migrate.copy.options import CopyOptions
from supavex.migrate.copy.retry import rejects_that_would_go
from supavex.migrate.golive.guarded_import import Callbacks, GuardedImport, Incoming, deployed_schema
from supavex.migrate.migration import Destination, Migration, measure, migrate
from supavex.migrate.proof.findings import Proof
from supavex.migrate.proof.run import ProofOptions, verify
from supavex.migrate.proof.storage import files_proof
from supavex.migrate.state.copies import CopyRecord
from supavex.migrate.state.exports import kept_exports
from supavex.migrate.state.folder import Folder
from supavex.migrate.state.runs import Run
from supavex.migrate.storage.buckets import FileJob
from supavex.migrate.target.archive import ArchiveDocuments
from supavex.migrate.target.contents import Content, contents
from supavex.migrate.target.stored_files import archive_files
from supavex.text import counted, table_text


@dataclass(slots=True)
class RemoteMigration:
    """The result of a migration into a remote deployment."""

    #: The result of the copy.
    migration: Migration
    #: The deployment, as messages name it.
    target: str
    #: The export from before.
    before: Path
    #: The export from after the import.
    after: Path | None = None
    #: None if nothing was imported.
    proof: Proof | None = None
    #: Tables outside the migration whose documents have changed meanwhile.
    changed_meanwhile: list[str] = field(default_factory=list)
    #: Whether the user refused the import.
    cancelled: bool = False

    @property
    def ok(self) -> bool:
        """Whether the rows are imported and proven, and nothing else has changed."""
        if self.migration.nothing:
            return self.migration.ok
        proven = self.proof is not None and self.proof.ok
        return self.migration.ok and proven and not self.changed_meanwhile

    def to_json(self) -> dict[str, Any]:
        """The result in the JSON of ``migrate --json``."""
        return {
            **self.migration.to_json(),
            "ok": self.ok,
            "imported": self.after is not None,
            "target": self.target,
            "cancelled": self.cancelled,
            "before": None if self.after is None else str(self.before),
            "after": None if self.after is None else str(self.after),
            "changedMeanwhile": self.changed_meanwhile,
            "proof": None if self.proof is None else self.proof.to_json(),
        }


def migrate_by_cli(
    plan: Plan, cli: OfficialCli, options: CopyOptions, callbacks: Callbacks, max_rejects: int | None = None
) -> RemoteMigration:
    """Migrates the rows of ``plan`` into the deployment of ``cli``, and proves them there.

    ``callbacks.progress`` gets the progress of the copy and of the proof.
    """
    project = plan.project
    project.make_state()
    folder = Folder(project.migration_folder)
    folder.make()
    changes = isinstance(options.selection, ChangedTables)
    run = Run("changes" if changes else "migrate", cli.deployment)
    # An import of stored files replaces all files, so the deployment's own files go into the archive, too.
    stored = options.files is not None
    with ExitStack() as held, GuardedImport(folder, cli, run, callbacks, stored=stored) as guard:
        options = replace(
            options,
            # The snapshot is held until the proof is done, so that the proof compares at the copy's snapshot while the
            # app keeps writing. Only this process writes to a replayed source, and its server stops in between.
            hold=None if project.database_url is None else held,
            files=None if options.files is None else replace(options.files, kept=guard.before),
            progress=partial(callbacks.progress, "copied"),
        )
        with run.step("copy"), ArchiveDocuments(guard.before) as existing:
            out = folder.changes_archive if changes else folder.archive
            result = migrate(plan, Destination(out, existing=existing), options, max_rejects=max_rejects)
        remote = RemoteMigration(result, cli.target, guard.before)
        recorder = options.recorder
        if result.nothing and result.ok and recorder is not None:
            recorder.keep()
        if not result.ok or result.nothing:
            return remote
        incoming = _incoming(plan, cli, result, callbacks.log)
        if not guard.agreed(incoming, lambda: _question(result, folder, cli, guard.before, set(incoming.wrote))):
            remote.cancelled = True
            return remote
        if recorder is not None:
            recorder.begin()
        copy = folder.copies.of_target(cli.deployment)
        remote.after = guard.import_archive(incoming, lambda: result.keep(copy))
        with run.step("proof"):
            remote.changed_meanwhile = guard.changed_meanwhile({table.target for table in result.copy.tables})
            copied = folder.copies.read(copy)
            if options.hold is not None:
                copied = replace(copied, snapshot=result.copy.snapshot)
            remote.proof = _proof(plan, remote, copied, options.files, partial(callbacks.progress, "verified"))
    if recorder is not None:
        recorder.keep(table.source for table in remote.proof.tables if not table.ok)
    folder.write_report(remote.to_json())
    run.ok = remote.ok
    measure(run, result.copy)
    run.write(folder.path)
    return remote


def _incoming(plan: Plan, cli: OfficialCli, result: Migration, log: Log) -> Incoming:
    """The archive of the copy, with the tables that its import replaces."""
    archive = result.copy.archive
    assert archive is not None
    changes = result.since is not None
    moved = {table.target for table in result.copy.tables}
    return Incoming(
        archive=archive,
        schema=deployed_schema(cli, log, plan.schema.export()),
        what="changes" if changes else "migration",
        taken_at=result.copy.taken_at,
        wrote=contents(archive, moved - {STORAGE_TABLE}),
        whole=not changes,
    )


def _proof(plan: Plan, remote: RemoteMigration, copied: CopyRecord, job: FileJob | None, progress: Progress) -> Proof:
    """Compares the source with the export from after the import."""
    started = time.monotonic()
    assert remote.after is not None
    with ExitStack() as stack:
        documents = stack.enter_context(ArchiveDocuments(remote.after))
        url = stack.enter_context(Source(plan.project).running())
        prove = None
        if job is not None:
            exported = stack.enter_context(SnapshotArchive(remote.after))
            prove = files_proof(job.source, job.buckets, archive_files(exported))
        only = _only(plan, {table.target for table in remote.migration.copy.tables})
        how = ProofOptions(copied=copied, progress=progress, files=prove, retry=rejects_that_would_go)
        proof = verify(only, url, documents, copied.rejects, how)
    proof.seconds = time.monotonic() - started
    return proof


def _question(result: Migration, folder: Folder, cli: OfficialCli, before: Path, replaced: set[str]) -> str:
    """The question before the import."""
    return change_table(result, before, cli.target) + _written_since(folder.path, cli.deployment, before, replaced)


def _written_since(folder: Path, target: str, before: Path, moved: set[str]) -> str:
    """A warning if tables that are about to be replaced have other documents than the last import wrote."""
    expected: dict[str, set[Content]] = {}
    for kept in kept_exports(folder, target):
        for table, content in kept.wrote.items():
            if kept.ended:
                expected[table] = {content}
            elif table in expected:
                # If that import was interrupted, the documents may be its own or those from before.
                expected[table].add(content)
    tables = sorted(moved & expected.keys())
    present = contents(before, tables)
    others = [table for table in tables if present[table] not in expected[table]]
    if not others:
        return ""
    return (
        f"\nwarning: {', '.join(others)} hold other documents than the last import wrote: someone has written there. "
        f"They are replaced; what they hold now is kept in {before}."
    )


def _only(plan: Plan, moved: set[str]) -> Plan:
    """The plan without the tables that were not requested."""
    tables = [table for table in plan.tables if table.status != "mapped" or table.target in moved]
    return Plan(plan.project, plan.schema, plan.catalog, tables, plan.remarks)


def change_table(result: Migration, before: Path, target: str) -> str:
    """The effect of an import, table by table."""
    with SnapshotArchive(before) as archive:
        there = {name: sum(1 for _ in archive.documents(name)) for name in archive.tables}
        if result.copy.files is not None or result.copy.values is not None:
            there[STORAGE_TABLE] = sum(1 for _ in archive.documents(STORAGE_TABLE))
    counts: dict[str, list[int]] = {}
    for table in result.copy.tables:  # Several sources may go to _storage.
        count = counts.setdefault(table.target, [0, 0])
        count[0] += table.documents
        count[1] += table.bytes
    rows = [[name, documents, there.get(name, 0), f"{size:,}"] for name, (documents, size) in counts.items()]
    kept = [name for name in there if name not in {table.target for table in result.copy.tables}]
    lines = [f"Into {target}:", table_text(["table", "documents", "replaces", "bytes"], rows)]
    if kept:
        lines.append(f"Left as they are: {', '.join(sorted(kept))}.")
    return "\n".join(lines)


def remote_lines(remote: RemoteMigration, shown: Callable[[Path], str]) -> list[str]:
    """The lines after the report of the migration itself."""
    if remote.cancelled:
        return ["Cancelled: nothing was imported."]
    if remote.after is None:
        return []
    lines = [f"note: {name} was changed by someone else meanwhile." for name in remote.changed_meanwhile]
    proof = remote.proof
    assert proof is not None
    fields = sum(table.fields for table in proof.tables)
    verdict = "NOT proven" if proof.wrong else proof.said
    matched = counted(sum(t.matched for t in proof.tables), "row")
    lines.append(f"{verdict}: {matched} equal in {fields} fields, as of {proof.taken_at}.")
    if proof.changed:
        lines.append(f"{counted(proof.changed, 'row')} changed since the copy: run the command again for these.")
    lines.append(f"The export from before: {shown(remote.before)}. To go back: supavex rollback --to {remote.target}")
    return lines
