"""Stored files through Convex's own CLI: imported from our archive, listed, served, exported, and moved by `--to`."""

from __future__ import annotations

import hashlib
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive
from supavex.migrate.storage.buckets import file_id
from tests import files, projects
from tests.projects import supavex

from .served import App, Served


@pytest.fixture
def served() -> Iterator[Served]:
    with projects.folder() as folder, Served(folder / "data") as server:
        yield server


@pytest.fixture
def project(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with files, whose folder is an app's too."""
    with projects.folder() as folder:
        files.make(folder)
        for name in ("CONVEX_SELF_HOSTED_URL", "CONVEX_DEPLOYMENT", "CONVEX_DEPLOY_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", served.key)
        yield folder


def contents(path: Path) -> dict[str, bytes]:
    with SnapshotArchive(path) as archive:
        return {entry.id: b"".join(archive.read_stored(entry.entry)) for entry in archive.stored_files(STORAGE_NUMBER)}


def expected() -> dict[str, bytes]:
    return {file_id(files.ID(n)): content for n, content in enumerate(files.FILES.values(), 1)}


def test_the_official_import_takes_the_archive_and_gives_the_same_files_back(project: Path, served: Served) -> None:
    archive = project / "out.zip"
    assert supavex("build", "-C", project).code == 0
    assert supavex("migrate", "-C", project, "--out", archive).code == 0
    app = App(project, served)
    app.push()
    for _ in range(2):  # the second time, nothing is there twice
        ran = app.convex("import", "--replace", "--yes", archive)
        assert ran.code == 0, ran.text
        assert set(app.stored_files()) == set(expected())
    first = app.stored_files()[file_id(files.ID(1))]
    assert (first["contentType"], first["size"], first["_creationTime"]) == ("text/plain", 5, 1704067200000)
    pages = app.documents("pages")
    assert {page["cover"] for page in pages} == set(expected())

    exported = app.export("export.zip", "--include-file-storage")
    assert contents(exported) == expected()
    assert supavex("verify", exported, "-C", project).code == 0

    # Each is served under the address that the archive gives it.
    with SnapshotArchive(archive) as opened:
        names = {entry.id: entry.name for entry in opened.stored_files(STORAGE_NUMBER)}
    for id_, content in expected().items():
        with urllib.request.urlopen(f"{served.url}/api/storage/{names[id_]}", timeout=60) as answer:
            assert hashlib.sha256(answer.read()).digest() == hashlib.sha256(content).digest()


def test_going_live_with_files_keeps_the_files_of_the_app(project: Path, served: Served) -> None:
    app = App(project, served)
    assert supavex("deploy", "-C", project, "--to", served.url).code == 0
    # The app has a file of its own there: Convex's import would take it away.
    own = file_id("50000000-0000-4000-8000-000000000001")
    with zipfile.ZipFile(project / "own.zip", "w") as archive:
        line = json.dumps({"_id": own, "contentType": "text/plain"}) + "\n"
        archive.writestr("_storage/documents.jsonl", line)
        archive.writestr(f"_storage/{own}.txt", b"the app's own")
    assert app.convex("import", "--append", "--yes", project / "own.zip").code == 0
    before = app.stored_files()[own]

    ran = supavex("migrate", "-C", project, "--to", served.url, "--yes", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["files"]["kept"] == 1
    assert ran.json["proof"]["tables"][-1]["source"] == "storage.objects"
    assert "_storage" in ran.err
    found = app.stored_files()
    assert set(found) == {*expected(), own}
    assert found[own] == before
    assert contents(app.export("export.zip", "--include-file-storage")) == {**expected(), own: b"the app's own"}
    assert supavex("verify", "-C", project, "--to", served.url).code == 0

    # The way back: the export from before, as the report says.
    back = app.convex("import", "--replace", "--yes", ran.json["before"])
    assert back.code == 0, back.text
    assert set(app.stored_files()) == {own}
    assert app.documents("pages") == []
