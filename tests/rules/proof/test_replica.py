"""``verify --rules`` of a live source: it is copied in one read, and everything is tried on the copy."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from supavex.errors import SupavexError
from supavex.mapping.check import checked_plan
from supavex.mapping.plan import TablePlan
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.rules.constraints import constraints_of
from supavex.rules.policies import rule_set
from supavex.rules.proof import replica as replicas
from supavex.rules.proof.comparison import Comparison
from supavex.rules.proof.convex import ConvexSide
from supavex.rules.proof.findings import Findings
from supavex.rules.proof.postgres import PostgresSide, forms_of
from supavex.rules.proof.replica import Replica, replica
from supavex.rules.proof.run import Sides, fork, looked_at, moved_tables, try_rules
from supavex.rules.proof.users import NOBODY
from supavex.settings.reading import load_settings
from tests import projects
from tests.databases import Database, new_database
from tests.projects import supavex
from tests.rules.test_agreement import COMMENTS, GRANTS, OPEN, POLICIES, POSTS, TEAMS, USERS
from tests.rules.tried import PACKAGES, Written, bundled, migrated, written

#: What a copy has to make anew besides tables: types, schemas, roles, functions, views, partitions, counters.
OTHERS = f"""
CREATE SCHEMA private;
CREATE ROLE moderator; GRANT moderator TO authenticated;
CREATE ROLE chief; GRANT chief TO moderator;
CREATE ROLE unheard; GRANT unheard TO authenticated WITH INHERIT FALSE;
CREATE DOMAIN short AS text CHECK (char_length(VALUE) < 10);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE private.bans (user_id uuid PRIMARY KEY, why short, both_of pair);
INSERT INTO private.bans VALUES ('{"00000000-0000-4000-8000-000000000003"}', 'rude', (1, 'x'));
CREATE FUNCTION private.is_banned() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS
  $$ SELECT EXISTS (SELECT 1 FROM public.members WHERE user_id = auth.uid() AND team_id IS NULL) $$;
