"""Importing a snapshot: which tables get which numbers, what is refused with which code; all of it or nothing."""

import io
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.ids import decode_id, encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive, schema_entry, tables_entry
from supavex.convex.values import to_export_json
from supavex.deployment import Deployment
from supavex.deployment.database.components import components
from supavex.deployment.transfer.file_import import import_all
from supavex.deployment.transfer.importing import Mode, import_snapshot
from supavex.errors import SupavexError
from supavex.schema import TableDefinition, define_schema, define_table, v
from tests.deployment.archives import (
    UNIFORM,
    document,
    documents,
    everything,
    id_of,
    import_entries,
    lines,
    tables,
    write_archive,
)

MODES: list[Mode] = ["requireEmpty", "replace", "replaceAll"]


def push(deployment: Deployment, **found: TableDefinition) -> None:
    deployment.push(define_schema(found).export())


def anything() -> TableDefinition:
    return define_table(v.any())


def refused(deployment: Deployment, entries: dict[str, str], mode: Mode = "requireEmpty") -> SupavexError:
    """Why an import is refused; and it has changed nothing at all."""
    before = everything(deployment)
    with pytest.raises(SupavexError) as caught:
        import_entries(deployment, entries, mode)
    assert everything(deployment) == before
    return caught.value


def ns(deployment: Deployment, table: str, index: str = "by_creation_time") -> list[Any]:
    """The field n of each document, in the order of an index."""
    return [document["n"] for document in deployment.query(table).with_index(index)]


# What comes in


@pytest.mark.parametrize("mode", MODES)
def test_documents_keep_their_ids_and_times(deployment: Deployment, mode: Mode):
    rows = [document(10_005, n, n=float(n), tags=["a", None]) for n in (3, 1, 2)]
    users = [document(10_002, 1, name="Al")]
    entries = tables(posts=10_005, users=10_002) | documents(posts=rows, users=users)
    done = import_entries(deployment, entries, mode)
    assert (done.written, done.deleted) == ({"posts": 3, "users": 1}, {})
    assert deployment.table_numbers() == {"posts": 10_005, "users": 10_002}
    assert list(deployment.documents("posts")) == [rows[1], rows[2], rows[0]]
    assert deployment.get(users[0]["_id"]) == users[0]


def test_an_archive_of_our_own_writer(deployment: Deployment, tmp_path: Path):
    row = {"_id": id_of(10_001, 1), "_creationTime": 1.5, "big": 2**60, "data": b"\x00\xff", "odd": float("-inf")}
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    writer.add("_tables/documents.jsonl", tables_entry({"posts": 10_001, "empty": 10_002}))
    writer.add("posts/documents.jsonl", to_export_json(row).encode() + b"\n")
    writer.add("posts/generated_schema.jsonl", schema_entry())
    writer.close()
    path = tmp_path / "a.zip"
    path.write_bytes(file.getvalue())
    with SnapshotArchive(path) as archive:
        done = import_snapshot(deployment, archive)
    assert done.written == {"posts": 1, "empty": 0}
    assert deployment.get(row["_id"]) == row
    assert deployment.tables() == ["empty", "posts"]


def test_what_an_export_has_besides_is_passed_over(deployment: Deployment):
    entries = tables(posts=10_001) | documents(posts=[document(10_001, 1)])
    entries |= {"README.md": "hello", "_storage/documents.jsonl": "{}", "_components/a/other/documents.jsonl": "{}"}
    import_entries(deployment, entries)
    assert deployment.tables() == ["posts"]


def test_missing_ids_and_times_are_made(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_000_000)
    import_entries(deployment, documents(posts=[{"n": 1}, {"n": 2, "_creationTime": 5.0}]))
    rows = {row["n"]: row for row in deployment.documents("posts")}
    assert {decode_id(row["_id"])[0] for row in rows.values()} == {10_001}
    assert len({row["_id"] for row in rows.values()}) == 2
    assert (rows[1.0]["_creationTime"], rows[2.0]["_creationTime"]) == (1_700_000_000_123.0, 5.0)


def test_creation_times_may_be_equal(deployment: Deployment):
    rows = [{**document(10_001, n), "_creationTime": 7.0} for n in (2, 1)]
    import_entries(deployment, documents(posts=rows))
    assert [row["_id"] for row in deployment.query("posts")] == [id_of(10_001, 1), id_of(10_001, 2)]


