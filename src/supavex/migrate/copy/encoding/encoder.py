"""Rows as Arrow columns to lines of a snapshot archive, by whole-column operations."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supavex.convex.broken_rules import field_rules, rules_problem
from supavex.convex.field_rules import MISSING, Rules, printed
from supavex.convex.ids import INTERNAL_ID_BYTES, encode_id
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.convex.validators import Union, Validator
from supavex.convex.values import to_export_json
from supavex.mapping.conversions import Target
from supavex.mapping.conversions.arrays import NO_NULLS
from supavex.mapping.conversions.json import numbers_as_doubles
from supavex.mapping.large_values import suggestion
from supavex.mapping.plan import FieldPlan, TablePlan
from supavex.migrate.copy.encoding import fixed_width, json_columns, json_limits
from supavex.migrate.copy.encoding.guards import unfit
from supavex.migrate.copy.encoding.lookups import BadKeys, Lookup
from supavex.migrate.copy.encoding.query import CopyQuery, copy_query, guards_sql
from supavex.migrate.copy.existing import ExistingIds
from supavex.migrate.keys.sets import KeySet, key_bytes
from supavex.migrate.state.rejects import Reject

#: Rows encoded at once: enough to make Python's share small, few enough to stay in the processor's cache.
SLICE_ROWS = 12_288
_MEANT = "Correct the row, or say what should become of it in schema.py or supavex.toml."


@dataclass(frozen=True, slots=True)
class Encoded:
    """A slice of rows: the lines of those that go, each with its newline, and the rows that don't."""

    lines: memoryview
    rows: int
    documents: int
    rejects: list[Reject]
    rejected_keys: list[bytes]
    #: By column, the NULLs that were filled.
    filled: Counter[str]
    #: Rows whose ``_creationTime`` is not their creation column's value: NULL, infinite, or not above the epoch.
    adjusted: int
    #: By column, the rows that went with a text cut short.
    cut: Counter[str]
    #: By column, the rows whose JSON holds a number that JSON.parse rounds.
    rounded: Counter[str]


class TableEncoder:
    """Encodes the batches that :attr:`query` gives.

    ``numbers``: table name to number. ``bad``: field name to keys it may not name. ``lookups``: field name to the
    texts its values become, of id files. ``shared_keys``: keys that several rows have, and in which tables.
    ``existing``: field name to the ids of a table that is in Convex already.
    """

    def __init__(
        self,
        table: TablePlan,
        numbers: Mapping[str, int],
        bad: Mapping[str, list[BadKeys]] | None = None,
        lookups: Mapping[str, Lookup] | None = None,
        shared_keys: Mapping[bytes, str] | None = None,
        existing: Mapping[str, ExistingIds] | None = None,
    ) -> None:
        self.table = table
        self.query: CopyQuery = copy_query(table)
        self.numbers = numbers
        self.bad = bad or {}
        self.lookups = lookups or {}
        self.existing = existing or {}
        self.shared_keys = KeySet.of_bytes(shared_keys) if shared_keys else None
        self.sharing = shared_keys or {}
        #: As Python objects, for arrays of references.
        self.bad_bytes = {
            field.name: [(frozenset(bad.keys.to_list()), bad) for bad in self.bad.get(field.name, ())]
            for field in table.fields
            if field.reference is not None and field.reference.many
        }
        self.existing_bytes = {
            name: dict(zip(known.keys.to_list(), map(bytes, known.ids), strict=True))
            for name, known in self.existing.items()
            if name in self.bad_bytes
        }
        self.uniform = needs_uniform(table)
        #: The fields whose values must be of a list, or within bounds, or match.
        self.ruled = frozenset(field.name for field in table.fields if _has_rules(field.validator))
        self._prefixes = _prefixes([field.name for field in table.fields])

    def encode(self, batch: pa.RecordBatch) -> Encoded:
        """One slice (at most about :data:`SLICE_ROWS` rows) of the query's result."""
        return _Slice(self, batch).encode()


