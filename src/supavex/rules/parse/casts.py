"""Constants of SQL types, and casts from one kind to another."""

from __future__ import annotations

import json
import re
import struct
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime

from supavex.rules import form
from supavex.rules.form import (
    Call,
    Claim,
    Coalesce,
    Constant,
    Count,
    Expression,
    Kind,
    Untranslatable,
    Variable,
)

_TRUE, _FALSE = ("t", "true", "y", "yes", "on", "1"), ("f", "false", "n", "no", "off", "0")
_UNITS = {
    "microsecond": 0.001, "millisecond": 1, "second": 1000, "sec": 1000, "minute": 60_000, "min": 60_000,
    "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000,
}  # fmt: skip
_MONTHS = {"month": 1, "mon": 1, "year": 12}
_INFINITE = ("infinity", "-infinity")
_PART = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+)|([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?")


def null(kind: Kind = form.UNKNOWN) -> Constant:
    """SQL's NULL."""
    return Constant(kind, True, None)


def constant(text: str, kind: Kind) -> Constant:
    """The value of ``kind`` that PostgreSQL reads from ``text``. Raises :class:`Untranslatable` for other texts."""
    try:
        value = _value(text, kind)
    except (ValueError, OverflowError):
        raise Untranslatable(f"the text {text!r} is not read as a value of {kind}") from None
    return Constant(kind, False, value)


def _value(text: str, kind: Kind) -> object:
    name, bare = kind.name, text.strip()
    if name == "boolean":
        if bare.lower() not in (*_TRUE, *_FALSE):
            raise ValueError(text)
        return bare.lower() in _TRUE
    if name in ("number", "int64"):
        number = float(bare)
        if kind == form.REAL:
            return rounded_to_real(number)
        whole = re.fullmatch(r"[+-]?\d+", bare) is not None
        if kind.table == "int":
            if not whole:
                raise ValueError(text)
            return in_range(int(bare), kind)
        return int(bare) if whole else number
    if name == "uuid":
        return str(uuid.UUID(bare))
    if name == "json":
        value = json.loads(text)
        if value is None:
            raise ValueError(text)  # JSON's null is no NULL.
        return value
    if name in ("date", "moment") and bare.lower() in _INFINITE:
        return bare.lower() if name == "date" else float(bare)
    if name == "date":
        return date.fromisoformat(bare).isoformat()
    if name == "moment":
        moment = datetime.fromisoformat(re.sub(r"([+-]\d\d)$", r"\1:00", bare))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.timestamp() * 1000
    if name == "interval":
        return interval(bare)
    if name == "array":
        return array(bare, kind.element or form.TEXT)
    if name in ("text", "unknown", "time"):
        return text
    raise ValueError(text)


def in_range(number: int, kind: Kind) -> int:
    """Returns ``number``. Raises OverflowError if it is out of the range of the type in PostgreSQL."""
    if kind.bits and not -(2 ** (kind.bits - 1)) <= number < 2 ** (kind.bits - 1):
        raise OverflowError(number)
    return number


def rounded_to_real(number: float) -> float:
    """The nearest number that PostgreSQL's type ``real`` (float4) holds. Raises OverflowError."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


def interval(text: str) -> tuple[int, float]:
    """The months and the milliseconds of an interval. Raises ValueError for a text that is not in PostgreSQL's
    notation.
    """
    months, milliseconds, end = 0, 0.0, 0
    for found in _PART.finditer(text.lower()):
        if text[end : found.start()].strip():
            raise ValueError(text)
        end = found.end()
        if found[2]:
            unit = found[2].removesuffix("s") if found[2] != "s" else "second"
            if unit in _MONTHS:
                months += int(found[1]) * _MONTHS[unit]
            elif unit in _UNITS:
                milliseconds += float(found[1]) * _UNITS[unit]
            else:
                raise ValueError(text)
        else:
            sign = -1 if found[3] == "-" else 1
            clock = int(found[4]) * 3_600_000 + int(found[5]) * 60_000 + float(found[6] or 0) * 1000
            milliseconds += sign * clock
    if not end or text[end:].strip():
        raise ValueError(text)
    return months, milliseconds


def array(text: str, element: Kind) -> list[object]:
    """The elements in the text of an array. Raises ValueError for several dimensions, and for a NULL element."""
    if not (text.startswith("{") and text.endswith("}")) or "{" in text[1:]:
        raise ValueError(text)
    found = []
    for quoted, plain in re.findall(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,"]+))\s*(?:,|$)', text[1:-1]):
        if plain.strip().upper() == "NULL":
            raise ValueError(text)
        found.append(_value(re.sub(r"\\(.)", r"\1", quoted) if not plain else plain.strip(), element))
    return found


def cast(given: Expression, kind: Kind) -> Expression:
    """``given::kind``. Raises :class:`Untranslatable` if TypeScript has no counterpart."""
    own = given.kind
    if isinstance(given, Constant):
        if given.value is None:
            return null(kind)
        if isinstance(given.value, str) and own.name in ("unknown", "text"):
            return constant(given.value, kind)
    if own.name == kind.name == "number":
        return _number(given, kind)
    if own.name == kind.name and own.name != "array":
        return given
    if own.name == "array" and kind.name == "array":
        assert own.element is not None
        assert kind.element is not None
        if own.element.name in (kind.element.name, "unknown", "uuid", "text", "id", "clerk"):
            return given
    if (own.name == "clerk" and kind.name == "uuid") or (own.name == "id" and own.key == kind.name):
        return given
    if kind.name == "text":
        return _text(given)
    if isinstance(given, Claim) and own == form.JSON_TEXT and kind.name == "json":
        return replace(given, kind=form.JSON)
    if isinstance(given, Coalesce) and own == form.JSON_TEXT and kind.name == "json":
        return replace(given, kind=kind, parts=tuple(cast(part, kind) for part in given.parts))
    name = _CASTS.get((own.name, kind.name))
    if name is None:
        raise Untranslatable(f"a cast of {own} to {kind} is not translated")
    return Call(kind, given.nullable or own.name == "json", name, (given,))


def _number(given: Expression, kind: Kind) -> Expression:
    """A number as another type. TypeScript throws if the number is out of the type's range."""
    own = given.kind
    if kind.table == "int" and own.table != "int":
        raise Untranslatable(
            "a cast of a number with decimals to integer is not translated: real and numeric round halves differently"
        )
    if kind.table == "int" and isinstance(given, Constant) and isinstance(given.value, int):
        return constant(str(given.value), kind)
    if kind.table == "int" and own.bits > kind.bits and not isinstance(given, Count):
        size = Constant(form.WHOLE_NUMBER, False, kind.bits)
        return Call(kind, given.nullable, "wholeOf", (given, size))
    return replace(given, kind=kind)


#: The functions of the runtime for casts.
_CASTS = {
    ("text", "uuid"): "uuidFromText",
    ("text", "number"): "numberFromText",
    ("text", "boolean"): "booleanFromText",
    ("json", "number"): "numberFromJson",
    ("json", "boolean"): "booleanFromJson",
    ("moment", "date"): "dateOf",
    ("date", "moment"): "momentOf",
    ("int64", "number"): "numberOf",
    ("number", "int64"): "int64Of",
    ("boolean", "number"): "numberOf",
}


def _text(given: Expression) -> Expression:
    name = given.kind.name
    if name == "uuid":
        return replace(given, kind=form.UUID_TEXT)
    if name in ("date", "time", "unknown"):
        return replace(given, kind=form.TEXT)
    if name == "clerk":
        return given
    if name == "id" and given.kind.key == "uuid":
        return Call(form.UUID_TEXT, given.nullable, "uuidOf", (given,))
    if name == "id" and given.kind.key == "number":
        return Call(form.TEXT, given.nullable, "numberTextOf", (given,))
    if given.kind.table == "int" or name == "int64":
        return Call(form.TEXT, given.nullable, "textOfNumber", (given,))
    if name == "boolean":
        return Call(form.TEXT, given.nullable, "textOfBoolean", (given,))
    if name == "json":
        return Call(form.TEXT, given.nullable, "textOfJson", (given,))
    raise Untranslatable(f"a cast of {given.kind} to text is not translated: its text in JavaScript differs")


def returned(value: Expression, declared: Kind, *, returns_set: bool = False) -> Expression:
    """A function's result, as a value of its declared type."""
    if returns_set:
        element = value.kind.element
        if element is not None and element.name == declared.name == "number":
            cast(Variable(element, True, ""), declared)
            if element.table == "int" and element.bits > declared.bits:
                raise Untranslatable("it returns rows of a larger type of integer than it declares")
        return value
    if isinstance(value, form.Constant) and value.value is None:
        return null(declared)
    if value.kind.name == declared.name == "number":
        return cast(value, declared)
    if value.kind.stands_for(declared) or (declared.name == "uuid" and value.kind.name == "clerk"):
        return value
    return cast(value, declared)
