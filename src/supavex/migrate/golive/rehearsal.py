"""An import is rehearsed on a local deployment before it is done elsewhere."""

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
    """Imports the archive into a copy of the target on this machine. Raises what Convex's import would.

    ``schema``: the JSON of the one that is deployed, or of what should be where that can't be asked. Without ``whole``,
    the copy has the target's tables and their numbers, and no documents: enough for what was imported once already, and
    quick.
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
            # The app's own schema may say less of the tables that are there than schema.py does.
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
