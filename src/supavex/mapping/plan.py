"""The plan: for every source table, the Convex table it goes to, and how each field gets its value.

A plan is what catalog, schema and supavex.toml come to together. It reads no rows. What does not fit is a diagnostic;
a plan with errors is never carried out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from supavex.postgres.catalog import Catalog, Column, Table
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


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a field's id points: the source table (schema, name), its key, and how the row names it.

    ``parts`` are SQL over the child's row for the parent's ``columns``: those of its key, or of the unique key that
    the foreign key names. ``through``: the parent's own key is read from its row, because it is found by another, or
    because values that are equal may have another text. ``many``: the field is an array of ids; the part is ``e.x``, an
    element of the column's array. ``comparisons`` are what stands between and behind the two where they are compared,
    ``=`` if not given.
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
    comparisons: tuple[tuple[str, str], ...] = ()

    def named(self, parts: Sequence[str]) -> str:
        """SQL that is true for the parent's row, called ``p``, that ``parts`` name."""
        comparisons = self.comparisons or (("=", ""),) * len(parts)
        return " AND ".join(
            f"p.{quoted(column)} {operator} {part}{behind}"
            for column, part, (operator, behind) in zip(self.columns, parts, comparisons, strict=True)
        )


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How one field gets its value.

    ``source`` is an SQL expression over the source row; ``column`` the catalog's column where it is one. NULL becomes
    ``fill`` where supavex.toml asks for that; or leaves an optional field out, or is null where the field takes it, or
    rejects the row.
    """

    name: str
    validator: Validator
    optional: bool
    source: str
    column: Column | None
    conversion: Conversion
    fill: Value = MISSING
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
        kept = self.optional or self.takes_null or self.fill is not MISSING
        return self.nullable and not kept and not self.null_is_rejected

    @property
    def takes_null(self) -> bool:
        """Whether NULL stays null in the document."""
        return not self.optional and self.fill is MISSING and Target(self.validator).null

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
