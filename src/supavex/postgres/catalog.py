"""The catalog of a PostgreSQL database as plain data. Inspection reads it, and all other packages use it.

The terms are PostgreSQL's. A catalog is frozen, compares by value, and goes to JSON and back without loss, so that a
replay can be cached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from supavex.postgres.connection import quoted


@dataclass(frozen=True, slots=True)
class CheckConstraint:
    """A check constraint: its SQL expression and the columns it reads.

    A domain's check reads no column: its expression calls the value ``VALUE``.
    """

    name: str
    expression: str
    columns: tuple[str, ...] = ()
    validated: bool = True


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a composite type."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a column."""

    #: PostgreSQL's full text: ``character varying(3)``.
    name: str
    #: PostgreSQL's internal name: ``varchar``. For a domain: the name of its base type.
    base: str
    schema: str = "pg_catalog"  #: The schema of the type named by ``base``.
    #: ``pg_type.typtype``: base, enum, domain, composite, range, multirange, pseudo.
    category: Literal["b", "e", "d", "c", "r", "m", "p"] = "b"
    #: The type of an array's elements.
    element: Type | None = None
    #: The greatest number of characters.
    length: int | None = None
    #: The precision and scale of numeric.
    precision: int | None = None
    scale: int | None = None  #: The number of decimal places.
    #: The labels of an enum, in order.
    labels: tuple[str, ...] = ()
    #: The domain's name.
    domain: str | None = None
    #: The checks of the domain, and of the domains under it.
    checks: tuple[CheckConstraint, ...] = ()
    #: The attributes of a composite type, in order.
    attributes: tuple[Attribute, ...] = ()

    @property
    def unknown(self) -> bool:
        """Whether no file creates the type. A replay keeps its values as texts, and PostgreSQL does not check them."""
        if self.element is not None:
            return self.element.unknown
        return (self.schema, self.base) == ("supavex", "unknown_type")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str  #: The name without quotes.
    type: Type  #: The declared type. A domain keeps its name beside its base type.
    nullable: bool  #: Whether NULL is allowed, by the column and by its domain.
    #: SQL; a domain's default if the column has none.
    default: str | None = None
    #: ``stored``, ``virtual`` or empty.
    generated: str = ""
    #: ``always``, ``by default`` or empty.
    identity: str = ""
    comment: str = ""  #: The text of COMMENT ON COLUMN.
    #: The dimensions of the declaration. PostgreSQL does not check rows against them.
    dimensions: int = 0
    #: SQL for the collation's name; empty for the database's default, and for types without collation.
    collation: str = ""
    #: Whether the collation is deterministic. Otherwise different texts may be equal.
    deterministic: bool = True
    #: The SQL of a generated column.
    expression: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key."""

    name: str  #: The name of the constraint.
    columns: tuple[str, ...]  #: The columns that refer.
    referenced_schema: str  #: The schema of the referenced table.
    referenced_table: str  #: The referenced table's name without its schema.
    referenced_columns: tuple[str, ...]  #: The columns referred to, in the order of ``columns``.
    #: The action in PostgreSQL's words: ``NO ACTION``, ``RESTRICT``, ``CASCADE``, ``SET NULL``, ``SET DEFAULT``.
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"  #: The action when the referenced key changes, in the same words.
    validated: bool = True  #: False for NOT VALID: existing rows may break the constraint.


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique constraint or unique index on plain columns. ``predicate`` is the WHERE of a partial index."""

    name: str
    columns: tuple[str, ...]
    nulls_not_distinct: bool = False
    predicate: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index."""

    name: str  #: The name of the index without its schema.
    columns: tuple[str | None, ...]  #: The key columns in order; None for an expression.
    unique: bool  #: Whether the index is unique.
    method: str  #: The access method: ``btree``, ``gin``, ``gist``, ``hnsw``.
    definition: str  #: The whole CREATE INDEX statement, as PostgreSQL writes it.
    predicate: str | None = None  #: The SQL of the index's WHERE; None for an index of all rows.


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of row level security."""

    name: str  #: The name of the policy, unique in its table.
    #: ALL, SELECT, INSERT, UPDATE or DELETE.
    command: str
    #: The roles that the policy names, and the roles of Supabase's API that are members of one of these.
    roles: tuple[str, ...]
    #: SQL for the rows that the command may read or change; None without USING.
    using: str | None
    #: SQL for the rows that the command may write; None without WITH CHECK.
    with_check: str | None
    permissive: bool = True  #: Whether the policy grants rows. A restrictive policy only takes rows away.


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a person created: its definition, and the source text of its SQL or PL/pgSQL function."""

    name: str
    definition: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights of a role on a table.

    ``commands``: those of SELECT, INSERT, UPDATE and DELETE that the role has on the whole table. ``by_column``: those
    that it has on some columns only.
    """

    role: str
    commands: tuple[str, ...]
    by_column: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows, ordinary or partitioned. Partitions are not listed as tables."""

    schema: str  #: The name of the schema.
    name: str  #: The name without the schema.
    columns: tuple[Column, ...]  #: The columns in the order of the declaration.
    primary_key: tuple[str, ...] = ()  #: The names of the key's columns in order; empty without a primary key.
    foreign_keys: tuple[ForeignKey, ...] = ()  #: The foreign keys of this table to others.
    uniques: tuple[Unique, ...] = ()  #: The UNIQUE constraints.
    checks: tuple[CheckConstraint, ...] = ()  #: The CHECK constraints of the table; a domain's are in :class:`Type`.
    indexes: tuple[Index, ...] = ()  #: The indexes, also those of constraints.
    policies: tuple[Policy, ...] = ()  #: The policies, also if row level security is off.
    #: Triggers that a person created.
    triggers: tuple[Trigger, ...] = ()
    #: Whether row level security is enabled.
    row_security: bool = False
    comment: str = ""  #: The text of COMMENT ON TABLE.
    #: The columns that a CHECK, a UNIQUE or an exclusion constraint reads, also in an index's expression or WHERE.
    constrained: tuple[str, ...] = ()
    #: The rights of the roles of Supabase's API.
    grants: tuple[Grant, ...] = ()

    @property
    def sql_name(self) -> str:
        """The table's SQL name, with its schema."""
        return quoted(self.schema, self.name)

    @property
    def qualified(self) -> str:
        """``schema.table``, for people."""
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object other than a table that Convex does not take over: its kind, qualified name and definition."""

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function: its name (empty if it has none), its type, and the SQL of its default."""

    name: str
    type: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function in SQL or PL/pgSQL."""

    schema: str  #: The name of the schema.
    name: str  #: The name without the schema. Overloaded functions share it.
    parameters: tuple[Parameter, ...]  #: The parameters in order.
    #: The type that the function returns; for a set, the type of a row; ``record`` for RETURNS TABLE with several
    #: columns.
    returns: str
    returns_set: bool  #: Whether the function returns rows (SETOF or TABLE) instead of one value.
    language: str  #: ``sql`` or ``plpgsql``.
    security_definer: bool  #: Whether the body runs with the rights of the function's owner.
    strict: bool  #: Whether a NULL argument makes the result NULL without running the body.
    #: The source text between the quotes.
    body: str
    definition: str  #: The whole CREATE FUNCTION statement, as PostgreSQL writes it.
    #: The columns of RETURNS TABLE.
    columns: tuple[Parameter, ...] = ()
    #: Whether the body is ``BEGIN ATOMIC … END`` or ``RETURN …``.
    atomic: bool = False
    #: The API roles that may not call it.
    denied: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        """``schema.function``, for people."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class View:
    """A view, with its query as PostgreSQL prints it. ``invoker``: the view has the rights of the role that
    reads it.
    """

    schema: str
    name: str
    columns: tuple[str, ...]
    query: str
    invoker: bool = False


