"""Convex's limits on JSON values, over a whole column: a scan finds suspicious rows, and Python checks
these exactly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex import limits
from supavex.convex.broken_rules import rules_problem
from supavex.convex.validators import Validator
from supavex.convex.values import Value, size, to_export_json
from supavex.mapping.conversions.json import MAY_ROUND, json_problem, numbers_as_doubles, rounds, value_problem_of
from supavex.migrate.copy.encoding import json_columns

#: A key that starts with $, or holds a backslash or a character outside printable ASCII. It also matches inside
#: strings, which only costs an exact check. PostgreSQL prints jsonb with a blank after commas, and none after braces.
_ODD_KEY = r'[{,]\s*"(?:\$|[^"\\]*\\|[^"\\]*[^ -~"\\][^"\\]*":)'
#: A number with so many digits that a double may not hold it. PostgreSQL prints jsonb's numbers without exponents, and
#: a vector's numbers are float4.
_LONG_NUMBER = r"[0-9]{300}"
#: A string so long that it may be a key beyond the limit (RE2 repeats at most 1000 times).
_LONG_STRING = r'"[^"]{1000}'
#: Below this many bytes of JSON, neither an array ("0,") nor an object ('"a":0,') can have too many members.
_MANY = min(limits.MAX_ARRAY_LENGTH * 2, limits.MAX_OBJECT_FIELDS * 6)
#: Below this many bytes of JSON, a document can't be too large: a one-digit number weighs 9 bytes and takes 2.
LARGE = limits.MAX_DOCUMENT_BYTES // 9


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the value in row ``index`` of a column is refused."""

    index: int
    code: str
    reason: str
    fix: str


def _suspicious(column: pa.Array) -> np.ndarray[Any, Any]:
    """The rows that may break a limit. Each search begins with the bytes of the whole column."""
    offsets, values = json_columns.buffers(column)
    found = np.zeros(len(column), np.bool_)
    if not len(values):
        return found
    longest = int(np.diff(offsets).max())
    # Python's searches need a copy, and are many times as fast as comparing each byte.
    content = values.tobytes()
    patterns = []
    if not content.isascii() or any(sign in content for sign in (b"\\", b"\x7f", b"$")):
        patterns.append(_ODD_KEY)
    if longest >= 300:
        patterns.append(_LONG_NUMBER)
    if longest > 1000:
        patterns.append(_LONG_STRING)
    for pattern in patterns:
        matches = pc.match_substring_regex(column, pattern)
        found |= pc.fill_null(matches, False).to_numpy(zero_copy_only=False)
    found |= np.diff(offsets) > _MANY
    found |= _deep(offsets, values, longest)
    return found


def _deep(offsets: np.ndarray[Any, Any], values: np.ndarray[Any, Any], longest: int) -> np.ndarray[Any, Any]:
    """The rows with as many opening brackets as the nesting limit. The exact check counts their depth."""
    levels = limits.MAX_DOCUMENT_NESTING
    none = np.zeros(len(offsets) - 1, np.bool_)
    if longest < 2 * levels:
        return none
    # { and [ differ in one bit.
    opening = json_columns.positions(values, lambda piece: (piece & np.uint8(0xDF)) == np.uint8(0x5B))
    if len(opening) < levels or (opening[levels - 1 :] - opening[: 1 - levels]).min() >= longest:
        return none
    deep: np.ndarray[Any, Any] = np.diff(np.searchsorted(opening, offsets)) >= levels
    return deep


def problems(column: pa.Array) -> Iterator[Problem]:
    """The rows of a column of JSON texts that Convex refuses. The texts are as PostgreSQL writes jsonb and vectors."""
    for index in np.flatnonzero(_suspicious(column)):
        problem = json_problem(column[int(index)].as_py())
        if problem:
            yield Problem(int(index), *problem)


#: A word with the value 1 in each byte, for comparing eight bytes at once.
_BYTES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x80) * _BYTES
#: The number of words that are compared at once. Their temporary arrays stay in the processor's cache.
_CACHED_WORDS = 1 << 13
#: Of two words, the last n bytes of the first, and the first 8 - n of the second.
_AROUND = [
    (_HIGH & np.uint64(2**64 - (1 << 64 - 8 * count)), _HIGH & np.uint64((1 << 64 - 8 * count) - 1))
    for count in range(9)
]


