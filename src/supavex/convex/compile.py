"""Checks a schema against every rule of Convex that needs no deployment, and reports all findings at once.

Codes are Convex's own where it has one (``IndexNotUnique``, ``SchemaDefinitionError``, …), so that its documentation
applies. Source: ``index_validation_error.rs``, ``schemas/{json,mod,validator}.rs``, ``identifier.rs`` of
convex-backend, ``values/validators.ts`` of the npm package, and the page "Limits" of Convex's documentation.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from supavex.convex import limits, names
from supavex.convex import validators as kinds
from supavex.convex.schema import Index, Schema, SearchIndex, TableDefinition, VectorIndex
from supavex.convex.validators import MISSING, Validator, printed, unwrap
from supavex.convex.values import nesting, size, value_problem
from supavex.diagnostics import Diagnostic, Place, Severity

AnyIndex = Index | SearchIndex | VectorIndex


def compile_schema(schema: Schema) -> list[Diagnostic]:
    """Every finding about ``schema``, in the order of its tables; empty where all is well."""
    return [*_check_tables(schema), *(d for name, table in schema.tables.items() for d in _Table(schema, name, table))]


def _check_tables(schema: Schema) -> Iterator[Diagnostic]:
    if not isinstance(schema.schema_validation, bool):
        yield Diagnostic("InvalidSchemaExport", "error", "schema_validation is True or False.", place=schema.place)
    if len(schema.tables) > limits.MAX_TABLES:
        message = f"{len(schema.tables)} tables; a deployment has at most {limits.MAX_TABLES}."
        yield Diagnostic("TooManyTables", "error", message, place=schema.place)
    folded: dict[str, str] = {}
    for name, table in schema.tables.items():
        other = folded.setdefault(name.lower(), name)
        if other != name:
            message = f"differs from {other} only in upper and lower case; that is allowed, and easily confused."
            yield Diagnostic("TableNamesAlike", "warning", message, name, "Rename one of them.", table.place)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


class _Table:
    """The findings of one table; iterating it runs the checks."""

    def __init__(self, schema: Schema, name: str, table: TableDefinition) -> None:
        self.schema, self.name, self.table = schema, name, table

    def __iter__(self) -> Iterator[Diagnostic]:
        if not isinstance(self.table, TableDefinition) or not isinstance(self.table.document, Validator):
            place = self.table.place if isinstance(self.table, TableDefinition) else self.schema.place
            message = "expected define_table({…})."
            yield Diagnostic("NotAValidator", "error", message, self.name, "Use define_table({…}).", place)
            return
        yield from self._name()
        yield from self._document_type()
        yield from self._validators()
        yield from self._indexes()
        yield from self._uniques()

    def _finding(
        self,
        code: str,
        message: str,
        *,
        at: str = "",
        hint: str = "",
        place: Place | None = None,
        severity: Severity = "error",
    ) -> Diagnostic:
        subject = self.name + (f".{at.lstrip('.')}" if at else "")
        return Diagnostic(code, severity, message, subject, hint, place or self.table.place)

    def _name(self) -> Iterator[Diagnostic]:
        problem = names.table_name_problem(self.name)
        if problem:
            code = "TableNameReserved" if self.name.startswith("_") else "InvalidTableName"
            yield self._finding(code, f"{self.name!r} can't name a table: {problem}.", hint="Choose another name.")

    def _document_type(self) -> Iterator[Diagnostic]:
        document = self.table.document
        members = document.members if isinstance(document, kinds.Union) else (document,)
        fits = all(isinstance(member, kinds.Object) for member in members) or isinstance(document, kinds.AnyValue)
        if not fits:
            yield self._finding(
                "InvalidTopLevelTypeInSchemaError",
                f"a document can't be {document}.",
                hint="A table holds v.object(…), a v.union(…) directly of v.object(…)s, or v.any().",
                place=document.place,
            )
        for member in members:
            if not isinstance(member, kinds.Object):
                continue
            for field, validator in member.fields.items():
                if field in ("_id", "_creationTime"):
                    hint = "Leave it out: every document has it."
                    message = f"Convex gives every document {field} and drops it from a table's definition."
                    yield self._finding("SystemField", message, at=field, hint=hint, place=_place(validator))
                elif field.startswith("_"):
                    message = f"{field!r}: top-level fields that start with an underscore are reserved."
                    hint = "Rename the field."
                    yield self._finding("FieldNameReserved", message, at=field, hint=hint, place=_place(validator))

    def _validators(self) -> Iterator[Diagnostic]:
        yield from self._validator(self.table.document, "", depth=1)

    def _validator(self, validator: Validator, path: str, depth: int) -> Iterator[Diagnostic]:
        if not isinstance(validator, Validator):
            hint = "Use v.string(), v.number(), v.id(…) and so on."
            message = f"expected a validator, got {type(validator).__name__}."
            yield self._finding("NotAValidator", message, at=path, hint=hint)
            return
        yield from self._rules(validator, path)
        if isinstance(validator, kinds.Id):
            yield from self._reference(validator, path)
        elif isinstance(validator, kinds.Literal):
            yield from self._literal(validator, path)
        elif isinstance(validator, kinds.Record):
            yield from self._record(validator, path)
        elif isinstance(validator, kinds.Object):
            yield from self._object(validator, path)
        elif isinstance(validator, kinds.Union) and not validator.members:
            message = "a union without members: no value fits it."
            yield self._finding("EmptyUnion", message, at=path, place=validator.place, severity="warning")
        container = isinstance(validator, kinds.Array | kinds.Object | kinds.Record)
        if depth > limits.MAX_DOCUMENT_NESTING and container:
            message = f"nested more than {limits.MAX_DOCUMENT_NESTING} deep: no document can reach here."
            yield self._finding("TooNestedError", message, at=path, place=validator.place)
            return
        for step, child in validator.children():
            if isinstance(child, kinds.Optional) and not isinstance(validator, kinds.Object | kinds.Optional):
                yield self._finding(
                    "OptionalOutsideObject",
                    f"v.optional(…) inside {_article(validator)}: only a field of an object can be optional.",
                    at=path + step,
                    hint="Take v.optional away, or use v.union(…, v.null()).",
                    place=child.place,
                )
            yield from self._validator(child, path + step, depth + (1 if container else 0))

    def _reference(self, validator: kinds.Id, path: str) -> Iterator[Diagnostic]:
        if validator.table not in self.schema.tables and not validator.table.startswith("_"):
            yield self._finding(
                "UnknownTable",
                f'v.id("{validator.table}"): the schema has no table of that name.'
                + _nearest(validator.table, self.schema.tables),
                at=path,
                hint="Define the table, or correct the name.",
                place=validator.place,
            )
        elif validator.table.startswith("_") and validator.table not in ("_storage", "_scheduled_functions"):
            hint = "Apps can refer to _storage and _scheduled_functions."
            message = f'v.id("{validator.table}"): no system table that documents can refer to.'
            yield self._finding("UnknownTable", message, at=path, hint=hint, place=validator.place)

    def _literal(self, validator: kinds.Literal, path: str) -> Iterator[Diagnostic]:
        value = validator.value
        if not isinstance(value, str | bool | int | float):
            message = f"v.literal({printed(value)}): a literal is a string, a number or a boolean."
            yield self._finding("InvalidLiteral", message, at=path, place=validator.place)
        elif problem := value_problem(value):
            yield self._finding("InvalidLiteral", f"v.literal(…): {problem}.", at=path, place=validator.place)

    def _record(self, validator: kinds.Record, path: str) -> Iterator[Diagnostic]:
        keys = validator.keys
        if not _string_keys(keys):
            yield self._finding(
                "InvalidRecordType",
                f"the keys of a record can't be {keys}: they are strings or ids, and not literals.",
                at=path,
                hint="Use v.record(v.string(), …); for known keys use v.object({…}).",
                place=validator.place,
            )

    def _object(self, validator: kinds.Object, path: str) -> Iterator[Diagnostic]:
        if len(validator.fields) > limits.MAX_OBJECT_FIELDS:
            message = f"{len(validator.fields)} fields; an object has at most {limits.MAX_OBJECT_FIELDS}."
            yield self._finding("TooManyFieldsError", message, at=path, place=validator.place)
        for field, inner in validator.fields.items():
            problem = names.field_name_problem(field)
            if problem:
                yield self._finding(
                    "InvalidFieldName",
                    f"{field!r} can't name a field: {problem}.",
                    at=path,
                    hint="Rename the field; supavex.toml maps the column to it.",
                    place=_place(inner),
                )

    def _rules(self, validator: Validator, path: str) -> Iterator[Diagnostic]:
        if isinstance(validator, kinds.Optional):
            if isinstance(validator.inner, kinds.Optional):
                message = "v.optional(v.optional(…)): once is enough."
                yield self._finding("OptionalOutsideObject", message, at=path, place=validator.place)
            return  # the rules are those of the validator inside, which comes next
        rules = validator.rules
        if not all(isinstance(inside, Validator) for _, inside in _everything(validator)):
            return
        if rules.pattern is not None:
            try:
                re.compile(rules.pattern)
            except re.error as error:
                message = f"pattern {rules.pattern!r} is no regular expression: {error}."
                yield self._finding("InvalidPattern", message, at=path, place=validator.place)
                rules = replace(rules, pattern=None)
        for name, value in _rule_values(rules):
            problem = None
            mismatch = validator.check(value, lambda number: None)
            if mismatch:
                problem = f"does not fit {validator}"
            else:
                problem = value_problem(value)
                if problem is None and size(value) > limits.MAX_DOCUMENT_BYTES:
                    problem = "is larger than a document can be"
                if problem is None and nesting(value) >= limits.MAX_DOCUMENT_NESTING:
                    problem = "is nested deeper than a document can be"
            if problem:
                code = "DefaultDoesNotFit" if name == "default" else "AllowedValueDoesNotFit"
                message = f"{name} {printed(value)} {problem}."
                yield self._finding(
                    code, message, at=path, hint="Correct the value or the type.", place=validator.place
                )
            elif name == "default" and (broken := rules.problem(value)):
                message = f"default {broken}."
                hint = "Correct the default or the rule."
                yield self._finding("DefaultDoesNotFit", message, at=path, hint=hint, place=validator.place)
        lows = [(bound, strict) for bound, strict in ((rules.ge, False), (rules.gt, True)) if bound is not None]
        highs = [(bound, not strict) for bound, strict in ((rules.le, False), (rules.lt, True)) if bound is not None]
        (low, above), (high, at_most) = max(lows, default=(None, False)), min(highs, default=(None, True))
        if low is not None and high is not None and (low > high or (low == high and (above or not at_most))):
            message = f"no number is at or above {printed(low)} and at or below {printed(high)}."
            yield self._finding("EmptyRange", message, at=path, place=validator.place)
        if rules.one_of is not None and len(set(map(printed, rules.one_of))) != len(rules.one_of):
            message = "one_of names a value twice."
            yield self._finding("AllowedValueTwice", message, at=path, place=validator.place, severity="warning")

    def _indexes(self) -> Iterator[Diagnostic]:
        table = self.table
        every: list[AnyIndex] = [*table.indexes, *table.search_indexes, *table.vector_indexes]
        if len(every) > limits.MAX_INDEXES_PER_TABLE:
            message = f"{len(every)} indexes; a table has at most {limits.MAX_INDEXES_PER_TABLE}."
            yield self._finding("TooManyIndexes", message, hint="Drop those that no query uses.")
        elif len(every) > limits.MAX_INDEXES_PER_TABLE_DOCUMENTED:
            documented = limits.MAX_INDEXES_PER_TABLE_DOCUMENTED
            message = f"{len(every)} indexes; Convex documents a limit of {documented} (its backend enforces 64)."
            yield self._finding("TooManyIndexes", message, severity="warning")
        for name, count in Counter(index.name for index in every).items():
            if count > 1:
                place = [index.place for index in every if index.name == name][-1]
                message = f"{count} indexes are named {name}; names are unique over all kinds of index."
                yield self._finding("IndexNamesNotUnique", message, at=name, hint="Rename one.", place=place)
        for index in every:
            problem = names.index_name_problem(index.name)
            if problem:
                reserved = index.name in names.RESERVED_INDEX_NAMES or index.name.startswith("_")
                code = "IndexNameReserved" if reserved else "InvalidIndexName"
                message = f"{index.name!r} can't name an index: {problem}."
                yield self._finding(code, message, at=index.name, hint="Rename the index.", place=index.place)
        yield from self._same_fields("IndexNotUnique", [(i, i.fields) for i in table.indexes])
        yield from self._same_fields(
            "SearchIndexFieldNotUnique",
            [(i, (i.search_field, frozenset(i.filter_fields))) for i in table.search_indexes],
        )
        yield from self._same_fields(
            "VectorIndexFieldNotUnique", [(i, (i.vector_field, i.dimensions)) for i in table.vector_indexes]
        )
        for db in table.indexes:
            yield from self._database_index(db)
        for search in table.search_indexes:
            yield from self._filters(search, search.filter_fields)
            yield from self._index_field(search, search.search_field)
            yield from self._search_field(search)
        for vector in table.vector_indexes:
            yield from self._filters(vector, vector.filter_fields)
            yield from self._vector_index(vector)

    def _same_fields(self, code: str, keyed: Sequence[tuple[AnyIndex, Any]]) -> Iterator[Diagnostic]:
        seen: dict[Any, AnyIndex] = {}
        for index, key in keyed:
            other = seen.setdefault(key, index)
            if other is not index:
                message = f"{index.name} and {other.name} index the same fields."
                hint = "Keep one of them."
                yield self._finding(code, message, at=index.name, hint=hint, place=index.place)

    def _database_index(self, index: Index) -> Iterator[Diagnostic]:
        if not index.fields:
            message = "an index has at least one field."
            yield self._finding("EmptyIndex", message, at=index.name, place=index.place)
        if len(index.fields) > limits.MAX_INDEX_FIELDS:
            message = f"{len(index.fields)} fields; an index has at most {limits.MAX_INDEX_FIELDS} of yours."
            hint = "Convex counts the _creationTime that it appends as the sixteenth."
            yield self._finding("IndexTooManyFields", message, at=index.name, hint=hint, place=index.place)
        for field, count in Counter(index.fields).items():
            if count > 1:
                message = f"names the field {field} {count} times."
                yield self._finding("FieldsNotUniqueWithinIndex", message, at=index.name, place=index.place)
            yield from self._index_field(index, field)

    def _filters(self, index: SearchIndex | VectorIndex, fields: tuple[str, ...]) -> Iterator[Diagnostic]:
        if len(fields) > limits.MAX_FILTER_FIELDS:
            message = f"{len(fields)} filter fields; an index has at most {limits.MAX_FILTER_FIELDS}."
            yield self._finding("IndexTooManyFilterFields", message, at=index.name, place=index.place)
        for field, count in Counter(fields).items():
            if count > 1:
                message = f"names the filter field {field} {count} times."
                yield self._finding(
                    "FieldsNotUniqueWithinIndex", message, at=index.name, place=index.place, severity="warning"
                )
            if field != "_creationTime":
                yield from self._index_field(index, field)

    def _index_field(self, index: AnyIndex, field: str) -> Iterator[Diagnostic]:
        at, place = index.name, index.place
        parts = field.strip(".").split(".")
        reserved = parts if isinstance(index, Index) else parts[:1]
        if field == "_id":
            hint = "Use db.get(id)."
            yield self._finding("IndexFieldsContainId", "_id can't be indexed.", at=at, hint=hint, place=place)
        elif field == "_creationTime":
            message = "_creationTime is the last field of every index already."
            yield self._finding("IndexFieldsContainCreationTime", message, at=at, hint="Leave it out.", place=place)
        elif any(part.startswith("_") for part in reserved):
            message = f"the field {field} is reserved (it starts with an underscore)."
            yield self._finding("IndexFieldNameReserved", message, at=at, place=place)
        elif problem := names.field_path_problem(field):
            message = f"{field!r} is not the path of a field: {problem}."
            yield self._finding("InvalidIndexField", message, at=at, place=place)
        elif self.schema.schema_validation and not can_contain_field(self.table.document, field):
            message = f"the field {field} does not exist in the table." + _nearest(field, self.table.fields)
            hint = "Add the field, or take it out of the index."
            yield self._finding("SchemaDefinitionError", message, at=at, hint=hint, place=place)

    def _search_field(self, index: SearchIndex) -> Iterator[Diagnostic]:
        found = [unwrap(x) for x in fields_at(self.table.document, index.search_field)]
        if found and not any(_maybe(validator, kinds.String) for validator in found):
            message = f"the search field {index.search_field} is never a string: nothing would be found."
            yield self._finding("SearchFieldNotString", message, at=index.name, place=index.place, severity="warning")

    def _vector_index(self, index: VectorIndex) -> Iterator[Diagnostic]:
        low, high = limits.MIN_VECTOR_DIMENSIONS, limits.MAX_VECTOR_DIMENSIONS
        if not (isinstance(index.dimensions, int) and low <= index.dimensions <= high):
            message = f"{index.dimensions} dimensions; a vector index has {low} to {high}."
            yield self._finding("InvalidVectorDimensions", message, at=index.name, place=index.place)
        yield from self._index_field(index, index.vector_field)
        found = [unwrap(x) for x in fields_at(self.table.document, index.vector_field)]
        if self.schema.schema_validation and found and not any(map(_maybe_vector, found)):
            message = f"the field {index.vector_field} is never an array of float64."
            hint = "Its type is v.array(v.float64())."
            yield self._finding("SchemaDefinitionError", message, at=index.name, hint=hint, place=index.place)

    def _uniques(self) -> Iterator[Diagnostic]:
        for fields in self.table.uniques:
            for field in fields:
                if not can_contain_field(self.table.document, field):
                    message = f"unique names the field {field}, which does not exist."
                    message += _nearest(field, self.table.fields)
                    yield self._finding("SchemaDefinitionError", message, at=field)


def can_contain_field(validator: Validator, path: str) -> bool:
    """Whether some document that fits ``validator`` has a value at the dotted ``path``."""
    return bool(fields_at(validator, path))


def fields_at(validator: Validator, path: str) -> list[Validator]:
    """The validators that stand at the dotted ``path``, one for each variant of a union."""
    found = [validator]
    for part in path.strip(".").split("."):
        found = [child for outer in found for child in _step(unwrap(outer), part)]
    return found


def _step(validator: Validator, field: str) -> list[Validator]:
    if isinstance(validator, kinds.AnyValue):
        return [validator]
    if isinstance(validator, kinds.Union):
        return [child for member in validator.members for child in _step(unwrap(member), field)]
    if isinstance(validator, kinds.Object) and field in validator.fields:
        return [validator.fields[field]]
    return []


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


def _string_keys(validator: Validator) -> bool:
    if isinstance(validator, kinds.Union):
        return bool(validator.members) and all(map(_string_keys, validator.members))
    return isinstance(validator, kinds.String | kinds.Id)


def _everything(validator: Any) -> Iterator[tuple[str, Any]]:
    yield "", validator
    if isinstance(validator, Validator):
        for _, child in validator.children():
            yield from _everything(child)


def _rule_values(rules: kinds.Rules) -> Iterator[tuple[str, Any]]:
    if rules.default is not MISSING:
        yield "default", rules.default
    for value in rules.one_of or ():
        yield "one_of", value


def _article(validator: Validator) -> str:
    kind = "null" if isinstance(validator, kinds.Null) else validator.kind
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def _place(validator: Any) -> Place | None:
    return validator.place if isinstance(validator, Validator) else None


__all__ = ["can_contain_field", "compile_schema", "fields_at"]