@dataclass(frozen=True, slots=True)
class Expression:
    """An SQL expression over the rows of a table, which it calls ``t``, with its type or PostgreSQL's error."""

    schema: str
    table: str
    sql: str
    type: Type | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog of a database."""

    server_version: str  #: PostgreSQL's version number: ``18.6``.
    tables: tuple[Table, ...]  #: The tables of the schemas that were asked for.
    #: Objects that Convex does not take over: views, publications and the like.
    others: tuple[NamedObject, ...] = field(default=())
    #: Expressions whose types were asked for. They are not part of the database.
    expressions: tuple[Expression, ...] = field(default=())
    #: Functions that people wrote, in any schema, because policies call them.
    functions: tuple[Function, ...] = field(default=())
    views: tuple[View, ...] = field(default=())  #: The views that rules may read.

    def table(self, schema: str, name: str) -> Table | None:
        """The table of that name, or None."""
        return next((t for t in self.tables if t.schema == schema and t.name == name), None)

    def expression(self, table: Table, sql: str) -> Expression | None:
        """PostgreSQL's answer about an expression; None if it was not asked for."""
        place = (table.schema, table.name, sql)
        return next((e for e in self.expressions if (e.schema, e.table, e.sql) == place), None)

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables)

    def to_json(self) -> dict[str, Any]:
        """The catalog for :func:`json.dumps`, without the expressions."""
        whole: dict[str, Any] = _plain(replace(self, expressions=()))
        return whole

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Catalog:
        """The catalog that :meth:`to_json` wrote."""
        others = tuple(NamedObject(**other) for other in data["others"])
        functions = tuple(map(function_from_json, data["functions"]))
        views = tuple(View(**{**view, "columns": tuple(view["columns"])}) for view in data["views"])
        tables = tuple(map(table_from_json, data["tables"]))
        return cls(data["server_version"], tables, others, functions=functions, views=views)


