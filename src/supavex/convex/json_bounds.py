"""Bounds on JSON texts, checked before a text is parsed. Parsing a small text can take a hundred times its memory.

A text is scanned block by block with methods of ``str`` and ``bytes``, which are loops in C. 16 MiB take a tenth of a
second, and other threads run between the blocks. The bounds are above Convex's own limits, with one exception: see
:data:`MAX_VALUES`.
"""

from __future__ import annotations

import json
import math
from itertools import accumulate
from typing import Any, NoReturn

from supavex.convex.limits import MAX_VALUE_NESTING

#: Values in the arguments or the result of a function: as many numbers as weigh 16 MiB by Convex's measure. Nulls,
#: booleans, empty texts, arrays and objects weigh less, so Convex takes more of these.
MAX_VALUES = (16 << 20) // 9
#: Values in one document: each weighs at least a byte, and a document at most 1 MiB.
MAX_DOCUMENT_VALUES = 1 << 20
#: Levels of arrays and objects: twice Convex's limit, so that a text that is only slightly too deep gets Convex's
#: message.
MAX_DEPTH = 2 * MAX_VALUE_NESTING
#: Bytes scanned at once.
_BLOCK = 1 << 18
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEPS)


class JsonTooLarge(ValueError):
    """A JSON text with too many values or levels."""


def check_bounds(text: str | bytes, values: int = MAX_VALUES, depth: int = MAX_DEPTH, block: int = _BLOCK) -> None:
    """Raises :class:`JsonTooLarge` for a text with more than ``values`` values or ``depth`` levels.

    A text that is not JSON may pass. A text that passes stays within both bounds for every parser. ``block``: bytes
    scanned at once.
    """
    # Most texts are too short for that many values, and have few brackets.
    if len(text) <= 2 * values and _count(text, "[{") <= depth:
        return
    if isinstance(text, str):
        text = text.encode(errors="replace")
    if _count(text, ",[{") <= values and _count(text, "[{") <= depth:
        return
    found = level = at = 0
    inside = False
    while at < len(text):
        end = _block_end(text, at, block)
        pieces = text[at:end].replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        # Every second piece lies between two quotes: it is text, not structure.
        structure = b"".join(pieces[inside::2])
        inside ^= len(pieces) % 2 == 0
        found += _count(structure, ",[{")
        if found > values:
            raise JsonTooLarge(f"more than {values:,} values")
        brackets = structure.translate(None, _NO_BRACKETS)
        if brackets:
            levels = accumulate(map(_STEPS.__getitem__, brackets), initial=level)
            deepest, level = _deepest(levels)
            if deepest > depth:
                raise JsonTooLarge(f"more than {depth} levels")
        at = end


def parse_bounded(text: str | bytes, values: int = MAX_VALUES, **more: Any) -> Any:
    """The data of a JSON text within the bounds; ``more`` goes to :func:`json.loads`. Raises :class:`ValueError`."""
    check_bounds(text, values)
    return json.loads(text, **more)


def parse_strict(text: str | bytes) -> Any:
    """The data of a JSON text within the bounds. Raises :class:`ValueError`, also for NaN and for numbers beyond
    float64.
    """
    check_bounds(text)
    return _STRICT.decode(text if isinstance(text, str) else text.decode())


def _finite(text: str) -> float:
    """``parse_float`` of a strict parser. Raises :class:`ValueError` for a number beyond float64."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond float64")
    return number


def _no_constant(name: str) -> NoReturn:
    """``parse_constant`` of a strict parser. Raises :class:`ValueError` for NaN and the infinities."""
    raise ValueError(f"{name} is not JSON")


#: Made once: making a decoder takes longer than parsing a small text.
_STRICT = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def _count(text: str | bytes, characters: str) -> int:
    if isinstance(text, str):
        return sum(map(text.count, characters))
    return sum(map(text.count, characters.encode()))


def _block_end(text: bytes, at: int, block: int) -> int:
    """The end of the block that begins at ``at``. A block never ends inside an escape."""
    end = min(at + block, len(text))
    first = end
    while first > at and text[first - 1 : first] == b"\\":
        first -= 1
    # After an odd number of backslashes, the last one begins an escape whose second character comes next.
    return min(end + (end - first) % 2, len(text))


def _deepest(levels: accumulate[int]) -> tuple[int, int]:
    """The highest level that a block reaches, and the level at its end."""
    every = list(levels)
    return max(every), every[-1]