def test_importing_twice_gives_the_same(deployment: Deployment):
    push(deployment, posts=anything().index("by_n", ["n"]), other=anything())
    entries = documents(posts=[document(10_002, n, n=-n) for n in range(5)])

    def state() -> tuple[Any, ...]:
        return list(deployment.documents("posts")), ns(deployment, "posts", "by_n"), deployment.table_numbers()

    assert import_entries(deployment, entries, "replace").deleted == {"posts": 0}
    first = state()
    assert import_entries(deployment, entries, "replace").deleted == {"posts": 5}
    assert state() == first
    assert import_entries(deployment, entries, "replaceAll").deleted == {"posts": 5, "other": 0}
    assert state() == first


@pytest.mark.parametrize("declared", [True, False])
def test_progress_is_told_on_the_way_and_at_the_end(deployment: Deployment, declared: bool):
    told: list[tuple[str, int]] = []
    if declared:
        push(deployment, a=define_table({"n": v.number(), "text": v.string()}))
    entries = documents(a=[{"n": float(n), "text": "x" * 1000} for n in range(5001)], b=[])
    import_entries(deployment, entries, progress=lambda table, done: told.append((table, done)))
    assert told[-1] == ("b", 0)
    done = [count for table, count in told if table == "a"]
    assert len(set(done)) >= 3
    assert done == sorted(done)
    assert done[-1] == 5001


