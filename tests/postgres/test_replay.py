"""Migration files run in order, statement by statement; what fails is told, and takes nothing with it."""

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from supavex.errors import SupavexError, UsageError
from supavex.postgres import file_session
from supavex.postgres import replay as replays
from supavex.postgres import server as servers
from supavex.postgres.budget import Limits
from supavex.postgres.connection import connect
from supavex.postgres.file_session import FileSessions
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.replay import Replay, fingerprint
from supavex.postgres.report import Failure, Loss, NotRun, Report
from supavex.postgres.run_files import replay_files
from supavex.postgres.source_files import files_of_folder
from supavex.postgres.statements import Statement, split
from supavex.steps import listener
from tests.databases import Database, wait_until_left

Run = Callable[..., Report]


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Run:
    """Replays texts as files 1.sql, 2.sql, … into the test's database."""

    def run(*texts: str | bytes) -> Report:
        files = []
        for number, text in enumerate(texts, start=1):
            file = tmp_path / f"{number}.sql"
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            files.append(file)
        return replay_files(database, files)

    return run


def said(report: Report) -> list[tuple[str, int, str]]:
    """File, line and reason of each failure."""
    return [(failure.file, failure.line, failure.error) for failure in report.failed]


def tables(database: Database, *schemas: str) -> list[str]:
    return [table.qualified for table in database.catalog(*schemas)]


# --------------------------------------------------------------------------------------------------------------- files


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("20240102_b.sql", "20240101_a.sql", "10_c.sql", "9_d.sql"):
        (tmp_path / name).touch()
    assert [file.name for file in files_of_folder(tmp_path).files] == [
        "10_c.sql",
        "20240101_a.sql",
        "20240102_b.sql",
        "9_d.sql",
    ]


def test_only_sql_files_of_the_folder_itself_count(tmp_path: Path) -> None:
    (tmp_path / "1.sql").touch()
    (tmp_path / "README.md").touch()
    (tmp_path / "2.sql.bak").touch()
    (tmp_path / "3.sql").mkdir()
    (tmp_path / "3.sql/inner.sql").touch()
    assert [file.name for file in files_of_folder(tmp_path).files] == ["1.sql"]


def test_a_folder_that_is_missing_or_empty_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UsageError) as caught:
            files_of_folder(folder)
        assert caught.value.code == "NoMigrations"
        assert caught.value.where == str(folder)
        assert caught.value.exit_code == 2


# --------------------------------------------------------------------------------------------------- statements


def test_statements_of_all_files_are_run_in_order(database: Database, run: Run) -> None:
    report = run(
        "CREATE TABLE notes (id int PRIMARY KEY);\nINSERT INTO notes VALUES (1);",
        "ALTER TABLE notes ADD COLUMN text text DEFAULT 'old';\nALTER TABLE notes RENAME COLUMN text TO body;",
        "INSERT INTO notes (id, body) VALUES (2, 'new');",
    )
    assert report == Report(files=3, statements=5)
    assert database.rows("SELECT id, body FROM public.notes ORDER BY id") == [(1, "old"), (2, "new")]


def test_each_file_starts_with_a_session_of_its_own(database: Database, run: Run) -> None:
    """Dumps empty the search path, and what comes next relies on Supabase's."""
    report = run(
        "SELECT pg_catalog.set_config('search_path', '', false);\nSET ROLE anon;",
        "CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT uuid_generate_v4());",
    )
    assert report.failed == ()
    assert tables(database) == ["public.notes"]


def test_nothing_of_a_file_is_left_in_the_session_of_the_next(database: Database, run: Run) -> None:
    report = run(
        "CREATE TABLE seen (what text, value text); CREATE SEQUENCE numbers; SELECT nextval('numbers');\n"
        "CREATE TEMP TABLE scratch (id int); PREPARE q AS SELECT 1; SELECT pg_advisory_lock(7); LISTEN news;\n"
        "SET TIME ZONE 'Asia/Tokyo'; SET ROLE anon; DECLARE c CURSOR WITH HOLD FOR SELECT 1;",
        "INSERT INTO seen SELECT 'prepared', name FROM pg_prepared_statements;\n"
        "INSERT INTO seen SELECT 'cursor', name FROM pg_cursors;\n"
        "INSERT INTO seen SELECT 'lock', objid::text FROM pg_locks WHERE locktype = 'advisory';\n"
        "INSERT INTO seen SELECT 'heard', c FROM pg_listening_channels() c;\n"
        "INSERT INTO seen SELECT 'temporary', to_regclass('pg_temp.scratch')::text;\n"
        "INSERT INTO seen VALUES ('zone', current_setting('TimeZone')), ('role', current_user::text);\n"
        "INSERT INTO seen SELECT 'last', lastval()::text;",
    )
    assert [failure.error for failure in report.failed] == ["lastval is not yet defined in this session"]
    rows = database.rows("SELECT what, value FROM public.seen")
    assert rows == [("temporary", None), ("zone", "UTC"), ("role", "postgres")]


