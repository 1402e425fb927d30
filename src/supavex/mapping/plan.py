"""The plan: for every source table, the Convex table it goes to, and how each field gets its value.

A plan is what catalog, schema and supavex.toml come to together. It reads no rows. What does not fit is a diagnostic;
a plan with errors is never carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from supavex.convex import validators as kinds
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.schema import Schema, TableDefinition
from supavex.convex.validators import MISSING, Optional, Validator, unwrap
from supavex.convex.values import Value
from supavex.mapping import storage
from supavex.mapping.conversions import Conversion, Misfit, Target, arrays, choose
from supavex.mapping.convex_auth import auth_rule
from supavex.mapping.idfiles import load_id_file
from supavex.mapping.keys import Key, key_of
from supavex.mapping.large_values import LargeValues, file_problem, toml_key
from supavex.mapping.names import camel_case
from supavex.mapping.storage import object_parts
from supavex.postgres.catalog import Catalog, Column, ForeignKey, Table, Type
from supavex.postgres.connection import quoted
from supavex.project import ColumnRule, Project, TableRule

Status = Literal["mapped", "existing", "skipped", "missing"]
#: Fields that hold the source row's key as text, where the source has no column of that name.
SOURCE_KEY_FIELDS = ("supabaseId", "supabase_id")
#: Columns that ``_creationTime`` comes from, the first that a table has.
CREATION_COLUMNS = ("created_at", "createdAt", "inserted_at", "created", "created_on")
_FALLBACK_COLUMNS = ("updated_at", "updatedAt")
_MOMENTS = ("timestamptz", "timestamp", "date")
#: The alias of the source table in every expression.
ALIAS = "t"


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a field's id points: the source table (schema, name), its key, and how the row names it.

    ``parts`` are SQL over the child's row for the parent's ``columns``: those of its key, or of the unique key that
    the foreign key names (``through``), from which the parent's own key is then read. ``many``: the field is an array
    of ids; the part is ``e.x``, an element of the column's array.
    """

    schema: str
    table: str
    target: str
    key: Key
    columns: tuple[str, ...]
    parts: tuple[str, ...]
    existing: bool = False
    through: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How one field gets its value.

    ``source`` is an SQL expression over the source row; ``column`` the catalog's column where it is one. NULL becomes
    ``default``, or leaves an optional field out, or is null where the field takes it, or rejects the row.
    """

    name: str
    validator: Validator
    optional: bool
    source: str
    column: Column | None
    conversion: Conversion
    default: Value = MISSING
    reference: Reference | None = None
    ids: Mapping[str, str] | None = None
    ids_file: str = ""
    null_is_rejected: bool = False
    #: Whether the value comes from an ``sql`` expression, and not from the column as it is.
    expression: bool = False
    #: The columns of a reference by several.
    by_columns: tuple[str, ...] = ()
    #: Of a field that gets the ids of files: the values that become them. ``column`` is another field's, or none's.
    file: LargeValues | None = None

    @property
    def nullable(self) -> bool:
        """Whether the source can be NULL, as far as the catalog knows."""
        return self.column is None or self.column.nullable or self.conversion.makes_null

    @property
    def loses_null(self) -> bool:
        """Whether NULL would reject the row, and nobody said that it is meant to."""
        kept = self.optional or self.takes_null or self.default is not MISSING
        return self.nullable and not kept and not self.null_is_rejected

    @property
    def takes_null(self) -> bool:
        """Whether NULL stays null in the document."""
        return not self.optional and self.default is MISSING and Target(self.validator).null

    @property
    def place(self) -> str:
        """The column's name (or those of a reference by several), or the field's where it has none."""
        if self.file is not None:
            return self.file.column.name
        return self.column.name if self.column else ", ".join(self.by_columns) or self.name


@dataclass(frozen=True, slots=True)
class CreationTime:
    """Where ``_creationTime`` comes from: columns in order of preference; none of them, then a constant."""

    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class TablePlan:
    """One source table's way to Convex."""

    source: Table
    status: Status
    rule: TableRule
    target: str = ""
    definition: TableDefinition | None = None
    key: Key | None = None
    creation: CreationTime = CreationTime()
    fields: list[FieldPlan] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    unmapped: list[Column] = field(default_factory=list)
    misfits: list[tuple[Column | None, str, Misfit]] = field(default_factory=list)
    #: Its name as supavex.toml writes it in ``[tables.…]``.
    toml: str = ""

    @property
    def files(self) -> list[LargeValues]:
        """The columns whose large values become stored files."""
        return [field.file for field in self.fields if field.file is not None]

    @property
    def name(self) -> str:
        """``schema.table`` of the source."""
        return self.source.qualified


