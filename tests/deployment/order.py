"""Convex's order of values, written a second time: without order keys, from the rules in words.

Across types: undefined, null, int64, float64, boolean, string, bytes, array, object. Floats have IEEE's total order,
strings that of their UTF-8, arrays that of their elements, objects that of their (key, value) pairs by key.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from typing import Any

from supavex.convex.order_keys import UNDEFINED

_TYPES = [type(None), int, float, bool, str, bytes, list, dict]


def compare(left: Any, right: Any) -> int:
    """-1 where ``left`` comes first, 1 where ``right`` does, 0 where they are the same value."""
    ranks = _rank(left), _rank(right)
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if isinstance(left, list):
        return compare_all(left, right)
    if isinstance(left, dict):
        return compare_all(_flat(left), _flat(right))
    if isinstance(left, float):
        left, right = _total(left), _total(right)
    if isinstance(left, str):
        left, right = left.encode(), right.encode()
    if left is right or left == right:
        return 0
    return -1 if left < right else 1


def compare_all(left: Sequence[Any], right: Sequence[Any]) -> int:
    """The first difference between two sequences decides; a sequence that ends comes before one that goes on."""
    for one, other in zip(left, right, strict=False):
        found = compare(one, other)
        if found:
            return found
    return (len(left) > len(right)) - (len(left) < len(right))


def in_order(documents: Iterable[dict[str, Any]], fields: Sequence[str]) -> list[dict[str, Any]]:
    """``documents`` as an index on ``fields`` has them: by those, then by creation, then by id."""
    keys = [*fields, "_creationTime", "_id"]
    return sorted(
        documents,
        key=cmp_to_key(lambda one, other: compare_all([at(one, k) for k in keys], [at(other, k) for k in keys])),
    )


def at(document: dict[str, Any], path: str) -> Any:
    """The value at a dotted path, or UNDEFINED."""
    first, _, rest = path.partition(".")
    if not isinstance(document, dict) or first not in document:
        return UNDEFINED
    return at(document[first], rest) if rest else document[first]


def _rank(value: Any) -> int:
    return -1 if value is UNDEFINED else _TYPES.index(type(value))


def _flat(value: dict[str, Any]) -> list[Any]:
    return [part for key in sorted(value) for part in (key, value[key])]


def _total(number: float) -> int:
    """A whole number that lies where ``number`` lies in IEEE's total order: its magnitude, and its sign."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", number))
    magnitude = bits & (2**63 - 1)
    return magnitude if bits < 2**63 else -1 - magnitude