def test_files_share_a_connection_unless_one_leaves_what_stays(database: Database, run: Run) -> None:
    """PostgreSQL can't forget a parameter of a file's own: it would be empty, where a new session knows none."""
    pid = "INSERT INTO seen VALUES (pg_backend_pid(), current_setting('app.tenant', true));"
    report = run(
        "CREATE TABLE seen (pid int, tenant text);", pid, f"SET app.tenant = 'x';\n{pid}", pid, "BEGIN; SELECT 1;", pid
    )
    assert [failure.file for failure in report.failed] == ["5.sql"], "its transaction is rolled back"
    rows = database.rows("SELECT pid, tenant FROM public.seen")
    assert [tenant for _, tenant in rows] == [None, "x", None, None]
    assert len({pid for pid, _ in rows[:2]}) == len({pid for pid, _ in rows[2:]}) == 1
    assert rows[0][0] != rows[2][0]


@pytest.mark.parametrize("sets", ["SELECT tenant();", "DO $$BEGIN SET app.tenant = 'x'; END$$;"])
def test_a_parameter_that_a_function_sets_is_unknown_to_the_next_file(sets: str, database: Database, run: Run) -> None:
    body = "SELECT SET_CONFIG('app.tenant', 'x', false)"
    seen = "INSERT INTO seen VALUES (current_setting('app.tenant', true));"
    run(
        f"CREATE TABLE seen (tenant text); CREATE FUNCTION tenant() RETURNS text LANGUAGE sql AS $${body}$$;",
        f"{sets}\n{seen}",
        seen,
    )
    assert [tenant for (tenant,) in database.rows("SELECT tenant FROM public.seen")] == ["x", None]


def test_a_session_that_was_ended_while_it_was_kept_is_not_used_again(database: Database) -> None:
    sessions = FileSessions(database)
    with closing(sessions):
        session = sessions.open()
        (statement,) = split("SELECT set_config('app.tenant', 'x', true);", "1.sql")
        assert isinstance(statement, Statement)
        assert session.execute(statement) is None
        sessions.keep(session)
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        with connect(database.url(servers.SUPERUSER)) as connection:
            connection.execute(f"{ended}pg_backend_pid()".encode())
        wait_until_left(database.url(servers.SUPERUSER))
        opened = sessions.open()
        assert opened is not session
        assert opened.execute(statement) is None
        opened.close()


def test_settings_of_a_file_hold_to_its_end(database: Database, run: Run) -> None:
    run("CREATE SCHEMA app;\nSET search_path = app;\nCREATE TABLE notes (id int);")
    assert tables(database, "public", "app") == ["app.notes"]


def test_bodies_of_functions_are_not_checked(database: Database, run: Run) -> None:
    report = run("CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM later $$;")
    assert report.failed == ()


def test_the_transactions_of_a_file_are_its_own(database: Database, run: Run) -> None:
    report = run("""BEGIN;
CREATE TABLE one (id int);
CREATE TABLE broken (id int, id int);
SAVEPOINT here;
CREATE TABLE two (id int);
ROLLBACK TO SAVEPOINT here;
commit;
START TRANSACTION;
CREATE TABLE three (id int);
ROLLBACK;
CREATE TABLE four (id int);
""")
    assert said(report) == [("1.sql", 3, 'column "id" specified more than once')]
    assert tables(database) == ["public.four", "public.one"]


