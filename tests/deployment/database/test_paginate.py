"""Pages of a query: joined they are the whole, whatever comes and goes between them."""

from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.deployment import Deployment
from supavex.deployment.database.queries import END, Query
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v
from tests.deployment.archives import document, documents, import_entries

COUNT = 7


@pytest.fixture
def posts(deployment: Deployment) -> Deployment:
    """Seven posts, n from 0 to 3, inserted one after the other."""
    table = define_table(v.any()).index("by_n", ["n"])
    deployment.push(define_schema({"posts": table, "other": table}).export())
    for number in range(COUNT):
        deployment.insert("posts", {"n": float(number % 4), "k": float(number)})
    return deployment


QUERIES: dict[str, Callable[[Query], Query]] = {
    "all, the oldest first": lambda q: q,
    "all, the newest first": lambda q: q.order("desc"),
    "by index": lambda q: q.with_index("by_n"),
    "by index, backwards": lambda q: q.with_index("by_n").order("desc"),
    "a range": lambda q: q.with_index("by_n", lambda r: r.gte("n", 1.0).lt("n", 3.0)),
    "a range, backwards": lambda q: q.with_index("by_n", lambda r: r.gt("n", 0.0)).order("desc"),
    "by id": lambda q: q.with_index("by_id"),
    "by id, backwards": lambda q: q.with_index("by_id").order("desc"),
    "nothing": lambda q: q.with_index("by_n", lambda r: r.eq("n", 9.0)),
}


def pages(query: Query, size: int) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while len(found) <= COUNT + 2:
        page = query.paginate(cursor, size)
        found.append(page.page)
        cursor = page.continue_cursor
        if page.is_done:
            assert cursor == END
            return found
    raise AssertionError("the pages don't end")


@pytest.mark.parametrize("build", QUERIES.values(), ids=QUERIES)
def test_pages_of_every_size_join_to_the_whole(posts: Deployment, build: Callable[[Query], Query]):
    query = build(posts.query("posts"))
    whole = query.collect()
    for size in range(1, COUNT + 2):
        found = pages(query, size)
        assert [document for page in found for document in page] == whole
        assert all(len(page) == size for page in found[:-1])


def test_a_page_that_ends_with_the_last_document_is_followed_by_an_empty_one(posts: Deployment):
    assert [len(page) for page in pages(posts.query("posts"), COUNT)] == [COUNT, 0]
    assert [len(page) for page in pages(posts.query("posts"), COUNT + 1)] == [COUNT]
    after_the_end = posts.query("posts").paginate(END, 3)
    assert (after_the_end.page, after_the_end.is_done, after_the_end.continue_cursor) == ([], True, END)


def test_a_cursor_is_of_one_query(posts: Deployment):
    queries = [build(posts.query("posts")) for build in QUERIES.values()] + [posts.query("other")]
    cursors = [query.paginate(None, 1).continue_cursor for query in queries[:-2]]
    for at, cursor in enumerate(cursors):
        for other, query in enumerate(queries):
            if other != at:
                with pytest.raises(SupavexError) as caught:
                    query.paginate(cursor, 1)
                assert caught.value.code == "InvalidCursor"


@pytest.mark.parametrize("cursor", ["", "a", "====", "é", "\0", "_end", "AAAAAAAAAAA="])
def test_a_cursor_that_is_none(posts: Deployment, cursor: str):
    with pytest.raises(SupavexError) as caught:
        posts.query("posts").paginate(cursor, 1)
    assert caught.value.code == "InvalidCursor"


@pytest.mark.parametrize("size", [0, -1])
def test_a_page_of_nothing_is_refused(posts: Deployment, size: int):
    with pytest.raises(SupavexError) as caught:
        posts.query("posts").paginate(None, size)
    assert caught.value.code == "NoDocumentsForPagination"


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_what_comes_and_goes_between_pages(posts: Deployment, direction: Literal["asc", "desc"]):
    """Nothing is seen twice, what stays is seen, and what comes behind the cursor is seen."""
    query = posts.query("posts").with_index("by_n").order(direction)
    whole = query.collect()
    first = query.paginate(None, 3)
    posts.delete(first.page[-1]["_id"])  # where the cursor stands
    posts.delete(whole[4]["_id"])
    before, behind = (-1.0, 99.0) if direction == "asc" else (99.0, -1.0)
    posts.insert("posts", {"n": before})
    late = posts.insert("posts", {"n": behind})
    rest = query.paginate(first.continue_cursor, 100)
    assert rest.is_done
    assert [found["_id"] for found in rest.page] == [whole[3]["_id"], whole[5]["_id"], whole[6]["_id"], late]


def test_a_cursor_goes_on_after_the_table_was_replaced(deployment: Deployment):
    rows = [document(10_001, number, k=number) for number in range(6)]
    import_entries(deployment, documents(posts=rows))
    query = deployment.query("posts").with_index("by_id")
    first = query.paginate(None, 2)
    import_entries(deployment, documents(posts=rows[1:]), "replace")
    rest = deployment.query("posts").with_index("by_id").paginate(first.continue_cursor, 100)
    assert [found["k"] for found in first.page + rest.page] == [0, 1, 2, 3, 4, 5]


@given(st.binary(max_size=40))
def test_bytes_that_are_no_cursor(data: bytes):
    import base64

    cursor = base64.urlsafe_b64encode(data).decode()
    with pytest.raises(SupavexError, match="cursor"):
        _query()._position(cursor)


def _query() -> Query:
    from supavex.deployment.database.store import StoredIndex, StoredTable

    index = StoredIndex("by_creation_time", (), staged=False, entries=1)
    return Query(None, StoredTable("posts", 10_001, 1), index)  # type: ignore[arg-type]
