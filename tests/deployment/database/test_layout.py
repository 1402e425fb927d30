"""The form of the deployment's file, and the upgrade of files of the earlier forms."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from supavex.convex.ids import encode_id
from supavex.convex.order_keys import index_key
from supavex.deployment import Deployment
from supavex.deployment.database import layout
from supavex.deployment.database.stored_files import Files
from supavex.deployment.functions.crons import cron_jobs
from supavex.deployment.functions.modules import stored_modules
from supavex.errors import SupavexError

EARLIER = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tables (
  name TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, storage INTEGER NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE system_tables (
  name TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, storage INTEGER NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE indexes (
  storage INTEGER NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL, staged INTEGER NOT NULL,
  entries INTEGER NOT NULL UNIQUE, PRIMARY KEY (storage, name)) WITHOUT ROWID;
CREATE TABLE pushes (id INTEGER PRIMARY KEY, pushed_at TEXT NOT NULL, schema TEXT NOT NULL);
CREATE TABLE modules (
  path TEXT PRIMARY KEY, source TEXT NOT NULL, source_map TEXT, environment TEXT NOT NULL, sha256 TEXT NOT NULL,
  analysis TEXT) WITHOUT ROWID;
CREATE TABLE crons (
  name TEXT PRIMARY KEY, id TEXT NOT NULL, created REAL NOT NULL, spec TEXT NOT NULL, next_id TEXT NOT NULL,
  state TEXT NOT NULL, previous REAL, next REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE cron_runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, created REAL NOT NULL, name TEXT NOT NULL,
  run TEXT NOT NULL);
CREATE TABLE files (
  internal_id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL, sha256 BLOB NOT NULL,
  size INTEGER NOT NULL, content_type TEXT) WITHOUT ROWID;
CREATE TABLE documents_1 (row INTEGER PRIMARY KEY, internal_id BLOB NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX ids_1 ON documents_1 (internal_id);
CREATE TABLE entries_1 (key BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('format', '1'), ('next_tables_storage', '1'), ('next_indexes_entries', '1');
INSERT INTO tables VALUES ('posts', 10001, 1);
INSERT INTO indexes VALUES (1, 'by_creation_time', '[]', 0, 1);
INSERT INTO pushes VALUES (1, '2026-01-01', '{"tables":[],"schemaValidation":true}');
INSERT INTO modules VALUES ('a.js', 'export {};', NULL, 'isolate', 'x', NULL);
INSERT INTO crons VALUES ('c', 'i', 1.0,
  '{"name": "a:f", "args": [{}], "schedule": {"type": "interval", "hours": 1}}', 'n', 'pending', NULL, 5.0);
"""


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A file as the versions before components made it, with one document."""
    path = tmp_path / "deployment.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(EARLIER)
        id_ = encode_id(10001, bytes(16))
        body = f'{{"_creationTime":1.0,"_id":"{id_}","title":"a"}}'
        connection.execute("INSERT INTO documents_1 VALUES (1, ?, ?)", (bytes(16), body))
        key = index_key({"_id": id_, "_creationTime": 1.0}, ())
        connection.execute("INSERT INTO entries_1 VALUES (?, 1)", (key,))
        connection.commit()
    return path


def test_a_file_of_the_earlier_form_is_upgraded(earlier: Path):
    for _ in range(2):  # and only once
        with Deployment(earlier) as deployment:
            assert [row["title"] for row in deployment.documents("posts")] == ["a"]
            assert deployment.schema_text == '{"tables":[],"schemaValidation":true}'
            assert list(stored_modules(deployment.store)) == ["a.js"]
            (job,) = cron_jobs(deployment.store.connection)
            assert (job.name, job.next, job.component) == ("c", 5.0, 0)
            assert layout.form_of(deployment.store.connection) == layout.FORMAT
            assert deployment.store.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            deployment.insert("posts", {"title": "a"})
            deployment.delete(next(row["_id"] for row in deployment.documents("posts") if row["_creationTime"] != 1.0))


@pytest.mark.parametrize(
    "missing",
    [
        ("crons", "cron_runs"),
        ("system_tables", "crons", "cron_runs"),
        ("system_tables", "modules", "crons", "cron_runs", "files"),
    ],
)
def test_a_file_from_before_some_tables_is_upgraded(earlier: Path, missing: tuple[str, ...]):
    """The form is the same of versions that knew fewer tables."""
    with closing(sqlite3.connect(earlier)) as connection:
        for name in missing:
            connection.execute(f"DROP TABLE {name}")
    with Deployment(earlier) as deployment:
        assert [row["title"] for row in deployment.documents("posts")] == ["a"]
        assert deployment.schema_text == '{"tables":[],"schemaValidation":true}'
        assert list(stored_modules(deployment.store)) == ([] if "modules" in missing else ["a.js"])
        assert cron_jobs(deployment.store.connection) == []
        names = deployment.store.connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'earlier%'")
        assert names.fetchall() == []


#: The table of files as the version that brought components made it, and as it upgraded it.
OF_COMPONENTS = [
    """
CREATE TABLE files (
  internal_id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL, sha256 BLOB NOT NULL,
  size INTEGER NOT NULL, content_type TEXT, component INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    """
CREATE TABLE files (
  internal_id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL, sha256 BLOB NOT NULL,
  size INTEGER NOT NULL, content_type TEXT, component INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
ALTER TABLE pushes RENAME TO old_pushes;
CREATE TABLE pushes (id INTEGER PRIMARY KEY, pushed_at TEXT NOT NULL, schema TEXT NOT NULL);
INSERT INTO pushes SELECT id, pushed_at, schema FROM old_pushes;
DROP TABLE old_pushes;
ALTER TABLE pushes ADD COLUMN component INTEGER NOT NULL DEFAULT 0""",
]


@pytest.mark.parametrize("form", OF_COMPONENTS)
def test_a_file_of_the_form_with_one_key_for_all_stored_files_is_upgraded(tmp_path: Path, form: str):
    path = tmp_path / "deployment.sqlite3"
    with Deployment(path) as deployment:
        deployment.push('{"tables":[],"schemaValidation":true}')
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"DROP TABLE files; {form}; UPDATE meta SET value = '2' WHERE key = 'format'")
        for number, component in ((1, 0), (2, 7)):
            row = (bytes([number] * 16), f"f{number}", float(number), bytes(32), 3, "text/plain", component)
            connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.commit()
    for _ in range(2):
        with Deployment(path) as deployment:
            assert deployment.schema_text == '{"tables":[],"schemaValidation":true}'
            found = [[file.name for file in Files(deployment.within(id_).store, tmp_path).all()] for id_ in (0, 7, 8)]
            assert found == [["f1"], ["f2"], []]
            assert layout.form_of(deployment.store.connection) == layout.FORMAT
            assert deployment.store.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_upgrade_that_is_broken_off_has_done_nothing(earlier: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layout, "_TABLES", layout._TABLES + "; CREATE TABLE IF NOT EXISTS broken (")
    with pytest.raises(SupavexError) as caught:
        Deployment(earlier)
    assert caught.value.code == "CannotOpenDeployment"
    with closing(sqlite3.connect(earlier)) as connection:
        assert layout.form_of(connection) == "1"
        assert connection.execute("SELECT name, number, storage FROM tables").fetchall() == [("posts", 10001, 1)]


def test_a_file_of_a_form_that_is_not_known_is_refused(earlier: Path):
    with closing(sqlite3.connect(earlier)) as connection:
        connection.execute("UPDATE meta SET value = '9' WHERE key = 'format'")
        connection.commit()
    with pytest.raises(SupavexError, match="another version of supavex made the file"):
        Deployment(earlier)
