"""Proves a local deployment's own file: its indexes agree with its documents, and its code with its digests.

Every index is compared with the documents: each document has one entry, under the key of its fields, and there are no
other entries. SQLite checks its file, and the pushed modules are compared with their recorded digests.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xxhash

from supavex.callbacks import Progress
from supavex.convex.ids import INTERNAL_ID_BYTES, encode_id
from supavex.convex.schema_json import schema_from_json
from supavex.deployment.database.components import APP, components
from supavex.deployment.database.database import Database
from supavex.deployment.database.search_indexes import definitions
from supavex.deployment.database.store import CREATION_INDEX, Store, StoredIndex, StoredTable
from supavex.deployment.functions.modules import module_hashes, pushed_definitions, sha256_of, stored_modules
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.proof.index_keys import IndexKeys, StoredRow, read_rows
from supavex.migrate.proof.search_proof import prove_searches

_ROWS = 4096
#: Up to this many bytes of a file, SQLite also compares its own indexes with their tables.
WHOLE_CHECK_BYTES = 64 << 20
#: The most problems that SQLite lists.
_PROBLEMS = 50
#: The name of the step in progress reports.
INDEXES = "the deployment's indexes"
#: The index by id, which SQLite itself maintains.
_BY_ID = "by_id"


@dataclass(slots=True)
class StoreProof:
    """The checks of the deployment's file."""

    #: The findings, counted and listed.
    found: TableProof = field(default_factory=lambda: TableProof("deployment.sqlite3", "deployment.sqlite3"))
    #: The number of tables, those of components included.
    tables: int = 0
    #: The number of documents.
    documents: int = 0
    #: The number of indexes whose entries were compared with the documents.
    indexes: int = 0
    #: The number of index entries.
    entries: int = 0
    #: The number of modules with code.
    modules: int = 0
    #: The check that SQLite made: ``integrity_check``, or ``quick_check`` for a large file.
    sqlite_check: str = ""
    #: The seconds of all checks.
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The checks in the JSON of ``verify --json``."""
        return {
            "tables": self.tables,
            "documents": self.documents,
            "indexes": self.indexes,
            "entries": self.entries,
            "modules": self.modules,
            "sqliteCheck": self.sqlite_check,
            "ok": self.found.ok,
            "counts": dict(self.found.counts),
            "findings": [
                {"kind": f.kind, "table": f.table, "key": f.key, "detail": f.detail} for f in self.found.findings
            ],
        }


@dataclass(frozen=True, slots=True)
class Ranges:
    """The division of a table's rows into ranges."""

    #: The number of ranges whose entries are summed.
    count: int = 4096
    #: The most differing ranges of one index whose entries are compared one by one.
    listed: int = 64


_RANGES = Ranges()


