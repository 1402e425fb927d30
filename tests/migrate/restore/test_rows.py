"""What a restore does with what the database has and lacks, and with documents that Convex changed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from supavex.convex.ids import encode_id
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from tests import projects
from tests.databases import Database, new_database
from tests.projects import supavex


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with connect(database.url(), settings={"search_path": "public"}) as connection:
        return connection.execute(sql.encode()).fetchall()


def one(database: Database, sql: str) -> Any:
    ((value,),) = rows(database, sql)
    return value


@contextmanager
def moved(
    server: servers.Server, sql: str, schema: str, toml: str = "", config: str = "", first: str = ""
) -> Iterator[tuple[Path, Database, Database]]:
    """A project whose rows ``sql`` makes, migrated into ``archive.zip``: its folder, the source, and a copy to fill.

    ``first`` is what takes a superuser.
    """
    with new_database(server) as source, new_database(server) as target, projects.folder() as folder:
        for database in (source, target):
            database.run(first, role=servers.SUPERUSER)
        source.run(sql)
        target.run(sql.partition("-- rows")[0])
        source_toml = f"[source]\ndatabase_url = {json.dumps(source.url())}\n"
        projects.write(
            folder, schema=f"o = v.optional\nschema = define_schema({{{schema}}})", toml=toml + source_toml + config
        )
        ran = supavex("migrate", "-C", folder, "--out", folder / "archive.zip", "--max-rejects", "9")
        assert ran.code == 0, ran.out + ran.err
        yield folder, source, target


def restored(folder: Path, target: Database, *more: str) -> Any:
    ran = supavex("restore", folder / "archive.zip", "-C", folder, "--to", target.url(), "--json", *more)
    assert ran.code == 0, ran.out + ran.err
    return ran.json


def refused(folder: Path, target: Database, *more: str) -> dict[str, str]:
    """The error of a restore that fails."""
    return refused_by(folder, target.url(), *more)


def refused_by(folder: Path, url: str, *more: str) -> dict[str, str]:
    ran = supavex("restore", folder / "archive.zip", "-C", folder, "--to", url, "--json", *more)
    assert ran.code in (1, 2), ran.out + ran.err
    found: dict[str, str] = json.loads(ran.out)["error"]
    return found


def changed(folder: Path, table: str, change: Any) -> None:
    """Changes the documents of a table in the archive, as the app might have done in Convex before an export."""
    archive = folder / "archive.zip"
    archive.rename(folder / "before.zip")
    with zipfile.ZipFile(folder / "before.zip") as old, zipfile.ZipFile(archive, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == f"{table}/documents.jsonl":
                documents = change([json.loads(line) for line in content.decode().split("\n")[:-1]])
                content = "".join(json.dumps(document) + "\n" for document in documents).encode()
            new.writestr(name, content)


PEOPLE = """
CREATE TABLE teams (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (id uuid PRIMARY KEY, team uuid NOT NULL REFERENCES teams (id), age int);
-- rows
INSERT INTO teams VALUES ('00000000-0000-4000-8000-000000000001', 'red');
INSERT INTO people VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 7);
"""
PEOPLE_SCHEMA = (
    '"teams": define_table({"name": v.string()}), "people": define_table({"team": v.id("teams"), "age": o(v.number())})'
)


def test_what_the_database_lacks_is_named_all_at_once(server: servers.Server) -> None:
    with moved(server, PEOPLE, PEOPLE_SCHEMA) as (folder, _, target):
        target.run("ALTER TABLE people DROP COLUMN age, DROP COLUMN team; DROP TABLE teams")
        error = refused(folder, target)
        assert error["code"] == "TargetLacks"
        for name in ("the table public.teams", "the column public.people.age", "the column public.people.team"):
            assert name in error["message"]
        assert "migrations" in error["hint"]


def test_rows_that_are_there_are_kept_unless_they_are_to_be_replaced(server: servers.Server) -> None:
    with moved(server, PEOPLE, PEOPLE_SCHEMA) as (folder, _, target):
        target.run("INSERT INTO teams VALUES (gen_random_uuid(), 'blue')")
        error = refused(folder, target)
        assert error["code"] == "TableNotEmpty"
        assert "public.teams" in error["message"]
        assert rows(target, "SELECT name FROM teams") == [("blue",)]
        first = restored(folder, target, "--replace")
        before = rows(target, "SELECT * FROM teams"), rows(target, "SELECT * FROM people")
        assert [len(table) for table in before] == [1, 1]
        second = restored(folder, target, "--replace")
        assert (rows(target, "SELECT * FROM teams"), rows(target, "SELECT * FROM people")) == before
        assert first | {"seconds": 0} == second | {"seconds": 0}


def test_replace_never_deletes_rows_of_other_tables(server: servers.Server) -> None:
    sql = PEOPLE.replace("-- rows", "CREATE TABLE log (team uuid REFERENCES teams ON DELETE CASCADE); -- rows")
    with moved(server, sql, PEOPLE_SCHEMA, config='[tables.log]\nskip = "not needed"\n') as (folder, _, target):
        restored(folder, target)
        restored(folder, target, "--replace")
        target.run("INSERT INTO log SELECT id FROM teams")
        error = refused(folder, target, "--replace")
        assert error["code"] == "RowsRefer"
        assert one(target, "SELECT count(*) FROM log") == 1


def test_a_file_that_is_no_archive_is_said(server: servers.Server) -> None:
    with moved(server, PEOPLE, PEOPLE_SCHEMA) as (folder, _, target):
        (folder / "archive.zip").write_text("no zip")
        assert refused(folder, target)["code"] == "InvalidArchive"
        (folder / "archive.zip").unlink()
        assert refused(folder, target)["code"] == "NoArchive"
        with zipfile.ZipFile(folder / "archive.zip", "w") as empty:
            empty.writestr("_tables/documents.jsonl", "")
        assert refused(folder, target)["code"] == "NothingToRestore"


def test_the_source_itself_is_no_target(server: servers.Server) -> None:
    with moved(server, PEOPLE, PEOPLE_SCHEMA) as (folder, source, _):
        aliases = Path(tempfile.mkdtemp(dir="/tmp"))
        try:
            (aliases / "s").symlink_to(server.socket_folder)
            for url in (
                source.url(),
                source.url("supabase_admin"),
                f"{conninfo(source, host=f'{server.socket_folder}/')} application_name=other",
                conninfo(source, host=str(aliases / "s")),
            ):
                error = refused_by(folder, url, "--replace")
                assert error["code"] == "RestoreIntoSource", url
        finally:
            shutil.rmtree(aliases)
        assert one(source, "SELECT count(*) FROM people") == 1


def conninfo(database: Database, **words: str) -> str:
    return make_conninfo(database.url(), **words)


def test_a_refused_row_names_its_document_and_undoes_everything(server: servers.Server) -> None:
    with moved(server, PEOPLE, PEOPLE_SCHEMA) as (folder, _, target):
        changed(folder, "people", lambda documents: [documents[0] | {"age": 7.5}])
        error = refused(folder, target)
        assert error["code"] == "RestoreRefused"
        assert "7.5" in error["message"]
        assert error["where"].startswith("public.people.age people ")
        changed(folder, "people", lambda documents: [documents[0] | {"age": [1]}])
        assert refused(folder, target)["code"] == "CannotTakeBack"
        changed(folder, "people", lambda documents: [documents[0] | {"team": documents[0]["_id"]}])
        error = refused(folder, target)
        assert error["code"] == "CannotTakeBack"
        assert "is not a document of teams" in error["message"]
        changed(folder, "teams", lambda documents: [])
        changed(folder, "people", lambda documents: documents)
        assert one(target, "SELECT count(*) FROM teams") == 0


def test_a_reference_to_a_document_that_is_gone_is_refused(server: servers.Server) -> None:
    with moved(server, PEOPLE, PEOPLE_SCHEMA) as (folder, _, target):
        changed(folder, "teams", lambda documents: [])
        error = refused(folder, target)
        assert error["code"] == "RestoreRefused"
        assert "is not present in table" in error["message"]


@pytest.mark.parametrize(
    "stage", ["supavex.postgres.loading.Loading.finish", "supavex.migrate.restore.rows.RowReader.texts"]
)
def test_an_interrupted_restore_leaves_nothing(server: servers.Server, stage: str) -> None:
    with moved(server, PEOPLE, PEOPLE_SCHEMA) as (folder, _, target):
        target.run("INSERT INTO teams VALUES (gen_random_uuid(), 'blue')")
        module, kind, name = stage.rsplit(".", 2)
        arguments = ["restore", str(folder / "archive.zip"), "-C", str(folder), "--to", target.url(), "--replace"]
        code = (
            f"import os, signal, {module} as m\n"
            f"m.{kind}.{name} = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"from supavex.cli.main import main\nmain({arguments!r})\n"
        )
        # What a killed process leaves in the system's temporary folder goes with the project's.
        environment = {**os.environ, "TMPDIR": str(folder)}
        command = [sys.executable, "-c", code]
        killed = subprocess.run(command, env=environment, capture_output=True, timeout=180, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert rows(target, "SELECT name FROM teams") == [("blue",)]
        restored(folder, target, "--replace")
        assert rows(target, "SELECT name FROM teams") == [("red",)]


def test_circles_that_cannot_be_null_come_back_and_everything_is_as_it_was(server: servers.Server) -> None:
    sql = """
    CREATE TABLE hens (id int PRIMARY KEY, egg int NOT NULL);
    CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens, twin int NOT NULL REFERENCES eggs);
    ALTER TABLE hens ADD CONSTRAINT hens_egg FOREIGN KEY (egg) REFERENCES eggs (id);
    CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.egg := 99; RETURN NEW; END $$;
    CREATE TRIGGER a_stamp BEFORE INSERT OR UPDATE ON hens FOR EACH ROW EXECUTE FUNCTION stamp();
    CREATE TRIGGER b_stamp BEFORE INSERT OR UPDATE ON hens FOR EACH ROW EXECUTE FUNCTION stamp();
    ALTER TABLE hens ENABLE ALWAYS TRIGGER b_stamp;
    CREATE TRIGGER c_off BEFORE INSERT OR UPDATE ON hens FOR EACH ROW EXECUTE FUNCTION stamp();
    ALTER TABLE hens DISABLE TRIGGER c_off;
    -- rows
    ALTER TABLE hens DISABLE TRIGGER USER;
    ALTER TABLE hens ALTER CONSTRAINT hens_egg DEFERRABLE INITIALLY DEFERRED;
    BEGIN; INSERT INTO hens VALUES (1, 2), (3, 4); INSERT INTO eggs VALUES (2, 1, 4), (4, 3, 2); COMMIT;
    """
    schema = (
        '"hens": define_table({"egg": v.id("eggs")}), "eggs": define_table({"hen": v.id("hens"), "twin": v.id("eggs")})'
    )
    with moved(server, sql, schema) as (folder, _, target):
        states = (
            "SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
            "SELECT conname, condeferrable, condeferred FROM pg_constraint WHERE contype = 'f' ORDER BY 1",
        )
        before = [rows(target, state) for state in states]
        restored(folder, target)
        assert rows(target, "SELECT * FROM hens ORDER BY id") == [(1, 2), (3, 4)]
        assert rows(target, "SELECT * FROM eggs ORDER BY id") == [(2, 1, 4), (4, 3, 2)]
        assert [rows(target, state) for state in states] == before
        assert ("b_stamp", "A") in before[0]


def test_sequences_identities_and_generated_columns(server: servers.Server) -> None:
    sql = """
    CREATE SEQUENCE shared MINVALUE 10;
    CREATE TABLE t (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial, d int DEFAULT nextval('shared'), far bigserial,
      twice bigint GENERATED ALWAYS AS (id * 2) STORED);
    -- rows
    INSERT INTO t (s, d, far) VALUES (70, 1, 1), (80, 90, 2), (75, 91, 3);
    """
    fields = ", ".join(f'"{name}": v.number()' for name in ("s", "d", "far", "twice"))
    with moved(server, sql, f'"t": define_table({{{fields}}})') as (folder, source, target):
        target.run("SELECT setval('t_far_seq', 500)")
        result = restored(folder, target)
        assert result["notes"] == []
        assert result["tables"][0]["untaken"] == {}
        assert rows(target, "SELECT * FROM t ORDER BY id") == rows(source, "SELECT * FROM t ORDER BY id")
        target.run("INSERT INTO t DEFAULT VALUES")
        assert rows(target, "SELECT * FROM t ORDER BY id DESC LIMIT 1") == [(4, 81, 92, 501, 8)]


def test_sequences_of_columns_that_are_no_integers(server: servers.Server) -> None:
    defaults = {
        "plain": ("text", "'c' || nextval('{s}')"),
        "padded": ("varchar(20)", "'INV-2024-' || lpad(nextval('{s}')::text, 6, '0')"),
        "formed": ("text", "to_char(nextval('{s}'), '\"(\"FM00000\").*\"')"),
        "tens": ("text", "'7' || (nextval('{s}') * 10)::text || '-x2'"),
        "exact": ("numeric(12, 2)", "nextval('{s}')"),
        "wide": ("double precision", "nextval('{s}')"),
        "small": ("posint", "nextval('{s}')"),
        "hidden": ("text", "md5(nextval('{s}')::text)"),
        "hexed": ("text", "to_hex(nextval('{s}'))"),
        "two": ("text", "nextval('{s}')::text || nextval('{s}')::text"),
    }
    columns = ", ".join(
        f"{name} {kind} DEFAULT {default.format(s=f's_{name}')}" for name, (kind, default) in defaults.items()
    )
    sql = "CREATE DOMAIN posint AS int CHECK (VALUE > 0);"
    sql += "".join(f"CREATE SEQUENCE s_{name};" for name in defaults)
    sql += f"""
    CREATE SEQUENCE falling INCREMENT -1;
    CREATE TABLE t (id text PRIMARY KEY DEFAULT 'c' || nextval('s_plain'), {columns},
      fall int DEFAULT nextval('falling'));
    -- rows
    INSERT INTO t SELECT FROM generate_series(1, 11);
    UPDATE t SET plain = 'no number' WHERE id = 'c1';
    UPDATE t SET padded = 'INV-2023-000900', exact = 'NaN', wide = 'Infinity' WHERE id = 'c3';
    """
    numbers = ("exact", "wide", "small", "fall")
    kinds = {name: "o(v.number())" if name in numbers else "o(v.string())" for name in ("id", *defaults, "fall")}
    fields = ", ".join(f'"{name}": {kind}' for name, kind in kinds.items())
    toml = '[tables.t.columns]\nexact = { nonfinite = "keep" }\nwide = { nonfinite = "keep" }\n'
    with moved(server, sql, f'"t": define_table({{{fields}}})', config=toml) as (folder, source, target):
        result = restored(folder, target)
        shown = "SELECT * FROM t ORDER BY length(id), id"
        assert rows(target, shown)[3:] == rows(source, shown)[3:]
        assert {note["column"] for note in result["notes"] if note["kind"] == "sequence"} == {"hidden", "hexed", "two"}
        asked = ", ".join(f"nextval('s_{name}')" for name in defaults)
        ((kept, *others),) = rows(target, f"SELECT {asked}")
        assert kept == rows(source, "SELECT last_value + 1 FROM s_plain")[0][0]
        assert others == [12, 12, 12, 12, 12, 12, 1, 1, 1]
        assert one(target, "SELECT nextval('falling')") == -12


def test_documents_that_convex_made_get_keys(server: servers.Server) -> None:
    sql = """
    CREATE TABLE tags (id serial PRIMARY KEY, name text);
    CREATE TABLE people (id uuid PRIMARY KEY, tag int REFERENCES tags);
    -- rows
    INSERT INTO tags VALUES (-1, 'minus'), (7, 'seven');
    INSERT INTO people VALUES ('00000000-0000-4000-8000-000000000001', 7);
    """
    schema = '"tags": define_table({"name": v.string()}), "people": define_table({"tag": o(v.id("tags"))})'
    with moved(server, sql, schema) as (folder, _, target):
        numbers = {}
        with zipfile.ZipFile(folder / "archive.zip") as archive:
            for line in archive.read("_tables/documents.jsonl").splitlines():
                numbers[json.loads(line)["name"]] = json.loads(line)["id"]
        tag, person = encode_id(numbers["tags"], b"made in Convex.."), encode_id(numbers["people"], b"\x11" * 16)
        made = {"_creationTime": 1.0}
        changed(folder, "tags", lambda found: [{"_id": tag, "name": "new", "colour": "red", **made}, *found])
        changed(folder, "people", lambda found: [*found, {"_id": person, "tag": tag, **made}])
        result = restored(folder, target)
        assert rows(target, "SELECT * FROM tags ORDER BY id") == [(-1, "minus"), (7, "seven"), (8, "new")]
        assert rows(target, "SELECT id::text, tag FROM people ORDER BY id DESC") == [
            ("11111111-1111-1111-1111-111111111111", 8), ("00000000-0000-4000-8000-000000000001", 7)
        ]  # fmt: skip
        assert {t["target"]: t["untaken"] for t in result["tables"]} == {"tags": {"colour": 1}, "people": {}}
        assert one(target, "SELECT nextval('tags_id_seq')") == 9


def test_a_key_that_a_field_holds_is_the_fields(server: servers.Server) -> None:
    sql = """
    CREATE TABLE tags (id int PRIMARY KEY);
    CREATE TABLE labels (id uuid PRIMARY KEY, tag int REFERENCES tags, tags int[]);
    -- rows
    INSERT INTO tags VALUES (1), (2);
    INSERT INTO labels VALUES ('00000000-0000-4000-8000-000000000001', 1, '{2,1,NULL}');
    """
    schema = (
        '"tags": define_table({"id": v.number()}), "labels": define_table({"tag": o(v.id("tags")), '
        '"tags": v.array(v.union(v.id("tags"), v.null()))})'
    )
    with moved(server, sql, schema) as (folder, _, target):
        changed(folder, "tags", lambda found: [document | {"id": document["id"] + 100.0} for document in found])
        restored(folder, target)
        assert rows(target, "SELECT id FROM tags ORDER BY id") == [(101,), (102,)]
        assert rows(target, "SELECT tag, tags FROM labels") == [(101, [102, 101, None])]


def test_a_hashed_key_comes_from_the_field_of_its_text(server: servers.Server) -> None:
    sql = """
    CREATE TABLE countries (code text PRIMARY KEY);
    CREATE TABLE cities (country text REFERENCES countries, number numeric(4, 1), PRIMARY KEY (country, number));
    CREATE TABLE shops (id int PRIMARY KEY, land text, num numeric(5, 1), FOREIGN KEY (land, num) REFERENCES cities);
    -- rows
    INSERT INTO countries VALUES ('"a", b');
    INSERT INTO cities VALUES ('"a", b', 7.0), ('"a", b', 7.5);
    INSERT INTO shops VALUES (1, '"a", b', 7), (2, '"a", b', 7.5), (3, NULL, NULL);
    """
    schema = (
        '"countries": define_table({"supabaseId": v.string()}), "cities": define_table({"supabaseId": v.string()}), '
        '"shops": define_table({"city": o(v.id("cities"))})'
    )
    config = '[tables.shops.fields]\ncity = { references = ["land", "num"] }\n'
    with moved(server, sql, schema, config=config) as (folder, source, target):
        assert restored(folder, target)["notes"] == []
        for table in ("countries", "cities", "shops"):
            everything = f"SELECT t::text FROM {table} t ORDER BY 1"
            assert rows(target, everything) == rows(source, everything)


def test_a_skipped_column_that_is_required_must_be_filled_by_the_database(server: servers.Server) -> None:
    sql = """
    CREATE TABLE things (id int PRIMARY KEY, what point NOT NULL, name text);
    -- rows
    INSERT INTO things VALUES (1, '(1,2)', 'n');
    """
    schema = '"things": define_table({"id": v.number(), "name": o(v.string())})'
    config = '[tables.things]\ncolumns.what.skip = "nobody asks for it"\n'
    with moved(server, sql, schema, config=config) as (folder, _, target):
        error = refused(folder, target)
        assert error["code"] == "CannotBeLeft"
        assert "public.things.what (skipped: nobody asks for it)" in error["message"]
        assert rows(target, "TABLE things") == []
        target.run("ALTER TABLE things ALTER what DROP NOT NULL")
        assert [(note["column"], note["kind"]) for note in restored(folder, target)["notes"]] == [("what", "left")]
        assert rows(target, "TABLE things") == [(1, None, "n")]


def test_a_hashed_key_that_nothing_holds_must_be_filled_by_the_database(server: servers.Server) -> None:
    sql = """
    CREATE TABLE countries (code text PRIMARY KEY, name text);
    CREATE TABLE cities (id int PRIMARY KEY, country text REFERENCES countries);
    -- rows
    INSERT INTO countries VALUES ('id', 'Indonesia');
    INSERT INTO cities VALUES (1, 'id');
    """
    schema = (
        '"countries": define_table({"name": v.string()}), "cities": define_table({"country": o(v.id("countries"))})'
    )
    with moved(server, sql, schema) as (folder, _, target):
        error = refused(folder, target)
        assert error["code"] == "CannotBeLeft"
        assert "public.countries.code (no field holds it)" in error["message"]
        target.run("ALTER TABLE countries ALTER code SET DEFAULT 'filled'")
        result = restored(folder, target)
        assert rows(target, "TABLE cities") == [(1, None)]
        assert [(note["table"], note["column"], note["kind"]) for note in result["notes"]] == [
            ("public.countries", "code", "left"), ("public.cities", "country", "left")
        ]  # fmt: skip


def test_id_files_are_taken_back_where_they_are_one_to_one(server: servers.Server) -> None:
    sql = """
    CREATE TABLE notes (id int PRIMARY KEY, owner uuid, editor uuid);
    -- rows
    INSERT INTO notes VALUES
      (1, '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'), (2, NULL, NULL);
    """
    a, b = (f"00000000-0000-4000-8000-00000000000{letter}" for letter in "ab")
    with new_database(server) as source, new_database(server) as target, projects.folder() as folder:
        source.run(sql)
        target.run(sql.partition("-- rows")[0])
        (folder / "one.csv").write_text(f"old,new\n{a},user_a\n{b},user_b\n")
        (folder / "merged.csv").write_text(f"old,new\n{a},user_x\n{b},user_x\n")
        columns = '[tables.notes.columns]\nowner = { ids = "one.csv" }\neditor = { ids = "merged.csv" }\n'
        projects.write(
            folder,
            schema='schema = define_schema({"notes": define_table({"owner": v.optional(v.string()), '
            '"editor": v.optional(v.string())})})',
            toml=f"[source]\ndatabase_url = {json.dumps(source.url())}\n{columns}",
        )
        assert supavex("migrate", "-C", folder, "--out", folder / "archive.zip").code == 0
        changed(folder, "notes", lambda found: [*found[:1], found[1] | {"owner": "user_new"}])
        result = restored(folder, target)
        assert rows(target, "SELECT id, owner::text, editor FROM notes ORDER BY id") == [(1, a, None), (2, None, None)]
        assert result["tables"][0]["unknown"] == {"owner": 1}
        assert [(note["column"], note["reason"]) for note in result["notes"]] == [
            ("editor", "merged.csv gives one new id to several old ones")
        ]
        target.run("TRUNCATE notes; ALTER TABLE notes ALTER owner SET NOT NULL")
        assert refused(folder, target)["code"] == "RestoreRefused"


def test_nulls_that_became_defaults_are_counted(server: servers.Server) -> None:
    sql = """
    CREATE TABLE t (id int PRIMARY KEY, a int, b int NOT NULL);
    -- rows
    INSERT INTO t VALUES (1, NULL, 5), (2, 5, 5), (3, 6, 5);
    """
    schema = '"t": define_table({"a": v.number(default=5), "b": v.number(default=5)})'
    with moved(server, sql, schema, 'fill = "defaults"\n') as (folder, _, target):
        assert restored(folder, target)["tables"][0]["maybeNull"] == {"a": 2}
        assert rows(target, "SELECT a FROM t ORDER BY id") == [(5,), (5,), (6,)]
        ran = supavex("restore", folder / "archive.zip", "-C", folder, "--to", target.url(), "--replace")
        assert "default: public.t: a (2): these values are defaults, and may have been NULL" in ran.out


def test_null_of_json_and_of_sql_are_told_apart_where_the_field_is_optional(server: servers.Server) -> None:
    sql = """
    CREATE TABLE t (id int PRIMARY KEY, a jsonb, b jsonb NOT NULL, c jsonb);
    -- rows
    INSERT INTO t VALUES (1, 'null', 'null', 'null'), (2, NULL, '"null"', NULL);
    """
    schema = '"t": define_table({"a": o(v.any()), "b": v.any(), "c": v.any()})'
    with moved(server, sql, schema) as (folder, _, target):
        restored(folder, target)
        # c: null stands for both, and becomes NULL.
        assert rows(target, "SELECT a::text, b::text, c::text FROM t ORDER BY id") == [
            ("null", "null", None), (None, '"null"', None)
        ]  # fmt: skip


def test_lossy_values_come_back_as_the_nearest(server: servers.Server) -> None:
    sql = """
    CREATE TABLE t (id int PRIMARY KEY, i int8, n numeric, m timestamptz, c time, many int8[]);
    -- rows
    INSERT INTO t VALUES (1, 9223372036854775807, 0.12345678901234567890, '4000-01-01 00:00:00.123456+00', '09:30:15',
      '{9223372036854775807}');
    """
    fields = "{name: v.number() for name in 'inm'} | {'c': v.string(), 'many': v.array(v.number())}"
    columns = "".join(f"{name} = {{ lossy = true }}\n" for name in ("i", "n", "m", "many"))
    columns = f'[tables.t.columns]\n{columns}c = {{ lossy = true, format = "HH:MM" }}\n'
    with moved(server, sql, f'"t": define_table({fields})', config=columns) as (folder, _, target):
        notes = restored(folder, target)["notes"]
        assert {note["column"]: note["kind"] for note in notes} == dict.fromkeys(
            ("i", "n", "m", "c", "many"), "nearest"
        )
        assert rows(target, "SELECT i, n::text, m::text, c::text, many FROM t") == [
            (2**63 - 1, "0.12345678901234568", "4000-01-01 00:00:00.123+00", "09:30:00", [2**63 - 1])
        ]


def test_money(server: servers.Server) -> None:
    sql = """
    CREATE TABLE t (id int PRIMARY KEY, m money, n money[]);
    -- rows
    INSERT INTO t VALUES (1, '-1234.56', '{0.5}');
    """
    schema = '"t": define_table({"m": v.number(), "n": v.array(v.number())})'
    with moved(server, sql, schema) as (folder, _, target):
        restored(folder, target)
        assert rows(target, "SELECT m::numeric::text, n[1]::numeric::text FROM t") == [("-1234.56", "0.50")]


def test_checks_find_functions_by_the_databases_search_path(server: servers.Server) -> None:
    sql = """
    CREATE FUNCTION least_age() RETURNS int LANGUAGE sql AS 'SELECT 3';
    CREATE FUNCTION old_enough(age int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN age >= least_age(); END $$;
    CREATE TABLE t (id int PRIMARY KEY, age int CHECK (old_enough(age)));
    -- rows
    INSERT INTO t VALUES (1, 4);
    """
    with moved(server, sql, '"t": define_table({"age": v.number()})') as (folder, _, target):
        restored(folder, target)
        assert rows(target, "TABLE t") == [(1, 4)]


def test_references_to_tables_that_were_in_convex_already(server: servers.Server) -> None:
    sql = """
    CREATE TABLE shops (id uuid PRIMARY KEY, slug text UNIQUE NOT NULL);
    CREATE TABLE sales (id int PRIMARY KEY, shop uuid REFERENCES shops (id), by_slug text REFERENCES shops (slug));
    -- rows
    INSERT INTO shops VALUES
      ('00000000-0000-4000-8000-000000000001', 'a'), ('00000000-0000-4000-8000-000000000002', 'b');
    INSERT INTO sales VALUES (1, '00000000-0000-4000-8000-000000000001', NULL), (2, NULL, NULL);
    """
    shop = encode_id(10_777, b"chosen by Convex")
    with new_database(server) as source, new_database(server) as target, projects.folder() as folder:
        source.run(sql)
        target.run(sql.partition("INSERT INTO sales")[0])
        projects.write(
            folder,
            schema='schema = define_schema({"shops": define_table({"slug": v.string()}), '
            '"sales": define_table({"shop": v.optional(v.id("shops")), "by_slug": v.optional(v.string())})})',
            toml=f"[source]\ndatabase_url = {json.dumps(source.url())}\n"
            '[tables.shops]\nexisting = { match = { slug = "slug" } }\n',
        )
        number = json.dumps({"name": "shops", "id": 10_777}).encode() + b"\n"
        document = json.dumps({"_id": shop, "_creationTime": 1.0, "slug": "a"}) + "\n"
        with zipfile.ZipFile(folder / "export.zip", "w") as archive:
            archive.writestr("_tables/documents.jsonl", number)
            archive.writestr("shops/documents.jsonl", document)
        ran = supavex("migrate", "-C", folder, "--out", folder / "archive.zip", "--existing", folder / "export.zip")
        assert ran.code == 0, ran.out + ran.err
        # The archive of `migrate` holds no shops; an export of the deployment does.
        result = restored(folder, target)
        assert {(note["table"], note["column"]) for note in result["notes"]} == {
            ("public.shops", ""), ("public.sales", "shop")
        }  # fmt: skip
        with zipfile.ZipFile(folder / "archive.zip") as old, zipfile.ZipFile(folder / "whole.zip", "w") as new:
            new.writestr("_tables/documents.jsonl", old.read("_tables/documents.jsonl") + number)
            new.writestr("sales/documents.jsonl", old.read("sales/documents.jsonl"))
            new.writestr("shops/documents.jsonl", document)
        (folder / "whole.zip").rename(folder / "archive.zip")
        result = restored(folder, target, "--replace")
        assert rows(target, "SELECT id, shop::text FROM sales ORDER BY id") == [
            (1, "00000000-0000-4000-8000-000000000001"), (2, None)
        ]  # fmt: skip
        assert one(target, "SELECT count(*) FROM shops") == 2


def test_keys_that_only_refer_to_each_other_come_from_ids(server: servers.Server) -> None:
    sql = """
    CREATE TABLE users (id uuid PRIMARY KEY);
    CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES users, name text);
    ALTER TABLE users ADD FOREIGN KEY (id) REFERENCES profiles (id) DEFERRABLE INITIALLY DEFERRED;
    CREATE TABLE posts (id int PRIMARY KEY, profile uuid REFERENCES profiles);
    -- rows
    BEGIN;
    INSERT INTO users VALUES ('00000000-0000-4000-8000-000000000001');
    INSERT INTO profiles VALUES ('00000000-0000-4000-8000-000000000001', 'Ani');
    COMMIT;
    INSERT INTO posts VALUES (1, '00000000-0000-4000-8000-000000000001');
    """
    schema = (
        '"users": define_table({"id": v.id("profiles")}), "profiles": define_table({"id": v.id("users"), '
        '"name": v.string()}), "posts": define_table({"profile": o(v.id("profiles"))})'
    )
    with moved(server, sql, schema) as (folder, _, target):
        assert restored(folder, target)["notes"] == []
        key = "00000000-0000-4000-8000-000000000001"
        assert rows(target, "SELECT id::text FROM users") == [(key,)]
        assert rows(target, "SELECT id::text, name FROM profiles") == [(key, "Ani")]
        assert rows(target, "SELECT id, profile::text FROM posts") == [(1, key)]


NARROW = """
CREATE DOMAIN price AS numeric(10,2);
CREATE TABLE a (id int PRIMARY KEY, n numeric(10,2), p price, at timestamptz(0), day date, t time(0), f real,
  v varchar(3), m money, e interval(0), many numeric(10,1)[], reals real[], embedding extensions.vector(2),
  wide numeric, exact timestamptz, x double precision);