def _plain(value: Any) -> Any:
    """A value with dictionaries in place of dataclasses. ``asdict`` takes far longer, because it copies each text."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    names = getattr(type(value), "__dataclass_fields__", None)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


def function_from_json(data: dict[str, Any]) -> Function:
    """A :class:`Function` from its JSON."""
    lists = {name: tuple(Parameter(**each) for each in data[name] or ()) for name in ("parameters", "columns")}
    return Function(**{**data, **lists, "denied": tuple(data.get("denied") or ())})


def expression_from_json(data: dict[str, Any]) -> Expression:
    """An :class:`Expression` from its JSON."""
    return Expression(**{**data, "type": data["type"] and type_from_json(data["type"])})


def type_from_json(data: dict[str, Any]) -> Type:
    """A :class:`Type` from its JSON."""
    element = data.get("element")
    checks = tuple(
        CheckConstraint(**{**check, "columns": tuple(check["columns"])}) for check in data.get("checks") or ()
    )
    labels = tuple(data.get("labels") or ())
    made = {"element": element and type_from_json(element), "labels": labels, "checks": checks}
    attributes = (Attribute(each["name"], type_from_json(each["type"])) for each in data.get("attributes") or ())
    return Type(**{**data, **made, "attributes": tuple(attributes)})


def table_from_json(data: dict[str, Any]) -> Table:
    """A :class:`Table` from its JSON, as inspection's SQL and :meth:`Catalog.to_json` give it."""
    return Table(
        **{
            **data,
            "columns": tuple(Column(**{**c, "type": type_from_json(c["type"])}) for c in data["columns"]),
            "primary_key": tuple(data["primary_key"]),
            "foreign_keys": tuple(
                ForeignKey(
                    **{**k, "columns": tuple(k["columns"]), "referenced_columns": tuple(k["referenced_columns"])}
                )
                for k in data["foreign_keys"]
            ),
            "uniques": tuple(Unique(**{**u, "columns": tuple(u["columns"])}) for u in data["uniques"]),
            "checks": tuple(CheckConstraint(**{**c, "columns": tuple(c["columns"])}) for c in data["checks"]),
            "indexes": tuple(Index(**{**i, "columns": tuple(i["columns"])}) for i in data["indexes"]),
            "policies": tuple(Policy(**{**p, "roles": tuple(p["roles"])}) for p in data["policies"]),
            "triggers": tuple(Trigger(**t) for t in data["triggers"]),
            "constrained": tuple(data["constrained"]),
            "grants": tuple(
                Grant(g["role"], tuple(g["commands"]), tuple(g["by_column"])) for g in data.get("grants") or ()
            ),
        }
    )


def ignores_case(column: Column) -> bool:
    """Whether PostgreSQL compares texts of the column without regard to case."""
    type_ = column.type.element or column.type
    return type_.base == "citext"
