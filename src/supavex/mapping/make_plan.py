"""Makes the plan from the catalog, the schema and supavex.toml, table by table and field by field."""

from __future__ import annotations

from dataclasses import replace

from supavex.convex import validators as kinds
from supavex.convex.field_rules import MISSING
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.schema import Schema
from supavex.convex.validators import Optional, Validator, unwrap
from supavex.convex.values import Value
from supavex.mapping import file_columns as storage
from supavex.mapping.conversions import Conversion, Misfit, Target, arrays, choose
from supavex.mapping.convex_auth import rule_of
from supavex.mapping.creation import MOMENTS, creation_column
from supavex.mapping.defaults import default_for
from supavex.mapping.file_columns import object_parts
from supavex.mapping.idfiles import load_id_file
from supavex.mapping.key_sql import key_text_sql
from supavex.mapping.keys import Key, key_of
from supavex.mapping.large_values import LargeValues, file_problem, toml_key
from supavex.mapping.names import camel_case
from supavex.mapping.plan import (
    ALIAS,
    SOURCE_KEY_FIELDS,
    UNKNOWN_TYPE,
    CreationTime,
    FieldPlan,
    IdFile,
    KeyText,
    Plan,
    Reference,
    SqlExpression,
    Status,
    TablePlan,
    column_sql,
)  # fmt: skip
from supavex.mapping.references import add_references, pointer_of, reference_of
from supavex.postgres.catalog import Catalog, Column, Table, Type
from supavex.settings.rules import ColumnRule, TableRule
from supavex.settings.settings import Settings

_FALLBACK_COLUMNS = ("updated_at", "updatedAt")


def make_plan(project: Settings, schema: Schema, catalog: Catalog) -> Plan:
    """The plan of ``project``. Raises only for missing or broken id files. Coverage reports all other problems."""
    tables = [_table(project, schema, table) for table in catalog]
    order = {name: position for position, name in enumerate(schema.tables)}
    tables.sort(key=lambda plan: (order.get(plan.target, len(order)), plan.name))
    plan = Plan(project, schema, catalog, tables)
    files: dict[str, dict[str, str]] = {}
    for table in plan.tables:
        if table.status == "mapped":
            _fill(plan, table, files)
    return plan


def _table(project: Settings, schema: Schema, table: Table) -> TablePlan:
    rule = rule_of(project, table)
    if rule.skip is not None:
        return TablePlan(table, "skipped", rule, toml=_toml(project, table))
    names = [rule.to] if rule.to else [table.name, camel_case(table.name)]
    target = next((name for name in names if name in schema.tables), None)
    if target is None:
        return TablePlan(table, "missing", rule, toml=_toml(project, table))
    status: Status = "mapped" if rule.existing is None else "existing"
    return TablePlan(
        table,
        status,
        rule,
        target,
        schema.tables[target],
        key_of(table, rule.key),
        _creation(table, rule),
        toml=_toml(project, table),
        by_name=frozenset(project.columns.keys() - rule.columns.keys()),
    )


def _toml(project: Settings, table: Table) -> str:
    """The table's name in supavex.toml, as a rule for it has or would have it."""
    plain = table.schema == project.schemas[0] and table.qualified not in project.tables
    return toml_key(table.name if plain else table.qualified)


def _creation(table: Table, rule: TableRule) -> CreationTime:
    moments = {column.name for column in table.columns if column.type.base in MOMENTS}
    first = rule.created or creation_column(table)[0]
    if first is None or first not in moments:
        return CreationTime()
    return CreationTime((first, *(name for name in _FALLBACK_COLUMNS if name in moments and name != first)))


