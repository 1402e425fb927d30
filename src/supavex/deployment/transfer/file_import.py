"""Imports the stored files of a snapshot archive, in the transaction of the import."""

from __future__ import annotations

from pathlib import Path

from supavex.callbacks import RowProgress
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.media_types import is_media_type
from supavex.convex.snapshot import SnapshotArchive, StoredEntry
from supavex.deployment.database.database import Database
from supavex.deployment.database.stored_files import Files
from supavex.deployment.transfer.importing import Imported, import_snapshot, namespaces
from supavex.deployment.transfer.table_rows import Archive
from supavex.errors import SupavexError
from supavex.files import owner_only


def stored_entries(archive: Archive) -> list[StoredEntry]:
    """The stored files of an archive. Raises for a media type that Convex refuses, as Convex's import does."""
    found = list(archive.stored_files(STORAGE_NUMBER)) if isinstance(archive, SnapshotArchive) else []
    for file in found:
        if file.content_type is not None and not is_media_type(file.content_type):
            message = f"Convex takes no media type {file.content_type[:100]!r}: quotes are missing, or a sign is odd."
            raise SupavexError("InvalidConvexValue", message, where=f"_storage {file.id} contentType")
    return found


def import_all(
    database: Database,
    archive: SnapshotArchive,
    *,
    progress: RowProgress = lambda table, done: None,
    forget: set[str] | None = None,
) -> Imported:
    """Imports an archive with its stored files, replacing its tables: all or nothing.

    The deployment's other files stay, except those whose ids ``forget`` contains.
    """
    folder = database.path.parent
    with database.store.transaction():
        imported = import_snapshot(database, archive, "replace", progress=progress)
        _, old = import_files(database, folder, archive, replace=False)
        old |= Files(database.store, folder).forget(forget or set())
    for path in old:
        path.unlink(missing_ok=True)
    return imported


def import_files(database: Database, folder: Path, archive: Archive, *, replace: bool) -> tuple[int, set[Path]]:
    """Stores the files of a snapshot archive. Returns their number, and the paths that no file uses any more.

    Files of components go into the components. ``folder`` is the deployment's. ``replace``: other files are removed, as
    by Convex's import; if the archive has no files, they stay. The caller removes the paths after its transaction has
    committed.
    """
    count, old = 0, set[Path]()
    for view, part in namespaces(database, archive, everything=False):
        stored, gone = _import_files(Files(view.store, folder), part, replace=replace)
        count, old = count + stored, old | gone
    return count, old


def _import_files(files: Files, archive: Archive, *, replace: bool) -> tuple[int, set[Path]]:
    """Stores the files of the app, or of one component."""
    stored = stored_entries(archive)
    if not stored:
        return 0, set()
    assert isinstance(archive, SnapshotArchive)
    before = {file.id: file.path for file in files.all()}
    kept = {}
    for entry in stored:
        path = files.new_path()
        try:
            with open(path, "wb", opener=owner_only) as target:
                target.writelines(archive.read_stored(entry.entry))
            file = files.keep(
                path, entry.content_type, id_=entry.id, created=entry.created, name=entry.name, sha256=entry.sha256
            )
        finally:
            path.unlink(missing_ok=True)
        kept[file.id] = file.path
    old = {path for id_, path in before.items() if id_ in kept}
    if replace:
        old |= files.forget_all_but(set(kept))
    return len(stored), old - set(kept.values())