def test_an_archive_of_many_tables_is_not_read_over_and_over(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """Its list of tables is read a few times, not once for each table in it: there may be 10,000."""
    opened: list[str] = []
    plain = zipfile.ZipFile.open

    def counted(archive: zipfile.ZipFile, name: Any, mode: str = "r", **options: Any) -> Any:
        if mode == "r":
            opened.append(str(name))
        return plain(archive, name, mode, **options)

    monkeypatch.setattr(zipfile.ZipFile, "open", counted)
    entries = tables(**{f"t{number}": number for number in range(10_001, 10_101)})
    import_entries(deployment, entries)
    assert len(deployment.tables()) == 100
    assert 1 <= opened.count("_tables/documents.jsonl") < 10


# Modes


def test_require_empty_refuses_a_table_with_documents(deployment: Deployment):
    push(deployment, posts=anything(), users=anything())
    deployment.insert("users", {})
    import_entries(deployment, documents(posts=[{}]))
    error = refused(deployment, documents(posts=[{}]))
    assert (error.code, error.where) == ("TableExists", "posts")


def test_require_empty_takes_tables_that_are_there_and_empty(deployment: Deployment):
    push(deployment, posts=anything().index("by_n", ["n"]))
    deployment.delete(deployment.insert("posts", {}))
    import_entries(deployment, documents(posts=[{"n": 2}, {"n": 1}]))
    assert ns(deployment, "posts", "by_n") == [1, 2]


def test_replace_leaves_other_tables_alone(deployment: Deployment):
    push(deployment, posts=anything(), users=anything().index("by_n", ["n"]))
    for table in ("posts", "users"):
        for n in (2, 1):
            deployment.insert(table, {"n": n})
    users = list(deployment.documents("users"))
    done = import_entries(deployment, documents(posts=[{"n": 9}]), "replace")
    assert (done.written, done.deleted) == ({"posts": 1}, {"posts": 2})
    assert ns(deployment, "posts") == [9]
    assert list(deployment.documents("users")) == users
    assert ns(deployment, "users", "by_n") == [1, 2]


def test_replace_with_nothing_empties_a_table(deployment: Deployment):
    deployment.insert("posts", {})
    import_entries(deployment, documents(posts=[]), "replace")
    assert (deployment.tables(), deployment.count("posts")) == (["posts"], 0)


def test_replace_all_empties_the_other_tables_of_the_schema(deployment: Deployment):
    push(deployment, posts=anything(), users=anything().index("by_n", ["n"]))
    for table in ("posts", "users"):
        deployment.insert(table, {"n": 1})
    done = import_entries(deployment, documents(posts=[{"n": 9}]), "replaceAll")
    assert (done.written, done.deleted) == ({"posts": 1}, {"posts": 1, "users": 1})
    assert (ns(deployment, "posts"), ns(deployment, "users")) == ([9], [])
    assert deployment.table_numbers() == {"posts": 10_001, "users": 10_002}
    for n in (4, 3):
        deployment.insert("users", {"n": n})
    assert ns(deployment, "users", "by_n") == [3, 4], "its indexes work on"


def test_replace_all_deletes_tables_that_no_schema_has(deployment: Deployment):
    push(deployment, posts=anything())
    deployment.insert("notes", {})
    done = import_entries(deployment, documents(posts=[{}]), "replaceAll")
    assert done.deleted["notes"] == 1
    assert deployment.tables() == ["posts"]


# Numbers


def test_the_list_of_tables_decides(deployment: Deployment):
    """Over what the deployment had, and over an empty file of documents."""
    push(deployment, posts=anything(), users=anything())
    import_entries(deployment, tables(posts=10_009, users=10_001) | documents(posts=[document(10_009, 1)]), "replace")
    assert deployment.table_numbers() == {"posts": 10_009, "users": 10_001}


def test_a_listed_table_without_documents_is_made_empty(deployment: Deployment):
    assert import_entries(deployment, tables(posts=10_004)).written == {"posts": 0}
    assert (deployment.table_numbers(), deployment.count("posts")) == ({"posts": 10_004}, 0)


def test_else_the_first_document_s_id_decides(deployment: Deployment):
    push(deployment, posts=anything())
    import_entries(deployment, documents(posts=[document(10_007, 1)]), "replace")
    assert deployment.table_numbers() == {"posts": 10_007}


def test_else_a_table_keeps_its_number(deployment: Deployment):
    push(deployment, a=anything(), posts=anything())
    import_entries(deployment, documents(posts=[{"n": 1}]))
    assert deployment.table_numbers() == {"a": 10_001, "posts": 10_002}
    (row,) = deployment.documents("posts")
    assert decode_id(row["_id"])[0] == 10_002


def test_else_it_gets_the_lowest_free_number(deployment: Deployment):
    push(deployment, a=anything(), z=anything())
    import_entries(deployment, tables(m=10_005) | documents(posts=[{}], empty=[]), "replace")
    assert deployment.table_numbers() == {"a": 10_001, "z": 10_002, "m": 10_005, "empty": 10_003, "posts": 10_004}


@pytest.mark.parametrize("mode", ["replace", "replaceAll"])
def test_a_later_table_that_wants_the_lowest_free_number_clashes(deployment: Deployment, mode: Mode):
    """Convex gives numbers in the order of names, and does not look ahead."""
    error = refused(deployment, documents(a=[{}], b=[document(10_001, 1)]), mode)
    assert error.code == "TableNumberConflict"
    assert error.message == "conflict between `a` and `b` with table number 10001"


def test_replace_all_clashes_over_a_table_of_the_schema_that_the_archive_lacks(deployment: Deployment):
    push(deployment, a=anything(), b=anything(), c=anything())
    entries = tables(b=10_001, c=10_004) | documents(b=[document(10_001, 1)], c=[document(10_004, 1)])
    error = refused(deployment, entries, "replaceAll")
    assert error.message == "conflict between `a` and `c` with table number 10004"
    assert deployment.table_numbers() == {"a": 10_001, "b": 10_002, "c": 10_003}


def test_a_number_taken_by_another_table_of_the_archive_is_not_kept(deployment: Deployment):
    push(deployment, a=anything(), b=anything())
    import_entries(deployment, tables(b=10_001) | documents(a=[{"n": 1}], b=[]), "replace")
    numbers = deployment.table_numbers()
    assert numbers["b"] == 10_001 != numbers["a"]
    assert ns(deployment, "a") == [1]


def test_replace_all_gives_a_table_it_empties_another_number_where_it_must(deployment: Deployment):
    push(deployment, a=anything(), b=anything().index("by_n", ["n"]))
    deployment.insert("b", {"n": 1})
    import_entries(deployment, tables(a=10_002) | documents(a=[document(10_002, 1, n=2)]), "replaceAll")
    numbers = deployment.table_numbers()
    assert numbers["a"] == 10_002 != numbers["b"]
    assert (ns(deployment, "a"), ns(deployment, "b", "by_n")) == ([2], [])


def test_replace_all_deletes_no_table_that_the_schema_refers_to(deployment: Deployment):
    push(deployment, a=define_table({"other": v.id("outside")}))
    deployment.insert("outside", {})
    error = refused(deployment, documents(b=[{}]), "replaceAll")
    said = 'Failed to delete table "outside" because `v.id("outside")` appears in the schema of table "a"'
    assert (error.code, error.message) == ("SchemaEnforcementError", said)
    import_entries(deployment, documents(b=[{}], outside=[{}]), "replaceAll")
    assert deployment.tables() == ["a", "b", "outside"]


def test_two_tables_may_trade_their_numbers(deployment: Deployment):
    push(deployment, a=anything(), b=anything())
    rows = {"a": [document(10_002, 1, n=1)], "b": [document(10_001, 1, n=2)]}
    import_entries(deployment, documents(**rows), "replace")
    assert deployment.table_numbers() == {"a": 10_002, "b": 10_001}
    assert deployment.get(id_of(10_001, 1))["n"] == 2
    deployment.insert("a", {"n": 3})
    assert ns(deployment, "a") == [1, 3]


@pytest.mark.parametrize("listed", [{}, tables(a=10_005)], ids=["by ids", "by list and ids"])
def test_two_tables_that_say_the_same_number(deployment: Deployment, listed: dict[str, str]):
    entries = listed | documents(a=[document(10_005, 1)], b=[document(10_005, 2)])
    error = refused(deployment, entries)
    assert error.code == "InvalidId"
    assert "10005" in error.message


def test_a_number_that_a_table_outside_the_archive_has(deployment: Deployment):
    push(deployment, posts=anything(), users=anything())
    error = refused(deployment, documents(posts=[document(10_002, 1)]), "replace")
    assert (error.code, error.where) == ("TableConflict", "posts")
    assert "10002" in error.message and "users" in error.message
    import_entries(deployment, documents(posts=[document(10_002, 1)], users=[document(10_001, 1)]), "replace")


# What is refused


def test_an_id_of_another_table(deployment: Deployment):
    rows = [document(10_001, 1), document(10_002, 2)]
    error = refused(deployment, documents(posts=rows))
    assert error.code == "ImportConflict"
    assert rows[1]["_id"] in error.message and "10002" in error.message and "10001" in error.message


def test_the_list_of_tables_wins_over_ids_and_then_they_conflict(deployment: Deployment):
    error = refused(deployment, tables(posts=10_005) | documents(posts=[document(10_001, 1)]))
    assert error.code == "ImportConflict"


@pytest.mark.parametrize("at", [0, 1])
def test_an_id_that_is_none(deployment: Deployment, at: int):
    rows = [document(10_001, 1), document(10_001, 2)]
    rows[at]["_id"] = "j57000820c20a1g7104gm2rc1m70ynr9"
    error = refused(deployment, documents(posts=rows))
    assert error.code == "InvalidId"
    assert error.where.startswith("posts")


def test_an_id_twice(deployment: Deployment):
    rows = [document(10_001, n) for n in range(1500)]
    error = refused(deployment, documents(posts=[*rows, document(10_001, 3, other=True)]))
    assert (error.code, error.where) == ("DuplicateId", "posts")
    assert id_of(10_001, 3) in error.message


def test_one_internal_id_may_be_in_two_tables(deployment: Deployment):
    import_entries(deployment, documents(a=[document(10_001, 1)], b=[document(10_002, 1)]))
    assert (deployment.count("a"), deployment.count("b")) == (1, 1)


NAN = {"$float": "AAAAAAAA+H8="}


@pytest.mark.parametrize(
    "time", [1_700_000_000_000, 0.0, -0.0, -1.0, 2.0**53, NAN, "2024-01-01", None, True, [], 10**25]
)
def test_creation_times_that_can_t_be(deployment: Deployment, time: Any):
    entries = documents(posts=[{**document(10_001, 1), "_creationTime": time}])
    error = refused(deployment, entries | {"posts/generated_schema.jsonl": UNIFORM})
    assert error.code == "InvalidCreationTimeError"
    assert error.where == f"posts {id_of(10_001, 1)}"


@pytest.mark.parametrize("time", [5e-324, 1.5, 2.0**53 - 1, 1_700_000_000_000])
def test_creation_times_that_can_be(deployment: Deployment, time: float):
    """Without a schema file an integer is a float."""
    import_entries(deployment, documents(posts=[{**document(10_001, 1), "_creationTime": time}]))
    assert deployment.get(id_of(10_001, 1))["_creationTime"] == float(time)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"_mine": 1}, "InvalidDocumentError"),
        ({"text": "x" * (1 << 20)}, "ValueTooLargeError"),
        ({"list": [None] * 8193}, "ArrayTooLong"),
        ({"$a": 1, "b": 2}, "InvalidDocumentError"),
        ({"a": "\ud800"}, "InvalidDocumentError"),
    ],
)
def test_limits_hold_for_imports(deployment: Deployment, fields: dict[str, Any], code: str):
    error = refused(deployment, documents(posts=[document(10_001, 1), document(10_001, 2, **fields)]))
    assert error.code == code
    assert error.where == f"posts {id_of(10_001, 2)}"


