"""The page of stored files."""

from __future__ import annotations

import base64
import sqlite3
from dataclasses import dataclass
from typing import Any, ClassVar

from supavex.convex.ids import encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.values import Document
from supavex.deployment.dashboard.pages import Asked
from supavex.deployment.database.database import Database
from supavex.errors import SupavexError

_ROWS = 50
_COLUMNS = "internal_id, name, created, sha256, size, content_type"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A stored file: its document in ``_storage``, and the path of its contents."""

    document: Document
    address: str


@dataclass(frozen=True, slots=True)
class FilesPage:
    """Some of the stored files, the newest first."""

    template: ClassVar[str] = "files.html"
    section: ClassVar[str] = "files"
    title: ClassVar[str] = "Files"
    files: list[FileRow]
    count: int
    total_bytes: int
    #: The number of files before these.
    skipped: int

    @property
    def next(self) -> int | None:
        """The value of ``after`` for the next page; None if there is none."""
        shown = self.skipped + len(self.files)
        return shown if shown < self.count else None

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        files = [{**row.document, "address": row.address} for row in self.files]
        return {"count": self.count, "bytes": self.total_bytes, "files": files, "next": self.next}


def files_page(asked: Asked) -> FilesPage:
    """Stored files, without the ``after`` newest."""
    skipped = asked.number("after", 0, most=10**12)
    store = asked.deployment.store
    sql = "SELECT count(*), coalesce(sum(size), 0) FROM files WHERE component = ?"
    (count, total) = store.connection.execute(sql, (store.component,)).fetchone()
    sql = f"SELECT {_COLUMNS} FROM files WHERE component = ? ORDER BY created DESC, internal_id LIMIT ? OFFSET ?"
    rows = [_row(row) for row in store.connection.execute(sql, (store.component, _ROWS, skipped))]
    return FilesPage(rows, count, total, skipped)


def file_document(deployment: Database, internal_id: bytes) -> tuple[Document, str]:
    """A stored file's document and address. Raises ``DocumentNotFound``."""
    sql = f"SELECT {_COLUMNS} FROM files WHERE component = ? AND internal_id = ?"
    row = deployment.store.connection.execute(sql, (deployment.store.component, internal_id)).fetchone()
    if row is None:
        raise SupavexError("DocumentNotFound", "No stored file has this id.", hint="It may have been deleted.")
    found = _row(row)
    return found.document, found.address


def _row(row: sqlite3.Row) -> FileRow:
    internal_id, name, created, sha256, size, content_type = row
    document = {
        "_id": encode_id(STORAGE_NUMBER, internal_id),
        "_creationTime": created,
        "sha256": base64.b64encode(sha256).decode(),
        "size": float(size),
        **({} if content_type is None else {"contentType": content_type}),
    }
    return FileRow(document, f"/api/storage/{name}")
