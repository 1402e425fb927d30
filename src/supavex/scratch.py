"""Temporary SQLite databases, for data that a command looks up and does not keep."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable
from typing import Any

from supavex.errors import database_error, of_database_file


class _Scratch(sqlite3.Connection):
    """A connection whose errors name the disk without room, because a temporary database has no name."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        try:
            return super().execute(*arguments)
        except sqlite3.OperationalError as error:
            raise _refused(error) from None

    def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        try:
            return super().executemany(sql, rows)
        except sqlite3.OperationalError as error:
            raise _refused(error) from None


def _refused(error: sqlite3.OperationalError) -> Exception:
    if not of_database_file(error):
        return error
    return database_error(error, f"temporary files in {os.environ.get('SQLITE_TMPDIR') or tempfile.gettempdir()}")


def scratch_database() -> sqlite3.Connection:
    """A temporary database with one open transaction. SQLite keeps it in memory, and in a file when it grows.

    The file has no name, so nothing is left of it when the process ends. There is no commit: outside a transaction,
    SQLite would write to the disk and wait with every statement.
    """
    database = sqlite3.connect("", isolation_level=None, factory=_Scratch)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -16384")
    database.execute("BEGIN")
    return database
