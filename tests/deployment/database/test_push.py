"""Pushing a schema: tables are made, documents checked, indexes built; all of it or nothing."""

import json
from typing import Any

import pytest

from supavex.convex.schema import Schema
from supavex.deployment import Deployment
from supavex.errors import SupavexError
from supavex.schema import TableDefinition, define_schema, define_table, v
from tests.deployment.archives import everything
from tests.deployment.order import in_order


def push(deployment: Deployment, *, dry_run: bool = False, **tables: TableDefinition) -> Any:
    return deployment.push(define_schema(tables).export(), dry_run=dry_run)


def anything() -> TableDefinition:
    return define_table(v.any())


def names(deployment: Deployment, index: str, table: str = "people") -> list[str]:
    """The names of people, as an index has them."""
    return [document["name"] for document in deployment.query(table).with_index(index)]


def people(deployment: Deployment) -> list[dict[str, Any]]:
    """Some people, put into the table of that name; whoever has no age comes first in an index on it."""
    rows = [{"name": "Bo", "age": 30.0}, {"name": "Al", "age": 40.0}, {"name": "Cy"}, {"name": "Di", "age": 20.0}]
    for row in rows:
        deployment.insert("people", row)
    return list(deployment.documents("people"))


# Tables


def test_tables_get_their_numbers_in_the_order_of_their_names(deployment: Deployment):
    """Whatever their order in the schema; capitals come before small letters, as bytes do."""
    push(deployment, users=anything(), Zoo=anything(), accounts=anything())
    assert deployment.table_numbers() == {"Zoo": 10_001, "accounts": 10_002, "users": 10_003}
    assert deployment.tables() == ["Zoo", "accounts", "users"]


def test_a_later_table_takes_the_next_number_and_the_others_keep_theirs(deployment: Deployment):
    push(deployment, m=anything(), z=anything())
    push(deployment, m=anything(), z=anything(), a=anything())
    assert deployment.table_numbers() == {"m": 10_001, "z": 10_002, "a": 10_003}


def test_a_table_made_by_a_document_keeps_its_number(deployment: Deployment):
    deployment.insert("z", {})
    push(deployment, a=anything(), z=anything())
    assert deployment.table_numbers() == {"z": 10_001, "a": 10_002}
    assert deployment.count("z") == 1


def test_a_table_that_leaves_the_schema_keeps_its_documents(deployment: Deployment):
    push(deployment, people=anything().index("by_age", ["age"]), other=anything())
    people(deployment)
    done = push(deployment, other=anything())
    assert done.change.removed_tables == ("people",)
    assert deployment.count("people") == 4
    assert deployment.table_numbers() == {"other": 10_001, "people": 10_002}
    with pytest.raises(SupavexError, match="no index by_age"):
        deployment.query("people").with_index("by_age")
    deployment.insert("people", {"anything": True})


# A push that changes nothing


def test_the_first_push_says_what_is_new(deployment: Deployment):
    done = push(deployment, a=anything().index("i", ["x"]), b=anything())
    assert (done.change.new_tables, done.change.new_indexes) == (("a", "b"), ("a.i",))
    assert (done.documents_checked, done.documents_indexed) == (0, 0)


def test_pushing_the_same_again_does_nothing(deployment: Deployment):
    table = define_table({"name": v.string(), "age": v.optional(v.number())}).index("by_age", ["age"])
    push(deployment, people=table)
    people(deployment)
    again = push(deployment, people=table)
    assert again.change.nothing
    assert (again.documents_checked, again.documents_indexed) == (0, 0)
    assert names(deployment, "by_age") == ["Cy", "Di", "Bo", "Al"]


def test_the_same_schema_in_other_words_is_the_same(deployment: Deployment):
    push(deployment, b=define_table({"x": v.null(), "y": v.null()}).index("i", ["x"]).index("j", ["y"]), a=anything())
    deployment.insert("b", {"x": None, "y": None})
    other = define_schema(
        {"a": anything(), "b": define_table({"y": v.null(), "x": v.null()}).index("j", ["y"]).index("i", ["x"])}
    )
    again = deployment.push(json.dumps(json.loads(other.export()), indent=1))
    assert again.change.nothing
    assert (again.documents_checked, again.documents_indexed) == (0, 0)


