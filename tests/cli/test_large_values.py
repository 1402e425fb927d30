"""Large values that become stored files: checked, moved, reported, proven, and taken back."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.convex.ids import encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.deployment import Deployment
from supavex.deployment.database.stored_files import Files
from supavex.mapping.large_values import LargeValues
from supavex.migrate.storage.buckets import file_id as bucket_file_id
from tests import files, projects
from tests.files import deployed, stored
from tests.projects import supavex

SQL = """
CREATE TABLE authors (id uuid PRIMARY KEY, name text);
CREATE TABLE articles (
  id bigint PRIMARY KEY, author uuid REFERENCES authors, title text, content text, created_at timestamptz
);
INSERT INTO authors VALUES
  ('10000000-0000-4000-8000-000000000001', 'good'), ('10000000-0000-4000-8000-000000000002', NULL);
INSERT INTO articles VALUES
  (1, '10000000-0000-4000-8000-000000000001', 'small', 'short', '2024-01-01'),
  (2, '10000000-0000-4000-8000-000000000001', 'large', repeat('large é', 300000), '2024-01-02'),
  (3, '10000000-0000-4000-8000-000000000001', 'large too', repeat('x', 200), '2024-01-03'),
  (4, '10000000-0000-4000-8000-000000000001', 'none', NULL, '2024-01-04');
"""
#: An author without a name is rejected, and its articles with it.
ORPHAN = "INSERT INTO articles VALUES (5, '10000000-0000-4000-8000-000000000002', 'orphan', repeat('y', 300));"
AUTHORS = '"authors": define_table({"name": v.optional(v.string())})'
SCHEMA = f"""
schema = define_schema({{
    {AUTHORS},
    "articles": define_table({{
        "author": v.id("authors"),
        "title": v.string(),
        "content": v.optional(v.string()),
        "content_file": v.optional(v.id("_storage")),
    }}),
}})
"""
RULE = "[tables.articles.columns.content]\n"
TOML = f"""
[columns.created_at]
skip = "it is _creationTime"

{RULE}file = "content_file"
file_over = 100
"""
LARGE, LARGE_TOO = ("large é" * 300000).encode(), b"x" * 200


def values_id(number: int, column: str = "content") -> str:
    """The id of the file of an article's value, computed as the documentation says."""
    key = b"supavex0" + number.to_bytes(8, "big")
    digest = hashlib.sha256(f'"public"."articles"."{column}" '.encode() + key).digest()
    return encode_id(STORAGE_NUMBER, digest[:16])


EXPECTED = {values_id(2): LARGE, values_id(3): LARGE_TOO}


@pytest.fixture
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        yield projects.write(path, schema=SCHEMA, migrations={"1.sql": SQL}, toml=TOML)


def archived(folder: Path, *options: str) -> Path:
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", *options)
    assert ran.code == 0, ran.out + ran.err
    return folder / "out.zip"


def add(folder: Path, sql: str) -> None:
    number = len(list((folder / "supabase/migrations").iterdir())) + 1
    (folder / f"supabase/migrations/{number}.sql").write_text(sql)


def test_values_move_are_reported_and_proven(folder: Path) -> None:
    assert supavex("check", "-C", folder).code == 0
    assert supavex("deploy", "-C", folder).code == 0
    ran = supavex("migrate", "-C", folder, "--json")
    assert ran.code == 0, ran.out + ran.err
    size = len(LARGE) + len(LARGE_TOO)
    assert ran.json["values"] == {
        "files": 2,
        "bytes": size,
        "kept": 0,
        "columns": [{"source": "public.articles.content", "over": 100, "files": 2, "bytes": size}],
    }
    table = ran.json["tables"][-1]
    assert (table["source"], table["target"], table["documents"], table["bytes"]) == (
        "public.articles.content",
        "_storage",
        2,
        size,
    )
    assert deployed(folder) == EXPECTED
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        found = {d["title"]: (d.get("content"), d.get("content_file")) for d in deployment.documents("articles")}
    assert found == {
        "small": ("short", None),
        "large": (None, values_id(2)),
        "large too": (None, values_id(3)),
        "none": (None, None),
    }
    proof = supavex("verify", "-C", folder, "--json")
    assert proof.code == 0, proof.out
    last = proof.json["tables"][-1]
    assert (last["source"], last["rows"], last["matched"], last["ok"]) == ("public.articles.content", 2, 2, True)
    assert (
        f"2 values of public.articles.content became stored files, {size:,} bytes."
        in (folder / ".supavex/migration/report.md").read_text()
    )
    assert "articles.content" in supavex("verify", "-C", folder).out


