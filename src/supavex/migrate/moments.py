"""A moment: what the rows were that went to a deployment, kept so that later changes can be told.

It is one SQLite file. Of each row it holds the key (16 bytes) and a digest (64 bits) of what of the row goes to Convex,
in buckets that the key chooses; a bucket fits into memory however many rows a table has. Beside them: what the
snapshot saw, what the copy went by, and the rejected rows.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import numpy as np

from supavex.convex.ids import INTERNAL_ID_BYTES
from supavex.errors import SupavexError, UsageError
from supavex.files import chosen_folder, own_database, write_whole
from supavex.migrate.digests import mixed
from supavex.migrate.rejects import Reject
from supavex.postgres.visibility import Seen

_VERSION = "1"
_BITS = 8
#: Rows that are kept in memory before they are written; a table of fewer has one bucket.
_HELD = 1 << 18
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
Array = np.ndarray[Any, Any]
#: A row: its key and its digest.
RECORD = np.dtype([("key", f"S{INTERNAL_ID_BYTES}"), ("digest", "<i8")])


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


@dataclass(slots=True)
class Bucket:
    """Rows of one bucket, and their keys as text where the bytes don't tell it."""

    records: Array
    texts: list[str] | None = None

    @property
    def keys(self) -> Array:
        """The keys."""
        return np.ascontiguousarray(self.records["key"])


def records_of(keys: Array, digests: Array) -> Array:
    """Records of keys (a matrix of bytes, a row each) and digests."""
    records = np.empty(len(keys), RECORD)
    records["key"] = np.ascontiguousarray(keys).view(f"S{INTERNAL_ID_BYTES}").reshape(-1)
    records["digest"] = digests
    return records


def key_bytes(keys: Array) -> list[bytes]:
    """Keys as bytes: NumPy itself leaves out zeros at the end."""
    data = np.ascontiguousarray(keys).tobytes()
    return [data[start : start + INTERNAL_ID_BYTES] for start in range(0, len(data), INTERNAL_ID_BYTES)]


def _bucket_numbers(records: Array, bits: int) -> Array:
    if not bits:
        return np.zeros(len(records), np.int64)
    halves = np.ascontiguousarray(records["key"]).view(np.uint64).reshape(-1, 2)
    return (mixed(halves[:, 0] ^ mixed(halves[:, 1])) & np.uint64((1 << bits) - 1)).astype(np.int64)


