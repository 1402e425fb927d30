"""What a push changes, kind by kind."""

import pytest

from supavex.convex.schema import Schema, TableDefinition, define_schema, define_table, v
from supavex.convex.schema_changes import SchemaChange, index_definitions, schema_change
from supavex.convex.schema_json import schema_from_json


def schema(**tables: TableDefinition) -> Schema:
    return define_schema(tables)


def posts() -> TableDefinition:
    """A table with an index of each kind."""
    fields = {"title": v.string(), "author": v.id("users"), "vector": v.array(v.number())}
    return (
        define_table(fields)
        .index("by_author", ["author", "title"])
        .search_index("find", search_field="title", filter_fields=["author"])
        .vector_index("near", vector_field="vector", dimensions=3, filter_fields=["author"])
    )


ALL_INDEXES = ("posts.by_author", "posts.find", "posts.near")


def change(**lists: tuple[str, ...]) -> SchemaChange:
    names = ("new_tables", "changed_tables", "removed_tables", "new_indexes", "removed_indexes")
    return SchemaChange(**dict.fromkeys(names, ()) | lists)


def test_at_first_everything_is_new():
    found = schema_change(None, schema(users=define_table({}), posts=posts()))
    assert found == change(new_tables=("posts", "users"), new_indexes=ALL_INDEXES)
    assert not found.nothing


def test_an_empty_schema_at_first_is_no_change():
    assert schema_change(None, schema()).nothing


def test_the_same_schema_is_no_change():
    found = schema_change(schema(posts=posts()), schema(posts=posts()))
    assert found == change()
    assert found.nothing


def test_a_schema_read_from_json_is_the_same():
    written = schema(posts=posts())
    assert schema_change(schema_from_json(written.export()), written).nothing


def test_a_new_table():
    old, new = schema(users=define_table({})), schema(users=define_table({}), posts=posts())
    assert schema_change(old, new) == change(new_tables=("posts",), new_indexes=ALL_INDEXES)


def test_a_removed_table_takes_its_indexes_along():
    old, new = schema(users=define_table({}), posts=posts()), schema(users=define_table({}))
    assert schema_change(old, new) == change(removed_tables=("posts",), removed_indexes=ALL_INDEXES)


def test_a_renamed_table_is_removed_and_new():
    old, new = schema(a=define_table({}).index("i", ["x"])), schema(b=define_table({}).index("i", ["x"]))
    assert schema_change(old, new) == change(
        new_tables=("b",), removed_tables=("a",), new_indexes=("b.i",), removed_indexes=("a.i",)
    )


BEFORE = {"a": v.string(), "b": v.optional(v.union(v.number(), v.null())), "c": v.object({"d": v.number()})}
CHANGED = {
    "a new field": {**BEFORE, "e": v.null()},
    "a field gone": {name: BEFORE[name] for name in ("a", "b")},
    "another type": {**BEFORE, "a": v.number()},
    "int64 instead of float64": {**BEFORE, "c": v.object({"d": v.int64()})},
    "now optional": {**BEFORE, "a": v.optional(v.string())},
    "now required": {**BEFORE, "b": v.union(v.number(), v.null())},
    "deep inside": {**BEFORE, "c": v.object({"d": v.number(), "e": v.optional(v.any())})},
    "another order of a union": {**BEFORE, "b": v.optional(v.union(v.null(), v.number()))},
    "anything": v.any(),
    "a union of documents": v.union(v.object(BEFORE)),
}


@pytest.mark.parametrize("document", CHANGED.values(), ids=CHANGED)
def test_a_changed_document_type(document: object):
    old, new = schema(t=define_table(BEFORE).index("i", ["a"])), schema(t=define_table(document).index("i", ["a"]))
    assert schema_change(old, new) == change(changed_tables=("t",))


def test_what_convex_is_not_told_is_no_change():
    old = schema(t=define_table({"a": v.string()}), u=define_table({}))
    new = schema(
        u=define_table({}, comment="later"),
        t=define_table({"a": v.string(default="x", one_of=["x"], comment="a")}).unique(["a"]),
    )
    assert schema_change(old, new).nothing


