"""The stored files of kept exports: those that a rollback puts back, and how.

Convex's import replaces all stored files by those of an archive. So if some have to be put back, the archive gets all
files of the deployment, with the export's files in place of changed ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.convex.media_types import fitting_media_type
from supavex.convex.snapshot import SnapshotArchive, StoredEntry


def holds_files(path: Path) -> bool:
    """Whether an export holds stored files."""
    with SnapshotArchive(path) as archive:
        return next(archive.stored_files(STORAGE_NUMBER), None) is not None


def files_that_differ(export: Path, present: Path) -> set[str]:
    """The ids of an export's files that another export lacks, or has with other contents."""
    return {id_ for id_, _ in _digests(export).items() - _digests(present).items()}


def _digests(path: Path) -> dict[str, bytes]:
    """The SHA-256 of each stored file of an export, by id."""
    with SnapshotArchive(path) as archive:
        return {
            entry.id: entry.sha256 or hashlib.sha256(b"".join(archive.read_stored(entry.entry))).digest()
            for entry in archive.stored_files(STORAGE_NUMBER)
        }


def write_files(export: Path, present: Path, file: zipfile.ZipFile) -> None:
    """Writes the stored files of ``export`` into an archive, and those that only ``present`` has."""
    lines: list[str] = []
    with SnapshotArchive(export) as old, SnapshotArchive(present) as new:
        there = list(old.stored_files(STORAGE_NUMBER))
        known = {entry.id for entry in there}
        _write(old, there, file, lines)
        _write(new, (entry for entry in new.stored_files(STORAGE_NUMBER) if entry.id not in known), file, lines)
    file.writestr(f"{STORAGE_TABLE}/documents.jsonl", "".join(lines))


def _write(archive: SnapshotArchive, entries: Iterable[StoredEntry], file: zipfile.ZipFile, lines: list[str]) -> None:
    for entry in entries:
        digest, size = hashlib.sha256(), 0
        name = f"{STORAGE_TABLE}/{PurePosixPath(entry.entry).name}"
        with file.open(name, "w", force_zip64=True) as target:
            for piece in archive.read_stored(entry.entry):
                digest.update(piece)
                size += len(piece)
                target.write(piece)
        document = {
            "_creationTime": entry.created,
            "_id": entry.id,
            "contentType": entry.content_type and fitting_media_type(entry.content_type),
            "internalId": entry.name,
            "sha256": base64.b64encode(digest.digest()).decode(),
            "size": size,
        }
        lines.append(json.dumps({key: value for key, value in document.items() if value is not None}) + "\n")