class _Sums:
    """The entries by range of ``span`` rows: their number, and the sum of their digests."""

    def __init__(self, span: int, seed: int, ranges: int) -> None:
        self.span, self.seed = span, seed
        self.counts = np.zeros(ranges, np.int64)
        self.digests = np.zeros(ranges, np.uint64)
        #: Entries of rows that no document can have.
        self.outside = 0

    def add(self, rows: list[int], keys: list[bytes]) -> None:
        digest, seed = xxhash.xxh3_64_digest, self.seed
        numbers = np.frombuffer(b"".join([digest(key, seed) for key in keys]), ">u8").astype(np.uint64)
        places = np.array(rows, np.int64)
        ranges = places // self.span
        inside = (ranges >= 0) & (ranges < len(self.counts))
        if not inside.all():
            self.outside += int((~inside).sum())
            ranges, numbers, places = ranges[inside], numbers[inside], places[inside]
        with np.errstate(over="ignore"):
            mixed = numbers ^ (places.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
            mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            np.add.at(self.digests, ranges, mixed)
        self.counts += np.bincount(ranges, minlength=len(self.counts))

    def differing(self, other: _Sums) -> list[int]:
        """The ranges in which two sides differ."""
        return [int(n) for n in np.flatnonzero((self.counts != other.counts) | (self.digests != other.digests))]


def prove_store(
    database: Database,
    proven: Collection[str] = (),
    progress: Progress = lambda what, done, of: None,
    ranges: Ranges = _RANGES,
) -> StoreProof:
    """Proves the file of a local deployment. ``proven``: target tables whose documents the proof of rows has read."""
    proof, started = StoreProof(), time.monotonic()
    progress(INDEXES, 0, 0)
    store = database.store
    _sqlite(store, proof)
    with _readable(proof, "modules"):
        for definition in ("", *pushed_definitions(store)):
            _modules(store, definition, proof)
    for component in (APP, *components(store.connection).values()):
        view = database.within(component.id)
        with _readable(proof, f"schema{component.shown}"):
            _declared(view, proof, component.shown)
        for table in view.store.tables().values():
            silent = not component.id and table.name in proven
            table = replace(table, name=table.name + component.shown)
            proof.tables += 1
            with _readable(proof, table.name):
                _Table(view.store, table, proof, progress, ranges, silent=silent).prove()
                indexes, entries = prove_searches(view.store, table, proof.found)
                proof.indexes, proof.entries = proof.indexes + indexes, proof.entries + entries
    proof.seconds = time.monotonic() - started
    return proof


def _modules(store: Store, definition: str, proof: StoreProof) -> None:
    """Compares the stored modules of the app, or of a component's definition, with their hashes."""
    hashes = {found["path"]: found["hash"] for found in module_hashes(store, definition)}
    for path, module in stored_modules(store, definition).items():
        proof.modules += 1
        if sha256_of(module) != hashes[path]:
            shown = f"{definition}/{path}" if definition else path
            proof.found.add("changed module", shown, "its stored code does not fit its recorded SHA-256: push again")


def _sqlite(store: Store, proof: StoreProof) -> None:
    """Runs SQLite's check of its file; for a large file, without comparing SQLite's own indexes with their tables."""
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    (size,) = store.connection.execute("PRAGMA page_size").fetchone()
    proof.sqlite_check = "integrity_check" if pages * size <= WHOLE_CHECK_BYTES else "quick_check"
    with _readable(proof, proof.sqlite_check):
        for (text,) in store.connection.execute(f"PRAGMA {proof.sqlite_check}({_PROBLEMS})"):
            if text != "ok":
                proof.found.add("damaged file", proof.sqlite_check, str(text))


@contextmanager
def _readable(proof: StoreProof, what: str) -> Iterator[None]:
    """Makes a finding of a read error of SQLite in the block."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        proof.found.add("damaged file", what, f"SQLite can't read it: {error}")
    except (ValueError, KeyError) as error:
        proof.found.add("damaged file", what, f"what the file says of it can't be read: {type(error).__name__}")


def _declared(database: Database, proof: StoreProof, shown: str) -> None:
    """Checks that the file has the indexes that the schema of the app, or of the component ``shown``, declares."""
    text = database.schema_text
    tables = database.store.tables()
    for name, definition in schema_from_json(text).tables.items() if text is not None else ():
        if name not in tables:
            detail = f"the pushed schema declares {name}, which the file does not hold"
            proof.found.add("missing table", name + shown, detail)
            continue
        there = database.store.indexes(tables[name])
        searches = {found.name: found.definition for found in database.store.searches(tables[name]).values()}
        # An import drops the staged indexes of the tables that it replaces, as Convex's import does.
        for search_name, (wanted, staged) in definitions(definition).items():
            if not staged and searches.get(search_name) != wanted:
                detail = f"the pushed schema declares it on {wanted.field}: push again"
                proof.found.add("missing index", f"{name}.{search_name}{shown}", detail)
        for index in (index for index in definition.indexes if not index.staged):
            found = there.get(index.name)
            if found is None or found.fields != tuple(index.fields):
                detail = f"the pushed schema declares it on {', '.join(index.fields)}: push again"
                proof.found.add("missing index", f"{name}.{index.name}{shown}", detail)


class _Table:
    """The proof of one table's indexes."""

    def __init__(
        self,
        store: Store,
        table: StoredTable,
        proof: StoreProof,
        progress: Progress,
        ranges: Ranges,
        *,
        silent: bool,
    ) -> None:
        self._ranges = ranges
        self._table, self._proof, self._progress, self._silent = table, proof, progress, silent
        self._connection = store.connection
        self._documents = f"documents_{table.storage}"
        self._indexes: dict[str, StoredIndex] = store.indexes(table)
        if CREATION_INDEX not in self._indexes:
            proof.found.add("missing index", f"{table.name}.{CREATION_INDEX}", "every table has it: migrate again")
        (first,) = self._connection.execute(f"SELECT min(row) FROM {self._documents}").fetchone()
        (last,) = self._connection.execute(f"SELECT max(row) FROM {self._documents}").fetchone()
        self._last = last or 0
        if first is not None and first < 0:
            proof.found.add("damaged file", table.name, f"a document has the row {first}")
        self._span = self._last // ranges.count + 1
        self._seed = secrets.randbits(63)
        self._keys = IndexKeys(table, {name: index.fields for name, index in self._indexes.items()})

    def prove(self) -> None:
        """Compares every index with the documents."""
        expected = {name: self._sums() for name in (*self._indexes, _BY_ID)}
        self._read_documents(expected)
        for name in (*self._indexes, _BY_ID):
            self._proof.indexes += 1
            with _readable(self._proof, f"{self._table.name}.{name}"):
                found = self._read_entries(name)
                differing = expected[name].differing(found)
                if found.outside:
                    detail = f"{found.outside:,} of its entries lead to rows that no document has"
                    self._add("extra index entry", name, None, detail, found.outside)
                if differing:
                    self._compare(name, differing)

    def _sums(self) -> _Sums:
        return _Sums(self._span, self._seed, self._ranges.count)

    def _add(self, kind: str, index: str, internal_id: bytes | None, detail: str, count: int = 1) -> None:
        name = f"{self._table.name}.{index}"
        whole = internal_id is not None and len(internal_id) == INTERNAL_ID_BYTES
        key = encode_id(self._table.number, internal_id) if whole and internal_id is not None else name
        self._proof.found.add(kind, key, f"{name}: {detail}")
        self._proof.found.counts[kind] += count - 1

    def _rows(self, where: str = "") -> Iterator[list[StoredRow]]:
        columns = "row, internal_id, CAST(body AS BLOB), typeof(body) = 'text'"
        cursor = self._connection.execute(f"SELECT {columns} FROM {self._documents} {where} ORDER BY row")
        return read_rows(cursor, _ROWS)

    def _read_documents(self, expected: dict[str, _Sums]) -> None:
        for rows in self._rows():
            keys = self._keys.of(rows)
            for found in keys.damaged if not self._silent else ():
                self._proof.found.add("damaged document", found.id or found.place, f"{found.place}: {found.problem}")
            if len(keys.rows) == len(rows):
                stored = [row.internal_id for row in rows]
            else:
                there = set(keys.rows)
                stored = [row.internal_id for row in rows if row.row in there]
            if stored != keys.ids:
                for row, own, said in zip(keys.rows, stored, keys.ids, strict=True):
                    if own != said:
                        detail = f"the document of row {row} says that its id is another one: no id finds it"
                        self._add("wrong id", _BY_ID, own if isinstance(own, bytes) else None, detail)
            for name, some in keys.by_index.items():
                expected[name].add(keys.rows, some)
            expected[_BY_ID].add([row.row for row in rows], [_bytes(row.internal_id) for row in rows])
            self._proof.documents += len(rows)
            self._progress(INDEXES, self._proof.documents, 0)

    def _entries(self, name: str) -> Iterator[tuple[list[bytes], list[int]]]:
        """An index's entries in order: keys and rows, some at a time."""
        if name == _BY_ID:
            sql = f"SELECT internal_id, row FROM {self._documents} INDEXED BY ids_{self._table.storage}"
            cursor = self._connection.execute(f"{sql} ORDER BY internal_id")
        else:
            entries = f"entries_{self._indexes[name].entries}"
            cursor = self._connection.execute(f"SELECT key, row FROM {entries} ORDER BY key")
        while some := cursor.fetchmany(_ROWS):
            keys, rows = zip(*some, strict=True)
            yield [_bytes(key) for key in keys] if set(map(type, keys)) != {bytes} else list(keys), list(rows)

    def _read_entries(self, name: str) -> _Sums:
        sums, last, disorder = self._sums(), b"", 0
        for keys, rows in self._entries(name):
            sums.add(rows, keys)
            self._proof.entries += len(rows)
            if keys[0] < last or keys != sorted(keys):
                disorder += 1
            last = keys[-1]
        if disorder:
            self._add("index out of order", name, None, "its entries are not in the order of their keys", disorder)
        return sums

    def _compare(self, name: str, differing: list[int]) -> None:
        """Compares the entries of the ranges of rows that differ, one by one."""
        listed = set(differing[: self._ranges.listed])
        expected: dict[int, tuple[bytes, bytes]] = {}
        unreadable: set[int] = set()
        for number in sorted(listed):
            where = f"WHERE row BETWEEN {number * self._span} AND {(number + 1) * self._span - 1}"
            for rows in self._rows(where):
                keys = self._keys.of(rows)
                ids = {row.row: _bytes(row.internal_id) for row in rows}
                unreadable |= ids.keys() - set(keys.rows)
                if name == _BY_ID:
                    expected |= {row: (id_, id_) for row, id_ in ids.items()}
                else:
                    made = zip(keys.rows, keys.by_index[name], strict=True)
                    expected |= {row: (ids[row], key) for row, key in made}
        met: set[int] = set()
        for some, places in self._entries(name):
            for key, row in zip(some, places, strict=True):
                if row // self._span in listed:
                    self._compare_entry(name, key, row, expected, unreadable, met)
        for row, (internal_id, _) in expected.items():
            if row not in met:
                self._add("missing index entry", name, internal_id, f"no entry leads to the document of row {row}")
        if more := differing[self._ranges.listed :]:
            detail = f"{len(more):,} more ranges of {self._span:,} rows differ: push the schema without it, and again"
            self._add("index differs", name, None, detail, len(more))

    def _compare_entry(
        self,
        name: str,
        key: bytes,
        row: int,
        expected: Mapping[int, tuple[bytes, bytes]],
        unreadable: set[int],
        met: set[int],
    ) -> None:
        if name != _BY_ID and row in unreadable:
            return  # The document has a finding already, and its key is unknown.
        there = expected.get(row)
        if there is None:
            self._add("extra index entry", name, None, f"an entry leads to the row {row}, which no document has")
        elif row in met:
            self._add("extra index entry", name, there[0], f"several entries lead to the document of row {row}")
        elif there[1] != key:
            detail = f"the entry of the document of row {row} has another key than its fields make"
            self._add("wrong index entry", name, there[0], detail)
        met.add(row)


def _bytes(value: object) -> bytes:
    """A key as bytes; for other values, bytes that no key has."""
    return value if isinstance(value, bytes) else json.dumps(str(value)).encode()
