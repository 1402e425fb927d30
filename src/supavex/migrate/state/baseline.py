"""One baseline: what a copy saw of each table, row by row as digests."""

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
from supavex.postgres.visibility import Seen

_VERSION = "1"


@dataclass(frozen=True, slots=True)
class TableMoment:
    """What a moment knows of one table, besides its rows.

    ``relation``: its object ids, those of its partitions too. ``shape``: digest of its columns. ``rules``: digest of
    what decides what becomes of a row. ``seed``: of the rows' digests. ``bits``: of the key, that choose a bucket.
    """

    source: str
    target: str
    seen: Seen
    taken_at: str
    relation: str
    shape: str
    rules: str
    seed: int
    rows: int
    bits: int

    @classmethod
    def of_json(cls, text: str) -> TableMoment:
        """From the text that :meth:`to_json` gives."""
        data = json.loads(text)
        return cls(**{**data, "seen": Seen(**data["seen"])})

    def to_json(self) -> str:
        """As the file keeps it."""
        return json.dumps(asdict(self))


class Moment(RowFile):
    """A moment's file. ``target``: the deployment that its rows went to (as ``--to`` names it)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self.database.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT)")
            self.database.execute("CREATE TABLE IF NOT EXISTS tables (source TEXT PRIMARY KEY, about TEXT)")
            self.database.execute("CREATE TABLE IF NOT EXISTS rejects (source TEXT, key BLOB, entry TEXT)")
            self.database.execute("CREATE INDEX IF NOT EXISTS rejects_by_source ON rejects (source)")
        except sqlite3.DatabaseError as error:
            self.database.close()
            raise unusable_baseline(path, error) from None

    @classmethod
    def open(cls, path: Path) -> Moment:
        """The moment that ``path`` holds. Raises where there is none."""
        if not path.is_file():
            raise UsageError(
                "NoMoment",
                f"no migration has kept the moment {path.stem}.",
                where=str(path),
                hint="Run `supavex migrate` first (a whole one, into the same target); it keeps what it saw.",
            )
        moment = cls(path)
        try:
            version = moment.about("version")
            if version == _VERSION:
                moment.tables()
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
            moment.database.close()
            raise unusable_baseline(path, error) from None
        if version != _VERSION:
            moment.database.close()
            raise old_state(path, "run supavex migrate once without --changes")
        return moment

    @classmethod
    def usable(cls, path: Path) -> Moment | None:
        """The moment that ``path`` holds; None where there is none, or one that nothing can be read from."""
        try:
            return cls.open(path)
        except SupavexError:
            return None

    @classmethod
    def new(cls, path: Path, target: str, made_at: str, numbers: Mapping[str, int]) -> Moment:
        """An empty moment, over what was there."""
        chosen_folder(path.parent)
        path.unlink(missing_ok=True)
        moment = cls(path)
        about = {"version": _VERSION, "target": target, "madeAt": made_at, "numbers": json.dumps(dict(numbers))}
        moment.database.execute("BEGIN")
        moment.database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        moment.database.execute("COMMIT")
        return moment

    def about(self, name: str) -> str:
        """What the file says of itself; empty where it does not."""
        row = self.database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    @property
    def files(self) -> str:
        """The digest of the stored files that went (:attr:`FileList.digest`); empty where none did."""
        return self.about("files")

    @files.setter
    def files(self, digest: str) -> None:
        self.database.execute("INSERT OR REPLACE INTO about VALUES ('files', ?)", (digest,))

    @property
    def target(self) -> str:
        """Where its rows went."""
        return self.about("target")

    @property
    def made_at(self) -> str:
        """The moment itself (ISO 8601, UTC)."""
        return self.about("madeAt")

    @property
    def numbers(self) -> dict[str, int]:
        """The table numbers that its ids name."""
        found: dict[str, int] = json.loads(self.about("numbers"))
        return found

    def tables(self) -> dict[str, TableMoment]:
        """Its tables, by the source's name."""
        rows = self.database.execute("SELECT source, about FROM tables ORDER BY rowid")
        return {source: TableMoment.of_json(text) for source, text in rows}

    def add_table(self, table: TableMoment, rejects: Iterable[tuple[bytes, Reject]]) -> None:
        """Adds a table whose rows are written."""
        self.database.execute("BEGIN")
        self.database.execute("INSERT OR REPLACE INTO tables VALUES (?, ?)", (table.source, table.to_json()))
        self.database.executemany(
            "INSERT INTO rejects VALUES (?, ?, ?)",
            ((table.source, key, json.dumps(asdict(reject), ensure_ascii=False)) for key, reject in rejects),
        )
        self.database.execute("COMMIT")

    def rejects(self, source: str) -> Iterator[tuple[bytes, Reject]]:
        """The rejected rows of a table, with their keys."""
        for key, entry in self.database.execute("SELECT key, entry FROM rejects WHERE source = ?", (source,)):
            yield key, Reject.of_json(json.loads(entry))

    def take_over(self, other: Moment, table: TableMoment) -> None:
        """Adds a table of another moment as it is there, under what ``table`` says of it."""
        rows = other.database.execute(
            "SELECT source, bucket, records, texts FROM pieces WHERE source = ?", (table.source,)
        )
        self.database.execute("BEGIN")
        self.database.executemany("INSERT INTO pieces VALUES (?, ?, ?, ?)", rows)
        self.database.execute("COMMIT")
        self.add_table(table, other.rejects(table.source))
