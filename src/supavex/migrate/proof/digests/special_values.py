"""Replaces the int64 and bytes of documents by texts that Arrow can read.

In JSON, bytes are an object whose key starts with ``$``. An int64 is one too, or an integer without a dot if the
table's documents say so (``uniform``). After the name of such a field, the value is replaced by a text: a random mark,
which no document contains, and the value's base64 or digits. A text without the mark was a text before.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.values import Value
from supavex.migrate.keys.hashing import Numbers
from supavex.migrate.proof.digests.text_columns import NotComparable

#: The kinds of special values that a field may hold.
Special = Literal["int64", "bytes"]
_INT64_BYTES = 8
_DIGITS = rb"(0|-?[1-9][0-9]*)(?=\s*[,}])"
_OBJECT = rb'\{\s*"\$%b"\s*:\s*"([A-Za-z0-9+/]*={0,2})"\s*\}'
_OBJECTS = {"int64": _OBJECT % b"integer", "bytes": _OBJECT % b"bytes"}


def marked(block: bytes, fields: Mapping[str, Special], mark: bytes, *, uniform: bool) -> bytes:
    """Documents with the special values of ``fields`` as texts that start with ``mark``."""
    for name, kind in fields.items():
        value = _DIGITS if uniform and kind == "int64" else _OBJECTS[kind]
        block = re.sub(rb'("%b"\s*:\s*)' % re.escape(name.encode()) + value, rb'\1"' + mark + rb'\2"', block)
    return block


def unmarked(column: pa.Array, mark: bytes) -> pa.Array:
    """The texts without their marks. Raises :class:`NotComparable` if one has no mark."""
    if not pc.all(pc.starts_with(column, mark.decode()), min_count=0).as_py():
        raise NotComparable
    return pc.utf8_slice_codeunits(column, start=len(mark))


def int64s(column: pa.Array) -> Numbers:
    """The bits of int64 values, from their texts. Raises :class:`NotComparable`, or Arrow's errors."""
    if len(column) and pc.all(pc.ends_with(column, "=")).as_py():
        raws = _raws(column)
        if set(map(len, raws)) != {_INT64_BYTES}:
            raise NotComparable
        return np.frombuffer(b"".join(raws), "<u8").astype(np.uint64)
    return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False)).view(np.uint64)


def byte_strings(column: pa.Array) -> pa.Array:
    """Bytes from their texts. Raises :class:`NotComparable` if one is not base64."""
    return pa.array(_raws(column), pa.binary())


def _raws(column: pa.Array) -> list[bytes]:
    try:
        return [binascii.a2b_base64(text, strict_mode=True) for text in column.to_pylist()]
    except ValueError:
        raise NotComparable from None


def special_text(value: Any) -> str:
    """The text of an int64 or of bytes, without a mark."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def values_of(column: pa.Array, kind: Special) -> list[Value]:
    """The values of unmarked texts."""
    return byte_strings(column).to_pylist() if kind == "bytes" else list(int64s(column).view(np.int64).tolist())
