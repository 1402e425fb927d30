"""Encodes rows in Arrow columns as lines of a snapshot archive, by operations on whole columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.field_rules import MISSING
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.values import to_export_json
from supavex.mapping.large_values import LargeValues
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.mapping.rejections import FOLLOWER
from supavex.migrate.copy.encoding import fixed_width, json_columns
from supavex.migrate.copy.encoding.guards import unfit
from supavex.migrate.copy.encoding.json_text import JsonText, json_lines, members
from supavex.migrate.copy.encoding.large_documents import reject_large
from supavex.migrate.copy.encoding.lookups import ForbiddenKeys, Lookup
from supavex.migrate.copy.encoding.query import CopyQuery, copy_query, guards_sql
from supavex.migrate.copy.encoding.reference_columns import ReferenceColumns
from supavex.migrate.copy.encoding.rule_columns import has_rules, reject_broken
from supavex.migrate.copy.encoding.slice_report import MEANT, SliceReport
from supavex.migrate.copy.encoding.value_columns import value_text
from supavex.migrate.copy.existing import ExistingIds
from supavex.migrate.keys.sets import KeySet, key_bytes
from supavex.migrate.state.rejects import Reason, Reject

#: Rows encoded at once: enough to make Python's share small, and few enough for the processor's cache.
SLICE_ROWS = 12_288


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded slice of rows."""

    #: The accepted rows as JSON, each with a newline.
    lines: memoryview
    #: The number of rows.
    rows: int
    #: The number of accepted rows.
    documents: int
    #: The rejected rows.
    rejects: list[Reject]
    #: By column, the number of NULLs that were filled.
    filled: Counter[str]
    #: Rows whose creation column is NULL, infinite, or not above the epoch, so that ``_creationTime`` is a substitute.
    adjusted: int
    #: By column, the documents with a truncated text.
    cut: Counter[str]
    #: By column, the documents whose JSON holds a number that JSON.parse rounds.
    rounded: Counter[str]


class TableEncoder:
    """Encodes the batches of the query :attr:`query`.

    ``numbers``: table name to number. ``bad``: field name to the keys that it may not name. ``lookups``: field name to
    the new texts of an id file. ``shared_keys``: keys that several rows have, with their tables. ``existing``: field
    name to the ids of a table that exists in Convex.
    """

    def __init__(
        self,
        table: TablePlan,
        numbers: Mapping[str, int],
        bad: Mapping[str, list[ForbiddenKeys]] | None = None,
        lookups: Mapping[str, Lookup] | None = None,
        shared_keys: Mapping[bytes, str] | None = None,
        existing: Mapping[str, ExistingIds] | None = None,
    ) -> None:
        self.table = table
        self.query: CopyQuery = copy_query(table)
        self.number = numbers[table.target]
        self.references = ReferenceColumns(table, numbers, bad or {}, lookups or {}, existing or {})
        self.shared_keys = KeySet.of_bytes(shared_keys) if shared_keys else None
        self.sharing = shared_keys or {}
        self.uniform = needs_uniform(table)
        #: The fields with rules: a list of values, bounds, or a pattern.
        self.ruled = frozenset(field.name for field in table.fields if has_rules(field.validator))
        self.members = members([field.name for field in table.fields])

    def encode(self, batch: pa.RecordBatch) -> Encoded:
        """One slice (at most about :data:`SLICE_ROWS` rows) of the query's result."""
        return _Slice(self, batch).encode()


def needs_uniform(table: TablePlan) -> bool:
    """Whether the table's archive entry must be read with bare integers as int64 (``"uniform"``)."""
    return any(field.conversion.special for field in table.fields)


def _notes(batch: pa.RecordBatch) -> dict[str, list[int]]:
    """The remarks about the rows, by kind; see :class:`CopyQuery`."""
    found: dict[str, list[int]] = {}
    if "_notes" not in batch.schema.names:
        return found
    column = batch.column("_notes")
    if column.null_count < batch.num_rows:
        for row in np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False)):
            for name in column[int(row)].as_py().split():
                found.setdefault(name, []).append(int(row))
    return found