def _fill(plan: Plan, table: TablePlan, files: dict[str, dict[str, str]]) -> None:
    assert table.definition is not None
    fields = table.definition.fields
    used: set[str] = set()
    referring = {column for rule in table.rule.fields.values() for column in rule.references}
    rules = {column.name: plan.project.column_rule(table.rule, column.name) for column in table.source.columns}
    # A field that has the name of a column, or that supavex.toml gives to a column, is not matched by another column in
    # camel case.
    taken = {rule.to for rule in rules.values() if rule.to} | {name for name, rule in rules.items() if not rule.to}
    taken |= table.rule.fields.keys()
    filed: dict[str, str] = {}
    for column_name, rule in rules.items():
        if rule.file is not None:
            filed.setdefault(rule.file, column_name)
    for column in table.source.columns:
        rule = rules[column.name]
        if rule.skip is not None:
            table.skipped[column.name] = rule.skip
            continue
        if column.type.unknown and rule.sql is None:
            table.skipped[column.name] = UNKNOWN_TYPE.format(column.type.name)
            continue
        names = [rule.to] if rule.to else [column.name]
        if not rule.to and camel_case(column.name) not in taken:
            names.append(camel_case(column.name))
        name = next((n for n in names if n in fields and n not in table.rule.fields), None)
        other = next(
            (filed[n] for n in (name, rule.file) if n is not None and filed.get(n, column.name) != column.name), None
        )
        if other is not None:
            used |= {n for n in (name, rule.file) if n}
            message = f"the field {name if name in filed else rule.file} gets the ids of the files of {other}."
            hint = f"Name another field with `file` for {other}, or for this column with `to` or `file`."
            table.misfits.append((column, name or str(rule.file), Misfit(message, hint, "FileDoesNotFit")))
            continue
        if rule.file is not None and table.key is not None:
            used |= {rule.file, *([name] if name else [])}
            _add_file(plan, table, name, column, rule, referring)
            continue
        if name is None:
            kept = table.key.columns if table.key is not None and table.key.form != "row" else ()
            if column.name not in (*kept, *referring):
                table.unmapped.append(column)
            continue
        used.add(name)
        _add_field(plan, table, name, fields[name], column, files)
    for name, validator in fields.items():
        if name in used:
            continue
        own = table.rule.fields.get(name)
        if own is not None and own.references:
            add_references(plan, table, name, validator, own.references)
        elif own is not None:
            _add_expression(plan, table, name, validator, own.sql or "NULL")
        elif name in SOURCE_KEY_FIELDS and table.key is not None and Target(validator).takes(kinds.String):
            _add_expression(plan, table, name, validator, table.key)
    order = {name: position for position, name in enumerate(fields)}
    table.fields.sort(key=lambda f: order[f.name])


def _add_field(
    plan: Plan,
    table: TablePlan,
    name: str,
    validator: Validator,
    column: Column,
    files: dict[str, dict[str, str]],
) -> None:
    rule = plan.project.column_rule(table.rule, column.name)
    inner, optional = unwrap(validator), isinstance(validator, Optional)
    source = f"({rule.sql})" if rule.sql else column_sql(column)
    value: Column | SqlExpression | IdFile | Reference = SqlExpression() if rule.sql else column
    conversion: Conversion | Misfit
    type_ = column.type if not rule.sql else _type_of(plan, table, rule.sql)
    if isinstance(type_, Misfit):
        conversion = type_
    elif rule.truncate is not None and (rule.ids or rule.storage or pointer_of(inner) is not None):
        conversion = Misfit("truncate cuts text, and this becomes an id.", "Leave truncate out.")
    elif rule.ids:
        if rule.ids not in files:
            files[rule.ids] = load_id_file(plan.project.root / rule.ids, rule.ids)
        value = IdFile(rule.ids, files[rule.ids])
        type_ = Type("text", "text")
        conversion = choose(type_, Target(inner), rule)
    elif rule.storage:
        source = f"NULLIF(({source})::text, '')"
        found = _stored_file(source, inner, rule.storage)
        if isinstance(found, Misfit):
            conversion = found
        else:
            value, conversion = found, Conversion("stored file", "id")
    elif (pointer := pointer_of(inner)) is not None:
        found = reference_of(plan, table, column, pointer, source, type_)
        if isinstance(found, Misfit):
            conversion = found
        else:
            value, conversion = found, Conversion("reference", "id")
            if found.is_array:
                conversion = Conversion("array of references", "id", guards=(arrays.ONE_DIMENSION, arrays.SHORT))
    else:
        type_ = type_ or _type_for(inner, column)
        conversion = choose(type_, Target(inner), rule)
        if rule.sql and isinstance(conversion, Misfit):
            conversion = _uncast(conversion)
    if isinstance(conversion, Misfit):
        table.misfits.append((column, name, conversion))
        return
    table.fields.append(
        FieldPlan(
            name,
            inner,
            optional,
            source,
            value,
            conversion,
            type_ if isinstance(type_, Type) else column.type,
            column.name,
            column,
            _fill_of(plan, table, rule, column, validator),
            # The author of an expression has decided about NULL.
            plan.project.filling(table.rule, rule) == "none" or rule.sql is not None,
        )
    )


def _fill_of(plan: Plan, table: TablePlan, rule: ColumnRule, column: Column, validator: Validator) -> Value:
    """The replacement of a column's NULLs if supavex.toml asks for defaults; MISSING if they stay NULL.

    It is the field's default. For a required field without one, it is the column's default, if that is a constant.
    """
    named = rule.fill == "defaults"
    if plan.project.filling(table.rule, rule) != "defaults":
        return MISSING
    if (column.name in table.source.constrained or column.type.checks) and not named:
        return MISSING  # A value might break a constraint that NULL does not break.
    inner = unwrap(validator)
    if inner.rules.default is not MISSING:
        return inner.rules.default
    needed = named or not (isinstance(validator, Optional) or Target(inner).null)
    plain = not (rule.sql or rule.ids or rule.storage)
    return default_for(column, inner) if needed and plain else MISSING


