"""Tests coverage: whether every source table and column has a place in Convex and fits there.

It also lists what Convex does not carry over by itself, with what to do about each.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Any

from supavex.convex import validators as kinds
from supavex.convex.broken_rules import field_rules
from supavex.convex.field_rules import MISSING, printed
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.validators import Optional, unwrap
from supavex.diagnostics import Diagnostic, Severity
from supavex.mapping.check_constraints import allowed_values, not_validated
from supavex.mapping.conversions import Target, registered
from supavex.mapping.convex_auth import SOURCES
from supavex.mapping.defaults import default_for
from supavex.mapping.keys import WHOLE_ROW
from supavex.mapping.large_values import toml_key
from supavex.mapping.names import camel_case
from supavex.mapping.plan import SOURCE_KEY_FIELDS, FieldPlan, Plan, TablePlan
from supavex.mapping.references import leading_key
from supavex.postgres.catalog import CheckConstraint
from supavex.text import counted


def coverage(plan: Plan, absent: Collection[str] = ()) -> list[Diagnostic]:
    """All findings about how source and schema fit together, table by table.

    ``absent``: names of lost tables, for which supavex.toml may have rules.
    """
    findings = [d for table in plan.tables for d in _table(plan, table)]
    fed = {table.target for table in plan.tables if table.target}
    for name, definition in plan.schema.tables.items():
        if name not in fed:
            message = "no source table goes here; it stays empty."
            findings.append(Diagnostic("TableWithoutSource", "note", message, name, "", definition.place))
    first = plan.project.schemas[0]
    known = {table.qualified for table in plan.catalog}
    known |= {table.name for table in plan.catalog if table.schema == first}
    for name in plan.project.tables:
        if name not in known and name not in absent:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else "Remove it."
            message = f"supavex.toml has rules for {name}, which the source does not have."
            findings.append(Diagnostic("UnknownTable", "error", message, name, hint))
    return findings + list(_whole(plan))


def _whole(plan: Plan) -> Iterator[Diagnostic]:
    """Findings about no single table: a target of two tables, a rule for a column that no table has."""
    filled = [
        f"{table.name}.{planned.place}"
        for table in plan.moving
        for planned in table.fields
        if planned.fill is not MISSING and planned.nullable and not planned.optional
    ]
    if filled:
        message = f"fill makes the NULLs of {counted(len(filled), 'column')} the default of a required field."
        hint = f"migrate and verify count them. The first is {filled[0]}."
        yield Diagnostic("NullsFilled", "note", message, "", hint)
    seen: dict[str, str] = {}
    for table in plan.tables:
        if table.target and table.status in ("mapped", "existing"):
            other = seen.setdefault(table.target, table.name)
            if other != table.name:
                message = f"{other} and {table.name} both go to {table.target}."
                yield Diagnostic("TargetTwice", "error", message, table.name, "Rename one with `to`, or skip it.")
    columns = {column.name for table in plan.catalog for column in table.columns}
    for name in plan.project.columns:
        if name not in columns:
            close = difflib.get_close_matches(name, columns, n=1)
            hint = f"Did you mean {close[0]}?" if close else "Remove it."
            message = f"supavex.toml has a rule for columns called {name}, which no table has."
            yield Diagnostic("UnknownColumn", "error", message, name, hint)


def table_statuses(plan: Plan) -> list[dict[str, Any]]:
    """The tables in the JSON of ``check --json``: each source table, its target, and its fields."""
    return [
        {
            "source": table.name,
            "target": table.target,
            "status": table.status,
            "columns": len(table.source.columns),
            **({"reason": table.rule.skip} if table.rule.skip is not None else {}),
        }
        for table in plan.tables
    ]


def _table(plan: Plan, table: TablePlan) -> Iterator[Diagnostic]:
    if table.status == "missing":
        wanted = table.rule.to or camel_case(table.source.name)
        close = difflib.get_close_matches(wanted, list(plan.schema.tables), n=1)
        hint = f"Define {wanted} in {plan.project.shown(plan.project.schema_file)}, or skip the table with a reason."
        if close:
            hint = f'Is it {close[0]}? Then set to = "{close[0]}" under [tables.{table.toml}]. Else: {hint}'
        if table.name in SOURCES:
            hint = "Put **auth_tables() into schema.py (from supavex.schema): Convex Auth's own tables."
        yield Diagnostic("TableNotMapped", "error", "the source table has no Convex table.", table.name, hint)
    if table.status != "mapped":
        yield from _existing(table)
        return
    yield from _rules(table)
    yield from _key(table)
    for column in table.unmapped:
        assert table.definition is not None
        close = difflib.get_close_matches(column.name, table.definition.fields, n=1)
        hint = f"Is it {close[0]}? " if close else ""
        hint += f'Add the field to {table.target}, or set skip = "why" for the column in supavex.toml.'
        yield _finding("ColumnNotMapped", table, column.name, "the column has no field.", hint)
    for misplaced, field, misfit in table.misfits:
        where = misplaced.name if misplaced else field
        yield _finding(misfit.code, table, where, misfit.message, misfit.hint, field=field)
    for planned in table.fields:
        yield from _field(plan, table, planned)
    yield from _fields_without_column(table)
    yield from _indexes(table)


def _finding(
    code: str,
    table: TablePlan,
    column: str,
    message: str,
    hint: str = "",
    *,
    severity: Severity = "error",
    field: str = "",
) -> Diagnostic:
    place = None
    if table.definition is not None:
        validator = table.definition.fields.get(field or column)
        place = (validator.place if validator is not None else None) or table.definition.place
    return Diagnostic(code, severity, message, f"{table.source.name}.{column}" if column else table.name, hint, place)


def _existing(table: TablePlan) -> Iterator[Diagnostic]:
    if table.status != "existing":
        return
    for field, column in (table.rule.existing or {}).items():
        if table.source.column(column) is None:
            message = f"`existing` matches by the column {column}, which the table does not have."
            yield _finding("UnknownColumn", table, "", message)
        if table.definition is not None and field not in table.definition.fields:
            message = f"`existing` matches by the field {field}, which {table.target} does not have."
            yield _finding("UnknownField", table, "", message)


def _rules(table: TablePlan) -> Iterator[Diagnostic]:
    """Findings about rules of supavex.toml for missing columns and fields."""
    columns = [column.name for column in table.source.columns]
    keys = () if table.rule.key == WHOLE_ROW else table.rule.key
    named = [*table.rule.columns, *keys, *([table.rule.created] if table.rule.created else [])]
    for name in named:
        if name not in columns:
            close = difflib.get_close_matches(name, columns, n=1)
            message = f"supavex.toml names the column {name}, which {table.name} does not have."
            hint = f"Did you mean {close[0]}?" if close else ""
            yield _finding("UnknownColumn", table, name, message, hint)
    created = table.source.column(table.rule.created or "")
    if created is not None and created.name not in table.creation.columns:
        message = f"{created.type.name} is not a time that _creationTime could come from."
        hint = "Name a timestamptz, timestamp or date column."
        yield _finding("CreatedIsNoMoment", table, created.name, message, hint)
    assert table.definition is not None
    fields = table.definition.fields
    wanted = {rule.to for rule in table.rule.columns.values() if rule.to} | set(table.rule.fields)
    for name in sorted(wanted - fields.keys()):
        close = difflib.get_close_matches(name, fields, n=1)
        message = f"supavex.toml names the field {name}, which {table.target} does not have."
        yield _finding("UnknownField", table, name, message, f"Did you mean {close[0]}?" if close else "")
    seen: dict[str, str] = {}
    for planned in table.fields:
        other = seen.setdefault(planned.name, planned.place)
        if other != planned.place:
            message = f"{other} and {planned.place} both go to the field {planned.name}."
            yield _finding("FieldTwice", table, planned.place, message, "Rename one with `to`.", field=planned.name)


def _key(table: TablePlan) -> Iterator[Diagnostic]:
    if table.key is None:
        yield _finding("NoKey", table, "", "the table has no columns: its rows can't be told apart.", "Skip it.")
    elif table.key.form == "row" and not table.rule.key:
        message = "the table has no primary key and no unique key without NULLs: each id comes from the whole row."
        hint = f'Set key = ["column", …] under [tables.{table.toml}] to columns that are unique together, '
        hint += 'or key = ["*"] to leave it so (a row that changes gets another id).'
        yield _finding("NoKey", table, "", message, hint, severity="warning")
    elif table.key.form == "hash":
        fields = {planned.column.name for planned in table.fields if planned.column}
        lost = [column for column in table.key.columns if column not in fields]
        as_text = any(planned.name in SOURCE_KEY_FIELDS and planned.column is None for planned in table.fields)
        if lost and not as_text:
            message = f"the key {', '.join(lost)} is kept in no field, and its text can't be told from the id."
            yield _finding("KeyNotKept", table, lost[0], message, "Add a field for it.", severity="warning")


def _unknown_type(plan: Plan, table: TablePlan, planned: FieldPlan) -> Iterator[Diagnostic]:
    column = planned.column
    assert column is not None
    plain = planned.reference is None and planned.ids is None and not planned.expression
    unknown = not registered(column.type)
    if plan.project.unknown_types == "refuse" and plain and unknown:
        message = f"{column.type.name} would go as PostgreSQL's text of it, which unknown_types refuses."
        hint = "Give the column an sql expression, or skip it with a reason."
        yield _finding("UnknownType", table, column.name, message, hint, field=planned.name)


def _field(plan: Plan, table: TablePlan, planned: FieldPlan) -> Iterator[Diagnostic]:
    target = Target(planned.validator)
    from_row = planned.column is not None or planned.by_columns or (planned.file and planned.file.column.nullable)
    if planned.loses_null and from_row:
        message = f"the column can be NULL, and the field {planned.name} is required: such rows are rejected."
        if plan.project.fill == "defaults" or table.rule.fill == "defaults":
            column = planned.column
            constrained = column is not None and (column.name in table.source.constrained or column.type.checks)
            message += " A constraint reads the column, so fill has to name it." if constrained else ""
        hint = _nullable_hint(table, planned)
        yield _finding(
            "NullableIntoRequired", table, planned.place, message, hint, severity="warning", field=planned.name
        )
    if planned.optional and planned.fill is not MISSING:
        message = f"the field is optional, and fill makes its NULLs {printed(planned.fill)}."
        hint = f"{_fill_line(table, planned, 'none')} leaves them out."
        yield _finding("DefaultOfOptional", table, planned.place, message, hint, severity="note", field=planned.name)
    if planned.column is None:
        return
    named = plan.project.column_rule(table.rule, planned.column.name).fill == "defaults"
    if named and planned.fill is MISSING and planned.nullable:
        message = "fill asks for a default, and neither the field nor the column has a constant one."
        if planned.column.default is not None:
            message = f"fill asks for a default, and {planned.column.default} gives another value at each run."
        hint = "Give the field default=… in schema.py, or the column an sql expression."
        yield _finding("FillWithoutDefault", table, planned.place, message, hint, field=planned.name)
    yield from _unknown_type(plan, table, planned)
    yield from _not_validated(table, planned)
    yield from _allowed(table, planned, target)
    if planned.reference is None and planned.ids is None:
        key = leading_key(table.source, planned.column.name, lambda *place: bool(_moved(plan, *place)))
        by_several = any(planned.column.name in other.by_columns for other in table.fields)
        parent = None if key is None else plan.of_source(key.referenced_schema, key.referenced_table)
        moved = parent is not None and parent.status == "mapped"
        outside = key is not None and (key.referenced_schema != "auth" or moved) and not by_several
        if key is not None and outside and target.takes(kinds.String) and not target.any:
            message = (
                f"it refers to {key.referenced_schema}.{key.referenced_table}, but the field keeps the old key as text."
            )
            hint = "Make it v.id(…) of that table, or give the column an `ids` file."
            yield _finding(
                "ReferenceAsText", table, planned.place, message, hint, severity="warning", field=planned.name
            )


def _moved(plan: Plan, schema: str, name: str) -> str:
    """The Convex table of a source table that moves or exists in Convex; empty if it stays behind."""
    parent = plan.of_source(schema, name)
    return "" if parent is None else parent.target


def _not_validated(table: TablePlan, planned: FieldPlan) -> Iterator[Diagnostic]:
    """Constraints that existing rows may break, because PostgreSQL has not checked them."""
    assert planned.column is not None
    for constraint in not_validated(table.source, planned.column.name):
        if constraint.columns[0] != planned.column.name:
            continue  # A key of several columns is reported at its first column.
        if isinstance(constraint, CheckConstraint):
            message = f"the check {constraint.name} is NOT VALID or NOT ENFORCED: rows of the source may break it."
            hint = f"A rule for it in schema.py rejects such rows: {constraint.expression}"
        else:
            refers = f"{constraint.referenced_schema}.{constraint.referenced_table}"
            message = f"the foreign key {constraint.name} to {refers} is NOT VALID or NOT ENFORCED: rows may break it."
            hint = "A row whose reference leads nowhere is rejected."
        yield _finding("NotValidated", table, planned.place, message, hint, severity="note", field=planned.name)


def _nullable_hint(table: TablePlan, planned: FieldPlan) -> str:
    """What to do about NULLs in a required field: the line for supavex.toml, if there is a default."""
    other = f"make the field v.optional(…), or say {_fill_line(table, planned, 'none')}."
    default = planned.validator.rules.default
    if default is MISSING and planned.column is not None:
        default = default_for(planned.column, planned.validator)
    if default is MISSING:
        return other[0].upper() + other[1:]
    return f"{_fill_line(table, planned, 'defaults')} makes NULL {printed(default)}. Or {other}"


def _fill_line(table: TablePlan, planned: FieldPlan, fill: str) -> str:
    return f'columns.{toml_key(planned.place)}.fill = "{fill}" under [tables.{table.toml}]'


def _allowed(table: TablePlan, planned: FieldPlan, target: Target) -> Iterator[Diagnostic]:
    assert planned.column is not None
    source = allowed_values(table.source, planned.column.name)
    literals = target.allowed()
    one_of = field_rules(planned.validator).one_of
    field = literals if literals is not None else (list(one_of) if one_of is not None else None)
    if source is None or planned.conversion.kind != "string" or planned.expression or planned.ids is not None:
        return
    if field is None:
        message = f"the source allows only {', '.join(map(printed, source))}; the field takes any text."
        hint = f"Add one_of=[{', '.join(map(printed, source))}]."
        yield _finding("AllowedValuesLost", table, planned.place, message, hint, severity="note", field=planned.name)
        return
    refused = [value for value in source if value not in field]
    if refused:
        message = f"the source allows {', '.join(map(printed, refused))}, which the field does not."
        hint = "Add the values, or such rows are rejected."
        yield _finding("AllowedValuesDiffer", table, planned.place, message, hint, field=planned.name)


def _fields_without_column(table: TablePlan) -> Iterator[Diagnostic]:
    assert table.definition is not None
    have = {planned.name for planned in table.fields} | {field for _, field, _ in table.misfits}
    for name, validator in table.definition.fields.items():
        if name in have or isinstance(validator, Optional):
            continue
        if unwrap(validator).rules.default is not MISSING:
            continue
        message = "the field is required, and no column and no default gives it a value."
        hint = f'Rename a column to it, make it optional, or set fields.{name} = {{ sql = "…" }} in supavex.toml.'
        if name in SOURCE_KEY_FIELDS:
            hint = "It would hold the row's key; the table has none, or the field is not a string."
        yield _finding("FieldWithoutColumn", table, "", f"{name}: {message}", hint, field=name)


def _indexes(table: TablePlan) -> Iterator[Diagnostic]:
    assert table.definition is not None
    indexes = [index.fields for index in table.definition.indexes]
    by_column = {planned.column.name: planned.name for planned in table.fields if planned.column}
    for planned in table.fields:
        indexed = any(fields[0] == planned.name for fields in indexes if fields)
        if planned.reference is not None and planned.reference.target == STORAGE_TABLE:
            continue  # The app reads files by their ids.
        if planned.reference is not None and not planned.reference.is_array and not indexed:
            yield _finding(
                "ForeignKeyWithoutIndex",
                table,
                planned.place,
                f"no index begins with {planned.name}: finding the rows of one {planned.reference.target} "
                "reads the whole table.",
                f'.index("by_{planned.name.removesuffix("_id")}", ["{planned.name}"])',
                severity="note",
                field=planned.name,
            )
    for unique in table.source.uniques:
        fields = tuple(by_column[column] for column in unique.columns if column in by_column)
        if len(fields) != len(unique.columns):
            continue
        if not any(set(index[: len(fields)]) == set(fields) for index in indexes):
            yield _finding(
                "UniqueWithoutIndex",
                table,
                unique.columns[0],
                f"{', '.join(unique.columns)} are unique in the source; no index lets a mutation check that.",
                f"Add an index on {list(fields)}.",
                severity="note",
                field=fields[0],
            )
