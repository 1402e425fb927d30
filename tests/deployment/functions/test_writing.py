"""Writing: insert, patch, replace, delete; what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from supavex.convex.ids import encode_id

from .app import App, value_of


def insert(app: App, table: str, **value: Any) -> str:
    id_: str = app.run("writing:insert", table=table, value=value)
    return id_


def document(app: App, id_: str) -> dict[str, Any]:
    """A document's own fields."""
    found = app.run("reading:get", id=id_)
    return {name: value for name, value in found.items() if not name.startswith("_")}


# insert


def test_insert_gives_an_id_of_the_table(app: App):
    id_ = insert(app, "people", name="Ada", age=36.0, tags=["x"])
    assert app.run("reading:normalize", table="people", id=id_) == id_
    assert document(app, id_) == {"name": "Ada", "age": 36.0, "tags": ["x"]}
    assert app.deployment.get(id_)["name"] == "Ada", "it is in the file"


def test_creation_times_grow_within_a_transaction(app: App):
    before, one, two = app.run("writing:times")
    assert before - 1000 < one < two < before + 60_000
    assert two - one < 0.001


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -5,
        2**63 - 1,
        -(2**63),
        1.5,
        float("inf"),
        "",
        "é😀\0",
        b"",
        b"\x00\xff",
        [],
        {},
        [[1], {"a": [None]}],
    ],
)
def test_every_value_comes_back_as_it_was(app: App, value: Any):
    found = app.run("writing:values", value=value)
    assert found["read"] == value and type(found["read"]) is type(value)


def test_negative_zero_and_nan(app: App):
    assert app.run("writing:values", value=-0.0)["same"] is True
    assert app.run("writing:values", value=float("nan"))["same"] is True


def test_a_table_is_made_by_its_first_document(app: App):
    id_ = insert(app, "fresh", x=1.0)
    assert "fresh" in app.deployment.tables()
    assert app.run("reading:all", table="fresh")[0]["_id"] == id_


def test_names_that_no_table_has(app: App):
    assert app.error("writing:insert", table="_mine", value={}) == (
        "Error: System tables (prefixed with `_`) are read-only."
    )
    for name in ("a-b", "1a", "", "x" * 65, "é"):
        assert app.error("writing:insert", table=name, value={}).startswith(
            "Error: Invalid argument `table` for `db.insert`: "
        ), name


def test_system_fields_are_convexs_own(app: App):
    (id_,) = app.rows(1)
    said = app.error("writing:insert", table="rows", value={"n": 1.0, "_id": id_})
    assert said.startswith("Error: Provided document ID ") and said.endswith(f"doesn't match '_id' field \"{id_}\"")
    said = app.error("writing:insert", table="rows", value={"n": 1.0, "_creationTime": 1.0})
    assert "doesn't match '_creationTime' field in {_creationTime: 1.0, n: 1.0}" in said
    assert app.error("writing:insert", table="rows", value={"n": 1.0, "_other": 1.0})
    assert app.numbers() == [1.0]


# patch


def test_patch_sets_some_fields_and_keeps_the_others(app: App):
    id_ = insert(app, "people", name="Ada", age=36.0)
    assert app.run("writing:patch", id=id_, value={"age": 37.0, "tags": ["y"]}) is None
    assert document(app, id_) == {"name": "Ada", "age": 37.0, "tags": ["y"]}


def test_patch_is_shallow(app: App):
    (id_,) = app.rows({"n": 1.0, "a": {"x": 1.0, "y": 2.0}})
    app.run("writing:patch", id=id_, value={"a": {"x": 5.0}})
    assert document(app, id_)["a"] == {"x": 5.0}


def test_patch_with_undefined_removes_a_field(app: App):
    id_ = insert(app, "people", name="Ada", age=36.0)
    app.run("writing:unset", id=id_, fields=["age", "friend"])
    assert document(app, id_) == {"name": "Ada"}
    assert "Object is missing the required field `name`" in app.fails("writing:unset", id=id_, fields=["name"]).message
    assert app.run("reading:ranged", table="people", index="by_age", range=[["eq", "age", "undefined"]]) == ["Ada"]


@pytest.mark.parametrize("value", [None, [], "text", 5.0])
def test_patch_takes_an_object(app: App, value: object):
    (id_,) = app.rows(1)
    said = "Error: Invalid argument `value` for `db.patch`: Value must be an Object"
    assert app.error("writing:patch", id=id_, value=value) == said


def test_patch_keeps_the_system_fields(app: App):
    one, two = app.rows(1, 2)
    before = app.run("reading:get", id=one)
    app.run("writing:patch", id=one, value={"_id": one, "_creationTime": before["_creationTime"], "n": 9.0})
    assert app.run("reading:get", id=one) == {**before, "n": 9.0}
    assert app.error("writing:patch", id=one, value={"_id": two}) == (
        f'Error: Provided document ID "{one}" doesn\'t match \'_id\' field "{two}"'
    )
    assert "doesn't match '_creationTime'" in app.error("writing:patch", id=one, value={"_creationTime": 5.0})


# replace and delete


def test_replace_puts_other_fields_in_the_place(app: App):
    id_ = insert(app, "people", name="Ada", age=36.0)
    created = app.run("reading:get", id=id_)["_creationTime"]
    app.run("writing:replace", id=id_, value={"name": "Bo"})
    assert app.run("reading:get", id=id_) == {"_id": id_, "_creationTime": created, "name": "Bo"}


