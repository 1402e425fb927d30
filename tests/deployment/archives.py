"""Snapshot archives for tests, put together by Python's own zipfile: text in, ZIP out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supavex.convex.ids import encode_id
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import Imported, Mode, import_snapshot

UNIFORM = '"uniform"\n'


def write_archive(path: Path, entries: Mapping[str, str]) -> Path:
    """A ZIP at ``path`` with ``entries``, name to text."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return path


def lines(*documents: Any) -> str:
    """One line of JSON for each."""
    return "".join(json.dumps(document) + "\n" for document in documents)


def tables(**numbers: int) -> dict[str, str]:
    """The entry ``_tables/documents.jsonl`` that gives tables these numbers."""
    return {"_tables/documents.jsonl": lines(*({"name": name, "id": number} for name, number in numbers.items()))}


def documents(**found: list[dict[str, Any]]) -> dict[str, str]:
    """The entries with the documents of each table."""
    return {f"{name}/documents.jsonl": lines(*rows) for name, rows in found.items()}


def id_of(number: int, which: int) -> str:
    """The id of document ``which`` of table ``number``."""
    return encode_id(number, which.to_bytes(16, "big"))


def document(number: int, which: int, **fields: Any) -> dict[str, Any]:
    """A document with its system fields."""
    return {"_id": id_of(number, which), "_creationTime": 1_700_000_000_000.0 + which, **fields}


def import_entries(
    deployment: Deployment, entries: Mapping[str, str], mode: Mode = "requireEmpty", **options: Any
) -> Imported:
    """Imports an archive with these entries; it lies beside the deployment's file."""
    path = write_archive(deployment.path.with_suffix(".zip"), entries)
    with SnapshotArchive(path) as archive:
        return import_snapshot(deployment, archive, mode, **options)


def everything(deployment: Deployment) -> list[str]:
    """All that the deployment's file holds, as SQL: equal before and after where nothing was changed."""
    return list(deployment.store.connection.iterdump())
