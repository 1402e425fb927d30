"""Documents, lines of JSON, as columns: one for each field that is expected.

Arrow parses what JSON says plainly (texts, numbers, booleans), orjson the values that are made of others. Where one of
them can't tell, or would take something that Convex refuses, :class:`~supavex.migrate.text_columns.Unlike` is raised:
the documents are looked at one by one then.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from supavex.convex.ids import ALPHABET, INTERNAL_ID_BYTES, varint
from supavex.convex.values import BARE_INTEGER
from supavex.migrate.comparison import ABSENT
from supavex.migrate.special_values import Special, marked, unmarked
from supavex.migrate.text_columns import Unlike, matrix

#: Documents that are looked at together.
_MOST = 8192
_END = ord("\n")
#: Bytes of a mark.
_MARK = 8
#: A whole number that orjson reads as 0, and that is -0.0.
_MINUS_ZERO = re.compile(rb"-0\s*[,\]}]")
#: A key that starts with $, as those of int64, bytes and special numbers do: to orjson they are objects.
_SPECIAL = re.compile(rb'"(?:\$|\\u0024)[^"]*"\s*:')
#: A JSON value of objects up to three deep, or an array up to two, or one that holds no other. null is not among them.
#: Nothing is tried twice, so that no text makes it slow.
_VALUE = (
    rb"(\{[^{}\n]*+(?:\{[^{}\n]*+(?:\{[^{}\n]*+\}[^{}\n]*+)*+\}[^{}\n]*+)*+\}"
    rb"|\[[^][\n]*+(?:\[[^][\n]*+\][^][\n]*+)*+\]"
    rb'|"(?:[^"\\\n]++|\\.)*+"|true|false|-?[0-9][0-9.eE+-]*+)'
)


def _pairs() -> np.ndarray[Any, Any]:
    """The ten bits of each pair of an id's digits, as a little-endian number; above 1023 for what is none."""
    values = np.full(1 << 16, 1024, np.uint16)
    for number in range(1024):
        values[ord(ALPHABET[number >> 5]) | ord(ALPHABET[number & 31]) << 8] = number
    return values


_PAIRS = _pairs()


@dataclass(frozen=True, slots=True)
class FieldValues:
    """A field of some documents. ``values``: those that are there and not null, an Arrow column or a list.

    ``state``: for each document 0 for a value, 1 for null, 2 for none; None where all are values.
    """

    values: Any
    state: np.ndarray[Any, Any] | None


@dataclass(frozen=True, slots=True)
class DocumentColumns:
    """Some documents: their ids (text), creation times (milliseconds), expected fields, and how many others."""

    ids: pa.Array
    created: np.ndarray[Any, Any]
    fields: list[FieldValues]
    others: np.ndarray[Any, Any]


def cut(block: bytes) -> Iterator[tuple[bytes, int]]:
    """The documents of a block (one a line) in pieces, each without a last line's end, and how many each holds."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _END)
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    if _one_a_line(block, ends):
        start = 0
        for first in range(0, len(ends), _MOST):
            last = min(first + _MOST, len(ends)) - 1
            yield block[start : ends[last]], last + 1 - first
            start = int(ends[last]) + 1
        return
    # Blank lines, say, or blanks around a document: one by one.
    yield from ((line, 1) for line in map(bytes.strip, block.split(b"\n")) if line)


def halves(block: bytes) -> Iterator[tuple[bytes, int]]:
    """Two blocks of a block of several lines."""
    lines = block.split(b"\n")
    middle = len(lines) // 2
    for some in (lines[:middle], lines[middle:]):
        yield b"\n".join(some), len(some)


def _one_a_line(block: bytes, ends: np.ndarray[Any, Any]) -> bool:
    """Whether a line is a document, whoever parses it: no value holds a line's end between two braces."""
    data = np.frombuffer(block, np.uint8)
    braced = block.startswith(b"{") and bool((data[ends - 1] == ord("}")).all())
    return braced and bool((data[ends[:-1] + 1] == ord("{")).all())