ORDERS = "CREATE TABLE orders (id int PRIMARY KEY, total int);\nINSERT INTO orders VALUES (1, 10), (2, 20);"
#: What a second file does, and what public.orders then holds.
SECOND = {
    "set local": (
        "BEGIN; SET LOCAL search_path = old; CREATE TABLE orders (id int, total int); DELETE FROM orders; COMMIT;",
        [(1, 10), (2, 20)],
    ),
    "a temporary table": (
        "BEGIN; CREATE TEMP TABLE new ON COMMIT DROP AS SELECT 1 AS id, 7 AS total; "
        "UPDATE orders o SET total = n.total FROM new n WHERE n.id = o.id; COMMIT;",
        [(1, 7), (2, 20)],
    ),
    "rolled back": ("BEGIN; DELETE FROM orders; ROLLBACK;", [(1, 10), (2, 20)]),
    "a savepoint": ("BEGIN; SAVEPOINT s; DELETE FROM orders; ROLLBACK TO s; COMMIT;", [(1, 10), (2, 20)]),
    "one transaction": (
        "SELECT set_config('app.n', '7', true); UPDATE orders SET total = current_setting('app.n')::int;",
        [(1, 7), (2, 7)],
    ),
    "a new label used at once": (
        "CREATE TYPE e AS ENUM ('a');\nALTER TYPE e ADD VALUE 'b';\nALTER TABLE orders ADD COLUMN x e DEFAULT 'b';\n"
        "ALTER TABLE orders DROP COLUMN x;",
        [(1, 10), (2, 20)],
    ),
    "outside of transactions": ("CREATE INDEX CONCURRENTLY i ON orders (total); VACUUM orders;", [(1, 10), (2, 20)]),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_file_means_what_it_means_to_psql(database: Database, run: Run, name: str) -> None:
    text, rows = SECOND[name]
    report = run(f"CREATE SCHEMA old;\n{ORDERS}", text)
    assert (report.failed, report.out_of_order) == ((), ())
    assert database.rows("SELECT id, total FROM public.orders ORDER BY id") == rows


def test_what_a_rollback_undid_is_not_tried_again(database: Database, run: Run) -> None:
    report = run(
        "BEGIN;\nCREATE TABLE notes (author int REFERENCES authors);\nROLLBACK;",
        "CREATE TABLE authors (id int PRIMARY KEY);",
    )
    assert (report.failed, report.out_of_order) == ((), ())
    assert tables(database) == ["public.authors"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("BEGIN;\nCREATE TABLE lost (id int);", "the file ends without COMMIT"),
        (
            "CREATE TABLE lost (id int PRIMARY KEY, up int REFERENCES lost DEFERRABLE INITIALLY DEFERRED);\n"
            "INSERT INTO lost VALUES (1, 9);",
            "violates foreign key constraint",
        ),
    ],
)
def test_a_transaction_that_postgresql_undoes_is_told_with_its_tables(
    database: Database, run: Run, text: str, reason: str
) -> None:
    report = run(text)
    assert tables(database) == []
    assert ("create table", ("public.lost",)) in [(one.kind, one.tables[:1]) for one in report.failed]
    assert all(reason in one.error for one in report.failed)
    assert [loss.table for loss in report.lost] == ["public.lost"]


def test_settings_of_the_database_hold_from_the_next_file_on(database: Database, run: Run) -> None:
    report = run(
        "CREATE SCHEMA app;\nALTER DATABASE postgres SET search_path TO app, public;\nCREATE TABLE one (id int);\n"
        "ALTER ROLE authenticator SET pgrst.db_schemas = 'app';",
        "CREATE TABLE two (id int);",
    )
    assert report.failed == ()
    assert tables(database, "public", "app") == ["app.two", "public.one"]


def test_a_byte_order_mark_and_windows_line_ends(database: Database, run: Run) -> None:
    report = run(b"\xef\xbb\xbfCREATE TABLE one (id int);\r\nCREATE TABLE two (id int);\r\nSELECT broken;\r\n")
    assert said(report) == [("1.sql", 3, 'column "broken" does not exist')]
    assert tables(database) == ["public.one", "public.two"]


def test_percent_signs_are_no_placeholders(database: Database, run: Run) -> None:
    report = run("CREATE TABLE notes AS SELECT '100 %s'::text AS text WHERE 'a' LIKE '%';")
    assert report.failed == ()
    assert database.value("SELECT text FROM public.notes") == "100 %s"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_that_is_not_utf8_is_never_passed_over_in_silence(database: Database, run: Run, encoding: str) -> None:
    report = run("CREATE TABLE notes (näme text);\nCREATE TABLE more (id int);".encode(encoding))
    assert "public.more" in tables(database) or report.failed