def test_only_changed_tables_are_checked_and_indexed(deployment: Deployment):
    push(deployment, people=anything().index("by_age", ["age"]), notes=define_table({}))
    people(deployment)
    deployment.insert("notes", {})
    by_age = anything().index("by_age", ["age"])
    done = push(deployment, people=by_age, notes=define_table({"x": v.optional(v.null())}))
    assert done.change.changed_tables == ("notes",)
    assert (done.documents_checked, done.documents_indexed) == (1, 0)
    done = push(deployment, people=by_age.index("by_name", ["name"]), notes=anything())
    assert (done.documents_checked, done.documents_indexed) == (1, 4)


# Indexes


def test_a_new_index_holds_the_documents_there_are_and_those_to_come(deployment: Deployment):
    push(deployment, people=anything())
    people(deployment)
    done = push(deployment, people=anything().index("by_age", ["age"]))
    assert (done.change.new_indexes, done.documents_indexed) == (("people.by_age",), 4)
    assert names(deployment, "by_age") == ["Cy", "Di", "Bo", "Al"]
    deployment.insert("people", {"name": "Ed", "age": 25.0})
    assert names(deployment, "by_age") == ["Cy", "Di", "Ed", "Bo", "Al"]


def test_an_index_on_several_fields_and_inside_objects(deployment: Deployment):
    for name, city, zip_ in (("a", "Oslo", 2.0), ("b", "Bergen", 9.0), ("c", "Oslo", 1.0), ("d", "Bergen", 9.0)):
        deployment.insert("people", {"name": name, "home": {"city": city, "zip": zip_}})
    deployment.insert("people", {"name": "e", "home": "nowhere"})
    push(deployment, people=anything().index("by_home", ["home.city", "home.zip"]))
    assert names(deployment, "by_home") == ["e", "b", "d", "c", "a"]
    found = list(deployment.query("people").with_index("by_home"))
    assert found == in_order(deployment.documents("people"), ["home.city", "home.zip"])


def test_a_removed_index_is_gone(deployment: Deployment):
    push(deployment, people=anything().index("by_age", ["age"]).index("by_name", ["name"]))
    people(deployment)
    done = push(deployment, people=anything().index("by_name", ["name"]))
    assert done.change.removed_indexes == ("people.by_age",)
    with pytest.raises(SupavexError) as caught:
        deployment.query("people").with_index("by_age")
    assert caught.value.code == "IndexNotFoundError"
    assert names(deployment, "by_name") == ["Al", "Bo", "Cy", "Di"]


def test_a_changed_index_is_built_anew(deployment: Deployment):
    push(deployment, people=anything().index("i", ["age"]))
    people(deployment)
    done = push(deployment, people=anything().index("i", ["name"]))
    assert done.documents_indexed == 4
    assert names(deployment, "i") == ["Al", "Bo", "Cy", "Di"]
    deployment.insert("people", {"name": "Abe"})
    assert names(deployment, "i") == ["Abe", "Al", "Bo", "Cy", "Di"]


def test_a_staged_index_is_built_but_not_read(deployment: Deployment):
    people(deployment)
    done = push(deployment, people=anything().index("by_age", ["age"], staged=True))
    assert done.documents_indexed == 4
    with pytest.raises(SupavexError) as caught:
        deployment.query("people").with_index("by_age")
    assert caught.value.code == "IndexStagedError"
    deployment.insert("people", {"name": "Ed", "age": 25.0})
    push(deployment, people=anything().index("by_age", ["age"]))
    assert names(deployment, "by_age") == ["Cy", "Di", "Ed", "Bo", "Al"]
    push(deployment, people=anything().index("by_age", ["age"], staged=True))
    with pytest.raises(SupavexError, match="staged"):
        deployment.query("people").with_index("by_age")


def test_two_indexes_that_trade_names(deployment: Deployment):
    push(deployment, people=anything().index("i", ["age"]).index("j", ["name"]))
    people(deployment)
    push(deployment, people=anything().index("i", ["name"]).index("j", ["age"]))
    assert names(deployment, "i") == ["Al", "Bo", "Cy", "Di"]
    assert names(deployment, "j") == ["Cy", "Di", "Bo", "Al"]


