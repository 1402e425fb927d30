"""Documents of a deployment: put in, found by id, put in the place of, taken out; and still there tomorrow."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.damage import Damaged
from supavex.convex.ids import InvalidId, decode_id, encode_id
from supavex.convex.values import same
from supavex.deployment import Deployment
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v
from tests.deployment.archives import document, documents, everything, id_of, import_entries
from tests.official.strategies import values

UNKNOWN_ID = encode_id(10_001, b"nobody has these")
UNKNOWN_TABLE_ID = encode_id(10_999, b"nobody has these")
NO_ID = "not an id"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The time, in nanoseconds since 1970, as the last element says."""
    now = [1_700_000_000_123_456_789]
    monkeypatch.setattr(time, "time_ns", lambda: now[-1])
    return now


def test_an_inserted_document_has_an_id_of_its_table_and_the_time(deployment: Deployment, clock: list[int]):
    first = deployment.insert("posts", {"title": "a"})
    clock.append(1_700_000_000_124_000_000)
    second = deployment.insert("posts", {"title": "b"})
    assert first != second
    assert decode_id(first)[0] == decode_id(second)[0] == deployment.table_numbers()["posts"] == 10_001
    assert deployment.get(first) == {"_id": first, "_creationTime": 1_700_000_000_123.4568, "title": "a"}
    assert deployment.get(second) == {"_id": second, "_creationTime": 1_700_000_000_124.0, "title": "b"}


def test_documents_of_one_moment_are_ordered_by_id(deployment: Deployment, clock: list[int]):
    ids = [deployment.insert("posts", {}) for _ in range(20)]
    assert [row["_id"] for row in deployment.query("posts")] == sorted(ids)


def test_a_table_is_made_by_its_first_document(deployment: Deployment):
    assert deployment.tables() == []
    deployment.insert("zebras", {})
    deployment.insert("apples", {})
    deployment.insert("zebras", {})
    assert deployment.tables() == ["apples", "zebras"]
    assert deployment.table_numbers() == {"zebras": 10_001, "apples": 10_002}
    assert deployment.table_names() == {10_001: "zebras", 10_002: "apples"}


@pytest.mark.parametrize(
    "name", ["", "my table", "9lives", "_private", "_tables", "t" * 65, "é", 'a"; DROP TABLE meta']
)
def test_what_can_name_no_table_makes_none(deployment: Deployment, name: str):
    with pytest.raises(SupavexError) as caught:
        deployment.insert(name, {})
    assert caught.value.code in ("InvalidTableName", "TableNameReserved")
    assert deployment.tables() == []


def test_counting(deployment: Deployment):
    assert deployment.count("posts") == 0
    ids = [deployment.insert("posts", {}) for _ in range(3)]
    deployment.insert("users", {})
    assert (deployment.count("posts"), deployment.count("users")) == (3, 1)
    deployment.delete(ids[0])
    assert deployment.count("posts") == 2


def test_replacing_keeps_id_and_time_and_nothing_else(deployment: Deployment):
    id_ = deployment.insert("posts", {"title": "a", "old": True})
    other = deployment.insert("posts", {"title": "b"})
    created = deployment.get(id_)["_creationTime"]
    deployment.replace(id_, {"title": "c", "new": 1})
    assert deployment.get(id_) == {"_id": id_, "_creationTime": created, "title": "c", "new": 1}
    assert deployment.get(other)["title"] == "b"


def test_deleting(deployment: Deployment):
    gone, stays = deployment.insert("posts", {}), deployment.insert("posts", {})
    deployment.delete(gone)
    assert deployment.get(gone) is None
    assert [row["_id"] for row in deployment.documents("posts")] == [stays]
    assert [row["_id"] for row in deployment.query("posts")] == [stays]
    assert deployment.tables() == ["posts"], "a table stays when it is empty"


@pytest.mark.parametrize("id_", [UNKNOWN_ID, UNKNOWN_TABLE_ID, NO_ID, ""])
def test_what_is_not_there_can_t_be_changed(deployment: Deployment, id_: str):
    deployment.insert("posts", {})
    before = everything(deployment)
    with pytest.raises(InvalidId):
        deployment.replace(id_, {})
    with pytest.raises(InvalidId):
        deployment.delete(id_)
    assert everything(deployment) == before


def test_getting_what_is_not_there(deployment: Deployment):
    deployment.insert("posts", {})
    assert deployment.get(UNKNOWN_ID) is None
    assert deployment.get(UNKNOWN_TABLE_ID) is None
    with pytest.raises(InvalidId, match="'not an id' is not a Convex document id"):
        deployment.get(NO_ID)


