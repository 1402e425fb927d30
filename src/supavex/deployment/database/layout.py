"""The SQLite tables of a deployment's file, and the upgrade of files of earlier versions.

Tables for both the app and its components have a column ``component``: 0 is the app, other values are ids of
``components``. Modules belong to a definition, which may be mounted several times; the app's definition is the empty
path.
"""

from __future__ import annotations

import re
import secrets
import sqlite3

from supavex.deployment.database import search_indexes

#: The format of the file. Files of earlier formats are upgraded, those of unknown formats refused.
FORMAT, _EARLIER = "3", ("1", "2")
#: The key of ``meta`` for the secret that signs the deployment's function handles.
HANDLE_SECRET = "function_handle_secret"
# In tables without row ids, the key's columns come first, because SQLite's check reports others as damaged.
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
  component INTEGER NOT NULL, internal_id BLOB NOT NULL, name TEXT NOT NULL UNIQUE, created REAL NOT NULL,
  sha256 BLOB NOT NULL, size INTEGER NOT NULL, content_type TEXT, PRIMARY KEY (component, internal_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended_sessions (token BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
"""
    + search_indexes.TABLES
)


def is_made(connection: sqlite3.Connection) -> bool:
    """Whether :func:`make` has nothing to do, so that opening the file need not wait for a writer."""
    names = re.findall(r"EXISTS (\w+)", _TABLES)
    marks = ",".join("?" * len(names))
    sql = f"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ({marks})"
    (found,) = connection.execute(sql, names).fetchone()
    if int(found) != len(names) or form_of(connection) != FORMAT:
        return False
    return connection.execute("SELECT 1 FROM meta WHERE key = ?", (HANDLE_SECRET,)).fetchone() is not None


def form_of(connection: sqlite3.Connection) -> str | None:
    """The format of a file; None for a new file."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone() is None:
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    return None if row is None else str(row[0])


def make(connection: sqlite3.Connection) -> None:
    """Makes the missing tables, and upgrades those of an earlier format. Call it in a transaction."""
    form = form_of(connection)
    if form not in (None, FORMAT, *_EARLIER):
        return  # The caller reports the unknown format.
    for statement in _TABLES.split(";"):
        # The format does not say which tables an earlier version made, so each is looked for.
        earlier = _set_aside(connection, statement) if form in _EARLIER else None
        connection.execute(statement)
        if earlier is not None:
            _take_back(connection, earlier)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('format', ?)", (FORMAT,))
    connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (HANDLE_SECRET, secrets.token_hex(32)))


def _set_aside(connection: sqlite3.Connection, statement: str) -> str | None:
    """Renames the table that ``statement`` makes, if the file has it in another form. Returns the new name."""
    words = statement.replace("IF NOT EXISTS ", "").split()
    name = words[2]
    row = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,)).fetchone()
    if row is None or str(row[0]).split() == words:
        return None
    connection.execute(f"ALTER TABLE {name} RENAME TO earlier_{name}")
    return name


def _take_back(connection: sqlite3.Connection, name: str) -> None:
    """Copies the rows of a table's earlier form. Rows without the column ``component`` belong to the app."""
    columns, before = (
        [column for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        for table in (name, f"earlier_{name}")
    )
    shared = [column for column in columns if column in before]
    given = shared if "component" in before or "component" not in columns else ["component", *shared]
    taken = ", ".join("0" if column not in before else column for column in given)
    connection.execute(f"INSERT INTO {name} ({', '.join(given)}) SELECT {taken} FROM earlier_{name}")
    connection.execute(f"DROP TABLE earlier_{name}")
