"""``supavex rules``: what is written, what refuses, and whose file it leaves alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.postgres import server as servers
from supavex.rules.parse.scope import RESERVED
from supavex.rules.typescript.module import _BLOCK, _database, _resource, is_changed
from tests import projects
from tests.databases import new_database
from tests.projects import ROOT, supavex
from tests.rules.tried import PACKAGES, Written, written

SQL = """
CREATE TABLE teams (id uuid PRIMARY KEY, name text UNIQUE, kind text);
CREATE TABLE members (id uuid PRIMARY KEY, team_id uuid NOT NULL REFERENCES teams, user_id uuid NOT NULL);
CREATE FUNCTION own_team() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT team_id FROM members WHERE user_id = auth.uid() LIMIT 1 $$;
CREATE TABLE drafts (id uuid PRIMARY KEY, team_id uuid DEFAULT own_team() REFERENCES teams, body text DEFAULT 'none', data jsonb NOT NULL);
CREATE TABLE notes (id uuid PRIMARY KEY, team_id uuid NOT NULL REFERENCES teams ON DELETE CASCADE, owner uuid NOT NULL,
  body text, price numeric, at time, EXCLUDE USING gist (body WITH =));
CREATE INDEX ON members (user_id);
CREATE INDEX ON members (user_id, team_id);
CREATE INDEX ON notes (team_id);
CREATE FUNCTION loops(n int) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE OR REPLACE FUNCTION loops(n int) RETURNS boolean LANGUAGE sql AS $$ SELECT loops(n - 1) $$;
CREATE FUNCTION runs() RETURNS boolean LANGUAGE plpgsql AS $$ DECLARE x boolean; BEGIN EXECUTE 'SELECT true' INTO x; RETURN x; END $$;
CREATE FUNCTION called() RETURNS SETOF int LANGUAGE sql AS $$ SELECT 1 WHERE false $$;
ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes FOR SELECT USING (owner = auth.uid());
CREATE POLICY team ON notes FOR SELECT TO authenticated
  USING (EXISTS (SELECT 1 FROM members m WHERE m.team_id = notes.team_id AND m.user_id = auth.uid()));
CREATE POLICY texts ON notes FOR SELECT USING (body < 'm');
CREATE POLICY dynamic ON notes FOR SELECT USING (runs());
CREATE POLICY endless ON notes FOR SELECT USING (loops(3));
CREATE POLICY grouped ON notes FOR SELECT USING ((SELECT count(*) FROM members GROUP BY team_id LIMIT 1) > 1);
CREATE POLICY counted ON notes FOR SELECT USING (EXISTS (SELECT count(*) FROM members WHERE user_id = auth.uid()));
CREATE POLICY of_none ON notes FOR SELECT
  USING (EXISTS (SELECT 1 FROM (SELECT count(*) AS n, max(kind) AS k FROM teams WHERE name = 'none') x));
CREATE POLICY unnested ON notes FOR SELECT
  USING (EXISTS (SELECT unnest(string_to_array(kind, ',')) FROM teams WHERE teams.id = notes.team_id));
CREATE AGGREGATE total_of (int) (SFUNC = int4pl, STYPE = int);
CREATE POLICY deviated ON notes FOR SELECT USING (NOT EXISTS (SELECT stddev_pop(1) FROM teams WHERE name = 'none'));
CREATE POLICY xored ON notes FOR SELECT USING (NOT EXISTS (SELECT bit_xor(1) FROM teams WHERE name = 'none'));
CREATE POLICY totalled ON notes FOR SELECT USING (NOT EXISTS (SELECT total_of(1) FROM teams WHERE name = 'none'));
CREATE POLICY in_json ON notes FOR SELECT USING (NOT EXISTS (SELECT JSON_ARRAYAGG(kind) FROM teams WHERE name = 'none'));
CREATE POLICY plain ON notes FOR DELETE USING (EXISTS (SELECT 1, upper(kind), t.* FROM teams t WHERE name = 'none'));
CREATE POLICY no_rows ON notes FOR SELECT USING (EXISTS (SELECT called() FROM teams WHERE teams.id = notes.team_id));
CREATE POLICY "it's */ hard\nto name" ON notes AS RESTRICTIVE FOR UPDATE USING (auth.role() = 'authenticated') WITH CHECK (true);
"""


@pytest.fixture(scope="module")
def made(server: servers.Server) -> Iterator[Written]:
    with new_database(server) as database, projects.folder() as folder:
        database.run("CREATE EXTENSION btree_gist SCHEMA extensions;" + SQL)
        yield written(folder, database)


def test_the_null_of_json_is_a_value_where_the_column_takes_no_null(made: Written) -> None:
    assert 'required: ["data"]' not in made.text


def test_policies_read_as_a_person_would_write_them(made: Written) -> None:
    assert made.side("own") == "(row, caller) => row.owner === caller.uid,"
    assert 'find(caller.db, "members", { user_id: caller.uid, team_id: row.team_id }' in made.side("team")
    assert "// USING (owner = auth.uid())" in made.text


def test_what_is_not_translated_refuses_with_its_text_a_reason_and_a_stub(made: Written) -> None:
    reasons = {rule.policy.name: rule.reason for _, rule in made.rules.refused}
    assert reasons.keys() == {
        "texts", "dynamic", "endless", "grouped", "counted", "of_none", "unnested", "no_rows",
        "deviated", "xored", "totalled", "in_json",
    }  # fmt: skip
    assert "< of text is not translated" in reasons["texts"]
    assert "EXECUTE (dynamic SQL) in PL/pgSQL is not translated" in reasons["dynamic"]
    assert "calls itself" in reasons["endless"]
    assert "count() in the SELECT list of an EXISTS" in reasons["counted"]
    assert "count() in the SELECT list of an EXISTS" in reasons["of_none"]
    assert "unnest() in the SELECT list" in reasons["unnested"]
    assert "called() in the SELECT list" in reasons["no_rows"]
    assert re.search(r"using: untranslated_notes_texts,", made.text)
    assert re.search(r"function untranslated_notes_texts\(.*\): Answer \{\n  return false;", made.text)


def test_no_function_of_a_project_takes_a_name_of_the_file(made: Written) -> None:
    """A function `lower(uuid)` of the project would stand beside the runtime's `lower`."""
    names = re.findall(r"^(?:export )?(?:async )?(?:function\*?|const|interface|type) (\w+)", _database(), re.MULTILINE)
    names += re.findall(_BLOCK, _resource("sql.ts"))
    assert set(names) <= RESERVED
    assert made.rules.work.function_name("later") == "later_"


