"""A copy that was cut short goes on with what it read of this very database, and of none that looks like it."""

import pytest

from supavex.postgres import server as servers
from supavex.postgres.snapshot import exported
from supavex.postgres.visibility import Visibility
from tests import projects
from tests.projects import supavex

MIGRATION = "CREATE TABLE a (id int PRIMARY KEY, n text); CREATE TABLE z (id int PRIMARY KEY, x int);"
SCHEMA = """schema = define_schema({"a": define_table({"id": v.number(), "n": v.optional(v.string())}),
"z": define_table({"id": v.number(), "x": v.optional(v.number())})})"""
#: The second table's row stops the copy: the first one's parts are done.
STOPS = '[tables.z.columns.x]\nsql = "100 / t.x"\n'


def test_files_that_are_replayed_anew_are_another_moment() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema=SCHEMA, migrations={"1.sql": MIGRATION}, toml=STOPS)
        seed = folder / "supabase/seed.sql"
        seed.write_text("INSERT INTO a VALUES (1, 'old'); INSERT INTO z VALUES (1, 0);")
        out = ("migrate", "-C", folder, "--out", folder / "a.zip", "--json")
        assert supavex(*out).code == 1
        seed.write_text("INSERT INTO a VALUES (1, 'new'); INSERT INTO z VALUES (1, 4);")
        ran = supavex(*out)
        assert (ran.code, ran.json["error"]["code"]) == (2, "TwoSnapshots"), ran.out
        assert supavex(*out, "--restart").code == 0
        assert supavex("verify", folder / "a.zip", "-C", folder).code == 0


def test_files_that_are_the_same_are_the_same_moment() -> None:
    with projects.folder() as folder:
        projects.write(folder, schema=SCHEMA, migrations={"1.sql": MIGRATION}, toml=STOPS)
        (folder / "supabase/seed.sql").write_text("INSERT INTO a VALUES (1, 'old'); INSERT INTO z VALUES (1, 0);")
        out = ("migrate", "-C", folder, "--out", folder / "a.zip", "--json")
        assert supavex(*out).code == 1
        (folder / "supavex.toml").write_text("")
        ran = supavex(*out)
        assert ran.code == 0, ran.out
        assert ran.json["partsKept"] == 1


@pytest.mark.parametrize("may_know", [True, False])
def test_another_cluster_is_another_moment(may_know: bool) -> None:
    def seen(server: servers.Server) -> Visibility:
        with exported(server.url("app")) as (snapshot, holder):
            return Visibility.of(holder, snapshot.taken_at)

    made = "CREATE ROLE app LOGIN;"
    if not may_know:
        made += "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC;"
    with servers.temporary() as one, servers.temporary() as other:
        for server in (one, other):
            servers.execute_script(server, made)
        visible = [seen(one), seen(other)]
        assert visible[0].transactions == visible[1].transactions
        assert not visible[0].same_rows(visible[1])
        assert visible[0].same_rows(seen(one))
