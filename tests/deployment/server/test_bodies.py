"""Bodies of requests: all of what came, packed or not, in whatever pieces."""

import asyncio
import io
import random
from functools import cache

import brotli
import pytest
from starlette.requests import Request
from starlette.types import Message

from supavex.deployment.server.bodies import write_body
from supavex.errors import SupavexError

MEGABYTE = 1 << 20


def request(body: bytes, encoding: str = "", piece: int = 1 << 16) -> Request:
    """A request whose body comes in pieces of that many bytes."""
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)] or [b""]

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    headers = [(b"content-encoding", encoding.encode())] if encoding else []
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def read(body: bytes, encoding: str = "", *, piece: int = 1 << 16, limit: int = 64 * MEGABYTE) -> bytes:
    file = io.BytesIO()
    count = asyncio.run(write_body(request(body, encoding, piece), file, limit))
    assert count == len(file.getvalue())
    return file.getvalue()


@cache
def packed(kind: str, size: int) -> bytes:
    return brotli.compress(contents(kind, size), quality=4)


@cache
def contents(kind: str, size: int) -> bytes:
    made = random.Random(size)
    if kind == "random":
        return made.randbytes(size)
    if kind == "repeated":
        return b'{"module": "text"}' * (size // 18)
    words = [made.randbytes(9).hex().encode() for _ in range(2000)]
    return b" ".join(made.choice(words) for _ in range(size // 19))


@pytest.mark.parametrize("piece", [1 << 10, 1 << 16, 1 << 20, 1 << 30])
@pytest.mark.parametrize("kind", ["random", "repeated", "words"])
@pytest.mark.parametrize("size", [MEGABYTE - 1, MEGABYTE + 1, 2 * MEGABYTE + 9, 10 * MEGABYTE])
def test_all_of_a_packed_body_comes(size: int, kind: str, piece: int) -> None:
    body = contents(kind, size)
    assert read(packed(kind, size), "br", piece=piece) == body


@pytest.mark.parametrize("size", [0, 1, 100, 3 * MEGABYTE])
def test_a_plain_body_comes_as_it_is(size: int) -> None:
    body = contents("random", size)
    assert read(body) == read(body, "identity") == body
    assert read(brotli.compress(body, quality=4), "br") == body


def test_a_packed_body_is_counted_unpacked() -> None:
    packed = brotli.compress(bytes(5 * MEGABYTE), quality=4)
    assert len(read(packed, "br", limit=5 * MEGABYTE)) == 5 * MEGABYTE
    with pytest.raises(SupavexError) as caught:
        read(packed, "br", limit=5 * MEGABYTE - 1)
    assert caught.value.code == "RequestTooLarge"


@pytest.mark.parametrize("left", [1, 2, 100, 100_000])
def test_a_packed_body_that_was_cut_is_refused(left: int) -> None:
    packed = brotli.compress(contents("words", 2 * MEGABYTE), quality=4)
    with pytest.raises(SupavexError, match="ends too early"):
        read(packed[:-left], "br")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br, gzip"])
def test_an_encoding_that_is_not_known_is_said(encoding: str) -> None:
    with pytest.raises(SupavexError, match="content encoding"):
        read(b"{}", encoding)
