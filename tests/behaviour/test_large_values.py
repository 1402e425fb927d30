"""Large values of a source that lives: every size around the border, rows that change, moments, and the way back."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Json, Jsonb

from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.database.stored_files import Files
from supavex.mapping.large_values import LargeValues
from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import Plan
from supavex.migrate.copy.retry import rejects_that_would_go
from supavex.migrate.copy.run import copy
from supavex.migrate.proof.run import ProofOptions, verify
from supavex.migrate.proof.storage import files_proof
from supavex.migrate.target.archive import ArchiveDocuments
from supavex.migrate.target.stored_files import archive_files
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import Server, temporary
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests import projects
from tests.projects import supavex

OVER = 12
#: Name: PostgreSQL's type, Convex's, values. Characters of one to four bytes, so that sizes fall on the border.
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(st.sampled_from('aé€𝄞"\\\n') | LETTERS, max_size=OVER + 2)
DATA = st.recursive(TEXTS | st.integers(-9, 9) | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=4)
COLUMNS: dict[str, tuple[str, str, st.SearchStrategy[Any]]] = {
    "a": ("text", "v.string()", TEXTS),
    "b": ("varchar(40)", "v.string()", TEXTS),
    "c": ("json", "v.string()", DATA.map(Json)),
    "d": ("jsonb", "v.any()", DATA.map(Jsonb)),
    "e": ("bytea", "v.string()", st.binary(max_size=OVER + 2)),
    "f": ("bytea", "v.bytes()", st.binary(max_size=OVER + 2)),
}
KEYS = {
    "id": "id int PRIMARY KEY",
    "composite": "id int, part text DEFAULT 'é\"', PRIMARY KEY (part, id)",
    "none": "id int",
}
Run = Callable[[str], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary() as running:
        with psycopg.connect(running.url("supabase_admin"), autocommit=True) as connection:
            # Its transactions would make another moment of one at which nobody has written a row.
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            connection.execute("SELECT pg_reload_conf()")
        yield running


class Source:
    """No dataclass: Hypothesis would write all of the plan into its reports."""

    def __init__(self, url: str, folder: Path, plan: Plan) -> None:
        self.url, self.folder, self.plan = url, folder, plan


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("large")
    fields = "".join(
        f'"{name}": v.optional({field}), "{name}_file": v.optional(v.id("_storage")), '
        for name, (_, field, _) in COLUMNS.items()
    )
    tables = "".join(
        f'"{key}s": define_table({{"id": v.number(), "part": v.optional(v.string()), "ok": v.string(), {fields}}}), '
        for key in KEYS
    )
    rules = "".join(f'[columns.{name}]\nfile = "{name}_file"\nfile_over = {OVER}\n' for name in COLUMNS)
    (folder / "supavex.toml").write_text(f'[source]\nschemas = ["large"]\n{rules}[tables.nones]\nkey = ["*"]\n')
    (folder / "schema.py").write_text(
        f"from supavex.schema import define_schema, define_table, v\nschema = define_schema({{{tables}}})\n"
    )
    url = server.url("supabase_admin")
    columns = ", ".join(f"{name} {type_}" for name, (type_, _, _) in COLUMNS.items())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA large")
        for key, sql in KEYS.items():
            connection.execute(
                f"CREATE TABLE large.{key}s ({sql.replace('id int', 'ok text, id int', 1)}, {columns})".encode()
            )
        catalog = inspect_catalog(connection, ["large"])
    project = load_settings(folder)
    return Source(url, folder, make_plan(project, load_schema(project), catalog))


VALUES = st.fixed_dictionaries({}, optional={name: values for name, (_, _, values) in COLUMNS.items()})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(VALUES, st.sampled_from(["ok", "ok", None])), max_size=6))
def test_every_value_is_in_its_field_or_in_its_file(
    source: Source, rows: list[tuple[dict[str, Any], str | None]]
) -> None:
    assert not [misfit for table in source.plan.moving for misfit in table.misfits]
    texts: dict[tuple[int, str], bytes | None] = {}
    with psycopg.connect(source.url, autocommit=True) as connection:
        for key in KEYS:
            connection.execute(f"TRUNCATE large.{key}s".encode())
            marks = ", ".join(f"%s::{type_}" for type_, _, _ in COLUMNS.values())
            for number, (row, ok) in enumerate(rows):
                values = [ok, number, *(row.get(name) for name in COLUMNS)]
                sql = f"INSERT INTO large.{key}s (ok, id, {', '.join(COLUMNS)}) VALUES (%s, %s, {marks})"
                connection.execute(sql.encode(), values)
        for name, (type_, _, _) in COLUMNS.items():
            cast = "" if type_ == "bytea" else "::text"
            for number, value in connection.execute(
                f"SELECT id, {name}{cast} FROM large.ids WHERE ok IS NOT NULL".encode()
            ):
                texts[number, name] = value.encode() if isinstance(value, str) else value
    archive = source.folder / "a.zip"
    numbers = {f"{key}s": 10_001 + n for n, key in enumerate(KEYS)}
    result = copy(source.plan, source.url, numbers, archive, source.folder / "work")
    refused = sum(ok is None for _, ok in rows)
    assert [reject.column for reject in result.rejects] == ["ok"] * refused * 3
    large = {place: value for place, value in texts.items() if value is not None and len(value) > OVER}
    assert result.values is not None
    assert (result.values.files, result.values.size) == (len(large) * 3, sum(map(len, large.values())) * 3)
    with SnapshotArchive(archive) as opened:
        files = {e.id: b"".join(opened.read_stored(e.entry)) for e in opened.stored_files(STORAGE_NUMBER)}
        for table in numbers:
            found: dict[tuple[int, str], bytes] = {}
            for document in opened.documents(table):
                for name in COLUMNS:
                    place = (int(document["id"]), name)
                    assert (name in document) == (texts[place] is not None and place not in large)
                    if f"{name}_file" in document:
                        found[place] = files.pop(document[f"{name}_file"])
            assert found == large
    assert not files
    with ArchiveDocuments(archive) as documents, SnapshotArchive(archive) as opened:
        proof = verify(
            source.plan,
            source.url,
            documents,
            result.rejects,
            ProofOptions(files=files_proof(None, (), archive_files(opened)), retry=rejects_that_would_go),
        )
    assert proof.ok, [table for table in proof.tables if not table.ok]
    assert sum(table.matched for table in proof.tables if table.target == "_storage") == len(large) * 3


SQL = """
DROP TABLE IF EXISTS notes, others, plain;
CREATE TABLE plain (id int PRIMARY KEY, body text);
CREATE TABLE notes (id int PRIMARY KEY, body text, data jsonb);
CREATE TABLE others (id text PRIMARY KEY, body text);
INSERT INTO notes VALUES (1, repeat('a', 200), NULL), (2, 'small', '[1]'), (3, repeat('c', 200), NULL), (4, NULL, NULL);
INSERT INTO plain VALUES (1, 'one');
INSERT INTO others VALUES ('one', repeat('o', 200)), ('two', 'small');
"""
SCHEMA = """
file = v.optional(v.id("_storage"))
schema = define_schema({
    "notes": define_table({"body": v.optional(v.string()), "file": file, "data": v.optional(v.any())}),
    "others": define_table({"id": v.string(), "body": file}),
    "plain": define_table({"body": v.string()}),
})
"""
TOML = """
[source]
database_url = "{url}"
[tables.notes.columns.body]
file = "file"
file_over = 100
[tables.others.columns.body]
file = "body"
file_over = 0
"""


@pytest.fixture
def run(server: Server) -> Iterator[Run]:
    """Runs SQL as the app does, each time in a transaction of its own."""
    with psycopg.connect(server.url("supabase_admin"), autocommit=True) as connection:
        yield lambda sql: connection.execute(sql.encode()) and None


@pytest.fixture
def moved(server: Server, run: Run) -> Iterator[Path]:
    """A project that is migrated into its local deployment, and proven."""
    run(SQL)
    with projects.folder() as folder:
        projects.write(folder, schema=SCHEMA, toml=TOML.format(url=server.url("supabase_admin")))
        for command in ("deploy", "migrate", "verify"):
            ran = supavex(command, "-C", folder)
            assert ran.code == 0, ran.out + ran.err
        yield folder


def contents(folder: Path) -> list[str]:
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        return sorted(f.path.read_text()[:1] for f in Files(deployment.store, folder / ".supavex").all())


def verified(folder: Path, name: str) -> Any:
    ran = supavex("verify", "-C", folder, "--json")
    assert ran.code == (0 if ran.json["ok"] else 1), ran.err
    return next(table for table in ran.json["tables"] if table["source"] == name)


def test_values_that_change_after_the_copy_are_no_findings(moved: Path, run: Run) -> None:
    run("UPDATE notes SET body = repeat('A', 200) WHERE id = 1")
    run("UPDATE notes SET body = 'small now' WHERE id = 3")
    run("UPDATE notes SET body = repeat('d', 200) WHERE id = 4")
    run("INSERT INTO notes VALUES (5, repeat('e', 200), NULL)")
    found = verified(moved, "public.notes.body")
    assert found["counts"] == {}
    assert {change["key"]: change["detail"].partition(",")[0] for change in found["changes"]} == {
        "1": "its file differs in contents",
        "3": "its value is no file now",
        "4": "its value has no file",
        "5": "its value has no file",
    }
    # What is wrong with a row that nobody has written since is a finding all the same.
    run("DELETE FROM notes WHERE id = 5")
    with Deployment(moved / ".supavex/deployment.sqlite3") as deployment, deployment.store.transaction():
        deployment.store.connection.execute("DELETE FROM files WHERE size = 200")
    assert verified(moved, "public.others.body")["counts"] == {"missing file": 1}
    assert supavex("migrate", "-C", moved).code == 0
    assert verified(moved, "public.notes.body")["ok"]
    assert contents(moved) == ["A", "d", "o", "s"]


def test_a_row_that_is_deleted_after_the_copy_leaves_its_file(moved: Path, run: Run) -> None:
    run("DELETE FROM notes WHERE id = 1")
    assert verified(moved, "public.notes.body")["counts"] == {"deleted or extra": 1}
    assert supavex("migrate", "-C", moved).code == 0
    assert verified(moved, "public.notes.body")["ok"]
    assert contents(moved) == ["c", "o", "s"]


def test_changes_of_values_in_files_are_found_and_taken(moved: Path, run: Run) -> None:
    assert supavex("changes", "-C", moved).code == 0
    run("UPDATE notes SET body = repeat('a', 199) || 'b' WHERE id = 1")
    run("UPDATE others SET body = 'other' WHERE id = 'two'")
    run("UPDATE notes SET body = body WHERE id = 3")
    ran = supavex("changes", "-C", moved, "--json")
    tables = {table["source"]: (table["updated"], table["rewritten"]) for table in ran.json["tables"]}
    assert tables == {"public.notes": (1, 1), "public.others": (1, 0), "public.plain": (0, 0)}
    ran = supavex("migrate", "--changes", "-C", moved, "--json")
    assert (ran.code, ran.json["values"]["files"]) == (0, 4), ran.out + ran.err
    assert verified(moved, "public.notes.body")["ok"]
    assert verified(moved, "public.others.body")["ok"]
    # The files of a table that is not taken stay.
    run("UPDATE notes SET body = 'small' WHERE id = 1")
    ran = supavex("migrate", "--changes", "-C", moved, "--json")
    assert (ran.code, [t["source"] for t in ran.json["tables"]]) == (0, ["public.notes", "public.notes.body"])
    assert contents(moved) == ["c", "o", "o"]
    assert verified(moved, "public.others.body")["ok"]
    # Another border is another migration of the table.
    toml = (moved / "supavex.toml").read_text()
    (moved / "supavex.toml").write_text(toml.replace("file_over = 100", "file_over = 300"))
    ran = supavex("migrate", "--changes", "-C", moved, "--json")
    assert (ran.code, [t["source"] for t in ran.json["tables"]]) == (0, ["public.notes", "public.notes.body"]), ran.out
    assert contents(moved) == ["o", "o"]
    assert verified(moved, "public.notes.body")["ok"]


def test_no_file_is_of_another_moment_than_its_document(moved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that was cut short is taken up after rows have been written: tables with files are read again."""

    def interrupted(self: LargeValues, row_id: bytes) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LargeValues, "internal_id", interrupted)
        ran = supavex("migrate", "-C", moved)
    assert ran.code not in (0, 1)
    run("UPDATE notes SET body = repeat('x', 200) WHERE id = 2")
    assert supavex("migrate", "-C", moved, "--json").json["error"]["code"] == "TwoSnapshots"
    ran = supavex("migrate", "-C", moved, "--accept-two-snapshots", "--json")
    assert (ran.code, ran.json["partsKept"]) == (0, 1), ran.out + ran.err
    assert verified(moved, "public.notes.body")["ok"]
    assert contents(moved) == ["a", "c", "o", "s", "x"]


