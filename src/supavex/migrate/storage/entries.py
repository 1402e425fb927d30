"""One stored file as an entry of an archive."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import mimetypes
import secrets
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.media_types import fitting_media_type
from supavex.files import owner_only
from supavex.settings.settings import Settings

#: The ``_creationTime`` of a file whose row has no time.
FIRST_MILLISECOND = 1.0


def address_secret(project: Settings) -> bytes:
    """The secret from which the addresses of stored files are computed. It is made once and kept in ``.supavex/``.

    Anyone who knows a file's address may read the file, and the file's id is not secret, so the address must not follow
    from the id. With one secret, two runs give the same addresses.
    """
    project.make_state()
    path = project.state / "storage.key"
    if not path.exists():
        with open(path, "wb", opener=owner_only) as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def address_name(secret: bytes, internal_id: bytes) -> str:
    """The uuid in a file's address, from the 16 bytes of the file's id."""
    return str(uuid.UUID(bytes=hmac.digest(secret, internal_id, "sha256")[:16], version=4))


@dataclass(frozen=True, slots=True)
class NewFile:
    """The metadata of a stored file for an archive."""

    id: str
    #: Its ``_creationTime``; None: :data:`FIRST_MILLISECOND`.
    created: float | None
    media_type: str | None
    #: The uuid of its address.
    name: str | None
    #: The suffix of its entry's name; None: by its media type.
    ending: str | None = None


def add_file(writer: ArchiveWriter, lines: IO[bytes], file: NewFile, pieces: Iterator[bytes]) -> int:
    """Adds a stored file to an archive, and its line to ``lines``. Returns its size in bytes."""
    digest, kind = hashlib.sha256(), file.media_type and fitting_media_type(file.media_type)
    ending = file.ending or mimetypes.guess_extension(kind or "") or ""
    _, size = writer.add_streamed(f"{STORAGE_TABLE}/{file.id}{ending}", _hashed(pieces, digest), _deflater())
    document = {
        "_creationTime": file.created or FIRST_MILLISECOND,
        "_id": file.id,
        "contentType": kind,
        "internalId": file.name,
        "sha256": base64.b64encode(digest.digest()).decode(),
        "size": size,
    }
    lines.write(json.dumps({key: value for key, value in document.items() if value is not None}).encode() + b"\n")
    return size


def _hashed(pieces: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _deflater() -> Any:
    from isal import isal_zlib

    return isal_zlib.compressobj(1, zlib.DEFLATED, -15)