class _Slice:
    """Some rows of a table, with their texts and their report."""

    def __init__(self, encoder: TableEncoder, batch: pa.RecordBatch) -> None:
        self.encoder, self.batch, self.rows = encoder, batch, batch.num_rows
        self.keys = key_bytes(batch.column("_key"))
        self.report = SliceReport()
        self.notes = _notes(batch)

    def encode(self) -> Encoded:
        table, report = self.encoder.table, self.report
        self._own_keys()
        texts = {"_id": JsonText(fixed_width.ids(self.keys, self.encoder.number), quoted=True)}
        for index, field in enumerate(table.fields):
            texts[field.name] = self._field(index, field)
        created = creation_times(self.encoder, self.batch, texts)
        texts["_creationTime"] = JsonText(created)
        lines = json_lines(self.encoder.members, texts)
        reject_large(table, lines, report, uniform=self.encoder.uniform)
        kept = lines
        if report.rejected:
            mask = np.ones(self.rows, np.bool_)
            mask[list(report.rejected)] = False
            kept = lines.filter(pa.array(mask))
        _, content = json_columns.buffers(kept)
        return Encoded(
            content.data,
            self.rows,
            len(kept),
            [self._reject(index) for index in sorted(report.rejected)],
            report.going(report.filled),
            self._adjusted(),
            report.going(self._cut()),
            report.going(report.rounded),
        )

    def _cut(self) -> dict[str, list[int]]:
        """By column, the rows whose text was truncated."""
        cut: dict[str, list[int]] = {}
        for index, field in enumerate(self.encoder.table.fields):
            if field.conversion.cut:
                cut.setdefault(field.place, []).extend(self.notes.get(f"{index}_cut", ()))
        return cut

    def _adjusted(self) -> int:
        """The number of substitute creation times."""
        column = self.batch.column("_created")
        if self.encoder.query.created is not None:
            return int(self.rows - column.null_count)
        return len(self.notes.get("created", ())) if self.encoder.table.creation.columns else self.rows

    def _own_keys(self) -> None:
        """Rejects rows whose own key is NULL or shared. A key that supavex.toml chose may be either."""
        column = self.batch.column("_key")
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        assert self.encoder.table.key is not None
        names = ", ".join(self.encoder.table.key.columns)
        fix = "Choose other columns as `key` in supavex.toml."
        self.report.reject_where(pc.is_null(column), Reason(names, "NullKey", "a part of the key is NULL", fix))
        if self.encoder.shared_keys is not None:
            repeated = ~self.encoder.shared_keys.lacks(self.keys) & pc.is_valid(column).to_numpy(zero_copy_only=False)
            for index in np.flatnonzero(repeated):
                reason = Reason(names, "DuplicateKey", *self._shared(int(index), fix))
                self.report.add(int(index), reason)

    def _shared(self, index: int, fix: str) -> tuple[str, str]:
        """Why several rows have this row's key, and what to do."""
        tables, name = self.encoder.sharing[self.keys[index].tobytes()], self.encoder.table.name
        if " and " not in tables:
            return "another row has the same key", fix
        return (
            f"{tables} have a row with this key each, and {name} has the rows of the tables that inherit from it",
            "Give all but one of these rows another key, choose columns as `key` that are unique over these tables, or "
            f"skip {name} in supavex.toml.",
        )

    def _field(self, index: int, field: FieldPlan) -> JsonText:
        """The JSON of field number ``index``. NULL leaves the field out of the document."""
        column = self.batch.column(f"v{index}")
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        self._guards(index, field, column)
        missing = pc.is_null(column)
        text = self.encoder.references.text(field, column, self.report)
        if text is None:
            if field.name in self.encoder.ruled:
                reject_broken(field, column, self.report)
            text = value_text(field, column, self.report, uniform=self.encoder.uniform)
        if not column.null_count:
            return text
        if field.fill is not MISSING:
            self.report.filled[field.place] = np.flatnonzero(missing.to_numpy(zero_copy_only=False)).tolist()
            return text.filled(missing, to_export_json(field.fill))
        if field.takes_null:
            return text.filled(missing, "null")
        if not field.optional:
            reason = f"the column is NULL, and the field {field.name} is required"
            fix = f"Make {field.name} v.optional(…), fill it (fill in supavex.toml), or correct the row."
            if isinstance(field.value, LargeValues):
                # The file's id is made from the row's key: the missing key is the only fault.
                missing = pc.and_not(missing, pc.is_null(self.batch.column("_key")))
            self.report.reject_where(missing, Reason(field.place, "NullInRequired", reason, fix))
        return text

    def _guards(self, index: int, field: FieldPlan, column: pa.Array) -> None:
        guards = field.conversion.guards
        if field.conversion.seen:
            for row, number in unfit(column):
                self.report.reject(row, field, guards[number].code, guards[number].message, guards[number].hint)
        if not self.notes:
            return
        for number in range(len(guards_sql(field))):
            for row in self.notes.get(f"{index}_{number}", ()):
                if number < len(guards):
                    guard = guards[number]
                    self.report.reject(row, field, guard.code, guard.message, guard.hint)
                else:
                    reason = "it refers to a row that does not exist"
                    if field.reference is not None and field.reference.target == STORAGE_TABLE:
                        reason = "it names no file that storage.objects has"
                    self.report.reject(row, field, "DanglingReference", reason, MEANT)

    def _reject(self, index: int) -> Reject:
        table = self.encoder.table
        assert table.key is not None
        # The row's own faults come first: a reference to a rejected row is right again when that row is.
        first, *also = sorted(self.report.rejected[index], key=lambda reason: reason.code == FOLLOWER)
        internal_id = None if self.batch.column("_key")[index].as_py() is None else self.keys[index].tobytes()
        key = None
        if internal_id is not None:
            has_text = self.encoder.query.has_text
            key = self.batch.column("_text")[index].as_py() if has_text else table.key.text_of(internal_id)
        return Reject(table.name, key, first.column, first.code, first.reason, first.fix, internal_id, tuple(also))


def creation_times(encoder: TableEncoder, batch: pa.RecordBatch, texts: Mapping[str, JsonText]) -> pa.Array:
    """The ``_creationTime`` of each row as JSON."""
    column = batch.column("_created")
    if encoder.query.created is None:
        return json_columns.micros(column)
    text = texts[encoder.table.fields[encoder.query.created].name].column
    if column.null_count < batch.num_rows:
        # The column's own NULLs count, also if the field is filled.
        text = pc.if_else(pc.is_null(column), text, json_columns.micros(column))
    return text
