"""Rows and documents joined as columns: the same pairs as one by one."""

import os
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.convex.values import Document
from supavex.mapping.keys import Key
from supavex.mapping.plan import TablePlan
from supavex.migrate.existing import match_documents, matched_ids
from supavex.postgres.catalog import Table
from supavex.postgres.columns import ColumnReader
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import temporary
from supavex.postgres.snapshot import exported
from supavex.project import TableRule

TEXTS = st.none() | st.sampled_from(["a", "b", "c", "é\n", "", "'\"\\"])
NUMBERS = st.none() | st.integers(0, 2)


@pytest.fixture(scope="module")
def source() -> Iterator[tuple[str, Table]]:
    with temporary() as server:
        url = server.url("supabase_admin")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE old (id bigint PRIMARY KEY, name text, n int, b boolean)")
            (table,) = inspect_catalog(connection, ["public"])
        yield url, table


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, NUMBERS)), st.lists(st.tuples(TEXTS, NUMBERS)), st.booleans())
def test_the_pairs_are_those_that_matching_one_by_one_finds(
    source: tuple[str, Table],
    rows: list[tuple[str | None, int | None]],
    theirs: list[tuple[str | None, int | None]],
    both: bool,
) -> None:
    url, table = source
    match = {"name": "name", "number": "n"} if both else {"name": "name"}
    rule = replace(TableRule(), existing=match)
    plan = TablePlan(table, "existing", rule, "old", None, Key(("id",), "integer"))
    documents: list[Document] = [
        {"_id": encode_id(10_005, os.urandom(16)), "name": name, "number": None if n is None else float(n)}
        for name, n in theirs
    ]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE old")
        connection.cursor().executemany(
            "INSERT INTO old VALUES (%s, %s, %s)", [(i, *row) for i, row in enumerate(rows)]
        )
    with exported(url) as (snapshot, holder), ColumnReader(snapshot) as reader:
        expected, report = match_documents(holder, plan, documents)
        found, own = matched_ids(reader, plan, documents)
    assert plan.key is not None
    assert own == report
    ids = {
        plan.key.text_of(key): encode_id(found.number, bytes(id_))
        for key, id_ in zip(found.keys.to_list(), found.ids, strict=True)
    }
    assert ids == expected
