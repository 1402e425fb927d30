"""Values as Convex writes them, in pieces that are coloured and linked: ``5n``, ``Bytes("…")``, ``{ "a": 1 }``.

The text is that of `convex data`, but for -0, which says that it is not 0.
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
    """A piece of a written value. ``kind`` names its colour; ``id`` is the document it refers to."""

    text: str
    kind: str = ""
    id: str = ""


def number_text(number: float) -> str:
    """A float64 as JavaScript prints it (ECMAScript, Number::toString), and -0 as ``-0``."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    # Python's repr has the same shortest digits; only the way they are set differs.
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
    """The table of the document that ``value`` is an id of; None for other values. ``names`` are tables by number."""
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
    """``value`` written in about ``most`` characters, with ``…`` where it is cut; on several ``lines`` or on one."""
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
        # A text of a megabyte is not quoted for its first line.
        quoted = json.dumps(value[: most + 1], ensure_ascii=False)
        yield Piece(value, "id", value) if is_id else Piece(quoted, "string")
    elif value is None or isinstance(value, bool):
        yield Piece(json.dumps(value), "constant")
    elif isinstance(value, int):
        yield Piece(f"{value}n", "number")
    elif isinstance(value, float):
        yield Piece(number_text(value), "number")
    elif isinstance(value, bytes):
        # Three bytes give four characters: what is cut here would be cut in any case.
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
    """A time in milliseconds since 1970 as a person reads it, in UTC; empty for what is none."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return ""
