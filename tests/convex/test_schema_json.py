"""Reading a schema's JSON: it says all that the schema said to Convex, and nonsense is refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.schema import Index, Schema, SearchIndex, VectorIndex, define_schema, define_table, v
from supavex.convex.schema_json import schema_from_json, validator_from_json
from supavex.convex.validators import Validator
from supavex.errors import SupavexError
from tests.official.strategies import schemas, validators


@settings(max_examples=200)
@given(schema=schemas(), validation=st.booleans())
def test_reading_an_export_and_exporting_again_gives_the_same_text(schema: Schema, validation: bool):
    schema.schema_validation = validation
    text = schema.export()
    assert schema_from_json(text).export() == text


@settings(max_examples=200)
@given(validator=validators)
def test_a_validator_read_back_is_what_convex_was_told(validator: Validator):
    read = validator_from_json(json.loads(json.dumps(validator.to_json())))
    assert read.to_json() == validator.to_json()
    assert str(read) == str(validator), "and Convex prints it so"


def test_a_schema_is_read_whole():
    text = """{"tables": [{"tableName": "posts",
      "indexes": [{"indexDescriptor": "by_title", "fields": ["title", "rest.a"]}],
      "stagedDbIndexes": [{"indexDescriptor": "later", "fields": ["rest"]}],
      "searchIndexes": [{"indexDescriptor": "find", "searchField": "title", "filterFields": ["author"]}],
      "stagedSearchIndexes": [{"indexDescriptor": "find_later", "searchField": "title", "filterFields": []}],
      "vectorIndexes": [{"indexDescriptor": "near", "vectorField": "v", "dimensions": 3, "filterFields": ["author"]}],
      "stagedVectorIndexes": [{"indexDescriptor": "soon", "vectorField": "v", "dimensions": 4, "filterFields": []}],
      "documentType": {"type": "object", "value": {
        "title": {"fieldType": {"type": "string"}, "optional": false},
        "author": {"fieldType": {"type": "id", "tableName": "users"}, "optional": true},
        "rest": {"fieldType": {"type": "any"}, "optional": true},
        "n": {"fieldType": {"type": "literal", "value": {"$integer": "BQAAAAAAAAA="}}, "optional": false},
        "v": {"fieldType": {"type": "array", "value": {"type": "number"}}, "optional": false}
      }}}], "schemaValidation": true}"""
    schema = schema_from_json(text)
    table = schema.tables["posts"]
    assert schema.schema_validation is True
    assert table.fields == {
        "title": v.string(),
        "author": v.optional(v.id("users")),
        "rest": v.optional(v.any()),
        "n": v.literal_int64(5),
        "v": v.array(v.number()),
    }
    assert table.indexes == [Index("by_title", ("title", "rest.a")), Index("later", ("rest",), staged=True)]
    assert table.search_indexes == [
        SearchIndex("find", "title", ("author",)),
        SearchIndex("find_later", "title", (), staged=True),
    ]
    assert table.vector_indexes == [
        VectorIndex("near", "v", 3, ("author",)),
        VectorIndex("soon", "v", 4, (), staged=True),
    ]


def test_tables_keep_their_order():
    text = define_schema({"b": define_table({}), "a": define_table({})}).export()
    assert list(schema_from_json(text).tables) == ["b", "a"]


def test_what_may_be_missing():
    """Convex's JSON has all of it, but its backend needs none of it."""
    schema = schema_from_json('{"tables": [{"tableName": "t", "documentType": null}]}')
    assert schema.schema_validation is False
    assert schema.tables["t"].document == v.any()
    assert schema.export() == define_schema({"t": define_table(v.any())}, schema_validation=False).export()


def test_a_commit_timestamp_is_an_int64():
    assert validator_from_json({"type": "commitTs"}) == v.int64()


@pytest.mark.parametrize("kind", ["map", "set"])
def test_a_legacy_kind_is_any_value(kind: str):
    """Source: ``common/src/schemas/json.rs`` of convex-backend."""
    assert validator_from_json({"type": "array", "value": {"type": kind}}) == v.array(v.any())


def table(**parts: Any) -> str:
    return json.dumps({"tables": [{"tableName": "t", "documentType": {"type": "any"}, **parts}]})


