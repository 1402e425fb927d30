"""Ways out of the database that a stranger's migration file may try: none of them reaches the machine or the superuser.

Each attack is the text of a migration file. It is replayed the public way, with a program and a file of the machine
beside it that nobody may run or read, and the database is asked afterwards what the role can do.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from supavex.postgres import server as servers
from supavex.postgres.replay import Replay
from tests.databases import open_folder

SECRET = "the-secret-of-the-machine"


@dataclass(frozen=True)
class Machine:
    """The folder of the machine that an attack is after: a program that leaves a mark, a file to read, one to write."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "program"

    @property
    def ran(self) -> Path:
        return self.folder / "marks" / "ran"

    @property
    def secret(self) -> Path:
        return self.folder / "secret"

    @property
    def written(self) -> Path:
        return self.folder / "marks" / "written"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Everything in it is open to every user, so that only PostgreSQL's own rules are in an attack's way."""
    with open_folder() as folder:
        machine = Machine(folder / "machine")
        machine.folder.mkdir()
        (machine.folder / "marks").mkdir()
        (machine.folder / "marks").chmod(0o777)
        machine.program.write_text(f"#!/bin/sh\ncat > {machine.ran}\n")
        machine.program.chmod(0o755)
        machine.secret.write_text(SECRET)
        machine.secret.chmod(0o644)
        machine.folder.chmod(0o755)
        yield machine


#: A function that runs the program if its caller may; ``{run}`` in an attack calls it.
MAKE_RUN = """
CREATE SCHEMA IF NOT EXISTS evil;
CREATE OR REPLACE FUNCTION evil.run() RETURNS int LANGUAGE plpgsql AS $evil$ BEGIN
  BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''{program}'''; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
  BEGIN EXECUTE 'ALTER ROLE postgres SUPERUSER'; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
  RETURN 1;
END $evil$;
CREATE OR REPLACE FUNCTION evil.trigger() RETURNS trigger LANGUAGE plpgsql AS
  $evil$ BEGIN PERFORM evil.run(); RETURN new; END $evil$;
CREATE OR REPLACE FUNCTION evil.event() RETURNS event_trigger LANGUAGE plpgsql AS
  $evil$ BEGIN PERFORM evil.run(); END $evil$;
"""

ATTACKS = {
    # ------------------------------------------------------------------------------------------- programs and files
    "copy to a program": "COPY (SELECT 1) TO PROGRAM '{program}';",
    "copy from a program": "CREATE TABLE t (a text); COPY t FROM PROGRAM '{program}';",
    "copy to a file": "COPY (SELECT 1) TO '{written}';",
    "copy from a file": "CREATE TABLE loot (a text); COPY loot FROM '{secret}';",
    "copy by a function": "{make} SELECT evil.run();",
    "copy in a do block": "DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''{program}'''; END $$;",
    "copy in a procedure": "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COPY (SELECT 1) TO PROGRAM '{program}'; END $$; CALL p();",
    "copy as another role": "SET ROLE service_role; COPY (SELECT 1) TO PROGRAM '{program}';",
    "read a file": "CREATE TABLE loot AS SELECT pg_read_file('{secret}') AS a;",
    "read a binary file": "CREATE TABLE loot AS SELECT convert_from(pg_read_binary_file('{secret}'), 'UTF8') AS a;",
    "list a folder": "CREATE TABLE loot AS SELECT string_agg(n, ',') AS a FROM pg_ls_dir('{folder}') AS n;",
    "look at a file": "CREATE TABLE loot AS SELECT size FROM pg_stat_file('{secret}');",
    "list the log": "CREATE TABLE loot AS SELECT * FROM pg_ls_logdir();",
    "list temporary files": "CREATE TABLE loot AS SELECT * FROM pg_ls_tmpdir();",
    "read pg_hba": "CREATE TABLE loot AS SELECT * FROM pg_hba_file_rules;",
    "read the settings' files": "CREATE TABLE loot AS SELECT * FROM pg_file_settings;",
    "import a large object": "SELECT lo_import('{secret}', 4711); CREATE TABLE loot AS SELECT convert_from(lo_get(4711), 'UTF8') AS a;",
    "export a large object": "SELECT lo_from_bytea(4712, 'x'); SELECT lo_export(4712, '{written}');",
    "a tablespace": "CREATE TABLESPACE s LOCATION '{folder}/marks';",
    "the settings' file": "ALTER SYSTEM SET archive_command = '{program}'; SELECT pg_reload_conf();",
    "a library": "LOAD '{program}';",
    "a library of the session": "SET session_preload_libraries = '{program}';",
    "a library of the role": "ALTER ROLE postgres SET session_preload_libraries = '{program}';",
    "a library of the database": "ALTER DATABASE postgres SET session_preload_libraries = '{program}';",
    "a library of every session": "ALTER DATABASE postgres SET local_preload_libraries = 'evil';",
    "the path of libraries": "SET dynamic_library_path = '{folder}'; LOAD 'program';",
    "the path of extensions": "SET extension_control_path = '{folder}'; CREATE EXTENSION evil;",
    "a dictionary's file": "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = synonym, SYNONYMS = '../../../../../../..{secret}');",
    "the log's program": "SET log_destination = 'stderr'; SET log_directory = '{folder}/marks';",
    "the backup's program": "SELECT pg_backup_start('x'); SELECT pg_switch_wal();",
    # -------------------------------------------------------------------------------------------------- languages
    "a function in C": "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '{program}', 'f';",
    "libc's system": "CREATE FUNCTION system(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'; SELECT system('{program}');",
    "an internal function": "CREATE FUNCTION f(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'; CREATE TABLE loot AS SELECT f('{secret}') AS a;",
    "Python": "CREATE EXTENSION plpython3u; CREATE LANGUAGE plpython3u; DO LANGUAGE plpython3u $$ import os; os.system('{program}') $$;",
    "Perl": "CREATE EXTENSION plperlu; DO LANGUAGE plperlu $$ system('{program}') $$;",
    "a language": "CREATE LANGUAGE evil HANDLER plpgsql_call_handler;",
    "a trusted language": "UPDATE pg_language SET lanpltrusted = true; ALTER LANGUAGE plpgsql OWNER TO postgres;",
    "a base type": "CREATE TYPE evil; CREATE FUNCTION i(cstring) RETURNS evil LANGUAGE internal AS 'textin';",
    # --------------------------------------------------------------------------------------------- other servers
    "dblink": "CREATE EXTENSION dblink; SELECT dblink_connect('host=/tmp user=supabase_admin dbname=postgres');",
    "a foreign server": "CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;",
    "a foreign file": "CREATE EXTENSION file_fdw; CREATE SERVER f FOREIGN DATA WRAPPER file_fdw; "
    "CREATE FOREIGN TABLE loot (a text) SERVER f OPTIONS (filename '{secret}');",
    "a wrapper of one's own": "CREATE FOREIGN DATA WRAPPER w HANDLER file_fdw_handler;",
    "large objects' extension": "CREATE EXTENSION lo;",
    "administration's extension": "CREATE EXTENSION adminpack; SELECT pg_file_write('{written}', 'x', false);",
    "pages of files": "CREATE EXTENSION pageinspect; SELECT get_raw_page('pg_authid', 0);",
    "memory of others": "CREATE EXTENSION pg_buffercache; SELECT * FROM pg_buffercache;",
    "XML of files": "CREATE EXTENSION xml2; CREATE TABLE loot AS SELECT xpath('/a', xml '<!DOCTYPE a [<!ENTITY e SYSTEM \"file://{secret}\">]><a>&e;</a>')::text AS a;",
    "a subscription": "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false);",
    "a replication slot": "SELECT pg_create_physical_replication_slot('s');",
    "a logical slot": "SELECT pg_create_logical_replication_slot('s', 'test_decoding');",
    "publishing everything": "CREATE PUBLICATION p FOR ALL TABLES;",
    # ------------------------------------------------------------------------------------------------------ roles
    "becoming the superuser": "SET ROLE supabase_admin; COPY (SELECT 1) TO PROGRAM '{program}';",
    "another session's user": "SET SESSION AUTHORIZATION supabase_admin; COPY (SELECT 1) TO PROGRAM '{program}';",
    "the setting of the role": "SELECT set_config('role', 'supabase_admin', false); SELECT set_config('session_authorization', 'supabase_admin', false);",
    "a superuser of oneself": "ALTER ROLE postgres SUPERUSER;",
    "a new superuser": "CREATE ROLE evil SUPERUSER LOGIN; GRANT evil TO postgres;",
    "the superuser's password": "ALTER ROLE supabase_admin PASSWORD 'x';",
    "the superuser's path": "ALTER ROLE supabase_admin SET search_path = evil, pg_catalog;",
    "everybody's path": "ALTER ROLE ALL SET search_path = evil, pg_catalog;",
    "renaming the superuser": "ALTER ROLE supabase_admin RENAME TO other;",
    "dropping the superuser": "DROP OWNED BY supabase_admin; REASSIGN OWNED BY supabase_admin TO postgres; DROP ROLE supabase_admin;",
    "membership": "GRANT supabase_admin TO postgres; SET ROLE supabase_admin;",
    "programs by a role": "GRANT pg_execute_server_program TO postgres; COPY (SELECT 1) TO PROGRAM '{program}';",
    "files by a role": "GRANT pg_read_server_files, pg_write_server_files TO postgres; CREATE TABLE loot AS SELECT pg_read_file('{secret}') AS a;",
    "a new member": "CREATE ROLE evil LOGIN CREATEROLE; GRANT pg_execute_server_program TO evil; SET ROLE evil;",
    "in a role": "CREATE ROLE evil IN ROLE pg_execute_server_program, pg_read_server_files ROLE postgres; SET ROLE evil;",
    "the dashboard's user": "GRANT dashboard_user TO postgres; SET ROLE dashboard_user; CREATE DATABASE d;",
    "the services' users": "SET ROLE supabase_auth_admin; SET ROLE supabase_storage_admin; SET ROLE pgbouncer;",
    "a database": "CREATE DATABASE d TEMPLATE template0;",
    "another user's sessions": "GRANT pg_signal_backend TO postgres; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'supabase_admin';",
    "the catalog of roles": "UPDATE pg_authid SET rolsuper = true; UPDATE pg_catalog.pg_auth_members SET roleid = 10;",
    "writing the catalog": "SET allow_system_table_mods = on; UPDATE pg_proc SET proowner = 10 WHERE proname = 'run';",
    "passwords": "CREATE TABLE loot AS SELECT rolname, rolpassword FROM pg_authid;",
    "monitoring": "GRANT pg_monitor TO postgres; CREATE TABLE loot AS SELECT * FROM pg_stat_ssl;",
    # -------------------------------------------------------------------- what the superuser may touch afterwards
    "a trigger on supavex's tables": "{make} DROP TABLE IF EXISTS supabase_migrations.supavex_extensions; "
    "CREATE TABLE supabase_migrations.supavex_extensions (name text PRIMARY KEY); CREATE TRIGGER t BEFORE INSERT ON "
    "supabase_migrations.supavex_extensions FOR EACH ROW EXECUTE FUNCTION evil.trigger(); CREATE EXTENSION IF NOT EXISTS "
    '"uuid-ossp"; CREATE EXTENSION citext;',
    "supavex's own functions": "CREATE OR REPLACE FUNCTION supavex.sha1(data bytea) RETURNS bytea LANGUAGE sql AS 'SELECT data';",
    "a function among supavex's": "{make} CREATE FUNCTION supavex.format(text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT evil.run()::text $$;",
    "moving an extension into the catalog": "CREATE EXTENSION citext; SELECT supavex.move_extension('citext', 'pg_catalog');",
    "moving what one has added": "{make} CREATE EXTENSION citext; ALTER EXTENSION citext ADD FUNCTION evil.run(); "
    "SELECT supavex.move_extension('citext', 'pg_catalog'); SELECT supavex.move_extension('citext', 'supavex');",
    "another's extension": "SELECT supavex.move_extension('supavex', 'public'); SELECT supavex.move_extension('plpgsql', 'public');",
    "a temporary catalog": "{make} CREATE TEMP TABLE pg_extension (extname text, extowner oid); CREATE TEMP TABLE pg_roles (oid oid, rolname text); "
    "INSERT INTO pg_temp.pg_extension VALUES ('supavex', 1); INSERT INTO pg_temp.pg_roles VALUES (1, 'postgres'); "
    "SELECT supavex.move_extension('supavex', 'public');",
    "an extension's name as code": "{make} SELECT supavex.move_extension('citext\"; SELECT evil.run(); --', 'public');",
    "a function before the script": "{make} CREATE FUNCTION public.citext_eq(text, text) RETURNS bool LANGUAGE sql AS $$ SELECT evil.run() = 1 $$; "
    "CREATE FUNCTION public.abs(double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT evil.run()::float8 $$; "
    "CREATE FUNCTION public.pi() RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT evil.run()::float8 $$; "
    "CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION earthdistance SCHEMA public CASCADE; CREATE EXTENSION hstore SCHEMA public;",
    "an operator before the script": "{make} CREATE FUNCTION evil.eq(name, name) RETURNS bool LANGUAGE sql AS $$ SELECT evil.run() = 1 $$; "
    "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.eq); CREATE FUNCTION evil.eqt(name, text) RETURNS bool LANGUAGE sql AS "
    "$$ SELECT evil.run() = 1 $$; CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.eqt); "
    "ALTER DATABASE postgres SET search_path = public, pg_catalog; SET search_path = public, pg_catalog; "
    "CREATE EXTENSION intarray SCHEMA public; CREATE EXTENSION btree_gist SCHEMA public; CREATE EXTENSION vector SCHEMA public;",
    "a type before the script": "CREATE TYPE public.citext; CREATE DOMAIN public.hstore AS text; CREATE TYPE public.ltree AS (a int); "
    "CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION ltree SCHEMA public;",
    "replacing what the script makes": "{make} CREATE EXTENSION citext VERSION '1.4' SCHEMA public; CREATE OR REPLACE FUNCTION public.citext_eq(citext, citext) "
    "RETURNS bool LANGUAGE sql AS $$ SELECT evil.run() = 1 $$; ALTER EXTENSION citext UPDATE;",
    "a cast before the script": "{make} CREATE FUNCTION evil.cast(int) RETURNS bool LANGUAGE sql AS $$ SELECT evil.run() = 1 $$; CREATE DOMAIN evil.d AS text; "
    "CREATE CAST (text AS evil.d) WITH INOUT AS IMPLICIT; CREATE EXTENSION pg_trgm SCHEMA evil;",
    "an event trigger": "{make} CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION evil.event(); CREATE EXTENSION citext;",
    "an event trigger at log in": "{make} CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION evil.event();",
    "default privileges": "{make} ALTER DEFAULT PRIVILEGES FOR ROLE supabase_admin GRANT ALL ON FUNCTIONS TO postgres; "
    "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO supabase_admin; CREATE EXTENSION pg_stat_statements;",
    "a definer's function": "{make} ALTER FUNCTION evil.run() SECURITY DEFINER; ALTER FUNCTION evil.run() OWNER TO supabase_admin; SELECT evil.run();",
    "a view of the superuser's": "{make} CREATE VIEW evil.v AS SELECT evil.run(); ALTER VIEW evil.v OWNER TO supabase_admin; SELECT * FROM evil.v;",
    "an index's expression": "{make} ALTER FUNCTION evil.run() IMMUTABLE; CREATE TABLE t (a int); CREATE FUNCTION evil.of(int) RETURNS int LANGUAGE sql IMMUTABLE AS "
    "$$ SELECT evil.run() $$; CREATE INDEX ON t (evil.of(a)); INSERT INTO t SELECT generate_series(1, 1000); ANALYZE t; VACUUM t;",
    "statistics of an expression": "{make} CREATE TABLE t (a int, b int); CREATE FUNCTION evil.of(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
    "$$ BEGIN RETURN evil.run(); END $$; CREATE STATISTICS s ON (evil.of(a)), b FROM t; INSERT INTO t SELECT n, n FROM generate_series(1, 1000) n;",
    "a policy": "{make} CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; "
    "CREATE POLICY p ON t USING (evil.run() = 1); INSERT INTO t VALUES (1);",
    "a rule": "{make} CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO u SELECT evil.run();",
    "a deferred trigger": "{make} CREATE TABLE t (a int); CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
    "EXECUTE FUNCTION evil.trigger(); INSERT INTO t VALUES (1);",
    "a trigger on users": "{make} CREATE TRIGGER t AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION evil.trigger(); "
    "INSERT INTO auth.users (id) VALUES (gen_random_uuid());",
    "the catalog's look-alikes": "{make} CREATE VIEW public.pg_class AS SELECT evil.run() AS oid; CREATE TABLE public.pg_roles (rolname name); "
    "CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT evil.run()::text $$; "
    "ALTER ROLE postgres SET search_path = public, pg_catalog; ALTER DATABASE postgres SET search_path = public, pg_catalog;",
    "a function in the catalog": "{make} CREATE FUNCTION pg_catalog.evil() RETURNS int LANGUAGE sql AS $$ SELECT evil.run() $$; "
    "ALTER FUNCTION evil.run() SET SCHEMA pg_catalog;",
    "a schema of the user's name": '{make} CREATE SCHEMA supabase_admin; CREATE FUNCTION supabase_admin.set_config(text, text, bool) RETURNS text LANGUAGE sql AS '
    "$$ SELECT evil.run()::text $$; CREATE SCHEMA pg_evil;",
    "owner of a database": "ALTER DATABASE postgres OWNER TO postgres; ALTER DATABASE template1 OWNER TO postgres;",
    "owner of the superuser's tables": "ALTER TABLE vault.secrets OWNER TO postgres; ALTER SCHEMA supavex OWNER TO postgres;",
    "ending the replay's own session": "SELECT pg_terminate_backend(pg_backend_pid());",
    "a parameter's grant": "GRANT ALTER SYSTEM ON PARAMETER archive_command TO postgres; GRANT SET ON PARAMETER session_preload_libraries TO postgres;",
    "a security label": "SECURITY LABEL FOR evil ON ROLE postgres IS 'x';",
    "an access method": "CREATE ACCESS METHOD evil TYPE INDEX HANDLER bthandler;",
    "a class of operators": "CREATE OPERATOR CLASS evil DEFAULT FOR TYPE int4 USING btree AS FUNCTION 1 btint4cmp(int4, int4);",
    "a conversion": "CREATE CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;",
    "a psql command": "\\! {program}\n\\o | {program}\n\\copy (SELECT 1) TO PROGRAM '{program}'\nSELECT 1 \\g | {program}\n\\i {secret}\n",
    "a variable of psql": "\\set x `{program}`\nSELECT :'x';\n",
}  # fmt: skip


