"""The source's own constraints, where PostgreSQL can't evaluate them as the proof reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests import projects
from tests.databases import Database
from tests.projects import supavex

#: A function that finds another one on the search path of its caller.
FUNCTIONS = """
CREATE FUNCTION low(text) RETURNS text LANGUAGE sql AS 'SELECT lower($1)';
CREATE FUNCTION is_low(text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN low($1) = $1; END';
CREATE TABLE a (id int PRIMARY KEY, s text CONSTRAINT lowered CHECK (is_low(s)), n int CONSTRAINT small CHECK (n < 10));
INSERT INTO a VALUES (1, 'x', 1), (2, NULL, 2);
"""


def proof(url: str, fields: str, fill: str = "") -> Any:
    """The proof of the table; ``fill`` names the column whose NULLs are filled."""
    schema = f'schema = define_schema({{"a": define_table({{"id": v.number(), {fields}}})}})\n'
    with projects.folder() as folder:
        projects.write(folder, schema=schema, toml=f'[source]\ndatabase_url = "{url}"\n{_filled(fill)}')
        ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip")
        assert ran.code == 0, ran.err
        ran = supavex("verify", "-C", folder, folder / "out.zip", "--json")
        (table,) = ran.json["tables"]
        assert ran.code == (0 if table["ok"] else 1)
        return table


def _filled(column: str) -> str:
    return f'[tables.a.columns.{column}]\nfill = "defaults"\n' if column else ""


def test_a_check_is_evaluated_on_the_search_path_of_the_database(database: Database) -> None:
    database.run(FUNCTIONS)
    fine = proof(database.url(), '"s": v.optional(v.string()), "n": v.optional(v.number())')
    assert (fine["ok"], fine["findings"]) == (True, [])
    broken = proof(database.url(), '"s": v.string(default="Y"), "n": v.optional(v.number())', "s")
    assert broken["counts"] == {"broken check": 1}
    (finding,) = broken["findings"]
    assert (finding["key"], finding["detail"]) == ("2", "lowered: public.is_low(s)")


def test_a_check_that_nothing_can_evaluate_is_said_and_the_others_hold(database: Database) -> None:
    database.run(FUNCTIONS + "INSERT INTO a VALUES (3, NULL, NULL); DROP FUNCTION low;")
    found = proof(database.url(), '"s": v.optional(v.string()), "n": v.number(default=9)', "n")
    assert (found["ok"], found["matched"]) == (True, 3)
    (finding,) = found["findings"]
    assert (finding["kind"], finding["key"]) == ("check not evaluated", "lowered")
    assert finding["detail"] == "public.is_low(s): function low(text) does not exist"
    found = proof(database.url(), '"s": v.optional(v.string()), "n": v.number(default=10)', "n")
    assert found["counts"] == {"broken check": 1}
    assert sorted(finding["key"] for finding in found["findings"]) == ["3", "lowered"]


@pytest.mark.parametrize(("type_", "value"), [("point", "(1,2)"), ("json", "{}")])
def test_what_postgresql_can_not_compare_is_unique_by_its_documents(database: Database, type_: str, value: str) -> None:
    database.run(f"CREATE TABLE a (id int PRIMARY KEY, p {type_}); INSERT INTO a VALUES (1, '{value}'), (2, NULL)")
    fields = '"p": v.optional(v.string(unique=True))'
    assert proof(database.url(), fields)["ok"]
    database.run(f"INSERT INTO a VALUES (3, '{value}')")
    assert list(proof(database.url(), fields)["counts"]) == ["broken unique"]