def test_constraints_are_carried_or_listed(made: Written) -> None:
    notes, teams = made.constraints.tables["notes"], made.constraints.tables["teams"]
    assert [rule.fields for rule in teams.unique] == [("name",)]
    assert notes.references == [("notes_team_id_fkey", "team_id", "teams")]
    assert [(c.table, c.field, c.on_delete) for c in teams.children] == [
        ("drafts", "team_id", "restrict"), ("members", "team_id", "restrict"), ("notes", "team_id", "cascade"),
    ]  # fmt: skip


def test_visible_rows_are_found_by_index_where_policies_name_its_fields(made: Written) -> None:
    assert made.module.visible["teams"].ways == ()  # closed: no policy
    assert made.module.visible["notes"].ways is None
    assert "owner" in made.module.visible["notes"].add


def test_a_file_that_somebody_wrote_or_changed_is_left_alone() -> None:
    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        path = folder / "convex/rules.ts"
        path.write_text("// mine\n")
        ran = supavex("rules", "-C", folder)
        assert (ran.code, path.read_text()) == (2, "// mine\n")
        assert "NotGenerated" in ran.err
        path.unlink()
        assert supavex("rules", "--check", "-C", folder).code == 1
        assert not path.exists()
        ran = supavex("rules", "-C", folder, "--json")
        assert ran.code == 0
        assert ran.json["policies"]["found"] == ran.json["policies"]["translated"] == 29
        assert supavex("rules", "-C", folder, "--json").json["state"] == "unchanged"
        assert not is_changed(path.read_text())
        path.write_text(path.read_text().replace("caller.uid", "null"))
        ran = supavex("rules", "-C", folder)
        assert ran.code == 2
        assert "ChangedByHand" in ran.err


def test_a_wrong_setting_is_named() -> None:
    with projects.folder() as folder:
        projects.write(folder, toml='[users]\nfield = "profiles"\n')
        assert "field names a table and a field" in supavex("rules", "-C", folder).err
        (folder / "supavex.toml").write_text('[tables.a]\nenforce = ["uniques"]\n')
        assert "enforce names some of" in supavex("rules", "-C", folder).err


def test_a_default_that_reads_is_waited_for(made: Written) -> None:
    assert re.search(
        r"drafts: \{\n    defaults: \{\n      team_id: async \(caller\) => .*await own_team\(caller\)", made.text
    )


def test_the_compiler_takes_what_is_written(tmp_path: Path, made: Written) -> None:
    ran = supavex("build", "-C", made.folder)
    assert ran.code == 0, ran.err
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    convex = tmp_path / "convex"
    convex.mkdir()
    for name in ("schema.ts", "defaults.ts"):
        (convex / name).write_text((made.folder / "convex" / name).read_text())
    (convex / "rules.ts").write_text(made.text)
    for path in (ROOT / "projects/my21staff/convex/_generated").iterdir():
        (convex / "_generated").mkdir(exist_ok=True)
        text = path.read_text()
        (convex / "_generated" / path.name).write_text("export {};" if path.name.startswith("api") else text)
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext"]
    command = [str(PACKAGES / ".bin/tsc"), *options, "--moduleResolution", "bundler", "convex/rules.ts"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert ran.stdout == ""
