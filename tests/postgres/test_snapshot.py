"""One moment of the source for every connection that reads it, as rows and as columns."""

import re
from contextlib import suppress

import psycopg
import pyarrow as pa
import pytest

from supavex.errors import SupavexError
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import READING, literal, quoted
from supavex.postgres.snapshot import Snapshot, exported, imported
from tests.databases import Database

COUNT = "SELECT count(*) FROM public.notes"


@pytest.fixture
def notes(database: Database) -> Database:
    database.run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'one'), (2, NULL);")
    return database


def one(connection: psycopg.Connection, sql: str) -> object:
    row = connection.execute(sql.encode()).fetchone()
    return row and row[0]


def test_all_readers_see_the_moment_of_the_export_while_the_app_writes(notes: Database) -> None:
    with exported(notes.url()) as (snapshot, holder):
        notes.run("INSERT INTO notes VALUES (3, 'three'); DELETE FROM notes WHERE id = 1;")
        assert one(holder, COUNT) == 2
        with imported(snapshot) as reader:
            assert one(reader, COUNT) == 2
        with ColumnReader(snapshot) as columns:
            batches = list(columns.read("SELECT id, text FROM public.notes ORDER BY id"))
    assert pa.Table.from_batches(batches).to_pylist() == [{"id": 1, "text": "one"}, {"id": 2, "text": None}]
    assert notes.rows("SELECT id FROM public.notes ORDER BY id") == [(2,), (3,)]


def test_a_snapshot_knows_its_moment(notes: Database) -> None:
    with exported(notes.url()) as (snapshot, holder):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", snapshot.taken_at)
        moment = one(holder, f"SELECT now() = '{snapshot.taken_at}'::timestamptz")
        assert moment is True
        assert snapshot.url == notes.url()


def test_readers_cannot_write(notes: Database) -> None:
    with exported(notes.url()) as (snapshot, holder):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), imported(snapshot) as reader:
            reader.execute("DELETE FROM public.notes")
        with ColumnReader(snapshot) as columns, pytest.raises(SupavexError, match="read-only transaction"):
            list(columns.read("DELETE FROM public.notes RETURNING id"))
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            holder.execute("DELETE FROM public.notes")
    assert notes.value(COUNT) == 2


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, psycopg.errors.UndefinedTable])
def test_a_snapshot_whose_holder_has_left_is_gone(notes: Database, error: type[BaseException] | None) -> None:
    with suppress(KeyboardInterrupt, psycopg.errors.UndefinedTable), exported(notes.url()) as (snapshot, holder):
        if error is psycopg.errors.UndefinedTable:
            holder.execute("SELECT * FROM nothing")
        if error is not None:
            raise error
    with pytest.raises(SupavexError) as caught, imported(snapshot):
        pass
    assert (caught.value.code, caught.value.retryable) == ("SnapshotGone", True)
    with pytest.raises(SupavexError) as caught, ColumnReader(snapshot):
        pass
    assert caught.value.retryable


def test_a_role_that_may_not_read_a_table_is_told_which_one_may(notes: Database) -> None:
    url = notes.url("authenticator")
    with pytest.raises(SupavexError) as caught, exported(url) as (_, holder):
        holder.execute(COUNT.encode())
    assert (caught.value.code, caught.value.exit_code) == ("PermissionDenied", 2)
    assert "postgres" in (caught.value.hint or "")
    with exported(url) as (snapshot, _):
        with pytest.raises(SupavexError) as caught, imported(snapshot) as reader:
            reader.execute(COUNT.encode())
        assert caught.value.code == "PermissionDenied"
        with ColumnReader(snapshot) as columns, pytest.raises(SupavexError) as caught:
            list(columns.read("SELECT id FROM public.notes"))
        assert (caught.value.code, caught.value.exit_code) == ("PermissionDenied", 2)


def test_columns_behind_a_policy_are_refused_not_left_out(notes: Database) -> None:
    notes.run("ALTER TABLE notes ENABLE ROW LEVEL SECURITY; GRANT USAGE ON SCHEMA public TO authenticator;")
    notes.run("GRANT SELECT ON notes TO authenticator;")
    with (
        exported(notes.url("authenticator")) as (snapshot, _),
        ColumnReader(snapshot) as columns,
        pytest.raises(SupavexError) as caught,
    ):
        list(columns.read("SELECT id FROM public.notes"))
    assert caught.value.code == "PermissionDenied"
    assert "row-level security" in caught.value.message


