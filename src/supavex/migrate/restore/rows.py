"""Documents as rows: for each column the text from which PostgreSQL reads its value.

It reverses the copy's rules. A column's value comes from its field, from the row to which a field refers, or, for a key
without a field, from the document's id. Other columns get their default, with a note of the reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from supavex.convex.field_rules import MISSING
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.values import Document, Value, same
from supavex.errors import SupavexError
from supavex.mapping.conversions.literals import array_of_texts
from supavex.mapping.plan import ALIAS, FieldPlan, IdFile, KeyText, Plan, Reference, TablePlan
from supavex.migrate.restore.new_keys import NewKeys
from supavex.migrate.target.documents import Documents
from supavex.postgres.connection import quoted

_ABSENT: Value = object()
#: Returns the contents of a stored file by its id; None if it does not exist.
FileContents = Callable[[str], bytes | None]
#: For a table that existed in Convex: id to the texts of the row's columns, by name.
ExistingRows = Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True, slots=True)
class Note:
    """A note on a column that is ``left`` to its default or restored as the ``nearest`` value, or on a left-out table.

    ``sequence``: the column is restored, but the sequence of its default could not be set.
    """

    table: str
    column: str
    kind: Literal["left", "nearest", "sequence"]
    reason: str


@dataclass(frozen=True, slots=True)
class ColumnOrigin:
    """The source of a column's value: a field, or without one the document's id.

    ``named``: the field refers to a row, and the value is this column of that row. ``part``: the field holds the key as
    text, and the value is its part with this number. ``file``: if this field refers to a stored file, the file holds
    the value; ``field`` may then be None.
    """

    column: str
    field: FieldPlan | None = None
    named: str = ""
    part: int | None = None
    file: FieldPlan | None = None


@dataclass(slots=True)
class Counts:
    """Counts of a restore, by column (``untaken``: by field).

    ``maybe_null``: values that equal the field's default, which the copy also writes for NULL. ``unknown``: ids that
    the id file or the target's table does not know, and that become NULL. ``untaken``: values of fields without a
    column.
    """

    maybe_null: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    untaken: Counter[str] = field(default_factory=Counter)


class RowReader:
    """Reads rows from ``documents``, by ``plan``. ``existing``: rows of tables that existed in Convex, by target.

    ``stored``: the files of large values. A context manager, because the numbers of new documents are kept in a
    temporary file.
    """

    def __init__(
        self,
        plan: Plan,
        documents: Documents,
        existing: Mapping[str, ExistingRows],
        stored: FileContents = lambda id_: None,
    ) -> None:
        self.plan, self.documents, self.existing, self.stored = plan, documents, existing, stored
        self.numbers = documents.table_numbers()
        self.counts: dict[str, Counts] = {table.name: Counts() for table in plan.moving}
        self._new = NewKeys(documents)
        self._olds: dict[str, dict[str, str]] = {}

    def __enter__(self) -> RowReader:
        return self

    def __exit__(self, *details: object) -> None:
        self._new.close()

    def origins(self, table: TablePlan) -> tuple[list[ColumnOrigin], list[Note]]:
        """The origin of each column that has one; and notes on the others, and on those with changed values."""
        origins: list[ColumnOrigin] = []
        notes: list[Note] = []
        for column in table.source.columns:
            if column.generated:
                continue  # PostgreSQL computes it.
            found = self._origin(table, column.name)
            if isinstance(found, str):
                notes.append(Note(table.name, column.name, "left", found))
                continue
            origins.append(found)
            rule = self.plan.project.column_rule(table.rule, column.name)
            if found.field is not None and rule.lossy:
                notes.append(Note(table.name, column.name, "nearest", "`lossy` made values the nearest that fit"))
            elif found.field is not None and rule.nonfinite == "null":
                notes.append(Note(table.name, column.name, "nearest", "`nonfinite` made NaN and infinity NULL"))
            if found.field is not None and rule.truncate is not None:
                notes.append(Note(table.name, column.name, "nearest", "`truncate` cut long texts"))
        return origins, notes

    def texts(
        self, table: TablePlan, origins: Sequence[ColumnOrigin], documents: Sequence[Document]
    ) -> Iterable[tuple[str | None, ...]]:
        """The rows of a batch of documents of ``table``: for each of ``origins`` a text, or None for NULL."""
        counts = self.counts[table.name]
        known = {
            "_id",
            "_creationTime",
            *(f.name for origin in origins for f in (origin.field, origin.file) if f is not None),
        }
        known |= {planned.name for planned in table.fields if _is_derived(planned)}
        for document in documents:
            counts.untaken.update(document.keys() - known)
        return zip(*(self._column(table, origin, documents, counts) for origin in origins), strict=True)

    def _origin(self, table: TablePlan, column: str) -> ColumnOrigin | str:
        """The origin of a column, or why it has none."""
        reason = f"skipped: {table.skipped[column]}" if column in table.skipped else "no field holds it"
        found = _reference_of(table, column)
        if found is not None and not self._circular(table, column):
            planned, named = found
            unreachable = self._unreachable(planned.reference, named) if planned.reference else None
            if unreachable is None:
                return ColumnOrigin(column, planned, named)
            reason = unreachable
        plain = _field_of(table, column)
        file = next((f for f in table.fields if f.file is not None and f.file.column.name == column), None)
        if file is not None:
            return ColumnOrigin(column, plain, file=file)
        if plain is not None and plain.expression:
            reason = "an sql expression made the field of it, which can't be taken back"
            if plain.reference is not None and plain.reference.target == STORAGE_TABLE:
                reason = "a stored file's id does not say how the column named it"
        elif plain is not None and isinstance(plain.value, IdFile):
            if self._old_ids(plain.value) is not None:
                return ColumnOrigin(column, plain)
            reason = f"{plain.value.path} gives one new id to several old ones"
        elif plain is not None and plain.reference is None:
            return ColumnOrigin(column, plain)
        key = table.key
        if key is not None and column in key.columns:
            if key.form in ("uuid", "integer"):
                return ColumnOrigin(column)
            text = next((f for f in table.fields if _holds_key_text(f)), None)
            if text is not None:
                return ColumnOrigin(column, text, part=key.columns.index(column))
        return reason

    def _unreachable(self, reference: Reference, named: str) -> str | None:
        """Why a column of the parent's row can't be known; None if it can."""
        if reference.existing:
            if reference.target in self.existing:
                return None
            return f"the archive does not hold {reference.target}, which chose its ids: export it from Convex"
        parent = self._parent(reference)
        found = self._origin(parent, named)
        if isinstance(found, str):
            return f"it refers to {parent.name}.{named}, which can't be taken back: {found}"
        if (found.field or found.file) is not None and parent.target not in self.numbers:
            return f"it refers to {parent.name}, which the archive does not hold"
        return None

    def _circular(self, table: TablePlan, column: str) -> bool:
        """Whether the column's value comes only from rows that refer to each other, in a cycle back to it."""
        seen: list[tuple[str, str]] = []
        while (found := _reference_of(table, column)) is not None:
            place = (table.name, column)
            if place in seen:
                return place == seen[0]
            seen.append(place)
            reference, named = found[0].reference, found[1]
            if reference is None or reference.existing:
                return False
            table, column = self._parent(reference), named
        return False

    def _parent(self, reference: Reference) -> TablePlan:
        parent = self.plan.of_source(reference.schema, reference.table)
        assert parent is not None
        return parent

    def _column(
        self, table: TablePlan, origin: ColumnOrigin, documents: Sequence[Document], counts: Counts | None = None
    ) -> Iterable[str | None]:
        if origin.file is None:
            return self._texts(table, origin, documents, counts)
        own = [None] * len(documents) if origin.field is None else self._texts(table, origin, documents, counts)
        # One at a time, because they are large.
        return (self._text(table, origin, document, text) for document, text in zip(documents, own, strict=True))

    def _text(self, table: TablePlan, origin: ColumnOrigin, document: Document, own: str | None) -> str | None:
        """The text of a value that may be in a file. ``own``: the text from the field itself."""
        assert origin.file is not None
        assert origin.file.file is not None
        id_ = document.get(origin.file.name)
        if id_ is None:
            return own
        content = self.stored(id_) if isinstance(id_, str) else None
        if content is None:
            message = f"the archive holds no file {_shown(id_)} (npx convex export --include-file-storage)"
        elif own is not None:
            message = "there is a file, and a value in its own field too"
        elif origin.file.file.column.type.base == "bytea":
            return f"\\x{content.hex()}"
        else:
            try:
                return content.decode()
            except UnicodeDecodeError:
                message = f"the file {_shown(id_)} holds no text"
        raise _refusal(table, ColumnOrigin(origin.column, origin.file), document, message)

    def _texts(
        self, table: TablePlan, origin: ColumnOrigin, documents: Sequence[Document], counts: Counts | None = None
    ) -> list[str | None]:
        planned = origin.field
        if planned is None:
            return [self._own(table, str(document["_id"])) for document in documents]
        column = table.source.column(origin.column)
        nullable = column is None or column.nullable
        values = [document.get(planned.name, _ABSENT) for document in documents]
        read = self._reader(table, origin, values)
        texts: list[str | None] = []
        for document, value in zip(documents, values, strict=True):
            if value is _ABSENT or (value is None and planned.takes_null and nullable):
                texts.append(None)
                continue
            try:
                texts.append(read(value))
            except _Unknown as unknown:
                if not nullable:
                    raise _refusal(table, origin, document, str(unknown)) from None
                texts.append(None)
                if counts is not None:
                    counts.unknown[origin.column] += 1
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:
                raise _refusal(table, origin, document, f"{_shown(value)} can't be taken back: {error}") from None
            if counts is not None and nullable and planned.fill is not MISSING and same(value, planned.fill):
                counts.maybe_null[origin.column] += 1
        return texts

    def _reader(self, table: TablePlan, origin: ColumnOrigin, values: Iterable[Value]) -> Callable[[Value], str | None]:
        """A function from a field's value to a column's text. ``values``: the values for which it will be called."""
        planned = origin.field
        assert planned is not None
        if planned.reference is not None:
            reference = planned.reference
            named = self._named(reference, origin.named, {id_ for value in values for id_ in _ids(value)})

            def text_of(id_: Value) -> str | None:
                if id_ is None:
                    return None
                if id_ not in named:
                    message = f"{_shown(id_)} is not a document of {reference.target}"
                    raise _Unknown(message) if reference.existing else ValueError(message)
                return named[id_]

            return (
                (lambda ids: array_of_texts(ids and [text_of(id_) for id_ in ids])) if reference.is_array else text_of
            )
        if isinstance(planned.value, IdFile):
            return self._old_id_reader(planned.value)
        if origin.part is not None:
            assert table.key is not None
            several, part = len(table.key.columns) > 1, origin.part
            return lambda text: str(json.loads(text)[part] if several else text)
        return planned.conversion.restore

    def _old_id_reader(self, file: IdFile) -> Callable[[Value], str | None]:
        olds = self._old_ids(file)
        assert olds is not None

        def old_id(new: Value) -> str | None:
            if new is not None and new not in olds:
                raise _Unknown(f"{_shown(new)} is not a new id of {file.path}")
            return None if new is None else olds[new]

        return old_id

    def _old_ids(self, file: IdFile) -> dict[str, str] | None:
        """New id to old id; None if several old ids have one new id."""
        if file.path not in self._olds:
            self._olds[file.path] = {new: old for old, new in file.ids.items()}
        olds = self._olds[file.path]
        return olds if len(olds) == len(file.ids) else None

    def _named(self, reference: Reference, column: str, ids: set[str]) -> dict[str, str | None]:
        """A column of the rows to which ``ids`` refer, by id. Missing rows are left out."""
        if reference.existing:
            known = self.existing[reference.target]
            return {id_: known[id_][column] for id_ in ids if id_ in known}
        parent = self._parent(reference)
        origin = self._origin(parent, column)
        assert isinstance(origin, ColumnOrigin)
        if origin.field is None and origin.file is None:
            found: dict[str, str | None] = {}
            for id_ in ids:
                with suppress(InvalidId):
                    found[id_] = self._own(parent, id_)
            return found
        documents = self.documents.get_many(parent.target, sorted(ids))
        texts = self._column(parent, origin, list(documents.values()))
        return dict(zip(documents, texts, strict=True))

    def _own(self, table: TablePlan, id_: str) -> str:
        """The key in a document's id: its row's key, or a new one for a document that Convex created."""
        assert table.key is not None
        number, internal_id = decode_id(id_)
        expected = self.numbers.get(table.target, number)
        if number != expected:
            raise InvalidId(id_, f"it is of table {number}, not of {table.target}, which is {expected}")
        return table.key.text_of(internal_id) or self._new.number(table, id_)


