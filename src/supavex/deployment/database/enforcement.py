"""The conditions for a document to enter a table: Convex's limits, and the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supavex.convex import limits
from supavex.convex import validators as kinds
from supavex.convex.compile import compile_schema
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.messages import value_text
from supavex.convex.schema import Schema, TableDefinition
from supavex.convex.schema_json import schema_from_json
from supavex.convex.validators import Mismatch, TableNames, Validator
from supavex.convex.values import Document, Value, size, value_problem
from supavex.errors import SupavexError

#: Findings that Convex allows in a pushed schema: top-level fields with an underscore (it drops them), ids of unknown
#: tables, and types that no document can have.
_LET_PASS = ("SystemField", "FieldNameReserved", "UnknownTable", "TooNestedError", "TooManyFieldsError")
#: The system tables that documents refer to, by number.
SYSTEM_TABLES = {539: "_scheduled_functions", 540: "_storage"}


def compiled_schema(schema_text: str) -> Schema:
    """The schema of a JSON text. Raises the first error that Convex would raise."""
    schema = schema_from_json(schema_text)
    for finding in compile_schema(schema):
        if finding.severity == "error" and finding.code not in _LET_PASS:
            raise SupavexError(finding.code, finding.message, where=finding.where, hint=finding.hint)
    return schema


def check_limits(table: str, document: Document) -> None:
    """Raises if ``document`` (with its system fields) breaks a limit on values. Codes are Convex's."""
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


#: The beginnings of :func:`~supavex.convex.values.value_problem`'s texts, with Convex's code for each.
_CODES = {"an array has": "ArrayTooLong", "an object has": "TooManyFieldsError"}


def _depth(document: Document) -> int:
    """The nesting of ``document``, up to Convex's limit on any value."""
    level: list[Value] = [document]
    depth = 0
    while level and depth <= limits.MAX_VALUE_NESTING:
        depth += 1
        inner = [item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer)]
        level = [item for item in inner if isinstance(item, dict | list)]
    return depth


def enforced(definition: TableDefinition) -> Validator:
    """The validator that a table's documents are checked with: without the fields that Convex drops."""

    def without_system_fields(validator: Validator) -> Validator:
        if isinstance(validator, kinds.Object):
            return kinds.Object(fields={n: x for n, x in validator.fields.items() if not n.startswith("_")})
        if isinstance(validator, kinds.Union):
            return kinds.Union(members=tuple(map(without_system_fields, validator.members)))
        return validator

    return without_system_fields(definition.document)


def quick_check(validator: Validator, numbers: Mapping[str, int]) -> Callable[[Value], bool]:
    """A fast function that returns True only if a value fits ``validator``. For False, ask :func:`mismatch_of`.

    ``numbers`` are the tables' numbers. The system fields of a document are ignored.
    """
    if isinstance(validator, kinds.Object):
        return _quick_object(validator, numbers, system=2)
    if isinstance(validator, kinds.AnyValue):
        return lambda value: True
    return lambda value: False


def _quick_object(validator: kinds.Object, numbers: Mapping[str, int], *, system: int) -> Callable[[Value], bool]:
    required, optional = [], []
    for name, inner in validator.fields.items():
        if isinstance(inner, kinds.Optional):
            optional.append((name, quick_value_check(inner.inner, numbers)))
        else:
            required.append((name, quick_value_check(inner, numbers)))

    def fits(value: Value) -> bool:
        if type(value) is not dict:
            return False
        count = len(required) + system
        for name, check in required:
            if name not in value or not check(value[name]):
                return False
        for name, check in optional:
            if name in value:
                count += 1
                if not check(value[name]):
                    return False
        return len(value) == count

    return fits


def quick_value_check(validator: Validator, numbers: Mapping[str, int]) -> Callable[[Value], bool]:
    """As :func:`quick_check`, for a value inside a document."""
    types = {kinds.Number: float, kinds.String: str, kinds.Boolean: bool, kinds.Null: type(None), kinds.Bytes: bytes}
    wanted = types.get(type(validator))
    if wanted is not None:
        return lambda value: type(value) is wanted
    if isinstance(validator, kinds.AnyValue):
        return lambda value: True
    if isinstance(validator, kinds.Literal) and isinstance(validator.value, str):
        literal = validator.value
        return lambda value: value == literal
    if isinstance(validator, kinds.Array):
        element = quick_value_check(validator.element, numbers)
        return lambda value: type(value) is list and all(map(element, value))
    if isinstance(validator, kinds.Union):
        members = [quick_value_check(member, numbers) for member in validator.members]
        return lambda value: any(member(value) for member in members)
    if isinstance(validator, kinds.Object):
        return _quick_object(validator, numbers, system=0)
    if isinstance(validator, kinds.Id) and validator.table in numbers:
        number = numbers[validator.table]

        def is_id(value: Value) -> bool:
            try:
                return type(value) is str and decode_id(value)[0] == number
            except InvalidId:
                return False

        return is_id
    return lambda value: False


def mismatch_of(validator: Validator, document: Document, tables: TableNames) -> Mismatch | None:
    """Why ``document``, without its system fields, does not fit; None if it does."""
    fields = {name: value for name, value in document.items() if name not in ("_id", "_creationTime")}
    return validator.check(fields, lambda number: SYSTEM_TABLES.get(number) or tables(number))


def check_system_fields(fields: Document, id_: str, created: float) -> None:
    """Raises if ``fields`` have other values of system fields than the document."""
    if fields.get("_id", id_) != id_:
        shown = value_text(fields["_id"])
        message = f"Provided document ID {value_text(id_)} doesn't match '_id' field {shown}"
        raise SupavexError("InvalidIdError", message)
    if fields.get("_creationTime", created) != created or type(fields.get("_creationTime", created)) is not float:
        message = f"Provided creation time {created} doesn't match '_creationTime' field in {value_text(fields)}"
        raise SupavexError("InvalidCreationTimeError", message)
