"""json, jsonb and pgvector's vectors.

Numbers inside JSON become doubles, as in every app that reads them with JSON.parse. JSON that Convex refuses (keys that
start with ``$`` or are not ASCII, nesting, sizes) is treated by the column's ``invalid_json``: the row is rejected,
keys are escaped, or the value is kept as text.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from supavex.convex import limits
from supavex.convex import validators as kinds
from supavex.convex.values import Value, nesting, value_problem
from supavex.mapping.conversions.conversion import Conversion, Misfit, Target, converts, misfit
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule

#: Decimal digits that every double keeps (DBL_DIG).
_EVERY_DOUBLE_KEEPS = 15
#: What an escaped key can't contain: the percent sign, a $ at the beginning, all but printable ASCII.
_ESCAPED = re.compile(r"%|^\$|[^\x20-\x7e]")


def numbers_as_doubles(text: str) -> Value:
    """Parsed JSON with every number as a double."""
    return json.loads(text, parse_int=float)


#: A pattern that every JSON text with a rounded number matches, in the syntax of both RE2 and Python.
MAY_ROUND = r"[0-9.]{16}|[eE][+-]?[0-9]{3}"


def rounds(text: str) -> bool:
    """Whether JSON.parse changes a number of a JSON text.

    A double keeps a number if it equals the number, or if its shortest text does.
    """
    found = False

    def number(digits: str) -> float:
        nonlocal found
        value = float(digits)
        if len(digits) > _EVERY_DOUBLE_KEEPS or "e" in digits or "E" in digits:
            exact = Decimal(digits)
            found |= not math.isfinite(value) or exact not in (Decimal(repr(value)), Decimal(value))
        return value

    try:
        json.loads(text, parse_int=number, parse_float=number)
    except RecursionError:
        return False  # Convex refuses JSON of such depth.
    return found


_TOO_DEEP = (
    "TooNestedError",
    f"it is nested deeper than {limits.MAX_DOCUMENT_NESTING - 1}",
    'Keep it as text: set invalid_json = "text", or make the field v.string().',
)


def json_problem(text: str) -> tuple[str, str, str] | None:
    """Code, reason and fix of the first thing in a JSON text that Convex refuses, or None."""
    try:
        return value_problem_of(numbers_as_doubles(text))
    except RecursionError:
        return _TOO_DEEP


def value_problem_of(value: Value, *, special: bool = False) -> tuple[str, str, str] | None:
    """Code, reason and fix of the first thing in a field's value that Convex refuses, or None.

    ``special``: infinity is allowed.
    """
    if not special and _infinite(value):
        return "InexactNumber", "a number inside is too large for a double", "Correct it at the source."
    problem = value_problem(value)
    if problem and problem.startswith("an array has"):
        return "ArrayTooLong", problem, "Keep the elements in a table of their own."
    if problem:
        # Escaping changes only keys. If a second problem remains, escaping does not help.
        ways = '"text"' if value_problem(escape_keys(value)) else '"escape" or "text"'
        fix = f"Set invalid_json = {ways}, or give the column an sql expression that changes it."
        return "InvalidValue", f"Convex refuses it: {problem}", fix
    return _TOO_DEEP if nesting(value) + 1 > limits.MAX_DOCUMENT_NESTING else None


def _infinite(value: Any) -> bool:
    if isinstance(value, float):
        return value in (float("inf"), float("-inf"))
    if isinstance(value, list):
        return any(map(_infinite, value))
    return isinstance(value, dict) and any(map(_infinite, value.values()))


def escape_keys(value: Value) -> Value:
    """``value`` with each key that Convex would refuse percent-encoded: ``$ref`` as ``%24ref``, ``%`` as
    ``%25``.

    The mapping is injective: :func:`unescape_keys` reverses it.
    """
    if isinstance(value, list):
        return [escape_keys(item) for item in value]
    if isinstance(value, dict):
        return {_ESCAPED.sub(_percent, key): escape_keys(item) for key, item in value.items()}
    return value


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def unescape_keys(value: Value) -> Value:
    """The argument of :func:`escape_keys`, from its result."""
    if isinstance(value, list):
        return [unescape_keys(item) for item in value]
    if isinstance(value, dict):
        return {unquote(key, errors="surrogatepass"): unescape_keys(item) for key, item in value.items()}
    return value


def json_text(value: Value) -> str:
    """A value as JSON text; whole numbers have no dot. Raises ValueError or TypeError for bytes and NaN."""
    text = json.dumps(_whole_numbers(value), ensure_ascii=False, allow_nan=False)
    # An unescaped key may hold half a surrogate pair, which only a JSON escape can express.
    return text if text.isascii() or _encodable(text) else json.dumps(_whole_numbers(value), allow_nan=False)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole_numbers(value: Value) -> Value:
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e21 and str(value) != "-0.0"
        return int(value) if whole else value
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return {key: _whole_numbers(item) for key, item in value.items()} if isinstance(value, dict) else value


def _as_it_was(value: Value) -> str:
    """Reverses ``invalid_json = "text"``: a string with JSON that Convex refuses becomes that JSON.

    A JSON string with such a text looks the same, and becomes JSON, too.
    """
    return value if isinstance(value, str) and _is_refused(value) else json_text(value)


def _is_refused(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        return True
    except ValueError:
        return False
    return json_problem(text) is not None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _escaped(text: str) -> Value:
    return escape_keys(numbers_as_doubles(text))


def _text_where_refused(text: str) -> Value:
    return text if json_problem(text) else numbers_as_doubles(text)


@converts("json", "jsonb")
def documents(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """JSON: unchanged, or as its text if the field is a string."""
    if not (target.any or target.structured):
        if target.takes(kinds.String):
            return Conversion("json as text", "string", "{c}::text")
        return misfit(type_, target, "v.any()", "v.object({…})", "v.string()")
    made = _embedded(type_, target, rule)
    return made if isinstance(made, Misfit) else replace(made, rounding="refused" if rule.lossy is False else "counted")


def _embedded(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    if rule.invalid_json == "escape":
        return Conversion(
            "json with escaped keys", "json", "{c}::text", parse=numbers_as_doubles, load=_escaped,
            decode=unescape_keys, restore=lambda value: json_text(unescape_keys(value)),
        )  # fmt: skip
    if rule.invalid_json == "text":
        if not target.takes(kinds.String):
            return Misfit(
                f'invalid_json = "text" makes strings, which {target} does not take.',
                "Make the field v.any(), or a union with v.string().",
            )
        name = "json, as text where Convex refuses it"
        return Conversion(
            name, "json", "{c}::text", parse=_text_where_refused, load=_text_where_refused,
            restore=_as_it_was,
        )  # fmt: skip
    # Text of the type json may repeat keys and contain blanks. jsonb has only one form.
    as_it_is = type_.base == "jsonb" and target.any
    return Conversion(
        "json", "json", "{c}::text", parse=numbers_as_doubles, load=None if as_it_is else numbers_as_doubles,
        restore=json_text,
    )  # fmt: skip


@converts("vector", "halfvec")
def vectors(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """A vector: an array of numbers. Its text is a JSON array, which a string field keeps."""
    if target.any or any(isinstance(element, kinds.Number) for element in target.elements):
        return Conversion(
            "vector", "json", "{c}::text", parse=numbers_as_doubles,
            restore=lambda value: None if value is None else json_text(value),
        )  # fmt: skip
    if target.takes(kinds.String):
        return Conversion("vector as text", "string", "{c}::text")
    return misfit(type_, target, "v.array(v.float64())")
