"""Both sides of a table for the advice: the Convex table, and the field of each column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from supavex.convex.schema import Schema, TableDefinition
from supavex.convex.validators import Null, Number, Optional, Union, Validator, unwrap
from supavex.errors import SupavexError
from supavex.installation import install_command
from supavex.mapping.make_plan import make_plan
from supavex.mapping.names import camel_case
from supavex.mapping.plan import Plan, TablePlan
from supavex.mapping.references import pointer_of
from supavex.mapping.source import Source
from supavex.settings.rules import TableRule
from supavex.settings.schema_file import load_schema
from supavex.settings.settings import Settings

Status = Literal["mapped", "existing", "skipped", "missing", "view", "unknown"]
_MOMENTS = ("timestamptz", "timestamp", "date")


@dataclass(frozen=True, slots=True)
class ColumnSide:
    """A column and its field. ``field`` is ``_id`` for the key, and empty for a column without a field, for the reason
    ``why``.
    """

    column: str
    field: str = ""
    why: str = ""
    validator: Validator | None = None
    #: Whether the field holds a timestamp as milliseconds.
    is_time: bool = False

    @property
    def optional(self) -> bool:
        """Whether the field may be absent."""
        return isinstance(self.validator, Optional)

    @property
    def inner(self) -> Validator | None:
        """The validator without ``v.optional``."""
        return unwrap(self.validator) if self.validator is not None else None

    @property
    def nullable(self) -> bool:
        """Whether null is stored in the field. Otherwise NULL leaves the field out."""
        inner = self.inner
        return isinstance(inner, Null) or (isinstance(inner, Union) and any(isinstance(m, Null) for m in inner.members))

    @property
    def refers_to(self) -> str:
        """The Convex table whose id the field holds; empty if it holds no id, or an array of ids."""
        pointer = pointer_of(self.inner) if self.inner is not None else None
        return pointer[0].table if pointer is not None and not pointer[1] else ""


@dataclass(slots=True)
class TableSide:
    """A source table under the app's name for it, and its Convex table."""

    #: The app's name for the table.
    source: str
    #: Whether the table moves. ``missing``: the schema has no table for it. ``unknown``: the source has no such table.
    status: Status
    #: The Convex table; empty if there is none.
    target: str = ""
    #: Why the table has no Convex table.
    reason: str = ""
    #: The definition of the Convex table; None if there is none.
    definition: TableDefinition | None = None
    #: The table's rules of supavex.toml.
    rule: TableRule = field(default_factory=TableRule)
    #: None if the source could not be read.
    plan: TablePlan | None = None
    #: The key's only column, if the id is computed from it.
    key: str = ""
    #: The field with the same value as ``_creationTime``.
    created: str = ""
    #: The columns by name, if the source could be read. See :meth:`column`.
    columns: dict[str, ColumnSide] = field(default_factory=dict)

    @property
    def uniques(self) -> list[tuple[str, ...]]:
        """Groups of fields that were unique in the source, if each column has a field."""
        found = list(self.definition.uniques) if self.definition is not None else []
        for unique in self.plan.source.uniques if self.plan is not None else ():
            fields = tuple(self.column(name).field for name in unique.columns)
            if all(fields) and not any(set(fields) == set(known) for known in found):
                found.append(fields)
        return [fields for fields in found if fields != ("_id",)]

    def column(self, name: str) -> ColumnSide:
        """The field of the column ``name``."""
        return self.columns.get(name) or self._by_name(name)

    def _by_name(self, name: str) -> ColumnSide:
        """The field by the names alone, for tables without a plan: tables that exist in Convex, or an unreadable
        source.
        """
        fields = self.definition.fields if self.definition is not None else {}
        rule = self.rule.columns.get(name)
        if rule is not None and rule.skip is not None:
            return ColumnSide(name, why=f"left behind: {rule.skip}")
        if rule is not None and rule.to:
            found = rule.to if rule.to in fields else ""
        else:
            found = next((option for option in (name, camel_case(name)) if option in fields), "")
        if not found and name == (self.key or "id"):
            return ColumnSide(name, "_id")
        why = "" if found else "has no field in Convex"
        column = self.plan.source.column(name) if self.plan is not None else None
        is_time = column is not None and column.type.base in _MOMENTS
        validator = fields.get(found)
        numeric = validator is not None and isinstance(unwrap(validator), Number)
        return ColumnSide(name, found, why, validator, is_time and numeric)