def test_search_and_vector_indexes_are_taken(deployment: Deployment):
    """They are part of the schema; nothing reads them here."""
    table = (
        anything().search_index("s", search_field="a").vector_index("n", vector_field="b", dimensions=2, staged=True)
    )
    done = push(deployment, t=table)
    assert done.change.new_indexes == ("t.n", "t.s")
    assert push(deployment, t=table).change.nothing


# Documents that don't fit


PERSON = {"name": v.string(), "age": v.optional(v.number())}
REFUSING = {
    "another type": {**PERSON, "age": v.optional(v.string())},
    "int64 where there are floats": {**PERSON, "age": v.optional(v.int64())},
    "a field that is missing in one": {**PERSON, "age": v.number()},
    "a field that is missing in all": {**PERSON, "email": v.string()},
    "a field that is not allowed": {"name": v.string()},
    "only some of the names": {**PERSON, "name": v.union(*map(v.literal, ("Al", "Bo", "Di")))},
    "an id of a table": {**PERSON, "name": v.id("people")},
}


@pytest.mark.parametrize("fields", REFUSING.values(), ids=REFUSING)
def test_documents_that_do_not_fit_refuse_the_push_whole(deployment: Deployment, fields: dict[str, Any]):
    push(deployment, people=define_table(PERSON).index("by_age", ["age"]), other=anything())
    there = people(deployment)
    before = everything(deployment)
    with pytest.raises(SupavexError) as caught:
        push(deployment, people=define_table(fields).index("by_name", ["name"]), newcomer=anything())
    error = caught.value
    assert error.code == "SchemaValidationFailed"
    table, id_ = error.where.split()
    assert table == "people" and id_ in [document["_id"] for document in there]
    assert error.message.startswith(f'Document with ID "{id_}" in table "people" does not match the schema: ')
    assert "Nothing was changed" in error.hint
    assert everything(deployment) == before
    assert names(deployment, "by_age") == ["Cy", "Di", "Bo", "Al"]
    deployment.insert("people", {"name": "Ed", "age": 25.0})


def test_the_document_named_is_the_one_that_does_not_fit(deployment: Deployment):
    there = people(deployment)
    (cy,) = (document["_id"] for document in there if document["name"] == "Cy")
    with pytest.raises(SupavexError) as caught:
        push(deployment, people=define_table({**PERSON, "age": v.number()}))
    assert caught.value.where == f"people {cy}"
    assert "missing the required field `age`" in caught.value.message


def test_ids_are_held_against_the_tables_as_they_will_be(deployment: Deployment):
    """The table that they lead to may be new in this very push."""
    deployment.insert("users", {})
    user = next(iter(deployment.documents("users")))["_id"]
    deployment.insert("posts", {"author": user})
    push(deployment, posts=define_table({"author": v.id("users")}), users=define_table({}))
    with pytest.raises(SupavexError, match="from table `users`"):
        push(deployment, posts=define_table({"author": v.id("groups")}), groups=define_table({}))
    assert deployment.tables() == ["posts", "users"]


def test_fields_with_an_underscore_are_dropped_before_documents_are_checked(deployment: Deployment):
    deployment.insert("t", {"a": 1.0})
    push(deployment, t=define_table({"_id": v.null(), "_creationTime": v.string(), "a": v.number()}))
    assert deployment.count("t") == 1


def test_without_schema_validation_everything_fits(deployment: Deployment):
    people(deployment)
    table = define_table({"name": v.number()}).index("by_age", ["age"])
    off = define_schema({"people": table}, schema_validation=False)
    done = deployment.push(off.export())
    assert done.documents_checked == 0
    assert names(deployment, "by_age") == ["Cy", "Di", "Bo", "Al"], "indexes are built all the same"


def test_switching_validation_on_checks_what_is_there(deployment: Deployment):
    tables = {"people": define_table({"name": v.number()})}
    deployment.push(define_schema(tables, schema_validation=False).export())
    people(deployment)
    before = everything(deployment)
    with pytest.raises(SupavexError) as caught:
        deployment.push(define_schema(tables).export())
    assert caught.value.code == "SchemaValidationFailed"
    assert everything(deployment) == before
    fitting = {"people": define_table(PERSON)}
    deployment.push(define_schema(fitting, schema_validation=False).export())
    assert deployment.push(define_schema(fitting).export()).documents_checked == 4