CREATE FUNCTION auth.is_ann() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT auth.email() = 'ann@example.com' $$;
CREATE VIEW open_teams WITH (security_invoker = true) AS SELECT id FROM teams WHERE open;
CREATE TABLE events (id bigserial, day date NOT NULL, owner uuid, doubled int GENERATED ALWAYS AS (2 * 3) STORED,
  PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
CREATE TABLE events_new PARTITION OF events DEFAULT;
INSERT INTO events (day, owner) SELECT d, '{"00000000-0000-4000-8000-000000000001"}' FROM unnest('{{2001-01-01,2022-01-01}}'::date[]) d;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON events USING (owner = auth.uid() AND NOT private.is_banned());
CREATE POLICY ann ON events FOR SELECT TO moderator USING (auth.is_ann());
CREATE TABLE plain (id serial PRIMARY KEY, n int);
INSERT INTO plain (n) VALUES (-1), (1);
ALTER TABLE plain ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
REVOKE ALL ON plain FROM anon;
CREATE TABLE reports (id serial PRIMARY KEY, n int);
INSERT INTO reports (n) VALUES (1), (2);
GRANT USAGE ON SCHEMA private TO anon, authenticated;
"""
#: Rights that users have by membership of roles: by a role between, and none by a membership that does not inherit.
HELD = """
REVOKE ALL ON reports FROM anon, authenticated, PUBLIC;
GRANT SELECT ON reports TO chief; GRANT ALL ON reports TO unheard;
GRANT ALL ON SEQUENCE reports_id_seq TO anon, authenticated;
"""


@pytest.fixture(scope="module")
def live(server: servers.Server) -> Iterator[tuple[Written, Database]]:
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + TEAMS + POSTS + COMMENTS, role="postgres")
        database.run("SET ROLE NONE;" + OTHERS + GRANTS + "REVOKE ALL ON plain FROM anon;" + HELD + OPEN + POLICIES)
        made = written(folder, database)
        migrated(folder)
        with connect(database.url(servers.SUPERUSER)) as connection:
            # Whatever writes on the source now fails.
            connection.execute(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
            connection.execute(f'ALTER DATABASE "{database.name}" SET track_functions = "all"')
        yield made, database
    # The server is also that of other files.
    with connect(server.url(servers.SUPERUSER, "template1")) as connection:
        connection.execute("DROP ROLE moderator, chief, unheard")


def copied_and_tried(made: Written, rules: str | None = None) -> tuple[Findings, Replica]:
    project = load_settings(made.folder)
    with fork(project) as deployment:
        bundled(made.text if rules is None else rules).install(deployment, schema=False)
        with replica(project, made.plan, functools.partial(looked_at, deployment)) as copied:
            tables = [table for table in moved_tables(made.plan, deployment) if copied.holds(table)]
            with connect(copied.url, settings={"search_path": "public, extensions"}) as connection:
                sides = Sides(made.plan, tables, deployment, connection, made.folder, copied)
                findings, _, _ = try_rules(sides, 2, lambda _: None, builders=True)
            return findings, copied


def rows_of(database: Database) -> list[Any]:
    sql = "SELECT (SELECT count(*) FROM posts), (SELECT last_value FROM plain_id_seq), (SELECT max(xmin::text::int8) FROM posts)"
    with connect(database.url(servers.SUPERUSER), settings={"search_path": "public"}) as connection:
        return list(connection.execute(sql).fetchall())


def test_a_live_source_is_tried_on_a_copy_and_never_itself(live: tuple[Written, Database]) -> None:
    made, database = live
    before = rows_of(database)
    findings, copied = copied_and_tried(made)
    assert copied.differences == []
    assert [line for line in copied.not_tried if "lacks" in line] == []
    assert copied.partial == {}
    assert findings.differences == []
    assert findings.taken > 10
    assert "public.events" in findings.tables
    reports = copied.catalog.table("public", "reports")
    assert reports is not None
    assert {grant.role: grant.commands for grant in reports.grants} == {"anon": (), "authenticated": ("SELECT",)}
    assert rows_of(database) == before
    called = (
        "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE schemaname IN ('public', 'private', 'auth')"
    )
    assert database.value(called) == 0


def test_what_differs_is_found_on_a_live_source(live: tuple[Written, Database]) -> None:
    made, _ = live
    wrong = made.text.replace("restrictive: true,\n", "")
    assert wrong != made.text
    assert copied_and_tried(made, wrong)[0].wrong > 0


def test_a_long_table_is_copied_in_part_and_said(
    live: tuple[Written, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of tables that no rule asks for, the rows of the documents that are looked at; those that rules ask for whole."""
    made, _ = live
    monkeypatch.setattr(replicas, "ROWS", 1)
    findings, copied = copied_and_tried(made)
    assert "public.comments" in copied.partial
    assert "public.members" not in copied.partial
    assert any("rows of public.comments beyond" in line for line in copied.not_tried)
    assert any(line.startswith("public.posts: writes, for not all rows") for line in findings.not_tried)
    assert findings.differences == []
    assert findings.reads > 0


def test_a_row_that_changed_since_the_migration_is_said(live: tuple[Written, Database]) -> None:
    made, database = live
    sql = "BEGIN; SET LOCAL transaction_read_only = off; {}; COMMIT"
    database.run(sql.format("UPDATE posts SET title = 'changed' WHERE title = 'two'"), role=servers.SUPERUSER)
    findings, _ = copied_and_tried(made)
    said = [(one.kind, one.table, one.detail) for one in findings.differences if one.kind == "changed"]
    assert said == [
        ("changed", "public.posts", "1 row changed since the migration: run supavex migrate, and try again")
    ]


def test_the_command_takes_a_live_source(server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with new_database(server) as database, projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        migrations = sorted((folder / "supabase/migrations").glob("*.sql"))
        for path in [*migrations, folder / "supabase/seed.sql"]:
            database.run(path.read_text())
        settings = folder / "supavex.toml"
        url = json.dumps(database.url())
        kept = settings.read_text().partition("[source]")
        rest = kept[2].partition("[users]")
        settings.write_text(f"{kept[0]}[source]\ndatabase_url = {url}\n[users]{rest[2]}")
        for command in ("deploy", "migrate"):
            ran = supavex(command, "-C", folder)
            assert ran.code == 0, ran.err
        (folder / "node_modules").symlink_to(PACKAGES)
        (folder / "convex/rules.ts").unlink(missing_ok=True)
        ran = supavex("verify", "--rules", "--users", "2", "--json", "-C", folder)
    assert ran.code == 1, ran.err
    found = ran.json
    assert [one for one in found["differences"] if one["kind"] != "leak"] == []
    assert ("workspaces:get", Path("convex/workspaces.ts")) in {
        (one["function"], Path(one["place"].partition(":")[0])) for one in found["differences"]
    }


def made_again(server: servers.Server, folder: Path, sql: str, *asked: str) -> tuple[Replica, list[list[Any]]]:
    """A replica of a source of ``sql``, of a plan without tables; what it answers to each of ``asked``."""
    with new_database(server) as database:
        database.run(sql)
        (folder / "supavex.toml").write_text(f"[source]\ndatabase_url = {json.dumps(database.url())}\n")
        plan: Any = SimpleNamespace(tables=[])
        with replica(load_settings(folder), plan, lambda _: None) as copied, connect(copied.url) as connection:
            return copied, [connection.execute(one.encode()).fetchall() for one in asked]


#: Rules that ask for Supabase's own tables: by a policy, by a function with a path, by one that no rule calls.
ASKING = """
CREATE TABLE notes (id int PRIMARY KEY);
INSERT INTO auth.users (id) VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at, secret)
  SELECT id, id, 'totp', 'verified', now(), now(), 'hidden' FROM auth.users;
INSERT INTO storage.buckets (id, name) VALUES ('b', 'b');
INSERT INTO storage.objects (bucket_id, name) VALUES ('b', 'one');
INSERT INTO auth.audit_log_entries (id, ip_address) VALUES (gen_random_uuid(), '');
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY mfa ON notes FOR SELECT USING (NOT EXISTS (
  SELECT FROM auth.mfa_factors f WHERE f.user_id = auth.uid() AND f.status = 'verified'));
CREATE FUNCTION has_file() RETURNS boolean LANGUAGE sql STABLE SET search_path = 'storage' AS
  $$ SELECT EXISTS (SELECT FROM objects) $$;
CREATE POLICY files ON notes FOR INSERT WITH CHECK (has_file());
CREATE FUNCTION log() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM auth.audit_log_entries $$;
CREATE FUNCTION status() RETURNS text LANGUAGE sql AS $$ SELECT token FROM auth.refresh_tokens $$;
CREATE FUNCTION unused() RETURNS text LANGUAGE sql AS $$ SELECT encrypted_password FROM auth.users $$;
"""


def test_supabases_own_tables_that_rules_ask_for_are_copied_without_secrets(
    server: servers.Server, tmp_path: Path
) -> None:
    copied, (factors, objects) = made_again(
        server, tmp_path, ASKING, "SELECT status, secret FROM auth.mfa_factors", "SELECT name FROM storage.objects"
    )
    assert factors == [("verified", None)]
    assert objects == [("one",)]
    assert copied.differences == []
    assert copied.not_tried == [
        "auth.audit_log_entries: the function log asks for it, and its rows are not copied",
        "auth.refresh_tokens: the function status asks for it, and its rows are not copied",
        "auth.users: the function unused asks for its encrypted_password, which is not copied",
    ]


def test_a_rule_that_asks_for_what_is_not_copied_is_a_difference(server: servers.Server, tmp_path: Path) -> None:
    sql = ASKING + "CREATE POLICY logs ON notes FOR DELETE USING (log() > 0 AND unused() <> '');"
    copied, _ = made_again(server, tmp_path, sql)
    assert copied.differences == [
        ("auth.audit_log_entries", "the function log asks for it, and its rows are not copied"),
        ("auth.users", "the function unused asks for its encrypted_password, which is not copied"),
    ]


def test_what_an_operator_asks_for_within_a_function_that_a_rule_calls_is_a_difference(
    server: servers.Server, tmp_path: Path
) -> None:
    sql = (
        ASKING
        + """
    CREATE FUNCTION tokens(a int, b int) RETURNS boolean LANGUAGE sql STABLE AS
      $$ SELECT EXISTS (SELECT FROM auth.refresh_tokens) $$;
    CREATE OPERATOR <<@ (LEFTARG = int, RIGHTARG = int, FUNCTION = tokens);
    CREATE FUNCTION ok(n int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT n <<@ n $$;
    CREATE POLICY hidden ON notes FOR UPDATE USING (ok(id));
    """
    )
    copied, _ = made_again(server, tmp_path, sql)
    assert "auth.refresh_tokens" in [table for table, _ in copied.differences]


def test_rights_and_policies_of_supabases_own_tables_are_those_of_the_source(
    server: servers.Server, tmp_path: Path
) -> None:
    sql = (
        ASKING
        + """
    INSERT INTO storage.objects (bucket_id, name) VALUES ('b', 'two');
    INSERT INTO notes VALUES (1), (2); GRANT SELECT ON notes TO authenticated;
    GRANT SELECT ON storage.objects TO authenticated; GRANT SELECT (id) ON auth.users TO authenticated;
    ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
    CREATE POLICY first ON storage.objects USING (name = 'one' AND log() > 0);
    """
    )
    user = "SELECT set_config('row_security', 'on', false), set_config('role', 'authenticated', false)"
    # The policy of a table that rules ask for asks for another one.
    copied, (_, users) = made_again(server, tmp_path, sql, user, "SELECT count(id) FROM auth.users")
    assert users == [(1,)]
    assert copied.differences == [
        ("auth.audit_log_entries", "the function log asks for it, and its rows are not copied"),
    ]
    sql = sql.replace(" AND log() > 0", "")
    copied, (_, seen) = made_again(server, tmp_path, sql, user, "SELECT name FROM storage.objects")
    assert seen == [("one",)]
    assert copied.differences == []


#: Tables that rules ask for in all the ways: of each, more rows than are copied of one that none asks for.
WAYS = """
CREATE TABLE bans AS SELECT n AS id FROM generate_series(1, 5) n;
CREATE TABLE "user-roles" AS SELECT n AS id FROM generate_series(1, 5) n;
CREATE TABLE memberships AS SELECT n AS id FROM generate_series(1, 5) n;
CREATE TABLE inviters AS SELECT n AS id FROM generate_series(1, 5) n;
CREATE TABLE admins AS SELECT n AS id FROM generate_series(1, 5) n;
CREATE TABLE checked AS SELECT n AS id FROM generate_series(1, 5) n;
CREATE TABLE nobodys AS SELECT n AS id FROM generate_series(1, 5) n;
CREATE TABLE notes (id int PRIMARY KEY);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION is_banned() RETURNS boolean LANGUAGE sql STABLE BEGIN ATOMIC SELECT EXISTS (SELECT FROM bans); END;
CREATE FUNCTION auth.is_admin() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM admins) $$;
CREATE MATERIALIZED VIEW seen AS SELECT id FROM memberships;
CREATE FUNCTION is_checked(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN EXISTS (SELECT FROM CHECKED); END $$;
ALTER TABLE notes ADD CHECK (is_checked(id));
CREATE POLICY a ON notes FOR SELECT USING (NOT is_banned() AND EXISTS (SELECT FROM "user-roles"));
CREATE POLICY b ON notes FOR INSERT WITH CHECK (EXISTS (SELECT FROM inviters));
CREATE POLICY c ON notes FOR DELETE USING (EXISTS (SELECT FROM seen) AND auth.is_admin());
"""


def test_a_long_table_that_a_rule_asks_for_in_any_way_is_copied_whole(
    server: servers.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "ROWS", 1)
    with new_database(server) as database:
        database.run(WAYS, role=servers.SUPERUSER)
        url = database.url(servers.SUPERUSER)
        (tmp_path / "supavex.toml").write_text(f"[source]\ndatabase_url = {json.dumps(url)}\n")
        plan: Any = SimpleNamespace(tables=[])
        with replica(load_settings(tmp_path), plan, lambda _: []) as copied:
            assert copied.partial.keys() == {"public.nobodys"}


#: Convex Auth's users with a trigger of the project's, values that become files, and keys that are hashed.
FILES_AND_USERS = """
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text);
INSERT INTO notes (body) VALUES ('short'), (repeat('x', 5000)), ('other');
CREATE TABLE tags (name text PRIMARY KEY, n int);
INSERT INTO tags SELECT 'tag' || n, n FROM generate_series(1, 50) n;
CREATE FUNCTION handle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION handle();
INSERT INTO auth.users (id, email) VALUES ('00000000-0000-4000-8000-000000000001', 'ann@example.com');
INSERT INTO auth.identities (provider_id, user_id, identity_data, provider)
  SELECT 'x', id, '{"email": "ann@example.com"}', 'email' FROM auth.users;
"""
FILES_AND_USERS_TOML = """
[tables.notes.columns.body]
file = "file"
file_over = 100
[users]
for = "convex-auth"
"""
FILES_AND_USERS_SCHEMA = """
from supavex.schema import auth_tables, define_schema, define_table, v
schema = define_schema({
    **auth_tables(),
    "notes": define_table({"body": v.optional(v.string()), "file": v.optional(v.id("_storage"))}),
    "tags": define_table({"name": v.string(), "n": v.optional(v.number())}),
})
"""


def test_files_users_and_hashed_keys_are_not_changed_rows(
    server: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    hashed = PostgresSide._hashed

    def counted(side: PostgresSide, table: TablePlan) -> dict[str, str]:
        reads.append(table.name)
        return hashed(side, table)

    with new_database(server) as database, projects.folder() as folder:
        database.run(FILES_AND_USERS)
        source = f"[source]\ndatabase_url = {json.dumps(database.url())}\n"
        (folder / "supavex.toml").write_text(source + FILES_AND_USERS_TOML)
        (folder / "schema.py").write_text(FILES_AND_USERS_SCHEMA)
        migrated(folder)
        project = load_settings(folder)
        plan, _ = checked_plan(project)
        rules = rule_set(plan)
        with fork(project) as deployment, replica(project, plan, functools.partial(looked_at, deployment)) as copied:
            tables = moved_tables(plan, deployment)
            numbers = {name: number for number, name in deployment.table_names().items()}
            with connect(copied.url, settings={"search_path": "public, extensions"}) as connection:
                postgres = PostgresSide(connection, tables, numbers)
                comparison = Comparison(postgres, ConvexSide(deployment, tables), rules, constraints_of(rules))
                monkeypatch.setattr(PostgresSide, "_hashed", counted)
                comparison.changed()
                notes = postgres.tables["notes"]
                held = {str(d["_id"]): forms_of(notes, d) for d in deployment.documents("notes")}
                assert postgres.state(notes) == held
                connection.execute("DROP TRIGGER on_auth_user_created ON auth.users")
                postgres.begin({})  # a trigger that the copy lacks is none to turn off
                with postgres.acting(NOBODY):
                    pass
                with pytest.raises(psycopg.errors.InvalidSavepointSpecification):
                    connection.execute("RELEASE SAVEPOINT tried")
    assert copied.differences == []
    assert comparison.findings.differences == []
    assert {"users", "authAccounts", "notes", "tags"} <= postgres.tables.keys()
    assert reads.count("public.tags") == 1


def test_the_copy_of_a_live_source_has_the_limits_of_a_replay(
    server: servers.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A materialized view that takes for ever is stopped."""
    replay = replicas.replay_files
    monkeypatch.setattr(replicas, "replay_files", lambda server, files, limits: replay(server, files))
    sql = """
        CREATE TABLE notes (id int PRIMARY KEY); INSERT INTO notes VALUES (1);
        CREATE MATERIALIZED VIEW slow AS SELECT pg_sleep(3600)::text AS slept FROM notes WITH NO DATA;"""
    with new_database(server) as database:
        database.run(sql)
        url = json.dumps(database.url())
        (tmp_path / "supavex.toml").write_text(f"[source]\ndatabase_url = {url}\nreplay_minutes = 0.01\n")
        plan: Any = SimpleNamespace(tables=[])
        stopped = pytest.raises(SupavexError, match="The copy of the source was stopped")
        with stopped as found, replica(load_settings(tmp_path), plan, lambda _: None):
            pass
    assert found.value.code == "ReplayTooSlow"


def test_a_check_that_the_sources_own_rows_break_is_a_remark(server: servers.Server) -> None:
    """PostgreSQL took the rows before the function of the check was another one, or before the check was added."""
    sql = """
    CREATE FUNCTION is_fine(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
    CREATE TABLE plain (id int PRIMARY KEY, n int, CONSTRAINT fine CHECK (is_fine(n)), CONSTRAINT small CHECK (n < 100));
    CREATE TABLE later (id int PRIMARY KEY, n int); INSERT INTO later VALUES (1, -1); INSERT INTO plain VALUES (1, -1), (2, 2);
    ALTER TABLE later ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
    CREATE OR REPLACE FUNCTION is_fine(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT n > 0 $$;
    """
    with new_database(server) as database, projects.folder() as folder:
        database.run(USERS + sql + GRANTS)
        made = written(folder, database)
        project = load_settings(folder)
        with replica(project, made.plan, lambda _: None) as copied, connect(copied.url) as connection:
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM public.plain), (SELECT count(*) FROM public.later)"
            ).fetchone()
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute("UPDATE public.plain SET n = -2 WHERE id = 2")
    assert copied.differences == []
    assert counts == (2, 1)
    assert "public.plain: rows of the source break the check fine" in copied.not_tried
