"""The schema language: Convex's own words in Python.

    schema = define_schema({
        "articles": define_table({
            "title": v.string(),
            "status": v.string(one_of=["draft", "published"]),
        }).index("by_status", ["status"]),
    })

``schema.export()`` gives the JSON that the official package's ``schema.export()`` gives for the TypeScript that
:mod:`supavex.convex.typescript` writes. Nothing is checked while a schema is written down, so that
:func:`supavex.convex.compile.compile_schema` can report all findings at once, each with its place.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from supavex.convex import validators as kinds
from supavex.convex.coercion import with_rules
from supavex.convex.field_rules import MISSING, Rules
from supavex.convex.validators import Optional, Validator, unwrap
from supavex.convex.values import Value
from supavex.diagnostics import Place, place_of_caller


@dataclass(frozen=True, slots=True)
class Index:
    """A database index: its fields in order, without the ``_creationTime`` that Convex appends."""

    name: str
    fields: tuple[str, ...]
    staged: bool = False
    place: Place | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The index's entry in ``indexes`` or ``stagedDbIndexes``."""
        return {"indexDescriptor": self.name, "fields": list(self.fields)}


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """A full text index over one string field."""

    name: str
    search_field: str
    filter_fields: tuple[str, ...] = ()
    staged: bool = False
    place: Place | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The index's entry in ``searchIndexes`` or ``stagedSearchIndexes``."""
        filters = list(self.filter_fields)
        return {"indexDescriptor": self.name, "searchField": self.search_field, "filterFields": filters}


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """A vector index over one field of float64 arrays."""

    #: The index's name, unique in its table.
    name: str
    #: The field that holds the vectors.
    vector_field: str
    #: The number of elements of each array.
    dimensions: int
    #: Fields that a vector search may compare for equality.
    filter_fields: tuple[str, ...] = ()
    #: Whether Convex fills the index in the background and does not answer queries from it yet.
    staged: bool = False
    #: The line of schema.py that defines the index.
    place: Place | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The index's entry in ``vectorIndexes`` or ``stagedVectorIndexes``."""
        return {
            "indexDescriptor": self.name,
            "vectorField": self.vector_field,
            "dimensions": self.dimensions,
            "filterFields": list(self.filter_fields),
        }


class Table(Protocol):
    """A table under construction, as :func:`define_table` returns it. Each method adds to the table and returns it."""

    def index(self, name: str, fields: Sequence[str], *, staged: bool = False) -> Table:
        """Adds a database index: queries with ``.withIndex(name, …)`` find and order documents by ``fields``.

        ``name``: such as ``by_status``. ``fields``: one to 16 names or dotted paths, in order; Convex appends
        ``_creationTime``. ``staged``: the index is filled in the background, and can't be queried yet.

            define_table({"status": v.string()}).index("by_status", ["status"])
        """

    def search_index(
        self, name: str, *, search_field: str, filter_fields: Sequence[str] = (), staged: bool = False
    ) -> Table:
        """Adds a full text index: ``.withSearchIndex(name, …)`` finds documents by words of ``search_field``.

        ``search_field``: a field of text. ``filter_fields``: up to 16 fields that can be compared for equality in the
        same search, such as the tenant's id. ``staged``: see :meth:`index`.
        """

    def vector_index(
        self, name: str, *, vector_field: str, dimensions: int, filter_fields: Sequence[str] = (), staged: bool = False
    ) -> Table:
        """Adds a vector index: ``ctx.vectorSearch`` finds the documents whose ``vector_field`` is nearest.

        ``vector_field``: a field of ``v.array(v.float64())``. ``dimensions``: how many numbers each array has, 2 to
        4096. ``filter_fields`` and ``staged``: see :meth:`search_index`.
        """

    def unique(self, fields: Sequence[str]) -> Table:
        """Says that no two documents have the same values in ``fields``.

        Convex has no such rule: `supavex verify` checks it, schema.ts says it in a comment, and the app's mutations
        have to look by an index before they insert.
        """