def test_an_interrupted_copy_goes_on(moved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: LargeValues) -> str:
        raise KeyboardInterrupt

    before = (moved / ".supavex/migration/snapshot.zip").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(LargeValues, "media_type", property(interrupted))
        assert supavex("migrate", "-C", moved).code not in (0, 1)
    assert not (moved / ".supavex/migration/snapshot.zip.partial").exists()
    ran = supavex("migrate", "-C", moved, "--json")
    assert (ran.code, ran.json["partsKept"]) == (0, 3), ran.out + ran.err
    assert (moved / ".supavex/migration/snapshot.zip").read_bytes() == before


def rewritten(archive: Path, path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of an archive with other contents; None leaves an entry out."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            content = change(entry.filename, old.read(entry))
            if content is not None:
                new.writestr(entry, content)
    return path


def test_what_cannot_be_taken_back_is_refused(moved: Path, run: Run, server: Server) -> None:
    archive, other = moved / ".supavex/migration/snapshot.zip", moved / "other.zip"
    run("DROP DATABASE IF EXISTS elsewhere")
    run("CREATE DATABASE elsewhere")
    url = server.url("supabase_admin", "elsewhere")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL.partition("INSERT")[0].encode())

        def restored(change: Callable[[str, bytes], bytes | None]) -> tuple[Any, str]:
            ran = supavex("restore", rewritten(archive, other, change), "-C", moved, "--to", url, "--json")
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0 if ran.code else 4,)
            return ran.json.get("error", {}).get("code"), str(ran.json.get("error", {}).get("message"))

        without = restored(lambda name, content: None if name.startswith("_storage/") else content)
        assert without[0] == "CannotTakeBack"
        assert "--include-file-storage" in without[1]
        both = restored(
            lambda name, content: (
                content.replace(b'"file"', b'"body":"here too","file"') if name == "notes/documents.jsonl" else content
            )
        )
        assert both[0] == "CannotTakeBack"
        assert "in its own field too" in both[1]
        odd = restored(lambda name, content: b"\xff" if name.endswith(".txt") else content)
        assert odd[0] == "CannotTakeBack"
        assert "holds no text" in odd[1]
        assert restored(lambda name, content: content)[0] is None
        rows = connection.execute("SELECT id, body, data FROM notes ORDER BY id").fetchall()
        assert rows == [(1, "a" * 200, None), (2, "small", [1]), (3, "c" * 200, None), (4, None, None)]
        rows = connection.execute("SELECT id, body FROM others ORDER BY id").fetchall()
        assert rows == [("one", "o" * 200), ("two", "small")]
    run("DROP DATABASE elsewhere")


def test_many_values_are_read_one_after_another(moved: Path, run: Run) -> None:
    """More than one batch of the reader, and of PostgreSQL's own processes none."""
    run("TRUNCATE notes")
    run("INSERT INTO notes SELECT n, repeat(md5(n::text), 3200), NULL FROM generate_series(1, 300) AS n")
    out = moved / "out.zip"
    ran = supavex("migrate", "-C", moved, "--out", out, "--json")
    assert (ran.code, ran.json["values"]["files"]) == (0, 302), ran.out
    first = out.read_bytes()
    assert supavex("migrate", "-C", moved, "--out", out, "--workers", "2").code == 0
    assert out.read_bytes() == first
    with zipfile.ZipFile(out) as archive:
        lines = [json.loads(line) for line in archive.read("_storage/documents.jsonl").splitlines()]
        assert sum(line["size"] for line in lines) == 300 * 32 * 3200 + 205
    assert supavex("verify", out, "-C", moved).code == 0
