"""A function's transaction: it sees its own writes, and leaves all of them or none."""

from __future__ import annotations

from typing import Any

import pytest

from supavex.deployment import Deployment

from .app import App


def test_own_writes_are_seen_by_every_index_in_both_orders(app: App):
    """Documents of the file and of the transaction, mixed, changed and removed."""
    app.rows(*({"n": float(n), "a": float(-n), "b": float(n % 2)} for n in (1, 3, 5, 7, 9)))
    found = app.run("transactions:ownWrites", add=[2.0, 4.0, 10.0, 0.0], remove=[3.0, 4.0], move={"5": 6.5})
    by_n = [0, 1, 2, 6.5, 7, 9, 10]
    by_a = [10, 9, 7, 6.5, 2, 1, 0]
    assert found["by_n asc"] == by_n and found["by_n desc"] == by_n[::-1]
    assert found["by_a asc"] == by_a and found["by_a desc"] == by_a[::-1]
    assert found["by_a_b asc"] == by_a and found["by_a_b desc"] == by_a[::-1]
    by_creation = [1, 6.5, 7, 9, 2, 10, 0]
    assert found["by_creation_time asc"] == by_creation and found["by_creation_time desc"] == by_creation[::-1]
    assert found["middle"] == [6.5, 7] and found["count"] == 7
    assert sorted(app.numbers()) == by_n


def test_own_writes_among_very_many_stored_documents(app: App):
    app.run("limits:fill", count=700.0)
    remove = [float(n) for n in range(0, 700, 2)]
    found = app.run("transactions:ownWrites", add=[-1.0, 350.5, 1000.0], remove=remove, move={"1": 900.0})
    left = [-1.0, *(float(n) for n in range(3, 700, 2)), 350.5, 900.0, 1000.0]
    assert found["by_n asc"] == sorted(left) and found["by_n desc"] == sorted(left, reverse=True)
    assert found["count"] == len(left)


def test_a_loop_does_not_meet_what_it_moves_ahead_of_itself(app: App):
    app.rows(3, 10, 60)
    assert app.run("transactions:doubling") == [3, 10, 60]
    assert sorted(app.numbers()) == [6, 20, 120]


def test_a_loop_meets_what_it_has_removed_if_that_was_fetched_before(app: App):
    """A hundred rows at a time: what is removed of the next hundred is not there when they are fetched."""
    app.rows(*range(300))
    seen = [*range(100), *range(101, 200), *range(201, 300)]
    assert app.run("transactions:deleteAhead") == [float(n) for n in seen]
    assert app.run("transactions:emptied") == 0


def test_a_loop_does_not_meet_what_a_called_mutation_puts_ahead(app: App):
    app.rows(1, 2, 3, 4)
    assert app.run("transactions:iteratingAround") == [1, 2, 3, 4]


def test_all_or_nothing(app: App):
    assert app.error("transactions:writeAndThrow") == "Error: no"
    assert app.numbers() == []


def test_a_table_that_is_being_made_is_read_as_others_are(app: App):
    assert app.error("transactions:newTable", fail=True) == "Error: no"
    assert "fresh" not in app.deployment.tables()
    seen = app.run("transactions:newTable", fail=False)
    (row,) = seen["after"]
    assert (seen["before"], row["x"], row["y"], seen["page"]) == (0, 1, 2, 1)
    assert seen["got"] == row and seen["normalized"] == row["_id"]
    assert app.deployment.get(row["_id"]) == row


def test_two_tables_that_are_being_made_have_numbers_of_their_own(app: App):
    assert app.run("transactions:twoTables") == [True, None]
    assert len(set(app.deployment.table_numbers().values())) == len(app.deployment.tables())


# Functions that call functions


def test_what_a_called_mutation_wrote_is_taken_back_when_it_fails(app: App):
    found = app.run("transactions:nested")
    assert found["seen"] == [1, 2] and found["after"] == [1, 2]
    assert "no 3" in found["error"]
    assert app.numbers() == [1, 2]


