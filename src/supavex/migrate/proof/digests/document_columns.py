"""Documents (lines of JSON) as columns, one for each expected field.

msgspec parses documents into objects of the expected fields. It skips fields with arbitrary JSON, which orjson parses
if they can't be compared as text. If a parser can't decide, or would accept something that Convex refuses,
:class:`~supavex.migrate.proof.digests.text_columns.NotComparable` is raised, and the caller reads the documents one by
one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.ids import ALPHABET, INTERNAL_ID_BYTES, varint
from supavex.convex.values import BARE_INTEGER
from supavex.migrate.proof.comparison import ABSENT
from supavex.migrate.proof.digests.special_values import Special, marked, unmarked
from supavex.migrate.proof.digests.text_columns import NotComparable, matrix

#: Documents that are processed together.
_MOST = 8192
_END = ord("\n")
#: Bytes of a mark.
_MARK = 8
#: A whole number that is -0.0 and that orjson reads as 0.
_MINUS_ZERO = re.compile(rb"-0\s*[,\]}]")
#: A key that starts with $, as in the objects of int64, bytes and special numbers. orjson takes them for plain objects.
_SPECIAL = re.compile(rb'"(?:\$|\\u0024)[^"]*"\s*:')


def _pairs() -> np.ndarray[Any, Any]:
    """The ten bits of each pair of an id's digits, as a little-endian number; above 1023 for an invalid pair."""
    values = np.full(1 << 16, 1024, np.uint16)
    for number in range(1024):
        values[ord(ALPHABET[number >> 5]) | ord(ALPHABET[number & 31]) << 8] = number
    return values


_PAIRS = _pairs()


#: How msgspec reads a field of each type.
_TYPES: dict[pa.DataType | None, Any] = {pa.string(): str, pa.float64(): float, pa.bool_(): bool, None: msgspec.Raw}


@dataclass(frozen=True, slots=True)
class FieldValues:
    """A field of some documents. ``values``: the present values that are not null, an Arrow column or a list.

    ``state``: for each document 0 for a value, 1 for null, 2 for absent; None if all are values.
    """

    values: Any
    state: np.ndarray[Any, Any] | None


@dataclass(frozen=True, slots=True)
class DocumentColumns:
    """Some documents: their ids (text), creation times (milliseconds), expected fields, and the number of
    other fields.
    """

    ids: pa.Array
    created: np.ndarray[Any, Any]
    fields: list[FieldValues]
    others: np.ndarray[Any, Any]


def pieces_of(block: bytes) -> Iterator[tuple[bytes, int]]:
    """The documents of a block (one a line) in pieces without a final newline, each with its number of documents."""
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
    # The block has blank lines or blanks around a document, for example, so it goes line by line.
    yield from ((line, 1) for line in map(bytes.strip, block.split(b"\n")) if line)


def halves(block: bytes) -> Iterator[tuple[bytes, int]]:
    """Two blocks of a block of several lines."""
    lines = block.split(b"\n")
    middle = len(lines) // 2
    for some in (lines[:middle], lines[middle:]):
        yield b"\n".join(some), len(some)


def _one_a_line(block: bytes, ends: np.ndarray[Any, Any]) -> bool:
    """Whether each line is one document for every parser: no value contains a newline between two braces."""
    data = np.frombuffer(block, np.uint8)
    braced = block.startswith(b"{") and bool((data[ends - 1] == ord("}")).all())
    return braced and bool((data[ends[:-1] + 1] == ord("{")).all())


def document_columns(
    block: bytes,
    count: int,
    types: Mapping[str, pa.DataType | None],
    special: Mapping[str, Special],
    *,
    verbatim: bool,
    uniform: bool,
) -> DocumentColumns:
    """The columns of ``count`` documents (a piece of :func:`cut`).

    ``types``: the expected fields. The type is text, float64 or bool if all values have it, and None for arbitrary
    JSON; such a column has the values, or with ``verbatim`` their text (an Arrow column of bytes). ``special``: the
    fields of int64 or bytes, whose type is text: see :mod:`supavex.migrate.proof.digests.special_values`. ``uniform``:
    bare integers are int64. Raises :class:`NotComparable`, or the errors of orjson and Arrow.
    """
    mark = secrets.token_hex(_MARK).encode()
    if special:
        block = marked(block, special, mark, uniform=uniform)
    if uniform and BARE_INTEGER.search(block):
        raise NotComparable
    found = _by_fields(block, count, types, verbatim=verbatim)
    if found is None:
        if verbatim and None in types.values():
            raise NotComparable
        array = b"[" + block.replace(b"}\n{", b"},{") + b"]"
        found = _by_orjson(_loaded(array, count), types)
    if not special:
        return found
    fields = [
        FieldValues(unmarked(values.values, mark), values.state) if name in special else values
        for name, values in zip(types, found.fields, strict=True)
    ]
    return DocumentColumns(found.ids, found.created, fields, found.others)


def odd_lines(
    lines: list[bytes], types: Mapping[str, pa.DataType | None], special: Mapping[str, Special], *, uniform: bool
) -> list[int]:
    """The documents that have another field than the expected ones, a null, or a value of another type."""
    decode = _decoder(tuple(types.items())).decode
    values = [f"f{number}" for number, type_ in enumerate(types.values()) if type_ is None]
    mark = secrets.token_hex(_MARK).encode()
    found = []
    for number, line in enumerate(lines):
        try:
            document = decode(marked(line, special, mark, uniform=uniform) if special else line)
            texts = [bytes(raw) for name in values if (raw := getattr(document, name)) is not None]
        except msgspec.DecodeError:
            found.append(number)
            continue
        if b"null" in texts or _special(b",".join(texts)):
            found.append(number)
    return found


