"""Temporary SQLite databases: what a command looks up and does not keep."""

from __future__ import annotations

import sqlite3


def scratch_database() -> sqlite3.Connection:
    """A temporary database, in one open transaction. SQLite keeps it in memory, and in a file where it grows.

    The file has no name, so that nothing is left of it when the process ends. Nobody commits: outside of a transaction,
    SQLite would write and wait for the disk with every statement.
    """
    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -16384")
    database.execute("BEGIN")
    return database
