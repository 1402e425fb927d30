"""Stored files: their contents in a folder beside the deployment's file, their metadata in the file."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from supavex.convex.ids import decode_id, encode_id, new_internal_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.media_types import is_media_type
from supavex.convex.values import Document
from supavex.deployment.database.store import Store
from supavex.errors import SupavexError
from supavex.files import own_folder, owner_only

_COLUMNS = "internal_id, name, created, sha256, size, content_type"
_INSERT = f"INTO files (component, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file."""

    #: The id of the document in ``_storage``.
    id: str
    #: The uuid in its address.
    name: str
    #: Milliseconds since 1970.
    created: float
    #: The SHA-256 of the contents, 32 bytes.
    sha256: bytes
    #: The bytes of the contents.
    size: int
    #: The media type; None if the upload gave none.
    content_type: str | None
    #: The path of its contents.
    path: Path


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that a mutation stores. It exists when the mutation has committed."""

    #: The 16 bytes of the id in ``_storage``.
    internal_id: bytes
    #: The uuid in its address.
    name: str
    #: Milliseconds since 1970.
    created: float
    #: The contents.
    content: bytes
    #: The SHA-256 of the contents, 32 bytes.
    sha256: bytes
    #: The media type; None if the caller gave none.
    content_type: str | None
    #: The id of the component that stores it; 0 for the app.
    component: int

    @property
    def id(self) -> str:
        """The id of its document."""
        return encode_id(STORAGE_NUMBER, self.internal_id)

    @property
    def row(self) -> tuple[bytes, str, float, bytes, int, str | None]:
        """The file's row in the deployment's file."""
        return self.internal_id, self.name, self.created, self.sha256, len(self.content), self.content_type

    @property
    def document(self) -> Document:
        """The file's document in ``_storage``."""
        return _document(self.row)


def file_documents(connection: sqlite3.Connection, component: int = 0) -> Iterator[tuple[float, bytes, str, Document]]:
    """Each stored file of the app or a component, the oldest first: time, 16 bytes, name, document."""
    sql = f"SELECT {_COLUMNS} FROM files WHERE component = ? ORDER BY created, internal_id"
    rows = connection.execute(sql, (component,))
    for row in rows:
        yield row[2], row[0], row[1], _document(row)


def documents_of_files(connection: sqlite3.Connection, component: int, ids: Iterable[str]) -> dict[str, Document]:
    """Those of ``ids`` that are stored files of the app or a component, with their documents in Convex's
    system table.
    """
    found: dict[str, Document] = {}
    sql = f"SELECT {_COLUMNS} FROM files WHERE internal_id = ? AND component = ?"
    for id_ in ids:
        row = connection.execute(sql, (decode_id(id_)[1], component)).fetchone()
        if row is not None:
            found[id_] = _document(row)
    return found


def _document(row: tuple[bytes, str, float, bytes, int, str | None]) -> Document:
    internal_id, _, created, sha256, count, content_type = row
    return {
        "_id": encode_id(STORAGE_NUMBER, internal_id),
        "_creationTime": created,
        "sha256": base64.b64encode(sha256).decode(),
        "size": float(count),
        **({} if content_type is None else {"contentType": content_type}),
    }


