"""The routes of stored files: an address for an upload, the upload, and the download.

Source: ``local_backend/src/storage.rs`` and ``keybroker/src/broker.rs`` of convex-backend.
"""

from __future__ import annotations

import base64
import re
import time

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from supavex.deployment.database.stored_files import Files, checked_type, header_type
from supavex.deployment.server import security
from supavex.deployment.server.bodies import to_file
from supavex.deployment.server.guard import Json
from supavex.deployment.server.host import Host
from supavex.errors import SupavexError

MAX_FILE_BYTES = 4 << 30


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
            wanted = _digest(request.headers.get("digest", ""))
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
        files = Files(self.host.deployment.store, self.host.folder)
        found = await self.host.run(lambda d: files.named(name))
        if found is None or not found.path.is_file():
            return Json({"code": "FileNotFound", "message": "there is no such file."}, 404)
        headers = {"Cache-Control": "private, max-age=2592000", "X-Content-Type-Options": "nosniff"}
        # A stored page must not run as a page of this server.
        headers["Content-Security-Policy"] = "sandbox"
        response = FileResponse(found.path, media_type="application/octet-stream", headers=headers)
        kind = header_type(found.content_type)
        if kind is None:
            del response.headers["content-type"]
        else:
            # The exact type, because Starlette would add a charset to text.
            response.headers["content-type"] = kind
        if not found.size:
            # No range of an empty file can be had, and Convex gives all of it.
            request.scope["headers"] = [(key, value) for key, value in request.scope["headers"] if key != b"range"]
        return response


def _digest(header: str) -> bytes | None:
    """The SHA-256 that a ``Digest`` header gives; None where it gives none."""
    found = re.search(r"sha-256=([A-Za-z0-9+/=]+)", header)
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True)
    except ValueError:
        raise SupavexError("BadDigest", "the Digest header is no base64.") from None