class RowFile:
    """Rows by table and bucket, in an SQLite file (a temporary one where no path is given). A context manager."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.database = sqlite3.connect("" if path is None else own_database(path), isolation_level=None)
        try:
            self.database.execute("PRAGMA synchronous = OFF")
            self.database.execute("PRAGMA journal_mode = OFF" if path is None else "PRAGMA journal_mode = DELETE")
            self.database.execute(
                "CREATE TABLE IF NOT EXISTS pieces (source TEXT, bucket INTEGER, records BLOB, texts BLOB)"
            )
            self.database.execute("CREATE INDEX IF NOT EXISTS by_bucket ON pieces (source, bucket)")
        except sqlite3.DatabaseError as error:
            self.database.close()
            raise _unusable(path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.database.close()

    def bucket(self, source: str, number: int, bits: int, stored_bits: int, *, texts: bool = False) -> Bucket:
        """The rows of a bucket of ``bits``, of a table that is stored by ``stored_bits`` (as many, or none)."""
        stored = number if stored_bits else 0
        sql = f"SELECT records, {'texts' if texts else 'NULL'} FROM pieces WHERE source = ? AND bucket = ?"
        records, found = [np.empty(0, RECORD)], list[str]()
        for data, text in self.database.execute(sql, (source, stored)):
            records.append(np.frombuffer(data, RECORD))
            if text is not None:
                found += text.decode().split("\0")
        rows = np.concatenate(records)
        whole = found if texts and len(found) == len(rows) and len(rows) else None
        if bits and not stored_bits:
            chosen = _bucket_numbers(rows, bits) == number
            if whole is not None:
                whole = [text for text, take in zip(whole, chosen, strict=True) if take]
            rows = rows[chosen]
        return Bucket(rows, whole)


@dataclass(slots=True)
class RowWriter:
    """Writes the rows of one table; call :meth:`close` at the end. ``bits``: at least so many choose the bucket."""

    file: RowFile
    source: str
    bits: int = 0
    rows: int = 0
    _records: list[Array] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _held: int = 0

    def add(self, keys: Array, digests: Array, texts: Iterable[str] | None = None) -> None:
        """Adds some rows."""
        self._records.append(records_of(keys, digests))
        if texts is not None:
            self._texts += texts
        self.rows += len(keys)
        self._held += len(keys)
        if self._held >= _HELD:
            self.bits = _BITS
            self._flush()

    def close(self) -> None:
        """Writes what is left."""
        if self._held:
            self._flush()

    def _flush(self) -> None:
        records = np.concatenate(self._records)
        numbers = _bucket_numbers(records, self.bits)
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.arange((1 << self.bits) + 1))
        database = self.file.database
        database.execute("BEGIN")
        for number in range(1 << self.bits):
            some = order[ends[number] : ends[number + 1]]
            if len(some):
                texts = "\0".join(self._texts[i] for i in some).encode() if self._texts else None
                row = (self.source, number, records[some].tobytes(), texts)
                database.execute("INSERT INTO pieces VALUES (?, ?, ?, ?)", row)
        database.execute("COMMIT")
        self._records, self._texts, self._held = [], [], 0


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
            raise _unusable(path, error) from None

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
            raise _unusable(path, error) from None
        if version != _VERSION:
            moment.database.close()
            raise UsageError(
                "OldMoment",
                "the moment was kept by another version of supavex.",
                where=str(path),
                hint="Run `supavex migrate` once without --changes.",
            )
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


def _unusable(path: Path | None, error: Exception) -> SupavexError:
    return SupavexError(
        "InvalidMoment",
        f"the file can't be used: {error}.",
        where=str(path),
        hint="Run `supavex migrate` once without --changes: it writes the file anew.",
    )


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of a project: a file for each target, which follows every import, and copies under chosen names.

    Beside the file of a target stands which of its tables are not surely what the moment says: an import of them was
    begun, and did not end, or was not proven.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """The file of the moment ``name``. Raises for what is no name."""
        if not _NAME.match(name):
            raise UsageError("InvalidName", f"{name!r} names no moment.", hint="Letters, digits, dots and dashes.")
        return self.folder / f"{name}.sqlite3"

    def names(self) -> list[str]:
        """The moments that are kept, the newest first."""
        files = sorted(self.folder.glob("*.sqlite3"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.stem for path in files]

    def _doubts(self, target: str) -> Path:
        return self.folder / f"{name_of(target)}.doubts.json"

    def doubted(self, target: str) -> frozenset[str]:
        """The source tables of which ``target`` may hold something else than its moment says."""
        try:
            names = json.loads(self._doubts(target).read_text(encoding="utf-8"))
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                return frozenset(names)
        except FileNotFoundError:
            return frozenset()
        except ValueError:
            pass  # damaged: which tables it named, nobody knows
        moment = Moment.usable(self.path(name_of(target)))
        if moment is None:
            return frozenset()
        with moment:
            return frozenset(moment.tables())

    def doubt(self, target: str, tables: Iterable[str]) -> None:
        """From now on, ``tables`` of ``target`` have to be imported again, whatever the moment says."""
        everything = sorted({*self.doubted(target), *tables})
        self._write_doubts(target, everything)

    def doubt_all(self, target: str) -> None:
        """From now on, all tables of ``target`` have to be imported again."""
        self._write_doubts(target, "all")

    def trust(self, target: str, tables: Iterable[str]) -> None:
        """``tables`` of ``target`` are what its moment says."""
        self._write_doubts(target, sorted(self.doubted(target) - set(tables)))

    def _write_doubts(self, target: str, tables: list[str] | Literal["all"]) -> None:
        path = self._doubts(target)
        if not tables:
            path.unlink(missing_ok=True)
            return
        write_whole(path, json.dumps(tables))

    def begun(self, name: str) -> Path:
        """Where a moment is written before its rows are in the deployment."""
        return self.folder / f"{name}.begun"

    def keep(self, target: str, also: str | None = None) -> None:
        """The moment that :meth:`begun` holds is the target's from now on; ``also`` is another name for it."""
        begun = self.begun(name_of(target))
        if also is not None:
            partial = self.begun(also).with_suffix(".copy")
            partial.unlink(missing_ok=True)
            shutil.copyfile(begun, own_database(partial))
            partial.replace(self.path(also))
        begun.replace(self.path(name_of(target)))

    def latest(self) -> str | None:
        """The name of the moment that follows the target of the last import; None where none is kept.

        Where there are only others under chosen names, the newest of them.
        """
        names = self.names()
        return next((name for name in names if name == self._followed(name)), next(iter(names), None))

    def _followed(self, name: str) -> str | None:
        try:
            with closing(sqlite3.connect(self.path(name))) as database:
                row = database.execute("SELECT value FROM about WHERE name = 'target'").fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else name_of(str(row[0]))


def name_of(target: str) -> str:
    """The name of the moment that follows the imports into ``target``: ``local``, ``cloud``, or host and port."""
    place = urlsplit(target).netloc or target
    return re.sub(r"[^A-Za-z0-9.]+", "-", place).strip("-.") or "target"
