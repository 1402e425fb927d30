"""Extensions do what they do at Supabase; what is not there is named, and loses no table."""

from pathlib import Path

import pytest

from supavex.postgres.report import Report
from supavex.postgres.run_files import replay_files
from tests.databases import Database


def replay(database: Database, tmp_path: Path, text: str) -> Report:
    (tmp_path / "1.sql").write_text(text)
    return replay_files(database, [tmp_path / "1.sql"])


def named(report: Report) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.kind, each.name, each.places) for each in report.stand_ins]


def schema_of(database: Database, extension: str) -> object:
    return database.value(
        "SELECT extnamespace::regnamespace::text FROM pg_catalog.pg_extension WHERE extname = %s", [extension]
    )


@pytest.mark.parametrize(
    ("sql", "schema"),
    [
        ("CREATE EXTENSION citext;", "public"),
        ("SET search_path = extensions; CREATE EXTENSION citext;", "extensions"),
        ("SET search_path = nowhere, extensions; CREATE EXTENSION citext;", "extensions"),
        ("create extension if not exists citext with schema extensions;", "extensions"),
        ('CREATE EXTENSION "citext" SCHEMA "extensions" CASCADE;', "extensions"),
        ("CREATE SCHEMA app; CREATE EXTENSION citext WITH SCHEMA app;", "app"),
        ("BEGIN; CREATE SCHEMA app; CREATE EXTENSION citext WITH SCHEMA app; COMMIT;", "app"),
        ("CREATE EXTENSION citext VERSION '1.6';", "public"),
        ("CREATE EXTENSION citext; ALTER EXTENSION citext SET SCHEMA extensions;", "extensions"),
        ("CREATE EXTENSION citext; CREATE EXTENSION IF NOT EXISTS citext SCHEMA extensions;", "public"),
        ("CREATE EXTENSION citext; COMMENT ON EXTENSION citext IS 'text'; ALTER EXTENSION citext UPDATE;", "public"),
        ("CREATE EXTENSION citext; DROP EXTENSION citext; CREATE EXTENSION citext SCHEMA extensions;", "extensions"),
    ],
)
def test_an_extension_lives_where_the_statement_says(database: Database, tmp_path: Path, sql: str, schema: str) -> None:
    report = replay(database, tmp_path, sql)
    assert report.failed == ()
    assert schema_of(database, "citext") == schema


def test_an_extension_is_part_of_its_transaction(database: Database, tmp_path: Path) -> None:
    assert replay(database, tmp_path, "BEGIN; CREATE EXTENSION citext; ROLLBACK;").failed == ()
    assert database.rows("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'citext'") == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE EXTENSION citext SCHEMA nowhere;", 'schema "nowhere" does not exist'),
        ("CREATE EXTENSION citext; CREATE EXTENSION citext;", 'extension "citext" already exists'),
        ("DROP EXTENSION citext;", 'extension "citext" does not exist'),
        ("CREATE EXTENSION earthdistance;", 'required extension "cube" is not installed'),
        (
            "CREATE EXTENSION citext; ALTER EXTENSION citext SET SCHEMA pg_catalog;",
            "permission denied for schema pg_catalog",
        ),
    ],
)
def test_what_postgresql_refuses_is_refused_in_its_words(
    database: Database, tmp_path: Path, sql: str, words: str
) -> None:
    assert [failure.error for failure in replay(database, tmp_path, sql).failed] == [words]


def test_extensions_do_what_they_do(database: Database, tmp_path: Path) -> None:
    report = replay(
        database,
        tmp_path,
        """
        CREATE EXTENSION citext; CREATE EXTENSION unaccent SCHEMA extensions; CREATE EXTENSION hstore;
        CREATE EXTENSION ltree; CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist; CREATE EXTENSION tablefunc;
        CREATE EXTENSION fuzzystrmatch; CREATE EXTENSION earthdistance CASCADE; CREATE EXTENSION intarray;
        CREATE EXTENSION isn; CREATE EXTENSION vector; CREATE EXTENSION moddatetime SCHEMA extensions;
        CREATE TABLE notes (id int PRIMARY KEY, text text, updated_at timestamptz);
        CREATE TRIGGER touch BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION extensions.moddatetime(updated_at);
        INSERT INTO notes VALUES (1, 'a', '2001-01-01'); UPDATE notes SET text = 'b';
        CREATE INDEX ON notes USING gin (text gin_trgm_ops);
        """,
    )
    assert report.failed == () and report.stand_ins == ()
    ((row),) = database.rows("""
        SELECT 'A'::public.citext OPERATOR(public.=) 'a', extensions.unaccent('Zoë'),
               ('a=>1'::public.hstore) OPERATOR(public.->) 'a', public.nlevel('a.b.c'), public.levenshtein('ab', 'b'),
               public.similarity('abc', 'abc'), '[1,2]'::public.vector OPERATOR(public.<->) '[1,4]',
               (SELECT updated_at > '2020-01-01' FROM public.notes)""")
    assert row == (True, "Zoe", "1", 3, 1, 1.0, 2.0, True)


