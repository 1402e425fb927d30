"""Connections: passwords stay hidden, the session's settings are those of an honest reader."""

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.errors import SupavexError, UsageError
from supavex.postgres import connection as connections
from supavex.postgres.columns import ColumnReader
from supavex.postgres.connection import READING, connect, libpq_url, literal, quoted, without_password
from supavex.postgres.snapshot import exported
from tests.databases import Database

# ---------------------------------------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:topsecret@db.example.co:5432/postgres", "postgresql://ann:***@db.example.co:5432/postgres"),
        ("postgres://ann:topsecret@db.example.co/postgres", "postgres://ann:***@db.example.co/postgres"),
        ("postgresql://ann:top%40secret@host/db", "postgresql://ann:***@host/db"),
        ("postgresql://ann:topsecret@[::1]:5432/db", "postgresql://ann:***@[::1]:5432/db"),
        ("postgresql://ann:topsecret@one:1,two:2/db", "postgresql://ann:***@one:1,two:2/db"),
        ("postgresql://:topsecret@host/db", "postgresql://:***@host/db"),
        ("postgresql://host/db?user=ann&password=topsecret", "postgresql://host/db?user=ann&password=***"),
        (
            "postgresql://host/db?password=topsecret&sslmode=require",
            "postgresql://host/db?password=***&sslmode=require",
        ),
        ("host=db.example.co user=ann password=topsecret", "host=db.example.co user=ann password=***"),
        ("password=topsecret host=host", "password=*** host=host"),
        ("host=host password = topsecret dbname=db", "host=host password = *** dbname=db"),
        ("host=host password='top secret' dbname=db", "host=host password=*** dbname=db"),
        (r"host=host password='top\' secret' dbname=db", "host=host password=*** dbname=db"),
        (r"host=host password=top\ secret dbname=db", "host=host password=*** dbname=db"),
        ("host=host sslpassword=topsecret", "host=host sslpassword=***"),
        (
            "postgresql://ann@host/db?sslpassword=topsecret&sslmode=require&options=-c%20a%3Db",
            "postgresql://ann@host/db?sslpassword=***&sslmode=require&options=***",
        ),
        (
            "postgresql://ann@host/db?sslmode=require&oauth_client_secret=top",
            "postgresql://ann@host/db?sslmode=require&oauth_client_secret=***",
        ),
        # What does not parse, or into parts that no address has, may be of a password that nobody encoded.
        ("postgresql://postgres:top@secret#1@127.0.0.1", "postgresql://***"),
        ("postgresql://postgres:a#topsecret@b@127.0.0.1/db", "postgresql://***"),
        ("postgresql://postgres:top/secret@127.0.0.1/db", "postgresql://***"),
        ("postgresql://postgres:topsecret", "postgresql://***"),
        ("postgresql://ann:topsecret@host/db?x=1", "postgresql://***"),
        ("postgresql://ann@host/db?pass%77ord=topsecret", "postgresql://ann@host/db?***"),
        ("postgres:topsecret@host/db", "***"),
        ("host=host password=top secret", "***"),
        ("host=host pasword=topsecret", "***"),
        ("host=ann:topsecret@host user=ann", "host=*** user=ann"),
        ("https://key:topsecret@s3.example/path", "https://***@s3.example/path"),
        ("https://key:top#secret@s3.example/path", "https://***"),
        ("https://s3.example:443/path", "https://s3.example:443/path"),
        ("host=host scram_client_key=dG9w user=ann", "host=host scram_client_key=*** user=ann"),
    ],
)
def test_a_connection_string_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann@db.example.co:5432/postgres",
        "postgresql:///postgres?host=/tmp/socket",
        "host=db.example.co user=ann dbname=postgres",
        "",
    ],
)
def test_a_connection_string_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert without_password(url) == url