def rounded_rows(column: pa.Array, *, exponents: bool) -> np.ndarray[Any, Any]:
    """The rows of a column of JSON texts with a number that JSON.parse rounds. ``exponents``: numbers may have
    exponents.

    PostgreSQL prints jsonb's numbers without exponents.
    """
    rows = np.arange(len(column)) if exponents else _with_digits(column)
    if not len(rows):
        return rows
    some = column.take(pa.array(rows))
    matches = pc.fill_null(pc.match_substring_regex(some, MAY_ROUND), False).to_numpy(zero_copy_only=False)
    found = [row for row in rows[matches].tolist() if rounds(column[row].as_py())]
    return np.array(found, np.intp)


def _with_digits(column: pa.Array) -> np.ndarray[Any, Any]:
    """The rows with sixteen digits or points in sequence, and a few others: a sequence may reach into the next row.

    Words of eight bytes are compared at once. Digits, points and the slash are the bytes from 0x2E to 0x39.
    """
    offsets, values = json_columns.buffers(column)
    words = np.frombuffer(values, np.uint64, len(values) // 8)
    other = np.empty(len(words), np.uint64)  # 0x80 for each other byte
    for start in range(0, len(words), _CACHED_WORDS):
        piece = words[start : start + _CACHED_WORDS]
        above = (piece + np.uint64(0x46) * _BYTES) | piece
        other[start : start + _CACHED_WORDS] = (~(piece + np.uint64(0x52) * _BYTES) | above) & _HIGH
    # A sequence of sixteen bytes contains a whole aligned word, and eight more bytes before and after that word.
    places = np.flatnonzero(other == 0)
    before, behind = other[np.maximum(places - 1, 0)], other[np.minimum(places + 1, max(len(words) - 1, 0))]
    before[places == 0] = _HIGH
    behind[places == len(words) - 1] = 0  # the bytes after the last word may be digits
    long = np.zeros(len(places), np.bool_)
    for last, first in _AROUND:
        long |= ((before & last) | (behind & first)) == 0
    rows: np.ndarray[Any, Any] = np.unique(np.searchsorted(offsets, places[long] * 8, "right") - 1)
    return rows


def checked_rows(
    column: pa.Array, validator: Validator, load: Callable[[str], Value], *, special: bool = False
) -> tuple[pa.Array, list[Problem]]:
    """JSON texts rewritten in Convex's form, each checked against ``validator``. It makes a Python object for each row.

    ``load`` makes the value from the text. ``special``: the value may contain infinity.
    """
    texts: list[str | None] = []
    found: list[Problem] = []
    for index, text in enumerate(column.to_pylist()):
        if text is None:
            texts.append(None)
            continue
        value, problem = _loaded(text, load, special)
        if problem is None:
            mismatch = validator.check(value, lambda number: None)
            broken = None if mismatch else rules_problem(validator, value)
            if broken:
                problem = ("ValueNotAllowed", broken, "Correct the row, or the rule in schema.py.")
            if mismatch:
                fix = "Correct the row, the field's type, or give the column an sql expression."
                problem = ("DoesNotFitValidator", str(mismatch), fix)
        if problem is None:
            texts.append(to_export_json(value))
        else:
            texts.append("null")
            found.append(Problem(index, *problem))
    return pa.array(texts, pa.string()), found


def _loaded(text: str, load: Callable[[str], Value], special: bool) -> tuple[Value, tuple[str, str, str] | None]:
    """The value that ``load`` makes of a text, and what Convex refuses in it."""
    if load is numbers_as_doubles:
        problem = json_problem(text)
        return (None, problem) if problem else (load(text), None)
    try:
        value = load(text)
        return value, value_problem_of(value, special=special)
    except RecursionError:
        return None, json_problem(text)


def document_problem(line: str, *, uniform: bool) -> str | None:
    """Why a whole document, as a line of the archive, is too large; None if it is not."""
    value = json.loads(line) if uniform else numbers_as_doubles(line)
    weight = size(value)
    if weight > limits.MAX_DOCUMENT_BYTES:
        return f"the document weighs {weight:,} bytes; Convex allows {limits.MAX_DOCUMENT_BYTES:,}"
    return None