# Dry runs, and schemas that are none


def schema_with_everything_new() -> Schema:
    table = define_table({**PERSON, "email": v.optional(v.string())}).index("by_name", ["name"])
    return define_schema({"people": table, "newcomer": anything().index("i", ["x"])})


def test_a_dry_run_tells_the_same_and_leaves_no_trace(deployment: Deployment):
    push(deployment, people=define_table(PERSON).index("by_age", ["age"]), other=anything())
    people(deployment)
    before = everything(deployment)
    text = schema_with_everything_new().export()
    dry = deployment.push(text, dry_run=True)
    assert everything(deployment) == before
    assert dry == deployment.push(text)
    assert dry.change.new_tables == ("newcomer",)
    assert dry.change.removed_tables == ("other",)
    assert (dry.documents_checked, dry.documents_indexed) == (4, 4)


def test_a_dry_run_on_a_new_deployment(deployment: Deployment):
    before = everything(deployment)
    assert deployment.push(schema_with_everything_new().export(), dry_run=True).change.new_tables
    assert everything(deployment) == before
    assert (deployment.schema_text, deployment.schema, deployment.tables()) == (None, None, [])


def test_a_dry_run_is_refused_where_a_push_would_be(deployment: Deployment):
    people(deployment)
    before = everything(deployment)
    with pytest.raises(SupavexError) as caught:
        push(deployment, dry_run=True, people=define_table({}))
    assert caught.value.code == "SchemaValidationFailed"
    assert everything(deployment) == before


def test_what_is_no_schema_is_refused(deployment: Deployment):
    push(deployment, a=anything())
    before = everything(deployment)
    for text in ("", "[]", '{"tables":[{"tableName":"t","documentType":{"type":"date"}}]}'):
        with pytest.raises(SupavexError) as caught:
            deployment.push(text)
        assert caught.value.code == "InvalidSchemaExport"
    assert everything(deployment) == before


def test_an_id_of_a_table_that_is_not_in_the_schema_is_taken_as_convex_takes_it(deployment: Deployment):
    """No document can fit it until there is such a table; `compile_schema` finds it before, in a project's schema."""
    push(deployment, posts=define_table({"author": v.optional(v.id("users"))}))
    deployment.insert("posts", {})
    user = deployment.insert("users", {})
    deployment.insert("posts", {"author": user})
    assert deployment.count("posts") == 2


BROKEN = {
    "a name kept by Convex": (anything().index("by_creation_time", ["a"]), "IndexNameReserved"),
    "two indexes of one name": (anything().index("i", ["a"]).index("i", ["b"]), "IndexNamesNotUnique"),
    "two indexes on the same": (anything().index("i", ["a"]).index("j", ["a"], staged=True), "IndexNotUnique"),
    "an index on nothing": (anything().index("i", []), "EmptyIndex"),
    "a field twice": (anything().index("i", ["a", "a"]), "FieldsNotUniqueWithinIndex"),
    "the creation time": (anything().index("i", ["a", "_creationTime"]), "IndexFieldsContainCreationTime"),
    "the id": (anything().index("i", ["_id"]), "IndexFieldsContainId"),
    "too many fields": (anything().index("i", [f"f{n}" for n in range(16)]), "IndexTooManyFields"),
    "a field that there can't be": (define_table({}).index("i", ["a"]), "SchemaDefinitionError"),
    "documents that are texts": (define_table(v.string()), "InvalidTopLevelTypeInSchemaError"),
}


@pytest.mark.parametrize(("table", "code"), BROKEN.values(), ids=BROKEN)
def test_a_schema_that_convex_would_refuse_is_refused(deployment: Deployment, table: TableDefinition, code: str):
    """Whoever pushes JSON without `compile_schema` before it, as Convex's own command line does."""
    push(deployment, t=anything())
    before = everything(deployment)
    with pytest.raises(SupavexError) as caught:
        push(deployment, t=table)
    assert caught.value.code == code
    assert everything(deployment) == before