def needs_uniform(table: TablePlan) -> bool:
    """Whether the table's archive entry must be read with bare integers as int64 (``"uniform"``)."""
    return any(field.conversion.special for field in table.fields)


def _has_rules(validator: Validator) -> bool:
    plain = all(v.rules == Rules(default=v.rules.default, unique=v.rules.unique) for _, v in validator.walk())
    return Target(validator).allowed() is not None or not plain


def _prefixes(names: list[str]) -> list[tuple[str, str]]:
    """Keys in byte order with what stands before each value: ``{"a":``, then ``,"b":``. ``_id`` is among them.

    Fields before ``_creationTime`` carry a comma after them, since the first of them may be absent.
    """
    return [(name, json.dumps(name)) for name in sorted([*names, "_creationTime", "_id"])]


@dataclass(frozen=True, slots=True)
class _Text:
    """A column of JSON; of strings without their quotes, which are put around them where the line is joined."""

    column: pa.Array
    quoted: bool = False

    def filled(self, missing: pa.Array, json_text: str) -> _Text:
        """The same with ``json_text`` where ``missing`` is True."""
        if self.quoted and json_text.startswith('"'):
            text = json_columns.scalar(json_text[1:-1])
            return _Text(pc.if_else(missing, text, self.column), quoted=True)
        column = json_columns.joined('"', self.column, '"') if self.quoted else self.column
        return _Text(pc.if_else(missing, json_columns.scalar(json_text), column))


def _any_element(column: pa.Array, elements: pa.Array) -> pa.Array:
    """Of a column of lists, the rows where ``elements`` (booleans over the flattened lists) is True anywhere."""
    mask = np.zeros(len(column), np.bool_)
    mask[pc.list_parent_indices(column).filter(elements).to_numpy()] = True
    return pa.array(mask)