def test_a_failure_that_nobody_catches_takes_everything_back(app: App):
    app.rows(1)
    assert "no 5" not in app.error("transactions:nestedBadly", n="five")
    assert app.numbers() == [1]
    assert "ArgumentValidationError: " in app.fails("transactions:nestedBadly", n="five").message
    assert "nowhere" in app.error("transactions:nestedBadly", n=1.0, name="nowhere")


def test_called_at_once(app: App):
    every = [float(n) for n in range(100)]
    assert sorted(app.run("transactions:nestedTogether", count=100.0)) == every
    assert sorted(app.numbers()) == every


def test_a_query_calls_queries_and_no_mutations(app: App):
    app.rows(7)
    assert app.run("transactions:queryInQuery") == [7]
    assert app.run("transactions:mutationInQuery") is None


def test_a_called_function_has_globals_of_its_own(app: App):
    found = app.run("transactions:globals")
    fresh, outer = [None, "function", "function", True], ["outer", "undefined", "function", "changed"]
    assert found["before"] == found["after"] == outer
    assert found["inside"] == [fresh, [fresh, None, "inner"], "inner"]
    assert found["together"] == [[fresh, None, "inner"]] * 2
    assert (found["failed"], found["nowhere"]) == ("failed", "failed")


def test_functions_that_call_themselves_for_ever(app: App):
    assert app.error("transactions:endless")
    app.rows(1)


def test_a_stale_snapshot_has_none_of_the_own_writes(app: App):
    app.rows(7)
    assert app.run("transactions:staleReads") == [2, 1, 1, 3]
    assert app.numbers() == [7, 1, 2]
    assert "only supported in mutations" in app.error("transactions:staleInQuery")


@pytest.mark.parametrize(
    ("limits", "read", "written"),
    [
        ({"documentsRead": 4.0, "documentsWritten": 2.0}, 3, 2),
        (
            {"documentsRead": 2.0, "documentsWritten": 1.0},
            "Uncaught Error: Too many documents read in a single function execution (limit: 2).",
            "Uncaught Error: Too many writes in a single function execution (limit: 2)",
        ),
        ({"bytesRead": 10.0, "bytesWritten": 10.0}, "Too many bytes read", "Too many bytes written"),
        ({"databaseQueries": 0.0}, "Too many reads in a single function execution (limit: 0)", 2),
        ({"documentsWritten": 1e9}, 3, 2),
        ({"documentsWritten": -1.0}, "Invalid arguments for `runUdf`", "Invalid arguments for `runUdf`"),
    ],
)
def test_limits_that_a_caller_sets(app: App, limits: dict[str, float], read: object, written: object):
    app.rows(7, 8)
    found = app.run("transactions:limited", limits=limits, write=2.0)
    for got, wanted in zip(found, (read, written), strict=True):
        assert wanted in got if isinstance(wanted, str) else got == wanted, (got, wanted)
    assert app.numbers() == [7, 8, -1, *([0, 1] if written == 2 else []), 0, 1, 2], "and the caller has its own again"


def test_the_time_of_a_commit_is_refused(app: App):
    assert app.error("transactions:commitTime").startswith("Error: Not supported here: `db.vars.commitTs`")


def test_the_file_is_the_same_for_those_who_read_it_otherwise(app: App):
    """A deployment that writes by itself is noticed, and sees what functions wrote."""
    app.rows(1)
    app.deployment.insert("rows", {"n": 2.0})
    with Deployment(app.deployment.path) as other:
        other.insert("rows", {"n": 3.0})
    assert [row["n"] for row in app.run("reading:all", table="rows")] == [1, 2, 3]
    app.rows(4)
    found: list[Any] = [row["n"] for row in app.deployment.query("rows").collect()]
    assert found == [1, 2, 3, 4]


def test_what_is_taken_back_does_not_count_as_written(app: App):
    kept, taken_back = app.run("transactions:counted")
    assert kept == taken_back and kept[:2] == [3, 16_000] and kept[2] > 0
