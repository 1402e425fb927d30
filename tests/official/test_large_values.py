"""Large values through Convex's own CLI: imported from our archive, exported again, and moved by `--to`."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from supavex.migrate.storage.buckets import file_id
from tests import projects
from tests.projects import supavex

from .served import App, Served

SQL = """
CREATE TABLE articles (id int PRIMARY KEY, body text, data jsonb, blob bytea);
INSERT INTO articles VALUES (1, 'small', '[1]', '\\x00'), (2, repeat('é', 800000), NULL, NULL),
  (3, NULL, jsonb_build_object('$ref', repeat('x', 200)), decode(repeat('00ff', 100), 'hex')), (4, NULL, NULL, NULL);
"""
SCHEMA = """
file = v.optional(v.id("_storage"))
schema = define_schema({"articles": define_table({
    "body": v.optional(v.string()), "body_file": file,
    "data": v.optional(v.any()), "data_file": file,
    "blob": v.optional(v.string()), "blob_file": file,
})})
"""
RULE = '[tables.articles.columns.{0}]\nfile = "{0}_file"\nfile_over = 100\n'
TOML = "".join(map(RULE.format, ("body", "data", "blob")))
CONTENTS = ["é".encode() * 800000, b'{"$ref": "' + b"x" * 200 + b'"}', b"\x00\xff" * 100]


@pytest.fixture
def served() -> Iterator[Served]:
    with projects.folder() as folder, Served(folder / "data") as server:
        yield server


@pytest.fixture
def project(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with projects.folder() as folder:
        projects.write(folder, schema=SCHEMA, migrations={"1.sql": SQL}, toml=TOML)
        for name in ("CONVEX_SELF_HOSTED_URL", "CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", served.key)
        yield folder


def contents(path: Path) -> list[bytes]:
    with SnapshotArchive(path) as archive:
        files = [b"".join(archive.read_stored(entry.entry)) for entry in archive.stored_files(STORAGE_NUMBER)]
    return sorted(files)


def test_the_official_import_takes_the_values_and_gives_them_back(project: Path, served: Served) -> None:
    archive = project / "out.zip"
    assert supavex("build", "-C", project).code == 0
    assert supavex("migrate", "-C", project, "--out", archive).code == 0
    app = App(project, served)
    app.push()
    for _ in range(2):  # the second time, nothing is there twice
        ran = app.convex("import", "--replace", "--yes", archive)
        assert ran.code == 0, ran.text
    found = app.stored_files()
    assert sorted((row["contentType"], row["size"]) for row in found.values()) == [
        ("application/json", 212),
        ("application/octet-stream", 200),
        ("text/plain; charset=utf-8", 1_600_000),
    ]
    articles = app.documents("articles")
    assert {row[name] for row in articles for name in row if name.endswith("_file")} == set(found)
    assert [row["body"] for row in articles if "body" in row] == ["small"]

    exported = app.export("export.zip", "--include-file-storage")
    assert contents(exported) == sorted(CONTENTS)
    ran = supavex("verify", exported, "-C", project, "--json")
    assert ran.code == 0, ran.out
    assert sum(table["matched"] for table in ran.json["tables"] if table["target"] == "_storage") == 3
    # An export without the files proves nothing of them.
    without = app.export("without.zip")
    assert supavex("verify", without, "-C", project).code == 1


def test_going_live_keeps_the_files_of_the_app_and_drops_old_values(project: Path, served: Served) -> None:
    app = App(project, served)
    assert supavex("deploy", "-C", project, "--to", served.url).code == 0
    own = file_id("50000000-0000-4000-8000-000000000001")
    with zipfile.ZipFile(project / "own.zip", "w") as archive:
        archive.writestr("_storage/documents.jsonl", json.dumps({"_id": own, "contentType": "text/plain"}) + "\n")
        archive.writestr(f"_storage/{own}.txt", b"the app's own")
    assert app.convex("import", "--append", "--yes", project / "own.zip").code == 0

    ran = supavex("migrate", "-C", project, "--to", served.url, "--yes", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert (ran.json["values"]["files"], ran.json["values"]["kept"]) == (3, 1)
    assert ran.json["proof"]["ok"]
    assert re.search(r"^_storage +3 +1 ", ran.err, re.MULTILINE)  # what is asked about before: three files for one
    assert len(app.stored_files()) == 4

    # One value is small now, one is gone: a second migration leaves no file of theirs.
    (project / "supabase/migrations/2.sql").write_text(
        "UPDATE articles SET body = 'small too' WHERE id = 2; DELETE FROM articles WHERE id = 3;"
        "INSERT INTO articles VALUES (5, repeat('n', 300));"
    )
    ran = supavex("migrate", "-C", project, "--to", served.url, "--yes", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert (ran.json["values"]["files"], ran.json["values"]["kept"]) == (1, 1)
    exported = app.export("export.zip", "--include-file-storage")
    assert contents(exported) == [b"n" * 300, b"the app's own"]
    assert supavex("verify", "-C", project, "--to", served.url).code == 0

    # The way back: documents refer to files that are gone, and these come back with them; what came since stays.
    back = supavex("rollback", "-C", project, "--to", served.url, "--yes", "--json")
    assert (back.code, back.json["files"], back.json["unequal"]) == (0, 3, []), back.out + back.err
    assert "3 stored files as they were" in back.err
    exported = app.export("again.zip", "--include-file-storage")
    assert contents(exported) == sorted([*CONTENTS, b"n" * 300, b"the app's own"])
    there = app.stored_files()
    articles = app.documents("articles")
    assert {row[name] for row in articles for name in row if name.endswith("_file")} <= set(there)
    # Back to before the first migration: no file of that time is missing, and none is put back.
    back = supavex("rollback", "-C", project, "--to", served.url, "--yes", "--json")
    assert (back.code, back.json["files"]) == (0, 0), back.out + back.err
    assert set(app.stored_files()) == set(there)
    assert app.documents("articles") == []