@dataclass(slots=True)
class TableDefinition:
    """The definition behind a :class:`Table`: the validator of its documents and its indexes."""

    #: The validator of a document, without ``_id`` and ``_creationTime``.
    document: Validator
    #: The line above the table in schema.ts.
    comment: str = ""
    #: The line of schema.py that defines the table.
    place: Place | None = field(default=None, compare=False)
    #: The database indexes.
    indexes: list[Index] = field(default_factory=list)
    #: The text search indexes.
    search_indexes: list[SearchIndex] = field(default_factory=list)
    #: The vector indexes.
    vector_indexes: list[VectorIndex] = field(default_factory=list)
    #: Groups of fields, each unique in the table.
    uniques: list[tuple[str, ...]] = field(default_factory=list)

    def index(self, name: str, fields: Sequence[str], *, staged: bool = False) -> TableDefinition:
        """Adds a database index on ``fields`` (dotted paths). A staged index is built but can't be queried yet."""
        self.indexes.append(Index(name, _field_list(fields), staged, place_of_caller()))
        return self

    def search_index(
        self, name: str, *, search_field: str, filter_fields: Sequence[str] = (), staged: bool = False
    ) -> TableDefinition:
        """Adds a full text index on ``search_field``. Searches may compare ``filter_fields`` for equality."""
        self.search_indexes.append(
            SearchIndex(name, search_field, _field_list(filter_fields), staged, place_of_caller())
        )
        return self

    def vector_index(
        self, name: str, *, vector_field: str, dimensions: int, filter_fields: Sequence[str] = (), staged: bool = False
    ) -> TableDefinition:
        """Adds a vector index on ``vector_field``, whose arrays have ``dimensions`` (2 to 4096) float64 elements."""
        index = VectorIndex(name, vector_field, dimensions, _field_list(filter_fields), staged, place_of_caller())
        self.vector_indexes.append(index)
        return self

    def unique(self, fields: Sequence[str]) -> TableDefinition:
        """Says that no two documents have the same values in ``fields``. Convex has no such rule; verify checks it."""
        self.uniques.append(_field_list(fields))
        return self

    @property
    def fields(self) -> dict[str, Validator]:
        """Field name to validator, with ``v.optional`` around it. Empty for a table of unions or ``v.any()``."""
        return dict(self.document.fields) if isinstance(self.document, kinds.Object) else {}

    def to_json(self, name: str) -> dict[str, Any]:
        """The table's entry in the export. Top-level fields with an underscore are in it: Convex drops them later."""
        return {
            "tableName": name,
            "indexes": [i.to_json() for i in self.indexes if not i.staged],
            "stagedDbIndexes": [i.to_json() for i in self.indexes if i.staged],
            "searchIndexes": [i.to_json() for i in self.search_indexes if not i.staged],
            "stagedSearchIndexes": [i.to_json() for i in self.search_indexes if i.staged],
            "vectorIndexes": [i.to_json() for i in self.vector_indexes if not i.staged],
            "stagedVectorIndexes": [i.to_json() for i in self.vector_indexes if i.staged],
            "documentType": self.document.to_json(),
        }


@dataclass(slots=True)
class Schema:
    """Tables by name, in the order of schema.py. With ``schema_validation`` False, Convex enforces nothing."""

    tables: dict[str, TableDefinition]
    schema_validation: bool = True
    place: Place | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The schema as Convex's JSON, parsed."""
        return {
            "tables": [table.to_json(name) for name, table in self.tables.items()],
            "schemaValidation": self.schema_validation,
        }

    def export(self) -> str:
        """The schema as Convex's JSON text: what the official package's ``schema.export()`` returns."""
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))


def _field_list(fields: Sequence[str]) -> tuple[str, ...]:
    if isinstance(fields, str):
        raise TypeError(f"fields are a list: [{fields!r}], not {fields!r}")
    return tuple(fields)


def define_table(document: Validator | Mapping[str, Validator], *, comment: str = "") -> Table:
    """A table whose documents fit ``document``.

    ``document``: a mapping of field names to validators; or an object, a union of objects, or ``v.any()``. Convex adds
    ``_id`` and ``_creationTime`` itself. ``comment``: one line about the table, which schema.ts has above it.

        define_table({"title": v.string(), "views": v.number(default=0)}, comment="Articles of the blog")
    """
    place = place_of_caller()
    if isinstance(document, Mapping):
        document = kinds.Object(fields=dict(document), place=place)
    return TableDefinition(document, comment, place)


