"""The journal of a copy: the finished parts, and their snapshot of the source. An interrupted run continues from it.

It is stored beside the parts. Parts fit together only if their snapshots see the same rows. That is so if PostgreSQL
gives both snapshots the same text (manual, "Transaction ID and Snapshot Information Functions"), because then both see
the same transactions.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from supavex.errors import SupavexError
from supavex.files import own_database
from supavex.migrate.copy.parts import PartTask
from supavex.migrate.copy.results import PartResult
from supavex.migrate.state.rejects import Reject
from supavex.postgres.visibility import Visibility

_VERSION = "6"


class Journal:
    """The journal in ``folder``. A context manager. One process at a time can open it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.sqlite3"
        try:
            self._database = sqlite3.connect(own_database(self.path), isolation_level=None, timeout=0)
            self._open()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise _unusable(self.path, error) from None
            raise SupavexError(
                "CopyRunning",
                "another copy into this archive is running.",
                where=str(folder),
                hint="Wait for it, or name another archive with --out.",
                retryable=True,
            ) from None
        except sqlite3.DatabaseError as error:
            raise _unusable(self.path, error) from None

    def _open(self) -> None:
        # The operating system releases the lock when this process ends, even if it is killed.
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("BEGIN EXCLUSIVE")
        self._database.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT)")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, source TEXT, number INTEGER, pages TEXT, "
            "result TEXT)"
        )
        self._database.execute("CREATE TABLE IF NOT EXISTS tables (source TEXT PRIMARY KEY, parts TEXT, taken_at TEXT)")
        if self._get("version") not in (None, _VERSION):
            self.clear()
        self._set("version", _VERSION)
        self._database.execute("COMMIT")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *details: object) -> None:
        self._database.close()

    def _get(self, name: str) -> str | None:
        row = self._database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _set(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, value))

    @property
    def visibility(self) -> Visibility | None:
        """The visibility of the latest run's snapshot; None for a new journal."""
        text = self._get("visibility")
        return None if text is None else Visibility.from_json(json.loads(text))

    @property
    def snapshot(self) -> str | None:
        """The exported name of the latest run's snapshot; None for a new journal."""
        return self._get("snapshot")

    def begin(self, visibility: Visibility, snapshot: str) -> None:
        """Records that the following parts are read at the snapshot exported as ``snapshot``."""
        self._set("visibility", json.dumps(visibility.to_json()))
        self._set("snapshot", snapshot)

    def clear(self) -> None:
        """Removes all records."""
        for table in ("about", "parts", "tables"):
            self._database.execute(f"DELETE FROM {table}")
        self._set("version", _VERSION)

    def forget_unfinished(self, others: Iterable[str] = ()) -> None:
        """Removes the parts of unfinished tables, because parts of another snapshot can't complete them.

        It also removes the parts of ``others`` (source tables), finished or not.
        """
        self._database.execute("BEGIN")
        self._database.executemany("DELETE FROM tables WHERE source = ?", [(name,) for name in others])
        self._database.execute("DELETE FROM parts WHERE source NOT IN (SELECT source FROM tables)")
        self._database.execute("COMMIT")

    def add(self, task: PartTask, source: str, result: PartResult) -> None:
        """Records a finished part, whose file is whole."""
        values = {
            **asdict(result),
            "rejects": [reject.to_json() for reject in result.rejects],
            "filled": dict(result.filled),
            "cut": dict(result.cut),
            "rounded": dict(result.rounded),
        }
        pages = json.dumps([task.pages.first, task.pages.end])
        row = (task.name, source, task.number, pages, json.dumps(values))
        self._database.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)", row)

    def result(self, name: str) -> PartResult | None:
        """The result of a part; None if it is not finished."""
        row = self._database.execute("SELECT result FROM parts WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        values = json.loads(row[0])
        values["rejects"] = [Reject.from_json(reject) for reject in values["rejects"]]
        values["filled"] = Counter(values["filled"])
        values["cut"] = Counter(values["cut"])
        values["rounded"] = Counter(values["rounded"])
        return PartResult(**values)

    def finish(self, source: str, names: list[str], taken_at: str) -> None:
        """Records a finished table: its parts in order, and when their snapshot was taken."""
        self._database.execute("INSERT OR REPLACE INTO tables VALUES (?, ?, ?)", (source, json.dumps(names), taken_at))

    def finished(self) -> Mapping[str, tuple[list[str], str]]:
        """The finished tables: the names of their parts, and when they were read."""
        rows = self._database.execute("SELECT source, parts, taken_at FROM tables")
        return {source: (json.loads(parts), taken_at) for source, parts, taken_at in rows}

    def count(self) -> int:
        """The number of finished parts."""
        (count,) = self._database.execute("SELECT count(*) FROM parts").fetchone()
        return int(count)

    def names(self) -> set[str]:
        """The files of the finished parts."""
        return {name for (name,) in self._database.execute("SELECT name FROM parts")}


def _unusable(path: Path, error: Exception) -> SupavexError:
    return SupavexError(
        "CannotWrite",
        f"the journal of the copy can't be used: {error}.",
        where=str(path),
        hint="Make room, or remove this folder to begin anew.",
        retryable=True,
    )