def test_data_of_a_dump_are_loaded(database: Database, run: Run) -> None:
    """What pg_dump and ``supabase db dump --data-only --use-copy`` write."""
    report = run("""CREATE TABLE public.notes (id int PRIMARY KEY, text text);
COPY public.notes (id, text) FROM stdin;
1\tone; two
2\t\\N
3\tit's
\\.


CREATE TABLE public.after (id int);
""")
    assert report.failed == ()
    assert database.rows("SELECT id, text FROM public.notes ORDER BY id") == [(1, "one; two"), (2, None), (3, "it's")]
    assert tables(database) == ["public.after", "public.notes"]


# ------------------------------------------------------------------------------------------------------------ failures


def test_a_failure_has_file_and_line_and_the_words_of_postgresql(run: Run) -> None:
    report = run(
        "CREATE TABLE one (id int);",
        "-- the second file\n\nCREATE TABLE one (id int);\nTABLE one;\nINSERT INTO nowhere VALUES (1);",
    )
    assert report == Report(
        files=2,
        statements=4,
        failed=(
            Failure(
                "2.sql", 3, 'relation "one" already exists', "42P07", "create table", "CreateStmt", ("public.one",)
            ),
            Failure(
                "2.sql", 5, 'relation "nowhere" does not exist', "42P01", "data", "InsertStmt", ("public.nowhere",)
            ),
        ),
        lost=(Loss("public.nowhere", "2.sql", 5, 'relation "nowhere" does not exist', made=False),),
    )


def test_the_detail_is_part_of_the_words(run: Run) -> None:
    report = run("CREATE TABLE one (id int PRIMARY KEY);\nINSERT INTO one VALUES (7);\nINSERT INTO one VALUES (7);")
    (failure,) = report.failed
    assert failure.error == 'duplicate key value violates unique constraint "one_pkey" (Key (id)=(7) already exists.)'


def test_a_failure_undoes_nothing_and_stops_nothing(database: Database, run: Run) -> None:
    report = run("CREATE TABLE one (id int);\nSELECT 1 / 0;\nCREATE TABLE two (id int);\n", "CREATE TABLE three ();")
    assert [failure.line for failure in report.failed] == [2]
    assert tables(database) == ["public.one", "public.three", "public.two"]


@pytest.mark.parametrize("broken", ["CREATE TABEL broken (id int);", "SELECT FROM WHERE;", "helo;"])
def test_a_syntax_error_hides_no_table(database: Database, run: Run, broken: str) -> None:
    report = run(f"CREATE TABLE one (id int);\n{broken}\n;\nCREATE TABLE two (id int, note text DEFAULT 'a;b');")
    assert tables(database) == ["public.one", "public.two"]
    assert [(failure.file, failure.line) for failure in report.failed] == [("1.sql", 2)]
    assert "syntax error" in report.failed[0].error


def test_a_quote_that_never_ends_hides_no_table_before_it(database: Database, run: Run) -> None:
    report = run(
        "CREATE TABLE one (id int);\nCREATE TABLE two (note text DEFAULT 'never ended);\n", "CREATE TABLE x ();"
    )
    assert tables(database) == ["public.one", "public.x"]
    assert [(failure.file, failure.line) for failure in report.failed] == [("1.sql", 2)]


def test_a_statement_is_tried_again_when_a_later_file_makes_it_possible(database: Database, run: Run) -> None:
    report = run(
        "CREATE TABLE notes (id int PRIMARY KEY, author int REFERENCES authors (id));",
        "CREATE TABLE authors (id int PRIMARY KEY, team int REFERENCES teams (id));",
        "CREATE TABLE teams (id int PRIMARY KEY);",
    )
    assert (report.files, report.statements, report.failed) == (3, 3, ())
    assert [(late.file, late.sqlstate) for late in report.out_of_order] == [("2.sql", "42P01"), ("1.sql", "42P01")]
    assert tables(database) == ["public.authors", "public.notes", "public.teams"]
    assert database.table("notes").foreign_keys[0].referenced_table == "authors"


