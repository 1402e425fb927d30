"""What a document must be to enter a table: Convex's limits, and the schema."""

from __future__ import annotations

from supavex.convex import limits
from supavex.convex import validators as kinds
from supavex.convex.schema import TableDefinition
from supavex.convex.validators import Mismatch, TableNames, Validator
from supavex.convex.values import Document, Value, size, value_problem
from supavex.errors import SupavexError


def check_limits(table: str, document: Document) -> None:
    """Raises where ``document`` (with its system fields) breaks a limit on values. Codes are Convex's."""
    where = f"{table} {document.get('_id', '')}".strip()
    depth = _depth(document)
    if depth > limits.MAX_VALUE_NESTING:
        message = f"it is nested more than {limits.MAX_VALUE_NESTING} deep."
        raise SupavexError("TooNestedError", message, where=where)
    problem = value_problem(document)
    if problem is None:
        odd = next((k for k in document if k.startswith("_") and k not in ("_id", "_creationTime")), None)
        problem = f"the field {odd} starts with an underscore, which is reserved" if odd else None
    if problem is None and depth > limits.MAX_DOCUMENT_NESTING:
        problem = f"it is nested more than {limits.MAX_DOCUMENT_NESTING} deep"
    if problem:
        code = next((c for words, c in _CODES.items() if problem.startswith(words)), "InvalidDocumentError")
        raise SupavexError(code, f"{problem}.", where=where)
    weight = size(document)
    if weight > limits.MAX_DOCUMENT_BYTES:
        message = f"it weighs {weight:,} bytes; the limit is {limits.MAX_DOCUMENT_BYTES:,}."
        raise SupavexError("ValueTooLargeError", message, where=where)


#: Words of :func:`~supavex.convex.values.value_problem` that have a code of their own.
_CODES = {"an array has": "ArrayTooLong", "an object has": "TooManyFieldsError"}


def _depth(document: Document) -> int:
    """The nesting of ``document``, looked at no further than Convex's limit on any value."""
    level: list[Value] = [document]
    depth = 0
    while level and depth <= limits.MAX_VALUE_NESTING:
        depth += 1
        inner = [item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer)]
        level = [item for item in inner if isinstance(item, dict | list)]
    return depth


def enforced(definition: TableDefinition) -> Validator:
    """The validator that a table's documents are held against: without the fields that Convex drops from it."""

    def without_system_fields(validator: Validator) -> Validator:
        if isinstance(validator, kinds.Object):
            return kinds.Object(fields={n: x for n, x in validator.fields.items() if not n.startswith("_")})
        if isinstance(validator, kinds.Union):
            return kinds.Union(members=tuple(map(without_system_fields, validator.members)))
        return validator

    return without_system_fields(definition.document)


def mismatch_of(validator: Validator, document: Document, tables: TableNames) -> Mismatch | None:
    """Why ``document``, its system fields aside, does not fit; None where it does."""
    fields = {name: value for name, value in document.items() if name not in ("_id", "_creationTime")}
    return validator.check(fields, tables)
