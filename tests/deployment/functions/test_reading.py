"""Reading: get, queries, indexes and their ranges, filters, order, and how far a query is read."""

from __future__ import annotations

from typing import Any

import pytest

from supavex.convex.ids import encode_id

from .app import App

VALUES: list[Any] = [None, -3, 2, -1.5, 0.0, 7.0, False, True, "", "a", "b", b"", b"a", [], [1.0], {}, {"x": 1.0}]


def numbered(app: App, *values: Any) -> list[str]:
    """Rows numbered from 0 whose ``a`` are the values; ``...`` is none."""
    return app.rows(*({"n": float(n)} if a is ... else {"n": float(n), "a": a} for n, a in enumerate(values)))


def filtered(app: App, *filter_: Any) -> list[float]:
    found: list[float] = app.run("reading:filtered", filter=list(filter_))
    return found


def ranged(app: App, index: str, *range_: list[Any], **more: Any) -> list[float]:
    found: list[float] = app.run("reading:ranged", index=index, range=list(range_), **more)
    return found


# get


@pytest.mark.parametrize("body", ["'{'", "CAST(x'7bff7d' AS TEXT)", "x'7b7d'", "'[]'"])
def test_a_damaged_document_is_an_error_that_names_it(app: App, body: str):
    first, second = app.rows(1, 2)
    store = app.deployment.store
    table = store.tables()["rows"]
    store.connection.execute(f"UPDATE documents_{table.storage} SET body = {body} WHERE row = 1")
    assert first in app.error("reading:get", id=first)
    assert first in app.error("reading:ranged", index="by_creation_time", range=[])
    assert app.run("reading:get", id=second)["n"] == 2.0, "others are read as before"


def test_get_gives_the_document_with_its_system_fields(app: App):
    (id_,) = app.rows({"n": 1.0, "a": 5})
    found = app.run("reading:get", id=id_)
    assert found.keys() == {"_id", "_creationTime", "n", "a"}
    assert (found["_id"], found["n"], found["a"]) == (id_, 1.0, 5)
    assert app.run("reading:getNamed", table="rows", id=id_) == found


def test_get_gives_null_for_what_is_not_there(app: App):
    (id_,) = app.rows(1)
    app.run("writing:remove", id=id_)
    assert app.run("reading:get", id=id_) is None
    assert app.run("reading:get", id=encode_id(77_777, bytes(16))) is None, "a table that is not there"


def test_get_refuses_what_is_no_id(app: App):
    assert app.error("reading:get", id="nonsense").startswith(
        "Error: Invalid argument `id` for `db.get`: Unable to decode ID: "
    )
    (id_,) = app.rows(1)
    assert app.error("reading:getNamed", table="people", id=id_) == (
        'Error: Invalid argument `id` for `db.get`: expected to be an Id<"people">, got Id<"rows"> instead.'
    )


def test_normalize_id(app: App):
    (row,) = app.rows(1)
    person = app.run("writing:insert", table="people", value={"name": "a"})
    assert app.run("reading:normalize", table="rows", id=row) == row
    assert app.run("reading:normalize", table="people", id=row) is None
    assert app.run("reading:normalize", table="people", id=person) == person
    assert app.run("reading:normalize", table="nothere", id=row) is None
    for odd in ("", "x", row[:-1], row + "0", row.upper(), row[:-1] + ("0" if row[-1] != "0" else "1"), "é" * 31):
        assert app.run("reading:normalize", table="rows", id=odd) is None, odd


# Queries


def test_documents_come_in_the_order_of_their_creation(app: App):
    app.rows(3, 1, 2)
    assert [row["n"] for row in app.run("reading:all", table="rows")] == [3, 1, 2]
    assert app.run("reading:newest") == [2, 1, 3]


def test_a_table_that_is_not_there_is_empty(app: App):
    assert app.run("reading:all", table="nothere") == []
    assert app.run("reading:first", table="nothere") is None
    assert app.run("reading:count", table="nothere") == 0
    assert app.error("reading:ranged", table="nothere", index="by_x", range=[]) == (
        "Error: Index nothere.by_x not found."
    )


def test_take_first_and_unique(app: App):
    app.rows(5, 6, 6, 7)
    assert app.run("reading:taken", count=0.0) == []
    assert app.run("reading:taken", count=2.0) == [5, 6]
    assert app.run("reading:taken", count=50.0) == [5, 6, 6, 7]
    assert app.run("reading:first", table="rows")["n"] == 5
    assert app.run("reading:unique", n=7.0) == 7
    assert app.run("reading:unique", n=8.0) is None
    assert app.error("reading:unique", n=6.0).startswith(
        "Error: unique() query returned more than one result from table"
    )
    assert app.run("reading:count", table="rows") == 4


def test_a_query_is_read_once(app: App):
    assert app.error("reading:twice").startswith("Error: This query has been chained with another operator and can")


