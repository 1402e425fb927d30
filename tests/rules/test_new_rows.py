"""A policy for new rows is not true because their key is not known yet."""

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written

NOTES = """
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner uuid, t text);
INSERT INTO notes (owner, t) SELECT id, 'a' FROM auth.users; ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON notes FOR SELECT USING (true);
"""
SHARED = """
CREATE TABLE banned (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), note uuid, who uuid); CREATE INDEX ON banned (note);
INSERT INTO banned (note, who) SELECT gen_random_uuid(), id FROM auth.users;
CREATE FUNCTION shown(note uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT note IS NOT NULL $$;
"""
#: Conditions, and whether part of them is NULL for a new row.
CONDITIONS = {
    "(auth.uid() <> id) IS NOT TRUE": True,
    "((auth.uid(), t) <> (id, t)) IS NOT TRUE": True,
    "id IS NULL": True,
    "id IS NOT DISTINCT FROM NULL": True,
    "coalesce(id = owner, true)": True,
    "CASE WHEN id = owner THEN false ELSE true END": True,
    "(CASE WHEN id <> owner THEN false END) IS NULL": True,
    "NOT shown(id)": True,
    "NOT shown(id) OR owner = auth.uid()": True,
    "NOT (SELECT bool_or(b.note <> notes.id) FROM banned b)": True,
    "NOT EXISTS (SELECT 1 FROM banned b WHERE b.note <> notes.id)": True,
    "NOT EXISTS (SELECT 1 FROM banned b WHERE b.note = notes.id)": False,
    "auth.uid() NOT IN (SELECT b.who FROM banned b WHERE b.note = notes.id)": False,
    "auth.uid() = id OR t IS NOT NULL": False,
    "NOT (auth.uid() = id) AND owner IS NOT NULL": False,
    "owner = auth.uid()": False,
}


def test_a_key_that_is_not_known_lets_no_new_row_pass(server: servers.Server) -> None:
    sql, names = SHARED, {}
    for number, condition in enumerate(CONDITIONS):
        names[f"public.notes{number}"] = condition
        text = f"{NOTES}CREATE POLICY p{number} ON notes FOR INSERT WITH CHECK ({condition});"
        sql += text.replace("notes", f"notes{number}")
    sql += (NOTES + "CREATE POLICY whole ON notes USING (NOT shown(id) OR owner = auth.uid());").replace(
        "notes", "whole"
    )
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, written=[*(name.removeprefix("public.") for name in names), "whole"], users=2)
    refused = {rule.policy.name for _, rule in made.rules.refused}
    for number, (condition, unknown) in enumerate(CONDITIONS.items()):
        if f"p{number}" not in refused:
            side = made.side(f"p{number}", "check")
            assert ("isNull(row._id)" in side or side == "() => false,") == unknown, (condition, side)
    assert refused <= {"p4", "p9"}
    assert "// The same for new rows. Their key is not known yet." in made.text
    assert "isNull" not in made.side("whole") and "isNull" in made.side("whole", "check")
    assert [(names.get(d.table, d.table), d.detail) for d in findings.differences] == []
    assert findings.taken


def test_new_rows_with_json_s_null_with_minus_zero_and_with_two_faults(server: servers.Server) -> None:
    sql = """
    CREATE TABLE albums (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), no int UNIQUE, tracks jsonb DEFAULT '[]', pitch real);
    INSERT INTO albums (no, tracks, pitch) VALUES (1, 'null', '-0'), (2, 'null', '-0');
    CREATE TABLE rooms (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), word text);
    INSERT INTO rooms (word) VALUES ('a');
    CREATE TABLE beds (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), room uuid REFERENCES rooms, first boolean,
      UNIQUE (first) DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO beds (room, first) SELECT id, true FROM rooms;"""
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, written=["albums", "beds"], users=0)
    assert [(d.table, d.detail) for d in findings.differences] == []
    assert findings.taken