@dataclass(slots=True)
class Sides:
    """All tables of a project, by source name (``articles``, ``public.articles``). ``notes`` say what is unknown."""

    tables: dict[str, TableSide] = field(default_factory=dict)
    schema: Schema | None = None
    plan: Plan | None = None
    project: Settings | None = None
    notes: list[str] = field(default_factory=list)

    def table(self, name: str, schema: str = "") -> TableSide:
        """The table that the app calls ``name``; a table with the status ``unknown`` if there is none."""
        found = self.tables.get(f"{schema}.{name}") if schema else self.tables.get(name)
        if found is not None:
            return found
        if self.plan is None and self.schema is not None and self.project is not None:
            return _named(self.project, self.schema, name, schema)
        return TableSide(name, "unknown")

    def of_target(self, target: str) -> list[TableSide]:
        """The tables that go to the Convex table ``target``."""
        unique = {id(side): side for side in self.tables.values() if side.target == target}
        return list(unique.values())


def read_sides(project: Settings | None, why: str = "") -> Sides:
    """Both sides of each table of ``project``. ``notes`` name what could not be read."""
    if project is None:
        return Sides(notes=[why])
    try:
        schema = load_schema(project)
    except SupavexError as error:
        where = f"{error.where}: " if error.where else ""
        return Sides(project=project, notes=[f"No advice: {where}{error.message}"])
    try:
        catalog, _ = Source(project).catalog()
        plan = make_plan(project, schema, catalog)
    except ModuleNotFoundError as error:
        note = f"Columns are matched by their names only: reading the source needs the Python package {error.name}"
        return Sides(schema=schema, project=project, notes=[f"{note} ({install_command(['embedded'])})."])
    except SupavexError as error:
        note = f"Columns are matched by their names only, because the source can't be read: {error.message}"
        return Sides(schema=schema, project=project, notes=[note])
    sides = Sides(schema=schema, plan=plan, project=project)
    for table in plan.tables:
        side = _planned(table)
        if table.source.schema == project.schemas[0]:
            sides.tables[table.source.name] = side
        sides.tables[table.name] = side
    for other in catalog.others:
        if other.kind in ("view", "materialized view", "foreign table"):
            name = other.name.rpartition(".")[2]
            sides.tables.setdefault(name, TableSide(name, "view", reason=other.kind))
    return sides


def _planned(table: TablePlan) -> TableSide:
    # The app identifies a row by its text key. The id is only a hash of it.
    by_id = table.key is not None and len(table.key.columns) == 1 and table.key.form in ("uuid", "integer")
    key = table.key.columns[0] if by_id and table.key is not None else ""
    reason = table.rule.skip or ""
    side = TableSide(table.source.name, table.status, table.target, reason, table.definition, table.rule, table, key)
    for planned in table.fields:
        if planned.column is not None:
            kind = Optional(inner=planned.validator) if planned.optional else planned.validator
            is_time = planned.column.type.base in _MOMENTS and isinstance(planned.validator, Number)
            side.columns[planned.column.name] = ColumnSide(planned.column.name, planned.name, "", kind, is_time)
    for name, skipped in table.skipped.items():
        side.columns[name] = ColumnSide(name, why=f"left behind: {skipped}")
    if table.creation.columns:
        side.created = side.column(table.creation.columns[0]).field
    return side


def _named(project: Settings, schema: Schema, name: str, of: str) -> TableSide:
    rule = project.table_rule(of or project.schemas[0], name)
    if rule.skip is not None:
        return TableSide(name, "skipped", reason=rule.skip, rule=rule)
    names = [rule.to] if rule.to else [name, camel_case(name)]
    target = next((option for option in names if option in schema.tables), None)
    if target is None:
        return TableSide(name, "missing", rule=rule)
    status: Status = "mapped" if rule.existing is None else "existing"
    return TableSide(name, status, target, "", schema.tables[target], rule)
