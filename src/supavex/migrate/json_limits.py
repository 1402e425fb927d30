"""Convex's limits on JSON values, over a whole column: a scan finds rows that might break one, Python makes sure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex import limits
from supavex.convex.validators import Validator
from supavex.convex.values import nesting, size, to_export_json, value_problem
from supavex.mapping.conversions.json import numbers_as_doubles

#: A key that starts with $, holds a backslash, or holds something outside printable ASCII; matches inside strings
#: too, which only costs a closer look. PostgreSQL writes jsonb with a blank after commas, and none after braces.
_ODD_KEY = r'[{,]\s*"(?:\$|[^"\\]*\\|[^"\\]*[^ -~"\\][^"\\]*":)'
#: A number with an exponent or so many digits that a double may not hold it.
_LONG_NUMBER = r"[0-9]{300}|[0-9][eE]"
#: A string so long that it may be a key beyond the limit (RE2 repeats at most 1000 times).
_LONG_STRING = r'"[^"]{1000}'
#: Bytes of JSON below which neither an array ("0,") nor an object ('"a":0,') can have too many members.
_MANY = min(limits.MAX_ARRAY_LENGTH * 2, limits.MAX_OBJECT_FIELDS * 6)
#: Bytes of JSON below which a document can't be too large: a one-digit number weighs 9 bytes and takes 2.
LARGE = limits.MAX_DOCUMENT_BYTES // 9


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps the value in row ``index`` of a column from going."""

    index: int
    code: str
    reason: str
    fix: str


def problems(column: pa.Array, mask: np.ndarray[Any, Any] | None = None) -> Iterator[Problem]:
    """The rows of a column of JSON texts that Convex refuses. ``mask`` limits it to rows that are True."""
    suspicious = pc.or_(pc.match_substring_regex(column, _ODD_KEY), pc.match_substring_regex(column, _LONG_NUMBER))
    suspicious = pc.or_(suspicious, pc.match_substring_regex(column, _LONG_STRING))
    suspicious = pc.or_(suspicious, pc.greater(pc.binary_length(column), _MANY))
    depth = pc.add(pc.count_substring(column, "{"), pc.count_substring(column, "["))
    suspicious = pc.or_(suspicious, pc.greater_equal(depth, limits.MAX_DOCUMENT_NESTING))
    found = pc.fill_null(suspicious, False).to_numpy(zero_copy_only=False)
    for index in np.flatnonzero(found if mask is None else found & mask):
        problem = text_problem(column[int(index)].as_py())
        if problem:
            yield Problem(int(index), *problem)


def text_problem(text: str) -> tuple[str, str, str] | None:
    """Code, reason and fix of the first thing in a JSON text that Convex refuses, or None."""
    value = numbers_as_doubles(text)
    if _infinite(value):
        return "InexactNumber", "a number inside is too large for a double", "Correct it at the source."
    problem = value_problem(value)
    if problem:
        return "InvalidValue", f"Convex refuses it: {problem}", "Give the column an sql expression that changes it."
    if nesting(value) + 1 > limits.MAX_DOCUMENT_NESTING:
        reason = f"it is nested deeper than {limits.MAX_DOCUMENT_NESTING - 1}"
        return "TooNestedError", reason, "Keep it as text: make the field v.string()."
    return None


def _infinite(value: Any) -> bool:
    if isinstance(value, float):
        return value in (float("inf"), float("-inf"))
    if isinstance(value, list):
        return any(map(_infinite, value))
    return isinstance(value, dict) and any(map(_infinite, value.values()))


def checked_rows(column: pa.Array, validator: Validator) -> tuple[pa.Array, list[Problem]]:
    """JSON texts written anew in Convex's form, each checked against ``validator``: a Python object per row."""
    texts: list[str | None] = []
    found: list[Problem] = []
    for index, text in enumerate(column.to_pylist()):
        if text is None:
            texts.append(None)
            continue
        value = numbers_as_doubles(text)
        problem = text_problem(text)
        if problem is None:
            mismatch = validator.check(value, lambda number: None)
            if mismatch:
                fix = "Correct the row, the field's type, or give the column an sql expression."
                problem = ("DoesNotFitValidator", str(mismatch), fix)
        if problem is None:
            texts.append(to_export_json(value))
        else:
            texts.append("null")
            found.append(Problem(index, *problem))
    return pa.array(texts, pa.string()), found


def document_problem(line: str, *, uniform: bool) -> str | None:
    """Why a whole document, as a line of the archive, is too large; None where it is not."""
    value = json.loads(line) if uniform else numbers_as_doubles(line)
    weight = size(value)
    if weight > limits.MAX_DOCUMENT_BYTES:
        return f"the document weighs {weight:,} bytes; Convex allows {limits.MAX_DOCUMENT_BYTES:,}"
    return None
