"""What CHECK constraints and enums say of a column, read from what PostgreSQL makes of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from supavex.mapping.check_constraints import (
    allowed_elements,
    allowed_numbers,
    allowed_values,
    element_bounds,
    not_validated,
    numeric_bounds,
    pattern_of,
)
from supavex.postgres import server as servers
from supavex.postgres.catalog import Table
from tests.databases import Database, new_database

TYPES = """
CREATE TYPE mood AS ENUM ('so-so', 'good');
CREATE TYPE no_mood AS ENUM ();
CREATE DOMAIN size AS varchar(9) NOT NULL CHECK (value IN ('s', 'm', 'l'));
CREATE DOMAIN small AS size CHECK (value IN ('s', 'm', 'xs'));
CREATE DOMAIN positive AS int DEFAULT 1 CHECK (value > 0);
CREATE DOMAIN percent AS positive CHECK (value <= 100);
CREATE DOMAIN late AS int;
ALTER DOMAIN late ADD CONSTRAINT new_ones CHECK (value > 3) NOT VALID;
CREATE DOMAIN currency AS text CHECK (value ~ '^[A-Z]{3}$');
"""


@pytest.fixture(scope="module")
def shared(server: servers.Server) -> Iterator[Database]:
    with new_database(server) as database:
        database.run(TYPES)
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
        ("c text CHECK (c IN ('a', 'b')), CHECK (c IN ('b', 'c'))", ("b",)),
        ("c text CHECK (c = 'a' OR c = 'b')", ("a", "b")),
        ("c text CHECK (c IS NULL OR c IN ('a', 'b'))", ("a", "b")),
        ("c text CHECK (c = 'a')", ("a",)),
        ("c char(3) CHECK (c IN ('a', 'bcd'))", ("a  ", "bcd")),
        ("c size", ("s", "m", "l")),
        ("c small", ("s", "m")),
        ("c small CHECK (c IN ('s', 'l'))", ("s",)),
        ("c size[]", None),
        ("c no_mood", None),
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


def test_a_collation_that_calls_other_texts_equal_allows_more_than_it_lists(shared: Database) -> None:
    found = table(shared, "c text CHECK (c IN ('a', 'b')), CHECK (c ~ '^a')")
    columns = tuple(replace(column, deterministic=False) for column in found.columns)
    assert allowed_values(replace(found, columns=columns), "c") is None
    assert pattern_of(replace(found, columns=columns), "c") is None


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
        ("c int CHECK (c > 0 AND c % 2 = 0)", {"gt": "0"}),
        ("c int CHECK (c IS NULL OR c >= 0)", {"ge": "0"}),
        ("c int CHECK (c >= 0 AND c <= 90), CHECK (c >= 5 AND c <= 100)", {"ge": "5", "le": "90"}),
        ("c numeric CHECK (c::int > 4)", {}),
        ("c float4 CHECK (c > 0.1 AND c < 5)", {"lt": "5"}),
        ("c positive", {"gt": "0"}),
        ("c percent", {"gt": "0", "le": "100"}),
        ("c percent CHECK (c <= 50)", {"gt": "0", "le": "50"}),
        ("c late", {}),
        ("c positive[]", {}),
        ("c int CHECK (c > n)", {}),
        ("c int CHECK (abs(c) < 5)", {}),
        ("c text CHECK (length(c) >= 3)", {}),
        ("c text CHECK (c > '5')", {}),
        ("c date CHECK (c > '2020-01-01')", {}),
    ],
)
def test_numeric_bounds(shared: Database, definition: str, expected: dict[str, str]) -> None:
    assert numeric_bounds(table(shared, definition), "c") == expected


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("c int CHECK (c IN (1, 2, -3))", ("1", "2", "-3")),
        ("c smallint CHECK (c IN (1, 2))", ("1", "2")),
        ("c bigint CHECK (c IN (1, 20000000000))", ("1", "20000000000")),
        ("c numeric CHECK (c IN (0, 0.5))", ("0", "0.5")),
        ("c float8 CHECK (c IN (0, 0.5))", ("0", "0.5")),
        ("c int CHECK (c IN (1, 2)), CHECK (c IN (2, 3))", ("2",)),
        ("c float4 CHECK (c IN (0.1, 0.5))", None),
        ("c int CHECK (c IN (1, n))", None),
        ("c int CHECK (c NOT IN (1, 2))", None),
        ("c text CHECK (c IN ('1', '2'))", None),
        ("c int", None),
    ],
)
def test_allowed_numbers(shared: Database, definition: str, expected: tuple[str, ...] | None) -> None:
    assert allowed_numbers(table(shared, definition), "c") == expected


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("c text CHECK (c ~ '^[a-z0-9]+(-[a-z0-9]+)*$')", "^[a-z0-9]+(?:-[a-z0-9]+)*$"),
        ("c varchar(9) CHECK (c ~ '^\\d{3}$' AND length(c) > 2)", r"^\d{3}$"),
        ("c currency", "^[A-Z]{3}$"),
        ("c text CHECK (c IS NULL OR c ~ '^a')", "^a"),
        ("c text CHECK (c ~* '^[a-c]1x')", "^[a-cA-C]1[xX]"),
        ("c text CHECK (c LIKE '%@%.com')", r"@[\s\S]*\.com$"),
        ("c text CHECK (c ~ '\\w')", None),
        ("c text CHECK (c !~ '^a')", None),
        ("c text CHECK (c NOT LIKE 'a%')", None),
        ("c text CHECK (c ~ '^a' OR c ~ '^b')", None),
        ("c text CHECK (lower(c) ~ '^a')", None),
        ("c char(9) CHECK (c ~ '^a$')", None),
    ],
)
def test_patterns(shared: Database, definition: str, expected: str | None) -> None:
    assert pattern_of(table(shared, definition), "c") == expected


def test_what_a_domain_says_of_an_array_s_elements(shared: Database) -> None:
    sizes, numbers = table(shared, "c small[], d percent[]").columns[2:]
    assert sizes.type.element is not None
    assert numbers.type.element is not None
    assert allowed_elements(sizes.type.element) == ("s", "m")
    assert element_bounds(numbers.type.element) == {"gt": "0", "le": "100"}


def test_what_is_not_valid_makes_no_rule(shared: Database) -> None:
    table(shared, "c late, d text, e text")
    shared.run("""
        ALTER TABLE notes ADD CONSTRAINT older CHECK (c < n) NOT VALID, ADD CONSTRAINT old CHECK (c < 9) NOT VALID,
          ADD CONSTRAINT ones CHECK (d = 'a') NOT VALID, ADD CONSTRAINT match CHECK (e ~ '^a') NOT VALID
    """)
    found = shared.table("notes")
    assert [constraint.name for constraint in not_validated(found, "c")] == ["old", "older", "new_ones"]
    assert (numeric_bounds(found, "c"), allowed_values(found, "d"), pattern_of(found, "e")) == ({}, None, None)
    shared.run("ALTER TABLE notes VALIDATE CONSTRAINT old")
    assert numeric_bounds(shared.table("notes"), "c") == {"lt": "9"}
