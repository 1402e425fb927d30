"""The proof's own way to read the source: what PostgreSQL says of a value as text, whatever the text holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.migrate.proof.digests import text_columns
from supavex.migrate.proof.digests.text_columns import NotComparable, text_batches, uuid_bytes, written
from supavex.postgres.connection import connect
from supavex.postgres.server import Server

#: A value or more of each type that is read without its cast to text, and of some that are not.
TYPES = {
    "int2": ["-32768", "7"],
    "int4": ["0", "-1"],
    "int8": ["9223372036854775807"],
    "numeric": ["1.50", "NaN", "-0.000001", "1e30"],
    "float4": ["0.1", "Infinity"],
    "float8": ["0.1", "1e300", "-0"],
    "text": ["", "a,b", 'x"y', " z ", "\\."],
    "varchar": ["ü"],
    "bpchar(4)": ["a", "ab"],
    "uuid": ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"],
    "json": ['{"a" :  1}'],
    "jsonb": ['{"b":1,"a":"x, y"}'],
    "date": ["2024-02-29", "0044-03-15 BC"],
    "time": ["24:00:00", "01:02:03.456"],
    "timestamp": ["2024-01-01 00:00:00.000001", "infinity"],
    "timestamptz": ["2024-01-01 00:00:00+07", "-infinity", "4000-01-01 BC"],
    "bool": ["true"],
    "inet": ["10.0.0.1/8", "::1"],
    "name": ["me"],
    "interval": ["1 mon"],
    "bytea": ["\\x00ff"],
}


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[psycopg.Connection]:
    with connect(server.url()) as found:
        found.execute("CREATE TEMPORARY TABLE texts (number int, text text)")
        yield found


def read(connection: psycopg.Connection, columns: list[str], rest: str) -> list[list[str | None]]:
    found: list[list[str | None]] = [[] for _ in columns]
    for batch in text_batches(connection, columns, rest):
        for values, column in zip(found, batch.columns, strict=True):
            values += column.to_pylist()
    return found


@pytest.mark.parametrize("type_", TYPES)
def test_what_copy_writes_is_the_text_of_the_value(connection: psycopg.Connection, type_: str) -> None:
    base = type_.partition("(")[0]
    values = [*TYPES[type_], None]
    rows = ", ".join(f"({number}, {_quoted(value)}::{type_})" for number, value in enumerate(values))
    rest = f"FROM (VALUES {rows}) AS t(n, c) ORDER BY t.n"
    expected = [row[0] for row in connection.execute(f"SELECT (t.c)::text {rest}").fetchall()]
    (found,) = read(connection, [written("t.c::text", "t.c", base)], rest)
    assert found == expected
    # What an expression cuts out of a cast is not lost.
    assert read(connection, [written("(t.c)::text", "t.c", base)], rest) == [expected]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("(t.c)::uuid::text", "(t.c)::uuid"),
        ("(t.c)::timestamptz::text", "(t.c)::timestamptz"),
        ("(t.c)::bpchar::text", "(t.c)::bpchar::text"),
        ('t."a_b"::int8::text', 't."a_b"::int8'),
        ('t."a b"::int8::text', 't."a b"::int8::text'),
        ("t.a || t.b::int8::text", "t.a || t.b::int8::text"),
        ("t.other::text", "t.other::text"),
    ],
)
def test_only_a_cast_that_changes_nothing_is_left_out(sql: str, expected: str) -> None:
    assert written(sql, "t.c", "text") == expected


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from('\x01\x02\n\r\t",\\.'),
    max_size=20,
)


@given(texts=st.lists(st.none() | TEXTS | st.sampled_from(["", "\\.", "\x01", "\x02", "\r\n"]), max_size=12))
def test_every_text_comes_as_it_is(connection: psycopg.Connection, texts: list[str | None]) -> None:
    connection.execute("TRUNCATE texts")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO texts VALUES (%s, %s)", list(enumerate(texts)))
    numbers, found = read(connection, ["number", "text"], "FROM texts ORDER BY number")
    assert (numbers, found) == ([str(number) for number in range(len(texts))], texts)


def test_a_row_may_be_longer_than_a_block(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_columns, "BLOCK", 4096)
    connection.execute("TRUNCATE texts")
    lengths = [3, 4096, 5000, 0, 4093, 100_000, 7, *[1000] * 20]
    connection.execute(
        "INSERT INTO texts SELECT n, repeat('é' || chr(10), l / 2) FROM unnest(%s) WITH ORDINALITY AS u(l, n)",
        (lengths,),
    )
    _, found = read(connection, ["number", "text"], "FROM texts ORDER BY number")
    assert [len(text or "") for text in found] == [length // 2 * 2 for length in lengths]


def test_a_reader_that_stops_early_leaves_the_connection_as_it_was(connection: psycopg.Connection) -> None:
    for attempt in range(60):  # while Arrow's own thread reads on
        batches = text_batches(connection, ["n", "repeat('x', 1000)"], "FROM generate_series(1, 20000) AS n")
        for _ in range(1 + attempt % 5):
            assert next(batches).num_rows
        batches.close()
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("column", "error"),
    [
        ("nothing", psycopg.errors.UndefinedColumn),
        ("1 / (n - 50000)", psycopg.errors.DivisionByZero),
        ("CASE WHEN n = 50000 THEN pg_terminate_backend(pg_backend_pid()) END", psycopg.OperationalError),
    ],
)
def test_what_postgresql_raises_is_raised(server: Server, column: str, error: type[Exception]) -> None:
    with connect(server.url()) as own:
        with pytest.raises(error) as caught:
            list(text_batches(own, ["n", column], "FROM generate_series(1, 100000) AS n"))
        assert "\n" not in str(caught.value).splitlines()[0]
        if error is not psycopg.OperationalError:
            assert own.execute("SELECT 1").fetchone() == (1,)


@given(keys=st.lists(st.uuids(), max_size=5))
def test_uuids_are_their_bytes(keys: list[uuid.UUID]) -> None:
    column = pa.array(["", *map(str, keys)], pa.string())[1:]
    assert uuid_bytes(column).tobytes() == b"".join(key.bytes for key in keys)


@given(key=st.uuids(), place=st.integers(0, 35), character=st.characters(codec="ascii"))
def test_what_is_no_uuid_of_postgresql_is_told(key: uuid.UUID, place: int, character: str) -> None:
    text = str(key)
    text = text[:place] + character + text[place + 1 :]
    try:
        right = str(uuid.UUID(text)) == text
    except ValueError:
        right = False
    if right:
        assert uuid_bytes(pa.array([text])).tobytes() == uuid.UUID(text).bytes
    else:
        with pytest.raises(NotComparable):
            uuid_bytes(pa.array([text]))


def _quoted(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
