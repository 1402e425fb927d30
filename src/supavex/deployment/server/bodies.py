"""The bodies of requests. They are limited in bytes, compressed or not, and large ones are parsed one at a time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import brotli
from starlette.requests import Request

from supavex.convex.json_bounds import JsonTooLarge
from supavex.deployment.server.wire import parse_json
from supavex.errors import SupavexError
from supavex.files import owner_only

MAX_BODY_BYTES = 16 << 20
#: A larger body waits on the disk for its turn, and is parsed in a thread. A smaller one is parsed at once.
LARGE_BYTES = 256 << 10


class Turn:
    """The turn to have one large body in memory. Any thread may release it, once."""

    def __init__(self, turns: asyncio.Semaphore | None) -> None:
        self._turns = turns
        self._loop = asyncio.get_running_loop()

    def release(self) -> None:
        """Lets the next large body in. For a small body, or when called again, it does nothing."""
        turns, self._turns = self._turns, None
        if turns is not None:
            self._loop.call_soon_threadsafe(turns.release)


@dataclass(slots=True)
class Bodies:
    """Reads the bodies of requests. ``folder``: for large bodies that wait for their turn, in files without names."""

    folder: Path
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def parsed(self, text: str | bytes) -> tuple[Any, Turn]:
        """The data of a JSON text, and its turn. Raises :class:`ValueError` if it is not JSON."""
        if len(text) <= LARGE_BYTES:
            return parse_json(text), Turn(None)
        await self._turns.acquire()
        turn = Turn(self._turns)
        try:
            return await asyncio.to_thread(parse_json, text), turn
        except BaseException:
            turn.release()
            raise

    @asynccontextmanager
    async def json_object(
        self, request: Request, limit: int = MAX_BODY_BYTES
    ) -> AsyncIterator[tuple[dict[str, Any], Turn]]:
        """The body as a JSON object, and its turn, which ends with the block at the latest. Raises if it is not an
        object.
        """
        turn = Turn(None)
        with tempfile.SpooledTemporaryFile(LARGE_BYTES, dir=str(self.folder)) as file:
            size = await write_body(request, file, limit)
            if size > LARGE_BYTES:
                await self._turns.acquire()
                turn = Turn(self._turns)
            try:
                data = await asyncio.to_thread(_read, file) if size > LARGE_BYTES else _read(file)
            except BaseException:
                turn.release()
                raise
        try:
            yield data, turn
        finally:
            turn.release()

    async def read_json(self, request: Request, limit: int = MAX_BODY_BYTES) -> dict[str, Any]:
        """The body as a JSON object. Raises if it is not one."""
        async with self.json_object(request, limit) as (data, _):
            return data


def _read(file: IO[bytes]) -> dict[str, Any]:
    file.seek(0)
    try:
        data = parse_json(file.read())
    except JsonTooLarge as error:
        raise SupavexError("BadJsonBody", f"the body has {error}.") from None
    except ValueError:
        raise SupavexError("BadJsonBody", "the body is not JSON.") from None
    if not isinstance(data, dict):
        raise SupavexError("BadJsonBody", "the body is not a JSON object.")
    return data


async def write_body(request: Request, file: IO[bytes], limit: int) -> int:
    """Writes the body to ``file``, unpacked if it is brotli. Returns its size in bytes.

    Raises if it has more than ``limit`` bytes, packed or unpacked.
    """
    packed = request.headers.get("content-encoding", "").strip().lower()
    if packed not in ("", "identity", "br"):
        raise SupavexError("BadBody", f"the content encoding {packed[:40]!r} is not known here: br is, and none.")
    count = 0
    decompressor = brotli.Decompressor() if packed == "br" else None
    async for chunk in request.stream():
        for piece in [chunk] if decompressor is None else _unpacked(decompressor, chunk):
            count += len(piece)
            if count > limit:
                raise _too_large(limit)
            file.write(piece)
    if decompressor is not None and not decompressor.is_finished():
        raise SupavexError("BadBody", "the body's brotli ends too early.")
    return count


def _unpacked(decompressor: Any, chunk: bytes) -> Iterator[bytes]:
    """The unpacked content of ``chunk``, about a megabyte at a time, so that a decompression bomb is noticed early."""
    while True:
        try:
            piece = decompressor.process(chunk, output_buffer_limit=1 << 20)
        except brotli.error:
            raise SupavexError("BadBody", "the body is not brotli.") from None
        # All input may be consumed before all output is returned. Only an empty result shows the end.
        if not piece and decompressor.can_accept_more_data():
            return
        yield piece
        chunk = b""


async def to_file(request: Request, path: Path, limit: int) -> None:
    """Writes the body to ``path``, a file that only its owner can read. Raises if it has more than ``limit`` bytes."""
    count = 0
    with open(path, "wb", opener=owner_only) as file:
        async for chunk in request.stream():
            count += len(chunk)
            if count > limit:
                raise _too_large(limit)
            await asyncio.to_thread(file.write, chunk)


def _too_large(limit: int) -> SupavexError:
    return SupavexError("RequestTooLarge", f"the body is larger than {limit:,} bytes.")
