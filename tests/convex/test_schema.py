"""The schema language: what is written down is what the schema holds, and what Convex is told."""

import json
from inspect import currentframe

import pytest

from supavex.convex import validators as kinds
from supavex.convex.field_rules import MISSING, Rules
from supavex.convex.schema import Index, SearchIndex, VectorIndex, define_schema, define_table, v
from supavex.diagnostics import Place


def test_a_schema_as_convex_is_told_it():
    schema = define_schema(
        {
            "articles": define_table(
                {
                    "title": v.string(),
                    "author": v.optional(v.id("users")),
                    "status": v.union(v.literal("draft"), v.literal(1), v.literal_int64(1), v.literal(True)),
                    "counts": v.record(v.string(), v.int64()),
                    "vector": v.array(v.float64()),
                    "rest": v.object({"a": v.optional(v.any()), "b": v.null(), "c": v.bytes(), "d": v.boolean()}),
                }
            )
            .index("by_title", ["title"])
            .index("by_rest", ["rest.a", "title"], staged=True)
            .search_index("search", search_field="title")
            .search_index("later", search_field="title", filter_fields=["author"], staged=True)
            .vector_index("near", vector_field="vector", dimensions=3, filter_fields=["author"])
            .vector_index("soon", vector_field="vector", dimensions=4, staged=True),
            "users": define_table(v.any()),
        },
        schema_validation=False,
    )
    literals = ["draft", 1.0, {"$integer": "AQAAAAAAAAA="}, True]
    fields = {
        "title": {"fieldType": {"type": "string"}, "optional": False},
        "author": {"fieldType": {"type": "id", "tableName": "users"}, "optional": True},
        "status": {
            "fieldType": {"type": "union", "value": [{"type": "literal", "value": value} for value in literals]},
            "optional": False,
        },
        "counts": {
            "fieldType": {
                "type": "record",
                "keys": {"type": "string"},
                "values": {"fieldType": {"type": "bigint"}, "optional": False},
            },
            "optional": False,
        },
        "vector": {"fieldType": {"type": "array", "value": {"type": "number"}}, "optional": False},
        "rest": {
            "fieldType": {
                "type": "object",
                "value": {
                    "a": {"fieldType": {"type": "any"}, "optional": True},
                    "b": {"fieldType": {"type": "null"}, "optional": False},
                    "c": {"fieldType": {"type": "bytes"}, "optional": False},
                    "d": {"fieldType": {"type": "boolean"}, "optional": False},
                },
            },
            "optional": False,
        },
    }
    later = {"indexDescriptor": "later", "searchField": "title", "filterFields": ["author"]}
    near = {"indexDescriptor": "near", "vectorField": "vector", "dimensions": 3, "filterFields": ["author"]}
    soon = {"indexDescriptor": "soon", "vectorField": "vector", "dimensions": 4, "filterFields": []}
    assert json.loads(schema.export()) == {
        "tables": [
            {
                "tableName": "articles",
                "indexes": [{"indexDescriptor": "by_title", "fields": ["title"]}],
                "stagedDbIndexes": [{"indexDescriptor": "by_rest", "fields": ["rest.a", "title"]}],
                "searchIndexes": [{"indexDescriptor": "search", "searchField": "title", "filterFields": []}],
                "stagedSearchIndexes": [later],
                "vectorIndexes": [near],
                "stagedVectorIndexes": [soon],
                "documentType": {"type": "object", "value": fields},
            },
            {
                "tableName": "users",
                "indexes": [],
                "stagedDbIndexes": [],
                "searchIndexes": [],
                "stagedSearchIndexes": [],
                "vectorIndexes": [],
                "stagedVectorIndexes": [],
                "documentType": {"type": "any"},
            },
        ],
        "schemaValidation": False,
    }


def test_the_export_is_compact_text_in_the_order_of_definition():
    schema = define_schema({"b": define_table({}), "a": define_table({"é": v.string(), "d": v.null()})})
    text = schema.export()
    assert ", " not in text and ": " not in text
    assert text.index('"b"') < text.index('"a"') < text.index('"é"') < text.index('"d"')
    assert text.endswith('],"schemaValidation":true}')


def test_rules_and_comments_are_not_told_to_convex():
    plain = define_schema({"t": define_table({"n": v.number(), "s": v.string()})})
    ruled = define_schema(
        {
            "t": define_table(
                {"n": v.number(default=1, ge=0, comment="a"), "s": v.string(one_of=["x"], pattern="x", unique=True)},
                comment="a table",
            ).unique(["n", "s"])
        }
    )
    assert ruled.export() == plain.export()


def test_names_that_mean_the_same():
    assert v.float64() == v.number()
    assert v.bigint() == v.int64()
    assert v.literal(5) == v.literal(5.0)


