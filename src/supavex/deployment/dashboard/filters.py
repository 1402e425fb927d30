"""The filter of a table's page: a field, and a value that a person types."""

from __future__ import annotations

import base64
import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from supavex.convex.order_keys import UNDEFINED, field_at, order_key
from supavex.convex.schema import TableDefinition
from supavex.convex.validators import Validator
from supavex.convex.values import Document, InvalidValue, Value, from_internal_json, same, value_problem
from supavex.errors import SupavexError

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


#: The filter's operators, with their names on the page.
OPERATORS = {
    "eq": "is",
    "neq": "is not",
    "lt": "is less than",
    "lte": "is at most",
    "gt": "is more than",
    "gte": "is at least",
    "contains": "contains the text",
}
_ORDERS: dict[str, Callable[[bytes, bytes], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter for documents whose ``field`` (a dotted path) compares with ``value``; :data:`UNDEFINED` is a missing
    field.

    ``operator`` is one of :data:`OPERATORS`. Values of different types compare in Convex's order.
    """

    field: str
    value: Value
    operator: str = "eq"

    def keeps(self, document: Document) -> bool:
        """Whether ``document`` matches."""
        found = field_at(document, self.field)
        if self.operator == "contains":
            return isinstance(found, str) and str(self.value).casefold() in found.casefold()
        if self.operator in _ORDERS:
            # A missing field is less than all values in Convex's order, but a search for values should not find it.
            return found is not UNDEFINED and _ORDERS[self.operator](order_key(found), order_key(self.value))
        absent = found is UNDEFINED or self.value is UNDEFINED
        equal = found is self.value if absent else same(found, self.value)
        return equal is (self.operator == "eq")


def read_filter(
    field: str, text: str, definition: TableDefinition | None, names: Mapping[int, str], compared: str = "eq"
) -> Filter:
    """The filter for ``text``: the first value with that text that fits the field.

    If none fits, the value that Convex prints as ``text``. Raises ``BadParameter`` for an unknown operator.
    """
    if compared not in OPERATORS:
        raise SupavexError("BadParameter", f"the operator is one of {', '.join(OPERATORS)}.", hint="Leave it out.")
    if compared == "contains":
        return Filter(field, text, compared)
    candidates = list(_candidates(text))
    validators = [] if definition is None else _validators(definition, field)
    for candidate in candidates:
        if any(validator.check(candidate, names.get) is None for validator in validators):
            return Filter(field, candidate, compared)
    return Filter(field, candidates[0], compared)


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
    """The value that Convex prints as ``text``; None if that is not a constant."""
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
