"""Convex values in Python, their sizes, and their JSON.

    Convex    null  int64  float64  boolean  string  bytes  array  object
    Python    None  int    float    bool     str     bytes  list   dict

Two JSON encodings: *internal* (between official programs) marks int64, bytes and special floats with ``$`` objects
and reads every number as float64; *export* (snapshot archives) writes int64 as a bare integer and floats with a dot
or an exponent. Source: ``value/src/json``, ``export.rs``, ``size.rs`` of convex-backend, ``values/value.ts`` of the
npm package.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from supavex.convex.json_bounds import MAX_DOCUMENT_VALUES, JsonTooLarge, parse_bounded
from supavex.convex.limits import (
    INT64_MAX,
    INT64_MIN,
    MAX_ARRAY_LENGTH,
    MAX_DOCUMENT_NESTING,
    MAX_KEY_BYTES,
    MAX_OBJECT_FIELDS,
    MAX_VALUE_NESTING,
)
from supavex.convex.names import key_problem
from supavex.errors import SupavexError

#: A Convex value. It is Any, because mypy can't follow the invariance of lists and dicts in a recursive type.
Value: TypeAlias = Any
Document: TypeAlias = dict[str, Any]


class InvalidValue(SupavexError):
    """A value that Convex can't hold, or JSON that is not a Convex value."""

    def __init__(self, message: str, code: str = "InvalidValue") -> None:
        super().__init__(code, message)


def size(value: Value) -> int:
    """The size of a value in bytes by Convex's measure, which is not the length of its JSON."""
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | float):
        return 9
    if isinstance(value, str):
        return 2 + len(value.encode())
    if isinstance(value, bytes):
        return 2 + len(value)
    if isinstance(value, list):
        return 2 + sum(map(size, value))
    return 2 + sum(len(key) + 1 + size(item) for key, item in value.items())


def nesting(value: Value) -> int:
    """The depth of containers: 0 for a scalar, else one more than the deepest element."""
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    return 0


def value_problem(value: Value) -> str | None:
    """The first violation of Convex's limits in ``value`` at any level (keys, lengths, range of int64), or None."""
    if isinstance(value, bool) or value is None or isinstance(value, float | bytes):
        return None
    if isinstance(value, int):
        return None if INT64_MIN <= value <= INT64_MAX else f"{value} is outside int64"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "a string holds an unpaired surrogate"
        return None
    if isinstance(value, list):
        if len(value) > MAX_ARRAY_LENGTH:
            return f"an array has {len(value)} elements; Convex allows {MAX_ARRAY_LENGTH}"
        return next((p for p in map(value_problem, value) if p), None)
    if isinstance(value, dict):
        if len(value) > MAX_OBJECT_FIELDS:
            return f"an object has {len(value)} fields; Convex allows {MAX_OBJECT_FIELDS}"
        for key, item in value.items():
            problem = key_problem(key)
            if problem:
                return f"key {key[:60] + '…' if len(key) > 60 else key!r}: {problem}"
            problem = value_problem(item)
            if problem:
                return problem
        return None
    return f"{type(value).__name__} is not a Convex value"


def _special(number: float) -> bool:
    return not math.isfinite(number) or (number == 0 and math.copysign(1, number) < 0)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def to_internal_json(value: Value) -> Any:
    """``value`` in the internal encoding, for :func:`json.dumps`."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"$integer": _b64(struct.pack("<q", value))}
    if isinstance(value, float):
        return {"$float": _b64(struct.pack("<d", value))} if _special(value) else value
    if isinstance(value, bytes):
        return {"$bytes": _b64(value)}
    if isinstance(value, list):
        return [to_internal_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_internal_json(item) for key, item in value.items()}
    raise InvalidValue(f"{type(value).__name__} is not a Convex value.")


def to_clean_json(value: Value) -> Any:
    """``value`` in the encoding that is easiest to read. Types are lost: int64, NaN, infinity and bytes
    become texts.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return _b64(value)
    if isinstance(value, list):
        return [to_clean_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_clean_json(item) for key, item in value.items()}
    return value