def test_columns_are_read_with_a_reader_s_settings(notes: Database) -> None:
    select = ", ".join(f"current_setting('{name}') AS \"{name}\"" for name in READING)
    with exported(notes.url()) as (snapshot, _), ColumnReader(snapshot) as columns:
        (row,) = pa.Table.from_batches(list(columns.read(f"SELECT {select}"))).to_pylist()
    assert row == READING


def test_a_large_result_comes_in_several_batches_and_whole(notes: Database) -> None:
    with exported(notes.url()) as (snapshot, _), ColumnReader(snapshot) as columns:
        sql = "SELECT n, repeat('x', 1000) AS text FROM generate_series(1, 20000) AS n"
        batches = list(columns.read(sql))
    assert len(batches) > 1
    assert [n for batch in batches for n in batch.column("n").to_pylist()] == list(range(1, 20001))


def test_an_empty_result_has_no_rows(notes: Database) -> None:
    with exported(notes.url()) as (snapshot, _), ColumnReader(snapshot) as columns:
        assert sum(batch.num_rows for batch in columns.read("SELECT id FROM public.notes WHERE false")) == 0


def test_a_query_that_fails_says_why_without_the_password(notes: Database) -> None:
    with exported(notes.url() + " password=topsecret") as (snapshot, _), ColumnReader(snapshot) as columns:
        with pytest.raises(SupavexError) as caught:
            list(columns.read("SELECT 1 / (id - id) FROM public.notes"))
        assert caught.value.code == "ReadFailed"
        assert "division by zero" in caught.value.message
        assert "topsecret" not in str(caught.value.to_json())


def test_an_address_where_nothing_answers(tmp_path: object) -> None:
    snapshot = Snapshot(f"host={tmp_path} user=ann password=topsecret", "00000003-00000002-1", "")
    with pytest.raises(SupavexError) as caught, ColumnReader(snapshot):
        pass
    assert caught.value.where == f"host={tmp_path} user=ann password=***"


#: What ``ALTER DATABASE … SET`` and ``ALTER ROLE … SET`` can do to what a read says, or to whether there is one.
CONTRARY = {
    "row_security": "on",
    "statement_timeout": "1min",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "1min",
    "idle_session_timeout": "1min",
    "transaction_timeout": "2s",
    "synchronize_seqscans": "on",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "gin_fuzzy_search_limit": "1",
    "TimeZone": "Asia/Kathmandu",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "postgres_verbose",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "xmlbinary": "hex",
    "xmloption": "document",
    "client_encoding": "LATIN1",
    "search_path": "auth",
}
#: Those that every reader's own transaction says.
_TRANSACTIONS = {
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
}
_VALUES = """
    SELECT moment::text AS moment, day::text AS day, span::text AS span, data::text AS data, float::text AS float,
           text, moment AS at, day AS on_, data AS bytes, text = NULL AS nothing, '\\x41'::bytea AS byte, number
    FROM public.everything
"""


@pytest.mark.parametrize("whose", ["DATABASE", "ROLE"])
def test_no_setting_of_the_database_or_role_changes_what_a_reader_reads(database: Database, whose: str) -> None:
    assert CONTRARY.keys() == READING.keys()
    database.run("""
        CREATE TABLE everything (moment timestamptz, day date, span interval, data bytea, float float8, text text,
                                 number numeric(10, 2));
        INSERT INTO everything VALUES
            ('2024-01-02 03:04:05.678901+00', '2024-01-02', '1 day 02:03:04', '\\x00ff', 0.1::float8 + 0.2, 'é€', 1.5);
    """)

    def seen(contrary: bool) -> tuple[object, object]:
        with exported(database.url()) as (snapshot, holder):
            assert {name: one(holder, f"SHOW {name}") for name in READING} == READING
            rows = holder.execute(_VALUES.encode()).fetchall()
            with ColumnReader(snapshot) as columns:
                (batch,) = columns.read(_VALUES)
                for name in READING:
                    (shown,) = columns.read(f"SELECT current_setting('{name}')")
                    assert shown.column(0)[0].as_py() == READING[name]
        if contrary:
            with psycopg.connect(database.url()) as connection:
                assert {name: one(connection, f"SHOW {name}") for name in CONTRARY} == CONTRARY
        return rows, (batch.schema, batch.to_pylist())

    expected = seen(False)
    name = database.name if whose == "DATABASE" else "postgres"
    with psycopg.connect(database.url("supabase_admin"), autocommit=True) as connection:
        try:
            for setting, value in {**CONTRARY, **_TRANSACTIONS}.items():
                sql = f"ALTER {whose} {quoted(name)} SET {setting} TO {value if ', ' in value else literal(value)}"
                connection.execute(sql.encode())
            assert seen(True) == expected
        finally:
            connection.execute(f"ALTER {whose} {quoted(name)} RESET ALL".encode())