def test_the_order_of_fields_and_of_indexes_is_no_change():
    one = define_table({"a": v.string(), "b": v.null()}).index("i", ["a"]).index("j", ["b"])
    other = define_table({"b": v.null(), "a": v.string()}).index("j", ["b"]).index("i", ["a"])
    assert schema_change(schema(t=one), schema(t=other)).nothing


def test_a_new_and_a_removed_index():
    old, new = schema(t=define_table({}).index("i", ["a"])), schema(t=define_table({}).index("j", ["a"]))
    assert schema_change(old, new) == change(new_indexes=("t.j",), removed_indexes=("t.i",))


def plain() -> TableDefinition:
    return define_table(v.any())


INDEXES = {
    "other fields": (plain().index("i", ["a"]), plain().index("i", ["b"])),
    "one more field": (plain().index("i", ["a"]), plain().index("i", ["a", "b"])),
    "another order of fields": (plain().index("i", ["a", "b"]), plain().index("i", ["b", "a"])),
    "staged": (plain().index("i", ["a"]), plain().index("i", ["a"], staged=True)),
    "no longer staged": (plain().index("i", ["a"], staged=True), plain().index("i", ["a"])),
    "another search field": (plain().search_index("i", search_field="a"), plain().search_index("i", search_field="b")),
    "a search filter": (
        plain().search_index("i", search_field="a"),
        plain().search_index("i", search_field="a", filter_fields=["b"]),
    ),
    "a staged search index": (
        plain().search_index("i", search_field="a", staged=True),
        plain().search_index("i", search_field="a"),
    ),
    "another vector field": (
        plain().vector_index("i", vector_field="a", dimensions=2),
        plain().vector_index("i", vector_field="b", dimensions=2),
    ),
    "other dimensions": (
        plain().vector_index("i", vector_field="a", dimensions=2),
        plain().vector_index("i", vector_field="a", dimensions=3),
    ),
    "a vector filter": (
        plain().vector_index("i", vector_field="a", dimensions=2, filter_fields=["b"]),
        plain().vector_index("i", vector_field="a", dimensions=2),
    ),
    "a staged vector index": (
        plain().vector_index("i", vector_field="a", dimensions=2),
        plain().vector_index("i", vector_field="a", dimensions=2, staged=True),
    ),
    "an index of another kind": (plain().index("i", ["a"]), plain().search_index("i", search_field="a")),
}


@pytest.mark.parametrize(("old", "new"), INDEXES.values(), ids=INDEXES)
def test_a_changed_index_is_removed_and_new(old: TableDefinition, new: TableDefinition):
    assert schema_change(schema(t=old), schema(t=new)) == change(new_indexes=("t.i",), removed_indexes=("t.i",))


def test_enforcing_the_schema_or_not_is_a_change():
    """`nothing` says whether two schemas are the same; these are not."""
    tables = {"t": define_table({"a": v.string()})}
    on, off = define_schema(tables), define_schema(tables, schema_validation=False)
    assert not schema_change(on, off).nothing
    assert not schema_change(off, on).nothing


def test_lists_are_sorted_and_in_json_have_convex_s_case():
    old = schema(z=plain().index("z", ["a"]).index("a", ["b"]), y=plain(), b=plain(), a=plain())
    new = schema(b=define_table({}), a=define_table({}), d=plain().index("z", ["a"]).index("a", ["b"]), c=plain())
    assert schema_change(old, new).to_json() == {
        "newTables": ["c", "d"],
        "changedTables": ["a", "b"],
        "removedTables": ["y", "z"],
        "newIndexes": ["d.a", "d.z"],
        "removedIndexes": ["z.a", "z.z"],
    }


def test_all_that_makes_an_index():
    table = posts().index("later", ["title"], staged=True)
    assert index_definitions("posts", table) == {
        "posts.by_author": {"indexDescriptor": "by_author", "fields": ["author", "title"], "staged": False},
        "posts.later": {"indexDescriptor": "later", "fields": ["title"], "staged": True},
        "posts.find": {
            "indexDescriptor": "find",
            "searchField": "title",
            "filterFields": ["author"],
            "staged": False,
        },
        "posts.near": {
            "indexDescriptor": "near",
            "vectorField": "vector",
            "dimensions": 3,
            "filterFields": ["author"],
            "staged": False,
        },
    }
