"""References that no foreign key states: by the rows, else by the name; never more certain than what was looked at."""

from collections.abc import Callable

import pytest

from supavex.mapping import implied
from supavex.mapping.implied import ImpliedReference, implied_references, look_nowhere
from supavex.mapping.keys import key_of
from supavex.postgres.catalog import Column, Table, Type
from supavex.postgres.connection import connect
from supavex.postgres.key_values import BOUNDS, Bounds, look
from tests.databases import Database

Found = dict[str, ImpliedReference]
Find = Callable[..., Found]
TABLES = """
CREATE TABLE users (id uuid PRIMARY KEY);
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users);
CREATE TABLE tags (id bigint PRIMARY KEY);
CREATE TABLE countries (code text PRIMARY KEY);
CREATE TABLE staying (id uuid PRIMARY KEY);
"""
USER = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def find(database: Database) -> Find:
    """``find(columns, *rows)``: what is found of a table ``notes``, by column; ``staying`` is the table that stays."""

    def find(columns: str, *rows: str, bounds: Bounds = BOUNDS, blind: bool = False) -> Found:
        database.run(f"{TABLES} CREATE TABLE notes ({columns});")
        database.run(f"INSERT INTO auth.users (id) VALUES ('{USER}')")
        for row in rows:
            database.run(row)
        tables = {(table.schema, table.name): table for table in database.catalog()}
        keys = {place: key for place, table in tables.items() if place[1] != "staying" and (key := key_of(table))}
        columns_ = [(table, column) for table in tables.values() if table.name == "notes" for column in table.columns]
        with connect(database.url()) as connection:
            looked = look_nowhere if blind else lambda asked: look(connection, asked, bounds)
            found = implied_references(columns_, keys, tables, looked)
        return {reference.column: reference for reference in found}

    return find