def test_there_are_enough_of_them() -> None:
    assert len(ATTACKS) >= 100


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def replays(place: Path, machine: Machine) -> Iterator[servers.Server]:
    """One server for all attacks, each of them in a database as new as the first."""
    with servers.running(place / "server") as server:
        from tests.databases import PRELUDE

        servers.execute_script(server, PRELUDE)
        yield server


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_reaches_nothing(name: str, replays: servers.Server, machine: Machine, tmp_path: Path) -> None:
    from supavex.postgres.run_files import replay_files
    from tests.databases import new_database

    file = tmp_path / "20240101000000_attack.sql"
    file.write_text(filled(ATTACKS[name], machine))
    with new_database(replays) as database:
        replay_files(database, [file])
        database.catalog("public", "evil")
        database.run("ANALYZE")
        with servers.as_superuser(database) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (servers.SUPERUSER,)
        powers = database.rows("""
            SELECT r.rolname FROM pg_catalog.pg_roles r
            WHERE (r.rolsuper OR r.rolcreatedb OR r.rolreplication OR r.rolname IN ('pg_read_server_files', 'pg_monitor',
                   'pg_write_server_files', 'pg_execute_server_program', 'pg_signal_backend', 'pg_create_subscription'))
              AND (pg_catalog.pg_has_role('postgres', r.oid, 'MEMBER') OR r.rolname = 'postgres')""")
        assert powers == [], "the role has become more than it was"
        owned = database.rows(f"""
            SELECT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname IN ('pg_catalog', 'supavex') AND p.proowner <> '{servers.SUPERUSER}'::regrole""")
        assert owned == [], "a function of the files' is where the superuser's are"
        loot = database.rows("SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'loot' AND relkind = 'r'")
        if loot:
            rows = database.rows("SELECT * FROM public.loot")
            assert rows == [] or (SECRET not in str(rows) and name in HARMLESS), rows
    assert not machine.ran.exists(), "the program has run"
    assert not machine.written.exists(), "a file was written"
    assert machine.secret.read_text() == SECRET