def test_what_never_becomes_possible_is_told_with_its_last_reason(run: Run) -> None:
    report = run("CREATE TABLE a (b int REFERENCES b (id));", "CREATE TABLE b (id text PRIMARY KEY);")
    (failure,) = report.failed
    assert (failure.file, failure.line) == ("1.sql", 1)
    assert "incompatible types: integer and text" in failure.error


def test_a_statement_that_is_tried_again_has_the_settings_of_its_file(database: Database, run: Run) -> None:
    run(
        "CREATE SCHEMA app;\nSET search_path = app;\nCREATE TABLE notes (author int REFERENCES public.authors (id));",
        "CREATE TABLE authors (id int PRIMARY KEY);",
    )
    assert tables(database, "public", "app") == ["app.notes", "public.authors"]


def test_a_statement_that_ends_the_session_is_told_and_the_next_has_a_new_one(database: Database, run: Run) -> None:
    report = run("SELECT pg_terminate_backend(pg_backend_pid());\nCREATE TABLE one (id int);")
    assert [failure.line for failure in report.failed] == [1]
    assert tables(database) == ["public.one"]


@pytest.mark.parametrize(
    "first",
    [
        "SELECT 1;",
        "SET statement_timeout = 0;",
        "SELECT set_config('statement_timeout', '0', false);",
        "CREATE TABLE two AS SELECT set_config('statement_timeout', '0', false);",
    ],
)
def test_each_statement_has_a_time_limit(run: Run, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """Also in a dump of Supabase, whose first line takes the limit away."""
    monkeypatch.setattr(file_session, "STATEMENT_SECONDS", 0.1)
    report = run(f"{first}\nSELECT pg_sleep(2);\nCREATE TABLE one (id int);")
    assert said(report) == [("1.sql", 2, "the statement took more than 0.1 s")]


def test_a_report_says_it_all_as_json() -> None:
    failure = Failure("1.sql", 4, "why", "42P01", "data", "InsertStmt", ("public.notes",))
    report = Report(2, 3, (failure,), (NotRun("x.sql", "why not"),), (failure,), (failure,), ("A remark.",))
    data = json.loads(json.dumps(report.to_json()))
    assert data["failed"][0] == {
        "file": "1.sql",
        "line": 4,
        "error": "why",
        "sqlstate": "42P01",
        "kind": "data",
        "node": "InsertStmt",
        "tables": ["public.notes"],
        "columns": [],
        "harmless": "",
    }
    assert Report.from_json(data) == report


# ----------------------------------------------------------------------------------------------- files are not trusted


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'touch {mark}'",
        "COPY (SELECT 1) TO '{mark}'",
        "COPY notes FROM PROGRAM 'touch {mark}; echo 1'",
        "COPY notes FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_read_binary_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(lo_from_bytea(0, 'x'), '{mark}')",
        "DO $$ BEGIN EXECUTE 'CREATE EXTENSION plpython3u'; END $$",
        "CREATE FUNCTION c() RETURNS int LANGUAGE c AS 'libc.so.6', 'getpid'",
        "LOAD '/tmp/anything.so'",
        "ALTER SYSTEM SET archive_command = 'touch {mark}'",
        "SET session_preload_libraries = 'anything'",
        "SET ROLE supabase_admin",
        "SET SESSION AUTHORIZATION supabase_admin",
        "ALTER ROLE postgres SUPERUSER",
        "CREATE ROLE evil SUPERUSER",
        "ALTER ROLE supabase_admin SET search_path = evil",
        "GRANT supabase_admin TO postgres",
        "GRANT pg_execute_server_program TO postgres",
        "GRANT pg_read_server_files TO postgres",
        "CREATE SUBSCRIPTION s CONNECTION 'host=203.0.113.1' PUBLICATION p",
        "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
        "DROP DATABASE postgres",
    ],
)
def test_a_file_reaches_neither_the_machine_nor_the_superuser(
    database: Database, run: Run, folder: Path, statement: str
) -> None:
    folder.chmod(0o777)
    mark = folder / "mark"
    report = run(f"CREATE TABLE notes (text text);\n{statement.format(mark=mark)};")
    assert [failure.line for failure in report.failed] == [2]
    assert not mark.exists()
    assert database.value("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'postgres'") is False
    assert database.rows("SELECT 1 FROM public.notes") == []


def test_files_are_run_by_the_role_that_supabase_gives(database: Database, run: Run) -> None:
    run("CREATE TABLE who AS SELECT current_user::text AS name, session_user::text AS session;")
    assert database.rows("SELECT name, session FROM public.who") == [("postgres", "postgres")]