def test_getting_many_gives_those_of_the_table(deployment: Deployment):
    a, b = (deployment.insert("posts", {"n": n}) for n in (1, 2))
    user = deployment.insert("users", {"n": 3})
    found = deployment.get_many("posts", [b, user, UNKNOWN_ID, a, a])
    assert {id_: row["n"] for id_, row in found.items()} == {a: 1, b: 2}
    assert deployment.get_many("posts", []) == {}
    assert deployment.get_many("nowhere", [a]) == {}


def test_a_document_that_can_not_be_read_is_there(deployment: Deployment):
    ids = [deployment.insert("posts", {"title": str(number)}) for number in range(1200)]
    user = deployment.insert("users", {"name": "a"})
    storage = deployment.store.tables()["posts"].storage
    deployment.store.connection.execute(f"UPDATE documents_{storage} SET body = '{{' WHERE row = 1")
    damaged: list[Damaged] = []
    found = deployment.get_many("posts", [*ids, user], damaged.append)
    assert list(found) == sorted(ids[1:], key=decode_id)
    assert [one.id for one in damaged] == ids[:1]
    assert deployment.present("posts", [*ids, user, UNKNOWN_ID, UNKNOWN_TABLE_ID]) == frozenset(ids)
    assert deployment.present("nowhere", ids) == deployment.present("posts", []) == frozenset()


def test_documents_of_two_tables_with_the_same_internal_id(deployment: Deployment):
    """As a user and the user's profile have it, where both had one uuid."""
    import_entries(deployment, documents(posts=[document(10_001, 1)], users=[document(10_002, 1)]))
    post, user = id_of(10_001, 1), id_of(10_002, 1)
    assert list(deployment.get_many("posts", [user, post])) == [post]
    assert list(deployment.get_many("users", [user, post])) == [user]
    deployment.delete(user)
    assert deployment.get(post)["_id"] == post


def test_documents_come_in_the_order_of_their_ids(deployment: Deployment):
    ids = [deployment.insert("posts", {}) for _ in range(20)]
    assert [row["_id"] for row in deployment.documents("posts")] == sorted(ids)
    assert list(deployment.documents("nowhere")) == []


def test_there_is_no_query_of_a_table_that_is_not_there(deployment: Deployment):
    with pytest.raises(SupavexError, match="no table nowhere") as caught:
        deployment.query("nowhere")
    assert caught.value.code == "TableNotFound"


(ODD_NAN,) = struct.unpack(">d", bytes.fromhex("FFF800000000BEEF"))


@given(found=st.lists(values() | st.just(ODD_NAN), min_size=1, max_size=5))
def test_every_value_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, found: list[Any]):
    """Its type too; also from the file, opened anew."""
    path = tmp_path_factory.mktemp("values") / "deployment.sqlite3"
    with Deployment(path) as deployment, deployment.store.transaction():
        ids = [deployment.insert("posts", {"value": value}) for value in found]
        back = [deployment.get(id_)["value"] for id_ in ids]
        assert all(map(same, back, found))
    with Deployment(path) as deployment:
        back = [deployment.get(id_)["value"] for id_ in ids]
        assert all(map(same, back, found))


def test_all_of_it_is_there_when_the_file_is_opened_again(tmp_path: Path):
    path = tmp_path / "deployment.sqlite3"
    schema = define_schema({"posts": define_table({"n": v.number()}).index("by_n", ["n"])})
    with Deployment(path) as deployment:
        deployment.push(schema.export())
        for n in (3.0, 1.0, 2.0):
            deployment.insert("posts", {"n": n})
        before = everything(deployment)
    with Deployment(path) as deployment:
        assert everything(deployment) == before
        assert deployment.schema_text == schema.export()
        assert deployment.schema.tables["posts"].fields == {"n": v.number()}
        assert [row["n"] for row in deployment.query("posts").with_index("by_n")] == [1.0, 2.0, 3.0]
        with pytest.raises(SupavexError, match="does not match the schema"):
            deployment.insert("posts", {"n": "4"})
        deployment.insert("posts", {"n": 0.0})
        assert [row["n"] for row in deployment.query("posts").with_index("by_n")] == [0.0, 1.0, 2.0, 3.0]


def test_two_may_have_the_file_open(tmp_path: Path):
    """One sees what the other has written."""
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path) as one, Deployment(path) as other:
        id_ = one.insert("posts", {"n": 1})
        assert other.get(id_)["n"] == 1
        other.replace(id_, {"n": 2})
        assert one.get(id_)["n"] == 2