def test_the_marks_are_seen_where_an_attack_succeeds(replays: servers.Server, machine: Machine) -> None:
    """What the other tests look for is there when the superuser runs the attacks."""
    from tests.databases import new_database

    with new_database(replays) as database, servers.as_superuser(database) as connection:
        try:
            connection.execute(filled(ATTACKS["copy to a program"], machine).encode())
            connection.execute(filled(ATTACKS["copy to a file"], machine).encode())
            connection.execute("SET search_path = public")
            connection.execute(filled(ATTACKS["read a file"], machine).encode())
            assert connection.execute("SELECT * FROM public.loot").fetchone() == (SECRET,)
            assert machine.ran.exists() and machine.written.exists()
        finally:
            machine.ran.unlink(missing_ok=True)
            machine.written.unlink(missing_ok=True)


#: Attacks whose table is made: what it holds is nobody's secret.
HARMLESS = ("XML of files", "monitoring")


def filled(attack: str, machine: Machine) -> str:
    """The text of the migration file of an attack on ``machine``."""
    text = attack.replace("{make}", MAKE_RUN)
    for word in ("program", "written", "secret", "folder"):
        text = text.replace("{" + word + "}", str(getattr(machine, word)))
    return text


#: Ways in by a live source: what its objects do when their rows are copied.
LIVE = """
{make}
CREATE FUNCTION evil.fixed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN evil.run(); END $$;
CREATE TABLE public.checked (id int PRIMARY KEY, CHECK (evil.run() = 1));
CREATE TABLE public.unproven (id int PRIMARY KEY);
CREATE TABLE public.generated (id int PRIMARY KEY, n int GENERATED ALWAYS AS (evil.fixed(id)) STORED);
CREATE TABLE public.indexed (id int PRIMARY KEY);
CREATE INDEX ON public.indexed (evil.fixed(id));
CREATE DOMAIN public.held AS int CHECK (evil.fixed(VALUE) = 1);
CREATE TABLE public.of_domain (id int PRIMARY KEY, n public.held);
CREATE TABLE public.guarded (id int PRIMARY KEY);
ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON public.guarded USING (evil.run() = 1);
CREATE TABLE public.always (id int PRIMARY KEY);
CREATE TRIGGER t BEFORE INSERT ON public.always FOR EACH ROW EXECUTE FUNCTION evil.trigger();
ALTER TABLE public.always ENABLE ALWAYS TRIGGER t;
CREATE TRIGGER t BEFORE INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION evil.trigger();
ALTER TABLE auth.users ENABLE ALWAYS TRIGGER t;
ALTER TABLE auth.identities ADD CONSTRAINT evil CHECK (evil.run() = 1);
INSERT INTO public.checked VALUES (1); INSERT INTO public.unproven VALUES (1); INSERT INTO public.generated VALUES (1);
INSERT INTO public.indexed VALUES (1); INSERT INTO public.of_domain VALUES (1, 1);
INSERT INTO public.guarded VALUES (1); INSERT INTO public.always VALUES (1);
INSERT INTO auth.users (id, email) VALUES ('00000000-0000-4000-8000-000000000001', 'a@example.com');
INSERT INTO auth.identities (provider_id, user_id, identity_data, provider) SELECT 'a', id, '{}', 'email' FROM auth.users;
ALTER TABLE public.unproven ADD CONSTRAINT later CHECK (evil.run() = 1) NOT VALID;
CREATE MATERIALIZED VIEW public.kept AS SELECT evil.run() AS a;
CREATE STATISTICS public.s ON (evil.fixed(id)), id FROM public.indexed;
"""


