"""The constraints of a table in Convex: uniques, checks, references, defaults, and those that are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.validators import Optional
from supavex.mapping.keys import WHOLE_ROW
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.postgres.catalog import Column
from supavex.rules import form
from supavex.rules.column_types import TypeCheck, type_checks
from supavex.rules.form import Compare, Expression, Field, Untranslatable
from supavex.rules.parse.arrangement import index_for
from supavex.rules.parse.casts import cast
from supavex.rules.parse.columns import field_of, value_of
from supavex.rules.parse.operators import alike
from supavex.rules.parse.program import condition_of, expression_of
from supavex.rules.parse.scope import Binding, Scope, Work
from supavex.rules.policies import RuleSet, TableRules, fails_unlike
from supavex.rules.touching import touched_by
from supavex.settings.rules import ENFORCED


@dataclass(frozen=True, slots=True)
class UniqueRule:
    """A unique key over fields."""

    #: The constraint's name.
    name: str
    #: The key's fields, in the constraint's order.
    fields: tuple[str, ...]
    #: The index that looks it up.
    index: str
    #: The fields of the key that begin this index.
    indexed: tuple[str, ...]
    #: Whether two NULLs are equal (NULLS NOT DISTINCT). Otherwise a key with a NULL equals no other.
    nulls_not_distinct: bool
    #: The condition of a partial index; None without one.
    where: Expression | None


@dataclass(frozen=True, slots=True)
class Child:
    """A field of another table that refers to documents of this table."""

    #: The Convex table with the field.
    table: str
    #: The field with the id.
    field: str
    #: The index that finds its documents; empty if there is none.
    index: str
    #: What the removal of a document of this table does: ``cascade``, ``set null`` or ``restrict``.
    on_delete: str
    #: Whether the field holds null for NULL.
    takes_null: bool = False
    #: The fields of this table that the other one's columns refer to; empty if these are its ``_id``.
    key: tuple[str, ...] = ()
    #: What a change of the key does: as ``on_delete``.
    on_update: str = "restrict"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A constraint that rules.ts does not enforce: its table, its words, and the reason."""

    table: str
    constraint: str
    reason: str


