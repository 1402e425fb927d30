r"""Order keys: bytes that sort as Convex orders values, and the ranges that index queries scan.

The order is undefined, null, int64, float64, false, true, string, bytes, array, object. Each encoded value marks its
own end, so the keys of several values can be joined. (Convex's bytes of ``"a"`` are a prefix of its bytes of ``"a\0"``,
so a Convex range on ``"a"`` begins with both.) Source: ``value/src/sorting.rs`` of convex-backend.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from supavex.convex.values import Document, Value

_ZERO = 0x08
_WIDTHS = ((1, 0), (2, 1), (4, 2), (8, 3))


class _Undefined:
    """The value of a field that a document does not have."""

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Any = _Undefined()


def order_key(value: Value) -> bytes:
    """The order key of one value, or of :data:`UNDEFINED`."""
    kind = type(value)
    if kind is str:
        return b"\x10" + _terminated(value.encode())
    if kind is float:
        return _float(value)
    if value is UNDEFINED:
        return b"\x01"
    if value is None:
        return b"\x03"
    if value is False:
        return b"\x0e"
    if value is True:
        return b"\x0f"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        return b"\x11" + _terminated(value)
    if isinstance(value, list):
        return b"\x12" + b"".join(map(order_key, value)) + b"\x00"
    return b"\x15" + b"".join(_name(key) + order_key(value[key]) for key in sorted(value)) + b"\x00"


_DOUBLE, _BITS = struct.Struct(">d"), struct.Struct(">Q")
_SIGN, _ALL = 1 << 63, (1 << 64) - 1


def _float(value: float) -> bytes:
    (bits,) = _BITS.unpack(_DOUBLE.pack(value))
    return b"\x0d" + _BITS.pack(bits ^ _ALL if bits & _SIGN else bits | _SIGN)


def _name(key: str) -> bytes:
    # An empty name would look like the end of the object; FF marks it.
    return _terminated(key.encode()) if key else b"\x00\xff"


def _integer(value: int) -> bytes:
    if value == 0:
        return bytes([_ZERO])
    for width, step in _WIDTHS:
        if -(1 << (8 * width - 1)) <= value < 1 << (8 * width - 1):
            tag = _ZERO + 1 + step if value > 0 else _ZERO - 1 - step
            return bytes([tag]) + (value & ((1 << 8 * width) - 1)).to_bytes(width, "big")
    raise ValueError(f"{value} is outside int64")


def _terminated(data: bytes) -> bytes:
    return (data.replace(b"\x00", b"\x00\xff") if b"\x00" in data else data) + b"\x00"


def field_at(document: Document, path: str) -> Value:
    """The value at a dotted path; :data:`UNDEFINED` if the document has none."""
    if "." not in path:
        return document.get(path, UNDEFINED)
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return UNDEFINED
        value = value[part]
    return value


def index_key(document: Document, fields: Iterable[str]) -> bytes:
    """A document's key in an index on ``fields``: the values of the fields, the creation time, the id."""
    return b"".join([order_key(field_at(document, field)) for field in fields]) + key_end(document)


def key_end(document: Document) -> bytes:
    """The end of every index key of a document: its creation time and its id."""
    return order_key(document["_creationTime"]) + order_key(document["_id"])


def successor(prefix: bytes) -> bytes | None:
    """The first byte string after every string that starts with ``prefix``; None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
