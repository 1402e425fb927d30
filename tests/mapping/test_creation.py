"""The column that says when a row was made: by its name, else by its type and default."""

import pytest

from supavex.mapping.creation import creation_column
from tests.databases import Database


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("created_at timestamptz, created date, at timestamptz DEFAULT now()", "created_at"),
        ("inserted_at timestamp", "inserted_at"),
        ("date_created timestamptz", "date_created"),
        ('"createdOn" timestamptz, "updatedOn" timestamptz', "createdOn"),
        ('"CreatedAt" date', "CreatedAt"),
        ("creation_date date, starts_on date", "creation_date"),
        ("created_at text, made timestamptz DEFAULT now()", "made"),
        ("registered timestamptz DEFAULT now(), starts timestamptz", "registered"),
        ("sent timestamp DEFAULT CURRENT_TIMESTAMP", "sent"),
        ("sent timestamp DEFAULT (now() AT TIME ZONE 'utc')", "sent"),
        ("sent timestamp DEFAULT timezone('utc'::text, now())", "sent"),
        ("sent timestamptz DEFAULT clock_timestamp()", "sent"),
        ("sent timestamptz(3) DEFAULT CURRENT_TIMESTAMP(3)", "sent"),
        ("sent timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now()", "sent"),
        ("sent timestamptz DEFAULT now(), last_seen timestamptz DEFAULT now()", "sent"),
        ("sent timestamptz DEFAULT now(), touched timestamptz DEFAULT now()", "sent"),
        ("expires timestamptz DEFAULT now() + interval '1 day'", None),
        ("updated_at timestamptz DEFAULT now()", None),
        ("starts timestamptz", None),
        ("fixed timestamptz DEFAULT '2024-01-01'", None),
        ("days date DEFAULT CURRENT_DATE", None),
        ("n int", None),
        ("joined timestamptz DEFAULT now(), opened timestamptz DEFAULT now()", ("joined", "opened")),
        ("date_created date, date_added date", ("date_created", "date_added")),
    ],
)
def test_creation_column(database: Database, columns: str, expected: str | tuple[str, ...] | None) -> None:
    database.run(f"CREATE TABLE notes ({columns})")
    created, likely = creation_column(database.table("notes"))
    assert (likely or created) == expected
    assert created is None or not likely


def test_a_column_that_a_trigger_changes_says_no_creation(database: Database) -> None:
    database.run("""
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END';
        CREATE TABLE notes (at timestamptz DEFAULT now(), made timestamptz DEFAULT now());
        CREATE TRIGGER touch BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
    """)
    assert creation_column(database.table("notes")) == ("made", ())