def test_the_extensions_of_a_new_project_are_there_and_may_be_dropped(database: Database, tmp_path: Path) -> None:
    rows = database.rows("SELECT extname, extnamespace::regnamespace::text FROM pg_catalog.pg_extension ORDER BY 1")
    assert [row for row in rows if row[0] not in ("plpgsql", "supavex")] == [
        ("pg_graphql", "graphql"),
        ("pg_stat_statements", "extensions"),
        ("pgcrypto", "extensions"),
        ("supabase_vault", "vault"),
        ("uuid-ossp", "extensions"),
    ]
    report = replay(
        database,
        tmp_path,
        'DROP EXTENSION "uuid-ossp"; DROP EXTENSION IF EXISTS pgcrypto; DROP EXTENSION pg_stat_statements;'
        'CREATE EXTENSION pgcrypto WITH SCHEMA public; CREATE EXTENSION "uuid-ossp" SCHEMA public;'
        'ALTER EXTENSION "uuid-ossp" SET SCHEMA extensions;'
        "CREATE TABLE t (id uuid DEFAULT extensions.uuid_generate_v4(), h bytea DEFAULT public.digest('a', 'sha1'));",
    )
    assert report.failed == ()


def test_an_extension_that_is_not_there_is_named_and_loses_no_table(database: Database, tmp_path: Path) -> None:
    report = replay(
        database,
        tmp_path,
        """CREATE EXTENSION timescaledb;
COMMENT ON EXTENSION timescaledb IS 'x';
CREATE EXTENSION pgroonga VERSION '3';
CREATE TABLE things (id int PRIMARY KEY, what odd_thing(3, 'a') NOT NULL, others app.odd[], name text,
  made odd_thing GENERATED ALWAYS AS (odd_function(name)) STORED, c jsonb CHECK (jsonb_matches_schema('{}', c)),
  d text DEFAULT nanoid(), CONSTRAINT q CHECK (nosuch(name)), CHECK (id > 0));
INSERT INTO things (id, what, others, name, c) VALUES (1, 'text', '{a}', 'n', '{}');
ALTER TABLE things ADD COLUMN more mystery.kind DEFAULT 'x', ADD COLUMN plain int;
DROP EXTENSION timescaledb;
""",
    )
    assert report.failed == ()
    assert named(report)[:2] == [
        ("extension", "timescaledb", ("1.sql:1",)),
        ("extension", "pgroonga", ("1.sql:3",)),
    ]
    assert {(kind, name) for kind, name, _ in named(report)[2:]} == {
        ("type", "odd_thing"), ("column", "things.what"), ("column", "things.made"), ("type", "app.odd"),
        ("column", "things.others"), ("column", "things.c"), ("column", "things.d"), ("constraint", "1 check"),
        ("type", "mystery.kind"), ("column", "things.more"),
    }  # fmt: skip
    table = database.table("things")
    assert [(column.name, column.type.unknown) for column in table.columns] == [
        ("id", False), ("what", True), ("others", True), ("name", False), ("c", False), ("d", False), ("more", True),
        ("plain", False),
    ]  # fmt: skip
    assert [check.expression for check in table.checks] == ["(id > 0)"]
    assert database.rows("SELECT id, what::text, name FROM public.things") == [(1, "text", "n")]


def test_extensions_of_the_dashboard_are_made_where_they_are_needed(database: Database, tmp_path: Path) -> None:
    report = replay(
        database,
        tmp_path,
        "CREATE TABLE t (a public.citext, b hstore, c extensions.ltree, d gis.geometry(Point, 4326));"
        "INSERT INTO t VALUES ('A', 'k=>v', 'a.b', 'POINT(1 2)');",
    )
    assert report.failed == ()
    assert {(kind, name) for kind, name, _ in named(report)} == {
        ("extension", "citext"), ("extension", "hstore"), ("extension", "ltree"), ("extension", "postgis"),
        ("type", "gis.geometry"),
    }  # fmt: skip
    assert database.rows("SELECT a::text, b::text, c::text, d::text FROM public.t") == [
        ("A", '"k"=>"v"', "a.b", "POINT(1 2)")
    ]


def test_geography_keeps_its_text_and_its_functions_raise(database: Database, tmp_path: Path) -> None:
    report = replay(
        database,
        tmp_path,
        """CREATE SCHEMA gis; CREATE EXTENSION postgis SCHEMA gis;
CREATE TABLE shops (id int PRIMARY KEY, lat float8, lng float8, place gis.geography(Point, 4326),
  spot gis.geography GENERATED ALWAYS AS (gis.st_setsrid(gis.st_makepoint(lng, lat), 4326)::gis.geography) STORED);
INSERT INTO shops VALUES (1, 1, 2, 'POINT(2 1)');
INSERT INTO shops VALUES (2, 1, 2, gis.st_makepoint(1, 2)::gis.geography);
""",
    )
    assert [failure.line for failure in report.failed] == [5]
    assert "st_makepoint() is not available where migration files are replayed" in report.failed[0].error
    assert ("column", "shops.spot", ("1.sql:2",)) in named(report)
    assert ("type", "gis.geography", ("public.shops.place",)) in named(report)
    assert database.rows("SELECT id, place::text FROM public.shops") == [(1, "POINT(2 1)")]


def test_another_version_is_named(database: Database, tmp_path: Path) -> None:
    report = replay(database, tmp_path, "CREATE EXTENSION hstore WITH SCHEMA extensions VERSION '9.9';")
    assert report.failed == () and named(report) == [("version", "hstore 9.9", ("1.sql:1",))]


def test_functions_of_services_are_named_with_what_calls_them(database: Database, tmp_path: Path) -> None:
    report = replay(
        database,
        tmp_path,
        "CREATE EXTENSION pg_net; CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM net.http_post('https://example.com'); RETURN new; END $$;",
    )
    assert report.failed == () and named(report) == [("function", "net.http_post", ("public.tell",))]


def test_what_stands_in_survives_the_cache() -> None:
    from supavex.postgres.report import StandIn

    report = Report(1, 2, stand_ins=(StandIn("type", "a", "b", ("1.sql:2",)),))
    assert Report.from_json(report.to_json()) == report