-- rows
INSERT INTO a SELECT g, 1.5, 2.25, '2024-01-01', '2024-01-02', '12:00', 0.1, 'ab', 1.25, '1 second', '{1.5}', '{0.1}',
  '[0.5,0.25]', 1.5, '2024-01-01', 1.5 FROM generate_series(1, 2) AS g;
"""
NARROW_SCHEMA = """"a": define_table({"id": v.number(), "n": o(v.number()), "p": o(v.number()), "at": o(v.number()),
  "day": o(v.number()), "t": o(v.string()), "f": o(v.number()), "v": o(v.string()), "m": o(v.number()),
  "e": o(v.string()), "many": o(v.array(v.number())), "reals": o(v.array(v.number())),
  "embedding": o(v.array(v.number())), "wide": o(v.number()), "exact": o(v.number()), "x": o(v.number())})"""


def test_values_that_a_column_would_round_are_counted(server: servers.Server) -> None:
    finer = {
        "n": 2.555, "p": 2.555, "at": 1704067200750.0, "day": 1704153600001.0, "t": "12:00:00.5",
        "f": 0.1 + 2**-40, "v": "ab   ", "m": 1.255, "e": "1.5 seconds", "many": [1.5, 2.55], "reals": [0.1 + 2**-40],
        "embedding": [0.5, 0.1 + 2**-40], "wide": 2.5555, "exact": 1704067200750.5, "x": 0.1 + 2**-40,
    }  # fmt: skip
    with moved(server, NARROW, NARROW_SCHEMA, first="CREATE EXTENSION vector SCHEMA extensions") as (folder, _, target):
        (table,) = restored(folder, target)["tables"]
        assert table["rounded"] == {}, "each value is what it was"
        changed(folder, "a", lambda documents: [documents[0] | finer, documents[1] | {"n": 2.5, "f": 0.2}])
        (table,) = restored(folder, target, "--replace")["tables"]
        kept = {"wide", "exact", "x"}
        assert table["rounded"] == dict.fromkeys(sorted(finer.keys() - kept), 1)
        assert rows(target, "SELECT n::text, at::text FROM a WHERE id = 1") == [("2.56", "2024-01-01 00:00:01+00")]
        ran = supavex("restore", folder / "archive.zip", "-C", folder, "--to", target.url(), "--replace")
        assert ran.code == 0
        assert "rounded: public.a: at (1), day (1)," in ran.out


FAMILY = """
CREATE TABLE base (id int PRIMARY KEY, key text, number int);
CREATE TABLE heir (extra text, PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE grandchild (more text, PRIMARY KEY (id)) INHERITS (heir);
CREATE TABLE notes (id int PRIMARY KEY, base int REFERENCES base);
CREATE TABLE log (line text);
CREATE TABLE special (kind text) INHERITS (log);
-- rows
INSERT INTO base VALUES (1, 'b', 1), (4, 'b', 1);
INSERT INTO heir VALUES (2, 'h', 2, 'x');
INSERT INTO grandchild VALUES (3, 'g', 3, 'y', 'z');
INSERT INTO notes VALUES (1, 1);
INSERT INTO log VALUES ('one'), ('one'), ('two'), (NULL);
INSERT INTO special VALUES ('one', 'k'), (NULL, 'k'), ('three', 'k');
"""
_BASE = '"id": v.number(), "key": o(v.string()), "number": o(v.number())'
FAMILY_SCHEMA = f"""
"base": define_table({{{_BASE}}}), "heir": define_table({{{_BASE}, "extra": o(v.string())}}),
"grandchild": define_table({{{_BASE}, "extra": o(v.string()), "more": o(v.string())}}),
"notes": define_table({{"id": v.number(), "base": o(v.id("base"))}}), "log": define_table({{"line": o(v.string())}}),
"special": define_table({{"line": o(v.string()), "kind": o(v.string())}})
"""
FAMILY_ROWS = (
    "SELECT tableoid::regclass::text, id::text FROM base UNION ALL SELECT tableoid::regclass::text, line FROM log "
    "UNION ALL SELECT 'notes', id::text FROM notes ORDER BY 1, 2"
)


def test_rows_of_inheriting_tables_come_back_once(server: servers.Server) -> None:
    with moved(server, FAMILY, FAMILY_SCHEMA) as (folder, source, target):
        before = rows(source, FAMILY_ROWS)
        assert len(before) == 12
        found = restored(folder, target)
        assert rows(target, FAMILY_ROWS) == before
        assert {t["source"]: t["rows"] for t in found["tables"]} == {
            "public.base": 2, "public.heir": 1, "public.grandchild": 1, "public.notes": 1, "public.log": 4,
            "public.special": 3,
        }  # fmt: skip
        left = [note["reason"] for note in found["notes"] if note["table"] == "public.base"]
        assert left == ["2 documents of it came back as rows of tables that inherit from it"]
        restored(folder, target, "--replace")
        assert rows(target, FAMILY_ROWS) == before


def test_replace_leaves_rows_of_inheriting_tables_that_are_not_restored(server: servers.Server) -> None:
    sql = FAMILY + "CREATE TABLE apart () INHERITS (log);"
    skip = '[tables.apart]\nskip = "not needed"\n'
    with moved(server, sql, FAMILY_SCHEMA, config=skip) as (folder, source, target):
        target.run(
            "CREATE TABLE apart () INHERITS (log); INSERT INTO apart VALUES ('mine'); INSERT INTO log VALUES ('x')"
        )
        restored(folder, target, "--replace")
        assert rows(target, "SELECT line FROM apart") == [("mine",)]
        assert rows(target, FAMILY_ROWS) == [("apart", "mine"), *rows(source, FAMILY_ROWS)]