@pytest.mark.parametrize("password", ["top#secret", "top?secret", "top[secret", "top]secret", "tøp&secret"])
def test_a_password_that_nobody_encoded_is_hidden_too(password: str) -> None:
    """PostgreSQL's own library takes these as they are, so people write them."""
    url = f"postgresql://ann:{password}@host/db"
    assert psycopg.conninfo.conninfo_to_dict(url)["password"] == password
    assert without_password(url) == "postgresql://ann:***@host/db"


@pytest.mark.parametrize("sign", ["/", "@", ":", "%"])
def test_a_password_that_breaks_the_address_is_hidden_where_it_is_refused(sign: str) -> None:
    """People paste such passwords from Supabase's page; whatever the library makes of them, no half of them shows."""
    url = f"postgresql://ann:topsecret{sign}plainly@127.0.0.1:1/db?connect_timeout=2"
    with pytest.raises(SupavexError) as caught:
        connect(url)
    said = str(caught.value.to_json())
    assert "topsecret" not in said
    assert "plainly" not in said


@given(password=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12, max_size=30))
def test_no_password_is_ever_shown(password: str) -> None:
    for url in (
        f"postgresql://ann:{password}@host:5432/db",
        f"postgresql://host/db?user=ann&password={password}",
        f"host=host password={password} user=ann",
        f"host=host password='{password}'",
    ):
        assert password not in without_password(url)


# --------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres.abc:topsecret@aws-0-eu-central-1.pooler.supabase.invalid:6543/postgres",
        "host=aws-0-eu-central-1.pooler.supabase.invalid port=6543 user=postgres.abc password=topsecret",
        "postgresql:///postgres?host=pooler.supabase.invalid&port=6543&password=topsecret",
        "postgresql://postgres.abc:topsecret@pooler.supabase.invalid:6543/postgres?pgbouncer=true&connection_limit=1",
        "postgres://postgres:topsecret@pooler.supabase.invalid/postgres?sslmode=require&pgbouncer=true",
    ],
)
def test_the_transaction_pooler_is_refused_with_the_way_out(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect(url)
    assert caught.value.code == "TransactionPooler"
    assert "port 5432" in (caught.value.hint or "")
    assert "topsecret" not in str(caught.value.to_json())


def test_parameters_of_other_clients_are_left_out() -> None:
    url = "postgresql://ann:topsecret@host:5432/db?schema=public&sslmode=require&connection_limit=1&supa=base-pooler.x"
    assert libpq_url(url) == "postgresql://ann:topsecret@host:5432/db?sslmode=require"
    assert libpq_url("postgresql://host/db?schema=public") == "postgresql://host/db"
    assert libpq_url("host=host dbname=db") == "host=host dbname=db"
    shown = without_password(url)
    assert "topsecret" not in shown
    assert "host:5432/db" in shown


@pytest.mark.parametrize("url", ["not a connection string", "mysql://ann:topsecret@host/db", "host=host colour=red"])
def test_something_else_than_a_connection_string(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect(url)
    assert caught.value.code == "InvalidDatabaseUrl"
    assert "postgresql://user:password@host:5432/database" in (caught.value.hint or "")
    assert "topsecret" not in str(caught.value.to_json())


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that is taken and not listened on, so that nothing answers there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_host_that_does_not_answer(closed_port: int) -> None:
    with pytest.raises(SupavexError) as caught:
        connect(f"postgresql://ann:topsecret@127.0.0.1:{closed_port}/db")
    error = caught.value
    assert (error.code, error.exit_code, error.retryable) == ("CannotConnect", 2, True)
    assert error.where == f"postgresql://ann:***@127.0.0.1:{closed_port}/db"
    assert "refused" in error.message
    assert "topsecret" not in str(error.to_json())


def test_a_socket_that_there_is_not(folder: Path) -> None:
    with pytest.raises(SupavexError) as caught:
        connect(f"host={folder} user=ann password=topsecret")
    assert caught.value.code == "CannotConnect"
    assert caught.value.where == f"host={folder} user=ann password=***"
    assert "topsecret" not in str(caught.value.to_json())


def test_a_database_that_there_is_not(database: Database) -> None:
    with pytest.raises(SupavexError) as caught:
        connect(database.url(database="nowhere") + " password=topsecret")
    assert caught.value.code == "LoginRefused", "the server answers"
    assert 'database "nowhere" does not exist' in caught.value.message
    assert "topsecret" not in str(caught.value.to_json())


# ----------------------------------------------------------------------------------------------------------- settings


def test_every_setting_of_a_reader_is_applied(database: Database) -> None:
    with connect(database.url()) as connection:
        shown = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in READING}
    assert shown == READING


def test_settings_of_the_role_do_not_win(database: Database) -> None:
    database.run("ALTER ROLE authenticator SET statement_timeout = '8s'", role="supabase_admin")
    try:
        with connect(database.url("authenticator")) as connection:
            assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    finally:
        database.run("ALTER ROLE authenticator RESET ALL", role="supabase_admin")


def test_further_settings_are_applied_and_win(database: Database) -> None:
    with connect(database.url(), settings={"statement_timeout": "5s", "search_path": "auth"}) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5s",)
        assert connection.execute("SELECT to_regclass('users')::text").fetchone() == ("users",)


def test_a_setting_that_an_older_server_does_not_know_is_left_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "NEWER_SETTINGS", ("transaction_timeout", "of_a_later_server"))
    monkeypatch.setitem(READING, "of_a_later_server", "0")
    with connect(database.url()) as connection:
        assert connection.execute("SHOW transaction_timeout").fetchone() == ("0",)
    with exported(database.url()) as (snapshot, _), ColumnReader(snapshot) as columns:
        (batch,) = columns.read("SELECT 1 AS one")
    assert batch.to_pylist() == [{"one": 1}]


