"""The SQLite tables of a deployment's file, and the upgrade of files that earlier versions made.

What belongs to the app and to each of its components alike has a column ``component``: 0 is the app, others are ids of
``components``. Modules belong to a definition, which may be mounted several times; the app's is the empty path.
"""

from __future__ import annotations

import re
import sqlite3

from supavex.deployment.database import search_indexes

# A key's columns stand first in tables without row ids: SQLite's own check takes others for damaged.
#: The form of the file. Files of the one before are upgraded, those of others refused.
FORMAT, _EARLIER = "2", "1"
_TABLES = (
    """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS components (
  id INTEGER PRIMARY KEY, document TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE, definition TEXT NOT NULL,
  mounted INTEGER NOT NULL, args TEXT NOT NULL, env TEXT NOT NULL, http_prefix TEXT);
CREATE TABLE IF NOT EXISTS tables (
  component INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, storage INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (component, name), UNIQUE (component, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS system_tables (
  component INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, storage INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (component, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session_requests (
  session TEXT NOT NULL, request INTEGER NOT NULL, made REAL NOT NULL, answer TEXT NOT NULL,
  PRIMARY KEY (session, request)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS indexes (
  storage INTEGER NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL, staged INTEGER NOT NULL,
  entries INTEGER NOT NULL UNIQUE, PRIMARY KEY (storage, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pushes (
  id INTEGER PRIMARY KEY, pushed_at TEXT NOT NULL, schema TEXT NOT NULL, component INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS modules (
  definition TEXT NOT NULL DEFAULT '', path TEXT NOT NULL, source TEXT NOT NULL, source_map TEXT,
  environment TEXT NOT NULL, sha256 TEXT NOT NULL, analysis TEXT, PRIMARY KEY (definition, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS environment (
  name TEXT PRIMARY KEY, value TEXT NOT NULL, id TEXT NOT NULL, created REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS crons (
  component INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL, id TEXT NOT NULL, created REAL NOT NULL,
  spec TEXT NOT NULL, next_id TEXT NOT NULL, state TEXT NOT NULL, previous REAL, next REAL NOT NULL,
  PRIMARY KEY (component, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cron_runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, created REAL NOT NULL, name TEXT NOT NULL,
  run TEXT NOT NULL, component INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS files (
  internal_id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL, sha256 BLOB NOT NULL,
  size INTEGER NOT NULL, content_type TEXT, component INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended_sessions (token BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
"""
    + search_indexes.TABLES
)
#: The columns that tables of the earlier form have, where another column or key has come since.
_OLD_COLUMNS = {
    "tables": "name, number, storage",
    "system_tables": "name, number, storage",
    "modules": "path, source, source_map, environment, sha256, analysis",
    "crons": "name, id, created, spec, next_id, state, previous, next",
}
_WITH_COMPONENT = ("pushes", "cron_runs", "files")


def is_made(connection: sqlite3.Connection) -> bool:
    """Whether a file has its tables, in today's form: then opening it need not wait for who is writing to it."""
    names = re.findall(r"EXISTS (\w+)", _TABLES)
    marks = ",".join("?" * len(names))
    sql = f"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ({marks})"
    (found,) = connection.execute(sql, names).fetchone()
    return int(found) == len(names) and form_of(connection) == FORMAT


def form_of(connection: sqlite3.Connection) -> str | None:
    """The form of a file; None of one that is new."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone() is None:
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    return None if row is None else str(row[0])


def make(connection: sqlite3.Connection) -> None:
    """Makes the tables that are missing, and upgrades those of the earlier form. Call it in a transaction."""
    form = form_of(connection)
    if form not in (None, FORMAT, _EARLIER):
        return  # whoever opens the file says so
    old = _OLD_COLUMNS if form == _EARLIER else {}
    for name in old:
        connection.execute(f"ALTER TABLE {name} RENAME TO earlier_{name}")
    for name in _WITH_COMPONENT if form == _EARLIER else ():
        connection.execute(f"ALTER TABLE {name} ADD COLUMN component INTEGER NOT NULL DEFAULT 0")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    for name, columns in old.items():
        app = ("component, ", "0, ") if name.endswith("tables") else ("", "")
        connection.execute(f"INSERT INTO {name} ({app[0]}{columns}) SELECT {app[1]}{columns} FROM earlier_{name}")
        connection.execute(f"DROP TABLE earlier_{name}")
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('format', ?)", (FORMAT,))
