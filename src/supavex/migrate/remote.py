"""A migration into a deployment that only Convex's own tools reach: exported, rehearsed, imported, exported, proven.

The export taken before anything changes is kept: importing it with ``--replace`` puts everything back.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import to_export_json
from supavex.deployment.deployment import Deployment
from supavex.deployment.importing import import_snapshot
from supavex.errors import SupavexError
from supavex.mapping.plan import Plan
from supavex.mapping.source import Source
from supavex.migrate.copy import CopyOptions, Progress
from supavex.migrate.documents import ArchiveDocuments
from supavex.migrate.file_proof import archive_files, files_proof
from supavex.migrate.migration import Folder, Migration, migrate
from supavex.migrate.official import OfficialCli, Say
from supavex.migrate.proof import Proof
from supavex.migrate.verification import verify
from supavex.text import counted, table_text


@dataclass(slots=True)
class RemoteMigration:
    """What a migration into a remote deployment did. ``proof`` is None where nothing was imported."""

    migration: Migration
    target: str
    before: Path
    after: Path | None = None
    proof: Proof | None = None
    #: Tables that the migration does not touch, whose documents are others than before.
    changed_meanwhile: list[str] = field(default_factory=list)
    cancelled: bool = False

    @property
    def ok(self) -> bool:
        """Whether the rows are there and proven, and nothing else has changed."""
        proven = self.proof is not None and self.proof.ok
        return self.migration.ok and proven and not self.changed_meanwhile

    def to_json(self) -> dict[str, Any]:
        """As ``migrate --json`` shows it."""
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
    plan: Plan,
    cli: OfficialCli,
    *,
    confirm: Callable[[str], bool],
    say: Say,
    tables: frozenset[str] | None = None,
    max_rejects: int | None = None,
    progress: Progress = lambda table, done, estimate: None,
    **how: Unpack[CopyOptions],
) -> RemoteMigration:
    """Migrates the rows of ``plan`` into the deployment of ``cli``, asking ``confirm`` before anything changes."""
    project = plan.project
    project.make_state()
    folder = Folder(project.migration_folder)
    folder.make()
    before = _new_path(folder.path)
    # An import of stored files replaces all that are there: those of the deployment's own go with ours.
    job = how.get("files")
    stored = () if job is None else ("--include-file-storage",)
    if job is not None:
        how["files"] = replace(job, kept=before)
    cli.run("export", "--path", str(before), *stored, say=say)
    agreed = False
    try:
        with ArchiveDocuments(before) as existing:
            result = migrate(
                plan,
                out=folder.archive,
                existing=existing,
                tables=tables,
                max_rejects=max_rejects,
                progress=progress,
                **how,
            )
        remote = RemoteMigration(result, cli.target, before)
        if not result.ok:
            return remote
        rehearse(plan, before, folder.archive)
        agreed = confirm(change_table(result, before, cli.target))
    finally:
        if not agreed:
            # Nothing has changed, so there is nothing to go back to.
            before.unlink(missing_ok=True)
    if not agreed:
        remote.cancelled = True
        return remote
    cli.run("import", "--replace", "--yes", str(folder.archive), say=say)
    after = folder.path / "after.zip"
    after.unlink(missing_ok=True)
    cli.run("export", "--path", str(after), *stored, say=say)
    remote.after = after
    moved = {table.target for table in result.copy.tables}
    remote.changed_meanwhile = changed_tables(before, after, moved)
    started = time.monotonic()
    with ExitStack() as stack, ArchiveDocuments(after) as documents, Source(project).running() as url:
        prove = None
        if job is not None:
            prove = files_proof(job.source, job.buckets, archive_files(stack.enter_context(SnapshotArchive(after))))
        proof = verify(_only(plan, moved), url, documents, result.copy.rejects, files=prove)
    proof.seconds = time.monotonic() - started
    remote.proof = proof
    folder.report.write_text(json.dumps(remote.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return remote


def _new_path(folder: Path) -> Path:
    """Where the export from before goes: named after the moment, and never over another one."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"before-{stamp}{'' if n == 1 else f'-{n}'}.zip" for n in itertools.count(1))
    return next(path for name in names if not (path := folder / name).exists())


def _only(plan: Plan, moved: set[str]) -> Plan:
    """The plan without the tables that were not asked for."""
    tables = [table for table in plan.tables if table.status != "mapped" or table.target in moved]
    return Plan(plan.project, plan.schema, plan.catalog, tables)


def rehearse(plan: Plan, before: Path, archive: Path) -> None:
    """Imports the archive into a copy of the target on this machine. Raises what Convex's import would."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="supavex-rehearsal-"))
        deployment = stack.enter_context(Deployment(Path(folder) / "deployment.sqlite3"))
        import_snapshot(deployment, stack.enter_context(SnapshotArchive(before)), "replaceAll")
        try:
            deployment.push(plan.schema.export())
        except SupavexError as error:
            if error.code != "SchemaValidationFailed":
                raise
            # The app's own schema may say less of the tables that are there than schema.py does.
        import_snapshot(deployment, stack.enter_context(SnapshotArchive(archive)), "replace")


def change_table(result: Migration, before: Path, target: str) -> str:
    """What an import would do, table by table."""
    with SnapshotArchive(before) as archive:
        there = {name: sum(1 for _ in archive.documents(name)) for name in archive.tables}
        if result.copy.files is not None:
            there[STORAGE_TABLE] = sum(1 for _ in archive.documents(STORAGE_TABLE))
    rows = [
        [table.target, table.documents, there.get(table.target, 0), f"{table.bytes:,}"] for table in result.copy.tables
    ]
    kept = [name for name in there if name not in {table.target for table in result.copy.tables}]
    lines = [f"Into {target}:", table_text(["table", "documents", "replaces", "bytes"], rows)]
    if kept:
        lines.append(f"Left as they are: {', '.join(sorted(kept))}.")
    return "\n".join(lines)


def changed_tables(before: Path, after: Path, moved: set[str]) -> list[str]:
    """The tables, but for those that were moved, whose documents differ between two exports."""
    with SnapshotArchive(before) as first, SnapshotArchive(after) as second:
        names = (set(first.tables) | set(second.tables)) - moved
        return sorted(name for name in names if _digest(first, name) != _digest(second, name))


def _digest(archive: SnapshotArchive, table: str) -> int:
    """A digest of a table's documents that does not depend on their order."""
    if table not in archive.tables:
        return 0
    total = 0
    for document in archive.documents(table):
        total += int.from_bytes(hashlib.sha256(to_export_json(document).encode()).digest()[:16], "big")
    return total % (1 << 128)


def remote_lines(remote: RemoteMigration, shown: Callable[[Path], str]) -> list[str]:
    """What there is to say behind the report of the migration itself."""
    if remote.cancelled:
        return ["Cancelled: nothing was imported."]
    if remote.after is None:
        return []
    lines = [f"note: {name} was changed by someone else meanwhile." for name in remote.changed_meanwhile]
    proof = remote.proof
    assert proof is not None
    fields = sum(table.fields for table in proof.tables)
    verdict = "proven" if proof.ok else "NOT proven"
    lines.append(f"{verdict}: {counted(sum(t.matched for t in proof.tables), 'row')} equal in {fields} fields.")
    lines.append(f"The export from before: {shown(remote.before)}. To go back: npx convex import --replace <it>")
    return lines