def test_many_documents_come_whole_and_in_order(app: App):
    """More than are handed over at once."""
    app.run("limits:fill", count=1000.0)
    assert app.run("reading:newest") == [float(n) for n in reversed(range(1000))]
    assert ranged(app, "by_n", ["gte", "n", 300.0], ["lt", "n", 700.0]) == [float(n) for n in range(300, 700)]
    assert ranged(app, "by_n", order="desc", take=300.0) == [float(n) for n in range(999, 699, -1)]


def test_what_a_loop_leaves_unread_was_not_read(app: App):
    """A write behind the place where the function stopped does not touch it; one before it does."""
    app.run("limits:fill", count=200.0)
    outcome = app.outcome("reading:until", {"last": 3.0})
    engine = app.functions.engine

    def touched(n: float) -> bool:
        since = engine.log.last
        app.rows(n)
        return not engine.valid(outcome.reads, since)

    assert not touched(3.5)
    assert not touched(1e6)
    assert touched(2.5)
    assert touched(3.0) is False, "a row of the same number stands behind it"


def test_two_loops_at_once(app: App):
    app.rows(1, 2, 3, 4)
    assert app.run("reading:interleaved") == [1, 4, 2, 3, 3, 2]


def test_reads_at_once(app: App):
    ids = app.rows(*range(40))
    assert app.run("reading:together", ids=ids[::-1]) == [float(n) for n in range(39, -1, -1)]


# Indexes


def test_an_index_orders_values_of_every_type(app: App):
    """Undefined, null, int64, float64, boolean, string, bytes, array, object."""
    numbered(app, *reversed(VALUES), ...)
    ordered = [float(len(VALUES)), *map(float, range(len(VALUES) - 1, -1, -1))]
    assert ranged(app, "by_a") == ordered
    assert ranged(app, "by_a", order="desc") == ordered[::-1]


