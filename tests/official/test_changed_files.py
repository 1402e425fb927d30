"""Files of storage buckets that change after they were moved: found, and moved again, though no row of a table did."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files as package_files
from pathlib import Path

import pytest

from supavex.deployment.database.stored_files import Files
from tests import files
from tests.changing import TOML

from .test_cutover import Cutover, cutover, deployed, server

__all__ = ["cutover", "deployed", "server"]

PAGES = """
CREATE TABLE pages (id uuid PRIMARY KEY, cover text);
CREATE TABLE others (id int PRIMARY KEY);
INSERT INTO others VALUES (1);
INSERT INTO storage.buckets (id, name, public) VALUES ('covers', 'covers', true);
"""
OTHERS = '"others": define_table({"id": v.number()}), "pages"'


def put(cutover: Cutover, number: int, name: str, content: bytes, *, again: bool = False) -> None:
    """Somebody uploads a file, and the folder of files is brought up to date."""
    size = json.dumps({"size": len(content), "mimetype": "text/plain", "eTag": hashlib.md5(content).hexdigest()})
    cutover.source.run(
        f"UPDATE storage.objects SET metadata = '{size}' WHERE name = '{name}'"
        if again
        else "INSERT INTO storage.objects (id, bucket_id, name, metadata, created_at) "
        f"VALUES ('{files.ID(number)}', 'covers', '{name}', '{size}', '2024-01-01')"
    )
    file = cutover.source.folder / "files/covers" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def stored(cutover: Cutover) -> set[bytes]:
    """The contents of the deployment's stored files."""
    from supavex.deployment import Deployment

    with Deployment(cutover.served.data / "deployment.sqlite3") as deployment:
        found = Files(deployment.store, deployment.path.parent).all()
        return {Path(str(file.path)).read_bytes() for file in found}


@pytest.fixture
def pages(cutover: Cutover) -> Cutover:
    prelude = package_files("supavex.postgres").joinpath("prelude.sql").read_text()
    cutover.source.run("DROP TABLE authors, posts, comments, tags, notes")
    # The server's other databases have its roles already.
    role = r"DO $$BEGIN \1 EXCEPTION WHEN duplicate_object THEN END$$;"
    prelude = re.sub(r"(?im)^(CREATE ROLE.*?;)", role, prelude)
    # What a role may do in a database is granted for each one: here it is not the one called postgres.
    cutover.source.run(prelude.replace("DATABASE postgres", f"DATABASE {cutover.source.name}") + PAGES)
    head = "from supavex.schema import auth_tables, define_schema, define_table, v\n\n"
    (cutover.source.folder / "schema.py").write_text(head + files.SCHEMA.replace('"pages"', OTHERS))
    source = TOML.partition("[columns]")[0]
    (cutover.source.folder / "supavex.toml").write_text(source + files.TOML)
    put(cutover, 1, "a.txt", b"hello")
    cutover.source.run(f"INSERT INTO pages VALUES ('{files.ID(1)}', 'a.txt')")
    for to in (cutover.served.url, "local"):
        deployed = cutover.source.command("deploy", "--to", to)
        assert deployed.code == 0, deployed.out + deployed.err
    return cutover


def test_files_that_changed_are_moved_again(pages: Cutover) -> None:
    first = pages.migrate()
    assert first["proof"]["ok"]
    assert pages.source.command("migrate").code == 0

    def moved(*targets: str) -> None:
        """Changes are told, and moved, into both deployments; then there are none."""
        told = pages("changes", "--json")
        assert told.code == 1, told.out + told.err
        assert told.json["filesChanged"] is True
        assert "files of storage buckets came, went" in pages("changes").out
        for to in (pages.served.url, "local"):
            ran = pages.source.command("migrate", "--changes", "--yes", "--json", "--to", to)
            assert ran.code == 0, ran.out + ran.err
            assert [table["target"] for table in ran.json["tables"]] == list(targets)
            assert "storage.objects" in ran.json["reasons"]
            assert pages.source.command("verify", "--to", to).code == 0
            assert pages.source.command("changes", "--to", to).code == 0
            again = pages.source.command("migrate", "--changes", "--yes", "--to", to)
            assert "Nothing has changed" in again.out, again.out

    put(pages, 2, "new.txt", b"new")
    moved("pages", "_storage")
    assert stored(pages) == {b"hello", b"new"}
    put(pages, 1, "a.txt", b"HELLO", again=True)
    moved("pages", "_storage")
    assert stored(pages) == {b"HELLO", b"new"}
    # Where no table refers to files, they go alone.
    schema = pages.source.folder / "schema.py"
    schema.write_text(schema.read_text().replace('"pages": define_table({"cover": v.optional(v.id("_storage"))})', ""))
    toml = pages.source.folder / "supavex.toml"
    toml.write_text(toml.read_text().partition("[tables.pages")[0] + '[tables.pages]\nskip = "not any more"\n')
    for to in (pages.served.url, "local"):
        assert pages.source.command("deploy", "--to", to).code == 0
    put(pages, 1, "a.txt", b"Hello", again=True)
    moved("_storage")
    assert stored(pages) == {b"Hello", b"new"}
    back = pages("rollback", "--yes")
    assert back.code == 0, back.out + back.err
    assert stored(pages) == {b"HELLO", b"new"}
    moved_again = pages("changes")
    assert moved_again.code == 1, "what was taken back has to be imported again"
    assert pages("migrate", "--changes", "--yes").code == 0
    assert stored(pages) == {b"Hello", b"new"}


def test_a_file_that_was_missing_is_moved_once_it_is_there(pages: Cutover) -> None:
    put(pages, 2, "late.txt", b"late")
    late = pages.source.folder / "files/covers/late.txt"
    late.unlink()
    pages.source.run(f"INSERT INTO pages VALUES ('{files.ID(2)}', 'late.txt')")
    assert pages.migrate()["rejected"] == 2, "the file, and the row that refers to it"
    assert pages("changes").code == 0
    # What is rejected for a file's sake stays so in a migration of changes.
    pages.source.run(f"INSERT INTO pages VALUES ('{files.ID(3)}', 'late.txt')")
    assert pages.migrate("--changes")["rejected"] == 3
    late.write_bytes(b"late")
    assert pages("changes").code == 1
    assert pages.migrate("--changes")["rejected"] == 0
    assert stored(pages) == {b"hello", b"late"}
    assert len(pages.contents()["pages"]) == 3
    pages.source.run("DELETE FROM pages WHERE cover = 'late.txt'; DELETE FROM storage.objects WHERE name = 'late.txt'")
    assert {table["target"] for table in pages.migrate("--changes")["tables"]} == {"pages", "_storage"}
    assert pages("verify").code == 0