def test_extensions_that_the_server_lacks_are_passed_over(database: Database, run: Run) -> None:
    report = run("""CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;
create extension pg_cron;
CREATE EXTENSION plpython3u;
CREATE TABLE places (at sparse_thing(3));
""")
    assert report.failed == ()
    assert [(each.kind, each.name, each.places) for each in report.stand_ins] == [
        ("extension", "plpython3u", ("1.sql:3",)),
        ("type", "sparse_thing", ("1.sql:4",)),
        ("column", "places.at", ("1.sql:4",)),
    ]


# --------------------------------------------------------------------------------------------------- kept, made again


@pytest.fixture
def migrations(folder: Path) -> Path:
    path = folder / "migrations"
    path.mkdir()
    (path / "1_first.sql").write_text("CREATE TABLE notes (id int PRIMARY KEY);\nINSERT INTO notes VALUES (1);\n")
    return path


@pytest.fixture
def replay(folder: Path, migrations: Path) -> Callable[[], Replay]:
    """The replay of the files as they are now, as each command makes it anew."""
    return lambda: Replay(folder / "source", sorted(migrations.glob("*.sql")), ["public"])


@pytest.mark.parametrize("command", ["cp -a", "cp -r"])
def test_a_copied_replay_heals_itself(
    replay: Callable[[], Replay], folder: Path, migrations: Path, command: str
) -> None:
    """A project is copied with what supavex keeps in it, while its own server runs."""
    replay().catalog()
    copy = folder / "copy"
    with replay().running() as url, connect(url) as first:
        subprocess.run([*command.split(), str(folder / "source"), str(copy)], check=True)
        for _ in range(2):
            other = Replay(copy, sorted(migrations.glob("*.sql")), ["public"])
            assert [table.name for table in other.catalog()[0]] == ["notes"]
            with other.running() as place, connect(place) as second:
                assert second.execute("SELECT id FROM public.notes").fetchall() == [(1,)]
                second.execute("INSERT INTO public.notes VALUES (2)")
                assert first.execute("SELECT id FROM public.notes").fetchall() == [(1,)], "the first goes on"
                connect(url).close()  # so does its socket
                second.execute("DELETE FROM public.notes WHERE id = 2")
    with replay().running() as url, connect(url) as first:
        assert first.execute("SELECT id FROM public.notes").fetchall() == [(1,)]


def no_server(*arguments: object, **options: object) -> None:
    raise AssertionError("a server is started")