def test_the_copy_of_a_live_source_reaches_nothing(replays: servers.Server, machine: Machine, tmp_path: Path) -> None:
    """The objects of a live source run with the rights of the files' role where its rows are copied."""
    from supavex.postgres.connection import connect
    from supavex.rules.proof.replica import replica
    from supavex.settings.reading import load_settings
    from tests.databases import new_database

    with new_database(replays) as database:
        with connect(database.url(), settings={"search_path": "public"}) as connection:
            connection.execute(filled(LIVE, machine).encode())
        (tmp_path / "supavex.toml").write_text(f"[source]\ndatabase_url = {json.dumps(database.url())}\n")
        project = load_settings(tmp_path)
        plan: Any = SimpleNamespace(tables=[])
        with replica(project, plan, lambda _: None) as copied:
            assert copied.rows >= 8, copied.differences
            with connect(copied.url) as connection:
                sql = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'postgres'"
                assert connection.execute(sql).fetchone() == (False,)
    assert not machine.ran.exists(), "the program has run"


@pytest.mark.slow
def test_all_attacks_one_after_the_other_reach_nothing(machine: Machine) -> None:
    """The public way: a project's replay, whose server is started again afterwards."""
    with open_folder() as folder:
        migrations = folder / "migrations"
        migrations.mkdir()
        for number, attack in enumerate(ATTACKS.values()):
            (migrations / f"{20240101000000 + number}_attack.sql").write_text(filled(attack, machine))
        replay = Replay(folder / "source", sorted(migrations.iterdir()), ["public", "evil"])
        replay.catalog()
        with replay.running():
            pass
        assert not machine.ran.exists() and not machine.written.exists()


def test_no_session_of_the_files_role_becomes_the_superuser_without_its_password(replays: servers.Server) -> None:
    import psycopg

    for secret in ("", " password=", " password=postgres", f" password={servers.SUPERUSER}"):
        address = f"host={replays.socket_folder} user={servers.SUPERUSER}{secret} dbname=postgres"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(address)
    password = replays.folder / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    if os.geteuid() == 0:
        command = ["cat", str(password)]
        assert (
            subprocess.run(command, user="nobody", group="nogroup", extra_groups=[], capture_output=True).stdout == b""
        )
