"""Pages: cursors, the end of a page that was read before, filters, and where it all ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .app import App, value_of


def page(app: App, cursor: str | None, size: float, function: str = "page", **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"cursor": cursor, "numItems": size}
    for name in ("endCursor", "maximumRowsRead", "maximumBytesRead"):
        if name in more:
            options[name] = more.pop(name)
    found: dict[str, Any] = app.run(f"paging:{function}", paginationOpts=options, **more)
    return found


def walk(app: App, size: float, **more: Any) -> list[list[float]]:
    """All pages, the last included."""
    pages, cursor = [], None
    while True:
        found = page(app, cursor, size, **more)
        pages.append(found["page"])
        cursor = found["continueCursor"]
        if found["isDone"]:
            return pages


def test_pages_join_to_the_whole(app: App):
    app.rows(*range(7))
    assert walk(app, 3.0) == [[0, 1, 2], [3, 4, 5], [6]]
    assert walk(app, 3.0, index="by_n", order="desc") == [[6, 5, 4], [3, 2, 1], [0]]
    assert walk(app, 2.0, index="by_n", range=[["gt", "n", 1.0], ["lt", "n", 5.0]]) == [[2, 3], [4]]


def test_a_page_that_just_reaches_the_end_is_followed_by_an_empty_one(app: App):
    app.rows(*range(4))
    assert walk(app, 2.0) == [[0, 1], [2, 3], []]


def test_pages_of_nothing(app: App):
    assert walk(app, 5.0) == [[]]
    found = app.run("paging:nothing", cursor=None)
    assert (found["page"], found["isDone"]) == ([], True)
    again = app.run("paging:nothing", cursor=found["continueCursor"])
    assert (again["page"], again["isDone"]) == ([], True)


def test_behind_the_end_there_is_nothing(app: App):
    app.rows(1)
    found = page(app, None, 5.0)
    assert found["isDone"] is True
    app.rows(2)
    assert page(app, found["continueCursor"], 5.0)["page"] == []


def test_filtered_pages_hold_what_passes(app: App):
    app.rows(*range(10))
    assert walk(app, 2.0, least=5.0) == [[5, 6], [7, 8], [9]]


def test_a_cursor_keeps_its_place_while_documents_come_and_go(app: App):
    ids = app.rows(*range(0, 10, 2))
    first = page(app, None, 2.0, index="by_n")
    assert first["page"] == [0, 2]
    app.run("writing:remove", id=ids[1])
    app.rows(1, 3)
    assert page(app, first["continueCursor"], 2.0, index="by_n")["page"] == [3, 4]


def test_an_end_cursor_fixes_the_page_whatever_its_size(app: App):
    app.rows(0, 2, 4, 6)
    first = page(app, None, 2.0, index="by_n")
    app.rows(1)
    fixed = page(app, None, 2.0, index="by_n", endCursor=first["continueCursor"])
    assert fixed["page"] == [0, 1, 2]
    assert fixed["continueCursor"] == first["continueCursor"] and fixed["isDone"] is False


def test_a_query_that_is_run_again_gives_the_same_page_by_its_journal(app: App):
    app.rows(0, 2, 4, 6)
    arguments = {"paginationOpts": {"cursor": None, "numItems": 2.0}, "index": "by_n"}
    first = app.outcome("paging:page", arguments)
    assert first.journal is not None
    app.rows(1)
    again = app.outcome("paging:page", arguments, journal=first.journal)
    assert value_of(again)["page"] == [0, 1, 2]
    assert value_of(app.outcome("paging:page", arguments))["page"] == [0, 1]


def test_a_page_can_be_split(app: App):
    app.rows(*range(6))
    found = page(app, None, 5.0)
    assert found["pageStatus"] is None
    half = page(app, None, 5.0, endCursor=found["splitCursor"])["page"]
    rest = page(app, found["splitCursor"], 5.0, endCursor=found["continueCursor"])["page"]
    assert half + rest == found["page"] and half and rest
    assert page(app, None, 2.0)["splitCursor"] is None, "one of two is no half"


def test_a_page_that_may_read_no_more_is_to_be_split(app: App):
    """What a filter rejects counts, too; and the next page goes on behind it."""
    app.rows(*range(50))
    found = page(app, None, 5.0, maximumRowsRead=3.0)
    assert (found["page"], found["isDone"], found["pageStatus"]) == ([0, 1, 2], False, "SplitRequired")
    statuses, cursor = [], None
    for _ in range(4):
        found = page(app, cursor, 1.0, least=40.0, maximumRowsRead=10.0)
        assert (found["page"], found["isDone"]) == ([], False) and found["splitCursor"]
        statuses.append(found["pageStatus"])
        cursor = found["continueCursor"]
    assert statuses == ["SplitRequired"] * 4
    found = page(app, cursor, 1.0, least=40.0, maximumRowsRead=10.0)
    assert (found["page"], found["pageStatus"]) == ([40], "SplitRecommended"), "all ten have been fetched"
    end = page(app, None, 9.0)["continueCursor"]
    fixed = page(app, None, 1.0, endCursor=end, maximumRowsRead=3.0)
    assert fixed["page"] == [float(n) for n in range(9)], "a page that has an end is read to it"
    assert page(app, None, 9.0, maximumRowsRead=12.0)["pageStatus"] is None
    assert page(app, None, 10.0, maximumRowsRead=12.0)["pageStatus"] == "SplitRecommended"


def test_limits_of_one_page(app: App):
    app.rows(*range(10))
    assert page(app, None, 8.0, maximumRowsRead=3.0)["page"] == [0, 1, 2]
    few = page(app, None, 8.0, maximumBytesRead=100.0)
    assert 0 < len(few["page"]) < 8 and few["pageStatus"] == "SplitRequired"
    for name in ("maximumRowsRead", "maximumBytesRead"):
        options = {"cursor": None, "numItems": 1.0, name: 0.0}
        assert app.error("paging:page", paginationOpts=options) == (
            "Error: maximumRowsRead and maximumBytesRead must be greater than 0"
        )


def test_a_page_in_a_mutation_holds_its_own_writes(app: App):
    app.rows(1, 3)
    found = page(app, None, 3.0, "pageInMutation", add=[0.0, 2.0], index="by_n")
    assert found["page"] == [0, 1, 2] and found["isDone"] is False


# What is refused


@pytest.mark.parametrize("size", [0.0, -1.0, 32_001.0, 1.5, "many"])
def test_sizes_that_no_page_has(app: App, size: Any):
    said = app.error("paging:page", paginationOpts={"cursor": None, "numItems": size})
    wanted = {0.0: "Must request at least 1 document while paginating", 32_001.0: "Requested too many items: 32001"}
    assert said.endswith(wanted.get(size, "")) and said


def test_a_cursor_of_another_query_is_told_so_that_clients_begin_anew(app: App):
    app.rows(1, 2, 3)
    cursor = page(app, None, 1.0)["continueCursor"]
    for other in ({"index": "by_n"}, {"order": "desc"}, {"least": 2.0}):
        failed = app.fails("paging:page", paginationOpts={"cursor": cursor, "numItems": 1.0}, **other)
        assert failed.data == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
        assert failed.message.startswith(
            "Uncaught ConvexError: InvalidCursor: Tried to run a query starting from a cursor"
        )
    for odd in ("nonsense", "", "é", "A" * 16, json.dumps({})):
        failed = app.fails("paging:page", paginationOpts={"cursor": odd, "numItems": 1.0})
        assert "InvalidCursor" in failed.message, odd


def test_one_paginated_query_a_function(app: App):
    assert app.error("paging:twice") == (
        "Error: This query or mutation function ran multiple paginated queries. "
        "Convex only supports a single paginated query in each function."
    )