# The schema


def test_documents_must_fit_the_schema(deployment: Deployment):
    push(deployment, posts=define_table({"n": v.number()}))
    deployment.insert("posts", {"n": 0.0})
    error = refused(deployment, documents(posts=[document(10_001, 1, n=1), document(10_001, 2, n="x")]), "replace")
    assert (error.code, error.where) == ("SchemaEnforcementError", f"posts {id_of(10_001, 2)}")
    assert "Path: .n" in error.message
    assert "Nothing was imported" in error.hint
    import_entries(deployment, documents(posts=[document(10_001, 1, n=1)]), "replace")
    assert ns(deployment, "posts") == [1.0]


def test_a_schema_that_is_not_enforced_takes_anything(deployment: Deployment):
    schema = define_schema({"posts": define_table({"n": v.number()})}, schema_validation=False)
    deployment.push(schema.export())
    import_entries(deployment, documents(posts=[document(10_001, 1, n="x")]))
    assert ns(deployment, "posts") == ["x"]


POSTS_AND_USERS = {"posts": define_table({"author": v.id("users")}), "users": define_table({})}


@pytest.mark.parametrize("mode", MODES)
def test_ids_are_held_against_the_numbers_as_they_will_be(deployment: Deployment, mode: Mode):
    """Posts come before users in the archive, and both trade their numbers."""
    push(deployment, **POSTS_AND_USERS)
    assert deployment.table_numbers() == {"posts": 10_001, "users": 10_002}
    good = documents(posts=[document(10_002, 1, author=id_of(10_001, 1))], users=[document(10_001, 1)])
    stale = documents(posts=[document(10_002, 1, author=id_of(10_002, 1))], users=[document(10_001, 1)])
    error = refused(deployment, stale, mode)
    assert error.code == "SchemaEnforcementError"
    assert "from table `posts`" in error.message
    import_entries(deployment, good, mode)
    assert deployment.table_numbers() == {"posts": 10_002, "users": 10_001}


