"""Rehearses an import on a local deployment."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from pathlib import Path

from supavex.convex.snapshot import SnapshotArchive, tables_entry
from supavex.deployment.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot
from supavex.errors import SupavexError
from supavex.temporary import temporary_folder


def rehearse(schema: str | None, before: Path, archive: Path, *, whole: bool = True) -> None:
    """Imports the archive into a copy of the target on this machine. Raises the errors of Convex's import.

    ``schema``: the JSON of the deployed schema, or of the expected one if that can't be read. Without ``whole``, the
    copy has the target's tables and numbers, but no documents. That is enough for an import that worked before, and
    fast.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("rehearsal"))
        deployment = stack.enter_context(Deployment(folder / "deployment.sqlite3"))
        if not whole:
            before = _only_tables(before, folder / "tables.zip")
        import_snapshot(deployment, stack.enter_context(SnapshotArchive(before)), "replaceAll")
        try:
            if schema is not None:
                deployment.push(schema)
        except SupavexError as error:
            if error.code != "SchemaValidationFailed":
                raise
            # The app's own schema may be looser about the existing tables than schema.py.
        try:
            import_snapshot(deployment, stack.enter_context(SnapshotArchive(archive)), "replace")
        except SupavexError as error:
            if error.code != "SchemaEnforcementError":
                raise
            message = f"Convex would refuse the import, which was not begun. {error.message}"
            hint = "The deployed schema decides: deploy the one that these documents fit first (`supavex deploy`)."
            raise SupavexError(error.code, message, where=error.where, hint=hint) from None


def _only_tables(archive: Path, path: Path) -> Path:
    """Writes an archive with the tables of another one, all of them empty."""
    with SnapshotArchive(archive) as opened, zipfile.ZipFile(path, "w") as file:
        file.writestr("_tables/documents.jsonl", tables_entry(opened.numbers))
        for table in opened.tables:
            file.writestr(f"{table}/documents.jsonl", b"")
    return path
