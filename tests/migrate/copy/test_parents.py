"""A reference that leads nowhere is found where row and document agree about it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from supavex.library import Project
from supavex.migrate.proof.compared_table import LARGE_BYTES
from supavex.migrate.proof.findings import Proof
from supavex.migrate.verifying import VerifyOptions
from supavex.postgres.server import temporary
from tests import projects
from tests.projects import supavex

SQL = """
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int PRIMARY KEY, parent int);
INSERT INTO parents VALUES (1), (2);
INSERT INTO children VALUES (1, 1), (2, 2), (3, NULL);
"""
SCHEMA = """
schema = define_schema({
    "parents": define_table({}), "children": define_table({"parent": v.optional(v.id("parents"))}),
})
"""


@pytest.fixture(scope="module")
def moved() -> Iterator[tuple[Path, str]]:
    with projects.folder() as folder, temporary() as server:
        url = server.url("supabase_admin")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SQL.encode())
        toml = f'[source]\ndatabase_url = "{url}"\n'
        projects.write(folder, schema=SCHEMA, toml=toml)
        ran = supavex("migrate", "-C", folder, "--out", folder / "right.zip")
        assert ran.code == 0, ran.err
        yield folder, url


@pytest.mark.parametrize("large_bytes", [LARGE_BYTES, 0])
def test_a_parent_that_is_in_neither_is_missed(moved: tuple[Path, str], large_bytes: int) -> None:
    folder, url = moved

    def verify(archive: Path) -> Proof:
        return Project(folder).verify(VerifyOptions(archive=archive, large_bytes=large_bytes))

    assert verify(folder / "right.zip").verdict == "proven"
    without = folder / "without.zip"
    with zipfile.ZipFile(folder / "right.zip") as old, zipfile.ZipFile(without, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "parents/documents.jsonl":
                content = content.splitlines(keepends=True)[0]
            new.writestr(name, content)
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM parents WHERE id = 2")
        connection.commit()
        proof = verify(without)
        connection.execute("INSERT INTO parents VALUES (2)")
    counts = {table.target: (table.matched, dict(table.counts)) for table in proof.tables}
    assert counts == {"parents": (1, {}), "children": (3, {"dangling reference": 1})}
