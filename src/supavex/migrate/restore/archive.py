"""``supavex restore``: restores an archive or export of a project into PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from supavex.convex.snapshot import SnapshotArchive
from supavex.mapping.check import checked_plan
from supavex.migrate.restore.run import Restored, restore
from supavex.migrate.target.archive import ArchiveDocuments
from supavex.migrate.target.stored_files import archive_files
from supavex.settings.settings import Settings


def restore_archive(
    project: Settings, archive: Path, to: str, *, replace: bool, progress: Callable[[str, int, int], None]
) -> Restored:
    """Writes the documents of ``archive`` into the tables at ``to`` (a connection string), in one transaction.

    ``replace`` empties tables with rows. Without it, such tables are an error. See :mod:`supavex.migrate.restore.run`.
    """
    plan, _ = checked_plan(project)
    with ArchiveDocuments(archive) as documents, SnapshotArchive(archive) as files:
        stored = archive_files(files) if plan.file_columns else {}
        return restore(
            plan,
            documents,
            to,
            replace=replace,
            progress=progress,
            stored=lambda id_: b"".join(stored[id_].read()) if id_ in stored else None,
        )
