"""The operations of functions on stored files. Source: ``model/src/file_storage`` of convex-backend."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from pathlib import Path
from typing import Any

from supavex.convex.ids import InvalidId, decode_id, new_internal_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.deployment.database.commits import FILES
from supavex.deployment.database.engine import Engine
from supavex.deployment.database.stored_files import Files, NewFile, checked_type
from supavex.deployment.database.transaction import Transaction
from supavex.deployment.functions.syscalls import Arguments, Frame, invalid, understood, writable
from supavex.errors import SupavexError
from supavex.files import owner_only

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def _found(transaction: Transaction, arguments: Arguments, method: str) -> dict[str, Any] | None:
    """The metadata of the file ``storageId`` (an id, or the uuid of its address)."""
    text = arguments.get("storageId")
    if not isinstance(text, str):
        raise invalid("storageId", method, "it is no text")
    component = transaction.catalog.component
    sql = "SELECT internal_id, name, sha256, size, content_type FROM files WHERE component = ? AND "
    if _UUID.match(text):
        rows = transaction.query_rows(sql + "name = ?", (component, text))
    else:
        try:
            number, internal_id = decode_id(text)
        except InvalidId:
            # The space is Convex's.
            wanted = f"Storage ID should be an\n{' ' * 20}Id of '_storage' table, or a UUID string."
            raise invalid("storageId", method, f'Invalid storage ID: "{text[:200]}". {wanted}') from None
        if number != STORAGE_NUMBER:
            wanted = "Storage ID cannot be an ID on any table other than '_storage'."
            raise invalid("storageId", method, f"Invalid storage ID. {wanted}")
        rows = transaction.query_rows(sql + "internal_id = ?", (component, internal_id))
    transaction.read(FILES)
    added = [file for file in transaction.added_files if file.component == component]
    new = next((file for file in added if text in (file.name, file.id)), None)
    row = next(rows, None) if new is None else (new.internal_id, new.name, *new.row[3:])
    if row is None or row[1] in transaction.removed_files:
        return None
    return {"name": row[1], "sha256": row[2], "size": row[3], "contentType": row[4], "storageId": text}


def get_url(frame: Frame, arguments: Arguments) -> str:
    """The address of a file, or null."""
    file = _found(frame.transaction, arguments, "storage.getUrl")
    if file is None:
        return "null"
    of = f"?component={frame.component.document}" if frame.component.id else ""
    return json.dumps(f"{frame.services.addresses.cloud}/api/storage/{file['name']}{of}")


def get_metadata(frame: Frame, arguments: Arguments) -> str:
    """Digest (hex), size and type of a file, or null."""
    file = _found(frame.transaction, arguments, "storage.getMetadata")
    if file is None:
        return "null"
    known = {name: file[name] for name in ("storageId", "size", "contentType")}
    return json.dumps({**known, "sha256": file["sha256"].hex()})


def generate_upload_url(frame: Frame, arguments: Arguments) -> str:
    """An address for an upload."""
    if frame.services.upload_url is None:
        message = "Not supported here: nothing listens for uploads, for the deployment is not served."
        raise SupavexError("NotSupportedHere", message)
    return json.dumps(frame.services.upload_url(frame.component.id))


def delete(frame: Frame, arguments: Arguments) -> str:
    """Removes a file."""
    remove(writable(frame), arguments)
    return "null"


def remove(transaction: Transaction, arguments: Arguments) -> None:
    """Removes a file when the transaction commits."""
    file = _found(transaction, arguments, "storage.delete")
    if file is None:
        raise SupavexError("FileNotFound", f"storage id {arguments.get('storageId')} not found")
    kept = [new for new in transaction.added_files if new.name != file["name"]]
    if len(kept) < len(transaction.added_files):
        transaction.added_files = kept
    else:
        transaction.removed_files.append(file["name"])


def _checked(arguments: Arguments) -> tuple[bytes, str | None]:
    """A file's bytes and type. Raises if their digest differs from the given one."""
    with understood(arguments.operation):
        data = base64.b64decode(arguments["blob"])
    wanted, digest = arguments.get("sha256"), hashlib.sha256(data)
    if wanted is not None and wanted not in (digest.hexdigest(), _base64(digest.digest())):
        message = f"Sha256 mismatch. Expected: {str(wanted)[:100]} Actual: {_base64(digest.digest())}"
        raise SupavexError("Sha256Mismatch", message)
    return data, checked_type(arguments.get("contentType"))


def store_in_mutation(frame: Frame, arguments: Arguments) -> str:
    """Stores bytes when the mutation commits. Returns the new file's id. Functions see the file at once."""
    transaction = writable(frame)
    data, kind = _checked(arguments)
    transaction.usage.stored(len(data))
    digest, name = hashlib.sha256(data).digest(), str(uuid.uuid4())
    file = NewFile(new_internal_id(), name, transaction.begun, data, digest, kind, frame.component.id)
    transaction.added_files.append(file)
    return json.dumps(file.id)


def load_in_mutation(files: Files, frame: Frame, arguments: Arguments) -> str:
    """The bytes of a file with their type, as JSON, or null."""
    transaction = writable(frame)
    found = _found(transaction, arguments, "storage.get")
    if found is None:
        return "null"
    transaction.usage.loaded(found["size"])
    new = next((file for file in transaction.added_files if file.name == found["name"]), None)
    if new is not None:
        return json.dumps({"blob": _base64(new.content), "contentType": new.content_type})
    return _loaded(files.path(found["name"]), found["contentType"])


def store(engine: Engine, arguments: Arguments, component: int) -> str:
    """Stores bytes of an action in its component. Returns the new file's id."""
    data, kind = _checked(arguments)
    files = engine.files_of(component)
    path = files.new_path()
    try:
        with open(path, "wb", opener=owner_only) as file:
            file.write(data)
        with engine.writing((FILES, b"")):
            return files.keep(path, kind).id
    finally:
        path.unlink(missing_ok=True)


def load(files: Files, transaction: Transaction, arguments: Arguments) -> str:
    """The bytes of a file with their type, as JSON, or null."""
    found = _found(transaction, arguments, "storage.get")
    file = None if found is None else files.named(found["name"])
    return "null" if found is None or file is None else _loaded(file.path, found["contentType"])


def _loaded(path: Path, content_type: str | None) -> str:
    try:
        return json.dumps({"blob": _base64(path.read_bytes()), "contentType": content_type})
    except FileNotFoundError:
        return "null"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
