"""A field that holds a row's key beside its id does not change: policies read the id."""

from supavex.postgres import server as servers
from tests import projects
from tests.databases import new_database
from tests.rules.test_agreement import GRANTS, MEMBERS, TEAMS, USERS
from tests.rules.tried import migrated, tried, written


def test_the_key_of_a_row_is_not_given_to_another_user(server: servers.Server) -> None:
    sql = """CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users, name text);
    INSERT INTO profiles (id, name) SELECT id, email FROM auth.users LIMIT 2;
    ALTER TABLE profiles ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON profiles USING (id = auth.uid()) WITH CHECK (id = auth.uid());"""
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + MEMBERS + sql + GRANTS)
        made = written(folder, database)
        migrated(folder)
        findings = tried(made, database, written=["profiles"])
        loose = made.text.replace("if (moved || ", "if (")
        found = tried(made, database, loose, written=["profiles"])
    assert [(d.table, d.detail) for d in findings.differences] == []
    assert made.constraints.tables["profiles"].fixed
    assert any("a new one" in d.detail for d in found.differences)