def test_literals_of_different_types_differ():
    """Python says 5 == 5.0 and 1 == True; to Convex these are different types."""
    assert v.literal(5) != v.literal_int64(5)
    assert v.literal(1) != v.literal(True)
    assert v.literal(0.0) != v.literal(-0.0)


def test_indexes_in_the_order_they_were_written():
    table = define_table({"a": v.string(), "b": v.array(v.number())})
    assert table.index("i", ["a", "_x"]) is table
    table.search_index("s", search_field="a", filter_fields=["b"]).vector_index("n", vector_field="b", dimensions=2)
    table.index("j", ["b"], staged=True).unique(["a", "b"])
    assert table.indexes == [Index("i", ("a", "_x")), Index("j", ("b",), staged=True)]
    assert table.search_indexes == [SearchIndex("s", "a", ("b",))]
    assert table.vector_indexes == [VectorIndex("n", "b", 2)]
    assert table.uniques == [("a", "b")]


def test_fields_are_those_of_an_object():
    fields = {"a": v.string(), "b": v.optional(v.null())}
    assert define_table(fields).fields == fields
    assert define_table(v.object(fields)).fields == fields
    assert define_table(v.union(v.object(fields))).fields == {}
    assert define_table(v.any()).fields == {}


def test_a_schema_keeps_its_own_copy_of_what_it_was_given():
    fields = {"a": v.string()}
    tables = {"t": define_table(fields)}
    schema = define_schema(tables)
    fields["b"] = v.null()
    tables.clear()
    assert list(schema.tables) == ["t"] and list(schema.tables["t"].fields) == ["a"]


@pytest.mark.parametrize(
    ("validator", "rules"),
    [
        (v.number(default=60, ge=0, le=5.5, gt=-1, lt=6, unique=True), {"default": 60.0, "ge": 0, "le": 5.5}),
        (v.int64(default=60, one_of=[60, 61]), {"default": 60, "one_of": (60, 61)}),
        (v.string(default="a", pattern="^a"), {"default": "a", "pattern": "^a", "one_of": None}),
        (v.number(one_of=[1, 2.5]), {"default": MISSING, "one_of": (1.0, 2.5)}),
        (v.boolean(default=False), {"default": False}),
        (v.union(v.null(), v.number(), default=None), {"default": None}),
        (v.any(default={"a": [1]}), {"default": {"a": [1.0]}}),
    ],
)
def test_rules_take_the_type_of_their_field(validator: kinds.Validator, rules: dict[str, object]):
    for name, expected in rules.items():
        found = getattr(validator.rules, name)
        assert found == expected and repr(found) == repr(expected)


def test_optional_has_the_rules_and_the_comment_of_what_is_inside():
    field = v.optional(v.number(default=5, comment="five"))
    assert field.rules.default == 5.0
    assert field.comment == "five"
    assert kinds.unwrap(field) == v.number(default=5, comment="five")


def here() -> Place:
    """The line that calls this, as :class:`Place`."""
    caller = currentframe().f_back
    return Place(__file__, caller.f_lineno)


def test_everything_knows_the_line_it_was_written_on():
    validator, place = v.string(), here()
    assert validator.place == place
    table, place = define_table({"a": validator}), here()
    assert table.place == table.document.place == place
    table.index("i", ["a"])
    assert table.indexes[0].place == Place(__file__, place.line + 2)
    table.search_index("s", search_field="a")
    assert table.search_indexes[0].place == Place(__file__, place.line + 4)
    table.vector_index("n", vector_field="a", dimensions=2)
    assert table.vector_indexes[0].place == Place(__file__, place.line + 6)
    schema, place = define_schema({"t": table}), here()
    assert schema.place == place


@pytest.mark.parametrize(
    "write",
    [
        lambda: v.id("t"),
        lambda: v.null(),
        lambda: v.number(),
        lambda: v.float64(),
        lambda: v.int64(),
        lambda: v.boolean(),
        lambda: v.string(),
        lambda: v.bytes(),
        lambda: v.any(),
        lambda: v.literal("a"),
        lambda: v.literal_int64(1),
        lambda: v.array(v.any()),
        lambda: v.object({}),
        lambda: v.record(v.string(), v.any()),
        lambda: v.union(),
        lambda: v.optional(v.any()),
    ],
)
def test_every_validator_knows_its_line_and_has_no_rules_of_its_own(write):
    place = write().place
    assert place == Place(__file__, write.__code__.co_firstlineno)
    assert write().rules == Rules() and write().comment == ""


def test_places_do_not_make_things_differ():
    first = define_schema({"t": define_table({"a": v.string()}).index("i", ["a"])})
    second = define_schema({"t": define_table({"a": v.string()}).index("i", ["a"])})
    assert first == second and first.place != second.place
    assert first.tables["t"].fields["a"].place != second.tables["t"].fields["a"].place