def from_internal_json(data: Any) -> Value:
    """The value that ``data`` (parsed internal JSON) stands for. Raises :class:`InvalidValue`."""
    return _Reader(bare_integers=False, special=True).value(data)


def parse_export_json(text: str | bytes, *, uniform: bool, values: int = MAX_DOCUMENT_VALUES) -> Value:
    """The value of one line of a snapshot's ``documents.jsonl``, with at most ``values`` values.

    ``uniform``: whether the table's ``generated_schema.jsonl`` says so. Only then is a bare integer an int64, and an
    object whose one key starts with ``$`` a special value.
    """
    try:
        data = parse_bounded(text, values, parse_int=None if uniform else float, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidValue(f"nested more than {MAX_VALUE_NESTING} deep.") from None
    except JsonTooLarge as error:
        raise InvalidValue(f"no document has {error}.") from None
    except ValueError as error:
        raise InvalidValue(f"not JSON: {error}") from None
    return _Reader(bare_integers=uniform, special=uniform).value(data)


#: Matches lines that may have a key other than printable ASCII. Only lines with an odd character are tested.
_ODD_KEY = re.compile(rb'[{,]\s*"[^"\\]*(?:[^ -~"\\]|\\.)(?:[^"\\]|\\.)*"\s*:', re.DOTALL)
_LONG_KEY = re.compile(rb'"[^"\\]{%d,}"\s*:' % (MAX_KEY_BYTES + 1))
#: Matches numbers that may not fit a double. It also matches inside strings, which costs only a full parse.
_HUGE = re.compile(rb"[:\[,]\s*-?[0-9](?:[0-9]{199}|[0-9.]*[eE][+-]?[0-9]{3})")
BARE_INTEGER = re.compile(rb"[:\[,]\s*-?[0-9]+\s*[,\]}]")
#: In JSON of at most this many bytes, no array or object can have too many members.
_SMALL = MAX_OBJECT_FIELDS * 5


def plain_document(line: bytes, *, uniform: bool) -> tuple[Document, str] | None:
    """The document of a line and the line's text, if the line plainly keeps Convex's limits on values; else None.

    The text is then internal JSON, too. Most documents plainly keep the limits; for the others the caller parses the
    line in full.
    """
    if len(line) > _SMALL or line.count(b"{") + line.count(b"[") > MAX_DOCUMENT_NESTING or b'"$' in line:
        return None
    if (b"\\" in line or b"\x7f" in line or not line.isascii()) and _ODD_KEY.search(line):
        return None
    if len(line) > MAX_KEY_BYTES and _LONG_KEY.search(line):
        return None
    whole = BARE_INTEGER.search(line) is not None
    if whole and uniform:
        return None
    try:
        document = (_doubles if whole else _strict_loads())(line)
        text = line.decode().strip()
    except (ValueError, InvalidValue):
        return None
    if not isinstance(document, dict) or "_id" not in document or "_creationTime" not in document:
        return None
    for key in document:
        if key[:1] == "_" and key not in _SYSTEM_FIELDS:
            return None
    return document, text


#: Up to this many characters, values are not counted: each takes about 60 bytes, and two characters give at most one
#: value.
_SHORT = 1 << 20


def plain_value(text: str) -> tuple[Value] | None:
    """The value of internal JSON that plainly keeps Convex's limits on values, in a tuple; else None.

    None means that the caller has to parse the text in full. That is the case for special values, escapes of code
    units, texts that are not JSON, and long texts, whose values are counted before they are parsed.
    """
    if len(text) > _SHORT or '"$' in text or "\\u" in text:
        return None
    try:
        data = _PLAIN.decode(text)
    except (ValueError, InvalidValue, RecursionError):
        return None
    # If the whole text is printable ASCII, so are its keys.
    odd = "\\" in text or "\x7f" in text or not text.isascii()
    return (data,) if _has_room(data, MAX_VALUE_NESTING, odd=odd) else None


def _has_room(data: Any, levels: int, *, odd: bool) -> bool:
    """Whether ``data`` keeps the limits on members, keys and depth (``levels``).

    Keys are tested only if ``odd``. Keys that start with ``$`` are not looked for.
    """
    if type(data) is dict:
        if len(data) > MAX_OBJECT_FIELDS or max(map(len, data), default=0) > MAX_KEY_BYTES:
            return False
        if odd and any(map(key_problem, data)):
            return False
        data = data.values()
    elif type(data) is not list:
        return True
    elif len(data) > MAX_ARRAY_LENGTH:
        return False
    if not levels:
        return False
    for item in data:
        kind = type(item)
        if (kind is dict or kind is list) and not _has_room(item, levels - 1, odd=odd):
            return False
    return True


def _doubles(line: bytes) -> Any:
    """Parsed JSON with every number as a double. Raises :class:`ValueError` if one may not fit, and for escapes of code
    units.
    """
    if b"\\u" in line or _HUGE.search(line):
        raise InvalidValue("the line needs a full parse")
    return json.loads(line, parse_int=float, parse_constant=_no_constant)


@cache
def _strict_loads() -> Callable[[bytes], Any]:
    """A parser for JSON without whole numbers: orjson, which itself refuses infinity and unpaired surrogates."""
    try:
        import orjson
    except ImportError:
        return _doubles
    loads: Callable[[bytes], Any] = orjson.loads
    return loads


_SYSTEM_FIELDS = {"_id", "_creationTime"}


def _no_constant(name: str) -> float:
    raise InvalidValue(f"{name} is not JSON.")


def _double(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidValue("a number is too large for float64.")
    return number


#: Reads every number as a double. Made once: making a decoder takes as long as parsing a small text.
_PLAIN = json.JSONDecoder(parse_int=_double, parse_float=_double, parse_constant=_no_constant)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads parsed JSON. ``bare_integers``: a bare integer is int64. ``special``: ``$`` objects are special values."""

    bare_integers: bool
    special: bool

    def value(self, data: Any, depth: int = 0) -> Value:
        if data is None or isinstance(data, bool | str):
            return data
        if isinstance(data, float | int):
            return self._number(data)
        if depth >= MAX_VALUE_NESTING:
            raise InvalidValue(f"nested more than {MAX_VALUE_NESTING} deep.")
        if isinstance(data, list):
            return [self.value(item, depth + 1) for item in data]
        if len(data) == 1:
            ((key, payload),) = data.items()
            if key.startswith("$"):
                if not self.special:
                    raise InvalidValue(f"{key} has no meaning in a table without generated_schema.jsonl.")
                return _from_special(key, payload)
        return {key: self.value(item, depth + 1) for key, item in data.items()}

    def _number(self, data: float) -> Value:
        if isinstance(data, int) and self.bare_integers and INT64_MIN <= data <= INT64_MAX:
            return data
        try:
            number = float(data)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise InvalidValue("a number is too large for float64.")
        return number


def _from_special(key: str, payload: Any) -> Value:
    try:
        raw = base64.b64decode(payload, validate=True)
        if key == "$bytes":
            return raw
        if key == "$integer":
            return int(struct.unpack("<q", raw)[0])
        if key == "$float":
            number = float(struct.unpack("<d", raw)[0])
            if not _special(number):
                raise InvalidValue(f"$float holds the plain number {number!r}.")
            return number
    except (ValueError, TypeError, struct.error):
        raise InvalidValue(f"the value of {key} does not encode that type.") from None
    raise InvalidValue(f"{key} is not a kind of Convex value.")


def to_export_json(value: Value) -> str:
    """``value`` as one line of a snapshot's ``documents.jsonl``: keys sorted by byte, floats with a dot."""
    return json.dumps(_exportable(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def _exportable(value: Value) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": _b64(struct.pack("<d", value))}
    if isinstance(value, bytes):
        return {"$bytes": _b64(value)}
    if isinstance(value, list):
        return [_exportable(item) for item in value]
    if isinstance(value, dict):
        return {key: _exportable(item) for key, item in value.items()}
    return value


def same(left: Value, right: Value) -> bool:
    """Whether two values are the same Convex value: types differ, -0 is not 0, NaN equals NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    return bool(left == right)