def special_columns(
    block: bytes,
    count: int,
    types: Mapping[str, pa.DataType | None],
    special: Mapping[str, Special],
    *,
    verbatim: bool,
    uniform: bool,
) -> DocumentColumns:
    """As :func:`document_columns` or :func:`verbatim_columns`, where some fields hold int64 or bytes.

    ``special``: these fields, whose type is text: what :mod:`supavex.migrate.special_values` makes of their values.
    """
    read = verbatim_columns if verbatim else document_columns
    if not special:
        return read(block, count, types, uniform=uniform)
    mark = secrets.token_hex(_MARK).encode()
    found = read(marked(block, special, mark, uniform=uniform), count, types, uniform=uniform)
    fields = [
        FieldValues(unmarked(values.values, mark), values.state) if name in special else values
        for name, values in zip(types, found.fields, strict=True)
    ]
    return DocumentColumns(found.ids, found.created, fields, found.others)


def document_columns(
    block: bytes, count: int, types: Mapping[str, pa.DataType | None], *, uniform: bool
) -> DocumentColumns:
    """The columns of ``count`` documents (a piece of :func:`cut`).

    ``types``: the expected fields; text, float64 or bool where all values are that, None where they are anything.
    ``uniform``: bare integers are int64. Raises :class:`Unlike`, or what orjson and Arrow raise.
    """
    if uniform and BARE_INTEGER.search(block):
        raise Unlike
    # Arrow makes no difference between null and nothing.
    if b"null" not in block:
        found = _by_arrow(block, count, types)
        if found is not None:
            return found
    return _by_orjson(_loaded(block, count), types)


def verbatim_columns(
    block: bytes, count: int, types: Mapping[str, pa.DataType | None], *, uniform: bool
) -> DocumentColumns:
    """As :func:`document_columns`, with the text of each value that is anything (an Arrow column of bytes), not parsed.

    Such a value is cut out where its field's name stands, up to where it seems to end, and 0 put in its place. What is
    left has to be documents of plain values only, with a 0 in each of those places: so the name was a field's, and not
    one inside a value. What was cut out is the value if it is JSON, as it is where it equals PostgreSQL's text.
    Raises :class:`Unlike` where that can't be had: the caller has to parse.
    """
    if (uniform and BARE_INTEGER.search(block)) or _special(block):
        raise Unlike
    texts: dict[str, list[bytes]] = {}
    for name, type_ in types.items():
        if type_ is None:
            field = f'"{name}":'.encode()
            pieces = re.split(re.escape(field) + _VALUE, block)
            texts[name] = pieces[1::2]
            block = (field + b"0").join(pieces[0::2])
    if b"null" in block:
        raise Unlike
    plain = {name: pa.float64() if type_ is None else type_ for name, type_ in types.items()}
    found = _by_arrow(block, count, plain)
    if found is None:
        raise Unlike
    fields = list(found.fields)
    for index, name in enumerate(types):
        if name in texts:
            zeros = fields[index]
            if len(zeros.values) != len(texts[name]) or pc.any(pc.not_equal(zeros.values, 0)).as_py():
                raise Unlike
            fields[index] = FieldValues(pa.array(texts[name], pa.binary()), zeros.state)
    return DocumentColumns(found.ids, found.created, fields, found.others)


def _special(block: bytes) -> bool:
    # To look for one byte takes a fiftieth of the time of looking for two, and most blocks have none of these.
    seems = b"$" in block or (b"\\" in block and b"\\u0024" in block)
    return seems and _SPECIAL.search(block) is not None


def _loaded(block: bytes, count: int) -> list[dict[str, Any]]:
    if (b"-0" in block and _MINUS_ZERO.search(block)) or _special(block):
        raise Unlike
    documents: list[dict[str, Any]] = orjson.loads(b"[" + block.replace(b"}\n{", b"},{") + b"]")
    if len(documents) != count:
        raise Unlike
    return documents