def test_an_old_number_of_an_imported_table_is_no_longer_good(deployment: Deployment):
    push(deployment, **POSTS_AND_USERS)
    stale = documents(posts=[document(10_001, 1, author=id_of(10_002, 1))], users=[document(10_009, 1)])
    error = refused(deployment, stale)
    assert (error.code, error.where) == ("SchemaEnforcementError", f"posts {id_of(10_001, 1)}")


def test_ids_of_tables_that_stay_are_good(deployment: Deployment):
    push(deployment, **POSTS_AND_USERS)
    user = deployment.insert("users", {})
    import_entries(deployment, documents(posts=[document(10_001, 1, author=user)]))
    assert deployment.count("posts") == 1


def test_a_new_number_is_refused_while_others_refer_to_the_old(deployment: Deployment):
    push(deployment, **POSTS_AND_USERS)
    deployment.insert("posts", {"author": deployment.insert("users", {})})
    error = refused(deployment, documents(users=[document(10_009, 1)]), "replace")
    assert (error.code, error.where) == ("ImportForeignKey", "users")
    assert "posts" in error.message and "posts" in error.hint


def test_a_new_number_is_refused_also_where_the_reference_is_deep_inside(deployment: Deployment):
    deep = v.object({"by": v.optional(v.array(v.union(v.null(), v.record(v.id("users"), v.any()))))})
    push(deployment, posts=define_table({"a": v.optional(deep)}), users=define_table({}))
    deployment.insert("posts", {})
    assert refused(deployment, documents(users=[document(10_009, 1)]), "replace").code == "ImportForeignKey"


