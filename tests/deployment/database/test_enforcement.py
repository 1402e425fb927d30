"""What may enter a table: Convex's limits, and the schema; with the codes that Convex gives."""

from typing import Any

import pytest

from supavex.convex.ids import encode_id
from supavex.convex.limits import MAX_DOCUMENT_BYTES
from supavex.convex.validators import Validator
from supavex.convex.values import size
from supavex.deployment import Deployment
from supavex.deployment.database.enforcement import check_limits, enforced, mismatch_of
from supavex.errors import SupavexError
from supavex.schema import TableDefinition, define_schema, define_table, v
from tests.deployment.archives import everything


def nested(depth: int) -> Any:
    value: Any = 1.0
    for _ in range(depth):
        value = [value]
    return value


def weighing(weight: int) -> dict[str, Any]:
    """Fields that make a document of ``weight`` bytes, its system fields counted."""
    system = {"_id": encode_id(10_001, bytes(16)), "_creationTime": 1.0}
    return {"text": "x" * (weight - size({**system, "text": ""}))}


WITHIN = {
    "no fields": {},
    "as heavy as may be": weighing(MAX_DOCUMENT_BYTES),
    "nested as deep as may be": {"a": nested(15)},
    "an array as long as may be": {"a": [None] * 8192},
    "as many fields as may be": {"a": {f"k{n}": None for n in range(1024)}},
    "the ends of int64": {"a": [2**63 - 1, -(2**63)]},
    "odd keys": {"": 1.0, " ~!": {"_a": 1.0, "a.b": 2.0}},
    "a long key": {"k" * 1024: 1.0},
}


@pytest.mark.parametrize("fields", WITHIN.values(), ids=WITHIN)
def test_what_convex_can_hold(deployment: Deployment, fields: dict[str, Any]):
    id_ = deployment.insert("posts", fields)
    assert deployment.get(id_).items() >= fields.items()


BEYOND = {
    "too heavy": (weighing(MAX_DOCUMENT_BYTES + 1), "ValueTooLargeError", "1,048,577"),
    "nested too deep for a document": ({"a": nested(16)}, "InvalidDocumentError", "nested"),
    "nested too deep for any value": ({"a": nested(64)}, "TooNestedError", "nested"),
    "nested without end": ({"a": nested(5000)}, "TooNestedError", "nested"),
    "an array too long": ({"a": [None] * 8193}, "ArrayTooLong", "8193"),
    "too many fields": ({"a": {f"k{n}": None for n in range(1025)}}, "TooManyFieldsError", "1025"),
    "a system field": ({"_mine": 1.0}, "InvalidDocumentError", "_mine"),
    "an unpaired surrogate": ({"a": ["\ud800"]}, "InvalidDocumentError", "surrogate"),
    "beyond int64": ({"a": 2**63}, "InvalidDocumentError", "int64"),
    "a key with $": ({"a": {"$b": 1.0}}, "InvalidDocumentError", "$b"),
    "a key that is not ASCII": ({"é": 1.0}, "InvalidDocumentError", "é"),
    "a key too long": ({"k" * 1025: 1.0}, "InvalidDocumentError", "1024"),
    "a key that reads like another message": ({"an array hasé": 1.0}, "InvalidDocumentError", "an array hasé"),
    "no Convex value": ({"a": (1.0,)}, "InvalidDocumentError", "tuple"),
}


@pytest.mark.parametrize(("fields", "code", "said"), BEYOND.values(), ids=BEYOND)
def test_what_convex_refuses(deployment: Deployment, fields: dict[str, Any], code: str, said: str):
    id_ = deployment.insert("posts", {"a": "before"})
    before = everything(deployment)
    for write in (lambda: deployment.insert("posts", fields), lambda: deployment.replace(id_, fields)):
        with pytest.raises(SupavexError) as caught:
            write()
        assert caught.value.code == code
        assert said in caught.value.message
        assert caught.value.where.startswith("posts ")
    assert everything(deployment) == before


def test_a_document_that_is_refused_makes_no_table(deployment: Deployment):
    with pytest.raises(SupavexError):
        deployment.insert("posts", {"_mine": 1.0})
    assert deployment.tables() == []


def test_the_place_is_the_table_and_the_document():
    with pytest.raises(SupavexError) as caught:
        check_limits("posts", {"_id": "j57000820c20a1g7104gm2rc1m70ynr8", "$": 1.0})
    assert caught.value.where == "posts j57000820c20a1g7104gm2rc1m70ynr8"


# The schema