@dataclass(slots=True)
class TableConstraints:
    """The constraints of a table that rules.ts enforces."""

    #: The unique keys. A key that becomes the ``_id`` is left out.
    unique: list[UniqueRule] = field(default_factory=list)
    #: The name and the condition of each CHECK.
    checks: list[tuple[str, Expression]] = field(default_factory=list)
    #: The constraint, the field and the parent table of each foreign key.
    references: list[tuple[str, str, str]] = field(default_factory=list)
    #: The fields of other tables that refer to this table.
    children: list[Child] = field(default_factory=list)
    #: The defaults by field.
    defaults: dict[str, Expression] = field(default_factory=dict)
    #: The fields that hold null for NULL. Others are absent if the value is NULL.
    nulls: frozenset[str] = frozenset()
    #: The fields that hold the key beside the ``_id``, which does not change with them.
    fixed: list[str] = field(default_factory=list)
    #: Fields that a trigger sets to the time of an update.
    touched: list[str] = field(default_factory=list)
    #: The checks of fields by the types of their columns.
    types: dict[str, TypeCheck] = field(default_factory=dict)
    #: Fields of NOT NULL columns that the schema allows to be absent.
    required: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of constraints. A reference counts once, at the child."""
        lists = len(self.unique) + len(self.checks) + len(self.references) + len(self.required)
        return lists + len(self.defaults) + len(self.touched)


@dataclass(slots=True)
class Constraints:
    """All constraints of a project: those that are enforced by Convex table, and those that are left out."""

    tables: dict[str, TableConstraints] = field(default_factory=dict)
    left: list[LeftOut] = field(default_factory=list)

    @property
    def carried(self) -> int:
        """The number of enforced constraints."""
        return sum(table.count for table in self.tables.values())


def constraints_of(rules: RuleSet) -> Constraints:
    """The constraints of every moving table."""
    found = Constraints({name: TableConstraints() for name in rules.tables})
    for table in rules.plan.moving:
        made = found.tables[table.target]
        made.nulls = frozenset(planned.name for planned in table.fields if planned.takes_null)
        wanted = table.rule.enforce if table.rule.enforce is not None else ENFORCED
        if table.key is not None and table.key.form in ("uuid", "integer"):
            made.fixed = [planned.name for planned in [_field(table, table.key.columns)] if planned is not None]
        reader = _Reader(table, rules.work, made, found.left)
        for name, read in (
            ("unique", reader.uniques),
            ("check", reader.checks),
            ("default", reader.defaults),
            ("updated_at", reader.triggers),
            ("not_null", reader.required),
        ):
            if name in wanted:
                read()
        if "type" in wanted:
            made.types = type_checks(table)
        if "reference" in wanted:
            _references(table, found, rules)
        reader.others()
        _leave_unlike(table, rules.tables, found)
        _add_rights(rules.tables[table.target], made)
    return found


def _leave_unlike(table: TablePlan, rules: Mapping[str, TableRules], found: Constraints) -> None:
    """Leaves out the checks and defaults in whose functions a handler may run on one side alone."""
    made = found.tables[table.target]
    for name, condition in list(made.checks):
        if reason := fails_unlike(condition, rules):
            made.checks.remove((name, condition))
            found.left.append(LeftOut(table.name, name, reason))
    for name, value in list(made.defaults.items()):
        if reason := fails_unlike(value, rules):
            del made.defaults[name]
            found.left.append(LeftOut(table.name, f"default of {name}", reason))


def _add_rights(table: TableRules, made: TableConstraints) -> None:
    """Adds to what throws the writes of roles that may not EXECUTE what a check calls."""
    conditions = [condition for _, condition in made.checks]
    for one in form.parts_in(conditions):
        for role in one.denied if isinstance(one, form.Invoke) else ():
            for command in ("insert", "update"):
                table.throws.setdefault(command, {}).setdefault(role, "rights")


@dataclass(slots=True)
class _Reader:
    """Reads the constraints of one table."""

    table: TablePlan
    work: Work
    made: TableConstraints
    left: list[LeftOut]

    @property
    def scope(self) -> Scope:
        self.work.nodes = 0
        # What a default or a check calls, the caller calls.
        return Scope(self.work, (Binding(self.table.source.name, "row", self.table, new=True),))

    def leave(self, constraint: str, reason: object) -> None:
        self.left.append(LeftOut(self.table.name, constraint, f"{reason}"))

    def _name(self, column: str) -> str:
        return field_of(self.table, column, "row").name

    def _stored(self, column: str) -> str:
        """The field with the column's value, if the key column has one beside ``_id``."""
        planned = _field(self.table, (column,))
        return planned.name if planned is not None else self._name(column)

    def uniques(self) -> None:
        source, definition = self.table.source, self.table.definition
        assert definition is not None
        keys = [(u.name, u.columns, u.nulls_not_distinct, u.predicate) for u in source.uniques]
        if source.primary_key and source.primary_key != WHOLE_ROW:
            keys.insert(0, (f"{source.name}_pkey", source.primary_key, False, None))
        for name, columns, not_distinct, predicate in keys:
            try:
                fields = tuple(self._stored(column) for column in columns)
                if fields == ("_id",):
                    continue  # An id is unique anyway.
                where = None if predicate is None else condition_of(predicate, self.scope)
            except Untranslatable as error:
                self.leave(name, error)
                continue
            index, indexed = index_for(definition, fields)
            self.made.unique.append(UniqueRule(name, fields, index, indexed, not_distinct, where))
        for other in source.indexes:
            if other.unique and None in other.columns:
                self.leave(
                    other.name, "a unique index over an expression is not translated: Convex indexes fields only"
                )

    def checks(self) -> None:
        for check in self.table.source.checks:
            try:
                found = condition_of(check.expression, self.scope)
                if _asks_key(found):
                    raise Untranslatable(
                        "it compares a new row's primary key with a value, and Convex chooses a new document's id"
                    )
                self.made.checks.append((check.name, found))
            except Untranslatable as error:
                self.leave(check.name, error)
        for column in self.table.source.columns:
            for check in column.type.checks:
                self._domain_check(column, check.name, check.expression)
            if column.type.length is not None and column.type.base in ("varchar", "bpchar"):
                sql = f'char_length("{column.name}") <= {column.type.length}'
                self._column_check(column, f"{column.name}_length", sql)

    def _domain_check(self, column: Column, name: str, expression: str) -> None:
        try:
            value = value_of(field_of(self.table, column.name, "row"))
            scope = replace(self.scope, bindings=(), variables={"value": value})
            self.made.checks.append((name, condition_of(expression, scope)))
        except Untranslatable as error:
            self.leave(f"{column.name} {name}", error)

    def _column_check(self, column: Column, name: str, sql: str) -> None:
        try:
            self.made.checks.append((name, condition_of(sql, self.scope)))
        except Untranslatable as error:
            if column.name not in self.table.skipped:
                self.leave(name, error)

    def defaults(self) -> None:
        for column in self.table.source.columns:
            if column.default is None or column.generated or column.name in self.table.skipped:
                continue
            try:
                target = field_of(self.table, column.name, "row")
                if target.name == "_id":
                    continue
                value = expression_of(column.default, replace(self.scope, bindings=()))
                self.made.defaults[target.name] = self._held(value, target)
            except Untranslatable as error:
                self.leave(f"default of {column.name}", error)

    def _held(self, value: Expression, target: Field) -> Expression:
        """A default's value in the form of the field."""
        if value.kind.name == "unknown":
            value = cast(value, target.kind)
        value, held = alike(value, target, self.work.source)
        if held is not target:
            raise Untranslatable(f"the default is a value of {value.kind}, and the field holds {target.kind}")
        return value

    def triggers(self) -> None:
        for trigger in self.table.source.triggers:
            columns = touched_by(trigger, self.table.source)
            if columns is None:
                continue
            for column in columns:
                try:
                    self.made.touched.append(self._name(column))
                except Untranslatable as error:
                    self.leave(trigger.name, error)

    def required(self) -> None:
        """The fields of NOT NULL columns that may be absent."""
        for planned in self.table.fields:
            column = planned.column
            if column is None or column.nullable or planned.file is not None or planned.expression:
                continue
            may_be_absent = isinstance(planned.validator, Optional) or planned.optional
            # In a NOT NULL column of JSON, null is JSON's null, which PostgreSQL accepts.
            takes_null = planned.takes_null and column.type.base not in ("json", "jsonb")
            if may_be_absent or takes_null:
                self.made.required.append(planned.name)

    def others(self) -> None:
        for trigger in self.table.source.triggers:
            if touched_by(trigger, self.table.source) is None:
                self.leave(
                    trigger.name, "a trigger that does more than set columns of the table to the time of the update"
                )
        for column in self.table.source.columns:
            if column.generated and column.name not in self.table.skipped:
                self.leave(column.name, "a generated column: compute it where the document is written")
            if column.identity and column.name not in self.table.skipped:
                self.leave(column.name, "an identity column: _id, or a counter document")