def test_a_second_look_at_the_same_files_starts_no_server(
    replay: Callable[[], Replay], migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (migrations / "2_second.sql").write_text("CREATE TABLE broken (id int, id int);")
    assert replay().cached() is None
    first = replay().catalog()
    assert [table.name for table in first[0]] == ["notes"]
    assert (first[1].files, first[1].statements) == (2, 3)
    assert said(first[1]) == [("2_second.sql", 1, 'column "id" specified more than once')]
    monkeypatch.setattr(servers, "running", no_server)
    assert replay().catalog() == first
    assert replay().cached() == first


def test_the_rows_are_there_when_it_runs_again(replay: Callable[[], Replay]) -> None:
    replay().catalog()
    for _ in range(2):
        with replay().running() as url, connect(url) as connection:
            assert connection.execute("SELECT id FROM public.notes").fetchall() == [(1,)]


def test_running_gives_the_role_that_may_read_all_but_is_no_superuser(replay: Callable[[], Replay]) -> None:
    with replay().running() as url, connect(url) as connection:
        row = connection.execute(
            "SELECT current_user::text, rolsuper, rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == ("postgres", False, True)


class _Heard:
    """Keeps what it is told; see :class:`supavex.steps.Listener`."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def began(self, what: str) -> None:
        self.said.append(what)

    goes_on = began

    def ended(self) -> None:
        self.said.append("")


def test_who_waits_is_told_at_once_and_file_by_file(replay: Callable[[], Replay], migrations: Path) -> None:
    (migrations / "2_more.sql").write_text("CREATE TABLE more (id int);\nSELECT 1;\n")
    heard = _Heard()
    token = listener.set(heard)
    try:
        replay().catalog()
        replay().catalog()
    finally:
        listener.reset(token)
    # First of all that it begins, while the server starts; of a replay that is there, nothing.
    files = [f"running {name}: 1 statement" for name in ("1_first.sql", "2_more.sql")]
    said = [what for what in heard.said if what and not what.startswith("connecting")]
    assert said == ["starting PostgreSQL", "running the files", *files, "reading the catalog"]
    assert heard.said.count("") == len(heard.said) / 2 - 1, "each step that began has ended; two files are one step"


@pytest.mark.parametrize("change", ["edited", "added", "removed", "renamed"])
def test_a_change_of_the_files_replays_them(replay: Callable[[], Replay], migrations: Path, change: str) -> None:
    (migrations / "2_more.sql").write_text("CREATE TABLE more (id int);")
    assert [table.name for table in replay().catalog()[0]] == ["more", "notes"]
    if change == "edited":
        (migrations / "2_more.sql").write_text("CREATE TABLE most (id int);")
        expected = ["most", "notes"]
    elif change == "added":
        (migrations / "3_last.sql").write_text("DROP TABLE notes;")
        expected = ["more"]
    elif change == "removed":
        (migrations / "2_more.sql").unlink()
        expected = ["notes"]
    else:
        (migrations / "2_more.sql").rename(migrations / "0_more.sql")
        (migrations / "0_more.sql").touch()
        expected = ["more", "notes"]
    assert replay().cached() is None
    catalog, report = replay().catalog()
    assert [table.name for table in catalog] == expected
    assert report.failed == (), "the earlier database is gone"


def test_the_fingerprint_depends_on_names_texts_and_order(tmp_path: Path) -> None:
    one, two, both = tmp_path / "1.sql", tmp_path / "2.sql", tmp_path / "12.sql"
    one.write_text("SELECT 1;")
    two.write_text("SELECT 2;")
    both.write_text("SELECT 1;SELECT 2;")
    prints = [fingerprint([one, two]), fingerprint([two, one]), fingerprint([one]), fingerprint([both])]
    one.write_text("SELECT 1; ")
    prints.append(fingerprint([one, two]))
    assert len(set(prints)) == len(prints)
    assert fingerprint([one, two]) == prints[-1]


def test_what_another_version_kept_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = tmp_path / "1.sql"
    one.write_text("SELECT 1")
    before = fingerprint([one])
    monkeypatch.setattr(replays, "REPLAY_VERSION", "of another version")
    assert fingerprint([one]) != before


def test_the_fingerprint_knows_the_files_that_a_file_includes(tmp_path: Path) -> None:
    one, inner = tmp_path / "1.sql", tmp_path / "inner.sql"
    one.write_text("\\i inner.sql\n")
    inner.write_text("SELECT 1;")
    before = fingerprint([one])
    inner.write_text("SELECT 2;")
    assert fingerprint([one]) != before


def test_other_schemas_of_the_same_files_need_no_other_replay(
    replay: Callable[[], Replay], folder: Path, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (migrations / "2_app.sql").write_text("CREATE SCHEMA app; CREATE TABLE app.notes (id int);")
    first = replay().catalog()
    monkeypatch.setattr(replays, "replay_files", no_server)
    both = Replay(folder / "source", sorted(migrations.glob("*.sql")), ["public", "app"]).catalog()
    assert [table.qualified for table in both[0]] == ["app.notes", "public.notes"]
    monkeypatch.setattr(servers, "running", no_server)
    assert replay().catalog() == first


@pytest.mark.parametrize("damage", ["permissions", "files"])
def test_a_database_that_can_not_be_used_is_made_again(replay: Callable[[], Replay], folder: Path, damage: str) -> None:
    """As after `cp -r` of a project, or on a disk that was full."""
    first = replay().catalog()
    data = servers.data_folder(folder / "source/database") / "data"
    if damage == "permissions":
        data.chmod(0o755)
    else:
        (data / "global/pg_control").unlink()
    with replay().running() as url, connect(url) as connection:
        assert connection.execute("SELECT id FROM public.notes").fetchall() == [(1,)]
    assert replay().catalog() == first


def test_touching_a_file_is_no_change(replay: Callable[[], Replay], migrations: Path) -> None:
    replay().catalog()
    os.utime(migrations / "1_first.sql", (0, 0))
    assert replay().cached() is not None


def test_a_replay_that_was_interrupted_is_done_again_from_the_start(
    replay: Callable[[], Replay], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(replays, "inspect_catalog", no_server)
        with pytest.raises(AssertionError):
            replay().catalog()
    assert not (folder / "source/catalog.json").exists()
    catalog, report = replay().catalog()
    assert [table.name for table in catalog] == ["notes"]
    assert report.failed == (), "nothing of the first attempt is in the way"
    with replay().running() as url, connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM public.notes").fetchone() == (1,)


def test_without_its_catalog_a_replay_is_done_again(replay: Callable[[], Replay], folder: Path) -> None:
    first = replay().catalog()
    (folder / "source/catalog.json").unlink()
    with replay().running() as url, connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM public.notes").fetchone() == (1,)
    assert replay().cached() == first


@pytest.mark.slow
def test_an_interrupted_replay_is_not_taken_for_an_earlier_one_of_the_same_files(
    replay: Callable[[], Replay], migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edit a file, stop the replay, take the edit back: the database is not the one of the first replay any more."""
    replay().catalog()
    (migrations / "2_edit.sql").write_text("DROP TABLE notes;")
    with monkeypatch.context() as patch:
        patch.setattr(replays, "inspect_catalog", no_server)
        with pytest.raises(AssertionError):
            replay().catalog()
    (migrations / "2_edit.sql").unlink()
    with replay().running() as url, connect(url) as connection:
        assert connection.execute("SELECT id FROM public.notes").fetchall() == [(1,)]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"fingerprint": null}'])
def test_a_broken_catalog_file_is_no_catalog(replay: Callable[[], Replay], folder: Path, content: str) -> None:
    (folder / "source").mkdir()
    (folder / "source/catalog.json").write_text(content)
    assert replay().cached() is None


def test_a_database_that_was_removed_is_made_again(replay: Callable[[], Replay], folder: Path) -> None:
    replay().catalog()
    servers.remove(folder / "source/database")
    with replay().running() as url, connect(url) as connection:
        assert connection.execute("SELECT id FROM public.notes").fetchall() == [(1,)]


def impatient(folder: Path, migrations: Path) -> Replay:
    """A replay that waits for nobody."""
    return Replay(folder / "source", sorted(migrations.glob("*.sql")), ["public"], Limits(wait_seconds=0.1))


def test_a_replay_that_another_command_is_still_making_is_left_alone(folder: Path, migrations: Path) -> None:
    """The other one holds the database and has not written its catalog yet."""
    with servers.running(folder / "source/database") as other:
        with pytest.raises(SupavexError) as caught:
            impatient(folder, migrations).catalog()
        assert caught.value.code == "SourceInUse"
        assert other.data.exists()
        with connect(other.url(servers.SUPERUSER)) as connection:
            connection.execute("CREATE TABLE public.still (id int)")


def test_a_database_that_another_command_reads_is_left_alone_when_files_change(
    replay: Callable[[], Replay], folder: Path, migrations: Path
) -> None:
    with replay().running() as url:
        (migrations / "2_more.sql").write_text("CREATE TABLE more (id int);")
        with pytest.raises(SupavexError, match="another supavex command"):
            impatient(folder, migrations).catalog()
        with connect(url) as connection:
            assert connection.execute("SELECT id FROM public.notes").fetchall() == [(1,)]
    assert [table.name for table in replay().catalog()[0]] == ["more", "notes"]


def test_a_block_that_fails_stops_the_server(replay: Callable[[], Replay]) -> None:
    urls = []

    def fail() -> None:
        with replay().running() as url:
            urls.append(url)
            raise ZeroDivisionError

    with suppress(ZeroDivisionError):
        fail()
    with pytest.raises(SupavexError, match="does not answer"):
        connect(urls[0])


def test_the_cached_catalog_is_what_the_database_says(replay: Callable[[], Replay], migrations: Path) -> None:
    (migrations / "2_more.sql").write_text(
        "CREATE TYPE mood AS ENUM ('good', 'bad');\n"
        "CREATE TABLE days (day date, moods mood[] DEFAULT '{good}', UNIQUE (day));\n"
        "CREATE VIEW good_days AS SELECT day FROM days;"
    )
    with replay().running() as url, connect(url) as connection:
        live = inspect_catalog(connection, ["public"])
    assert replay().cached() == (live, Report(2, 5))
