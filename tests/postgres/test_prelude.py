"""What a new Supabase project's database holds before its first migration, as migrations use it."""

from pathlib import Path

import pytest

from supavex.postgres.catalog import NamedObject
from supavex.postgres.report import Report
from supavex.postgres.run_files import replay_files
from tests.databases import Database


def run(database: Database, tmp_path: Path, *texts: str) -> None:
    """Replays ``texts`` as files; every statement of them has to succeed."""
    files = [tmp_path / f"{number}.sql" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    report = replay_files(database, files)
    assert report.failed == ()


@pytest.mark.parametrize(
    "statement",
    [
        # auth
        "CREATE TABLE a (id uuid PRIMARY KEY DEFAULT auth.uid(), role text DEFAULT auth.role(), mail text "
        "DEFAULT auth.email(), claims jsonb DEFAULT auth.jwt())",
        "CREATE TABLE a (id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE)",
        "CREATE TABLE a (id uuid REFERENCES auth.users (id), level auth.aal_level)",
        "INSERT INTO auth.users (id, email, raw_user_meta_data) VALUES (gen_random_uuid(), 'a@example.com', '{}')",
        "CREATE VIEW people AS SELECT id, email, phone, created_at, confirmed_at, is_anonymous FROM auth.users",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;"
        "CREATE TRIGGER t AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION f()",
        "INSERT INTO auth.identities (provider_id, user_id, identity_data, provider) SELECT 'x', id, "
        """'{"email": "A@x"}', 'email' FROM auth.users""",
        "CREATE TABLE a (s uuid REFERENCES auth.sessions (id))",
        # storage
        "INSERT INTO storage.buckets (id, name, public, file_size_limit, allowed_mime_types) "
        "VALUES ('avatars', 'avatars', true, 1000, ARRAY['image/png'])",
        "CREATE POLICY p ON storage.objects FOR SELECT USING (bucket_id = 'avatars' AND auth.uid()::text = "
        "(storage.foldername(name))[1] AND storage.extension(name) = 'png' AND storage.filename(name) <> '')",
        "CREATE TABLE a (picture uuid REFERENCES storage.objects (id))",
        # realtime
        "CREATE TABLE a (id int PRIMARY KEY); ALTER PUBLICATION supabase_realtime ADD TABLE a",
        "CREATE POLICY p ON realtime.messages FOR SELECT TO authenticated USING (realtime.topic() = 'room')",
        "SELECT realtime.send('{}'::jsonb, 'event', 'topic', false)",
        # vault, cron, net
        "SELECT vault.create_secret('secret', 'name')",
        "CREATE VIEW v AS SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name = 'key'",
        "SELECT cron.schedule('nightly', '0 3 * * *', $$ DELETE FROM notes $$)",
        "SELECT cron.schedule('0 3 * * *', 'SELECT 1')",
        "SELECT cron.schedule('n', '* * * * *', 'SELECT 1'); SELECT cron.unschedule('n'); SELECT * FROM cron.job",
        "SELECT net.http_post(url := 'https://example.com', headers := '{}', body := '{}'::jsonb)",
        "SELECT net.http_get('https://example.com')",
        "CREATE TABLE a (id int); CREATE TRIGGER hook AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION "
        "supabase_functions.http_request('https://example.com', 'POST', '{}', '{}', '1000')",
        # roles and schemas
        "CREATE TABLE a (id int); GRANT ALL ON a TO anon, authenticated, service_role, dashboard_user, authenticator",
        "ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO anon",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO anon; REVOKE ALL ON SCHEMA public FROM anon",
        "CREATE SCHEMA app AUTHORIZATION postgres; GRANT USAGE ON SCHEMA app TO authenticated",
        "SET ROLE authenticated; RESET ROLE; SET ROLE anon; SET ROLE service_role",
        # extensions and what they define
        "CREATE TABLE a (id uuid DEFAULT uuid_generate_v4(), other uuid DEFAULT extensions.uuid_generate_v4(), "
        "third uuid DEFAULT uuid_generate_v1mc(), none uuid DEFAULT uuid_nil())",
        "CREATE TABLE a (token text DEFAULT encode(gen_random_bytes(32), 'hex'), "
        "hash text DEFAULT encode(digest('x', 'sha256'), 'hex'), password text DEFAULT crypt('x', gen_salt('bf')))",
        "CREATE EXTENSION vector; CREATE TABLE a (e vector(3), x public.vector(3)); "
        "CREATE INDEX ON a USING hnsw (e vector_cosine_ops); CREATE INDEX ON a USING ivfflat (e vector_l2_ops)",
        'CREATE EXTENSION IF NOT EXISTS "vector" WITH SCHEMA "extensions"; '
        "CREATE FUNCTION near(q vector) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        # what dumps begin with
        "SET session_replication_role = replica; SET statement_timeout = 0; SET lock_timeout = 0; "
        "SET idle_in_transaction_session_timeout = 0; SET client_encoding = 'UTF8'; "
        "SET standard_conforming_strings = on; SET check_function_bodies = false; SET xmloption = content; "
        "SET client_min_messages = warning; SET row_security = off; SET default_tablespace = ''",
        'ALTER SCHEMA "public" OWNER TO "pg_database_owner"; CREATE TABLE still_there (id int)',
        # what else hosted projects have
        "CREATE POLICY p ON storage.objects FOR INSERT WITH CHECK (storage.allow_only_operation('object.upload') "
        "AND storage.operation() <> '')",
        "SELECT net.http_delete('https://example.com'); SELECT count(*) FROM net._http_response",
        "SELECT cron.alter_job(cron.schedule('n', '* * * * *', 'SELECT 1'), schedule := '5 * * * *', active := false)",
        "CREATE EXTENSION pgmq; SELECT pgmq.create('jobs'); SELECT pgmq.send('jobs', '{}'); SELECT pgmq.list_queues(); "
        "SELECT pgmq.purge_queue('jobs')",
        "SELECT set_config('search_path', '', false); CREATE EXTENSION IF NOT EXISTS pgsodium; "
        "SELECT setval('pgsodium.key_key_id_seq', 1, true)",
        "CREATE TABLE a (id int PRIMARY KEY); ALTER PUBLICATION supabase_realtime_messages_publication ADD TABLE a",
        "GRANT USAGE ON SCHEMA public TO supabase_etl_admin, supabase_privileged_role, pgsodium_keyholder",
        'COMMENT ON SCHEMA "public" IS \'standard public schema\'; ALTER SCHEMA "public" OWNER TO "postgres"',
    ],
)
def test_what_migrations_rely_on(database: Database, tmp_path: Path, statement: str) -> None:
    run(database, tmp_path, f"{statement};")


def test_extensions_where_an_older_project_has_them(database: Database, tmp_path: Path) -> None:
    """Without a schema Supabase puts an extension into public, and dumps then say so in every column."""
    run(
        database,
        tmp_path,
        'CREATE EXTENSION IF NOT EXISTS "vector" WITH SCHEMA "public";\n'
        'CREATE TABLE "public"."pages" ("id" bigint PRIMARY KEY, "embedding" "public"."vector"(3));',
    )
    assert [column.type.base for column in database.table("pages").columns] == ["int8", "vector"]


def test_a_seed_in_replica_mode_passes_over_foreign_keys_and_triggers(database: Database, tmp_path: Path) -> None:
    run(
        database,
        tmp_path,
        """CREATE TABLE authors (id int PRIMARY KEY);
CREATE TABLE notes (id int PRIMARY KEY, author int REFERENCES authors (id), text text);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.text = upper(new.text); RETURN new; END $$;
CREATE TRIGGER shout BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION shout();
""",
        """SET session_replication_role = replica;
INSERT INTO notes VALUES (1, 7, 'as it was');
INSERT INTO authors VALUES (7);
RESET ALL;
""",
    )
    assert database.rows("SELECT id, author, text FROM public.notes") == [(1, 7, "as it was")]


def file_of(folder: Path, text: str) -> Path:
    path = folder / "1.sql"
    path.write_text(text)
    return path


def test_the_user_of_a_request_is_what_policies_see(database: Database) -> None:
    user = "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01"
    database.run("CREATE TABLE notes (owner uuid); ALTER TABLE notes ENABLE ROW LEVEL SECURITY;")
    database.run("CREATE POLICY own ON notes USING (owner = auth.uid()); GRANT SELECT ON notes TO authenticated;")
    database.run(f"INSERT INTO notes VALUES ('{user}'), (gen_random_uuid());")
    database.run(f"""
        SELECT set_config('request.jwt.claim.sub', '{user}', false);
        SET ROLE authenticated;
        DO $$ BEGIN ASSERT (SELECT count(*) FROM notes) = 1; END $$;
    """)


def test_the_claims_of_a_request_are_read_in_both_forms(database: Database) -> None:
    user = "0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01"
    claims = f'{{"sub": "{user}", "role": "authenticated", "email": "one@example.com"}}'
    database.run(f"""
        SELECT set_config('request.jwt.claims', '{claims}', false);
        CREATE TABLE seen AS SELECT auth.uid() AS uid, auth.role() AS role, auth.email() AS email, auth.jwt() AS jwt;
        SELECT set_config('request.jwt.claim.role', 'anon', false);
        CREATE TABLE older AS SELECT auth.role() AS role;
    """)
    ((uid, role, email, jwt),) = database.rows("SELECT uid::text, role, email, jwt FROM public.seen")
    assert (uid, role, email, jwt["sub"]) == (user, "authenticated", "one@example.com", user)
    assert database.value("SELECT role FROM public.older") == "anon", "the claim's own setting comes first"


def test_nobody_is_signed_in_while_files_are_replayed(database: Database) -> None:
    assert database.rows("SELECT auth.uid(), auth.role(), auth.email(), auth.jwt()") == [(None, None, None, None)]


def test_what_dumps_and_migrations_name_of_the_services_is_there(database: Database, tmp_path: Path) -> None:
    """As tables, columns and functions of Supabase's services, which a data dump fills."""
    report = replay_files(
        database,
        [
            file_of(
                tmp_path,
                """INSERT INTO storage.buckets (id, name, type) VALUES ('a', 'a', 'STANDARD');
INSERT INTO storage.objects (bucket_id, name, level) VALUES ('a', 'b/c.png', 2);
INSERT INTO storage.prefixes (bucket_id, name) VALUES ('a', 'b');
INSERT INTO storage.migrations (id, name, hash) VALUES (0, 'create', 'x');
COPY storage.s3_multipart_uploads (id, in_progress_size, upload_signature, bucket_id, key, version) FROM stdin;
\\.
INSERT INTO auth.users (id) VALUES ('0b7f3c52-91d4-4e0a-8a6f-5d2c1e9b4a01');
INSERT INTO auth.sessions (id, user_id, oauth_client_id) VALUES (gen_random_uuid(), (SELECT id FROM auth.users), NULL);
INSERT INTO auth.refresh_tokens (token, user_id, session_id) SELECT 't', user_id, id FROM auth.sessions;
INSERT INTO auth.mfa_amr_claims SELECT id, now(), now(), 'password', gen_random_uuid() FROM auth.sessions;
INSERT INTO auth.audit_log_entries (id, payload) VALUES (gen_random_uuid(), '{}');
SELECT count(*) FROM auth.mfa_factors, auth.mfa_challenges, auth.flow_state, auth.one_time_tokens, auth.sso_providers,
  auth.sso_domains, auth.saml_providers, auth.saml_relay_states, auth.instances, auth.schema_migrations;
INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ('1', 'one');
INSERT INTO supabase_migrations.seed_files VALUES ('seed.sql', 'x');
SELECT count(*) FROM supabase_functions.hooks, supabase_functions.migrations, realtime.subscription;
SELECT pgmq.create('Jobs');
SELECT pgmq.send('Jobs', '{"a": 1}');
ALTER TABLE pgmq.q_jobs ENABLE ROW LEVEL SECURITY;
SELECT vault.create_secret('hidden', 'key');
SELECT vault.update_secret(id, 'other') FROM vault.secrets;
SELECT pgsodium.create_key(name => 'k');
SELECT graphql_public.graphql(query => '{ a }');
SELECT cron.schedule('0 0 * * *', 'SELECT 1');
ALTER TABLE auth.mfa_factors ENABLE ROW LEVEL SECURITY;
GRANT EXECUTE ON FUNCTION extensions.uuid_generate_v4() TO anon;
""",
            )
        ],
    )
    assert report.failed == ()
    assert database.rows("SELECT name, decrypted_secret FROM vault.decrypted_secrets") == [("key", "other")]
    assert database.rows("SELECT message FROM pgmq.read('jobs', 30, 5)", role="postgres") == [({"a": 1},)]
    assert database.catalog("public").tables == ()


def test_the_parts_of_a_storage_path(database: Database) -> None:
    assert database.rows(
        "SELECT storage.foldername('a/b/c.tar.gz'), storage.filename('a/b/c.tar.gz'), storage.extension('a/b/c.tar.gz')"
    ) == [(["a", "b"], "c.tar.gz", "gz")]


def test_published_tables_are_seen(database: Database) -> None:
    database.run("CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY);")
    database.run("ALTER PUBLICATION supabase_realtime ADD TABLE b, a;")
    assert database.catalog().others == (NamedObject("publication", "supabase_realtime", "public.a, public.b"),)


def test_scheduled_jobs_are_kept_by_name(database: Database) -> None:
    database.run("SELECT cron.schedule('n', '1 * * * *', 'old'); SELECT cron.schedule('n', '2 * * * *', 'new');")
    assert database.rows("SELECT jobname, schedule, command FROM cron.job") == [("n", "2 * * * *", "new")]


def test_a_new_project_has_no_table_of_its_own(database: Database) -> None:
    catalog = database.catalog("public")
    assert (catalog.tables, catalog.others) == ((), ())


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_tables_of_a_project_are_open_to_the_api_roles(database: Database, role: str) -> None:
    database.run("CREATE TABLE notes (id int)")
    assert database.value("SELECT has_table_privilege(%s, 'public.notes', 'SELECT, INSERT')", [role]) is True


def test_a_report_of_nothing(database: Database) -> None:
    assert replay_files(database, []) == Report(0, 0)


WHOLE_DUMP = """SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA auth;
ALTER SCHEMA auth OWNER TO supabase_admin;
CREATE TYPE auth.aal_level AS ENUM ('aal1');
CREATE FUNCTION auth.email() RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
CREATE FUNCTION realtime.apply_rls(wal jsonb) RETURNS SETOF realtime.wal_rls LANGUAGE sql AS $$ SELECT $$;
CREATE TABLE auth.users (id uuid NOT NULL, email varchar(255));
CREATE TABLE public.profiles (id uuid NOT NULL, name text);
COPY auth.users (id, email, of_another_day) FROM stdin;
00000000-0000-4000-8000-000000000001\ta@example.com\tx
\\.
INSERT INTO storage.buckets (id, name, newest) VALUES ('files', 'files', true);
COPY public.profiles (id, name) FROM stdin;
00000000-0000-4000-8000-000000000001\tann
\\.
ALTER TABLE ONLY auth.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.profiles ADD CONSTRAINT profiles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.profiles ADD CONSTRAINT profiles_id_fkey FOREIGN KEY (id) REFERENCES auth.users (id);
CREATE VIEW vault.decrypted_secrets AS SELECT 1;
CREATE PUBLICATION supabase_realtime;
ALTER SCHEMA public OWNER TO pg_database_owner;
"""


def test_a_dump_of_the_whole_database_keeps_its_rows(database: Database, tmp_path: Path) -> None:
    """With Supabase's own schemas, and columns of their tables that are newer than what stands in for them."""
    report = replay_files(database, [file_of(tmp_path, WHOLE_DUMP)])
    there_already = ("42P06", "42P07", "42710", "42723")
    assert [one for one in report.failed if not one.harmless and one.sqlstate not in there_already] == []
    assert database.rows("SELECT email, of_another_day FROM auth.users") == [("a@example.com", "x")]
    assert database.rows("SELECT name, newest FROM storage.buckets") == [("files", "true")]
    assert [key.referenced_table for key in database.table("profiles").foreign_keys] == ["users"]


def test_a_schema_of_supabase_s_own_keeps_its_name(database: Database, tmp_path: Path) -> None:
    """As at Supabase the statement is refused; what the file makes besides stays."""
    text = """CREATE TABLE notes (id int PRIMARY KEY, owner uuid REFERENCES auth.users);
ALTER SCHEMA auth RENAME TO old_auth;
CREATE SCHEMA auth;
CREATE TABLE tasks (id int PRIMARY KEY, owner uuid REFERENCES auth.users (id));
"""
    report = replay_files(database, [file_of(tmp_path, text)])
    assert [(failure.line, failure.error) for failure in report.failed] == [
        (2, "must be owner of schema auth"), (3, 'schema "auth" already exists'),
    ]  # fmt: skip
    assert {table.name for table in database.catalog()} == {"notes", "tasks"} and report.lost == ()