class Files:
    """The stored files of the deployment in ``folder``: those of the app, or of the component of ``store``."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder / "storage"

    def path(self, name: str) -> Path:
        """The path of the contents of the file with that uuid."""
        return self._folder / name

    def new_path(self) -> Path:
        """A path for contents that are being received. :meth:`keep` moves the file."""
        return own_folder(self._folder) / f"incoming-{uuid.uuid4().hex}"

    def keep(
        self,
        incoming: Path,
        content_type: str | None,
        *,
        id_: str | None = None,
        created: float | None = None,
        name: str | None = None,
        sha256: bytes | None = None,
    ) -> StoredFile:
        """Makes the contents at ``incoming`` a stored file, with a new id and name where none is given.

        Raises where their SHA-256 is not the one that is given, and for a media type that Convex refuses.
        """
        if content_type is not None and not is_media_type(content_type):
            raise SupavexError("BadHeader", "Bad header for content-type: invalid HTTP header")
        internal_id = new_internal_id() if id_ is None else decode_id(id_)[1]
        name = name or str(uuid.uuid4())
        digest, size = hashlib.sha256(), 0
        with incoming.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
                size += len(piece)
        if sha256 not in (None, digest.digest()):
            told, found = (base64.b64encode(one).decode() for one in (sha256 or b"", digest.digest()))
            raise SupavexError("Sha256Mismatch", f"Sha256 mismatch. Expected: {told} Actual: {found}")
        known, mine = self._known(name), (self._store.component, internal_id, digest.digest())
        if known != mine and (known is not None or (self._folder / name).exists()):
            name = str(uuid.uuid4())  # The existing name belongs to another file, which keeps it.
        os.replace(incoming, self._folder / name)
        row = (
            internal_id,
            name,
            time.time_ns() / 1e6 if created is None else created,
            digest.digest(),
            size,
            content_type,
        )
        with self._store.transaction():
            self._store.connection.execute(f"INSERT OR REPLACE {_INSERT}", (self._store.component, *row))
        return self._file(row)

    def add(self, file: NewFile) -> None:
        """Stores a file in the open transaction of the deployment's file: its contents first."""
        with open(own_folder(self._folder) / file.name, "xb", opener=owner_only) as contents:
            contents.write(file.content)
        self._store.connection.execute(f"INSERT {_INSERT}", (file.component, *file.row))

    def _known(self, name: str) -> tuple[int, bytes, bytes] | None:
        sql = "SELECT component, internal_id, sha256 FROM files WHERE name = ?"
        row: tuple[int, bytes, bytes] | None = self._store.connection.execute(sql, (name,)).fetchone()
        return row

    def _file(self, row: tuple[bytes, str, float, bytes, int, str | None]) -> StoredFile:
        internal_id, name, created, sha256, size, content_type = row
        id_ = encode_id(STORAGE_NUMBER, internal_id)
        return StoredFile(id_, name, created, sha256, size, content_type, self._folder / name)

    def all(self) -> Iterator[StoredFile]:
        """Every stored file, the oldest first."""
        sql = f"SELECT {_COLUMNS} FROM files WHERE component = ? ORDER BY created, internal_id"
        for row in self._store.connection.execute(sql, (self._store.component,)).fetchall():
            yield self._file(row)

    def named(self, name: str) -> StoredFile | None:
        """The file with that uuid, of the app or any component, or None."""
        row = self._store.connection.execute(f"SELECT {_COLUMNS} FROM files WHERE name = ?", (name,)).fetchone()
        return None if row is None else self._file(row)

    def forget_all_but(self, ids: set[str]) -> set[Path]:
        """Removes the metadata of all other files. Returns the paths whose contents may be removed afterwards."""
        return self.forget({file.id for file in self.all()} - ids)

    def forget(self, ids: set[str]) -> set[Path]:
        """Removes the metadata of files. Returns the paths whose contents may be removed afterwards."""
        found = [file for file in self.all() if file.id in ids] if ids else []
        for file in found:
            self._store.connection.execute("DELETE FROM files WHERE name = ?", (file.name,))
        return {file.path for file in found}


#: A media type that can be in a header: printable ASCII.
_TYPE = re.compile(r"[\x20-\x7e]{1,1024}\Z")


def checked_type(content_type: object) -> str | None:
    """A media type that a caller gives with a file; None for none. Raises if no header can contain it."""
    if content_type is None or content_type == "":
        return None
    if not isinstance(content_type, str) or not _TYPE.match(content_type):
        message = "the content type is no text of printable ASCII characters, as image/png is."
        raise SupavexError("InvalidContentType", message)
    return content_type


def header_type(content_type: str | None) -> str | None:
    """The media type with which a stored file is sent; None if it has none. An import may have stored an
    invalid one.
    """
    if content_type is None:
        return None
    return content_type if _TYPE.match(content_type) else "application/octet-stream"
