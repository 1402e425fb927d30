"""Writes the archive that puts a deployment back to an export."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from supavex.convex.snapshot import STORAGE_LIKE_HINT, SnapshotArchive, is_storage_like, schema_entry, tables_entry
from supavex.errors import UsageError
from supavex.files import owner_only


def write_tables(export: Path, present: Path, tables: Iterable[str], archive: Path) -> None:
    """Writes an archive of some tables as ``export`` has them. Tables that it does not hold are empty.

    Table numbers are the export's, or those of ``present`` for tables that it does not know.
    """
    with (
        SnapshotArchive(export) as old,
        SnapshotArchive(present) as new,
        open(archive, "wb", opener=owner_only) as whole,
        zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
    ):
        refused = [t for t in tables if t in old.tables and is_storage_like(t, uniform=old.uniform(t))]
        if refused:
            message = (
                "Convex's import can't read this table's int64, bytes or special floats: it takes the entry that says "
            )
            message += f"so, {refused[0]}/generated_schema.jsonl, for a stored file."
            raise UsageError("TableNameLikeStorage", message, where=refused[0], hint=STORAGE_LIKE_HINT)
        known = {**new.numbers, **old.numbers}
        numbers = {table: known[table] for table in tables if table in known}
        file.writestr("_tables/documents.jsonl", tables_entry(numbers))
        for table in tables:
            with file.open(f"{table}/documents.jsonl", "w", force_zip64=True) as entry:
                if table in old.tables:
                    for block in old.blocks(table):
                        entry.write(block if block.endswith(b"\n") else block + b"\n")
            if table in old.tables and old.uniform(table):
                file.writestr(f"{table}/generated_schema.jsonl", schema_entry())
