"""The words of a text and their weights, by the rules of Convex's text indexes.

Source: ``search/src/constants.rs`` of convex-backend, and Tantivy, whose tokenizer, field norms and BM25 Convex uses.
Words are runs of letters and digits of any script, in lower case. A run of 32 bytes or more is ignored.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import cache
from typing import Any

from supavex.convex.order_keys import order_key
from supavex.convex.values import Value

#: The most words of a query, and the most words to search for, because the last word may begin several.
MAX_QUERY_WORDS, MAX_WORDS = 16, 64
#: The most documents that a query finds.
MAX_FOUND = 1024
MAX_FILTERS = 8
_MAX_WORD_BYTES = 32
_K1, _B = 1.2, 0.75
#: A filter's value is stored as its order key, or as the key's SHA-256 if it is longer.
_MAX_FILTER_BYTES = 32


@cache
def _words() -> Any:
    # Python's isalnum() excludes the vowel signs of many scripts, which are letters to Unicode and to Rust.
    import regex  # type: ignore[import-untyped]

    return regex.compile(r"[\p{Alphabetic}\p{N}]+")


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    found = [word for word in _words().findall(text) if len(word.encode()) < _MAX_WORD_BYTES]
    # Letter by letter, because Python lowers a sigma by the letters around it.
    return [word.lower() if word.isascii() else "".join(map(str.lower, word)) for word in found]


def filter_key(value: Value) -> bytes:
    """The stored bytes of a filter field's value (or ``UNDEFINED``)."""
    import hashlib

    key = order_key(value)
    return key if len(key) < _MAX_FILTER_BYTES else hashlib.sha256(key).digest()


def _norms() -> list[int]:
    """The lengths to which a document's length is rounded down: exact to 40, then eight steps for each doubling."""
    found, step = list(range(40)), 2
    while len(found) < 256:
        start = found[-1] + step // 2
        found += range(start, start + 8 * step, step)
        step *= 2
    return found


NORMS = _norms()


def norm(length: int) -> int:
    """A length in words as scores use it."""
    return NORMS[bisect_right(NORMS, length) - 1]


def weight(documents: int, having: int, boost: float) -> float:
    """The weight of a word that ``having`` of ``documents`` have."""
    return math.log(1 + (documents - having + 0.5) / (having + 0.5)) * (1 + _K1) * boost


def dampers(documents: int, length: int) -> tuple[float, float]:
    """The constants ``a`` and ``b`` of a score: ``weight * n / (n + a + b * norm)`` for a word that occurs n times.

    ``length``: the words of all documents together.
    """
    average = length / max(1, documents) or 1.0
    return _K1 * (1 - _B), _K1 * _B / average