def test_the_application_is_named_unless_the_address_names_one(database: Database) -> None:
    with connect(database.url()) as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("supavex",)
    with connect(database.url() + " application_name=mine") as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("mine",)


def test_autocommit_is_what_was_asked_for(database: Database) -> None:
    with connect(database.url()) as connection:
        assert connection.autocommit
    with connect(database.url(), autocommit=False) as connection:
        assert not connection.autocommit


def test_a_policy_raises_instead_of_hiding_rows(database: Database) -> None:
    database.run("""
        CREATE TABLE notes (id int PRIMARY KEY);
        INSERT INTO notes VALUES (1), (2);
        ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
        GRANT USAGE ON SCHEMA public TO authenticator;
        GRANT SELECT ON notes TO authenticator;
    """)
    with (
        connect(database.url("authenticator")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
    ):
        connection.execute("SELECT count(*) FROM public.notes")


# ---------------------------------------------------------------------------------------------------- quoting


@pytest.mark.parametrize("name", ["plain", "order", "MixedCase", 'with "quotes"', "naïve", "a.b", "new\nline", "%s"])
def test_a_quoted_name_names_the_same_thing(database: Database, name: str) -> None:
    database.run(f"CREATE TABLE public.{quoted(name)} ({quoted(name)} int)")
    assert [table.name for table in database.catalog()] == [name]
    assert [column.name for column in database.table(name).columns] == [name]
    assert quoted("public", "a") == '"public"."a"'


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_literal_is_the_same_text_whatever_the_server_takes_backslashes_for(database: Database, mode: str) -> None:
    notices: list[str | None] = []
    with connect(database.url(), settings={"standard_conforming_strings": mode}) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        for text in ["", "plain", "it's", "back\\slash", "\\'", "'\\", "new\nline", "\\x41", "ünï€", "%s"]:
            assert connection.execute(f"SELECT {literal(text)}".encode()).fetchone() == (text,)
    assert notices == [], "PostgreSQL warns where it takes a backslash of a plain literal for an escape"
