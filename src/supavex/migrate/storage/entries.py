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

#: A ``_creationTime`` for a file whose row does not say when it came.
FIRST_MILLISECOND = 1.0


def address_secret(project: Settings) -> bytes:
    """The secret by which a stored file's address is named: made once, and kept in ``.supavex/``.

    Whoever knows a file's address may read the file, and its id is no secret; so the one must not follow from the
    other. With one secret, two runs name files alike.
    """
    project.make_state()
    path = project.state / "storage.key"
    if not path.exists():
        with open(path, "wb", opener=owner_only) as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def address_name(secret: bytes, internal_id: bytes) -> str:
    """The uuid by which a file's address names it, of the 16 bytes of the file's id."""
    return str(uuid.UUID(bytes=hmac.digest(secret, internal_id, "sha256")[:16], version=4))


@dataclass(frozen=True, slots=True)
class NewFile:
    """What there is to say of a stored file that goes into an archive, besides its contents."""

    id: str
    #: Its ``_creationTime``; None: :data:`FIRST_MILLISECOND`.
    created: float | None
    media_type: str | None
    #: The uuid of its address.
    name: str | None
    #: How its entry's name ends; None: as its media type says.
    ending: str | None = None


def add_file(writer: ArchiveWriter, lines: IO[bytes], file: NewFile, pieces: Iterator[bytes]) -> int:
    """Adds one stored file to an archive, and its line to ``lines``; its bytes."""
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