def pushed(deployment: Deployment, **tables: TableDefinition) -> None:
    deployment.push(define_schema(tables).export())


def test_a_document_that_does_not_fit_the_schema(deployment: Deployment):
    pushed(deployment, posts=define_table({"title": v.string(), "n": v.optional(v.number())}))
    id_ = deployment.insert("posts", {"title": "a"})
    before = everything(deployment)
    with pytest.raises(SupavexError) as caught:
        deployment.insert("posts", {"title": 1})
    assert caught.value.code == "SchemaEnforcementError"
    refused = 'Failed to insert or update a document in table "posts" because it does not match the schema: '
    assert caught.value.message.startswith(refused)
    assert "Path: .title" in caught.value.message
    with pytest.raises(SupavexError) as caught:
        deployment.replace(id_, {"n": 1.0})
    assert caught.value.code == "SchemaEnforcementError"
    assert caught.value.message.startswith(refused)
    assert "missing the required field `title`" in caught.value.message
    assert everything(deployment) == before


@pytest.mark.parametrize(
    ("validator", "fits", "breaks"),
    [
        (v.number(), 1.0, 1),
        (v.int64(), 1, 1.0),
        (v.boolean(), True, 1),
        (v.null(), None, False),
        (v.bytes(), b"a", "a"),
        (v.literal("a"), "a", "b"),
        (v.array(v.string()), ["a"], ["a", None]),
        (v.object({"a": v.optional(v.null())}), {}, {"b": None}),
        (v.record(v.string(), v.number()), {"any": 1.0}, {"any": 1}),
        (v.union(v.string(), v.number()), "a", b"a"),
    ],
)
def test_types_are_enforced(deployment: Deployment, validator: Validator, fits: Any, breaks: Any):
    pushed(deployment, t=define_table({"f": validator}))
    id_ = deployment.insert("t", {"f": fits})
    deployment.replace(id_, {"f": fits})
    for write in (lambda: deployment.insert("t", {"f": breaks}), lambda: deployment.replace(id_, {"f": breaks})):
        with pytest.raises(SupavexError) as caught:
            write()
        assert caught.value.code == "SchemaEnforcementError"


def test_an_id_must_be_of_its_table_and_need_not_lead_anywhere(deployment: Deployment):
    pushed(deployment, posts=define_table({"author": v.id("users")}), users=define_table({}))
    numbers = deployment.table_numbers()
    nobody = encode_id(numbers["users"], b"nobody has these")
    deployment.insert("posts", {"author": nobody})
    post, stranger = (encode_id(number, b"nobody has these") for number in (numbers["posts"], 10_999))
    with pytest.raises(SupavexError, match=f'Found ID "{post}" from table `posts`'):
        deployment.insert("posts", {"author": post})
    for other in (stranger, "users", 5.0, None):
        with pytest.raises(SupavexError) as caught:
            deployment.insert("posts", {"author": other})
        assert caught.value.code == "SchemaEnforcementError"


def test_tables_that_are_not_in_the_schema_take_anything(deployment: Deployment):
    pushed(deployment, posts=define_table({"title": v.string()}))
    deployment.insert("notes", {"any": [1, 2.0, None]})
    assert deployment.count("notes") == 1


def test_a_schema_that_is_not_enforced(deployment: Deployment):
    schema = define_schema({"posts": define_table({"title": v.string()})}, schema_validation=False)
    deployment.push(schema.export())
    id_ = deployment.insert("posts", {"title": 5})
    deployment.replace(id_, {"other": True})
    assert deployment.count("posts") == 1
    with pytest.raises(SupavexError) as caught:
        deployment.insert("posts", {"_mine": 1.0})
    assert caught.value.code == "InvalidDocumentError", "limits hold all the same"


def test_convex_drops_fields_that_start_with_an_underscore_at_the_top():
    fields = {"_id": v.string(), "_mine": v.number(), "a": v.object({"_b": v.null()})}
    kept = {"a": v.object({"_b": v.null()})}
    assert enforced(define_table(fields)) == v.object(kept)
    assert enforced(define_table(v.union(v.object(fields), v.object({})))) == v.union(v.object(kept), v.object({}))
    assert enforced(define_table(v.any())) == v.any()


def test_system_fields_are_not_held_against_the_schema():
    document = {"_id": "x", "_creationTime": 1.0, "a": None}
    assert mismatch_of(v.object({"a": v.null()}), document, lambda number: None) is None
    found = mismatch_of(v.object({}), document, lambda number: None)
    assert "extra field `a`" in found.message
