"""Document ids: a table number and 16 bytes, written in Crockford's base32.

``id = base32(varint(table number) + internal id (16 bytes) + Fletcher-16 of both)``. Source: ``id_v6.rs`` and
``base32.rs`` of convex-backend; Convex's npm package ``id-encoding`` gives the same text.
"""

from __future__ import annotations

import base64
import os
import re
import time
from functools import lru_cache
from itertools import accumulate

from supavex.convex.limits import MAX_TABLE_NUMBER
from supavex.errors import SupavexError

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Translates Python's digits of base 32 to Crockford's.
_PYTHON_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
#: Translates RFC 4648's digits of base 32 to Crockford's.
_FROM_RFC_4648 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())
_ODD_DIGIT = re.compile(f"[^{ALPHABET}]", re.DOTALL)
INTERNAL_ID_BYTES = 16
MIN_LENGTH, MAX_LENGTH = 31, 37


class InvalidId(SupavexError):
    """A text that is not a Convex document id."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__("InvalidId", f"{text!r} is not a Convex document id: {why}.")


@lru_cache
def varint(number: int) -> bytes:
    """``number`` (1 to 2**32-1) as LEB128: seven bits a byte, lowest first."""
    if not 1 <= number <= MAX_TABLE_NUMBER:
        raise ValueError(f"a table number is from 1 to {MAX_TABLE_NUMBER}, not {number}")
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def fletcher16(data: bytes) -> bytes:
    """Fletcher's checksum with modulus 256: 2 bytes, the plain sum first."""
    sums = list(accumulate(data))
    return bytes((sums[-1] & 0xFF, sum(sums) & 0xFF)) if sums else b"\0\0"


def encode_id(table_number: int, internal_id: bytes) -> str:
    """The id, 31 to 37 characters, of the document with the 16 bytes ``internal_id`` in table ``table_number``."""
    if len(internal_id) != INTERNAL_ID_BYTES:
        raise ValueError(f"an internal id has {INTERNAL_ID_BYTES} bytes, not {len(internal_id)}")
    body = varint(table_number) + internal_id
    data = body + fletcher16(body)
    digits = (len(data) * 8 + 4) // 5
    return base64.b32encode(data)[:digits].translate(_FROM_RFC_4648).decode()


def new_internal_id() -> bytes:
    """The 16 bytes of a new document, as Convex makes them: 14 random bytes, then the day since 1970 in 16 bits."""
    return os.urandom(14) + int(time.time() // 86_400).to_bytes(2, "big")


def decode_id(text: str) -> tuple[int, bytes]:
    """The table number and the internal id of ``text``.

    Raises :class:`InvalidId`. The check is strict: each id has one spelling.
    """
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        raise InvalidId(text, f"its length is {len(text)}, not {MIN_LENGTH} to {MAX_LENGTH}")
    odd = _ODD_DIGIT.search(text)
    if odd:
        raise InvalidId(text, f"{odd[0]!r} is not a digit of Crockford's base32 in lower case")
    number = int(text.translate(_PYTHON_DIGITS), 32)
    spare = len(text) * 5 % 8
    if number & ((1 << spare) - 1):
        raise InvalidId(text, "its last digit has unused bits that are not zero")
    data = (number >> spare).to_bytes(len(text) * 5 // 8, "big")
    table_number = used = 0
    for byte in data[:5]:
        table_number |= (byte & 0x7F) << (7 * used)
        used += 1
        if not byte & 0x80:
            break
    if len(data) != used + INTERNAL_ID_BYTES + 2 or not 1 <= table_number <= MAX_TABLE_NUMBER:
        raise InvalidId(text, "its table number and length don't fit")
    internal_id = data[used : used + INTERNAL_ID_BYTES]
    body = data[:-2]
    if varint(table_number) != data[:used] or fletcher16(body) != data[-2:]:
        raise InvalidId(text, "its checksum or spelling is wrong")
    return table_number, internal_id
