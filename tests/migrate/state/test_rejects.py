"""What rejected rows explain in a proof: no more than still holds, and of the run that the proof is held against."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from supavex.deployment import Deployment
from supavex.migrate.target.archive import ArchiveDocuments
from supavex.postgres.server import Server, temporary
from tests import projects
from tests.projects import supavex

Run = Callable[[str], None]
Make = Callable[..., AbstractContextManager[Path]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary() as running:
        yield running


@pytest.fixture
def run(server: Server) -> Iterator[Run]:
    with psycopg.connect(server.url("supabase_admin"), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS other CASCADE; CREATE SCHEMA public")
        yield lambda sql: connection.execute(sql.encode()) and None


@pytest.fixture
def project(server: Server) -> Make:
    @contextmanager
    def made(schema: str, toml: str = "", source: str = "", **files: str) -> Iterator[Path]:
        with projects.folder() as folder:
            for name, content in files.items():
                (folder / name.replace("_", ".")).write_text(content)
            settings(folder, schema, toml, source)
            supavex("build", "-C", folder)
            deployed = supavex("deploy", "-C", folder)
            assert deployed.code == 0, deployed.err
            yield folder

    def settings(folder: Path, schema: str, toml: str, source: str) -> None:
        url = server.url("supabase_admin")
        text = f'max_rejects = 9\n[source]\ndatabase_url = "{url}"\n{source}\n{toml}'
        projects.write(folder, schema=f"schema = define_schema({{{schema}}})", toml=text)

    return made


def ran(command: str, folder: Path, *arguments: object, code: int = 0) -> Any:
    done = supavex(command, "-C", folder, "--json", *arguments)
    assert done.code == code, done.out + done.err
    return done.json


def rejected(folder: Path) -> list[tuple[str, str | None, str]]:
    lines = (folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()
    return [(found["table"], found["key"], found["code"]) for found in map(json.loads, lines)]


NOTES = '"notes": define_table({"id": v.number(), "text": v.string()})'


def test_a_row_is_listed_with_the_fault_of_each_column(run: Run, project: Make) -> None:
    """Whoever fixes all that one run lists meets no further fault in the next."""
    run(
        "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'x'), (2, NULL);"
        "CREATE TABLE notes (id int PRIMARY KEY, by int REFERENCES people, also int, n bigint, at timestamptz, "
        "kind text, grade text, size int, tags int[], body text);"
        "INSERT INTO notes VALUES "
        "(1, 1, 1, 9007199254740993, 'infinity', 'c', 'zz', -1, '{1,NULL}', repeat('x', 1200000)), "
        "(2, 2, 7, 9007199254740993, now(), NULL, 'a', 1, '{1}', 'b'), "
        "(3, 2, 1, 1, now(), 'a', 'a', 1, '{1}', 'b')"
    )
    run("ALTER TABLE notes ADD FOREIGN KEY (also) REFERENCES people NOT VALID")
    schema = (
        '"people": define_table({"id": v.number(), "name": v.string()}), "notes": define_table({"id": v.number(), '
        '"by": v.id("people"), "also": v.id("people"), "n": v.number(), "at": v.number(), '
        '"kind": v.string(one_of=["a", "b"]), "grade": v.string(pattern="^.$"), "size": v.number(ge=0), '
        '"tags": v.array(v.number()), "body": v.optional(v.string())})'
    )
    with project(schema) as folder:
        migrated = ran("migrate", folder)
        lines = (folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()
        notes = {r["key"]: r for r in map(json.loads, lines) if r["table"] == "public.notes"}
        found = {
            key: [(why["column"], why["code"]) for why in (reject, *reject["also"])] for key, reject in notes.items()
        }
        assert found == {
            "1": [
                ("n", "InexactNumber"),
                ("at", "InfiniteTime"),
                ("kind", "ValueNotAllowed"),
                ("grade", "PatternMismatch"),
                ("size", "ValueOutOfRange"),
                ("tags", "NullElement"),
                ("body", "ValueTooLargeError"),
            ],
            # Its own faults first, and then that it refers to a rejected row.
            "2": [
                ("also", "DanglingReference"),
                ("n", "InexactNumber"),
                ("kind", "NullInRequired"),
                ("by", "RejectedParent"),
            ],
            "3": [("by", "RejectedParent")],
        }
        assert migrated["rejected"] == 4
        assert migrated["reasons"]["public.notes.n: InexactNumber"] == 2
        proof = ran("verify", folder)
        assert (proof["verdict"], sum(table["rejected"] for table in proof["tables"])) == ("proven", 4)
        page = (folder / ".supavex/migration/proof.html").read_text()
        assert "which is not a point in time" in page
        # What is corrected in part is still rejected, and what is corrected whole is not.
        run("UPDATE notes SET n = 1, kind = 'a' WHERE id = 2")
        assert ran("verify", folder)["verdict"] == "proven"
        run("UPDATE notes SET also = 1, by = 1 WHERE id = 2")
        assert ran("verify", folder, code=1)["verdict"] == "changed since the copy"


def test_a_large_row_whose_json_python_does_not_read_is_rejected_for_the_json(run: Run, project: Make) -> None:
    run(
        "CREATE TABLE notes (id int PRIMARY KEY, j jsonb, body text); INSERT INTO notes VALUES "
        "(1, (repeat('[', 5000) || repeat(']', 5000))::jsonb, repeat('x', 1200000))"
    )
    schema = '"notes": define_table({"id": v.number(), "j": v.any(), "body": v.string()})'
    with project(schema) as folder:
        ran("migrate", folder)
        assert rejected(folder) == [("public.notes", "1", "TooNestedError")]


def test_a_row_that_was_mended_has_changed_since_the_copy(run: Run, project: Make) -> None:
    run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'x'), (2, NULL), (3, NULL)")
    with project(NOTES) as folder:
        ran("migrate", folder)
        assert ran("verify", folder)["verdict"] == "proven"
        # Written, and as wrong as it was: it still does not go.
        run("UPDATE notes SET id = id")
        assert ran("verify", folder)["verdict"] == "proven"
        run("UPDATE notes SET text = 'mended' WHERE id = 2")
        proof = ran("verify", folder, code=1)
        assert (proof["verdict"], proof["changed"], proof["wrong"]) == ("changed since the copy", 1, 0)
        assert [(c["key"], "would go now" in c["detail"]) for c in proof["tables"][0]["changes"]] == [("2", True)]
        assert proof["tables"][0]["rejected"] == 1
        ran("migrate", folder, "--changes")
        assert ran("verify", folder)["verdict"] == "proven"


def test_a_row_that_the_rules_take_now_has_changed_too(run: Run, project: Make) -> None:
    run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'x'), (2, NULL)")
    with project(NOTES) as folder:
        ran("migrate", folder)
        schema = folder / "schema.py"
        schema.write_text(schema.read_text().replace("v.string()", "v.optional(v.string())"))
        proof = ran("verify", folder, code=1)
        assert (proof["verdict"], proof["changed"]) == ("changed since the copy", 1)


def test_mended_references_and_ids_of_files_are_seen(run: Run, project: Make) -> None:
    run(
        "CREATE TABLE par (id uuid PRIMARY KEY, v text); CREATE TABLE kid (a int, b text, par uuid, kids uuid[], "
        "PRIMARY KEY (a, b)); INSERT INTO par VALUES (md5('1')::uuid, NULL), (md5('2')::uuid, 'x');"
        "INSERT INTO kid VALUES (1, 'a', md5('1')::uuid), (2, 'a', md5('2')::uuid), (3, 'c', md5('3')::uuid);"
    )
    schema = '"par": define_table({"v": v.string()}), '
    schema += '"kid": define_table({"a": v.number(), "b": v.string(), "par": v.optional(v.id("par"))})'
    toml = '[tables.kid.columns]\nkids = { skip = "no" }\nb = { ids = "ids.csv" }\n'
    toml += '[tables.kid.fields.par]\nreferences = ["par"]\n'
    with project(schema, toml, ids_csv="old,new\na,A\n") as folder:
        ran("migrate", folder)
        codes = {(table, code) for table, _, code in rejected(folder)}
        assert codes == {
            ("public.par", "NullInRequired"),
            ("public.kid", "RejectedParent"),
            ("public.kid", "IdNotInFile"),
        }
        assert ran("verify", folder)["verdict"] == "proven"
        (folder / "ids.csv").write_text("old,new\na,A\nc,C\n")
        assert ran("verify", folder)["verdict"] == "proven"  # what it refers to is not there either
        run("INSERT INTO par VALUES (md5('3')::uuid, NULL)")
        run("UPDATE kid SET par = md5('2')::uuid WHERE a = 3")
        proof = ran("verify", folder, code=1)
        kid = next(table for table in proof["tables"] if table["target"] == "kid")
        assert ([change["key"] for change in kid["changes"]], kid["rejected"]) == (['["3", "c"]'], 1)


def test_no_key_is_another_than_the_text_null(run: Run, project: Make) -> None:
    run("CREATE TABLE notes (k text, n int); INSERT INTO notes VALUES (NULL, 1), ('NULL', 2), (NULL, 3)")
    schema = '"notes": define_table({"k": v.optional(v.string()), "n": v.optional(v.number())})'
    with project(schema, '[tables.notes]\nkey = ["k"]\n') as folder:
        ran("migrate", folder)
        assert rejected(folder) == [("public.notes", None, "NullKey")] * 2
        proof = ran("verify", folder)
        assert (proof["verdict"], proof["tables"][0]["rejected"]) == ("proven", 2)
        # Another version may mean something else by a line.
        other = folder / "other.jsonl"
        other.write_text(
            (folder / ".supavex/migration/rejects.jsonl").read_text().replace('"version": 2', '"version": 0')
        )
        assert ran("verify", folder, "--rejects", other, code=2)["error"]["code"] == "OldState"


def test_rows_that_refer_to_each_other_are_mended_together(run: Run, project: Make) -> None:
    run(
        "CREATE TABLE a (id int PRIMARY KEY, v text, up int, b int); CREATE TABLE b (id int PRIMARY KEY, a int);"
        "INSERT INTO a VALUES (1, NULL, 1, 1), (2, 'x', 1, NULL), (3, 'x', 2, NULL), (4, 'x', 4, NULL);"
        "INSERT INTO b VALUES (1, 1), (2, 4)"
    )
    schema = '"a": define_table({"v": v.string(), "up": v.optional(v.id("a")), "b": v.optional(v.id("b"))}), '
    schema += '"b": define_table({"a": v.optional(v.id("a"))})'
    toml = "".join(
        f'[tables.{table}.columns.{name}]\nskip = "a reference"\n'
        f'[tables.{table}.fields.{name}]\nreferences = ["{name}"]\n'
        for table, name in (("a", "up"), ("a", "b"), ("b", "a"))
    )
    with project(schema, toml) as folder:
        ran("migrate", folder)
        assert len(rejected(folder)) == 4
        assert ran("verify", folder)["verdict"] == "proven"
        run("UPDATE a SET v = 'mended' WHERE id = 1")
        proof = ran("verify", folder, code=1)
        a, b = proof["tables"]
        assert ([change["key"] for change in a["changes"]], a["rejected"]) == (["1", "2", "3"], 0)
        assert (b["changed"], b["rejected"]) == (1, 0)


FAMILY = """
CREATE TABLE par (id int PRIMARY KEY, v text);
CREATE TABLE kid (id int PRIMARY KEY, par int REFERENCES par, up int REFERENCES kid);
CREATE TABLE other (id int PRIMARY KEY, v text);
INSERT INTO par VALUES (1, NULL), (2, 'x');
INSERT INTO kid VALUES (1, 1, NULL), (2, 2, NULL), (3, 2, 1);
INSERT INTO other VALUES (1, 'x');
"""
FAMILY_SCHEMA = (
    '"par": define_table({"id": v.number(), "v": v.string()}), '
    '"kid": define_table({"id": v.number(), "par": v.optional(v.id("par")), "up": v.optional(v.id("kid"))}), '
    '"other": define_table({"id": v.number(), "v": v.optional(v.string())})'
)


def test_a_migration_of_some_tables_leaves_what_is_known_of_the_others(run: Run, project: Make) -> None:
    run(FAMILY)
    with project(FAMILY_SCHEMA) as folder:
        ran("migrate", folder)
        assert ran("verify", folder)["verdict"] == "proven"
        run("UPDATE other SET v = 'y'")
        ran("migrate", folder, "--tables", "other")
        assert rejected(folder) == []
        proof = ran("verify", folder)
        assert (proof["verdict"], [table["rejected"] for table in proof["tables"]]) == ("proven", [1, 2, 0])
        # Of each table, what was written since its own copy.
        run("UPDATE par SET v = 'y' WHERE id = 2; UPDATE other SET v = 'z'")
        proof = ran("verify", folder, code=1)
        assert (proof["verdict"], proof["changed"]) == ("changed since the copy", 2)


def test_a_run_that_imports_nothing_changes_nothing_of_what_is_known(run: Run, project: Make) -> None:
    run(FAMILY)
    with project(FAMILY_SCHEMA) as folder:
        ran("migrate", folder)
        run("UPDATE par SET v = 'y' WHERE id = 2; INSERT INTO par VALUES (3, NULL)")
        archive = folder / "out.zip"
        ran("migrate", folder, "--out", archive)
        assert ("public.par", "3", "NullInRequired") in rejected(folder)
        assert ran("verify", folder, archive)["verdict"] == "proven"
        proof = ran("verify", folder, code=1)
        assert (proof["verdict"], proof["changed"]) == ("changed since the copy", 2)
        ran("migrate", folder, "--max-rejects", "0", code=1)
        assert ran("verify", folder, code=1)["verdict"] == "changed since the copy"
        # The archive's own run, wherever it lies now.
        ran("migrate", folder)
        run("UPDATE par SET v = 'mended' WHERE id = 1")
        ran("migrate", folder)
        moved = archive.rename(folder / "elsewhere.zip")
        proof = ran("verify", folder, moved, code=1)
        assert (proof["verdict"], proof["tables"][0]["changed"]) == ("changed since the copy", 1)
        assert ran("verify", folder)["verdict"] == "proven"


def test_a_damaged_file_of_what_is_known_is_said(run: Run, project: Make) -> None:
    run(FAMILY)
    with project(FAMILY_SCHEMA) as folder:
        ran("migrate", folder)
        (folder / ".supavex/migration/copied/local.jsonl").write_text('{"version": 3}\n{}\n')
        done = supavex("verify", "-C", folder)
        assert (done.code, "InvalidCopied" in done.err) == (2, True), done.err
        ran("migrate", folder)  # as the hint says
        ran("verify", folder)
        # An earlier version listed a row's first reason only, and its files have other versions.
        places = folder / ".supavex/migration"
        copied = places / "copied/local.jsonl"
        copied.write_text(copied.read_text().replace('{"version": 3}', '{"version": 2}'))
        with contextlib.closing(sqlite3.connect(places / "baselines/local.sqlite3", isolation_level=None)) as baseline:
            baseline.execute("UPDATE about SET value = '2' WHERE name = 'version'")
        for command in (["verify"], ["migrate", "--changes", "--max-rejects", "5"]):
            assert ran(command[0], folder, *command[1:], code=2)["error"]["code"] == "OldState"
        ran("migrate", folder)
        ran("verify", folder)


def test_rows_of_rejected_parents_are_rejected_without_their_parents_too(run: Run, project: Make) -> None:
    run(FAMILY)
    with project(FAMILY_SCHEMA) as folder:
        kids = [("public.kid", "1", "RejectedParent"), ("public.kid", "3", "RejectedParent")]
        # Of an archive, nothing is known: the parents are read, too.
        done = ran("migrate", folder, "--tables", "kid", "--out", folder / "out.zip")
        assert ([table["source"] for table in done["tables"]], rejected(folder)) == (["public.kid"], kids)
        with zipfile.ZipFile(folder / "out.zip") as archive:
            assert [name for name in archive.namelist() if name.endswith("/documents.jsonl")] == [
                "_tables/documents.jsonl",
                "kid/documents.jsonl",
            ]
        # Nor of a deployment that has no rows of them yet.
        assert len(ran("migrate", folder, "--tables", "public.kid")["tables"]) == 1
        assert rejected(folder) == kids
        ran("migrate", folder)
        assert ran("verify", folder)["verdict"] == "proven"
        # Of one that has, that they were rejected counts, and not that they would go now: they are not there.
        run("UPDATE par SET v = 'mended' WHERE id = 1")
        ran("migrate", folder, "--tables", "kid")
        assert rejected(folder) == kids
        proof = ran("verify", folder, code=1)
        assert (proof["verdict"], proof["changed"], proof["wrong"]) == ("changed since the copy", 3, 0)
        ran("migrate", folder, "--tables", "par,kid")
        assert (rejected(folder), ran("verify", folder)["verdict"]) == ([], "proven")


def test_which_tables_a_name_means(run: Run, project: Make) -> None:
    run("CREATE SCHEMA other; CREATE TABLE notes (id int PRIMARY KEY); CREATE TABLE other.notes (id int PRIMARY KEY);")
    schema = '"notes": define_table({"id": v.number()}), "others": define_table({"id": v.number()})'
    toml = '[tables."other.notes"]\nto = "others"\n'
    with project(schema, toml, 'schemas = ["public", "other"]') as folder:
        assert [t["source"] for t in ran("migrate", folder, "--tables", "notes")["tables"]] == ["public.notes"]
        both = ran("migrate", folder, "--tables", "public.notes, other.notes")
        assert [t["source"] for t in both["tables"]] == ["public.notes", "other.notes"]
        done = supavex("migrate", "-C", folder, "--tables", "other")
        assert (done.code, "Tables: notes, other.notes." in done.err) == (2, True), done.err
        for none in ("", " , "):
            done = supavex("migrate", "-C", folder, "--tables", none)
            assert (done.code, "NoTables" in done.err) == (2, True), done.err


def test_uniques_and_checks_of_what_was_cut_or_rounded(run: Run, project: Make) -> None:
    run(
        "CREATE TABLE a (id int PRIMARY KEY, slug text UNIQUE NOT NULL CHECK (length(slug) > 3));"
        "INSERT INTO a VALUES (1, 'aaaa1'), (2, 'aaaa2');"
        "CREATE TABLE b (id int PRIMARY KEY, n numeric UNIQUE NOT NULL);"
        "INSERT INTO b VALUES (1, 0.1), (2, 0.10000000000000000001)"
    )
    schema = '"a": define_table({"id": v.number(), "slug": v.string(unique=True)}), '
    schema += '"b": define_table({"id": v.number(), "n": v.number(unique=True)})'
    with project(schema, "[tables.a.columns.slug]\ntruncate = 3\n[columns.n]\nlossy = true\n") as folder:
        ran("migrate", folder)
        a, b = ran("verify", folder, code=1)["tables"]
        assert a["counts"] == {"broken unique": 1, "broken check": 2}
        assert b["counts"] == {"broken unique": 1}


def test_rules_inside_a_union_are_rules(run: Run, project: Make) -> None:
    run(
        "CREATE TABLE a (id int PRIMARY KEY, v text, w text, n int);"
        "INSERT INTO a VALUES (1, 'bad', 'ok', 5), (2, 'ok', 'left', NULL), (3, NULL, 'right', 5), (4, 'ok', 'no', 5), "
        "(5, 'ok', 'ok', -1)"
    )
    schema = '"a": define_table({"id": v.number(), "v": v.union(v.string(pattern="^ok$"), v.null()), '
    schema += '"w": v.union(v.string(pattern="^ok$"), v.string(one_of=["left", "right"])), '
    schema += '"n": v.optional(v.union(v.null(), v.number(ge=0)))})'
    with project(schema) as folder:
        assert "pattern" in (folder / "convex/defaults.ts").read_text()
        ran("migrate", folder)
        found = {("1", "PatternMismatch"), ("4", "ValueNotAllowed"), ("5", "ValueOutOfRange")}
        assert {(key, code) for _, key, code in rejected(folder)} == found
        assert ran("verify", folder)["verdict"] == "proven"
        with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
            for document in deployment.documents("a"):
                deployment.replace(document["_id"], {"id": document["id"], "v": "bad", "w": "no", "n": -1.0})
        assert ran("verify", folder, code=1)["tables"][0]["counts"]["broken rule"] == 6


def test_a_row_like_others_that_came_since_is_a_change(run: Run, project: Make) -> None:
    run("CREATE TABLE a (v text); INSERT INTO a SELECT 'x' FROM generate_series(1, 5); INSERT INTO a VALUES ('y')")
    run("DELETE FROM a WHERE ctid = '(0,1)'")
    run("VACUUM a")
    with project('"a": define_table({"v": v.optional(v.string())})', '[tables.a]\nkey = ["*"]\n') as folder:
        ran("migrate", folder)
        # It takes the place on disk before the older ones.
        run("INSERT INTO a VALUES ('x')")
        proof = ran("verify", folder, code=1)
        assert (proof["verdict"], proof["changed"]) == ("changed since the copy", 1)
        with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
            deployment.delete(next(d["_id"] for d in deployment.documents("a") if d["v"] == "y"))
        assert ran("verify", folder, code=1)["tables"][0]["counts"] == {"missing document": 1}


def test_without_rejected_rows_an_archive_is_not_read_by_ids(
    run: Run, project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests read it once, as it lies; to look up documents takes several times as long."""

    def load(self: ArchiveDocuments, table: str) -> None:
        raise AssertionError(f"{table} was read by ids")

    run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'x'), (2, 'y')")
    with project(NOTES) as folder:
        archive = folder / "a.zip"
        ran("migrate", folder, "--out", archive)
        monkeypatch.setattr(ArchiveDocuments, "load", load)
        assert ran("verify", folder, archive)["verdict"] == "proven"


def test_what_holds_peoples_data_is_its_owners(run: Run, project: Make) -> None:
    run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'x'), (2, NULL)")
    with project(NOTES) as folder:
        old = folder / ".supavex/migration/rejects.jsonl"
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_text("")  # as an earlier version left it
        ran("migrate", folder, "--baseline", "named")
        ran("verify", folder)
        files = [path for path in (folder / ".supavex/migration").rglob("*") if path.is_file()]
        kept = {"rejects.jsonl", "report.json", "proof.json", "named.sqlite3", "runs.jsonl", "lock"}
        assert {path.name for path in files} >= kept
        assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_what_postgresql_refuses_to_read_is_said(run: Run, project: Make) -> None:
    run("CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes VALUES (1, 'x')")
    with project(NOTES) as folder:
        ran("migrate", folder)
        run("CREATE ROLE nobody_much LOGIN")
        run("GRANT USAGE ON SCHEMA public TO nobody_much")
        config = folder / "supavex.toml"
        config.write_text(config.read_text().replace("supabase_admin", "nobody_much"))
        done = supavex("verify", "-C", folder)
        assert (done.code, "permission denied for table" in done.err, "None" in done.err) == (2, True, False), done.err
