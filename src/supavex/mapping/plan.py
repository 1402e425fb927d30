"""The plan: for every source table its Convex table, and for every field the source of its value.

A plan is made from the catalog, the schema and supavex.toml. It reads no rows. Parts that do not fit are diagnostics. A
plan with errors is never carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from supavex.convex.field_rules import MISSING
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.schema import Schema, TableDefinition
from supavex.convex.validators import Validator
from supavex.convex.values import Value
from supavex.mapping.conversions import Conversion, Misfit, Target
from supavex.mapping.keys import Key
from supavex.mapping.large_values import LargeValues
from supavex.postgres.catalog import Catalog, Column, Table, Type
from supavex.postgres.connection import quoted
from supavex.settings.rules import TableRule
from supavex.settings.settings import Settings

#: The reason for skipping a column of a type that no file creates.
UNKNOWN_TYPE = "its type {} is not known: no file makes it"
Status = Literal["mapped", "existing", "skipped", "missing"]
#: Fields that hold the source row's key as text, unless the source has a column of that name.
SOURCE_KEY_FIELDS = ("supabaseId", "supabase_id")
#: The alias of the source table in every expression.
ALIAS = "t"


def column_sql(column: Column) -> str:
    """SQL for a column of the source table, without any conversion."""
    return f"{ALIAS}.{quoted(column.name)}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference of a field: the parent's table and key, and how the child's row names the parent."""

    #: The schema of the parent's table.
    schema: str
    #: The parent's table.
    table: str
    #: The parent's Convex table.
    target: str
    #: The key from which the parent's id is computed.
    key: Key
    #: The parent's columns that ``parts`` name: its key, or the unique key of the foreign key.
    columns: tuple[str, ...]
    #: SQL over the child's row for each of ``columns``. For an array: ``e.x``, an element of the column.
    parts: tuple[str, ...]
    #: Whether the parent exists in Convex, with its own ids.
    existing: bool = False
    #: Whether the parent's own key is read from its row: the reference is by another key, or equal values may have
    #: different texts.
    via_unique: bool = False
    #: Whether the field is an array of ids.
    is_array: bool = False
    #: The operators between columns and parts, with the SQL behind each part; ``=`` if empty.
    comparisons: tuple[tuple[str, str], ...] = ()
    #: For a reference by several columns: these columns of the child.
    by_columns: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The parent's SQL name."""
        return quoted(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class SqlExpression:
    """The value is an ``sql`` expression of supavex.toml, for a column or for a field without a column."""


@dataclass(frozen=True, slots=True)
class KeyText:
    """The value is the row's key as text: the value, or a JSON array of several."""

    key: Key


@dataclass(frozen=True, slots=True)
class IdFile:
    """The value is the new id that a file gives for the old one. ``path``: the file as supavex.toml names it."""

    path: str
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """The source of a field's value.

    NULL becomes ``fill`` if supavex.toml asks for that. Otherwise it leaves an optional field out, becomes null if the
    field takes null, or rejects the row.
    """

    #: The field's name.
    name: str
    #: The field's validator, without ``v.optional``.
    validator: Validator
    #: Whether the field may be left out.
    optional: bool
    #: SQL over the source row, from which ``value`` is made.
    source: str
    #: The kind of value.
    value: Column | SqlExpression | KeyText | IdFile | Reference | LargeValues
    #: The conversion of the source's value.
    conversion: Conversion
    #: The PostgreSQL type that the conversion takes.
    type: Type
    #: The name in messages: the column's (for a reference by several columns, theirs), or else the field's.
    place: str
    #: The column that ``source`` reads, directly or in an expression; None if there are several or none.
    column: Column | None = None
    #: The value in place of NULL; ``MISSING``: none.
    fill: Value = MISSING
    #: Whether NULL rejects the row.
    null_is_rejected: bool = False
    #: The column's large values. For these, the field is left out.
    large: LargeValues | None = None

    @property
    def nullable(self) -> bool:
        """Whether the source may be NULL, by the catalog."""
        return self.column is None or self.column.nullable or self.conversion.makes_null

    @property
    def loses_null(self) -> bool:
        """Whether NULL rejects the row although supavex.toml does not say so."""
        kept = self.optional or self.takes_null or self.fill is not MISSING
        return self.nullable and not kept and not self.null_is_rejected

    @property
    def takes_null(self) -> bool:
        """Whether NULL becomes null in the document."""
        return not self.optional and self.fill is MISSING and Target(self.validator).null

    @property
    def reference(self) -> Reference | None:
        """The value, if it is a reference."""
        return self.value if isinstance(self.value, Reference) else None

    @property
    def ids(self) -> Mapping[str, str] | None:
        """New ids by old ids, if the value comes from an id file."""
        return self.value.ids if isinstance(self.value, IdFile) else None

    @property
    def by_columns(self) -> tuple[str, ...]:
        """The row's columns, if the value is a reference by several columns."""
        return self.value.by_columns if isinstance(self.value, Reference) else ()

    @property
    def file(self) -> LargeValues | None:
        """The values that become stored files, if the value is a file's id."""
        return self.value if isinstance(self.value, LargeValues) else None

    @property
    def expression(self) -> bool:
        """Whether the source is an SQL expression for a column."""
        return self.column is not None and self.source != column_sql(self.column)


@dataclass(frozen=True, slots=True)
class CreationTime:
    """The columns of ``_creationTime`` in order of preference. Without columns it is a constant."""

    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class TablePlan:
    """The plan of one source table. It is filled while the plan is made, and only read afterwards."""

    #: The PostgreSQL table.
    source: Table
    #: Whether the table moves, exists in Convex, is skipped, or has no target.
    status: Status
    #: The table's rules of supavex.toml.
    rule: TableRule
    #: The Convex table's name; empty without a target.
    target: str = ""
    #: The Convex table's definition; None if the table does not move.
    definition: TableDefinition | None = None
    #: The columns that identify a row; None if nothing does.
    key: Key | None = None
    #: The source of ``_creationTime``.
    creation: CreationTime = CreationTime()
    #: The fields, in the order of the definition.
    fields: list[FieldPlan] = field(default_factory=list)
    #: The reasons for which columns are skipped.
    skipped: dict[str, str] = field(default_factory=dict)
    #: Columns without a field.
    unmapped: list[Column] = field(default_factory=list)
    #: Columns that do not fit their fields.
    misfits: list[tuple[Column | None, str, Misfit]] = field(default_factory=list)
    #: The table's name in ``[tables.…]`` of supavex.toml.
    toml: str = ""
    #: The names of columns whose rules come from ``[columns.…]``, including names that the table lacks.
    by_name: frozenset[str] = frozenset()

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
    """The plans of all tables, in the order of the schema. Tables without a target come last."""

    project: Settings
    schema: Schema
    catalog: Catalog
    tables: list[TablePlan]
    #: Parts of the source that a proof does not cover: ``3 statements of data did not run``.
    remarks: tuple[str, ...] = ()

    @property
    def file_references(self) -> list[tuple[TablePlan, FieldPlan]]:
        """The fields of moving tables that refer to stored files."""
        return [
            (table, field)
            for table in self.moving
            for field in table.fields
            if field.reference is not None and field.reference.target == STORAGE_TABLE
        ]

    @property
    def file_columns(self) -> list[tuple[TablePlan, LargeValues]]:
        """The columns of moving tables whose large values become stored files."""
        return [(table, found) for table in self.moving for found in table.files]

    @property
    def moving(self) -> list[TablePlan]:
        """The tables whose rows are copied."""
        return [table for table in self.tables if table.status == "mapped"]

    def to_target(self, target: str) -> TablePlan | None:
        """The plan of the source table that goes to the Convex table ``target``."""
        return next((t for t in self.tables if t.target == target and t.status in ("mapped", "existing")), None)

    def of_source(self, schema: str, name: str) -> TablePlan | None:
        """The plan of a source table."""
        return next((t for t in self.tables if (t.source.schema, t.source.name) == (schema, name)), None)
