"""Queries by index range, against `convex-test`: the same documents and ranges, the same results in the same order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.schema import define_schema, define_table, v
from supavex.convex.typescript import schema_module
from supavex.convex.values import to_internal_json
from supavex.deployment import Deployment
from supavex.deployment.database.queries import IndexRange, Query
from supavex.errors import SupavexError

from .node import Node

FIELDS = ("a", "b")
INDEXES = {"by_a": ("a",), "by_a_b": ("a", "b"), "by_b_a": ("b", "a")}
SCHEMA = define_schema(
    {
        "rows": define_table({"n": v.number(), "a": v.optional(v.any()), "b": v.optional(v.any())})
        .index("by_a", ["a"])
        .index("by_a_b", ["a", "b"])
        .index("by_b_a", ["b", "a"])
    }
)
#: Neighbours across types. -0 is left out: convex-test compares numbers as JavaScript does.
VALUES: list[Any] = [None, False, True, 0, 1, -1, 2**60, 0.0, 1.0, -1.5, 1e300, "", "a", "ab", "b", "é", b"", b"a"]
VALUES += [[], [1.0], ["a", None], {}, {"x": 1.0}, {"x": 1.0, "y": None}]

values = st.sampled_from(VALUES)
documents = st.lists(st.dictionaries(st.sampled_from(FIELDS), values), min_size=1, max_size=12)


@st.composite
def ranges(draw: st.DrawFn) -> dict[str, Any]:
    """A query: an index, a range that it allows, an order."""
    index = draw(st.sampled_from(sorted(INDEXES)))
    fields = INDEXES[index]
    equal = draw(st.integers(0, len(fields)))
    range_: list[tuple[str, str, Any]] = [("eq", field, draw(values)) for field in fields[:equal]]
    if equal < len(fields):
        bounds = [methods for methods in (("gt", "gte"), ("lt", "lte")) if draw(st.booleans())]
        range_ += [(draw(st.sampled_from(methods)), fields[equal], draw(values)) for methods in bounds]
    return {"index": index, "range": range_, "order": draw(st.sampled_from(("asc", "desc")))}


def ours(query: Query, asked: dict[str, Any]) -> list[float]:
    def build(q: IndexRange) -> IndexRange:
        for method, field, value in asked["range"]:
            q = getattr(q, method)(field, value)
        return q

    found = query.with_index(asked["index"], build).order(asked["order"])
    pages, cursor = [], None
    while True:
        page = found.paginate(cursor, 3)
        pages += page.page
        cursor = page.continue_cursor
        if page.is_done:
            break
    assert pages == found.collect(), "pages join to the whole"
    return [document["n"] for document in pages]


@settings(max_examples=150)
@given(rows=documents, asked=st.lists(ranges(), min_size=5, max_size=20))
def test_queries_give_what_convex_test_gives(
    node: Node, rows: list[dict[str, Any]], asked: list[dict[str, Any]]
) -> None:
    stored = [{**row, "n": float(number)} for number, row in enumerate(rows)]
    official = node.queries(
        schema_module(SCHEMA),
        [to_internal_json(document) for document in stored],
        [{**one, "range": [[m, f, to_internal_json(value)] for m, f, value in one["range"]]} for one in asked],
    )
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder) / "d.sqlite3") as deployment:
        deployment.push(SCHEMA.export())
        with deployment.transaction():
            for document in stored:
                deployment.insert("rows", document)
        for one, said in zip(asked, official, strict=True):
            try:
                mine: Any = ours(deployment.query("rows"), one)
            except SupavexError as error:
                mine = error.code
            assert said.get("value", "refused") == mine, (one, said)
