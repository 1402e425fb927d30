"""The plan: for every source table, the Convex table it goes to, and how each field gets its value.

A plan is what catalog, schema and supavex.toml come to together. It reads no rows. What does not fit is a diagnostic;
a plan with errors is never carried out.
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

#: Why a column of a type that no file makes is skipped.
UNKNOWN_TYPE = "its type {} is not known: no file makes it"
Status = Literal["mapped", "existing", "skipped", "missing"]
#: Fields that hold the source row's key as text, where the source has no column of that name.
SOURCE_KEY_FIELDS = ("supabaseId", "supabase_id")
#: The alias of the source table in every expression.
ALIAS = "t"


def column_sql(column: Column) -> str:
    """SQL for a column of the source table, as it is."""
    return f"{ALIAS}.{quoted(column.name)}"


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a field's id points: the source table (schema, name), its key, and how the row names it.

    ``parts`` are SQL over the child's row for the parent's ``columns``: those of its key, or of the unique key that
    the foreign key names. ``via_unique``: the parent's own key is read from its row, because it is found by another, or
    because values that are equal may have another text. ``is_array``: the field is an array of ids; the part is
    ``e.x``, an element of the column's array. ``comparisons`` are what stands between and behind the two where they are
    compared, ``=`` if not given.
    """

    schema: str
    table: str
    target: str
    key: Key
    columns: tuple[str, ...]
    parts: tuple[str, ...]
    existing: bool = False
    via_unique: bool = False
    is_array: bool = False
    comparisons: tuple[tuple[str, str], ...] = ()
    #: The row's own columns, of a reference by several.
    by_columns: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The source table as SQL names it."""
        return quoted(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class SqlExpression:
    """The value of an ``sql`` expression of supavex.toml: in the place of a column, or for a field of its own."""


@dataclass(frozen=True, slots=True)
class KeyText:
    """The row's key as text: the value, or a JSON array of several."""

    key: Key


@dataclass(frozen=True, slots=True)
class IdFile:
    """The new id that a file gives for the old one. ``path``: the file as supavex.toml names it."""

    path: str
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How one field gets its value.

    NULL becomes ``fill`` where supavex.toml asks for that; or leaves an optional field out, or is null where the field
    takes it, or rejects the row.
    """

    name: str
    validator: Validator
    optional: bool
    #: SQL over the source row, for what ``value`` is made of.
    source: str
    #: What the value is: a column as it is, or one of the others.
    value: Column | SqlExpression | KeyText | IdFile | Reference | LargeValues
    conversion: Conversion
    #: The PostgreSQL type that the conversion takes.
    type: Type
    #: What messages call the place: the column's name (of a reference by several columns, theirs), else the field's.
    place: str
    #: The catalog's column that ``source`` reads, as it is or in an expression; None: of several, or of none.
    column: Column | None = None
    fill: Value = MISSING
    null_is_rejected: bool = False
    #: The large values of the column, which leave this field out.
    large: LargeValues | None = None

    @property
    def nullable(self) -> bool:
        """Whether the source can be NULL, as far as the catalog knows."""
        return self.column is None or self.column.nullable or self.conversion.makes_null

    @property
    def loses_null(self) -> bool:
        """Whether NULL would reject the row, and supavex.toml does not say that it is meant to."""
        kept = self.optional or self.takes_null or self.fill is not MISSING
        return self.nullable and not kept and not self.null_is_rejected

    @property
    def takes_null(self) -> bool:
        """Whether NULL stays null in the document."""
        return not self.optional and self.fill is MISSING and Target(self.validator).null

    @property
    def reference(self) -> Reference | None:
        """The reference, where the value is one."""
        return self.value if isinstance(self.value, Reference) else None

    @property
    def ids(self) -> Mapping[str, str] | None:
        """New ids by old ones, where the value is one of them."""
        return self.value.ids if isinstance(self.value, IdFile) else None

    @property
    def by_columns(self) -> tuple[str, ...]:
        """The row's own columns, where the value is a reference by several; else none."""
        return self.value.by_columns if isinstance(self.value, Reference) else ()

    @property
    def file(self) -> LargeValues | None:
        """The values that become stored files, where the value is the id of one."""
        return self.value if isinstance(self.value, LargeValues) else None

    @property
    def expression(self) -> bool:
        """Whether the source is SQL in the place of a column."""
        return self.column is not None and self.source != column_sql(self.column)


@dataclass(frozen=True, slots=True)
class CreationTime:
    """Where ``_creationTime`` comes from: columns in order of preference; none of them, then a constant."""

    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class TablePlan:
    """One source table's way to Convex: filled field by field while the plan is made, and only read after that."""

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
    #: The names of columns whose rules are those of ``[columns.…]``, in the table or not.
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
    """All tables' ways, in the order of the schema; tables without a target last."""

    project: Settings
    schema: Schema
    catalog: Catalog
    tables: list[TablePlan]
    #: What of the source a proof can't answer for: ``3 statements of data did not run``.
    remarks: tuple[str, ...] = ()

    @property
    def file_references(self) -> list[tuple[TablePlan, FieldPlan]]:
        """The fields of tables that move that refer to stored files."""
        return [
            (table, field)
            for table in self.moving
            for field in table.fields
            if field.reference is not None and field.reference.target == STORAGE_TABLE
        ]

    @property
    def file_columns(self) -> list[tuple[TablePlan, LargeValues]]:
        """The columns of tables that move whose large values become stored files."""
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
