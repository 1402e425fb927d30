"""What CHECK constraints and enums say of a column, read from what PostgreSQL makes of them."""

from collections.abc import Iterator

import pytest

from supavex.mapping.checks import allowed_values, numeric_bounds
from supavex.postgres import server as servers
from supavex.postgres.catalog import Table
from tests.databases import Database, new_database


@pytest.fixture(scope="module")
def shared(server: servers.Server) -> Iterator[Database]:
    with new_database(server) as database:
        database.run("CREATE TYPE mood AS ENUM ('so-so', 'good')")
        yield database


def table(database: Database, definition: str) -> Table:
    """A table with a column ``c`` of this definition, and the columns ``other`` and ``n``."""
    database.run(f"DROP TABLE IF EXISTS notes; CREATE TABLE notes (other text, n int, {definition})")
    return database.table("notes")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("c text CHECK (c IN ('draft', 'published'))", ("draft", "published")),
        ("c varchar(20) CHECK (c IN ('draft', 'published'))", ("draft", "published")),
        ("c text CHECK (c = ANY (ARRAY['draft', 'published']))", ("draft", "published")),
        ("c text CHECK (c = ANY ('{draft,published}'::text[]))", None),
        ("c text NOT NULL DEFAULT 'a' CONSTRAINT named CHECK (c IN ('a', 'b'))", ("a", "b")),
        ("c text CHECK (c IN ('it''s', 'a \"b\"', 'back\\slash', ''))", ("it's", 'a "b"', "back\\slash", "")),
        ("c text CHECK (c IN ('Größe', '日本', 'a, b', '(c)', '[d]'))", ("Größe", "日本", "a, b", "(c)", "[d]")),
        ("c text CHECK (c IN ('this AND that', 'this OR that'))", ("this AND that", "this OR that")),
        ("c text CHECK (c IN ('a', 'b')), CHECK (length(c) > 0)", ("a", "b")),
        ("c text", None),
        ("c text CHECK (c <> '')", None),
        ("c text CHECK (length(c) IN (1, 2))", None),
        ("c int CHECK (c IN (1, 2, 3))", None),
        ("c text CHECK (c IN ('a', 'b') OR c LIKE 'x%')", None),
        ("c text CHECK (c IN ('a', 'b') AND c <> 'a')", None),
        ("c text CHECK (c NOT IN ('a', 'b'))", None),
        ("c text CHECK (NOT (c IN ('a', 'b')))", None),
        ("c text CHECK (NOT c = ANY (ARRAY['a', 'b']))", None),
        ("c text CHECK (lower(c) IN ('a', 'b'))", None),
        ("c text CHECK (c || 'x' IN ('ax', 'bx'))", None),
        ("c text CHECK ((c IN ('a', 'b')) IS NOT TRUE)", None),
        ("c text CHECK (CASE WHEN c IN ('a', 'b') THEN true ELSE length(c) > 3 END)", None),
        ("c text CHECK (c IN ('a', other))", None),
        ("c text, CHECK (other IN ('a', 'b'))", None),
        ("c text[] CHECK (c <@ ARRAY['a', 'b'])", None),
        ("c text[] CHECK ('a' = ANY (c))", None),
    ],
)
def test_allowed_values(shared: Database, definition: str, expected: tuple[str, ...] | None) -> None:
    assert allowed_values(table(shared, definition), "c") == expected


def test_the_labels_of_an_enum(shared: Database) -> None:
    assert allowed_values(table(shared, "c mood"), "c") == ("so-so", "good")


@pytest.mark.parametrize("name", ["order", "Mixed", "two words"])
def test_a_column_whose_name_needs_quotes(shared: Database, name: str) -> None:
    found = table(shared, f"\"{name}\" text CHECK (\"{name}\" IN ('a', 'b')), c int CHECK (c > 0)")
    assert allowed_values(found, name) == ("a", "b")
    found = table(shared, f'"{name}" int CHECK ("{name}" > 5)')
    assert numeric_bounds(found, name) in ({"gt": "5"}, {})


def test_a_column_that_there_is_not(shared: Database) -> None:
    assert allowed_values(table(shared, "a text CHECK (a IN ('x'))"), "c") is None


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("c int CHECK (c >= 0)", {"ge": "0"}),
        ("c int CHECK (c BETWEEN 0 AND 100)", {"ge": "0", "le": "100"}),
        ("c int CHECK (c > -5 AND c < 5)", {"gt": "-5", "lt": "5"}),
        ("c numeric(5, 2) CHECK (c >= 0.5 AND c <= 99.5)", {"ge": "0.5", "le": "99.5"}),
        ("c float8 CHECK (c > 0)", {"gt": "0"}),
        ("c bigint CHECK (c >= 0), CHECK (c <= 9)", {"ge": "0", "le": "9"}),
        ("c int", {}),
        ("c int CHECK (c <> 3)", {}),
        ("c int CHECK (c > 0 OR c < -9)", {}),
        ("c int CHECK (NOT (c > 0))", {}),
        ("c int CHECK (c > 0 AND c % 2 = 0)", {}),
        ("c int CHECK (c > n)", {}),
        ("c int CHECK (abs(c) < 5)", {}),
        ("c text CHECK (length(c) >= 3)", {}),
        ("c text CHECK (c > '5')", {}),
        ("c date CHECK (c > '2020-01-01')", {}),
    ],
)
def test_numeric_bounds(shared: Database, definition: str, expected: dict[str, str]) -> None:
    assert numeric_bounds(table(shared, definition), "c") == expected
