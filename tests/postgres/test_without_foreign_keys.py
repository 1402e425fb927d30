"""Statements without their foreign keys to tables that are not there."""

import pytest

from supavex.postgres.without_foreign_keys import without_foreign_keys

WHOLE = """CREATE TABLE IF NOT EXISTS public.a (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    w uuid NOT NULL REFERENCES "W" (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED UNIQUE,
    b int CONSTRAINT bb REFERENCES b CHECK (b > 0),
    parent uuid REFERENCES public.a,
    made timestamptz DEFAULT (now() AT TIME ZONE 'utc'::text), words text DEFAULT E'a\\nb', n numeric(10, 2) DEFAULT -1,
    t tsvector GENERATED ALWAYS AS (to_tsvector('english', words)) STORED,
    CONSTRAINT f FOREIGN KEY (w, b) REFERENCES other.z (k, l) NOT VALID,
    EXCLUDE USING gist (b WITH =)
) PARTITION BY range (b)"""


def test_all_foreign_keys_but_those_to_the_table_itself_go() -> None:
    sql = without_foreign_keys(WHOLE, lambda schema, name: True)
    assert sql is not None
    assert sql.count("REFERENCES") == 1
    assert "parent uuid REFERENCES public.a" in sql
    assert "w uuid NOT NULL UNIQUE" in sql
    assert "b integer CHECK (b > 0)" in sql
    assert "DEFERR" not in sql


def test_only_those_to_absent_tables_go() -> None:
    sql = without_foreign_keys(WHOLE, lambda schema, name: (schema, name) == ("other", "z"))
    assert sql is not None
    assert sql.count("REFERENCES") == 3
    assert 'REFERENCES "W" (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED UNIQUE' in sql


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "ALTER TABLE a ADD COLUMN x uuid REFERENCES b, ADD y int",
            "ALTER TABLE a ADD COLUMN x uuid, ADD COLUMN y integer",
        ),
        (
            "ALTER TABLE a ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES b, ADD y int",
            "ALTER TABLE a ADD COLUMN y integer",
        ),
        ("CREATE TABLE a (x int, FOREIGN KEY (x) REFERENCES b)", "CREATE TABLE a (x integer)"),
    ],
)
def test_what_is_left_is_sql(sql: str, expected: str) -> None:
    assert without_foreign_keys(sql, lambda schema, name: True) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE a ADD CONSTRAINT k FOREIGN KEY (x) REFERENCES b",
        "CREATE TABLE a (LIKE b)",
        "CREATE TABLE a () INHERITS (b)",
        "INSERT INTO a VALUES ('references')",
        "CREATE TABLE a (x int REFERENCES b",
        "CREATE TABLE a (x int REFERENCES a)",
    ],
)
def test_a_statement_of_which_nothing_is_left_or_nothing_goes(sql: str) -> None:
    assert without_foreign_keys(sql, lambda schema, name: True) is None