def test_what_is_only_unwise_is_taken(deployment: Deployment):
    """Two names that differ in case, more indexes than Convex's documentation allows, a union of nothing."""
    table = define_table({"a": v.union(), **{f"f{n}": v.any() for n in range(40)}})
    for n in range(40):
        table.index(f"i{n}", [f"f{n}"])
    assert push(deployment, posts=table, Posts=anything()).change.new_tables == ("Posts", "posts")


def test_nothing_of_a_removed_index_is_left_in_the_file(deployment: Deployment):
    push(deployment, people=anything())
    people(deployment)
    count_all = "SELECT count(*) FROM sqlite_master"
    before = deployment.store.connection.execute(count_all).fetchone()
    push(deployment, people=anything().index("by_age", ["age"]).index("later", ["name"], staged=True))
    push(deployment, people=anything())
    assert deployment.store.connection.execute(count_all).fetchone() == before


@pytest.mark.parametrize("name", ["_private", "my table", "9lives"])
def test_a_table_that_convex_would_refuse_is_refused(deployment: Deployment, name: str):
    with pytest.raises(SupavexError) as caught:
        push(deployment, **{name: anything()})
    assert caught.value.code in ("InvalidTableName", "TableNameReserved")
    assert deployment.tables() == []


def table_json(document: dict[str, Any] | None = None, **indexes: Any) -> str:
    """The JSON of a schema of one table ``t``, as the npm package exports it."""
    lists = (
        "indexes",
        "stagedDbIndexes",
        "searchIndexes",
        "stagedSearchIndexes",
        "vectorIndexes",
        "stagedVectorIndexes",
    )
    table = {"tableName": "t", **{name: [] for name in lists}, "documentType": document or {"type": "any"}, **indexes}
    return json.dumps({"tables": [table], "schemaValidation": True})


def fields(**kinds: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "value": {name: {"fieldType": kind, "optional": False} for name, kind in kinds.items()}}


def deep(depth: int) -> dict[str, Any]:
    return {"type": "array", "value": deep(depth - 1)} if depth else {"type": "string"}


NAN = {"type": "literal", "value": {"$float": "AAAAAAAA+H8="}}
VECTOR = {"indexDescriptor": "v", "vectorField": "b", "dimensions": 3, "filterFields": []}
TEXT = {"indexDescriptor": "s", "searchField": "a", "filterFields": []}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (table_json(fields(a={"type": "id", "tableName": "no-pe"})), "InvalidTableName"),
        (table_json(fields(a=NAN)), "UnsupportedFloatLiteral"),
        (table_json(vectorIndexes=[{**VECTOR, "dimensions": 2.5}]), "InvalidSchemaExport"),
        (table_json(vectorIndexes=[{**VECTOR, "dimensions": 1}]), "InvalidVectorDimensionError"),
        (
            table_json(
                indexes=[{"indexDescriptor": "i", "fields": ["a.b"]}, {"indexDescriptor": "j", "fields": [".a.b."]}]
            ),
            "IndexNotUnique",
        ),
        (table_json(indexes=[{"indexDescriptor": "_other", "fields": ["a"]}]), "IndexNameReserved"),
        (
            table_json(
                fields(
                    a={
                        "type": "record",
                        "keys": {"type": "string"},
                        "values": {"fieldType": {"type": "null"}, "optional": True},
                    }
                )
            ),
            "InvalidRecordType",
        ),
    ],
)
def test_a_schema_that_convex_refuses_is_refused(deployment: Deployment, text: str, code: str) -> None:
    with pytest.raises(SupavexError) as caught:
        deployment.push(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        table_json(fields(a=deep(40))),
        table_json(fields(**{f"f{number}": {"type": "null"} for number in range(1100)})),
        table_json(fields(a={"type": "string"}), searchIndexes=[{**TEXT, "filterFields": ["_id", "_creationTime"]}]),
        table_json(searchIndexes=[{**TEXT, "filterFields": ["b", "b"]}]),
        table_json(vectorIndexes=[{**VECTOR, "filterFields": ["_id", "c", ".c"]}]),
        table_json(indexes=[{"indexDescriptor": "_fivetran_by_id", "fields": ["a"]}]),
        table_json(fields(a={"type": "id", "tableName": "elsewhere"})),
    ],
)
def test_a_schema_that_convex_takes_is_taken(deployment: Deployment, text: str) -> None:
    deployment.push(text)
    assert deployment.tables() == ["t"]
