"""What a snapshot saw, asked after its end: which rows were written since."""

from __future__ import annotations

import psycopg
import pytest

from supavex.postgres.connection import connect
from supavex.postgres.snapshot import exported
from supavex.postgres.visibility import Visibility, has_versions, unchanged, unseen_sql, visibility
from tests.databases import Database


@pytest.fixture
def notes(database: Database) -> Database:
    database.run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'one'), (2, 'two');")
    return database


def taken(database: Database) -> Visibility:
    with exported(database.url()) as (snapshot, holder):
        return visibility(holder, snapshot.taken_at)


def unseen(database: Database, seen: Visibility, table: str = "public.notes AS t") -> list[int]:
    rows = database.rows(f"SELECT id, {unseen_sql(seen, 't')} FROM {table} ORDER BY id")
    assert all(isinstance(since, bool) for _, since in rows)
    return [id_ for id_, since in rows if since]


def test_rows_written_since_are_told_from_those_that_were_there(notes: Database) -> None:
    seen = taken(notes)
    assert unseen(notes, seen) == []
    notes.run("INSERT INTO notes VALUES (3, 'three'); UPDATE notes SET text = 'TWO' WHERE id = 2;")
    assert unseen(notes, seen) == [2, 3]
    assert unseen(notes, taken(notes)) == []


def test_a_transaction_that_was_running_then_was_not_seen(notes: Database) -> None:
    with psycopg.connect(notes.url()) as running, psycopg.connect(notes.url()) as later:
        running.execute("INSERT INTO public.notes VALUES (3, 'before, not committed')")
        # One with a higher number that is done already: the snapshot sees it, and not the one before.
        later.execute("INSERT INTO public.notes VALUES (4, 'done')")
        later.commit()
        seen = taken(notes)
        running.commit()
    assert unseen(notes, seen) == [3]


def test_what_was_undone_leaves_no_mark(notes: Database) -> None:
    seen = taken(notes)
    with psycopg.connect(notes.url()) as connection:
        connection.execute("UPDATE public.notes SET text = 'x'")
        connection.rollback()
    assert unseen(notes, seen) == []
    with connect(notes.url()) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert not unchanged(connection, seen)  # it had a number all the same


def test_frozen_rows_are_old(notes: Database) -> None:
    seen = taken(notes)
    with psycopg.connect(notes.url("supabase_admin"), autocommit=True) as connection:
        connection.execute("VACUUM (FREEZE) public.notes")
    assert unseen(notes, seen) == []


@pytest.mark.parametrize("xmin", [0, 1, 2, 3, 2**31 - 1, 2**31 + 900, 2**32 - 1])
def test_numbers_of_the_system_and_of_half_a_round_ago_are_old(notes: Database, xmin: int) -> None:
    """As of rows whose number is PostgreSQL's own, or was given out before the counter came round."""
    table = f"(SELECT 7 AS id, '{xmin}'::xid AS xmin) AS t"
    assert unseen(notes, taken(notes), table) == []


def test_a_number_after_the_snapshots_is_new(notes: Database) -> None:
    seen = taken(notes)
    upcoming = int(seen.transactions.split(":")[1])
    for _ in range(3):
        notes.run("INSERT INTO notes SELECT max(id) + 1, 'more' FROM notes")
    table = f"(SELECT 7 AS id, '{upcoming + 1}'::xid AS xmin) AS t"
    assert unseen(notes, seen, table) == [7]
    assert unseen(notes, taken(notes), table) == []


def test_nothing_written_is_the_same_moment(notes: Database) -> None:
    seen = taken(notes)
    with exported(notes.url()) as (_, holder):
        assert unchanged(holder, seen)


def test_it_says_of_which_database_it_is(notes: Database) -> None:
    assert Visibility.from_json(taken(notes).to_json()) is not None
    assert notes.name in taken(notes).database
    assert len(taken(notes).database.split()) == 3, "the cluster, the database's number, its name"


@pytest.mark.parametrize("data", [None, [], {}, {"database": 1, "transactions": "1:1:", "taken_at": ""}])
def test_what_is_no_visibility_is_none(data: object) -> None:
    assert Visibility.from_json(data) is None


def test_a_view_has_no_versions(notes: Database) -> None:
    notes.run("CREATE VIEW seen AS SELECT * FROM notes")
    with connect(notes.url()) as connection:
        assert has_versions(connection, "public", "notes")
        assert not has_versions(connection, "public", "seen")
