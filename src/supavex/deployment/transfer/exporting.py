"""Exports a deployment as a snapshot archive, in the form of ``npx convex export``.

Source: ``exports`` of convex-backend: ``_tables`` by number, then each table, the smallest first, in the order of ids.
``generated_schema.jsonl`` says that bare integers are int64.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import zipfile
from pathlib import Path

from supavex.convex.snapshot import schema_entry, tables_entry
from supavex.convex.values import to_export_json
from supavex.deployment.database.components import APP, components
from supavex.deployment.database.database import Database
from supavex.deployment.database.stored_files import Files
from supavex.files import owner_only

_README = "An export of a local Convex database, by supavex. Import it with: npx convex import FILE.zip\n"
_TIME = (1980, 1, 1, 0, 0, 0)


def export_snapshot(database: Database, path: Path, files: Path | None = None) -> int:
    """Writes the archive to ``path``, readable by its owner only, including components. Returns the number of
    documents.

    ``files``: the deployment's folder, if the stored files are to be exported.

    The archive is a snapshot of the deployment, while other processes may write. No other thread may use the connection
    of ``database``.
    """
    count = 0
    with (
        database.reading(),
        open(path, "wb", opener=owner_only) as whole,
        zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        archive.writestr(_entry("README.md"), _README)
        for component in (APP, *components(database.store.connection).values()):
            folder = "".join(f"_components/{name}/" for name in component.path.split("/") if name)
            view = database.within(component.id)
            count += _tables(archive, folder, view)
            if files is not None:
                _storage(archive, folder, Files(view.store, files))
    return count


def _tables(archive: zipfile.ZipFile, folder: str, database: Database) -> int:
    """Writes the tables of the app, or of a component. Returns the number of documents."""
    count = 0
    numbers = dict(sorted(database.table_numbers().items(), key=lambda item: item[1]))
    archive.writestr(_entry(f"{folder}_tables/documents.jsonl"), tables_entry(numbers))
    counts = {name: database.count(name) for name in numbers}
    for name in sorted(numbers, key=lambda name: (counts[name], name)):
        with archive.open(_entry(f"{folder}{name}/documents.jsonl"), "w", force_zip64=True) as entry:
            for document in database.documents(name):
                entry.write(to_export_json(document).encode() + b"\n")
                count += 1
        archive.writestr(_entry(f"{folder}{name}/generated_schema.jsonl"), schema_entry())
    return count


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _storage(archive: zipfile.ZipFile, folder: str, files: Files) -> None:
    stored = list(files.all())
    lines = [
        json.dumps(
            {
                "_creationTime": file.created,
                "_id": file.id,
                "contentType": file.content_type,
                "internalId": file.name,
                "sha256": base64.b64encode(file.sha256).decode(),
                "size": file.size,
            }
        )
        for file in stored
    ]
    archive.writestr(_entry(f"{folder}_storage/documents.jsonl"), "".join(f"{line}\n" for line in lines))
    for file in stored:
        ending = mimetypes.guess_extension(file.content_type or "") or ""
        name = _entry(f"{folder}_storage/{file.id}{ending}")
        with file.path.open("rb") as source, archive.open(name, "w", force_zip64=True) as entry:
            while piece := source.read(1 << 20):
                entry.write(piece)