@dataclass(slots=True)
class Plan:
    """All tables' ways, in the order of the schema; tables without a target last."""

    project: Project
    schema: Schema
    catalog: Catalog
    tables: list[TablePlan]

    @property
    def stored(self) -> list[tuple[TablePlan, FieldPlan]]:
        """The fields of moved tables that refer to stored files."""
        return [
            (table, field)
            for table in self.moved
            for field in table.fields
            if field.reference is not None and field.reference.target == STORAGE_TABLE
        ]

    @property
    def large(self) -> list[tuple[TablePlan, LargeValues]]:
        """The columns of moved tables whose large values become stored files."""
        return [(table, found) for table in self.moved for found in table.files]

    @property
    def moved(self) -> list[TablePlan]:
        """The tables whose rows are copied."""
        return [table for table in self.tables if table.status == "mapped"]

    def to_target(self, target: str) -> TablePlan | None:
        """The plan of the source table that goes to the Convex table ``target``."""
        return next((t for t in self.tables if t.target == target and t.status in ("mapped", "existing")), None)

    def of_source(self, schema: str, name: str) -> TablePlan | None:
        """The plan of a source table."""
        return next((t for t in self.tables if (t.source.schema, t.source.name) == (schema, name)), None)


def make_plan(project: Project, schema: Schema, catalog: Catalog) -> Plan:
    """The plan of ``project``. Raises only for missing or broken id files; all else is for coverage to report."""
    tables = [_table(project, schema, table) for table in catalog]
    order = {name: position for position, name in enumerate(schema.tables)}
    tables.sort(key=lambda plan: (order.get(plan.target, len(order)), plan.name))
    plan = Plan(project, schema, catalog, tables)
    files: dict[str, dict[str, str]] = {}
    for table in plan.tables:
        if table.status == "mapped":
            _fill(plan, table, files)
    return plan


def _table(project: Project, schema: Schema, table: Table) -> TablePlan:
    rule = auth_rule(project, table) or project.table_rule(table.schema, table.name)
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
    )


def _toml(project: Project, table: Table) -> str:
    """The name under which supavex.toml has rules for the table, or would have them."""
    plain = table.schema == project.schemas[0] and table.qualified not in project.tables
    return toml_key(table.name if plain else table.qualified)


def _creation(table: Table, rule: TableRule) -> CreationTime:
    wanted = [rule.created] if rule.created else list(CREATION_COLUMNS)
    moments = {column.name for column in table.columns if column.type.base in _MOMENTS}
    first = next((name for name in wanted if name in moments), None)
    if first is None:
        return CreationTime()
    return CreationTime((first, *(name for name in _FALLBACK_COLUMNS if name in moments and name != first)))


def _fill(plan: Plan, table: TablePlan, files: dict[str, dict[str, str]]) -> None:
    assert table.definition is not None
    fields = table.definition.fields
    used: set[str] = set()
    referring = {column for rule in table.rule.fields.values() for column in rule.references}
    rules = {column.name: plan.project.column_rule(table.rule, column.name) for column in table.source.columns}
    # A field that is named after one column, or that supavex.toml gives to one, is no other column's in camel case.
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
        _add_field(plan, table, name, fields[name], column, rule, files)
    for name, validator in fields.items():
        if name in used:
            continue
        own = table.rule.fields.get(name)
        if own is not None and own.references:
            _add_references(plan, table, name, validator, own.references)
        elif own is not None:
            _add_expression(table, name, validator, own.sql or "NULL")
        elif name in SOURCE_KEY_FIELDS and table.key is not None and Target(validator).takes(kinds.String):
            expression = table.key.text_sql(table.key.own(ALIAS))
            _add_expression(table, name, validator, expression)
    order = {name: position for position, name in enumerate(fields)}
    table.fields.sort(key=lambda f: order[f.name])


def _add_field(
    plan: Plan,
    table: TablePlan,
    name: str,
    validator: Validator,
    column: Column,
    rule: ColumnRule,
    files: dict[str, dict[str, str]],
) -> None:
    inner, optional = unwrap(validator), isinstance(validator, Optional)
    source = f"({rule.sql})" if rule.sql else f"{ALIAS}.{quoted(column.name)}"
    reference = None
    ids: Mapping[str, str] | None = None
    conversion: Conversion | Misfit
    if rule.ids:
        if rule.ids not in files:
            files[rule.ids] = load_id_file(plan.project.root / rule.ids, rule.ids)
        ids = files[rule.ids]
        conversion = choose(Type("text", "text"), Target(inner), rule)
    elif rule.storage:
        source = f"NULLIF(({source})::text, '')"
        stored = _stored_file(source, inner, rule.storage)
        reference = None if isinstance(stored, Misfit) else stored
        conversion = stored if isinstance(stored, Misfit) else Conversion("stored file", "id")
    elif (pointer := pointer_of(inner)) is not None:
        found = _reference(plan, table, column, pointer, source, sql=bool(rule.sql))
        if isinstance(found, Misfit):
            conversion = found
        else:
            reference = found
            conversion = Conversion("reference", "id")
            if found.many:
                conversion = Conversion("array of references", "id", guards=(arrays.ONE_DIMENSION, arrays.SHORT))
    else:
        # An expression's type is PostgreSQL's to know; it is read as what the field wants.
        type_ = column.type if not rule.sql else _type_for(inner, column)
        conversion = choose(type_, Target(inner), rule)
    if isinstance(conversion, Misfit):
        table.misfits.append((column, name, conversion))
        return
    table.fields.append(
        FieldPlan(
            name,
            inner,
            optional,
            source,
            column,
            conversion,
            inner.rules.default,
            reference,
            ids,
            rule.ids or "",
            # Who writes an expression has thought of NULL.
            rule.null == "reject" or rule.sql is not None,
            # A file's id does not say how its address was written.
            rule.sql is not None or bool(rule.storage),
        )
    )