def _by_arrow(block: bytes, count: int, types: Mapping[str, pa.DataType | None]) -> DocumentColumns | None:
    typed = {name: type_ for name, type_ in types.items() if type_ is not None}
    schema = pa.schema({"_id": pa.string(), "_creationTime": pa.float64(), **typed})
    whole = len(typed) == len(types)
    try:
        table = json.read_json(
            pa.BufferReader(block),
            json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error" if whole else "ignore"),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if table.num_rows != count:
        raise Unlike
    columns = {name: _chunk(table.column(name)) for name in schema.names}
    ids, created = columns["_id"], columns["_creationTime"]
    if ids.null_count or created.null_count:
        raise Unlike
    documents = None if whole else _loaded(block, count)
    fields, there = [], np.full(count, 2, np.int64)
    for name, type_ in types.items():
        if type_ is None:
            assert documents is not None
            values = _field([document.get(name, ABSENT) for document in documents])
        else:
            column = columns[name]
            null = pc.is_null(column).to_numpy(zero_copy_only=False) if column.null_count else None
            values = FieldValues(column.drop_null(), None if null is None else null * np.uint8(2))
        fields.append(values)
        there += 1 if values.state is None else values.state != 2
    others = np.zeros(count, np.int64)
    if documents is not None:
        others = np.fromiter(map(len, documents), np.int64, count) - there
    return DocumentColumns(ids, finite(created), fields, others)


def _by_orjson(documents: list[dict[str, Any]], types: Mapping[str, pa.DataType | None]) -> DocumentColumns:
    count = len(documents)
    ids = _typed([document["_id"] for document in documents], pa.string())
    created = _typed([document["_creationTime"] for document in documents], pa.float64())
    fields, there = [], np.full(count, 2, np.int64)
    for name, type_ in types.items():
        found = _field([document.get(name, ABSENT) for document in documents])
        fields.append(found if type_ is None else FieldValues(_typed(found.values, type_), found.state))
        there += 1 if found.state is None else found.state != 2
    return DocumentColumns(ids, finite(created), fields, np.fromiter(map(len, documents), np.int64, count) - there)


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _field(values: list[Any]) -> FieldValues:
    kinds = set(map(type, values))
    if object not in kinds and type(None) not in kinds:
        return FieldValues(values, None)
    state = np.array([2 if value is ABSENT else 1 if value is None else 0 for value in values], np.uint8)
    return FieldValues([value for value, gap in zip(values, state, strict=True) if not gap], state)


_KINDS: dict[pa.DataType, set[type]] = {pa.string(): {str}, pa.float64(): {float, int}, pa.bool_(): {bool}}


def _typed(values: list[Any], type_: pa.DataType) -> pa.Array:
    """Parsed values as an Arrow column. Raises :class:`Unlike` where one is of another kind."""
    if not set(map(type, values)) <= _KINDS[type_]:
        raise Unlike
    return pa.array(np.array(values, np.float64) if type_ == pa.float64() else values, type_)


def finite(column: pa.Array) -> np.ndarray[Any, Any]:
    """The doubles of a column. Raises :class:`Unlike` where one is not finite: Arrow reads NaN, and JSON has none."""
    numbers = np.asarray(column.to_numpy(zero_copy_only=False))
    if not np.isfinite(numbers).all():
        raise Unlike
    return numbers


def decode_ids(column: pa.Array, number: int) -> np.ndarray[Any, Any]:
    """The 16 bytes of ids of table ``number``. Raises :class:`Unlike` where one is no such id, or is spelled otherwise.

    As :func:`supavex.convex.ids.decode_id`, by arithmetic on columns.
    """
    prefix = np.frombuffer(varint(number), np.uint8)
    head = len(prefix)
    size = head + INTERNAL_ID_BYTES + 2
    length = (size * 8 + 4) // 5
    text, count = matrix(column, length), len(column)
    groups = -(-length // 8)
    if length % 8:
        text = np.hstack([text, np.full((count, groups * 8 - length), ord(ALPHABET[0]), np.uint8)])
    # Digits of 5 bits become words of 10, 20 and 40 bits: two neighbours at a time, the first of which stands lower.
    tens = _PAIRS[text.view("<u2")]
    if (tens > 1023).any():
        raise Unlike
    twenties = tens.view("<u4")
    twenties = (twenties & 1023) << 10 | twenties >> 16
    forties = twenties.view("<u8")
    forties = (forties & 0xFFFFF) << 20 | forties >> 32
    data = (forties << 24).astype(">u8").view(np.uint8).reshape(-1, groups, 8)[:, :, :5].reshape(count, groups * 5)
    # Byte by byte over all rows, as the checksum (Fletcher's) goes: sums are modulo 256, as the bytes are.
    columns = np.ascontiguousarray(data.T)
    first, second = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    for byte in columns[: size - 2]:
        first += byte
        second += first
    right = (first == columns[size - 2]) & (second == columns[size - 1])
    for byte, expected in zip(columns, prefix, strict=False):
        right &= byte == expected
    for byte in columns[size:]:
        right &= byte == 0
    if not right.all():
        raise Unlike
    return np.ascontiguousarray(data[:, head : head + INTERNAL_ID_BYTES])
