"""Checks a table's indexes and unique groups of fields, as Convex does.

Source: ``index_validation_error.rs``, ``schemas/{json,mod}.rs``, ``indexed_fields.rs`` of convex-backend. Field paths
are compared without the dots around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from supavex.convex import limits, names
from supavex.convex import validators as kinds
from supavex.convex.checked_table import CheckedTable, nearest
from supavex.convex.field_paths import can_contain_field, fields_at, is_system_field, trimmed
from supavex.convex.schema import Index, SearchIndex, VectorIndex
from supavex.convex.validators import Validator, unwrap
from supavex.diagnostics import Diagnostic, Severity

AnyIndex = Index | SearchIndex | VectorIndex


def index_findings(checked: CheckedTable) -> Iterator[Diagnostic]:
    """The findings about the indexes of a table."""
    table = checked.table
    every: list[AnyIndex] = [*table.indexes, *table.search_indexes, *table.vector_indexes]
    if len(every) > limits.MAX_INDEXES_PER_TABLE:
        message = f"{len(every)} indexes; a table has at most {limits.MAX_INDEXES_PER_TABLE}."
        yield checked.finding("TooManyIndexes", message, hint="Drop those that no query uses.")
    elif len(every) > limits.MAX_INDEXES_PER_TABLE_DOCUMENTED:
        documented = limits.MAX_INDEXES_PER_TABLE_DOCUMENTED
        message = f"{len(every)} indexes; Convex documents a limit of {documented} (its backend enforces 64)."
        yield checked.finding("TooManyIndexes", message, severity="warning")
    for name, count in Counter(index.name for index in every).items():
        if count > 1:
            place = [index.place for index in every if index.name == name][-1]
            message = f"{count} indexes are named {name}; names are unique over all kinds of index."
            yield checked.finding("IndexNamesNotUnique", message, at=name, hint="Rename one.", place=place)
    for index in every:
        problem = names.index_name_problem(index.name)
        if problem:
            reserved = index.name in names.RESERVED_INDEX_NAMES or index.name.startswith("_")
            code = "IndexNameReserved" if reserved else "InvalidIndexName"
            message = f"{index.name!r} can't name an index: {problem}."
            yield checked.finding(code, message, at=index.name, hint="Rename the index.", place=index.place)
    yield from _same_fields(checked, "IndexNotUnique", [(i, tuple(map(trimmed, i.fields))) for i in table.indexes])
    yield from _same_fields(
        checked,
        "SearchIndexFieldNotUnique",
        [(i, (trimmed(i.search_field), frozenset(map(trimmed, i.filter_fields)))) for i in table.search_indexes],
    )
    yield from _same_fields(
        checked,
        "VectorIndexFieldNotUnique",
        [(i, (trimmed(i.vector_field), i.dimensions)) for i in table.vector_indexes],
    )
    for db in table.indexes:
        yield from _database_index(checked, db)
    for search in table.search_indexes:
        yield from _filters(checked, search)
        yield from _index_field(checked, search, trimmed(search.search_field))
        yield from _search_field(checked, search)
    for vector in table.vector_indexes:
        yield from _filters(checked, vector)
        yield from _vector_index(checked, vector)


def _same_fields(checked: CheckedTable, code: str, keyed: Sequence[tuple[AnyIndex, Any]]) -> Iterator[Diagnostic]:
    seen: dict[Any, AnyIndex] = {}
    for index, key in keyed:
        other = seen.setdefault(key, index)
        if other is not index:
            message = f"{index.name} and {other.name} index the same fields."
            hint = "Keep one of them."
            yield checked.finding(code, message, at=index.name, hint=hint, place=index.place)


def _database_index(checked: CheckedTable, index: Index) -> Iterator[Diagnostic]:
    if not index.fields:
        message = "an index has at least one field."
        yield checked.finding("EmptyIndex", message, at=index.name, place=index.place)
    if len(index.fields) > limits.MAX_INDEX_FIELDS:
        message = f"{len(index.fields)} fields; an index has at most {limits.MAX_INDEX_FIELDS} of yours."
        hint = "Convex counts the _creationTime that it appends as the sixteenth."
        yield checked.finding("IndexTooManyFields", message, at=index.name, hint=hint, place=index.place)
    for field, count in Counter(map(trimmed, index.fields)).items():
        if count > 1:
            message = f"names the field {field} {count} times."
            yield checked.finding("FieldsNotUniqueWithinIndex", message, at=index.name, place=index.place)
        yield from _system_field(checked, index, field)
        yield from _index_field(checked, index, field)


def _system_field(checked: CheckedTable, index: Index, field: str) -> Iterator[Diagnostic]:
    at, place = index.name, index.place
    if field == "_id":
        hint = "Use db.get(id)."
        yield checked.finding("IndexFieldsContainId", "_id can't be indexed.", at=at, hint=hint, place=place)
    elif field == "_creationTime":
        message = "_creationTime is the last field of every index already."
        yield checked.finding("IndexFieldsContainCreationTime", message, at=at, hint="Leave it out.", place=place)
    elif any(part.startswith("_") for part in field.split(".")):
        message = f"the field {field} is reserved (it starts with an underscore)."
        yield checked.finding("IndexFieldNameReserved", message, at=at, place=place)


def _filters(checked: CheckedTable, index: SearchIndex | VectorIndex) -> Iterator[Diagnostic]:
    """The findings about filter fields. Convex keeps filter fields as a set."""
    fields = Counter(map(trimmed, index.filter_fields))
    if len(fields) > limits.MAX_FILTER_FIELDS:
        message = f"{len(fields)} filter fields; an index has at most {limits.MAX_FILTER_FIELDS}."
        yield checked.finding("IndexTooManyFilterFields", message, at=index.name, place=index.place)
    for field, count in fields.items():
        if count > 1:
            message = f"names the filter field {field} {count} times."
            yield checked.finding(
                "FieldsNotUniqueWithinIndex", message, at=index.name, place=index.place, severity="warning"
            )
        # Convex looks up the filter fields of text indexes in the schema, but not those of vector indexes.
        yield from _index_field(checked, index, field, missing="error" if isinstance(index, SearchIndex) else "warning")


def _index_field(
    checked: CheckedTable, index: AnyIndex, field: str, *, missing: Severity = "error"
) -> Iterator[Diagnostic]:
    at, place, document = index.name, index.place, checked.table.document
    if problem := names.field_path_problem(field):
        message = f"{field!r} is not the path of a field: {problem}."
        yield checked.finding("InvalidIndexField", message, at=at, place=place)
    elif checked.schema.schema_validation and not is_system_field(field) and not can_contain_field(document, field):
        message = f"the field {field} does not exist in the table." + nearest(field, checked.table.fields)
        hint = "Add the field, or take it out of the index."
        yield checked.finding("SchemaDefinitionError", message, at=at, hint=hint, place=place, severity=missing)


def _search_field(checked: CheckedTable, index: SearchIndex) -> Iterator[Diagnostic]:
    found = [unwrap(x) for x in fields_at(checked.table.document, index.search_field)]
    if found and not any(_maybe(validator, kinds.String) for validator in found):
        message = f"the search field {index.search_field} is never a string: nothing would be found."
        yield checked.finding("SearchFieldNotString", message, at=index.name, place=index.place, severity="warning")


def _vector_index(checked: CheckedTable, index: VectorIndex) -> Iterator[Diagnostic]:
    low, high = limits.MIN_VECTOR_DIMENSIONS, limits.MAX_VECTOR_DIMENSIONS
    if type(index.dimensions) is not int or not low <= index.dimensions <= high:
        message = f"{index.dimensions} dimensions; a vector index has {low} to {high}."
        hint = "Give the length of the vectors that the field holds, as the model that makes them says."
        yield checked.finding("InvalidVectorDimensionError", message, at=index.name, hint=hint, place=index.place)
    yield from _index_field(checked, index, trimmed(index.vector_field))
    found = [unwrap(x) for x in fields_at(checked.table.document, index.vector_field)]
    if checked.schema.schema_validation and found and not any(map(_maybe_vector, found)):
        message = f"the field {index.vector_field} is never an array of float64."
        hint = "Its type is v.array(v.float64())."
        yield checked.finding("SchemaDefinitionError", message, at=index.name, hint=hint, place=index.place)


def unique_findings(checked: CheckedTable) -> Iterator[Diagnostic]:
    """The findings about the unique groups of fields."""
    for fields in checked.table.uniques:
        for field in fields:
            if not can_contain_field(checked.table.document, field):
                message = f"unique names the field {field}, which does not exist."
                message += nearest(field, checked.table.fields)
                yield checked.finding("SchemaDefinitionError", message, at=field)


def _maybe(validator: Validator, kind: type[Validator]) -> bool:
    validator = unwrap(validator)
    if isinstance(validator, kinds.Union):
        return any(_maybe(member, kind) for member in validator.members)
    if isinstance(validator, kinds.Literal):
        return kind is kinds.String and isinstance(validator.value, str)
    return isinstance(validator, kind | kinds.AnyValue) or (kind is kinds.String and isinstance(validator, kinds.Id))


def _maybe_vector(validator: Validator) -> bool:
    validator = unwrap(validator)
    if isinstance(validator, kinds.Union):
        return any(map(_maybe_vector, validator.members))
    if isinstance(validator, kinds.Array):
        return isinstance(validator.element, kinds.Number | kinds.AnyValue)
    return isinstance(validator, kinds.AnyValue)
