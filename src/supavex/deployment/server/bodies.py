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

MAX_BODY_BYTES = 16 << 20


async def read_bytes(request: Request, limit: int) -> bytes:
    """The body, unpacked where it is brotli. Raises where it has more than ``limit`` bytes."""
    chunks: list[bytes] = []
    count = 0
    packed = request.headers.get("content-encoding", "") == "br"
    decompressor = brotli.Decompressor() if packed else None
    async for chunk in request.stream():
        for piece in [chunk] if decompressor is None else _unpacked(decompressor, chunk):
            chunks.append(piece)
            count += len(piece)
            if count > limit:
                raise _too_large(limit)
    return b"".join(chunks)


def _unpacked(decompressor: Any, chunk: bytes) -> Iterator[bytes]:
    """What ``chunk`` unpacks to, a megabyte at a time, so that a bomb is noticed early."""
    piece = chunk
    while piece or not decompressor.can_accept_more_data():
        try:
            yield decompressor.process(piece, output_buffer_limit=1 << 20)
        except brotli.error:
            raise SupavexError("BadBody", "the body is not brotli.") from None
        piece = b""
        if decompressor.can_accept_more_data():
            break


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
    """Writes the body to ``path``. Raises where it has more than ``limit`` bytes."""
    count = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            count += len(chunk)
            if count > limit:
                raise _too_large(limit)
            await asyncio.to_thread(file.write, chunk)


def _too_large(limit: int) -> SupavexError:
    return SupavexError("RequestTooLarge", f"the body is larger than {limit:,} bytes.")