def _special(block: bytes) -> bool:
    # Searching for one byte takes a fiftieth of the time of searching for two, and most blocks contain neither.
    seems = b"$" in block or (b"\\" in block and b"\\u0024" in block)
    return seems and _SPECIAL.search(block) is not None


def _loaded(array: bytes, count: int) -> list[Any]:
    """The values of a JSON array, which must have ``count`` elements."""
    if (b"-0" in array and _MINUS_ZERO.search(array)) or _special(array):
        raise NotComparable
    values: list[Any] = orjson.loads(array)
    if len(values) != count:
        raise NotComparable
    return values


@cache
def _decoder(types: tuple[tuple[str, pa.DataType | None], ...]) -> msgspec.json.Decoder[Any]:
    """A decoder of documents with the expected fields only. An absent field is None, and null is not None."""
    fields: list[tuple[str, Any, Any]] = [
        ("id", str, msgspec.field(name="_id")),
        ("created", float, msgspec.field(name="_creationTime")),
    ]
    for number, (name, type_) in enumerate(types):
        fields.append((f"f{number}", _TYPES[type_], msgspec.field(default=None, name=name)))
    return msgspec.json.Decoder(msgspec.defstruct("Document", fields, forbid_unknown_fields=True, gc=False))


def _by_fields(
    block: bytes, count: int, types: Mapping[str, pa.DataType | None], *, verbatim: bool
) -> DocumentColumns | None:
    """The columns of documents without nulls and without other fields; None if a document has either."""
    try:
        documents = _decoder(tuple(types.items())).decode_lines(block)
    except msgspec.DecodeError:
        return None
    if len(documents) != count:
        raise NotComparable
    ids, created, *columns = zip(*map(msgspec.structs.astuple, documents), strict=True)
    fields = []
    for type_, column in zip(types.values(), columns, strict=True):
        if type_ is None:
            texts = [bytes(raw) for raw in column if raw is not None]
            if b"null" in texts:
                return None
            values: Any = _compared_as_text(texts) if verbatim else _loaded(b"[" + b",".join(texts) + b"]", len(texts))
            absent = None if len(texts) == count else np.array([raw is None for raw in column])
        else:
            found = pa.array(column, type_)
            absent = pc.is_null(found).to_numpy(zero_copy_only=False) if found.null_count else None
            values = found.drop_null()
        fields.append(FieldValues(values, None if absent is None else absent * np.uint8(2)))
    others = np.zeros(count, np.int64)
    return DocumentColumns(pa.array(ids, pa.string()), finite(pa.array(created, pa.float64())), fields, others)


def _compared_as_text(texts: list[bytes]) -> pa.Array:
    if _special(b",".join(texts)):
        raise NotComparable
    return pa.array(texts, pa.binary())


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


def _field(values: list[Any]) -> FieldValues:
    kinds = set(map(type, values))
    if object not in kinds and type(None) not in kinds:
        return FieldValues(values, None)
    state = np.array([2 if value is ABSENT else 1 if value is None else 0 for value in values], np.uint8)
    return FieldValues([value for value, gap in zip(values, state, strict=True) if not gap], state)


_KINDS: dict[pa.DataType, set[type]] = {pa.string(): {str}, pa.float64(): {float, int}, pa.bool_(): {bool}}


def _typed(values: list[Any], type_: pa.DataType) -> pa.Array:
    """Parsed values as an Arrow column. Raises :class:`NotComparable` if a value has another type."""
    if not set(map(type, values)) <= _KINDS[type_]:
        raise NotComparable
    return pa.array(np.array(values, np.float64) if type_ == pa.float64() else values, type_)


def finite(column: pa.Array) -> np.ndarray[Any, Any]:
    """The doubles of a column. Raises :class:`NotComparable` if one is not finite: Arrow reads NaN, but
    JSON has none.
    """
    numbers = np.asarray(column.to_numpy(zero_copy_only=False))
    if not np.isfinite(numbers).all():
        raise NotComparable
    return numbers


def decode_ids(column: pa.Array, number: int) -> np.ndarray[Any, Any]:
    """The 16 bytes of ids of table ``number``. Raises :class:`NotComparable` for another id or spelling.

    It does what :func:`supavex.convex.ids.decode_id` does, by arithmetic on columns.
    """
    prefix = np.frombuffer(varint(number), np.uint8)
    head = len(prefix)
    size = head + INTERNAL_ID_BYTES + 2
    length = (size * 8 + 4) // 5
    text, count = matrix(column, length), len(column)
    groups = -(-length // 8)
    if length % 8:
        text = np.hstack([text, np.full((count, groups * 8 - length), ord(ALPHABET[0]), np.uint8)])
    # Neighbouring digits of 5 bits are joined to words of 10, 20 and 40 bits. The first of each pair is in the lower
    # bits.
    tens = _PAIRS[text.view("<u2")]
    if (tens > 1023).any():
        raise NotComparable
    twenties = tens.view("<u4")
    twenties = (twenties & 1023) << 10 | twenties >> 16
    forties = twenties.view("<u8")
    forties = (forties & 0xFFFFF) << 20 | forties >> 32
    data = (forties << 24).astype(">u8").view(np.uint8).reshape(-1, groups, 8)[:, :, :5].reshape(count, groups * 5)
    # Fletcher's checksum, byte by byte over all rows. Sums are modulo 256, as bytes are.
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
        raise NotComparable
    return np.ascontiguousarray(data[:, head : head + INTERNAL_ID_BYTES])