def _add_file(
    plan: Plan, table: TablePlan, own: str | None, column: Column, rule: ColumnRule, referring: set[str]
) -> None:
    """Adds the field for the ids of a column's files, and its ``own`` field for the values that stay."""
    assert table.definition is not None
    assert table.key is not None
    assert rule.file is not None
    fields = table.definition.fields
    problem = file_problem(table.source, table.key, column, rule, fields, own, referring)
    if problem is None and rule.file in table.rule.fields:
        message = f"the field {rule.file} has a rule of its own, under `fields`."
        problem = Misfit(message, "Name another field for the file, or take that rule away.", "FileDoesNotFit")
    if problem is not None:
        table.misfits.append((column, own or rule.file, problem))
        return
    own = None if own == rule.file else own
    large = LargeValues(table.source.schema, table.source.name, column, table.key, rule.file_over, own or "")
    if own is not None:
        _add_field(plan, table, own, fields[own], column, {})
        kept = next((found for found in table.fields if found.name == own), None)
        if kept is not None:
            kept_conversion = large.kept(kept.conversion)
            table.fields[table.fields.index(kept)] = replace(kept, conversion=kept_conversion, large=large)
    validator = fields[rule.file]
    table.fields.append(
        FieldPlan(
            rule.file,
            unwrap(validator),
            isinstance(validator, Optional),
            column_sql(column),
            large,
            large.conversion(ALIAS),
            column.type,
            column.name,
            null_is_rejected=plan.project.filling(table.rule, rule) == "none",
        )
    )


def _stored_file(source: str, validator: Validator, bucket: str | bool) -> Reference | Misfit:
    """The reference of a column that names a file of a bucket (True: by its whole address)."""
    pointer = pointer_of(validator)
    if pointer is None or pointer[0].table != STORAGE_TABLE:
        return Misfit(
            f"`storage` makes ids of stored files, and the field is {validator}.", 'Make it v.id("_storage").'
        )
    if pointer[1]:
        hint = "Keep the addresses as strings, or give each file a row of its own."
        return Misfit("a list of files can't be moved yet.", hint)
    key = Key(("id",), "uuid")
    parts = object_parts(source, bucket)
    return Reference(storage.SCHEMA, storage.TABLE, STORAGE_TABLE, key, ("bucket_id", "name"), parts, via_unique=True)


def _type_of(plan: Plan, table: TablePlan, sql: str) -> Type | Misfit | None:
    """PostgreSQL's type of an ``sql`` expression, or its error; None if neither is known."""
    said = plan.catalog.expression(table.source, sql)
    if said is not None and said.error:
        hint = "Correct it in supavex.toml: t is the row, and what is not PostgreSQL's own needs its schema."
        return Misfit(f"PostgreSQL refuses its sql expression: {said.error}.", hint, "InvalidExpression")
    # A bare NULL fits every field, and its type says nothing.
    return None if said is None or sql.strip().upper() == "NULL" else said.type


def _uncast(problem: Misfit) -> Misfit:
    """Why the type of an expression does not fit."""
    hint = f"Cast its sql expression to a type that fits. {problem.hint}".rstrip()
    return replace(problem, message=f"its sql expression gives another type: {problem.message}", hint=hint)


def _type_for(validator: Validator, column: Column) -> Type:
    """The assumed type of an expression whose type PostgreSQL does not say: the column's type if the field takes it,
    else a type that the field takes.
    """
    if not isinstance(choose(column.type, Target(validator), ColumnRule()), Misfit):
        return column.type
    target = Target(validator)
    if target.takes(kinds.String):
        return Type("text", "text")
    if target.takes(kinds.Number):
        return Type("double precision", "float8")
    if target.takes(kinds.Boolean):
        return Type("boolean", "bool")
    return Type("jsonb", "jsonb") if target.structured else column.type


def _add_expression(plan: Plan, table: TablePlan, name: str, validator: Validator, made_of: str | Key) -> None:
    """Adds a field with an ``sql`` expression, or with the row's key as text."""
    expression = made_of if isinstance(made_of, str) else key_text_sql(made_of, made_of.own(ALIAS))
    inner, optional = unwrap(validator), isinstance(validator, Optional)
    column = Column(name, Type("text", "text"), nullable=True)
    type_ = _type_of(plan, table, expression)
    if isinstance(type_, Misfit):
        table.misfits.append((None, name, type_))
        return
    type_, said = type_ or _type_for(inner, column), type_ is not None
    conversion = choose(type_, Target(inner), ColumnRule())
    if isinstance(conversion, Misfit):
        table.misfits.append((None, name, _uncast(conversion) if said else conversion))
        return
    source = f"({expression})"
    fills = plan.project.filling(table.rule, ColumnRule()) == "defaults"
    fill = inner.rules.default if fills else MISSING
    value = SqlExpression() if isinstance(made_of, str) else KeyText(made_of)
    table.fields.append(FieldPlan(name, inner, optional, source, value, conversion, type_, name, fill=fill))
