"""Digests that functions ask for: the host makes them, for the functions' process has no cryptography."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from supavex.deployment.functions.syscalls import Arguments, Frame
from supavex.errors import SupavexError

_HASHES = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def digest(frame: Frame, arguments: Arguments) -> str:
    """A hash, as ``crypto.subtle.digest`` names it."""
    return _answer(hashlib.new(_hash(arguments), base64.b64decode(arguments["data"])).digest())


def keyed_digest(frame: Frame, arguments: Arguments) -> str:
    """An HMAC."""
    key, data = base64.b64decode(arguments["key"]), base64.b64decode(arguments["data"])
    return _answer(hmac.new(key, data, _hash(arguments)).digest())


def _hash(arguments: Arguments) -> str:
    found = _HASHES.get(str(arguments["hash"]))
    if found is None:
        raise SupavexError("NotSupportedError", f"Unrecognized algorithm name: {arguments['hash']}")
    return found


def _answer(data: bytes) -> str:
    return json.dumps(base64.b64encode(data).decode())
