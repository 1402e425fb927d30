"""What a snapshot saw, asked after its end: which rows were written since."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from supavex.postgres.connection import connect
from supavex.postgres.snapshot import exported
from supavex.postgres.visibility import Visibility, has_versions
from tests.databases import Database


@pytest.fixture
def notes(database: Database) -> Database:
    database.run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'one'), (2, 'two');")
    return database


def taken(database: Database) -> Visibility:
    with exported(database.url()) as (snapshot, holder):
        return Visibility.of(holder, snapshot.taken_at)


def unseen(database: Database, seen: Visibility, table: str = "public.notes AS t") -> list[int]:
    rows = database.rows(f"SELECT id, {seen.unseen_sql('t')} FROM {table} ORDER BY id")
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
        assert Visibility.of(connection, "").transactions != seen.transactions  # it had a number all the same


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


def test_nothing_written_shows_the_same_rows(notes: Database) -> None:
    seen = taken(notes)
    with exported(notes.url()) as (_, holder):
        assert Visibility.of(holder, "later").same_rows(seen)


def test_it_says_of_which_database_it_is(notes: Database) -> None:
    assert Visibility.from_json(taken(notes).to_json()) is not None
    number, name = taken(notes).database.split()
    assert (number.isdigit(), name) == (True, notes.name)
    assert taken(notes).cluster.isdigit()
    assert taken(notes).timeline == "1"


@pytest.mark.parametrize("data", [None, [], {}, {"database": 1, "transactions": "1:1:", "taken_at": ""}])
def test_what_is_no_visibility_is_none(data: object) -> None:
    assert Visibility.from_json(data) is None


HERE = Visibility("db.example.org 5432", "71", "1", "2026-01-01", "5 postgres", "900:905:", "2026-01-02")


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (None, {"started": "2026-02-02"}),
        ("another database", {"place": "other.example.org 5432"}),
        ("restored or promoted", {"timeline": "2"}),
        ("gone back", {"transactions": "900:904:"}),
        ("may not read", {"cluster": ""}),
    ],
)
def test_other_clusters_are_not_compared_by_transactions(words: str | None, change: dict[str, str]) -> None:
    now = replace(HERE, **{"transactions": "910:910:", **change})
    assert (HERE.incomparable(now) is None) == (words is None)
    assert (words or "") in (HERE.incomparable(now) or "")
    if words is not None:
        with pytest.raises(ValueError, match=words):
            HERE.newer_sql(now, "t")


def test_of_a_cluster_that_is_not_known_rows_are_the_same_until_it_is_started_again() -> None:
    assert HERE.same_rows(replace(HERE, started="later", taken_at="later"))
    unknown = replace(HERE, cluster="", timeline="")
    assert unknown.same_rows(replace(unknown, taken_at="later"))
    assert not unknown.same_rows(replace(unknown, started="later"))


def test_a_view_has_no_versions(notes: Database) -> None:
    notes.run("CREATE VIEW seen AS SELECT * FROM notes")
    with connect(notes.url()) as connection:
        assert has_versions(connection, "public", "notes")
        assert not has_versions(connection, "public", "seen")
