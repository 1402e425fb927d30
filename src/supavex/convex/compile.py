"""Checks a schema against every rule of Convex that needs no deployment, and reports all findings at once.

Codes are Convex's own where it has one (``IndexNotUnique``, ``SchemaDefinitionError``, …), so that its documentation
applies. Source: ``index_validation_error.rs``, ``schemas/{json,mod,validator}.rs``, ``identifier.rs`` of
convex-backend, ``values/validators.ts`` of the npm package, and the page "Limits" of Convex's documentation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from supavex.convex import limits, names
from supavex.convex import validators as kinds
from supavex.convex.checked_table import CheckedTable, nearest
from supavex.convex.field_rules import MISSING, Rules, printed
from supavex.convex.index_checks import index_findings, unique_findings
from supavex.convex.schema import Schema, TableDefinition
from supavex.convex.validators import Validator
from supavex.convex.values import nesting, size, value_problem
from supavex.diagnostics import Diagnostic, Place

#: The findings about validators for which Convex refuses a validator anywhere, not only in a schema.
_OF_VALIDATORS = (
    "InvalidFieldName",
    "InvalidLiteral",
    "InvalidRecordType",
    "InvalidTableName",
    "OptionalOutsideObject",
    "UnsupportedFloatLiteral",
)


def compile_schema(schema: Schema) -> list[Diagnostic]:
    """Every finding about ``schema``, in the order of its tables. The list is empty for a valid schema."""
    return [*_check_tables(schema), *(d for name, table in schema.tables.items() for d in _Table(schema, name, table))]


def validator_problem(validator: Validator) -> str | None:
    """Why Convex refuses the validator of a function's arguments or result, as a sentence; None for a valid one."""
    table = TableDefinition(kinds.Object(fields={"value": validator}))
    schema = Schema({"function": table})
    for finding in _Table(schema, "function", table).of_validators():
        if finding.severity == "error" and finding.code in _OF_VALIDATORS:
            return finding.message
    return None


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
            message = (
                f"differs from {other} only in upper and lower case; Convex allows it, but the two are easily confused."
            )
            yield Diagnostic("TableNamesAlike", "warning", message, name, "Rename one of them.", table.place)


class _Table:
    """The findings of one table. Iteration runs the checks."""

    def __init__(self, schema: Schema, name: str, table: TableDefinition) -> None:
        self.schema, self.name, self.table = schema, name, table
        self.checked = CheckedTable(schema, name, table)
        self._finding = self.checked.finding

    def __iter__(self) -> Iterator[Diagnostic]:
        if not isinstance(self.table, TableDefinition) or not isinstance(self.table.document, Validator):
            place = self.table.place if isinstance(self.table, TableDefinition) else self.schema.place
            message = "expected define_table({…})."
            yield Diagnostic("NotAValidator", "error", message, self.name, "Use define_table({…}).", place)
            return
        yield from self._name()
        yield from self._document_type()
        yield from self.of_validators()
        yield from index_findings(self.checked)
        yield from unique_findings(self.checked)

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

    def of_validators(self) -> Iterator[Diagnostic]:
        """The findings about validators alone."""
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
        if depth == limits.MAX_DOCUMENT_NESTING + 1 and container:
            message = f"nested more than {limits.MAX_DOCUMENT_NESTING} deep: no document can reach here."
            yield self._finding("TooNestedError", message, at=path, place=validator.place)
        for step, child in validator.children():
            if isinstance(child, kinds.Optional) and isinstance(validator, kinds.Array | kinds.Union):
                yield self._finding(
                    "OptionalOutsideObject",
                    f"v.optional(…) inside {_article(validator)}: only a field of an object can be optional.",
                    at=path + step,
                    hint="Take v.optional away, or use v.union(…, v.null()).",
                    place=child.place,
                )
            yield from self._validator(child, path + step, depth + (1 if container else 0))

    def _reference(self, validator: kinds.Id, path: str) -> Iterator[Diagnostic]:
        if problem := names.identifier_problem(validator.table):
            message = f"v.id({validator.table!r}): {problem}."
            yield self._finding("InvalidTableName", message, at=path, place=validator.place)
        elif validator.table not in self.schema.tables and not validator.table.startswith("_"):
            yield self._finding(
                "UnknownTable",
                f'v.id("{validator.table}"): the schema has no table of that name.'
                + nearest(validator.table, self.schema.tables),
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
        elif isinstance(value, float) and not math.isfinite(value):
            said = "Infinite or NaN values are not supported in literal validators."
            hint = "Use v.number() there."
            yield self._finding("UnsupportedFloatLiteral", said, at=path, hint=hint, place=validator.place)
        elif problem := value_problem(value):
            yield self._finding("InvalidLiteral", f"v.literal(…): {problem}.", at=path, place=validator.place)

    def _record(self, validator: kinds.Record, path: str) -> Iterator[Diagnostic]:
        keys = validator.keys
        if isinstance(validator.values, kinds.Optional):
            message = "Records cannot have optional values."
            yield self._finding("InvalidRecordType", message, at=path, place=validator.place)
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
            return  # The next validator that is visited is the inner one, and its rules are checked there.
        rules = validator.rules
        if not all(isinstance(inside, Validator) for _, inside in _everything(validator)):
            return
        if rules.pattern is not None:
            try:
                re.compile(rules.pattern)
            except re.error as error:
                message = f"pattern {rules.pattern!r} is not a regular expression: {error}."
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


def _string_keys(validator: Validator) -> bool:
    if isinstance(validator, kinds.Union):
        return all(map(_string_keys, validator.members))
    return isinstance(validator, kinds.String | kinds.Id)


def _everything(validator: Any) -> Iterator[tuple[str, Any]]:
    yield "", validator
    if isinstance(validator, Validator):
        for _, child in validator.children():
            yield from _everything(child)


def _rule_values(rules: Rules) -> Iterator[tuple[str, Any]]:
    if rules.default is not MISSING:
        yield "default", rules.default
    for value in rules.one_of or ():
        yield "one_of", value


def _article(validator: Validator) -> str:
    kind = "null" if isinstance(validator, kinds.Null) else validator.kind
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def _place(validator: Any) -> Place | None:
    return validator.place if isinstance(validator, Validator) else None
