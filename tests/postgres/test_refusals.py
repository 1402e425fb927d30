"""Addresses that lead to no database, and servers that refuse: each has a next step, and no piece of a password."""

from __future__ import annotations

import pytest

from supavex.errors import SupavexError
from supavex.postgres.connection import connect
from supavex.postgres.refusals import of_address, of_connection

REF = "abcdefghijklmnopqrst"


def refused(url: str) -> SupavexError:
    with pytest.raises(SupavexError) as caught:
        connect(url)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("password", ["se@cret", "se/cret", "12/34", "a#b@c", "se?/cret", "100%"])
def test_a_password_that_is_not_encoded_is_recognised(password: str) -> None:
    error = refused(f"postgresql://postgres:{password}@127.0.0.1:1/postgres")
    assert error.code == "InvalidDatabaseUrl"
    assert "password" in error.message
    for encoded in ("%40", "%2F", "%3F", "%23", "%3A"):
        assert encoded in (error.hint or "")
    for text in (error.message, error.where or "", error.hint or ""):
        assert password not in text
        assert "cret" not in text


@pytest.mark.parametrize("part", ["1/db?sslmode=foo", "99999/db", "x/db", "1/db?gssencmode=often", "1/db?nothing=1"])
def test_a_part_that_libpq_does_not_take_is_no_answer_of_a_server(part: str) -> None:
    error = refused(f"postgresql://me:hush@127.0.0.1:{part}")
    assert "answers" not in error.message and "does not answer" not in error.message
    assert "hush" not in error.message + (error.hint or "") + (error.where or "")


@pytest.mark.parametrize(
    ("query", "name", "step"),
    [
        ("sslmod=require", "sslmod", "Did you mean sslmode?"),
        ("schema=public&sslMode=require", "sslMode", "Did you mean sslmode?"),
        ("connect_timout=5", "connect_timout", "Did you mean connect_timeout?"),
        ("nothing=1", "nothing", "Leave nothing out"),
    ],
)
def test_a_parameter_that_libpq_does_not_know_is_named(query: str, name: str, step: str) -> None:
    error = refused(f"postgresql://me:hush@127.0.0.1:1/db?{query}")
    assert (error.code, name in error.message, step in (error.hint or "")) == ("InvalidDatabaseUrl", True, True)


def test_a_part_of_a_password_is_not_taken_for_a_parameter() -> None:
    error = refused("postgresql://127.0.0.1:1/db?user=me&password=a&hush=b")
    assert "hush" not in error.message + (error.hint or "") + (error.where or "")


def test_an_encoded_password_is_none_of_these() -> None:
    error = refused("postgresql://postgres:se%40cr%2Fet@127.0.0.1:1/postgres")
    assert error.code == "CannotConnect"


@pytest.mark.parametrize(
    "url",
    [
        f"https://{REF}.supabase.co",
        f"https://{REF}.supabase.co/rest/v1/",
        f"{REF}.supabase.co",
        f"https://supabase.com/dashboard/project/{REF}/settings/database",
    ],
)
def test_the_projects_own_address_leads_to_that_of_its_database(url: str) -> None:
    error = refused(url)
    assert error.code == "InvalidDatabaseUrl"
    assert f"postgresql://postgres.{REF}:PASSWORD@" in (error.hint or "")


def test_the_placeholder_of_the_password_is_told() -> None:
    url = f"postgresql://postgres:[YOUR-PASSWORD]@db.{REF}.supabase.co:5432/postgres"
    assert "placeholder" in of_address(url).message
    assert "placeholder" in refused(url).message


@pytest.mark.parametrize(
    "words",
    [
        "[Errno -2] Name or service not known",
        "failed to resolve host",
        "Network is unreachable\n\tIs it running?",
    ],
)
def test_a_host_with_an_ipv6_address_only_leads_to_the_session_pooler(words: str) -> None:
    refusal = of_connection(words, f"db.{REF}.supabase.co", "postgres")
    assert "IPv6" in refusal.hint
    assert f"postgres.{REF}" in refusal.hint
    assert not refusal.answered
    assert "IPv6" not in of_connection(words, "db.example.org", "postgres").hint


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ('FATAL:  password authentication failed for user "postgres"', "Reset database password"),
        ("FATAL:  Tenant or user not found", "postgres.REF"),
        ('FATAL:  database "x" does not exist', "postgres"),
        ('FATAL:  role "x" does not exist', "user"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4"', "network restrictions"),
        ("FATAL:  sorry, too many clients already", "connections"),
        ("FATAL:  the database system is starting up", "Wait"),
        ("received invalid response to SSL negotiation: H", "sslmode"),
    ],
)
def test_a_server_that_refuses_has_its_own_next_step(words: str, step: str) -> None:
    refusal = of_connection(words, "127.0.0.1", "postgres")
    assert refusal.answered
    assert "refuses" in refusal.message
    assert step in refusal.hint


def test_the_user_of_the_pooler_is_told() -> None:
    words = 'password authentication failed for user "postgres"'
    assert "postgres.REF" in of_connection(words, "aws-0-eu.pooler.supabase.com", "postgres").hint
    assert "postgres.REF" not in of_connection(words, "aws-0-eu.pooler.supabase.com", f"postgres.{REF}").hint
