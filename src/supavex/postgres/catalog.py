"""The shape of a PostgreSQL database, as plain data: what inspection reads and everything else uses.

Words are PostgreSQL's. A catalog is frozen, compares by value, and goes to JSON and back without loss, so that a
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
    """A column's type.

    ``name`` is PostgreSQL's full text (``character varying(3)``), ``base`` its internal name (``varchar``), of a
    domain its base type's. ``category`` is ``pg_type.typtype``: base, enum, domain, composite, range, multirange.
    ``length`` counts characters; ``precision`` and ``scale`` are numeric's. ``checks`` are the domain's and those of
    the domains that it is made of. ``attributes`` are a composite type's, in order.
    """

    name: str
    base: str
    schema: str = "pg_catalog"
    category: Literal["b", "e", "d", "c", "r", "m", "p"] = "b"
    element: Type | None = None
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    labels: tuple[str, ...] = ()
    domain: str | None = None
    checks: tuple[CheckConstraint, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    @property
    def unknown(self) -> bool:
        """Whether no file makes the type: a replay's values of it are texts that PostgreSQL has not looked at."""
        if self.element is not None:
            return self.element.unknown
        return (self.schema, self.base) == ("supavex", "unknown_type")


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``default`` is SQL text; ``generated`` is ``stored``, ``virtual`` or empty; ``identity`` likewise.

    A domain's NOT NULL and its default are the column's, where the column has none of its own. ``expression`` is the
    SQL that a generated column is computed by.

    ``dimensions`` of an array are those that its declaration names; PostgreSQL does not hold rows to them.
    ``collation`` is SQL for its name, empty for the database's own and where there is none; under one that is not
    ``deterministic``, different texts are equal.
    """

    name: str
    type: Type
    nullable: bool
    default: str | None = None
    generated: str = ""
    identity: str = ""
    comment: str = ""
    dimensions: int = 0
    collation: str = ""
    deterministic: bool = True
    expression: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; ``columns`` refer to ``referenced_columns``, in order."""

    name: str
    columns: tuple[str, ...]
    referenced_schema: str
    referenced_table: str
    referenced_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    validated: bool = True


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique constraint or unique index on plain columns. ``predicate`` is the WHERE of a partial index."""

    name: str
    columns: tuple[str, ...]
    nulls_not_distinct: bool = False
    predicate: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index; ``columns`` has None for an expression. ``method`` is btree, gin, gist, hnsw and so on."""

    name: str
    columns: tuple[str | None, ...]
    unique: bool
    method: str
    definition: str
    predicate: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A row-level-security policy; ``command`` is ALL, SELECT, INSERT, UPDATE or DELETE.

    ``roles``: those that it names, and of Supabase's API roles those that are members of one of them.
    """

    name: str
    command: str
    roles: tuple[str, ...]
    using: str | None
    with_check: str | None
    permissive: bool = True


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a person made: its whole definition, and the source text of its SQL or PL/pgSQL function."""

    name: str
    definition: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role may do with a whole table: some of SELECT, INSERT, UPDATE and DELETE.

    ``by_column``: those of them that the role may do with some of the columns only.
    """

    role: str
    commands: tuple[str, ...]
    by_column: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table that holds rows (ordinary or partitioned; partitions themselves are left out).

    ``constrained``: the columns that a CHECK, a UNIQUE or an exclusion reads, by themselves or in an expression or the
    WHERE of its index. ``grants``: of Supabase's API roles that there are.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    uniques: tuple[Unique, ...] = ()
    checks: tuple[CheckConstraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    policies: tuple[Policy, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    row_security: bool = False
    comment: str = ""
    constrained: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()

    @property
    def sql_name(self) -> str:
        """The table as SQL names it, with its schema."""
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
    """Something else in the database that Convex does not take over: its kind, qualified name and definition."""

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that a caller gives a value: its name (empty: it has none), type, and the SQL of its default."""

    name: str
    type: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function in SQL or PL/pgSQL. ``body`` is the source text between the quotes.

    ``returns`` is the type that it gives, of each row if it gives a set; of ``RETURNS TABLE`` with several columns
    ``record``, with the ``columns`` by name. ``atomic``: the body is ``BEGIN ATOMIC … END`` or ``RETURN …``.
    """

    schema: str
    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    returns_set: bool
    language: str
    security_definer: bool
    strict: bool
    body: str
    definition: str
    columns: tuple[Parameter, ...] = ()
    atomic: bool = False

    @property
    def qualified(self) -> str:
        """``schema.function``, for people."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class View:
    """A view: its query as PostgreSQL writes it. ``invoker``: it is read with the rights of who reads it."""

    schema: str
    name: str
    columns: tuple[str, ...]
    query: str
    invoker: bool = False


@dataclass(frozen=True, slots=True)
class Expression:
    """What PostgreSQL says of an SQL expression over the rows (called ``t``) of a table: its type, or what is wrong."""

    schema: str
    table: str
    sql: str
    type: Type | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All of it. ``others`` names views, functions, publications and the like.

    ``functions`` are those that people wrote, in any schema: policies call them. ``expressions`` are those that were
    asked about: they are none of the database's.
    """

    server_version: str
    tables: tuple[Table, ...]
    others: tuple[NamedObject, ...] = field(default=())
    expressions: tuple[Expression, ...] = field(default=())
    functions: tuple[Function, ...] = field(default=())
    views: tuple[View, ...] = field(default=())

    def table(self, schema: str, name: str) -> Table | None:
        """The table of that name, or None."""
        return next((t for t in self.tables if t.schema == schema and t.name == name), None)

    def expression(self, table: Table, sql: str) -> Expression | None:
        """What PostgreSQL said of an expression; None where it was not asked."""
        place = (table.schema, table.name, sql)
        return next((e for e in self.expressions if (e.schema, e.table, e.sql) == place), None)

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables)

    def to_json(self) -> dict[str, Any]:
        """The catalog as what :func:`json.dumps` takes, without the expressions."""
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
    """A value with dictionaries in place of dataclasses: ``asdict``, which copies each text, too, takes far longer."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    names = getattr(type(value), "__dataclass_fields__", None)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


def function_from_json(data: dict[str, Any]) -> Function:
    """A :class:`Function` from its JSON."""
    lists = {name: tuple(Parameter(**each) for each in data[name] or ()) for name in ("parameters", "columns")}
    return Function(**{**data, **lists})


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
    """Whether PostgreSQL takes texts of the column for equal whose letters differ in case."""
    type_ = column.type.element or column.type
    return type_.base == "citext"