def test_the_archive_says_of_each_file_what_convex_does(folder: Path) -> None:
    out = archived(folder)
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        lines = {row["_id"]: row for row in map(json.loads, archive.read("_storage/documents.jsonl").splitlines())}
        assert f"_storage/{values_id(2)}.txt" in archive.namelist()
    row = lines[values_id(2)]
    assert (row["_creationTime"], row["contentType"], row["size"]) == (
        1704153600000.0,
        "text/plain; charset=utf-8",
        len(LARGE),
    )


def test_two_runs_and_two_workers_write_the_same_bytes(folder: Path) -> None:
    first = archived(folder).read_bytes()
    assert archived(folder).read_bytes() == first
    assert archived(folder, "--workers", "2").read_bytes() == first


def test_rows_that_do_not_go_leave_no_file(folder: Path) -> None:
    (folder / "schema.py").write_text(
        (folder / "schema.py").read_text().replace("v.optional(v.string())", "v.string()", 1)
    )
    add(folder, ORPHAN)
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--max-rejects", "2", "--json")
    assert ran.code == 0, ran.out
    assert ran.json["reasons"] == {
        "public.authors.name: NullInRequired": 1,
        "public.articles.author: RejectedParent": 1,
    }
    assert ran.json["values"]["files"] == 2
    assert stored(folder / "out.zip") == EXPECTED
    proof = supavex("verify", folder / "out.zip", "-C", folder, "--json")
    assert proof.code == 0, proof.out
    assert proof.json["tables"][-1]["rejected"] == 1
    # And where the file is there all the same, that is no explanation.
    with_file(folder / "out.zip", folder / "other.zip", values_id(5), b"y" * 300)
    proof = supavex("verify", folder / "other.zip", "-C", folder, "--json")
    assert proof.json["tables"][-1]["counts"] == {"rejected but there": 1}


def test_keys_that_are_null_or_shared_have_no_file(folder: Path) -> None:
    sql = """
    CREATE TABLE things (name text, content text);
    INSERT INTO things VALUES ('one', repeat('a', 200)), ('two', repeat('b', 200)), ('two', repeat('c', 200)),
      (NULL, repeat('d', 200));
    """
    add(folder, sql)
    schema = '"things": define_table({"name": v.string(), "content": v.id("_storage")}), "articles"'
    (folder / "schema.py").write_text((folder / "schema.py").read_text().replace('"articles"', schema))
    rules = '\n[tables.things]\nkey = ["name"]\n[tables.things.columns.content]\nfile = "content"\nfile_over = 0\n'
    (folder / "supavex.toml").write_text(TOML + rules)
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--max-rejects", "3", "--json")
    assert ran.json["reasons"] == {"public.things.name: NullKey": 1, "public.things.name: DuplicateKey": 2}, ran.out
    assert sorted(stored(folder / "out.zip").values()) == sorted([*EXPECTED.values(), b"a" * 200])
    assert supavex("verify", folder / "out.zip", "-C", folder).code == 0


def test_two_files_of_one_id_are_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LargeValues, "internal_id", lambda self, row_id: b"1" * 16)
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "DuplicateId")
    assert ran.json["error"]["where"] == "public.articles.content"
    assert not (folder / "out.zip").exists()


def test_no_large_value_needs_no_storage(folder: Path) -> None:
    add(folder, "DELETE FROM articles WHERE length(content) > 100")
    out = archived(folder)
    with zipfile.ZipFile(out) as archive:
        assert not [name for name in archive.namelist() if name.startswith("_storage")]
    assert supavex("verify", out, "-C", folder).code == 0


