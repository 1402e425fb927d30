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
        assert "and after:" in ran.out
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