def _asks_key(found: Expression) -> bool:
    """Whether a check asks of its row's key for more than that it differs from another value. A new key does."""
    plain = [one for one in form.parts_in(found) if isinstance(one, Compare) and one.operator == "<>"]
    asked = [one for one in form.parts_in(found) if isinstance(one, Field) and (one.row, one.name) == ("row", "_id")]
    differing = [side for one in plain for side in (one.left, one.right)]
    return sum(not any(one is side for side in differing) for one in asked) > 0


def _references(table: TablePlan, found: Constraints, rules: RuleSet) -> None:
    """Adds the foreign keys whose columns became ids, at the child and at the parent."""
    for key in table.source.foreign_keys:
        planned = _field(table, key.columns)
        if planned is None or planned.reference is None or planned.reference.is_array:
            found.left.append(
                LeftOut(
                    table.name,
                    key.name,
                    "its columns hold no ids of a Convex table: foreign keys are kept only where they became ids",
                )
            )
            continue
        parent = planned.reference.target
        if parent == STORAGE_TABLE or parent not in found.tables:
            found.left.append(
                LeftOut(table.name, key.name, f"it refers to {parent}, which no table of the source goes to")
            )
            continue
        if (key.referenced_schema, key.referenced_table) != (planned.reference.schema, planned.reference.table):
            elsewhere = f"{key.referenced_schema}.{key.referenced_table}"
            found.left.append(LeftOut(table.name, key.name, f"it refers to {elsewhere}, and its ids are of {parent}"))
            continue
        found.tables[table.target].references.append((key.name, planned.name, parent))
        assert table.definition is not None
        index, _ = index_for(table.definition, (planned.name,))
        action = _action(key.on_delete)
        if key.on_delete == "SET DEFAULT":
            found.left.append(
                LeftOut(
                    table.name,
                    key.name,
                    "ON DELETE SET DEFAULT is not translated: a delete is refused instead, as by RESTRICT",
                )
            )
        changing = _changing(rules, parent, key.referenced_columns)
        on_update = _action(key.on_update)
        if changing and (key.on_update == "SET DEFAULT" or (on_update != "restrict" and len(key.columns) > 1)):
            on_update, several = "restrict", " of several columns" if len(key.columns) > 1 else ""
            reason = f"ON UPDATE {key.on_update}{several} is not translated: the change is refused instead"
            found.left.append(LeftOut(table.name, key.name, reason))
        child = Child(table.target, planned.name, index, action, planned.takes_null, changing, on_update)
        found.tables[parent].children.append(child)


def _action(sql: str) -> str:
    """The action in rules.ts for an action of SQL."""
    actions = {"CASCADE": "cascade", "SET NULL": "set null"}
    return actions.get(sql, "restrict")


def _changing(rules: RuleSet, parent: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The fields of the Convex table ``parent`` for ``columns``, without a column that is the ``_id``."""
    table = rules.tables[parent].source
    assert table is not None
    if table.key is not None and table.key.form in ("uuid", "integer") and table.key.columns == columns:
        return ()
    fields = (_field(table, (column,)) for column in columns)
    return tuple(planned.name for planned in fields if planned is not None)


def _field(table: TablePlan, columns: tuple[str, ...]) -> FieldPlan | None:
    for planned in table.fields:
        own = (planned.column.name,) if planned.column is not None else planned.by_columns
        if own == columns:
            return planned
    return None