def document(**validator: Any) -> str:
    return table(documentType=validator)


def index(**parts: Any) -> dict[str, Any]:
    return {"indexDescriptor": "i", "fields": ["a"], "searchField": "a", "vectorField": "a", "dimensions": 3, **parts}


REFUSED = {
    "nothing": "",
    "no JSON": "export default",
    "null": "null",
    "a list": "[]",
    "a text": '"schema"',
    "no tables": '{"schemaValidation": true}',
    "tables of null": '{"tables": null}',
    "tables that are an object": '{"tables": {}}',
    "a table that is a number": '{"tables": [1]}',
    "a table without a name": '{"tables": [{"documentType": {"type": "any"}}]}',
    "a name that is a number": '{"tables": [{"tableName": 5}]}',
    "a table twice": '{"tables": [{"tableName": "t"}, {"tableName": "t"}]}',
    "a document type that is a text": table(documentType="any"),
    "an unknown type": document(type="date"),
    "no type": document(value={}),
    "an id without a table": document(type="id"),
    "an id of a number": document(type="id", tableName=5),
    "an array without elements": document(type="array"),
    "a record without keys": document(type="record", values={"fieldType": {"type": "any"}, "optional": False}),
    "a record of a bare validator": document(type="record", keys={"type": "string"}, values={"type": "any"}),
    "a union of one object": document(type="union", value={"type": "any"}),
    "a union of a number": document(type="union", value=5),
    "an object of a list": document(type="object", value=[]),
    "a bare validator as a field": document(type="object", value={"a": {"type": "any"}}),
    "an unknown type deep inside": document(type="array", value={"type": "array", "value": {"type": "x"}}),
    "a literal without a value": document(type="literal"),
    "a literal that is no value": document(type="literal", value={"$set": []}),
    "validators without end": document(type="array", value=None).replace("null", '{"type":"array","value":' * 100_000),
    "validators five thousand deep": document(type="array", value=None).replace(
        "null", '{"type":"array","value":' * 5000 + '{"type":"any"}' + "}" * 5000
    ),
    "indexes of a number": table(indexes=5),
    "an index of null": table(indexes=[None]),
    "an index without a name": table(indexes=[{"fields": ["a"]}]),
    "an index without fields": table(indexes=[{"indexDescriptor": "i"}]),
    "an index on a text": table(stagedDbIndexes=[index(fields="abc")]),
    "an index on a number": table(indexes=[index(fields=[5])]),
    "a search index without a field": table(searchIndexes=[{"indexDescriptor": "i"}]),
    "a search index filtered by a text": table(searchIndexes=[index(filterFields="abc")]),
    "a vector index without dimensions": table(vectorIndexes=[{"indexDescriptor": "i", "vectorField": "a"}]),
    "a vector index of a word": table(vectorIndexes=[index(dimensions="many")]),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_schema_is_refused(text: str):
    with pytest.raises(SupavexError) as caught:
        schema_from_json(text)
    assert caught.value.code == "InvalidSchemaExport"


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A schema's JSON with one part of it put in the place of another, or left out."""
    data = define_schema(
        {
            "t": define_table({"a": v.optional(v.union(v.id("t"), v.literal("x"))), "b": v.record(v.string(), v.any())})
            .index("i", ["a"])
            .search_index("s", search_field="a", filter_fields=["b"])
            .vector_index("n", vector_field="a", dimensions=3)
        }
    ).to_json()
    places = list(containers(data))
    place, key = draw(st.sampled_from(places))
    if draw(st.booleans()):
        del place[key]
    else:
        place[key] = draw(st.sampled_from([None, 5, "x", [], {}, [None], {"type": "any"}, {"type": "object"}, ["a"]]))
    return data


def containers(data: Any) -> Any:
    """Each container inside ``data`` with each key of it."""
    for key, item in list(data.items() if isinstance(data, dict) else enumerate(data)):
        yield data, key
        if isinstance(item, dict | list):
            yield from containers(item)


@given(data=damaged())
def test_a_damaged_schema_is_read_or_refused(data: Any):
    """Never an exception of another kind; and what is read can be exported."""
    try:
        schema = schema_from_json(json.dumps(data))
    except SupavexError:
        return
    assert schema_from_json(schema.export()).export() == schema.export()
