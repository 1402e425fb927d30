"""The filter of a table's page: a field, and a value as a person types it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from supavex.convex.order_keys import UNDEFINED, field_at
from supavex.convex.schema import TableDefinition
from supavex.convex.validators import Validator
from supavex.convex.values import Document, InvalidValue, Value, from_internal_json, same, value_problem

_CONSTANTS: dict[str, Value] = {
    "undefined": UNDEFINED,
    "null": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
_INT64 = re.compile(r"-?[0-9]{1,19}n")
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
_BYTES = re.compile(r'Bytes\("([A-Za-z0-9+/=]*)"\)')


@dataclass(frozen=True, slots=True)
class Filter:
    """Documents whose ``field`` (a dotted path) is ``value``; :data:`UNDEFINED` finds those without the field."""

    field: str
    value: Value

    def keeps(self, document: Document) -> bool:
        """Whether ``document`` is one of them."""
        found = field_at(document, self.field)
        if found is UNDEFINED or self.value is UNDEFINED:
            return found is self.value
        return same(found, self.value)


def read_filter(field: str, text: str, definition: TableDefinition | None, names: Mapping[int, str]) -> Filter:
    """The filter that a person means: of the values that ``text`` may stand for, the first that fits the field.

    Without a fitting one, what Convex would write as ``text``.
    """
    candidates = list(_candidates(text))
    validators = [] if definition is None else _validators(definition, field)
    for candidate in candidates:
        if any(validator.check(candidate, names.get) is None for validator in validators):
            return Filter(field, candidate)
    return Filter(field, candidates[0])


def _validators(definition: TableDefinition, field: str) -> list[Validator]:
    return [validator for path, validator in definition.document.walk() if path == f".{field}"]


def _candidates(text: str) -> list[Value]:
    bare = text.strip()
    found: list[Value] = []
    written = _CONSTANTS.get(bare, _written(bare))
    if bare in _CONSTANTS or written is not None:
        found.append(written)
    if re.fullmatch(r"-?[0-9]{1,18}", bare):
        found.append(int(bare))
    return [*found, text]


def _written(text: str) -> Value:
    """The value that Convex writes as ``text``; None where there is none but a constant."""
    if _INT64.fullmatch(text):
        number = int(text[:-1])
        return None if value_problem(number) else number
    if _NUMBER.fullmatch(text):
        return float(text)
    match = _BYTES.fullmatch(text)
    try:
        if match:
            return base64.b64decode(match[1], validate=True)
        if text[:1] in ('"', "[", "{"):
            value = from_internal_json(json.loads(text))
            return None if value_problem(value) else value
    except (ValueError, RecursionError, InvalidValue):
        return None
    return None
