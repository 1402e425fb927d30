from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import projects
from tests.projects import supavex


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield projects.copy_of_my21staff(path)


def test_each_column_is_explained_with_what_becomes_of_null_and_what_rejects(folder: Path) -> None:
    ran = supavex("explain", "consultant_slots", "-C", folder, "--json")
    assert ran.code == 0, ran.err
    columns = {column["column"] or column["field"]: column for column in ran.json["columns"]}
    assert "_id" in columns["id"]["how"]
    assert columns["workspace_id"]["how"] == "the id of the workspaces it refers to, computed from the key"
    assert columns["consultant_id"]["how"] == "the new id that clerk_ids.csv gives"
    assert columns["start_time"]["how"] == "time as HH:MM"
    assert "does not fit HH:MM" in columns["start_time"]["rejects"][0]
    assert columns["duration_minutes"]["null"] == "becomes 60"
    assert columns["day_of_week"]["rejects"] == ["it is not at least 0", "it is not at most 6"]
    assert columns["created_at"]["null"] == "rejects the row"


def test_a_row_before_and_after(folder: Path) -> None:
    found = supavex("explain", "public.articles", "-C", folder, "--json").json
    assert found["before"]["title"] == found["after"]["title"]
    assert found["after"]["supabaseId"] == found["before"]["id"]
    assert found["after"]["_id"]


def test_every_table_of_the_project_is_explained_for_people(folder: Path) -> None:
    for name in ("ariPayments", "ari_flow_stages", "webinar_registrations", "workspaces"):
        ran = supavex("explain", name, "-C", folder)
        assert ran.code == 0, ran.err
        assert "A row before:" in ran.out
        assert "and after" in ran.out
    assert "coalesce(t.created_at, t.updated_at)" in supavex("explain", "ari_flow_stages", "-C", folder).out


def test_tables_that_do_not_move_say_why(folder: Path) -> None:
    remaining = supavex("explain", "contacts", "-C", folder, "--config", "supavex.remaining.toml")
    assert "in Convex already" in remaining.out
    unknown = supavex("explain", "kontak", "-C", folder)
    assert (unknown.code, "contacts" in unknown.err) == (2, True)


def test_a_column_without_a_field_and_one_left_behind() -> None:
    with projects.folder() as path:
        projects.write(
            path,
            schema='schema = define_schema({"t": define_table({})})',
            migrations={
                "1.sql": "CREATE TABLE t (id int PRIMARY KEY, a text, b text); CREATE TABLE u (id int PRIMARY KEY);"
            },
            toml='[tables.t.columns.b]\nskip = "old"\n[tables.u]\nskip = "not ours"\n',
        )
        ran = supavex("explain", "t", "-C", path)
        assert "has no field" in ran.out
        assert "left behind: old" in ran.out
        assert "left behind: not ours" in supavex("explain", "u", "-C", path).out


def test_columns_of_a_table_that_convex_has_already(folder: Path) -> None:
    ran = supavex("explain", "contacts", "-C", folder, "--config", "supavex.remaining.toml", "--json")
    columns = {column["column"]: column["how"] for column in ran.json["columns"]}
    assert columns.pop("id") == "finds the row's document, by its field supabaseId; does not move"
    assert set(columns.values()) == {"does not move: the table is in Convex already"}
    assert ran.json["key"] == "the document's own, which Convex chose"


def test_a_row_that_may_be_rejected_for_what_it_refers_to_says_so(folder: Path) -> None:
    assert supavex("explain", "workspaces", "-C", folder, "--json").json["provided"] == ""
    ran = supavex("explain", "consultant_slots", "-C", folder)
    assert (
        "and after (provided that what workspace_id refers to goes, too: supavex migrate --dry-run looks):" in ran.out
    )


def test_names_with_a_percent_sign() -> None:
    schema = 'schema = define_schema({"a": define_table({"v": v.string()})})'
    sql = """CREATE SCHEMA "x%y"; CREATE TABLE "x%y"."a%" ("k%s" text PRIMARY KEY, v text NOT NULL);
    INSERT INTO "x%y"."a%" VALUES ('100% ''\\', 'x')"""
    toml = (
        '[source]\nschemas = ["x%y"]\n[tables."x%y.a%"]\nto = "a"\n[tables."x%y.a%".columns."k%s"]\nskip = "the id"\n'
    )
    with projects.folder() as path:
        projects.write(path, schema=schema, migrations={"1.sql": sql}, toml=toml)
        ran = supavex("explain", "x%y.a%", "-C", path, "--json")
        assert ran.code == 0, ran.out + ran.err
        assert ran.json["before"] == {"k%s": "100% '\\", "v": "x"}
