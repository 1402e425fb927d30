"""The routes of stored files: an address for an upload, the upload, and the download.

Source: ``local_backend/src/storage.rs`` and ``keybroker/src/broker.rs`` of convex-backend.
"""

from __future__ import annotations

import base64
import re
import time
import uuid

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from supavex.deployment.database.stored_files import Files, checked_type, header_type
from supavex.deployment.server import security
from supavex.deployment.server.bodies import to_file
from supavex.deployment.server.guard import Json
from supavex.deployment.server.host import Host
from supavex.errors import SupavexError

MAX_FILE_BYTES = 4 << 30
_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})?\Z")


class Storage:
    """The stored files of a served deployment."""

    def __init__(self, host: Host) -> None:
        self.host = host

    async def upload_url(self, request: Request) -> Response:
        """An address for an upload, which is valid for an hour."""
        return Json({"uploadUrl": self.host.upload_url()})

    async def upload(self, request: Request) -> Response:
        """Stores the body as a file."""
        component = self._of_token(request.query_params.get("token", ""))
        files = Files(self.host.deployment.store.within(component), self.host.folder)
        path = files.new_path()
        try:
            await to_file(request, path, MAX_FILE_BYTES)
            wanted = _digest(request.headers.get("digest"))
            kind = checked_type(request.headers.get("content-type"))
            kept = await self.host.run(lambda d: files.keep(path, kind, sha256=wanted))
        except ClientDisconnect:
            raise SupavexError("UploadInterrupted", "the upload broke off.") from None
        finally:
            path.unlink(missing_ok=True)
        self.host.changed()
        return Json({"storageId": kept.id})

    def _of_token(self, token: str) -> int:
        """The component of a token; 0 is the app. Raises for an invalid or expired token."""
        until, component = [*token.split("-"), ""][:2]
        numbers = all(text.isdecimal() and len(text) < 12 for text in (until, component))
        if not numbers or not security.same(token, self.host.upload_token(int(until), int(component))):
            raise SupavexError("StorageTokenInvalid", "Couldn't decode the StoreFileAuthorization token")
        if int(until) < time.time():
            raise SupavexError("StorageTokenExpired", "Store File Authorization expired")
        return int(component)

    async def download(self, request: Request) -> Response:
        """A stored file, as a whole or one range of it."""
        name = request.path_params["name"]
        try:
            name = str(uuid.UUID(name))
        except ValueError:
            message = (
                f'Invalid storage path: "{name[:200]}". Please use `storage.getUrl(storageId: Id<"_storage">)` to '
            )
            message += (
                "generate a valid URL to retrieve files. See https://docs.convex.dev/file-storage/serve-files for "
            )
            raise SupavexError("InvalidStoragePath", f"{message}more details") from None
        files = Files(self.host.deployment.store, self.host.folder)
        found = await self.host.run(lambda d: files.named(name))
        if found is None or not found.path.is_file():
            return Json({"code": "FileNotFound", "message": f"File {name} not found"}, 404)
        headers = {"Cache-Control": "private, max-age=2592000", "X-Content-Type-Options": "nosniff"}
        # A stored page must not run as a page of this server.
        headers["Content-Security-Policy"] = "sandbox"
        wanted = _range(request.headers.get("range"))
        if wanted is None:
            headers["Digest"] = f"sha-256={base64.b64encode(found.sha256).decode()}"
        elif len(wanted) != 1 or (found.size and wanted[0][0] >= found.size):
            return Response(status_code=416, headers={"Content-Range": f"bytes */{found.size}"})
        response = FileResponse(found.path, media_type="application/octet-stream", headers=headers)
        kind = header_type(found.content_type)
        if kind is None:
            del response.headers["content-type"]
        else:
            # The exact type, because Starlette would add a charset to text.
            response.headers["content-type"] = kind
        if wanted is None or not found.size:
            # No range of an empty file can be had, and Convex gives all of it, as for a header that names none.
            request.scope["headers"] = [(key, value) for key, value in request.scope["headers"] if key != b"range"]
        return response


def _range(header: str | None) -> list[tuple[int, int | None]] | None:
    """The ranges of a ``Range`` header, first and last byte each (None: the end); None for a header of another form.

    As Convex's ``headers`` crate reads them. It counts a suffix, as in ``bytes=-5``, from no known end, and finds none.
    """
    if header is None or not header.startswith("bytes="):
        return None
    ranges = [_RANGE.match(part.strip()) for part in header.removeprefix("bytes=").split(",")]
    return [(int(found[1]), int(found[2]) if found[2] else None) for found in ranges if found is not None]


def _digest(header: str | None) -> bytes | None:
    """The SHA-256 that a ``Digest`` header gives; None where there is none. Raises for one of another form."""
    if header is None:
        return None
    try:
        digest = base64.b64decode(header.removeprefix("sha-256="), validate=True)
    except ValueError:
        digest = b""
    if not header.startswith("sha-256=") or len(digest) != 32:
        raise SupavexError("BadHeader", "Bad header for digest: invalid HTTP header")
    return digest
