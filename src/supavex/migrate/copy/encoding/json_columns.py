"""Arrow columns as JSON text, a whole column at a time, in the form of a Convex snapshot for each kind of value.

Every function takes a column of n values and returns a string column of n JSON texts. NULL stays NULL. Unless a
function says otherwise, it makes no Python object for each value.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.values import to_export_json
from supavex.migrate.copy.encoding import fixed_width

#: The letter of each short escape, by character; 255 for other control characters.
_ESCAPE = np.zeros(256, np.uint8)
_ESCAPE[:32] = 255
for _character, _letter in {'"': '"', "\\": "\\", "\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}.items():
    _ESCAPE[ord(_character)] = ord(_letter)
_CACHED = 1 << 17
_AFTER_QUOTE, _BACKSLASH = np.uint8((ord('"') ^ 2) + 1), np.uint8(ord("\\"))
_FRACTIONS = pa.array([f".{n:03d}" for n in range(1000)])


def to_json(column: pa.Array, kind: str) -> pa.Array:
    """``column`` as JSON, by its kind (see :data:`supavex.mapping.conversions.Kind`). Ids have another function."""
    return _WRITERS[kind](column)


@cache
def scalar(text: str | None) -> pa.Scalar:
    """A cached constant for Arrow's functions: making one tries to import packages that may be missing."""
    return pa.scalar(text, pa.string())


FALSE = pa.scalar(False)
_ZERO = pa.scalar(0, pa.int32())
_INT64_ZERO = pa.scalar(0, pa.int64())


def without_dot(texts: pa.Array) -> pa.Array:
    """Whether each text has no dot; NULL for NULL."""
    return pc.less(pc.find_substring(texts, "."), _ZERO)


def joined(*parts: pa.Array | str) -> pa.Array:
    """The texts of columns and constants, concatenated; NULL if any of them is NULL."""
    return pc.binary_join_element_wise(*[scalar(p) if isinstance(p, str) else p for p in parts], scalar(""))


def strings(column: pa.Array) -> pa.Array:
    """Strings, quoted and escaped."""
    return joined('"', escaped(column), '"')


def escaped(column: pa.Array) -> pa.Array:
    """Strings with JSON's escapes, without quotes: cut before each special character, and joined by a backslash."""
    column = _plain_strings(column)
    offsets, values = buffers(column)
    positions = _special(values)
    if not len(positions):
        return column
    special = _ESCAPE[values[positions]]
    if (special == 255).any():
        # Other control characters are so rare that the slow, exact function encodes them.
        texts = [None if text is None else json.dumps(text, ensure_ascii=False)[1:-1] for text in column.to_pylist()]
        return pa.array(texts, pa.string())
    replaced = values.copy()
    replaced[positions] = special
    # A piece begins at each text and at each backslash. A text is the list of its pieces.
    texts_at = np.searchsorted(positions, offsets) + np.arange(len(offsets))
    starts = np.empty(len(positions) + len(offsets), np.int32)
    starts[texts_at] = offsets
    between = np.ones(len(starts), np.bool_)
    between[texts_at] = False
    starts[between] = positions
    pieces = pa.Array.from_buffers(
        pa.string(), len(starts) - 1, [None, pa.py_buffer(starts), pa.py_buffer(np.ascontiguousarray(replaced))]
    )
    text = pc.binary_join(pa.ListArray.from_arrays(pa.array(texts_at.astype(np.int32)), pieces), scalar("\\"))
    return pc.if_else(pc.is_null(column), scalar(None), text) if column.null_count else text


