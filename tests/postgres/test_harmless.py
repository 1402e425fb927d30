"""Which statements can change neither a table of the project nor its rows."""

import pytest

from supavex.postgres.statement_kinds import described


@pytest.mark.parametrize(
    "sql",
    [
        "GRANT ALL ON a TO anon",
        "ALTER TABLE a OWNER TO ann",
        "ALTER VIEW v OWNER TO ann",
        "CREATE INDEX i ON a (b)",
        "CREATE POLICY p ON storage.objects USING (true)",
        "COMMENT ON TABLE a IS 'x'",
        "ALTER PUBLICATION supabase_realtime ADD TABLE a",
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
        "SELECT cron.schedule('a', '* * * * *', 'DELETE FROM a')",
        "SELECT cron.unschedule(jobid) FROM cron.job",
        "INSERT INTO cron.job (jobname) VALUES ('a')",
        "CREATE FOREIGN TABLE a (b int) SERVER s",
        "CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS $$ SELECT NULL::uuid $$",
        "CREATE VIEW vault.decrypted_secrets AS SELECT 1",
        "CREATE TYPE realtime.action AS ENUM ('a')",
        "CREATE TYPE pgmq.message_record AS (a int)",
        "CREATE SEQUENCE graphql.seq_schema_version",
        "CREATE TRIGGER t BEFORE INSERT ON storage.buckets FOR EACH ROW EXECUTE FUNCTION storage.f()",
        "ALTER TABLE ONLY auth.users ADD CONSTRAINT users_pkey PRIMARY KEY (id)",
    ],
)
def test_what_is_harmless(sql: str) -> None:
    assert described(sql).harmless


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE a (b int)",
        "ALTER TABLE a ADD b int",
        "ALTER TABLE auth.users ADD b int",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        "CREATE VIEW v AS SELECT * FROM auth.users",
        "ALTER TABLE a OWNER TO ann, DROP b",
        "ALTER TABLE a ENABLE ROW LEVEL SECURITY",
        "CREATE UNIQUE INDEX i ON a (b)",
        "CREATE POLICY p ON a USING (true)",
        "CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION f()",
        "CREATE TRIGGER t AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.f()",
        "CREATE TRIGGER t AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION f()",
        "INSERT INTO auth.users VALUES (1)",
        "INSERT INTO storage.buckets VALUES (1)",
        "WITH x AS (DELETE FROM a RETURNING 1) SELECT cron.schedule('a') FROM x",
        "SELECT cron.schedule(f(a)) FROM a",
        "SELECT f()",
        "SELECT 1",
        "DO $$ BEGIN PERFORM cron.schedule('a'); END $$",
        "SET search_path TO app",
        "no SQL",
    ],
)
def test_what_is_not(sql: str) -> None:
    assert described(sql).harmless == ""


def test_the_columns_of_an_alter_table() -> None:
    sql = "ALTER TABLE a ADD b int, ADD CONSTRAINT k CHECK (b > 0), ALTER c TYPE text, DROP d, ADD b int"
    assert described(sql).columns == ("b",)
    assert described("ALTER TABLE a RENAME b TO c").columns == ("c",)
    assert described("ALTER TABLE a RENAME TO c").columns == ()
