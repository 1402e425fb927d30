"""What a document must be to enter a table: Convex's limits, and the schema."""

from __future__ import annotations

from supavex.convex import limits
from supavex.convex import validators as kinds
from supavex.convex.schema import TableDefinition
from supavex.convex.validators import Mismatch, TableNames, Validator
from supavex.convex.values import Document, nesting, size, value_problem
from supavex.errors import SupavexError


def check_limits(table: str, document: Document) -> None:
    """Raises where ``document`` (with its system fields) breaks a limit on values. Codes are Convex's."""
    where = f"{table} {document.get('_id', '')}".strip()
    problem = value_problem(document)
    if problem is None:
        odd = next((k for k in document if k.startswith("_") and k not in ("_id", "_creationTime")), None)
        problem = f"the field {odd} starts with an underscore, which is reserved" if odd else None
    if problem:
        raise SupavexError("InvalidDocumentError", f"{problem}.", where=where)
    if nesting(document) > limits.MAX_DOCUMENT_NESTING:
        message = f"it is nested more than {limits.MAX_DOCUMENT_NESTING} deep."
        raise SupavexError("TooNestedError", message, where=where)
    weight = size(document)
    if weight > limits.MAX_DOCUMENT_BYTES:
        message = f"it weighs {weight:,} bytes; the limit is {limits.MAX_DOCUMENT_BYTES:,}."
        raise SupavexError("ValueTooLargeError", message, where=where)


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