def test_a_new_number_is_fine_where_nobody_can_refer_to_the_old(deployment: Deployment):
    push(deployment, **POSTS_AND_USERS, notes=anything())
    numbers = deployment.table_numbers()
    deployment.insert("notes", {"about": deployment.insert("users", {})})
    import_entries(deployment, documents(users=[document(10_009, 1)]), "replace")  # posts is empty, notes takes any
    deployment.insert("posts", {"author": id_of(10_009, 1)})
    import_entries(deployment, documents(users=[document(10_009, 2)]), "replace")  # the number stays
    post = document(numbers["posts"], 1, author=id_of(10_008, 1))
    import_entries(deployment, documents(users=[document(10_008, 1)], posts=[post]), "replace")  # posts comes along
    import_entries(deployment, documents(users=[document(10_007, 1)]), "replaceAll")  # posts is emptied
    assert deployment.table_numbers() == {**numbers, "users": 10_007}


# All or nothing


def filled(deployment: Deployment) -> None:
    """Two tables with documents and an index."""
    push(deployment, a=define_table({"n": v.number()}).index("by_n", ["n"]), b=anything().index("by_n", ["n"]))
    for n in (3.0, 1.0, 2.0):
        deployment.insert("a", {"n": n})
        deployment.insert("b", {"n": n})


FAILING = {
    "a line that is no JSON": {"z/documents.jsonl": '{"n":1}\n{"n":'},
    "an id twice": documents(z=[document(10_020, 1), document(10_020, 1)]),
    "an id of another table": documents(z=[document(10_020, 1), document(10_021, 1)]),
    "a document too large": documents(z=[{"text": "x" * (1 << 20)}]),
    "an older archive": {"z/documents.jsonl": "{}\n", "z/generated_schema.jsonl": '"int64"\n'},
}


@pytest.mark.parametrize("mode", ["replace", "replaceAll"])
@pytest.mark.parametrize("last", FAILING.values(), ids=FAILING)
def test_a_last_table_that_fails_leaves_everything_as_it_was(deployment: Deployment, mode: Mode, last: dict[str, str]):
    filled(deployment)
    refused(deployment, documents(a=[{"n": 9}], m=[{"n": 8}]) | last, mode)
    assert ns(deployment, "a", "by_n") == ns(deployment, "b", "by_n") == [1, 2, 3]
    deployment.insert("a", {"n": 0.0})
    assert ns(deployment, "a", "by_n") == [0, 1, 2, 3]


def test_a_damaged_archive_leaves_everything_as_it_was(deployment: Deployment, tmp_path: Path):
    filled(deployment)
    before = everything(deployment)
    path = write_archive(tmp_path / "a.zip", documents(a=[{"n": n} for n in range(5000)]))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with SnapshotArchive(path) as archive, pytest.raises(SupavexError) as caught:
        import_snapshot(deployment, archive, "replace")
    assert caught.value.code == "InvalidArchive"
    assert everything(deployment) == before


def test_whoever_stops_it_leaves_everything_as_it_was(deployment: Deployment):
    """As Control-C does, in the midst of it."""
    filled(deployment)
    before = everything(deployment)

    def stop(table: str, done: int) -> None:
        if table == "m":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_entries(deployment, documents(a=[{"n": 9}], m=[{"n": 8}]), "replaceAll", progress=stop)
    assert everything(deployment) == before


def test_indexes_of_replaced_tables_work_on(deployment: Deployment):
    filled(deployment)
    import_entries(deployment, documents(a=[document(10_001, n, n=float(n)) for n in (5, 7, 6)]), "replace")
    assert ns(deployment, "a", "by_n") == [5, 6, 7]
    id_ = deployment.insert("a", {"n": 5.5})
    deployment.replace(id_of(10_001, 7), {"n": 1.0})
    deployment.delete(id_of(10_001, 5))
    assert ns(deployment, "a", "by_n") == [1, 5.5, 6]
    assert [row["_id"] for row in deployment.query("a").with_index("by_n", lambda q: q.eq("n", 5.5))] == [id_]