def _special(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The positions of characters that JSON has to escape."""

    def escapes(piece: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        # Comparisons are much faster than a look-up for each byte. If the second bit is flipped, the quote follows the
        # control characters.
        mask: np.ndarray[Any, Any] = (piece ^ np.uint8(2)) < _AFTER_QUOTE
        np.logical_or(mask, piece == _BACKSLASH, out=mask)
        return mask

    return positions(values, escapes)


def positions(
    values: np.ndarray[Any, Any], which: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
) -> np.ndarray[Any, Any]:
    """The positions in ``values`` for which ``which`` is true. It works on small pieces, for the processor's cache."""
    found = []
    for start in range(0, len(values), _CACHED):
        positions = np.flatnonzero(which(values[start : start + _CACHED]))
        if len(positions):
            found.append(positions + start)
    return np.concatenate(found) if found else np.zeros(0, np.intp)


def _plain_strings(column: pa.Array) -> pa.Array:
    """The column as plain string storage, with buffers that begin at its first value."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if column.type != pa.string():
        column = column.cast(pa.string())
    return column


def buffers(column: pa.Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Offsets (n + 1, from 0) and bytes of a string or binary column."""
    _, offsets, values = column.buffers()
    positions = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    if values is None or not len(positions):
        return np.zeros(len(column) + 1, np.int32), np.zeros(0, np.uint8)
    content = np.frombuffer(values, np.uint8)[positions[0] : positions[-1]]
    return positions - positions[0], content


def numbers(column: pa.Array) -> pa.Array:
    """Numbers as float64 JSON, always with a dot or an exponent, so that no reader takes one for an int64.

    A column of strings holds decimals in PostgreSQL's form.
    """
    if isinstance(column, pa.StringArray):
        return _decimals(column)
    text = column.cast(pa.string())
    if pa.types.is_integer(column.type):
        return joined(text, ".0")
    bare = without_dot(text)
    if bare.true_count:
        # Searching for a dot is much faster than the expression, which only numbers without a dot need.
        dotted = pc.replace_substring_regex(text.filter(bare), r"^(-?[0-9]+)$", r"\1.0")
        text = pc.replace_with_mask(text, bare, dotted)
    if pc.all(pc.is_finite(column)).as_py() is False:
        kinds = [pc.is_nan(column), pc.equal(column, np.inf), pc.equal(column, -np.inf)]
        for which, number in zip(kinds, (np.nan, np.inf, -np.inf), strict=True):
            text = pc.if_else(pc.fill_null(which, False), to_export_json(float(number)), text)
    return text


def _decimals(column: pa.Array) -> pa.Array:
    """Digits with a dot, which is added if it is missing."""
    bare = without_dot(column)
    if not bare.true_count:
        return column
    if bare.false_count == 0:
        return joined(column, ".0")
    return pc.if_else(bare, joined(column, ".0"), column)


def integers(column: pa.Array) -> pa.Array:
    """Int64 as bare integers: only for tables whose generated_schema.jsonl says ``uniform``."""
    return column.cast(pa.int64()).cast(pa.string())


def micros(column: pa.Array) -> pa.Array:
    """Timestamps (microseconds) as float64 milliseconds, always with three decimals: ``1700000000000.120``."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).view(pa.int64())
    text = fixed_width.milliseconds(column)
    if text is None:
        text = _any_micros(column)
    return pc.if_else(pc.is_null(column), scalar(None), text) if column.null_count else text


def _any_micros(column: pa.Array) -> pa.Array:
    """As :func:`micros`, for all times. NULLs may have any value."""
    micros_ = pc.fill_null(column, _INT64_ZERO).to_numpy()
    # A negative time is written from its magnitude, because floor would turn -0.5 ms into -1 ms and .5.
    magnitude = np.abs(micros_)
    whole = pa.array(magnitude // 1000).cast(pa.string())
    fraction = _FRACTIONS.take(pa.array((magnitude % 1000).astype(np.int32)))
    sign = pc.if_else(pa.array(micros_ < 0), scalar("-"), scalar(""))
    return joined(sign, whole, fraction)


def booleans(column: pa.Array) -> pa.Array:
    """``true`` and ``false``."""
    return pc.if_else(column, scalar("true"), scalar("false"))


def bytes_(column: pa.Array) -> pa.Array:
    """Bytes as ``{"$bytes": base64}``. It makes a Python object for each value, because the kind is rare."""
    texts = [
        None if value is None else f'{{"$bytes":"{base64.b64encode(value).decode()}"}}' for value in column.to_pylist()
    ]
    return pa.array(texts, pa.string())


def json_texts(column: pa.Array) -> pa.Array:
    """Text that is already JSON."""
    return _plain_strings(column)


def arrays(column: pa.Array) -> pa.Array:
    """Lists of strings, numbers or booleans; a NULL element is ``null``."""
    element = column.type.value_type
    flat = column.flatten()
    if pa.types.is_boolean(element):
        texts = booleans(flat)
    elif pa.types.is_integer(element) or pa.types.is_floating(element):
        texts = numbers(flat)
    else:
        texts = strings(flat)
    texts = pc.fill_null(texts, "null")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), texts)
    text = joined("[", pc.binary_join(lists, ","), "]")
    return pc.if_else(pc.is_null(column), scalar(None), text) if column.null_count else text


_WRITERS = {
    "string": strings,
    "number": numbers,
    "micros": micros,
    "boolean": booleans,
    "int64": integers,
    "bytes": bytes_,
    "json": json_texts,
    "array": arrays,
}
