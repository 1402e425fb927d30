"""Hypothesis strategies for Convex values, and for whole schemas that Convex takes."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from supavex.convex import validators as kinds
from supavex.convex.limits import INT64_MAX, INT64_MIN, MAX_TABLE_NUMBER
from supavex.convex.schema import Schema, TableDefinition, define_schema, define_table, v
from supavex.convex.validators import Validator, unwrap

# Names that a careless writer of TypeScript trips over: keywords, and what JavaScript's objects have anyway.
ODD_NAMES = [
    *("class", "default", "delete", "enum", "export", "function", "in", "new", "null", "this", "typeof", "void"),
    *("constructor", "hasOwnProperty", "prototype", "toJSON", "toString", "valueOf", "then", "length", "name"),
    *("type", "kind", "json", "fields", "value", "isOptional", "NaN", "Infinity", "undefined", "a" * 64),
]
_WORD = string.ascii_letters + string.digits + "_"

identifiers = st.sampled_from(ODD_NAMES) | st.builds(
    str.__add__, st.sampled_from(string.ascii_letters), st.text(_WORD, max_size=8)
)
nested_names = identifiers | st.sampled_from(["__proto__", "_id", "_9", "__a"])
texts = st.text(max_size=12) | st.sampled_from(["\u2028\u2029\x00\x7f", '"\\`${}', "*/ // <!--", "é😀\ufeff", "\r\n\t"])
int64s = st.integers(INT64_MIN, INT64_MAX) | st.sampled_from([INT64_MIN, INT64_MAX, 2**53 + 1, -1, 0])
odd_floats = st.sampled_from([-0.0, 5e-324, 1e21, 1e-7, 1e15, 123456789012345680000.0, float("inf"), float("nan")])
floats = st.floats(allow_nan=False) | odd_floats


def keys_of_data() -> st.SearchStrategy[str]:
    """Keys inside documents. ``__proto__`` is left out: the npm package loses it when it reads JSON."""
    printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=6)
    return (printable | st.sampled_from(ODD_NAMES)).filter(lambda key: not key.startswith("$"))


def values(*, json_like: bool = False) -> st.SearchStrategy[Any]:
    """Convex values; with ``json_like`` those that JSON.parse can give too."""
    scalars = st.none() | st.booleans() | texts
    scalars |= (
        st.floats(allow_nan=False, allow_infinity=False) if json_like else floats | int64s | st.binary(max_size=9)
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys_of_data(), inner, max_size=4),
        max_leaves=12,
    )


table_numbers = st.integers(1, MAX_TABLE_NUMBER) | st.sampled_from(
    [n for power in range(7, 32, 7) for n in (2**power - 1, 2**power)] + [1, 512, 10_001, MAX_TABLE_NUMBER]
)
internal_ids = st.binary(min_size=16, max_size=16) | st.sampled_from([b"\0" * 16, b"\xff" * 16])


#: Tables that ids point to. The strategies stay the same objects for all schemas, which makes them fast.
TABLES = ["users", "Users", "constructor", "t" * 64]

_bounds = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
#: Validators with nothing inside; some with the rules and comments that end up in TypeScript's comments.
leaves: st.SearchStrategy[Validator] = st.one_of(
    st.builds(v.id, st.sampled_from([*TABLES, "_storage", "_scheduled_functions"]), comment=texts),
    st.sampled_from([v.null(), v.number(), v.int64(), v.boolean(), v.string(), v.bytes(), v.any()]),
    st.builds(v.literal, texts | floats.filter(math.isfinite) | st.booleans()),
    st.builds(v.literal_int64, int64s),
    st.builds(v.number, default=floats, comment=texts),
    st.builds(lambda ends: v.number(ge=min(ends), le=max(ends)), _bounds),
    st.builds(v.int64, default=int64s),
    st.builds(v.boolean, default=st.booleans()),
    st.builds(v.string, default=texts, unique=st.booleans()),
    st.builds(lambda one_of: v.string(one_of=one_of, default=one_of[0]), st.lists(texts, min_size=1, unique=True)),
    st.builds(lambda text: v.string(pattern=re.escape(text)), texts),
    st.builds(v.bytes, default=st.binary(max_size=5)),
    st.builds(v.any, default=values(json_like=True)),
)
_keys = st.sampled_from([v.string(), v.id("users"), v.union(v.string(), v.union(v.id("users"), v.id("Users")))])


def fields(names: st.SearchStrategy[str], inner: st.SearchStrategy[Validator], *, most: int) -> Any:
    """The fields of an object, some of them optional."""
    return st.dictionaries(names, inner | st.builds(v.optional, inner), max_size=most)


def _containers(inner: st.SearchStrategy[Validator]) -> st.SearchStrategy[Validator]:
    return st.one_of(
        st.builds(v.array, inner),
        st.builds(v.object, fields(nested_names, inner, most=3)),
        st.builds(v.record, _keys, inner),
        st.builds(lambda members: v.union(*members), st.lists(inner, max_size=4)),
    )


#: Validators of any kind and depth. Not ``v.optional``, which is a field's affair.
validators: st.SearchStrategy[Validator] = st.recursive(leaves, _containers, max_leaves=8)

_fields_of_documents = fields(identifiers, validators, most=5)
_objects = st.builds(v.object, _fields_of_documents)
_unions = st.builds(lambda members: v.union(*members), st.lists(_objects, min_size=1, max_size=3))
#: What ``define_table`` takes: fields, an object, a union of objects, or ``v.any()``.
documents: st.SearchStrategy[Any] = st.one_of(
    _fields_of_documents, _fields_of_documents, _objects, _unions, st.just(v.any())
)


def paths(validator: Validator) -> Iterator[tuple[str, Validator]]:
    """The dotted paths inside documents of ``validator`` that an index can name, each with what stands there."""
    validator = unwrap(validator)
    if isinstance(validator, kinds.Union):
        for member in validator.members:
            yield from paths(member)
    elif isinstance(validator, kinds.Object):
        for name, inner in validator.fields.items():
            if not name.startswith("_"):
                yield name, inner
                yield from ((f"{name}.{path}", found) for path, found in paths(inner))


def _is_vector(validator: Validator) -> bool:
    validator = unwrap(validator)
    if isinstance(validator, kinds.Array):
        return isinstance(validator.element, kinds.Number | kinds.AnyValue)
    return isinstance(validator, kinds.AnyValue)


@st.composite
def with_indexes(draw: st.DrawFn, table: TableDefinition) -> TableDefinition:
    """``table`` with indexes of all kinds over the fields it has."""
    at = dict(paths(table.document))
    if isinstance(table.document, kinds.AnyValue):
        at = dict.fromkeys(draw(st.lists(identifiers, min_size=1, max_size=4)), v.any())
    if not at:
        return table
    path = st.sampled_from(sorted(at))
    some, one_or_more = (st.lists(path, min_size=least, max_size=least + 2, unique=True) for least in (0, 1))
    index_names = identifiers.filter(lambda name: name not in ("by_id", "by_creation_time"))
    names = iter(draw(st.lists(index_names, min_size=6, max_size=6, unique=True)))
    for columns in draw(st.lists(one_or_more, max_size=3, unique_by=tuple)):
        table.index(next(names), columns, staged=draw(st.booleans()))
    if draw(st.booleans()):
        search = {"search_field": draw(path), "filter_fields": draw(some), "staged": draw(st.booleans())}
        table.search_index(next(names), **search)
    vectors = sorted(path for path, found in at.items() if _is_vector(found))
    if vectors:
        for dimensions in draw(st.lists(st.integers(2, 4096), max_size=2, unique=True)):
            field, filters, staged = draw(st.sampled_from(vectors)), draw(some), draw(st.booleans())
            table.vector_index(
                next(names), vector_field=field, dimensions=dimensions, filter_fields=filters, staged=staged
            )
    if draw(st.booleans()):
        table.unique(draw(one_or_more))
    return table


_described_tables = st.builds(define_table, documents, comment=st.just("") | texts).flatmap(with_indexes)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Whole schemas, free of findings other than warnings."""
    names = identifiers | st.sampled_from(TABLES)
    tables = draw(st.dictionaries(names, _described_tables, min_size=1, max_size=3))
    for table in list(tables.values()):
        for _, validator in table.document.walk():
            if isinstance(validator, kinds.Id) and not validator.table.startswith("_"):
                tables.setdefault(validator.table, define_table({}))
    return define_schema(tables, schema_validation=draw(st.booleans()))
