"""One baseline: the rows of each table that a copy saw, as digests."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from supavex.errors import SupavexError, UsageError
from supavex.files import chosen_folder
from supavex.migrate.state.old_state import old_state
from supavex.migrate.state.rejects import Reject
from supavex.migrate.state.row_files import RowFile, unusable_baseline
from supavex.postgres.visibility import Visibility

_VERSION = "3"
#: The folder of baselines in the first version.
_EARLIER = "moments"


@dataclass(frozen=True, slots=True)
class TableBaseline:
    """A baseline's entry for one table, besides its rows."""

    #: The PostgreSQL table, ``schema.name``.
    source: str
    #: The Convex table.
    target: str
    #: The transactions that the copy's snapshot saw.
    visibility: Visibility
    #: The object ids of the table and its partitions.
    relation: str
    #: A digest of its columns.
    shape: str
    #: A digest of everything else that decides on its documents.
    rules: str
    #: The seed of the rows' digests.
    seed: int
    #: The number of rows.
    rows: int
    #: The bits of the key that determine a bucket.
    bits: int

    @classmethod
    def of_json(cls, text: str) -> TableBaseline:
        """The entry from the text of :meth:`to_json`."""
        data = json.loads(text)
        return cls(**{**data, "visibility": Visibility(**data["visibility"])})

    def to_json(self) -> str:
        """The entry as text, for the file."""
        return json.dumps(asdict(self))


class Baseline(RowFile):
    """The file of a baseline. ``target``: the deployment of its rows (as ``--to`` names it)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self.database.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT)")
            self.database.execute("CREATE TABLE IF NOT EXISTS tables (source TEXT PRIMARY KEY, about TEXT)")
            self.database.execute("CREATE TABLE IF NOT EXISTS rejects (source TEXT, entry TEXT)")
            self.database.execute("CREATE INDEX IF NOT EXISTS rejects_by_source ON rejects (source)")
        except sqlite3.DatabaseError as error:
            self.database.close()
            raise unusable_baseline(path, error) from None

    @classmethod
    def open(cls, path: Path) -> Baseline:
        """The baseline in ``path``. Raises :class:`~supavex.errors.UsageError` if there is none."""
        if not path.is_file():
            if (earlier := path.parent.with_name(_EARLIER)).is_dir():
                raise old_state(earlier, "run supavex migrate once without --changes", "the folder")
            raise UsageError(
                "NoBaseline",
                f"no migration has kept the baseline {path.stem}.",
                where=str(path),
                hint="Run `supavex migrate` first (a whole one, into the same target); it keeps what it saw.",
            )
        baseline = cls(path)
        try:
            version = baseline.about("version")
            if version == _VERSION:
                baseline.tables()
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
            baseline.database.close()
            raise unusable_baseline(path, error) from None
        if version != _VERSION:
            baseline.database.close()
            raise old_state(path, "run supavex migrate once without --changes")
        return baseline

    @classmethod
    def usable(cls, path: Path) -> Baseline | None:
        """The baseline in ``path``; None if there is none, or it can't be read."""
        try:
            return cls.open(path)
        except SupavexError:
            return None

    @classmethod
    def new(cls, path: Path, target: str, made_at: str, numbers: Mapping[str, int]) -> Baseline:
        """An empty baseline, which replaces the file."""
        chosen_folder(path.parent)
        path.unlink(missing_ok=True)
        baseline = cls(path)
        about = {"version": _VERSION, "target": target, "madeAt": made_at, "numbers": json.dumps(dict(numbers))}
        baseline.database.execute("BEGIN")
        baseline.database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        baseline.database.execute("COMMIT")
        return baseline

    def about(self, name: str) -> str:
        """A value of the file's header; empty if it has none."""
        row = self.database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    @property
    def files(self) -> str:
        """The digest of the stored files (:attr:`BucketFiles.digest`); empty if there were none."""
        return self.about("files")

    @files.setter
    def files(self, digest: str) -> None:
        self.database.execute("INSERT OR REPLACE INTO about VALUES ('files', ?)", (digest,))

    @property
    def target(self) -> str:
        """The deployment of its rows."""
        return self.about("target")

    @property
    def made_at(self) -> str:
        """When its snapshot was taken (ISO 8601, UTC)."""
        return self.about("madeAt")

    @property
    def numbers(self) -> dict[str, int]:
        """The table numbers that its ids name."""
        found: dict[str, int] = json.loads(self.about("numbers"))
        return found

    def tables(self) -> dict[str, TableBaseline]:
        """Its tables, by the source's name."""
        rows = self.database.execute("SELECT source, about FROM tables ORDER BY rowid")
        return {source: TableBaseline.of_json(text) for source, text in rows}

    def add_table(self, table: TableBaseline, rejects: Iterable[Reject]) -> None:
        """Adds a table whose rows are written."""
        self.database.execute("BEGIN")
        self.database.execute("INSERT OR REPLACE INTO tables VALUES (?, ?)", (table.source, table.to_json()))
        self.database.executemany(
            "INSERT INTO rejects VALUES (?, ?)",
            ((table.source, json.dumps(reject.to_json(), ensure_ascii=False)) for reject in rejects),
        )
        self.database.execute("COMMIT")

    def rejects(self, source: str) -> Iterator[Reject]:
        """The rejected rows of a table."""
        for (entry,) in self.database.execute("SELECT entry FROM rejects WHERE source = ?", (source,)):
            yield Reject.from_json(json.loads(entry))

    def take_over(self, other: Baseline, table: TableBaseline) -> None:
        """Adds a table with the rows of another baseline, under the entry ``table``."""
        rows = other.database.execute(
            "SELECT source, bucket, records, texts FROM pieces WHERE source = ?", (table.source,)
        )
        self.database.execute("BEGIN")
        self.database.executemany("INSERT INTO pieces VALUES (?, ?, ?, ?)", rows)
        self.database.execute("COMMIT")
        self.add_table(table, other.rejects(table.source))