def _notes(batch: pa.RecordBatch) -> dict[str, list[int]]:
    """The rows of which there is something to say, by what; see :class:`CopyQuery`."""
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
    def __init__(self, encoder: TableEncoder, batch: pa.RecordBatch) -> None:
        self.encoder, self.batch, self.rows = encoder, batch, batch.num_rows
        self.keys = key_bytes(batch.column("_key"))
        self.rejected: dict[int, tuple[str, str, str, str]] = {}
        #: The rows where NULL was filled, and those whose JSON holds a number that was rounded, by column.
        self.filled: dict[str, np.ndarray[Any, Any]] = {}
        self.rounded: dict[str, np.ndarray[Any, Any]] = {}
        self.notes = _notes(batch)

    def encode(self) -> Encoded:
        table = self.encoder.table
        number = self.encoder.numbers[table.target]
        self._own_keys()
        texts = {"_id": _Text(fixed_width.ids(self.keys, number), quoted=True)}
        for index, field in enumerate(table.fields):
            texts[field.name] = self._field(index, field)
        texts["_creationTime"], adjusted = self._created(texts)
        lines = self._lines(texts)
        self._large(lines)
        kept = lines
        if self.rejected:
            mask = np.ones(self.rows, np.bool_)
            mask[list(self.rejected)] = False
            kept = lines.filter(pa.array(mask))
        _, content = json_columns.buffers(kept)
        return Encoded(
            content.data,
            self.rows,
            len(kept),
            [self._reject(index) for index in sorted(self.rejected)],
            [self.keys[index].tobytes() for index in sorted(self.rejected)],
            self._kept(self.filled),
            adjusted,
            self._cut(),
            self._kept(self.rounded),
        )

    def _kept(self, rows: Mapping[str, np.ndarray[Any, Any]]) -> Counter[str]:
        """How many of some rows go, by column."""
        return +Counter({name: sum(row not in self.rejected for row in found.tolist()) for name, found in rows.items()})

    def _cut(self) -> Counter[str]:
        cut: Counter[str] = Counter()
        for index, field in enumerate(self.encoder.table.fields):
            rows = self.notes.get(f"{index}_cut", ()) if field.conversion.cut else ()
            cut[field.place] += sum(row not in self.rejected for row in rows)
        return +cut

    def _created(self, texts: Mapping[str, _Text]) -> tuple[_Text, int]:
        """The creation times, and how many of them are substitutes."""
        table, column = self.encoder.table, self.batch.column("_created")
        if self.encoder.query.created is None:
            adjusted = self.rows if not table.creation.columns else len(self.notes.get("created", ()))
            return _Text(json_columns.micros(column)), adjusted
        text = texts[table.fields[self.encoder.query.created].name].column
        adjusted = self.rows - column.null_count
        if adjusted:
            # Also where the field is filled.
            text = pc.if_else(pc.is_null(column), text, json_columns.micros(column))
        return _Text(text), adjusted

    def _own_keys(self) -> None:
        """Rejects rows whose own key is NULL or shared: a key that supavex.toml chose need not be one."""
        column = self.batch.column("_key")
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        assert self.encoder.table.key is not None
        names = ", ".join(self.encoder.table.key.columns)
        fix = "Choose other columns as `key` in supavex.toml."
        self._mark(pc.is_null(column), names, "NullKey", "a part of the key is NULL", fix)
        if self.encoder.shared_keys is not None:
            repeated = ~self.encoder.shared_keys.lacks(self.keys) & pc.is_valid(column).to_numpy(zero_copy_only=False)
            for index in np.flatnonzero(repeated):
                self.rejected.setdefault(int(index), (names, "DuplicateKey", *self._shared(int(index), fix)))

    def _shared(self, index: int, fix: str) -> tuple[str, str]:
        """Why the key of a row is met twice, and what to do."""
        tables, name = self.encoder.sharing[self.keys[index].tobytes()], self.encoder.table.name
        if " and " not in tables:
            return "another row has the same key", fix
        return (
            f"{tables} have a row with this key each, and {name} has the rows of the tables that inherit from it",
            "Give all but one of these rows another key, choose columns as `key` that are unique over these tables, or "
            f"skip {name} in supavex.toml.",
        )

    def _lines(self, texts: Mapping[str, _Text]) -> pa.Array:
        parts: list[Any] = []
        constant = "{"  # what is to stand before the next column
        before = True  # no member that is always there has been written yet
        for name, key in self.encoder._prefixes:
            text = texts[name]
            quote = '"' if text.quoted else ""
            comma = "" if before else ","
            if name != "_creationTime" and text.column.null_count:
                member = json_columns.joined(f"{comma}{key}:{quote}", text.column, quote + "," * before)
                parts += [constant, member] if constant else [member]
                constant = ""
                continue
            parts += [f"{constant}{comma}{key}:{quote}", text.column]
            constant = quote
            if name == "_creationTime":
                before = False
            elif before:
                constant += ","
        parts.append(constant + "}\n")
        scalars = [json_columns.scalar(part) if isinstance(part, str) else part for part in parts]
        empty = json_columns.scalar("")
        return pc.binary_join_element_wise(*scalars, empty, null_handling="replace", null_replacement="")

    def _mark(self, mask: Any, column: str, code: str, reason: str, fix: str) -> None:
        """Rejects the rows where ``mask`` (a boolean column, NULL as False) is True, unless rejected already."""
        if mask.null_count:
            mask = pc.fill_null(mask, json_columns.FALSE)
        if not mask.true_count:
            return
        for index in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
            self.rejected.setdefault(int(index), (column, code, reason, fix))

    def _field(self, index: int, field: FieldPlan) -> _Text:
        """The JSON of field number ``index``: NULL where the document is without it."""
        column = self.batch.column(f"v{index}")
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        self._guards(index, field, column)
        missing = pc.is_null(column)
        if field.reference is not None and field.reference.many:
            text = _Text(self._references(field, column))
        elif field.name in self.encoder.lookups:
            text = self._looked_up(field, column)
        elif field.name in self.encoder.existing:
            text = self._existing(field, column)
        elif field.reference is not None:
            text = self._reference(field, column)
        elif field.file is not None:
            ids = fixed_width.ids(key_bytes(column), STORAGE_NUMBER)
            text = _Text(pc.if_else(missing, json_columns.scalar(None), ids), quoted=True)
        else:
            text = self._value(field, column)
        if not column.null_count:
            return text
        if field.fill is not MISSING:
            self.filled[field.place] = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
            return text.filled(missing, to_export_json(field.fill))
        if field.takes_null:
            return text.filled(missing, "null")
        if not field.optional:
            reason = f"the column is NULL, and the field {field.name} is required"
            fix = f"Make {field.name} v.optional(…), fill it (fill in supavex.toml), or correct the row."
            self._mark(missing, field.place, "NullInRequired", reason, fix)
        return text

    def _guards(self, index: int, field: FieldPlan, column: pa.Array) -> None:
        guards = field.conversion.guards
        if field.conversion.seen:
            for row, number in unfit(column):
                self._refuse(row, field, guards[number].code, guards[number].message, guards[number].hint)
        if not self.notes:
            return
        for number in range(len(guards_sql(field))):
            for row in self.notes.get(f"{index}_{number}", ()):
                if number < len(guards):
                    guard = guards[number]
                    self._refuse(row, field, guard.code, guard.message, guard.hint)
                else:
                    reason = "it refers to a row that is not there"
                    if field.reference is not None and field.reference.target == STORAGE_TABLE:
                        reason = "it names no file that storage.objects has"
                    self._refuse(row, field, "DanglingReference", reason, _MEANT)

    def _looked_up(self, field: FieldPlan, column: pa.Array) -> _Text:
        lookup = self.encoder.lookups[field.name]
        positions = pc.index_in(column, value_set=lookup.keys)
        unknown = pc.and_(pc.is_valid(column), pc.is_null(positions))
        reason, fix = f"{field.ids_file} has no new id for it", f"Add it to {field.ids_file}."
        self._mark(unknown, field.place, "IdNotInFile", reason, fix)
        return _Text(json_columns.escaped(lookup.values.take(positions)), quoted=True)

    def _existing(self, field: FieldPlan, column: pa.Array) -> _Text:
        assert field.reference is not None
        known, target = self.encoder.existing[field.name], field.reference.target
        places = known.keys.find(key_bytes(column))
        unknown = places < 0
        if unknown.any():
            reason = f"no document of {target} in the target matches the row that it refers to"
            fix = f"See that the row is in {target}, matched by its key."
            valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
            self._mark(pa.array(unknown & valid), field.place, "UnresolvedReference", reason, fix)
        # Those rows don't go: any id will do.
        none = np.zeros((len(places), INTERNAL_ID_BYTES), np.uint8)
        ids = fixed_width.ids(known.ids[places] if len(known.keys) else none, known.number)
        if column.null_count:
            ids = pc.if_else(pc.is_null(column), json_columns.scalar(None), ids)
        return _Text(ids, quoted=True)

    def _reference(self, field: FieldPlan, column: pa.Array) -> _Text:
        assert field.reference is not None
        keys = key_bytes(column)
        for bad in self.encoder.bad.get(field.name, []):
            named = bad.among(keys)
            if named.any():
                named &= pc.is_valid(column).to_numpy(zero_copy_only=False)
                self._mark(pa.array(named), field.place, bad.code, bad.reason, bad.fix)
        ids = fixed_width.ids(keys, self.encoder.numbers[field.reference.target])
        if column.null_count:
            ids = pc.if_else(pc.is_null(column), json_columns.scalar(None), ids)
        return _Text(ids, quoted=True)

    def _references(self, field: FieldPlan, column: pa.Array) -> pa.Array:
        """Arrays of ids, from JSON arrays of key texts: a Python object per element, for the kind is rare."""
        reference = field.reference
        assert reference is not None
        known = self.encoder.existing_bytes.get(field.name)
        elements = Target(field.validator).elements
        nulls = any(Target(element).null for element in elements)

        def id_of(text: str | None, index: int) -> str | None:
            if text is None:
                if not nulls:
                    self._refuse(index, field, NO_NULLS.code, NO_NULLS.message, NO_NULLS.hint)
                return None
            key = reference.key.internal_id(text)
            if known is not None:
                if key not in known:
                    reason = f"no document of {reference.target} in the target matches a row that it refers to"
                    self._refuse(index, field, "UnresolvedReference", reason, _MEANT)
                    return None
                return encode_id(self.encoder.existing[field.name].number, known[key])
            for keys, bad in self.encoder.bad_bytes[field.name]:
                if (key in keys) is not bad.others:
                    self._refuse(index, field, bad.code, f"of an element: {bad.reason}", bad.fix)
            return encode_id(self.encoder.numbers[reference.target], key)

        texts = [
            None if text is None else json.dumps([id_of(item, index) for item in json.loads(text)])
            for index, text in enumerate(column.to_pylist())
        ]
        return pa.array(texts, pa.string())

    def _refuse(self, index: int, field: FieldPlan, code: str, reason: str, fix: str) -> None:
        self.rejected.setdefault(index, (field.place, code, reason, fix))

    def _value(self, field: FieldPlan, column: pa.Array) -> _Text:
        kind = field.conversion.kind
        self._rules(field, column)
        if kind == "string":
            return _Text(json_columns.escaped(column), quoted=True)
        if kind == "json":
            column = json_columns.json_texts(column)
            self._numbers(field, column)
            load = field.conversion.load
            if load is not None or self.encoder.uniform:
                column, found = json_limits.checked_rows(
                    column, field.validator, load or numbers_as_doubles, special=field.conversion.special
                )
            else:
                found = list(json_limits.problems(column))
            for problem in found:
                self._refuse(problem.index, field, problem.code, problem.reason, problem.fix)
            return _Text(column)
        if kind == "array":
            self._array(field, column)
        return _Text(json_columns.to_json(column, kind))

    def _numbers(self, field: FieldPlan, column: pa.Array) -> None:
        """Counts the rows whose JSON holds a number that a double does not, or rejects them, as the rule says."""
        rounding = field.conversion.rounding
        if not rounding:
            return
        rows = json_limits.rounded_rows(column, exponents=field.conversion.load is not None)
        if rounding == "counted":
            self.rounded[field.place] = rows
            return
        for index in rows:
            reason = "a number inside is none that a double holds"
            fix = "Make the field v.string(), or take lossy = false away."
            self._refuse(int(index), field, "InexactNumber", reason, fix)

    def _array(self, field: FieldPlan, column: pa.Array) -> None:
        """What the elements' own validators allow; length and NULLs are the guards' business."""
        elements = Target(field.validator).elements
        element = elements[0] if len(elements) == 1 else None
        if element is None:
            return
        allowed = Target(element).allowed()
        if allowed is not None:
            flat = column.flatten()
            known = pc.is_in(flat, value_set=pa.array(allowed, flat.type))
            wrong = pc.and_(pc.is_valid(flat), pc.invert(known))
            reason = f"an element is not one of {', '.join(map(printed, allowed))}"
            self._mark(_any_element(column, wrong), field.place, "ValueNotAllowed", reason, _MEANT)
        elif element.rules != Rules():
            for index, items in enumerate(column.to_pylist()):
                problem = next((p for item in items or () if (p := rules_problem(element, item))), None)
                if problem:
                    self._refuse(index, field, "ValueNotAllowed", f"of an element: {problem}", _MEANT)

    def _rules(self, field: FieldPlan, column: pa.Array) -> None:
        if field.name not in self.encoder.ruled:
            return
        rules = field_rules(field.validator)
        allowed = Target(field.validator).allowed()
        if allowed is None and rules.one_of is not None:
            allowed = list(rules.one_of)
        kind = field.conversion.kind
        if kind == "micros":
            column = pc.divide(column.cast(pa.timestamp("us", column.type.tz)).view(pa.int64()).cast("float64"), 1000.0)
        if kind not in ("string", "number", "micros", "int64", "boolean"):
            return
        if allowed is not None:
            values = column.cast(pa.float64()) if kind in ("number", "int64", "micros") else column
            shown = ", ".join(map(printed, allowed))
            known = pc.is_in(values, value_set=pa.array(allowed, values.type))
            wrong = pc.and_(pc.is_valid(values), pc.invert(known))
            self._mark(wrong, field.place, "ValueNotAllowed", f"the value is not one of {shown}", _MEANT)
        for sign, bound, holds in rules.bounds():
            compare = {"ge": pc.greater_equal, "gt": pc.greater, "le": pc.less_equal, "lt": pc.less}[holds.__name__]
            # Inverted, so that NaN, which compares with nothing, is found too.
            wrong = pc.invert(compare(column.cast(pa.float64()), float(bound)))
            self._mark(wrong, field.place, "ValueOutOfRange", f"the value is not {sign} {printed(bound)}", _MEANT)
        if rules.pattern is not None and kind == "string":
            pattern = re.compile(rules.pattern)
            texts = pc.unique(column.cast(pa.string()).drop_null()).to_pylist()
            odd = [text for text in texts if not pattern.search(text)]
            if odd:
                wrong = pc.is_in(column.cast(pa.string()), value_set=pa.array(odd, pa.string()))
                reason = f"the value does not match {rules.pattern}"
                self._mark(wrong, field.place, "PatternMismatch", reason, _MEANT)
        if isinstance(field.validator, Union) and allowed is None and rules is field.validator.rules:
            self._member_rules(field, column)

    def _member_rules(self, field: FieldPlan, column: pa.Array) -> None:
        """The rules of a union's several members, of which a value breaks all that it could be of: value by value."""
        if field.conversion.kind == "string":
            column = column.cast(pa.string())
        different = pc.unique(column.drop_null())
        number = field.conversion.kind in ("number", "micros")
        values = [float(value) if number else value for value in different.to_pylist()]
        problems = [rules_problem(field.validator, value) for value in values]
        odd = [index for index, problem in enumerate(problems) if problem]
        if odd:
            wrong = pc.is_in(column, value_set=different.take(pa.array(odd)))
            reason = f"of the rules of {field.validator}: {problems[odd[0]]}"
            self._mark(wrong, field.place, "ValueNotAllowed", reason, _MEANT)

    def _large(self, lines: pa.Array) -> None:
        offsets, _ = json_columns.buffers(lines)
        for index in np.flatnonzero(np.diff(offsets) > json_limits.LARGE):
            if int(index) not in self.rejected:
                line = lines[int(index)].as_py()
                reason = json_limits.document_problem(line, uniform=self.encoder.uniform)
                if reason:
                    heaviest = self._heaviest(line)
                    fix = self._lighter(heaviest)
                    self.rejected[int(index)] = (heaviest.place, "ValueTooLargeError", reason, fix)

    def _heaviest(self, line: str) -> FieldPlan:
        """The field that has most to do with a document's size."""
        sizes = {name: len(json.dumps(value)) for name, value in json.loads(line).items()}
        return max(self.encoder.table.fields, key=lambda field: sizes.get(field.name, 0))

    def _lighter(self, field: FieldPlan) -> str:
        """What to do about a document that is too large for that field's sake."""
        table, other = self.encoder.table, "Cut its longest text (truncate), or leave a column out."
        assert table.key is not None
        assert table.definition is not None
        if field.column is None or field.expression or field.ids is not None or field.reference is not None:
            return other
        if any(found.column.name == field.column.name for found in table.files):
            return f"Lower file_over of {field.place} in supavex.toml, or that of another column of the table."
        if table.key.form != "row" and field.column.name in table.key.columns:
            return other
        fields = table.definition.fields
        shared = field.column.name in table.by_name
        return suggestion(table.source, table.toml, field.column, fields, field.name, shared=shared) or other

    def _reject(self, index: int) -> Reject:
        table = self.encoder.table
        assert table.key is not None
        column, code, reason, fix = self.rejected[index]
        if self.encoder.query.has_text:
            key = self.batch.column("_text")[index].as_py()
        else:
            key = table.key.text_of(self.keys[index].tobytes())
        if self.batch.column("_key")[index].as_py() is None:
            key = None
        return Reject(table.name, key, column, code, reason, fix)
