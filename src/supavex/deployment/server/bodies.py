"""The bodies of requests: never more bytes than a limit, packed or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
from starlette.requests import Request

from supavex.deployment.server.wire import parse_json
from supavex.errors import SupavexError
from supavex.files import owner_only

MAX_BODY_BYTES = 16 << 20


async def read_bytes(request: Request, limit: int) -> bytes:
    """The body, unpacked where it is brotli. Raises where it has more than ``limit`` bytes, packed or unpacked."""
    packed = request.headers.get("content-encoding", "").strip().lower()
    if packed not in ("", "identity", "br"):
        raise SupavexError("BadBody", f"the content encoding {packed[:40]!r} is not known here: br is, and none.")
    chunks: list[bytes] = []
    count = 0
    decompressor = brotli.Decompressor() if packed == "br" else None
    async for chunk in request.stream():
        for piece in [chunk] if decompressor is None else _unpacked(decompressor, chunk):
            chunks.append(piece)
            count += len(piece)
            if count > limit:
                raise _too_large(limit)
    if decompressor is not None and not decompressor.is_finished():
        raise SupavexError("BadBody", "the body's brotli ends too early.")
    return b"".join(chunks)


def _unpacked(decompressor: Any, chunk: bytes) -> Iterator[bytes]:
    """All that ``chunk`` unpacks to, about a megabyte at a time, so that a bomb is noticed early."""
    while True:
        try:
            piece = decompressor.process(chunk, output_buffer_limit=1 << 20)
        except brotli.error:
            raise SupavexError("BadBody", "the body is not brotli.") from None
        # Input that was all taken does not mean that all output came: only a call that gives none says so.
        if not piece and decompressor.can_accept_more_data():
            return
        yield piece
        chunk = b""


async def read_json(request: Request, limit: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The body as a JSON object. Raises where it is none."""
    body = await read_bytes(request, limit)
    try:
        data = parse_json(body)
    except ValueError:
        raise SupavexError("BadJsonBody", "the body is no JSON.") from None
    if not isinstance(data, dict):
        raise SupavexError("BadJsonBody", "the body is no JSON object.")
    return data


async def to_file(request: Request, path: Path, limit: int) -> None:
    """Writes the body to ``path``, a file of its owner's only. Raises where it has more than ``limit`` bytes."""
    count = 0
    with open(path, "wb", opener=owner_only) as file:
        async for chunk in request.stream():
            count += len(chunk)
            if count > limit:
                raise _too_large(limit)
            await asyncio.to_thread(file.write, chunk)


def _too_large(limit: int) -> SupavexError:
    return SupavexError("RequestTooLarge", f"the body is larger than {limit:,} bytes.")