class _Unknown(Exception):
    """An id that was chosen outside, and whose old key is unknown."""


def _field_of(table: TablePlan, column: str) -> FieldPlan | None:
    """The field whose value comes from a column."""
    return next((f for f in table.fields if f.column is not None and f.column.name == column), None)


def _reference_of(table: TablePlan, column: str) -> tuple[FieldPlan, str] | None:
    """The field that refers to a row by a column, if no field holds the column itself; and the column of that row."""
    plain = _field_of(table, column)
    if plain is not None and not plain.expression:
        return None if plain.reference is None else (plain, plain.reference.columns[0])
    for planned in table.fields:
        if column in planned.by_columns and planned.reference is not None:
            position = planned.reference.parts.index(f"{ALIAS}.{quoted(column)}")
            return planned, planned.reference.columns[position]
    return None


def _holds_key_text(planned: FieldPlan) -> bool:
    """Whether the plan made the field to hold the row's key as text."""
    return isinstance(planned.value, KeyText)


def _is_derived(planned: FieldPlan) -> bool:
    """Whether the copy derives the field from other columns, so that the restore need not read it."""
    column = planned.file.column if planned.file is not None else planned.column
    return _holds_key_text(planned) or (column is not None and bool(column.generated))


def _ids(value: Value) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _refusal(table: TablePlan, origin: ColumnOrigin, document: Document, message: str) -> SupavexError:
    assert origin.field is not None
    return SupavexError(
        "CannotTakeBack",
        f"the field {origin.field.name}: {message}.",
        where=f"{table.target} {document['_id']}",
        hint=f"Correct the document, so that {table.name}.{origin.column} can hold it, and export again.",
    )


def _shown(value: Value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