def define_schema(tables: Mapping[str, Table], *, schema_validation: bool = True) -> Schema:
    """The schema of a deployment: assign it to the name ``schema`` in schema.py.

    ``tables``: the tables by their names in Convex. ``schema_validation``: False keeps Convex from holding documents
    against the schema.

        schema = define_schema({"articles": define_table({"title": v.string()})})
    """
    return Schema(cast("dict[str, TableDefinition]", dict(tables)), schema_validation, place_of_caller())


def _finish(
    validator: Validator,
    comment: str,
    default: Value = MISSING,
    one_of: Sequence[Value] | None = None,
    **rules: Any,
) -> Validator:
    values = None if one_of is None else tuple(one_of)
    return with_rules(validator, Rules(default=default, one_of=values, **rules), comment)


class V:
    """Convex's validators under Convex's names. Use the instance :data:`v`.

    Keyword arguments are the column's rules in Supabase: ``default`` (fills NULLs), ``one_of`` (allowed values),
    ``ge``, ``le``, ``gt``, ``lt`` (numeric bounds), ``pattern`` (a regular expression that is searched for),
    ``unique``; and ``comment``.
    """

    def id(self, table: str, *, unique: bool = False, comment: str = "") -> Validator:
        """The id of a document in ``table``, a text that only Convex makes.

        ``table``: its name in Convex.

        ``unique``: no two documents have the same value. ``comment``: one line, which stands above the field in
        schema.ts.

            "author": v.id("users")
        """
        return _finish(kinds.Id(table=table, place=place_of_caller()), comment, unique=unique)

    def null(self, *, comment: str = "") -> Validator:
        """Null, and nothing else; mostly in a union: ``v.union(v.string(), v.null())``.

        ``comment``: one line, which schema.ts has above the field.
        """
        return _finish(kinds.Null(place=place_of_caller()), comment)

    def number(
        self,
        *,
        default: float = MISSING,
        one_of: Sequence[float] | None = None,
        ge: float | None = None,
        le: float | None = None,
        gt: float | None = None,
        lt: float | None = None,
        unique: bool = False,
        comment: str = "",
    ) -> Validator:
        """A float64: what JavaScript calls a number. Whole numbers are exact up to 2^53.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``one_of``: the values that are allowed. ``ge``, ``le``, ``gt``, ``lt``: the least and the greatest value,
        the bound itself included (e) or not (t). ``unique``: no two documents have the same value. ``comment``: one
        line, which schema.ts has above the field.

            "views": v.number(default=0, ge=0)
        """
        validator = kinds.Number(place=place_of_caller())
        return _finish(validator, comment, default, one_of, ge=ge, le=le, gt=gt, lt=lt, unique=unique)

    float64 = number

    def int64(
        self,
        *,
        default: int = MISSING,
        one_of: Sequence[int] | None = None,
        ge: int | None = None,
        le: int | None = None,
        gt: int | None = None,
        lt: int | None = None,
        unique: bool = False,
        comment: str = "",
    ) -> Validator:
        """A 64-bit integer: what JavaScript calls a bigint.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``one_of``: the values that are allowed. ``ge``, ``le``, ``gt``, ``lt``: the least and the greatest value,
        the bound itself included (e) or not (t). ``unique``: no two documents have the same value. ``comment``: one
        line, which schema.ts has above the field.

            "big": v.int64()
        """
        validator = kinds.Int64(place=place_of_caller())
        return _finish(validator, comment, default, one_of, ge=ge, le=le, gt=gt, lt=lt, unique=unique)

    bigint = int64

    def boolean(self, *, default: bool = MISSING, comment: str = "") -> Validator:
        """True or false.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``comment``: one line, which schema.ts has above the field.

            "open": v.boolean(default=True)
        """
        return _finish(kinds.Boolean(place=place_of_caller()), comment, default)

    def string(
        self,
        *,
        default: str = MISSING,
        one_of: Sequence[str] | None = None,
        pattern: str | None = None,
        unique: bool = False,
        comment: str = "",
    ) -> Validator:
        """Unicode text.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``one_of``: the values that are allowed. ``pattern``: a regular expression that is found in the text.
        ``unique``: no two documents have the same value. ``comment``: one line, which stands above the field in
        schema.ts.

            "status": v.string(one_of=["draft", "live"], default="draft")
        """
        validator = kinds.String(place=place_of_caller())
        return _finish(validator, comment, default, one_of, pattern=pattern, unique=unique)

    def bytes(self, *, default: builtins.bytes = MISSING, unique: bool = False, comment: str = "") -> Validator:
        """Bytes: JavaScript's ArrayBuffer, at most 1 MiB with the document.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``unique``: no two documents have the same value. ``comment``: one line, which stands above the field in
        schema.ts.
        """
        return _finish(kinds.Bytes(place=place_of_caller()), comment, default, unique=unique)

    def any(self, *, default: Value = MISSING, comment: str = "") -> Validator:
        """Any Convex value: what jsonb becomes. Numbers in a Python default become float64, as in JSON.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``comment``: one line, which schema.ts has above the field.
        """
        return _finish(kinds.AnyValue(place=place_of_caller()), comment, default)

    def literal(self, value: str | float | bool, *, comment: str = "") -> Validator:
        """Just this text, number or boolean; a Python int is a number here (``literal_int64`` is for a bigint).

        ``comment``: one line, which schema.ts has above the field.

            v.union(v.literal("draft"), v.literal("live"))
        """
        if isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        return _finish(kinds.Literal(value=value, place=place_of_caller()), comment)

    def literal_int64(self, value: int, *, comment: str = "") -> Validator:
        """Just this int64: what ``v.literal(5n)`` is in TypeScript.

        ``comment``: one line, which schema.ts has above the field.
        """
        return _finish(kinds.Literal(value=value, place=place_of_caller()), comment)

    def array(self, element: Validator, *, default: list[Value] = MISSING, comment: str = "") -> Validator:
        """An array whose elements all fit ``element``; Convex takes 8192 of them at most.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``comment``: one line, which schema.ts has above the field.

            "tags": v.array(v.string(), default=[])
        """
        return _finish(kinds.Array(element=element, place=place_of_caller()), comment, default)

    def object(
        self, fields: Mapping[str, Validator], *, default: dict[str, Value] = MISSING, comment: str = ""
    ) -> Validator:
        """An object with just these fields; inside, too, ``v.optional(…)`` is for those that may be absent.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``comment``: one line, which schema.ts has above the field.

            "size": v.object({"width": v.number(), "height": v.number()})
        """
        return _finish(kinds.Object(fields=dict(fields), place=place_of_caller()), comment, default)

    def record(
        self, keys: Validator, values: Validator, *, default: dict[str, Value] = MISSING, comment: str = ""
    ) -> Validator:
        """An object with any keys that fit ``keys`` (text or ids) and values that fit ``values``.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``comment``: one line, which schema.ts has above the field.

            "seen": v.record(v.id("users"), v.number())
        """
        return _finish(kinds.Record(keys=keys, values=values, place=place_of_caller()), comment, default)

    def union(
        self, *members: Validator, default: Value = MISSING, unique: bool = False, comment: str = ""
    ) -> Validator:
        """A value that fits one of ``members``.

        ``default``: the value of a new document without the field (and of NULL, if supavex.toml says `fill`).
        ``unique``: no two documents have the same value. ``comment``: one line, which stands above the field in
        schema.ts.

            "value": v.union(v.string(), v.number())
        """
        return _finish(kinds.Union(members=members, place=place_of_caller()), comment, default, unique=unique)

    def optional(self, inner: Validator) -> Validator:
        """A field that may be absent: what a nullable column becomes. Rules and comment are those of ``inner``.

        "nickname": v.optional(v.string())
        """
        inside = unwrap(inner)
        if not isinstance(inside, Validator):  # The compiler reports it as a finding.
            return Optional(inner=inner, place=place_of_caller())
        return Optional(inner=inner, rules=inside.rules, comment=inside.comment, place=place_of_caller())


v = V()
