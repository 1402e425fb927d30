"""The proof: source and target read again, every row and every field compared, and what the rules said held.

A row that the copy rejected is explained by its entry in the rejects file. Anything else that is missing, extra or
different is a failure.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.order_keys import UNDEFINED, field_at
from supavex.convex.validators import MISSING, rules_problem, unwrap
from supavex.convex.values import Document, Value, to_export_json
from supavex.errors import SupavexError
from supavex.mapping.plan import ALIAS, Plan, TablePlan, pointer_of
from supavex.migrate.comparison import Mismatch, RowComparison, earliest_sql, proof_sql
from supavex.migrate.documents import Documents
from supavex.migrate.existing import match_documents
from supavex.migrate.rejects import NO_KEY, Reject
from supavex.postgres.connection import literal, quoted
from supavex.postgres.snapshot import Snapshot, exported, imported

#: Called with a source table and the rows of it compared so far.
Progress = Callable[[str, int], None]
_CHUNK = 2000
#: Findings of one kind that are listed for one table; all are counted.
LISTED = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong that is no differing field: a missing or extra document, a broken reference, unique or check."""

    kind: str
    table: str
    key: str
    detail: str


@dataclass(slots=True)
class TableProof:
    """What the proof found of one table. Counts are complete; ``mismatches`` and ``findings`` are the first of each."""

    source: str
    target: str
    rows: int = 0
    documents: int = 0
    matched: int = 0
    rejected: int = 0
    fields: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    mismatches: list[Mismatch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is equal or explained."""
        return not self.counts

    def add(self, kind: str, key: str, detail: str) -> None:
        """Counts a finding, and lists it if it is among the first."""
        self.counts[kind] += 1
        if self.counts[kind] <= LISTED:
            self.findings.append(Finding(kind, self.source, key, detail))

    def to_json(self) -> dict[str, Any]:
        """As ``verify --json`` shows it."""
        return {**asdict(self), "counts": dict(self.counts), "ok": self.ok}


@dataclass(slots=True)
class Proof:
    """The whole proof. ``sampled``: only that many rows of each table were compared, so it proves nothing."""

    tables: list[TableProof]
    taken_at: str
    seconds: float
    sampled: int | None = None

    @property
    def ok(self) -> bool:
        """The verdict."""
        return all(table.ok for table in self.tables)

    def to_json(self) -> dict[str, Any]:
        """As ``verify --json`` shows it."""
        return {
            "ok": self.ok,
            "proof": self.sampled is None,
            "sampled": self.sampled,
            "takenAt": self.taken_at,
            "seconds": round(self.seconds, 3),
            "tables": [table.to_json() for table in self.tables],
        }


def verify(
    plan: Plan,
    url: str,
    target: Documents,
    rejects: Iterable[Reject],
    *,
    sample: int | None = None,
    progress: Progress = lambda table, done: None,
) -> Proof:
    """Proves that the rows at ``url`` are the documents of ``target``, the rejected ones aside."""
    started = time.monotonic()
    by_table: dict[str, dict[str, Reject]] = {}
    for reject in rejects:
        by_table.setdefault(reject.table, {})[reject.key] = reject
    numbers = target.table_numbers()
    with exported(url) as (snapshot, holder):
        existing = {
            table.target: match_documents(holder, table, target.documents(table.target))[0]
            for table in plan.tables
            if table.status == "existing"
        }
        tables = []
        for table in plan.moved:
            proof = TableProof(table.name, table.target)
            if table.target not in numbers:
                proof.add("missing table", "", f"the target has no table {table.target}")
                tables.append(proof)
                continue
            checker = _TableCheck(table, snapshot, target, numbers, existing, by_table.get(table.name, {}), proof)
            checker.run(sample, progress)
            tables.append(proof)
        return Proof(tables, snapshot.taken_at, time.monotonic() - started, sample)


class _TableCheck:
    def __init__(
        self,
        table: TablePlan,
        snapshot: Snapshot,
        target: Documents,
        numbers: Mapping[str, int],
        existing: Mapping[str, Mapping[str, str]],
        rejects: Mapping[str, Reject],
        proof: TableProof,
    ) -> None:
        self.table, self.snapshot, self.target, self.numbers = table, snapshot, target, numbers
        self.existing, self.rejects, self.proof = existing, rejects, proof

    def run(self, sample: int | None, progress: Progress) -> None:
        with imported(self.snapshot) as connection:
            earliest = _one(connection, earliest_sql(self.table))
            comparison = RowComparison(
                self.table, self.numbers, self.existing, None if earliest is None else int(earliest)
            )
            try:
                self._rows(connection, comparison, sample, progress)
                self._source_checks(connection)
            except psycopg.Error as error:
                raise SupavexError(
                    "ReadFailed",
                    f"PostgreSQL stopped the read: {error.diag.message_primary or error}",
                    where=self.table.name,
                    retryable=True,
                ) from None
            if sample is None:
                self._extra(connection)
                self._documents()

    def _rows(
        self, connection: psycopg.Connection, comparison: RowComparison, sample: int | None, progress: Progress
    ) -> None:
        proof = self.proof
        unexplained = set(self.rejects)
        with connection.cursor(name="supavex_proof") as cursor:
            cursor.itersize = _CHUNK
            limit = "" if sample is None else f" LIMIT {sample}"
            cursor.execute((proof_sql(self.table) + limit).encode())
            for rows in _chunks(cursor, _CHUNK):
                ids = [comparison.id_of(row[0]) for row in rows]
                documents = self.target.get_many(self.table.target, [id_ for id_ in ids if id_ is not None])
                for id_, row in zip(ids, rows, strict=True):
                    self._row(comparison, row, None if id_ is None else documents.get(id_), unexplained)
                proof.rows += len(rows)
                progress(self.table.name, proof.rows)
        for key in sorted(unexplained) if sample is None else ():
            proof.add("stale reject", key, "the rejects file names a row that the source does not have")

    def _row(
        self,
        comparison: RowComparison,
        row: tuple[str | None, ...],
        document: Document | None,
        unexplained: set[str],
    ) -> None:
        proof, key = self.proof, NO_KEY if row[0] is None else row[0]
        rejected = key in self.rejects
        unexplained.discard(key)
        if document is None:
            if rejected:
                proof.rejected += 1
            else:
                proof.add("missing document", key, "the row has no document, and was not rejected")
            return
        if rejected:
            proof.add("rejected but there", key, f"{document['_id']} is in the target though the row was rejected")
        proof.fields += len(self.table.fields) + 1
        differing = 0
        for mismatch in comparison.compare(row, document):
            differing += 1
            proof.counts["mismatch"] += 1
            if proof.counts["mismatch"] <= LISTED:
                proof.mismatches.append(mismatch)
        if not differing:
            proof.matched += 1

    def _source_checks(self, connection: psycopg.Connection) -> None:
        """The source's own CHECK constraints over its rows as they went: NULLs filled, rejected rows aside.

        Every field was compared, so what holds there holds in the target.
        """
        assert self.table.key is not None
        filled = {f.column.name: f for f in self.table.fields if f.column is not None and f.default is not MISSING}
        columns = []
        for column in self.table.source.columns:
            name = f"{ALIAS}.{quoted(column.name)}"
            planned = filled.get(column.name)
            default = None if planned is None else planned.default
            if isinstance(default, str | bool | float | int):
                text = default if isinstance(default, str) else to_export_json(default)
                # 60.0 is the text of a default of 60, which an integer column reads by way of numeric.
                cast = "" if isinstance(default, str | bool) else "::numeric"
                name = f"COALESCE({name}, {literal(text)}{cast}::{column.type.name})"
            columns.append(f"{name} AS {quoted(column.name)}")
        source = quoted(self.table.source.schema, self.table.source.name)
        # A name that no column has: PostgreSQL's own are no longer than this.
        key = quoted("supavex key".ljust(63))
        columns.append(f"{self.table.key.text_sql(self.table.key.own(ALIAS))} AS {key}")
        for check in self.table.source.checks:
            sql = (
                f"SELECT {key} FROM (SELECT {', '.join(columns)} FROM {source} AS {ALIAS}) AS s "
                f"WHERE NOT ({check.expression}) LIMIT {LISTED + len(self.rejects)}"
            )
            for (found,) in connection.execute(sql.encode()):
                if str(found) not in self.rejects:
                    self.proof.add("broken check", str(found), f"{check.name}: {check.expression}")

    def _extra(self, connection: psycopg.Connection) -> None:
        """Documents of the table that no row of the source stands for."""
        proof = self.proof
        proof.documents = self.target.count(self.table.target)
        found = proof.rows - proof.rejected - proof.counts["missing document"]
        if proof.documents == found:
            return
        assert self.table.key is not None
        with tempfile.TemporaryDirectory(prefix="supavex-proof-") as folder:
            seen = sqlite3.connect(Path(folder) / "keys.sqlite3", isolation_level=None)
            try:
                seen.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")
                own = self.table.key.text_sql(self.table.key.own(ALIAS))
                source = quoted(self.table.source.schema, self.table.source.name)
                with connection.cursor(name="supavex_keys") as cursor:
                    cursor.execute(f"SELECT {own} FROM {source} AS {ALIAS}".encode())
                    keys = ((self.table.key.internal_id(str(key)),) for (key,) in cursor if key is not None)
                    seen.executemany("INSERT OR IGNORE INTO keys VALUES (?)", keys)
                for document in self.target.documents(self.table.target):
                    _, internal_id = decode_id(str(document["_id"]))
                    if seen.execute("SELECT 1 FROM keys WHERE key = ?", (internal_id,)).fetchone() is None:
                        key = self.table.key.text_of(internal_id) or document["_id"]
                        proof.add("extra document", str(key), f"{document['_id']} stands for no row of the source")
            finally:
                seen.close()

    def _documents(self) -> None:
        """What the target's documents say by themselves: references, uniques, and the rules of the schema."""
        definition = self.table.definition
        assert definition is not None
        references = {
            name: found[0].table
            for name, validator in definition.fields.items()
            if (found := pointer_of(unwrap(validator))) is not None
        }
        singles = ((name,) for name, validator in definition.fields.items() if unwrap(validator).rules.unique)
        uniques = [*definition.uniques, *singles]
        with _Uniques(uniques) as seen:
            for documents in _chunks(self.target.documents(self.table.target), _CHUNK):
                self._references(documents, references)
                for document in documents:
                    for name, validator in definition.fields.items():
                        problem = rules_problem(validator, document.get(name))
                        if problem:
                            self.proof.add("broken rule", str(document["_id"]), f"{name}: {problem}")
                    for fields in seen.repeated(document):
                        detail = f"{', '.join(fields)} are not unique"
                        self.proof.add("broken unique", str(document["_id"]), detail)

    def _references(self, documents: list[Document], references: Mapping[str, str]) -> None:
        for name, table in references.items():
            ids = {value for d in documents for value in _ids(d.get(name))}
            valid = sorted(id_ for id_ in ids if self._is_id(id_, table))
            there = self.target.get_many(table, valid)
            for document in documents:
                for value in _ids(document.get(name)):
                    if value not in there:
                        detail = f"{name} refers to {value}, which {table} does not have"
                        self.proof.add("dangling reference", str(document["_id"]), detail)

    def _is_id(self, text: str, table: str) -> bool:
        try:
            return decode_id(text)[0] == self.numbers.get(table)
        except InvalidId:
            return False


class _Uniques:
    """Finds repeated values of groups of fields, in a temporary file. As in SQL, a missing part is never equal."""

    def __init__(self, groups: list[tuple[str, ...]]) -> None:
        self._groups = groups
        self._database = sqlite3.connect("", isolation_level=None)  # SQLite keeps it in a file of its own, if it grows
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> _Uniques:
        return self

    def __exit__(self, *details: object) -> None:
        self._database.close()

    def repeated(self, document: Document) -> Iterator[tuple[str, ...]]:
        for number, fields in enumerate(self._groups):
            values = [field_at(document, name) for name in fields]
            if any(value is UNDEFINED or value is None for value in values):
                continue
            digest = hashlib.sha256(to_export_json([float(number), *values]).encode()).digest()
            if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 0:
                yield fields


def _ids(value: Value) -> list[str]:
    """The ids in a field of references: one, or those of an array."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _one(connection: psycopg.Connection, sql: str | None) -> Any:
    row = None if sql is None else connection.execute(sql.encode()).fetchone()
    return None if row is None else row[0]
