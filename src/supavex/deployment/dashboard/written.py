"""Values in Convex's notation, in pieces with colors and links: ``5n``, ``Bytes("…")``, ``{ "a": 1 }``.

The text is that of `convex data`, except -0, which is shown as such.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from supavex.convex.ids import MAX_LENGTH, MIN_LENGTH, InvalidId, decode_id
from supavex.convex.values import Value


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a value's text. ``kind`` determines its color. ``id`` is the document to which it links."""

    text: str
    kind: str = ""
    id: str = ""


def number_text(number: float) -> str:
    """A float64 in JavaScript's notation (ECMAScript, Number::toString), and -0 as ``-0``."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    # Python's repr has the same shortest digits, in another notation.
    sign, digit_tuple, exponent = Decimal(repr(number)).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    assert isinstance(exponent, int)
    point = len(digits) + exponent
    if 0 < point <= 21:
        text = digits.ljust(point, "0") if point >= len(digits) else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        text = f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return "-" * sign + text


def id_table(value: Value, names: Mapping[int, str]) -> str | None:
    """The table of the document with the id ``value``; None for other values. ``names`` are tables by number."""
    if not isinstance(value, str) or not MIN_LENGTH <= len(value) <= MAX_LENGTH:
        return None
    try:
        number, _ = decode_id(value)
    except InvalidId:
        return None
    return names.get(number)


def shortened(text: str, most: int) -> str:
    """``text`` in at most ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def pieces(value: Value, names: Mapping[int, str], most: int, *, lines: bool) -> Iterator[Piece]:
    """``value`` in about ``most`` characters, with ``…`` at the end if it is cut; on several ``lines`` or on one."""
    left = most
    for piece in _pieces(value, names, most, 0 if lines else None):
        if len(piece.text) > left:
            yield Piece(piece.text[: max(left - 1, 0)] + "…", piece.kind)
            return
        yield piece
        left -= len(piece.text)


def _pieces(value: Value, names: Mapping[int, str], most: int, depth: int | None) -> Iterator[Piece]:
    if isinstance(value, str):
        is_id = id_table(value, names) is not None
        # Only the shown part of a text is quoted, which may have a megabyte.
        quoted = json.dumps(value[: most + 1], ensure_ascii=False)
        yield Piece(value, "id", value) if is_id else Piece(quoted, "string")
    elif value is None or isinstance(value, bool):
        yield Piece(json.dumps(value), "constant")
    elif isinstance(value, int):
        yield Piece(f"{value}n", "number")
    elif isinstance(value, float):
        yield Piece(number_text(value), "number")
    elif isinstance(value, bytes):
        # Three bytes give four characters, so this keeps enough for the cut.
        yield Piece(f'Bytes("{base64.b64encode(value[: most + 3]).decode()}")', "bytes")
    elif not value:
        yield Piece("[]" if isinstance(value, list) else "{}")
    else:
        yield from _container(value, names, most, depth)


def _container(value: Value, names: Mapping[int, str], most: int, depth: int | None) -> Iterator[Piece]:
    inner = None if depth is None else depth + 1
    before = " " if inner is None else "\n" + "  " * inner
    after = " " if depth is None else "\n" + "  " * depth
    is_list = isinstance(value, list)
    if is_list and inner is None:
        before = after = ""
    yield Piece("[" if is_list else "{")
    first = True
    for item in value if is_list else value.items():
        separator = before if first else "," + (before or " ")
        first = False
        yield Piece(separator)
        if not is_list:
            key, item = item
            yield Piece(json.dumps(key), "key", key if id_table(key, names) else "")
            yield Piece(": ")
        yield from _pieces(item, names, most, inner)
    yield Piece(after + ("]" if is_list else "}"))


def moment(milliseconds: object) -> str:
    """A time in milliseconds since 1970 for a person, in UTC; empty for other values."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return ""