@pytest.mark.parametrize("mode", ["replace", "replaceAll"])
def test_nothing_of_the_old_tables_is_left_in_the_file(deployment: Deployment, mode: Mode):
    """Or it would grow with every rehearsal."""
    filled(deployment)
    entries = documents(a=[{"n": 9}])

    def statements() -> int:
        (count,) = deployment.store.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return count

    before = statements()
    for _ in range(3):
        import_entries(deployment, entries, mode)
        assert statements() == before


def test_staged_indexes_of_replaced_tables_go_with_them_until_the_next_push(deployment: Deployment):
    push(deployment, a=anything().index("by_n", ["n"], staged=True))
    import_entries(deployment, documents(a=[{"n": 2}, {"n": 1}]))
    with pytest.raises(SupavexError, match="has no index"):
        deployment.query("a").with_index("by_n")
    push(deployment, a=anything().index("by_n", ["n"]))
    assert ns(deployment, "a", "by_n") == [1, 2]


KILLED = """
import os, signal, sys
from pathlib import Path
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot

path, archive, table, count = sys.argv[1:]

def die(at, done):
    if at == table and done >= int(count):
        os.kill(os.getpid(), signal.SIGKILL)

with Deployment(Path(path)) as deployment, SnapshotArchive(Path(archive)) as opened:
    deployment.store.connection.execute("PRAGMA cache_size = 1")  # so that it writes to its file before it commits
    import_snapshot(deployment, opened, "replaceAll", progress=die)
print("imported")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("table", "done"), [("a", 1000), ("a", 12_000), ("m", 1)])
def test_a_killed_import_leaves_everything_as_it_was(tmp_path: Path, table: str, done: int):
    """In the midst of a table, after one, and after the last: before the new tables take the old ones' place."""
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path) as deployment:
        filled(deployment)
        before = everything(deployment)
    rows = [document(10_001, n, n=-float(n)) for n in range(12_000)]
    archive = write_archive(tmp_path / "a.zip", documents(a=rows, m=[{"text": "x"}]))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, path, archive, table, str(done)], capture_output=True, timeout=180, check=False
    )
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b""), killed.stderr.decode()
    assert os.path.getsize(f"{path}-wal") > 0, "it had begun to write"
    with Deployment(path) as deployment:
        assert everything(deployment) == before
        assert ns(deployment, "a", "by_n") == [1, 2, 3]
        with SnapshotArchive(archive) as opened:
            again = import_snapshot(deployment, opened, "replaceAll")
        assert again.written == {"a": 12_000, "m": 1}
        assert ns(deployment, "a", "by_n") == [-float(n) for n in reversed(range(12_000))]


def test_a_media_type_that_convex_refuses_is_refused(deployment: Deployment, tmp_path: Path):
    id_ = encode_id(STORAGE_NUMBER, b"f" * 16)
    for kind, good in (('video/webm;codecs="vp8,opus"', True), ("video/webm;codecs=vp8,opus", False)):
        entries = {f"_storage/{id_}": "x", "_storage/documents.jsonl": lines({"_id": id_, "contentType": kind})}
        with SnapshotArchive(write_archive(tmp_path / "a.zip", entries)) as archive:
            if good:
                import_all(deployment, archive)
                continue
            with pytest.raises(SupavexError, match="media type") as caught:
                import_all(deployment, archive)
        assert caught.value.code == "InvalidConvexValue" and id_ in (caught.value.where or "")


def test_components_are_bounded_in_their_levels(deployment: Deployment):
    deep = "".join(f"_components/c{level}/" for level in range(1500))
    with pytest.raises(SupavexError, match="64 levels") as caught:
        import_entries(deployment, {f"{deep}posts/documents.jsonl": "{}\n"}, "append")
    assert caught.value.code == "NotSupportedHere"
    import_entries(deployment, {f"{deep[: deep.index('c40/') + 4]}posts/documents.jsonl": '{"a": 1}\n'}, "append")
    assert len(components(deployment.store.connection)) >= 41