def test_each_key_is_looked_at_once_for_all_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 500 tables, each column would look at each key: a million looks."""
    type_ = Type("uuid", "uuid")
    tables = {
        ("public", f"t{n}"): Table("public", f"t{n}", tuple(Column(c, type_, True) for c in ("id", "a", "b")), ("id",))
        for n in range(30)
    }
    keys = {place: key for place, table in tables.items() if (key := key_of(table))}
    columns = [(table, column) for table in tables.values() for column in table.columns]
    looks: list[Table] = []
    kind = implied._kind
    monkeypatch.setattr(implied, "_kind", lambda table, key: looks.append(table) or kind(table, key))
    assert implied_references(columns, keys, tables, look_nowhere) == []
    assert len(looks) == 30


def test_by_its_name_where_there_are_no_rows(find: Find) -> None:
    found = find("""id int, user_id uuid, author uuid, "profileId" uuid, tag_id int, tag_ids bigint[], tag int,
                    tags int[], country text, country_code text, other uuid, user_key text,
                    profile_ids uuid[], id_2 uuid""")
    assert {column: (reference.parents[0][1], reference.many) for column, reference in found.items()} == {
        "user_id": ("users", False), "author": ("users", False), "profileId": ("profiles", False),
        "tag_id": ("tags", False), "tag_ids": ("tags", True), "profile_ids": ("profiles", True),
    }  # fmt: skip
    assert found["author"].reason == "it is named after public.users; no row has a value in it"


def test_by_its_values_whatever_its_name(find: Find) -> None:
    found = find(
        "x uuid, y uuid[], z uuid, country text, quantity int, tag_id int",
        f"INSERT INTO users VALUES ('{USER}')", "INSERT INTO countries VALUES ('ID'), ('MY')",
        "INSERT INTO tags VALUES (1), (2)",
        f"INSERT INTO notes VALUES ('{USER}', '{{{USER}}}', gen_random_uuid(), 'ID', 1, 1),"
        "(NULL, NULL, NULL, 'MY', 2, 2)",
    )  # fmt: skip
    assert {column: reference.reason for column, reference in found.items()} == {
        "x": "its one value is a key of public.users",
        "y": "its one element is a key of public.users",
        "country": "all 2 different values are keys of public.countries",
        "tag_id": "all 2 different values are keys of public.tags",
    }


def test_one_value_that_is_no_key_makes_it_no_reference(find: Find) -> None:
    rows = f"INSERT INTO users VALUES ('{USER}')", f"INSERT INTO notes VALUES ('{USER}'), (gen_random_uuid())"
    assert find("user_id uuid", *rows) == {}


def test_keys_of_two_tables_are_the_one_s_that_it_is_named_after(find: Find) -> None:
    rows = f"INSERT INTO users VALUES ('{USER}'); INSERT INTO profiles VALUES ('{USER}')"
    found = find("user_id uuid, profile uuid, x uuid", rows, f"INSERT INTO notes VALUES ('{USER}', '{USER}', '{USER}')")
    assert {column: [name for _, name in reference.parents] for column, reference in found.items()} == {
        "user_id": ["users"], "profile": ["profiles"], "x": ["profiles", "users"],
    }  # fmt: skip
    assert found["x"].reason == "its one value is a key of public.profiles and of public.users"


def test_of_a_sample_it_never_says_all(find: Find) -> None:
    rows = f"INSERT INTO users VALUES ('{USER}')", f"INSERT INTO notes SELECT '{USER}' FROM generate_series(1, 9000)"
    found = find("x uuid", *rows, bounds=Bounds(whole_bytes=8192, sample_bytes=60_000))
    assert found["x"].reason == (
        "the one value in a sample of the rows is a key of public.users; the table is large, and was not read whole"
    )


def test_rows_that_were_not_looked_at_are_said(find: Find) -> None:
    found = find("user_id uuid, x uuid", f"INSERT INTO notes VALUES ('{USER}', '{USER}')", blind=True)
    assert {column: reference.reason for column, reference in found.items()} == {
        "user_id": "it is named after public.users; the rows were not looked at"
    }


def test_a_foreign_key_to_a_table_that_stays_behind(find: Find) -> None:
    found = find(
        "a uuid REFERENCES auth.users, b uuid REFERENCES auth.users, c uuid REFERENCES staying, "
        "d uuid REFERENCES users",
        f"INSERT INTO profiles VALUES ('{USER}')", f"INSERT INTO notes (a) VALUES ('{USER}')",
    )  # fmt: skip
    assert {column: (reference.stated, reference.reason) for column, reference in found.items()} == {
        "a": (("auth", "users"), "its one value is a key of public.profiles"),
        "b": (("auth", "users"), "the key of public.profiles refers there, too; no row has a value in it"),
    }


def test_of_several_tables_with_the_keys_that_it_refers_to_the_one_that_it_is_named_after(find: Find) -> None:
    found = find(
        "id int); CREATE TABLE settings (user_id uuid PRIMARY KEY REFERENCES auth.users); DROP TABLE notes;"
        "CREATE TABLE one (id uuid PRIMARY KEY REFERENCES staying);"
        "CREATE TABLE two (id uuid PRIMARY KEY REFERENCES staying);"
        "CREATE TABLE notes (user_id uuid REFERENCES auth.users, x uuid REFERENCES auth.users,"
        "y uuid REFERENCES staying"
    )
    assert {column: [name for _, name in reference.parents] for column, reference in found.items()} == {
        "user_id": ["profiles"], "x": ["profiles"], "y": ["one", "two"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "parents"),
    [
        ("user_id uuid PRIMARY KEY", ["users"]), ("id uuid PRIMARY KEY", []), ("note_id uuid PRIMARY KEY", []),
        ("user_id uuid PRIMARY KEY REFERENCES auth.users", ["profiles"]), ("tag_id bigint PRIMARY KEY", ["tags"]),
        ("id uuid PRIMARY KEY REFERENCES users", []), ("author uuid UNIQUE NOT NULL", ["users"]),
    ],
)  # fmt: skip
def test_a_key_that_is_another_table_s_too(find: Find, columns: str, parents: list[str]) -> None:
    rows = f"INSERT INTO users VALUES ('{USER}'); INSERT INTO tags VALUES (1); INSERT INTO profiles VALUES ('{USER}')"
    value = "1" if "bigint" in columns else f"'{USER}'"
    found = find(columns, rows, f"INSERT INTO notes VALUES ({value})")
    assert [name for reference in found.values() for _, name in reference.parents] == parents


def test_a_row_of_the_same_table(find: Find) -> None:
    found = find("id uuid PRIMARY KEY, parent_id uuid, reply_to uuid")
    assert {column: reference.parents for column, reference in found.items()} == {
        "parent_id": (("public", "notes"),), "reply_to": (("public", "notes"),),
    }  # fmt: skip


def test_columns_of_a_foreign_key_of_several_are_that_key_s(find: Find) -> None:
    sql = "a int, user_id uuid, FOREIGN KEY (a, user_id) REFERENCES pairs"
    assert find(f"id int); CREATE TABLE pairs (a int, b uuid, PRIMARY KEY (a, b)); DROP TABLE notes; "
                f"CREATE TABLE notes ({sql}") == {}  # fmt: skip