def _add_file(
    plan: Plan, table: TablePlan, own: str | None, column: Column, rule: ColumnRule, referring: set[str]
) -> None:
    """A field for the ids of a column's files, and its ``own`` field for the values that become none."""
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
    source = f"{ALIAS}.{quoted(column.name)}"
    if own is not None:
        _add_field(plan, table, own, fields[own], column, rule, {})
        kept = next((found for found in table.fields if found.name == own), None)
        if kept is not None:
            table.fields[table.fields.index(kept)] = replace(kept, conversion=large.kept(kept.conversion))
    validator = fields[rule.file]
    table.fields.append(
        FieldPlan(
            rule.file,
            unwrap(validator),
            isinstance(validator, Optional),
            source,
            None,
            large.conversion(ALIAS),
            null_is_rejected=rule.null == "reject",
            file=large,
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
    return Reference(storage.SCHEMA, storage.TABLE, STORAGE_TABLE, key, ("bucket_id", "name"), parts, through=True)


def _type_for(validator: Validator, column: Column) -> Type:
    """The type an ``sql`` expression is taken to have: the column's where the field takes it, else one it does."""
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


def _add_expression(table: TablePlan, name: str, validator: Validator, expression: str) -> None:
    inner, optional = unwrap(validator), isinstance(validator, Optional)
    column = Column(name, Type("text", "text"), nullable=True)
    conversion = choose(_type_for(inner, column), Target(inner), ColumnRule())
    if isinstance(conversion, Misfit):
        table.misfits.append((None, name, conversion))
        return
    source = f"({expression})"
    table.fields.append(FieldPlan(name, inner, optional, source, None, conversion, inner.rules.default))


def pointer_of(validator: Validator) -> tuple[kinds.Id, bool] | None:
    """The ``v.id(…)`` that a field takes, and whether it is an array of them; null may stand beside each. Else None."""
    member = _only_member(validator)
    many = isinstance(member, kinds.Array)
    if isinstance(member, kinds.Array):
        member = _only_member(member.element)
    return (member, many) if isinstance(member, kinds.Id) else None


def _only_member(validator: Validator) -> Validator | None:
    members = [member for member in Target(validator).members if not isinstance(member, kinds.Null)]
    return members[0] if len(members) == 1 else None


def _add_references(plan: Plan, table: TablePlan, name: str, validator: Validator, columns: tuple[str, ...]) -> None:
    """A field for a reference by several columns (or by one that has a field of its own too)."""
    inner, optional = unwrap(validator), isinstance(validator, Optional)
    pointer = pointer_of(inner)
    unknown = next((column for column in columns if table.source.column(column) is None), None)
    found: Reference | Misfit
    if unknown is not None:
        found = Misfit(f"{table.name} has no column {unknown}.", "`references` names columns of this table.")
    elif pointer is None or pointer[1]:
        found = Misfit(f"{inner} holds no id.", "Make it v.id(…) of the table that the columns refer to.")
    else:
        parts = {column: f"{ALIAS}.{quoted(column)}" for column in columns}
        key = _foreign_key(plan, table, columns, pointer[0])
        found = _referred(plan, pointer[0], key, parts)
        if key is None and not isinstance(found, Misfit):
            found = _comparable(plan, table, columns, found) or found
    if isinstance(found, Misfit):
        table.misfits.append((None, name, found))
        return
    there = " AND ".join(f"{part} IS NOT NULL" for part in found.parts)
    texts = ", ".join(f"{part}::text" for part in found.parts)
    source = f"(CASE WHEN {there} THEN to_jsonb(ARRAY[{texts}])::text END)"
    nulls = [column.nullable for name in columns if (column := table.source.column(name)) is not None]
    table.fields.append(
        FieldPlan(
            name,
            inner,
            optional,
            source,
            None,
            Conversion("reference", "id"),
            inner.rules.default,
            found,
            null_is_rejected=not any(nulls),
            by_columns=columns,
        )
    )


def _referred(
    plan: Plan, pointer: kinds.Id, foreign_key: ForeignKey | None, parts: Mapping[str, str]
) -> Reference | Misfit:
    """What a foreign key leads to, or, without one, the table of ``pointer``; ``parts`` are SQL by column."""
    if foreign_key is None:
        # No constraint says where it points: the schema does, and every value is looked for there.
        parent = plan.to_target(pointer.table)
        referenced = parent.key.columns if parent is not None and parent.key is not None else ()
        named = tuple(parts.values())
    else:
        parent = plan.of_source(foreign_key.referenced_schema, foreign_key.referenced_table)
        referenced = foreign_key.referenced_columns
        named = tuple(parts[column] for column in foreign_key.columns)
    if parent is None or parent.status not in ("mapped", "existing"):
        if pointer.table == STORAGE_TABLE:
            return Misfit(
                "nothing says how its values name stored files.",
                'Say storage = "BUCKET" for the column in supavex.toml (or true, where it holds whole addresses).',
            )
        where = f"{foreign_key.referenced_schema}.{foreign_key.referenced_table}" if foreign_key else pointer.table
        return Misfit(
            f"it refers to {where}, which no source table that is moved or declared existing stands for.",
            "Move that table, declare it existing, give the column an `ids` file, or make the field v.string().",
        )
    if parent.target != pointer.table:
        return Misfit(
            f"its foreign key refers to {parent.name}, which is {parent.target}, but the field is "
            f'v.id("{pointer.table}").',
            f'Make it v.id("{parent.target}").',
        )
    if parent.key is None or not parent.key.refers or len(referenced) != len(named):
        count = "one column" if len(named) == 1 else f"{len(named)} columns"
        return Misfit(
            f"{parent.name} has no key of {count} that it could refer to.",
            f"Give that table a `key` in supavex.toml, make the field a string, or set fields.NAME = "
            f'{{ references = ["…"] }} with a column for each of {", ".join(referenced) or "its key"}.',
        )
    through = set(referenced) != set(parent.key.columns)
    if not through:
        by_column = dict(zip(referenced, named, strict=True))
        referenced, named = parent.key.columns, tuple(by_column[column] for column in parent.key.columns)
    return Reference(
        parent.source.schema,
        parent.source.name,
        parent.target,
        parent.key,
        referenced,
        named,
        parent.status == "existing",
        through,
    )


def _reference(
    plan: Plan, table: TablePlan, column: Column, pointer: tuple[kinds.Id, bool], source: str, *, sql: bool
) -> Reference | Misfit:
    id_, many = pointer
    foreign_key = None if many else _foreign_key(plan, table, (column.name,), id_)
    if many and not sql and column.type.element is None:
        return Misfit(f"{column.type.name} is no array.", f'Make it v.id("{id_.table}").')
    found = _referred(plan, id_, foreign_key, {column.name: "e.x" if many else source})
    if isinstance(found, Misfit):
        return found
    found = replace(found, many=many)
    if sql or foreign_key is not None:
        return found
    return _comparable(plan, table, (column.name,), found) or found


def _comparable(plan: Plan, table: TablePlan, columns: tuple[str, ...], found: Reference) -> Misfit | None:
    """Why columns that no foreign key holds to it can't be compared with what they refer to; None where they can."""
    parent = plan.of_source(found.schema, found.table)
    assert parent is not None
    for name, referenced in zip(columns, found.columns, strict=True):
        column, expected = table.source.column(name), parent.source.column(referenced)
        if column is None or expected is None:
            continue
        type_ = column.type.element or column.type if found.many else column.type
        if _kin(type_) != _kin(expected.type):
            cast = f"{name}::{expected.type.name}{'[]' if found.many else ''}"
            return Misfit(
                f"it is {type_.name}, but {found.schema}.{found.table}.{referenced} is {expected.type.name}.",
                f'Give the column an sql expression, such as sql = "{cast}".',
            )
    return None


def _foreign_key(plan: Plan, table: TablePlan, columns: tuple[str, ...], pointer: kinds.Id) -> ForeignKey | None:
    """The foreign key of some columns; of several, the one to the table that the field names."""
    keys = [key for key in table.source.foreign_keys if sorted(key.columns) == sorted(columns)]
    for key in keys:
        parent = plan.of_source(key.referenced_schema, key.referenced_table)
        if parent is not None and parent.target == pointer.table:
            return key
    return keys[0] if keys else None


def _kin(type_: Type) -> str:
    """Types that PostgreSQL compares without a cast have one name."""
    for kin in (("int2", "int4", "int8"), ("text", "varchar", "bpchar", "name", "citext")):
        if type_.base in kin:
            return kin[0]
    return type_.base