def test_delete_removes_the_document_from_every_index(app: App):
    one, two = app.rows({"n": 1.0, "a": 5.0}, {"n": 2.0, "a": 5.0})
    assert app.run("writing:remove", id=one) is None
    assert app.run("reading:get", id=one) is None
    for index in ("by_n", "by_a", "by_a_b", "by_id", "by_creation_time"):
        assert app.run("reading:ranged", index=index, range=[]) == [2.0], index
    app.run("writing:remove", id=two)
    assert app.run("reading:count", table="rows") == 0


def test_an_index_follows_its_document(app: App):
    one, _ = app.rows({"n": 1.0, "a": 1.0}, {"n": 2.0, "a": 2.0})
    app.run("writing:patch", id=one, value={"a": 3.0})
    assert app.run("reading:ranged", index="by_a", range=[]) == [2.0, 1.0]
    assert app.run("reading:ranged", index="by_a", range=[["eq", "a", 1.0]]) == []


# Ids that name nothing


@pytest.mark.parametrize(
    ("function", "verb"), [("writing:patch", "Update"), ("writing:replace", "Replace"), ("writing:remove", "Delete")]
)
def test_writes_to_a_document_that_is_not_there(app: App, function: str, verb: str):
    (id_,) = app.rows(1)
    app.run("writing:remove", id=id_)
    assert app.error(function, id=id_, value={"n": 1.0}) == f"Error: {verb} on nonexistent document ID {id_}"


def test_writes_to_what_is_no_id(app: App):
    for function, method in (("patch", "db.patch"), ("replace", "db.replace"), ("remove", "db.delete")):
        said = app.error(f"writing:{function}", id="nonsense", value={})
        assert said.startswith(f"Error: Invalid argument `id` for `{method}`: Unable to decode ID: "), said
        nowhere = encode_id(77_777, bytes(16))
        said = app.error(f"writing:{function}", id=nowhere, value={})
        assert said.startswith(f"Error: Invalid argument `id` for `{method}`: "), said


def test_writes_name_their_table_or_none(app: App):
    (id_,) = app.rows(1)
    app.run("writing:named", table="rows", id=id_, method="patch", value={"n": 2.0})
    assert document(app, id_) == {"n": 2.0}
    for method in ("patch", "replace", "delete"):
        assert app.error("writing:named", table="people", id=id_, method=method, value={"n": 3.0}) == (
            f'Error: Invalid argument `id` for `db.{method}`: expected to be an Id<"people">, got Id<"rows"> instead.'
        )


def test_system_tables_are_not_written(app: App):
    id_ = app.run("files:store", text="abc")
    for function in ("patch", "replace", "remove"):
        assert app.error(f"writing:{function}", id=id_, value={}) == (
            "Error: System tables can only be accessed from db.system."
        )


# The schema


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "Object is missing the required field `name`. Consider wrapping the field validator in `v.optional(...)`"),
        ({"name": "a", "more": 1.0}, "Object contains extra field `more` that is not in the validator."),
        ({"name": 5.0}, "Value does not match validator.\nPath: .name\nValue: 5.0\nValidator: v.string()"),
        ({"name": "a", "age": 5}, "Value does not match validator.\nPath: .age\nValue: 5\nValidator: v.float64()"),
        ({"name": "a", "tags": ["z"]}, 'Value: "z"\nValidator: v.union(v.literal("x"), v.literal("y"))'),
        ({"name": "a", "friend": "nobody"}, "Path: .friend"),
    ],
)  # fmt: skip
def test_documents_that_do_not_fit_the_schema(app: App, value: dict[str, Any], words: str):
    said = app.fails("writing:insert", table="people", value=value).message
    assert said.startswith(
        'Uncaught Error: Failed to insert or update a document in table "people" because it does not match the schema: '
    )
    assert words in said


def test_patches_and_replacements_fit_the_schema_too(app: App):
    id_ = insert(app, "people", name="a")
    for function, value in (("patch", {"age": "old"}), ("replace", {"age": 1.0})):
        assert "does not match the schema" in app.error(f"writing:{function}", id=id_, value=value)
    assert document(app, id_) == {"name": "a"}


def test_a_reference_is_an_id_of_its_table(app: App):
    (row,) = app.rows(1)
    assert "does not match the schema" in app.error(
        "writing:insert", table="people", value={"name": "a", "friend": row}
    )
    one, two = app.run("writing:references")
    assert document(app, one) == {"name": "a", "friend": two}


def test_an_error_can_be_caught_and_what_was_written_before_stays(app: App):
    said = app.run("writing:caught")
    assert said.startswith('Failed to insert or update a document in table "people"')
    assert app.numbers() == [1.0] and app.deployment.count("people") == 0


def test_limits_of_one_document(app: App):
    assert app.run("limits:bigDocument", bytes=float((1 << 20) - 200))
    assert app.error("limits:bigDocument", bytes=float(1 << 20))
    assert app.error("writing:insert", table="x", value={"a": [None] * 8193})
    assert app.error("writing:insert", table="x", value={"é": 1.0})
    deep: Any = 1.0
    for _ in range(16):
        deep = [deep]
    assert app.error("writing:insert", table="x", value={"a": deep})
    assert insert(app, "x", a=deep[0])


# Queries don't write


def test_a_query_has_no_writer_and_its_operations_are_refused(app: App):
    assert "is not a function" in app.error("writing:writeInQuery")
    outcome = app.outcome("writing:syscallInQuery")
    assert outcome.failure is not None or value_of(outcome) is None
    assert app.numbers() == []