def test_index_ranges(app: App):
    app.rows(*({"n": float(n), "a": float(n // 3), "b": float(n % 3)} for n in range(9)))
    assert ranged(app, "by_a", ["eq", "a", 1.0]) == [3, 4, 5]
    assert ranged(app, "by_a", ["gt", "a", 0.0], ["lte", "a", 1.0]) == [3, 4, 5]
    assert ranged(app, "by_a_b", ["eq", "a", 1.0], ["gt", "b", 0.0]) == [4, 5]
    assert ranged(app, "by_a_b", ["eq", "a", 1.0], ["gte", "b", 1.0], ["lt", "b", 2.0], order="desc") == [4]
    assert ranged(app, "by_a", ["eq", "a", 2.0], order="desc", take=2.0) == [8, 7]
    assert ranged(app, "by_a", ["gt", "a", 5.0], ["lt", "a", 1.0]) == []
    assert ranged(app, "by_a", ["eq", "a", 1]) == [], "an int64 is another value than a float64"


def test_ranges_over_undefined(app: App):
    numbered(app, ..., None, 1.0, ...)
    assert ranged(app, "by_a", ["eq", "a", "undefined"]) == [0, 3]
    assert ranged(app, "by_a", ["gt", "a", "undefined"]) == [1, 2]
    assert ranged(app, "by_a", ["lt", "a", None]) == [0, 3]


def test_the_indexes_that_every_table_has(app: App):
    ids = app.rows(5, 6, 7)
    created = app.run("reading:get", id=ids[1])["_creationTime"]
    assert ranged(app, "by_creation_time", ["gte", "_creationTime", created]) == [6, 7]
    assert ranged(app, "by_creation_time", ["eq", "_creationTime", created]) == [6]
    by_id = [n for _, n in sorted(zip(ids, (5, 6, 7), strict=True))]
    assert ranged(app, "by_id") == by_id
    assert ranged(app, "by_id", order="desc") == by_id[::-1]
    assert ranged(app, "by_id", ["eq", "_id", ids[2]]) == [7]
    assert ranged(app, "by_id", ["gt", "_id", sorted(ids)[0]]) == by_id[1:]
    assert ranged(app, "by_id", ["lte", "_id", sorted(ids)[1]]) == by_id[:2]


@pytest.mark.parametrize(
    ("index", "range_", "message"),
    [
        ("nothere", [], "Index rows.nothere not found."),
        ("by_a", [["eq", "b", 1.0]], 'The index range included a comparison with "b", but rows.by_a with fields ["a"'),
        ("by_a_b", [["eq", "b", 1.0]], "Tried to query index rows.by_a_b but the query didn't use the index fields"),
        ("by_a_b", [["gt", "a", 1.0], ["lt", "b", 1.0]], "Upper and lower bounds in `range` can only be applied to a "),
        ("by_a_b", [["eq", "a", 1.0], ["eq", "a", 2.0]], "Already defined equality bound in index range. Can't add "),
    ],
)  # fmt: skip
def test_ranges_that_an_index_does_not_allow(app: App, index: str, range_: list[Any], message: str):
    assert message in app.error("reading:ranged", index=index, range=range_)


# Filters


def test_comparisons_hold_across_types(app: App):
    numbered(app, 1.0, 1, "1", None, True, ...)
    assert filtered(app, "eq", "a", 1.0) == [0]
    assert filtered(app, "neq", "a", 1.0) == [1, 2, 3, 4, 5]
    assert filtered(app, "eq", "a", 1) == [1]
    assert filtered(app, "eq", "a", "undefined") == [5]
    assert filtered(app, "lt", "a", 1) == [3, 5], "undefined and null come first"
    assert filtered(app, "lte", "a", 1) == [1, 3, 5]
    assert filtered(app, "gt", "a", True) == [2]
    assert filtered(app, "gte", "a", True) == [2, 4]
    assert filtered(app, "eq", "a", "b") == [5], "both are undefined"


def test_filters_by_logic(app: App):
    app.rows(*({"n": float(n), "a": float(n), "b": n % 2 == 0} for n in range(6)))
    assert filtered(app, "and", ["gt", "a", 1.0], ["lt", "a", 4.0]) == [2, 3]
    assert filtered(app, "or", ["lt", "a", 1.0], ["gt", "a", 4.0]) == [0, 5]
    assert filtered(app, "not", ["or", "b", ["eq", "a", 3.0]]) == [1, 5]
    assert filtered(app, "and", True, "b") == [0, 2, 4]
    assert filtered(app, "and") == [0, 1, 2, 3, 4, 5]
    assert filtered(app, "or") == []


def test_filters_by_arithmetic(app: App):
    app.rows(*({"n": float(n), "a": float(n), "b": 2.0} for n in range(8)))
    assert filtered(app, "eq", ["mod", "a", "b"], 1.0) == [1, 3, 5, 7]
    assert filtered(app, "gt", ["mul", "a", "b"], 11.0) == [6, 7]
    assert filtered(app, "eq", ["add", "a", "b"], 5.0) == [3]
    assert filtered(app, "lt", ["sub", "a", "b"], 0.0) == [0, 1]
    assert filtered(app, "eq", ["div", "a", "b"], 3.5) == [7]
    assert filtered(app, "eq", ["neg", "a"], -4.0) == [4]
    assert filtered(app, "eq", ["div", "b", "a"], float("inf")) == [0]


def test_arithmetic_of_int64(app: App):
    app.rows({"n": 0.0, "a": -7, "b": 2}, {"n": 1.0, "a": 7, "b": 2})
    assert filtered(app, "eq", ["div", "a", "b"], -3) == [0], "towards zero"
    assert filtered(app, "eq", ["mod", "a", "b"], -1) == [0]
    assert filtered(app, "eq", ["add", "a", "b"], 9) == [1]


@pytest.mark.parametrize("operands", [["add", 2**63 - 1, 1], ["div", 1, 0], ["mod", 1, 0], ["neg", -(2**63)]])
def test_int64_does_not_overflow(app: App, operands: list[Any]):
    app.rows(1)
    assert app.error("reading:filtered", filter=["eq", operands, 1])


@pytest.mark.parametrize(
    "filter_",
    [
        ["add", "a", 1.0],
        ["and", "a"],
        ["not", "a"],
        ["or", None],
        ["eq", ["add", "a", 1], 1],
        ["neg", "a"],
        ["mul", 1.0, 1],
    ],
)
def test_filters_refuse_values_of_other_types(app: App, filter_: list[Any]):
    app.rows({"n": 1.0, "a": "text"})
    assert app.error("reading:filtered", filter=filter_)


def test_a_filter_is_not_asked_where_no_document_comes(app: App):
    assert filtered(app, "and", 5.0) == []


def test_filters_before_limits(app: App):
    app.rows(*range(20))
    assert app.run("reading:filterThenTake", least=15.0, count=3.0) == [15, 16, 17]


# System tables


def test_system_tables_are_read_by_their_own_reader(app: App):
    id_ = app.run("files:store", text="abc")
    assert [row["_id"] for row in app.run("reading:system", table="_storage")] == [id_]
    assert app.run("reading:systemGet", id=id_)["size"] == 3
    (row,) = app.rows(1)
    assert app.error("reading:get", id=id_) == "Error: System tables can only be accessed from db.system."
    assert app.error("reading:systemGet", id=row) == "Error: User tables cannot be accessed with db.system."
    for table in ("_storage", "_scheduled_functions"):
        assert app.error("reading:all", table=table)
    assert app.error("reading:system", table="rows")
    assert app.run("reading:system", table="_tables") == [], "what is Convex's own is not shown"
