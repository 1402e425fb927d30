"""The whole report: of an app over the user's tables, without a project, of some tables, of an app that is done."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from supavex.mapping.source import Source
from tests import projects
from tests.projects import supavex

from .conftest import APP

EXPECTED = Path(__file__).parent / "expected.json"


def test_the_report_of_the_app_is_the_expected_one(my21staff: Path) -> None:
    """Regenerate: supavex usage tests/usage/app -C projects/my21staff --json, without its ``app``."""
    ran = supavex("usage", my21staff / "web", "-C", my21staff, "--json")
    assert ran.code == 1, ran.err
    found = ran.json
    assert found.pop("app") == str(my21staff / "web")
    assert found == json.loads(EXPECTED.read_text())


def test_every_place_is_where_the_code_says_it(my21staff: Path) -> None:
    found = supavex("usage", my21staff / "web", "-C", my21staff, "--json").json
    for table in found["tables"]:
        for use in table["uses"]:
            line = (APP / use["file"]).read_text().splitlines()[use["line"] - 1]
            assert any(word in line for word in ("from", "table(", ".select(", ".upsert(")), (use["file"], use["line"])
    assert found["totals"]["table"] == sum(len(table["uses"]) for table in found["tables"]) > 30


def test_a_person_reads_places_indexes_functions_and_what_is_left_out(my21staff: Path) -> None:
    ran = supavex("usage", my21staff / "web", "-C", my21staff)
    assert ran.code == 1
    assert "articles -> articles" in ran.out
    assert "there already: api.articles.bySlug\n      index: by_workspace_slug" in ran.out
    assert 'better: .index("by_workspace_status_published_at", ["workspace_id", "status", "published_at"])' in ran.out
    assert ran.err == f"Next: supavex usage -C {my21staff}\n"
    assert "types/database.types.ts" in ran.out
    last = ran.out.splitlines()[-1]
    assert "31 queries, 2 database function calls" in last and "in 11 of 13 files." in last


def test_what_the_documentation_shows_is_what_is_printed(my21staff: Path) -> None:
    shown = (projects.ROOT / "docs/usage.md").read_text().partition("ari_payments,ari_scoring_config\n")[2]
    ran = supavex("usage", my21staff / "web", "-C", my21staff, "--tables", "ari_payments,ari_scoring_config")
    assert ran.out.strip().replace("\n\n", "\n") == "\n".join(
        line.removeprefix("    ") for line in shown.partition("\n\n## ")[0].strip("\n").splitlines() if line.strip()
    )


def test_without_what_replays_the_source_columns_go_by_their_names(
    my21staff: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Source, "catalog", lambda self: importlib.import_module("pglast_is_not_here"))
    found = supavex("usage", my21staff / "web", "-C", my21staff, "--json").json
    assert "pip install" in found["notes"][0]
    assert found["advised"] is True


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("supavex.usage")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    ran = supavex("usage", "-C", tmp_path)
    assert ran.code == 2
    assert "MissingExtra" in ran.err
    assert "Install it: " in ran.err
    assert supavex("usage", "--help").code == 0


def test_some_tables_only_by_either_name(my21staff: Path) -> None:
    by_source = supavex("usage", my21staff / "web", "-C", my21staff, "--json", "--tables", "ari_payments").json
    by_convex = supavex("usage", my21staff / "web", "-C", my21staff, "--json", "--tables", "ariPayments").json
    assert by_source == by_convex
    assert [table["table"] for table in by_source["tables"]] == ["ari_payments"]
    assert [use["name"] for use in by_source["realtime"]] == ["`payments-${conversationId}`"]
    assert by_source["client"] == []
    done = supavex("usage", my21staff / "web", "-C", my21staff, "--tables", "ari_destinations")
    assert (done.code, done.out) == (0, "No queries of ari_destinations: 13 files read.\n")


def test_tables_that_are_in_convex_already(my21staff: Path) -> None:
    options = ["-C", my21staff, "--config", "supavex.remaining.toml"]
    ran = supavex("usage", my21staff / "web", *options, "--tables", "contacts")
    assert "contacts -> contacts (in Convex already)\n  pages/contacts.ts:6" in ran.out
    assert "archive" not in ran.out
    assert "archive.contacts" in supavex("usage", my21staff / "web", *options, "--tables", "archive.contacts").out
    # By default it is the folder of the app that these settings name.
    assert supavex("usage", *options).out == "Nothing calls Supabase: 3 files read.\n"


def test_a_table_that_nobody_knows_is_misuse(my21staff: Path) -> None:
    ran = supavex("usage", my21staff / "web", "-C", my21staff, "--tables", "artikles")
    assert ran.code == 2
    assert "UnknownTable" in ran.err and "Did you mean articles?" in ran.err


def test_a_folder_that_is_not_there_is_misuse(my21staff: Path) -> None:
    ran = supavex("usage", my21staff / "nowhere", "-C", my21staff, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "NoApp")
    assert supavex("usage", my21staff / "schema.py", "-C", my21staff).code == 2


def test_without_a_project_the_uses_are_listed_and_it_is_said_that_advice_is_missing(tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path, dirs_exist_ok=True)
    ran = supavex("usage", "-C", tmp_path, "--json")
    assert ran.code == 1
    assert ran.json["advised"] is False
    assert "supavex.toml" in ran.json["notes"][0]
    with_project = json.loads(EXPECTED.read_text())
    assert ran.json["totals"] == with_project["totals"]
    assert all(use["instead"] is None for table in ran.json["tables"] for use in table["uses"])
    assert "No advice" in supavex("usage", "-C", tmp_path).out
    assert supavex("usage", "-C", tmp_path, "--config", "other.toml").code == 2


def test_what_may_be_another_librarys_is_said_to_and_counts(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("export const f = (db) => db.from('t').select();\nsupabase.from('t').select()")
    ran = supavex("usage", "-C", tmp_path)
    assert ran.code == 1
    assert "a.ts:1  (may be Supabase's) select *" in ran.out and "a.ts:2  select *" in ran.out
    assert ran.out.splitlines()[-1] == "2 queries in 1 of 1 file. 1 of them may be another library's."
    found = supavex("usage", "-C", tmp_path, "--json").json
    assert [use["sure"] for use in found["tables"][0]["uses"]] == [False, True]


def test_a_call_over_http_is_of_its_table() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema=RENAMES, migrations={"1.sql": RENAMES_SQL}, toml=RENAMES_TOML)
        (folder / "a.ts").write_text(
            "fetch(`${process.env.SUPABASE_URL}/rest/v1/persons?id=eq.1`, { method: 'DELETE' })"
        )
        found = supavex("usage", "-C", folder, "--json").json
    (use,) = found["tables"][0]["uses"]
    assert (found["tables"][0]["convex"], use["instead"]) == ("people", None)
    assert use["notes"] == ["what is done with it is not known here."]


def test_a_schema_that_raises_leaves_the_list_of_uses() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema="1 / 0", migrations={"1.sql": "CREATE TABLE t (id int PRIMARY KEY)"})
        (folder / "a.ts").write_text('supabase.from("t").select()')
        ran = supavex("usage", "-C", folder, "--json")
        assert (ran.code, len(ran.json["tables"])) == (1, 1)
        assert "schema.py:2: the schema file raises ZeroDivisionError" in ran.json["notes"][0]
        (folder / "supavex.toml").write_text("convx = 1")
        assert supavex("usage", "-C", folder).code == 2


def test_an_app_that_calls_nothing_is_good() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema="schema = define_schema({})", migrations={"1.sql": ""})
        ran = supavex("usage", "-C", folder)
        assert (ran.code, ran.out.strip()) == (0, "Nothing calls Supabase: 1 file read.")
        assert supavex("usage", "-C", folder, "--json").json["ok"] is True


def test_the_default_app_is_the_folder_that_holds_the_convex_folder() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema="schema = define_schema({})", toml='convex = "web/convex"')
        (folder / "web/convex").mkdir(parents=True)
        (folder / "web/a.ts").write_text('supabase.from("t").select()')
        (folder / "b.ts").write_text('supabase.from("t").select()')
        found = supavex("usage", "-C", folder, "--json").json
        assert [use["file"] for table in found["tables"] for use in table["uses"]] == ["a.ts"]


RENAMES = """
schema = define_schema({
    "people": define_table({
        "fullName": v.string(), "score": v.optional(v.number()), "big": v.int64(),
        "mood": v.union(v.string(), v.null()),
    }).index("by_name", ["fullName"]).index("by_score", ["score"])
      .search_index("search_name", search_field="fullName", filter_fields=["mood"]),
    "notes": define_table({"person": v.id("people"), "text": v.string()}),
})
"""
RENAMES_SQL = """
CREATE TABLE persons (
    id uuid PRIMARY KEY, full_name text NOT NULL, score int, big int8 NOT NULL, secret text, mood text
);
CREATE TABLE notes (
    id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE, text text NOT NULL
);
CREATE TABLE old (id uuid PRIMARY KEY);
CREATE TABLE new (id uuid PRIMARY KEY);
CREATE VIEW names AS SELECT full_name FROM persons;
CREATE FUNCTION top() RETURNS int LANGUAGE sql AS 'SELECT 1';
"""
RENAMES_TOML = """
[tables.persons]
to = "people"
columns.secret.skip = "never used"
columns.full_name.to = "fullName"
[tables.notes]
columns.person_id.to = "person"
[tables.old]
skip = "empty since 2021"
"""
RENAMES_TS = """
const { data } = await supabase.from("persons").select("full_name, secret").eq("full_name", "Ada").lt("score", 5);
await supabase.from("persons").select("*, notes(text)").lt("score", 5).order("score");
await supabase.from("persons").select().textSearch("full_name", q).eq("mood", "good").eq("big", 5);
await supabase.from("persons").update({ full_name: "B", mood: null, score: null }).eq("secret", "x");
await supabase.from("persons").delete().eq("id", id);
await supabase.from("notes").select("*, writer:persons!notes_person_id_fkey(full_name)").is("text", null);
await supabase.from("old").select();
await supabase.from("new").select();
await supabase.from("names").select();
await supabase.rpc("top");
await supabase.rpc("bottom");
"""


def test_names_that_changed_what_was_left_behind_and_what_is_no_table() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema=RENAMES, migrations={"1.sql": RENAMES_SQL}, toml=RENAMES_TOML)
        (folder / "a.ts").write_text(RENAMES_TS)
        found = supavex("usage", "-C", folder, "--json").json
    tables = {table["table"]: table for table in found["tables"]}
    by_name, by_score, search, change, delete = tables["persons"]["uses"]
    assert tables["persons"]["convex"] == "people"
    assert by_name["index"] == "by_name"
    assert by_name["add_index"] == '.index("by_fullName_score", ["fullName", "score"])'
    assert "full_name is fullName in Convex." in by_name["notes"]
    assert "secret left behind: never used." in by_name["notes"]
    # NULL is less than nothing in SQL; an absent field comes before all in Convex.
    assert 'q.gt("score", undefined).lt("score", 5)' in "\n".join(by_score["instead"]["body"])
    assert any("notes needs .index(" in note for note in by_score["notes"])
    assert search["index"] == "search_name"
    body = "\n".join(search["instead"]["body"])
    assert '.withSearchIndex("search_name", (q) => q.search("fullName", args.fullName_text).eq("mood", "good"))' in body
    assert 'q.eq(q.field("big"), 5n)' in body
    # What the update is limited to is not known in Convex: no code that would change all rows.
    assert change["instead"] is None and change["notes"][0].startswith('No code: secret = "x": secret left behind')
    assert delete["instead"]["body"] == ["await ctx.db.delete(args.id);"]
    assert any("deleted its notes too" in note for note in delete["notes"])
    assert "writer: ((one) => one && ({ fullName: one.fullName }))(await ctx.db.get(row.person))" in "\n".join(
        tables["notes"]["uses"][0]["instead"]["body"]
    )
    assert tables["old"]["notes"] == ["left behind: empty since 2021"]
    assert "supavex scaffold" in tables["new"]["notes"][0]
    assert "a view" in tables["names"]["notes"][0]
    assert ["migrations" in use["notes"][0] for use in found["rpc"]] == [True, False]


def test_without_a_source_columns_go_by_their_names() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema=RENAMES, toml=RENAMES_TOML + '[source]\nmigrations = "nowhere"\n')
        (folder / "a.ts").write_text(RENAMES_TS)
        found = supavex("usage", "-C", folder, "--json").json
    assert "by their names only" in found["notes"][0]
    tables = {table["table"]: table for table in found["tables"]}
    assert tables["persons"]["uses"][0]["index"] == "by_name"
    assert (tables["old"]["status"], tables["new"]["status"]) == ("skipped", "missing")
