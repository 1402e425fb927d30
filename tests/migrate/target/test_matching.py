"""Rows and documents joined as columns: the same pairs as one by one."""

import os
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supavex.convex.ids import encode_id
from supavex.convex.validators import Validator
from supavex.convex.values import Document, Value
from supavex.mapping.keys import Key
from supavex.mapping.plan import TablePlan
from supavex.migrate.copy.existing import matched_ids
from supavex.migrate.target.matching import match_documents
from supavex.postgres.catalog import Table
from supavex.postgres.columns import ColumnReader
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import temporary
from supavex.postgres.snapshot import exported
from supavex.schema import define_table, v
from supavex.settings.rules import TableRule

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


@pytest.mark.parametrize(
    ("type_", "field", "values", "theirs"),
    [
        ("numeric(10, 2)", v.number(), ["2", "2.50", "1000000.10", "0"], [2.0, 2.5, 1000000.1, -0.0]),
        ("numeric", v.string(), ["2.00", "1e3"], ["2.00", "1000"]),
        ("numeric", v.number(), ["1e22", "0.0000001"], [1e22, 1e-07]),
        ("money", v.number(), ["2", "2.50"], [2.0, 2.5]),
        ("float8", v.number(), ["2", "1e20", "0.1", "-0"], [2.0, 1e20, 0.1, 0.0]),
        ("float4", v.number(), ["0.1", "1e10"], [0.1, 1e10]),
        ("int8", v.int64(), ["9007199254740993", "-1"], [9007199254740993, -1]),
        (
            "timestamptz",
            v.number(),
            ["2024-01-01 07:00+07", "2024-01-01 00:00:00.123456"],
            [1704067200000.0, 1704067200123.456],
        ),
        ("timestamp", v.number(), ["1969-12-31 23:59:59.5"], [-500.0]),
        ("date", v.number(), ["2024-01-01"], [1704067200000.0]),
        ("date", v.string(), ["2024-01-01"], ["2024-01-01"]),
        ("boolean", v.boolean(), ["true", "false"], [True, False]),
        ("bytea", v.bytes(), [r"\x00ff", r"\x"], [b"\x00\xff", b""]),
        ("bytea", v.string(), [r"\x00ff"], [r"\x00ff"]),
        ("uuid", v.string(), ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"], ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ],
)
def test_a_value_of_each_type_is_matched_with_what_it_becomes(
    source: tuple[str, Table], type_: str, field: Validator, values: list[str], theirs: list[Value]
) -> None:
    url, _ = source
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"DROP TABLE IF EXISTS typed; CREATE TABLE typed (id bigint PRIMARY KEY, x {type_})".encode()
        )
        connection.cursor().executemany("INSERT INTO typed VALUES (%s, %s)", [*enumerate(values), (len(values), None)])
        table = next(t for t in inspect_catalog(connection, ["public"]) if t.name == "typed")
    rule = replace(TableRule(), existing={"x": "x"})
    plan = TablePlan(table, "existing", rule, "typed", define_table({"x": v.optional(field)}), Key(("id",), "integer"))
    documents: list[Document] = [{"_id": encode_id(10_006, os.urandom(16)), "x": value} for value in theirs]
    with exported(url) as (snapshot, holder), ColumnReader(snapshot) as reader:
        by_key, report = match_documents(holder, plan, documents)
        found, again = matched_ids(reader, plan, documents)
    assert by_key == {str(index): document["_id"] for index, document in enumerate(documents)}
    assert report.matched == again.matched == len(values) == len(found.keys)