def test_a_dry_run_counts_and_writes_nothing(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    before = sorted((folder / ".supavex").rglob("*"))
    ran = supavex("migrate", "-C", folder, "--dry-run", "--json")
    assert (ran.code, ran.json["values"]["files"]) == (0, 2)
    assert [p for p in sorted((folder / ".supavex").rglob("*")) if p not in before and "source" not in str(p)] == []


def test_some_tables_only(folder: Path) -> None:
    assert stored(archived(folder, "--tables", "authors")) == {}
    assert stored(archived(folder, "--tables", "articles")) == EXPECTED


def test_large_documents_are_named_with_this_repair(folder: Path) -> None:
    (folder / "supavex.toml").write_text(TOML.partition("[tables")[0])
    (folder / "schema.py").write_text(
        (folder / "schema.py")
        .read_text()
        .replace('"content": v.optional(v.string())', '"content": v.union(v.string(), v.null())')
    )
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    (reject,) = map(json.loads, Path(ran.json["rejects"]).read_text().splitlines())
    assert (reject["key"], reject["column"], reject["code"]) == ("2", "content", "ValueTooLargeError")
    assert reject["fix"] == (
        "Move it to file storage: in supavex.toml, under [tables.articles.columns.content], "
        'file = "content_file2" (values of more than 100,000 bytes; file_over = … says another size); in schema.py, '
        'add "content_file2": v.optional(v.id("_storage")), and make content '
        "v.optional(v.union(v.string(), v.null()))."
    )
    # A rule of the table's own would take the place of one for the name in every table.
    (folder / "supavex.toml").write_text(TOML.partition("[tables")[0] + '\n[columns.content]\nfill = "none"\n')
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    (reject,) = map(json.loads, Path(ran.json["rejects"]).read_text().splitlines())
    assert "beside what [columns.content] says, which is to be repeated there, file =" in reject["fix"]
    # What it says works.
    (folder / "supavex.toml").write_text(TOML.partition("[tables")[0] + f'\n{RULE}file = "content_file2"\n')
    schema = SCHEMA.replace("content_file", "content_file2")
    (folder / "schema.py").write_text("from supavex.schema import define_schema, define_table, v\n" + schema)
    assert stored(archived(folder)) == {values_id(2): LARGE}
    # The rule is there, and other values are too large still.
    (folder / "supavex.toml").write_text(TOML.replace("100", "3_000_000"))
    (folder / "schema.py").write_text("from supavex.schema import define_schema, define_table, v\n" + SCHEMA)
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--json")
    (reject,) = map(json.loads, Path(ran.json["rejects"]).read_text().splitlines())
    assert reject["fix"].startswith("Lower file_over of content")


def test_together_with_files_of_buckets(folder: Path) -> None:
    with projects.folder() as other:
        files.make(other)
        add(folder, (other / "supabase/migrations/1.sql").read_text())
        (other / "files").rename(folder / "files")
    pages = '"pages": define_table({"cover": v.optional(v.id("_storage"))}), "articles"'
    (folder / "schema.py").write_text((folder / "schema.py").read_text().replace('"articles"', pages))
    (folder / "supavex.toml").write_text(TOML + "\n" + files.TOML)
    buckets = {bucket_file_id(files.ID(n)): content for n, content in enumerate(files.FILES.values(), 1)}
    out = archived(folder)
    assert stored(out) == {**EXPECTED, **buckets}
    proof = supavex("verify", out, "-C", folder, "--json")
    assert proof.code == 0, proof.out
    assert [t["source"] for t in proof.json["tables"][-2:]] == ["public.articles.content", "storage.objects"]
    # Without storage.objects, the values go all the same, and the export's own files beside them.
    ran = supavex(
        "migrate", "-C", folder, "--out", folder / "some.zip", "--tables", "articles", "--existing", out, "--json"
    )
    assert (ran.code, ran.json["values"]["kept"]) == (0, 4), ran.out
    assert stored(folder / "some.zip") == {**EXPECTED, **buckets}


def test_values_that_are_small_or_gone_take_their_files_along(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    assert supavex("migrate", "-C", folder).code == 0
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        own = Files(deployment.store, folder / ".supavex")
        path = own.new_path()
        path.write_bytes(b"the app's own")
        uploaded = own.keep(path, "text/plain").id
    first = folder / "first.zip"
    first.write_bytes((folder / ".supavex/migration/snapshot.zip").read_bytes())
    with_file(first, folder / "export.zip", uploaded, b"the app's own")
    add(folder, "UPDATE articles SET content = 'small' WHERE id = 2; DELETE FROM articles WHERE id = 3;" + NEW)
    assert supavex("migrate", "-C", folder).code == 0
    assert deployed(folder) == {uploaded: b"the app's own", values_id(6): b"z" * 101}
    assert supavex("verify", "-C", folder).code == 0
    # And so of the files that an export of the target holds.
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--existing", folder / "export.zip", "--json")
    assert (ran.code, ran.json["values"]["kept"]) == (0, 1), ran.out
    assert stored(folder / "out.zip") == {uploaded: b"the app's own", values_id(6): b"z" * 101}
    # Also where nothing is large any more.
    add(folder, "DELETE FROM articles WHERE id = 6")
    assert supavex("migrate", "-C", folder).code == 0
    assert deployed(folder) == {uploaded: b"the app's own"}
    assert supavex("verify", "-C", folder).code == 0


NEW = "INSERT INTO articles VALUES (6, '10000000-0000-4000-8000-000000000001', 'new', repeat('z', 101), '2024-01-06');"


def with_file(archive: Path, path: Path, id_: str, content: bytes | None) -> None:
    """A copy of an archive in which the file ``id_`` has that content, or is not there (None)."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        rows = [json.loads(line) for line in old.read("_storage/documents.jsonl").splitlines()]
        known = next((row for row in rows if row["_id"] == id_), None)
        for entry in old.infolist():
            if not entry.filename.startswith((f"_storage/{id_}", "_storage/documents")):
                new.writestr(entry, old.read(entry))
        if content is None:
            rows = [row for row in rows if row["_id"] != id_]
        else:
            new.writestr(f"_storage/{id_}.txt", content)
            if known is None:
                rows.append({"_id": id_, "_creationTime": 1.0, "contentType": "text/plain; charset=utf-8"})
        new.writestr("_storage/documents.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def test_the_proof_sees_every_byte_of_an_archive(folder: Path) -> None:
    out, other = archived(folder), folder / "other.zip"

    def last(code: int = 1) -> dict[str, object]:
        ran = supavex("verify", other, "-C", folder, "--json")
        assert ran.code == code, ran.out
        found: dict[str, object] = ran.json["tables"][-1]
        assert found["source"] == "public.articles.content"
        return found

    def columns() -> set[str]:
        return {mismatch["column"] for mismatch in last()["mismatches"]}  # type: ignore[attr-defined]

    with_file(out, other, values_id(2), LARGE)
    assert last(0)["matched"] == 2
    with_file(out, other, values_id(2), LARGE[:-1] + b"x")
    assert columns() == {"contents", "sha256"}
    with_file(out, other, values_id(2), LARGE[:-1])
    assert columns() == {"contents", "sha256", "size"}
    with_file(out, other, values_id(2), None)
    assert last()["counts"] == {"missing file": 1}
    # The file of a value that is none, and of a document that no row has.
    with_file(out, other, values_id(1), b"short")
    assert last()["counts"] == {"extra file": 1}
    with_file(out, other, bucket_file_id("50000000-0000-4000-8000-000000000001"), b"the app's own")
    assert last(0)["matched"] == 2


def test_the_proof_sees_what_is_said_of_files_and_the_fields(folder: Path) -> None:
    supavex("deploy", "-C", folder)
    assert supavex("migrate", "-C", folder).code == 0
    path = folder / ".supavex/deployment.sqlite3"
    with Deployment(path) as deployment, deployment.store.transaction():
        deployment.store.connection.execute("UPDATE files SET content_type = 'text/html', created = created + 1")
    ran = supavex("verify", "-C", folder, "--json")
    assert {m["column"] for m in ran.json["tables"][-1]["mismatches"]} == {"contentType", "_creationTime"}
    with Deployment(path) as deployment, deployment.store.transaction():
        deployment.store.connection.execute("DELETE FROM files")
    ran = supavex("verify", "-C", folder, "--json")
    assert (ran.code, ran.json["tables"][-1]["counts"]) == (1, {"missing file": 2})
    # A reference to another row's file is a wrong field.
    assert supavex("migrate", "-C", folder).code == 0
    archive, other = folder / ".supavex/migration/snapshot.zip", folder / "other.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(other, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "articles/documents.jsonl":
                content = content.replace(values_id(2).encode(), values_id(3).encode())
            new.writestr(entry, content)
    ran = supavex("verify", other, "-C", folder, "--json")
    assert ran.code == 1
    (mismatch,) = next(t for t in ran.json["tables"] if t["target"] == "articles")["mismatches"]
    assert (mismatch["key"], mismatch["source"]) == ("2", f"the file {values_id(2)}")


def finding(folder: Path, schema: str, toml: str) -> tuple[str, str]:
    (folder / "schema.py").write_text(f"from supavex.schema import define_schema, define_table, v\n{schema}\n")
    (folder / "supavex.toml").write_text(toml)
    ran = supavex("check", "-C", folder, "--json")
    assert ran.code in (1, 2), ran.out
    if "error" in ran.json:
        return ran.json["error"]["code"], ran.json["error"]["message"] + ran.json["error"]["hint"]
    return next((d["code"], d["message"] + d["hint"]) for d in ran.json["diagnostics"] if d["severity"] == "error")


FILE = '"content_file": v.optional(v.id("_storage")),'
OWN = '"content": v.optional(v.string()),'
TITLE = '"title": v.string(),'


@pytest.mark.parametrize(
    ("schema", "toml", "code", "words"),
    [
        (SCHEMA.replace(FILE, ""), TOML, "FileDoesNotFit", 'Add "content_file": v.optional(v.id("_storage"))'),
        (SCHEMA.replace(FILE, '"content_file": v.string(),'), TOML, "FileDoesNotFit", "content_file is v.string()"),
        (SCHEMA.replace(FILE, '"content_file": v.array(v.id("_storage")),'), TOML, "FileDoesNotFit", "Make it"),
        (SCHEMA.replace(FILE, '"content_file": v.id("_storage"),'), TOML, "FileDoesNotFit", "or say file_over = 0"),
        (SCHEMA.replace(OWN, '"content": v.string(),'), TOML, "FileDoesNotFit", "Make content v.optional(v.string())"),
        (SCHEMA.replace(OWN, ""), TOML, "FileDoesNotFit", "or say file_over = 0"),
        (
            SCHEMA.replace(OWN, '"content": v.optional(v.string(default="")),'),
            TOML,
            "FileDoesNotFit",
            "has a default or rules",
        ),
        (
            SCHEMA.replace(TITLE, '"title": v.optional(v.string()),'),
            TOML + '[tables.articles.columns.title]\nfile = "content_file"\n',
            "FileDoesNotFit",
            "gets the ids of the files of title",
        ),
        (SCHEMA, TOML.replace('"content_file"', '"title"'), "FileDoesNotFit", "the field title gets the ids"),
        (
            SCHEMA.replace("content_file", "content_file"),
            TOML.replace("columns.content]", "columns.id]"),
            "FileDoesNotFit",
            "bigint can't",
        ),
        (SCHEMA, TOML.replace("columns.content]", "columns.author]"), "FileDoesNotFit", "uuid can't become a file"),
        (SCHEMA, TOML + "truncate = 10\n", "InvalidConfig", "truncate and file: give one"),
        (SCHEMA, TOML + 'sql = "upper(t.content)"\n', "InvalidConfig", "sql and file: give one"),
        (SCHEMA, TOML.replace("100", "-1"), "InvalidConfig", "0 or more"),
        (SCHEMA, TOML.replace('file = "content_file"\n', ""), "InvalidConfig", "file_over goes with file"),
        (SCHEMA, TOML.replace('"content_file"', '""'), "InvalidConfig", "file is a field's name"),
        (
            SCHEMA,
            TOML + '[tables.articles.fields.content_file]\nsql = "NULL"\n',
            "FileDoesNotFit",
            "has a rule of its own",
        ),
    ],
)
def test_misuse_is_found(folder: Path, schema: str, toml: str, code: str, words: str) -> None:
    found = finding(folder, schema, toml)
    assert found[0] == code, found
    assert words in found[1]


def test_keys_and_references_are_no_files(folder: Path) -> None:
    add(
        folder,
        "CREATE TABLE kinds (name text PRIMARY KEY);"
        "CREATE TABLE things (id int PRIMARY KEY, kind text REFERENCES kinds);",
    )
    tables = '"kinds": define_table({"name": v.optional(v.string()), "file": v.optional(v.id("_storage"))}), '
    tables += (
        '"things": define_table({"kind": v.optional(v.string()), "file": v.optional(v.id("_storage"))}), "articles"'
    )
    schema = SCHEMA.replace('"articles"', tables)
    assert "table's key" in finding(folder, schema, TOML + '[tables.kinds.columns.name]\nfile = "file"\n')[1]
    assert "refers to another row" in finding(folder, schema, TOML + '[tables.things.columns.kind]\nfile = "file"\n')[1]


def test_a_required_file_of_a_column_that_may_be_null_is_a_warning(folder: Path) -> None:
    toml = TOML.replace("file_over = 100", "file_over = 0")
    (folder / "supavex.toml").write_text(toml)
    schema = SCHEMA.replace(OWN, "").replace(FILE, '"content_file": v.id("_storage"),')
    (folder / "schema.py").write_text(f"from supavex.schema import define_schema, define_table, v\n{schema}\n")
    ran = supavex("check", "-C", folder, "--json")
    assert [d["code"] for d in ran.json["diagnostics"] if d["where"].endswith("articles.content")] == [
        "NullableIntoRequired"
    ]
    ran = supavex("migrate", "-C", folder, "--out", folder / "out.zip", "--max-rejects", "1", "--json")
    assert ran.json["reasons"] == {"public.articles.content: NullInRequired": 1}, ran.out
    assert len(stored(folder / "out.zip")) == 3
    assert supavex("verify", folder / "out.zip", "-C", folder).code == 0


def test_explained(folder: Path) -> None:
    ran = supavex("explain", "articles", "-C", folder)
    assert ran.code == 0
    assert "the id of a stored file, where it has more than 100 bytes" in ran.out
    assert "a stored file instead, where it has more than 100 bytes" in ran.out
