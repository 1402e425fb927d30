"""The proof of one table: its rows against its documents, and what the rules said of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import numpy as np
import psycopg

from supavex.convex.broken_rules import field_rules
from supavex.convex.damage import Damaged
from supavex.convex.field_rules import MISSING
from supavex.convex.ids import InvalidId, decode_id, encode_id
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.values import Document
from supavex.mapping.conversions.json import MAY_ROUND, rounds
from supavex.mapping.plan import ALIAS, FieldPlan, Plan, Reference, TablePlan
from supavex.migrate.keys.references import missing_keys
from supavex.migrate.proof.comparison import RowComparison, earliest_sql, proof_sql
from supavex.migrate.proof.digests.process import DigestProcess, ProcessLost
from supavex.migrate.proof.digests.table import NotVerbatim, Sums, TableDigests, table_digests
from supavex.migrate.proof.few_rows import FewRows, few_differing
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.proof.pairs import PairWriter
from supavex.migrate.proof.request import Progress
from supavex.migrate.proof.target_rules import check_documents, chunks
from supavex.migrate.state.rejects import NO_KEY, Reject
from supavex.migrate.target.documents import Documents
from supavex.postgres.catalog import Check
from supavex.postgres.connection import literal, quoted
from supavex.postgres.snapshot import Snapshot, reading
from supavex.postgres.visibility import Visibility, unseen_sql
from supavex.scratch import scratch_database
from supavex.text import counted

#: Called with the rows of the table compared so far.
Rows = Callable[[int], None]
_CHUNK = 2000
#: Keys that are fetched at a time.
_KEYS = 20_000
#: What PostgreSQL raises that can't evaluate an expression; not what ends a connection or a query.
_UNEVALUATED = (psycopg.ProgrammingError, psycopg.DataError, psycopg.errors.RaiseException)
#: Bytes of a table from which on a process of its own is worth starting.
_LARGE = 8 << 20
_MAY_ROUND = re.compile(MAY_ROUND)
#: Buckets whose rows are compared one by one rather than that all JSON is parsed.
_FEW = 64


class TableCheck:
    """The proof of one table: :meth:`compare` for its rows, then :meth:`finish` for what else must hold."""

    def __init__(
        self,
        table: TablePlan,
        plan: Plan,
        snapshot: Snapshot,
        target: Documents,
        numbers: Mapping[str, int],
        existing: Mapping[str, Mapping[str, str]],
        rejects: Mapping[str, Mapping[str | None, Reject]],
        proof: TableProof,
        process: DigestProcess,
        seen: Visibility | None,
        written: bool,
    ) -> None:
        self.table, self.plan, self.snapshot, self.target, self.numbers = table, plan, snapshot, target, numbers
        self.existing, self.all_rejects, self.proof = existing, rejects, proof
        self.rejects = rejects.get(table.name, {})
        self._process, self._written = process, written
        self._unseen = None if seen is None else unseen_sql(seen, ALIAS)
        self._equal, self._missing = False, 0
        #: Whether no document was seen that breaks a rule of the schema.
        self._plain = False
        #: The rows and documents that differ, where they are few.
        self._few: FewRows | None = None
        #: Documents that can't be read, by what tells one from another.
        self._damaged: dict[tuple[str, str], Damaged] = {}
        self._unreadable: set[str | None] = set()
        self._dangling: Future[list[str]] | None = None

    def compare(self, sample: int | None, progress: Progress, mended: Iterable[str] = ()) -> None:
        """Compares every row with its document; with ``sample``, that many rows, and nothing proves anything.

        ``mended``: the keys of rejected rows that would go now.
        """
        with reading(self.snapshot, self.table.name) as connection:
            estimate = _estimate(connection, self.table) if sample is None else sample

            def done(rows: int) -> None:
                progress(self.table.name, rows, estimate)

            done(0)
            earliest = _one(connection, earliest_sql(self.table))
            comparison = RowComparison(
                self.table, self.numbers, self.existing, None if earliest is None else int(earliest)
            )
            digests, suspects = None, None
            if sample is None:
                digests, suspects = self._by_digests(connection, comparison, done)
            unequal = digests is None or suspects is not None
            if unequal and not self._compare_few(connection, comparison, progress):
                self._few = None
                self._rows(connection, comparison, sample, done, digests, suspects)
            self._mended(mended)
            self._source_checks(connection)
        self._equal = digests is not None and suspects is None and not digests.broken
        self._plain = digests is not None and not digests.broken
        if sample is not None:
            self._list_damaged()

    def finish(self, failed: frozenset[str]) -> None:
        """Looks for what the comparison of rows can't see. ``failed``: tables of the target that are not proven."""
        with reading(self.snapshot, self.table.name) as connection:
            holds = self._plain and (self._equal or self._few is not None) and self._holds(connection, failed)
            if not (self._equal and holds):
                some = self._few.documents() if holds and self._few is not None and self._few_tell else None
                if self._few is None:
                    self._extra(connection)
                target, uniques = self.target, self._uniques()
                check_documents(self.table, target, self.numbers, uniques, self.proof, self.damage, some)
            self._list_damaged()

    @property
    def _few_tell(self) -> bool:
        """Whether the documents that differ tell by themselves what is wrong: no other can have their unique values."""
        return self._few is not None and not (self._uniques() and self._few.has_documents)

    def _compare_few(self, connection: psycopg.Connection, comparison: RowComparison, progress: Progress) -> bool:
        """Compares the rows that differ, where they are few and known. False: all rows have to be read."""
        if self._few is None:
            return False

        def done(rows: int, total: int) -> None:
            progress(f"{self.table.name} (rows that differ)", rows, total)

        return self._few.compare(connection, comparison, self._unseen or "false", done)

    def compare_rows(self, comparison: RowComparison, rows: list[tuple[Any, ...]]) -> None:
        """Compares some rows, as the comparison reads them, with their documents."""
        ids = [comparison.id_of(row[0]) for row in rows]
        documents = self.target.get_many(self.table.target, [id_ for id_ in ids if id_ is not None], self.damage)
        for id_, row in zip(ids, rows, strict=True):
            document = None if id_ is None else documents.get(id_)
            if document is not None or id_ not in self._unreadable:
                self._row(comparison, row, document, set())

    def damage(self, found: Damaged) -> None:
        """Remembers a document that can't be read: it is met by its id, and with all others."""
        self._damaged[found.id or found.place, found.problem] = found
        self._unreadable.add(found.id)

    def _list_damaged(self) -> None:
        for found in self._damaged.values():
            detail = f"{found.place}: {found.problem}" if found.place else found.problem
            self.proof.add("damaged document", found.id or "(no id)", detail)

    def _by_digests(
        self, connection: psycopg.Connection, comparison: RowComparison, done: Rows
    ) -> tuple[TableDigests | None, np.ndarray[Any, Any] | None]:
        """The digests of the table, and the buckets that differ, as of :meth:`_digests`; without digests, None twice.

        JSON is compared as text first. Where that differs much, it may only be written in another way: it is parsed.
        """
        for verbatim in (True, False):
            digests = table_digests(self.table, comparison, verbatim=verbatim)
            if digests is None:
                break
            if verbatim and not (digests.verbatim and self._seems_verbatim(digests)):
                continue
            try:
                suspects = self._digests(connection, digests, done)
            except NotVerbatim:
                continue
            if suspects is None or not verbatim or suspects.sum() <= _FEW or self._few is not None:
                return digests, suspects
        return None, None

    def _seems_verbatim(self, digests: TableDigests) -> bool:
        uniform = self.target.uniform(self.table.target)
        with closing(self.target.blocks(self.table.target)) as blocks:
            return digests.seems_verbatim(next(blocks, b""), uniform=uniform)

    def _digests(
        self, connection: psycopg.Connection, digests: TableDigests, done: Rows
    ) -> np.ndarray[Any, Any] | None:
        """Compares the digests of both sides. None where all of them agree; else the buckets that don't."""
        proof = self.proof
        source, target, seen = self._sums(connection, digests, done)
        proof.rows, documents = source.read, target.read
        done(proof.rows)
        differing = source.differing(target)
        if differing.any() or len(seen) < len(self.rejects):
            found = None if self.rejects else few_differing(digests, source, target, self._process.pairs)
            self._few = None if found is None else FewRows(self, found, source, target)
            return differing
        proof.documents, proof.rejected = documents, len(self.rejects)
        proof.filled, proof.rounded = dict(+source.filled), dict(+source.rounded)
        proof.matched = documents
        proof.fields = documents * (len(self.table.fields) + 1)
        return None

    def _sums(self, connection: psycopg.Connection, digests: TableDigests, done: Rows) -> tuple[Sums, Sums, set[str]]:
        """The sums of both sides, and the rejected keys that the source has."""
        # Rows without a key are looked at one by one.
        rejected = [key for key in self.rejects if key is not None]
        rows, documents = self._process.pairs
        target = Sums(pairs=PairWriter(documents))
        with closing(target):
            uniform = self.target.uniform(self.table.target)
            steps = digests.target(self.target.blocks(self.table.target), target, uniform=uniform)
            if is_large(connection, self.table):
                with suppress(ProcessLost), self._looking_for_references():
                    self._process.begin(digests, self.snapshot, rejected, rows)
                    try:
                        for _ in steps:
                            done(target.read)
                    except NotVerbatim:
                        self._process.stop()
                        raise
                    source, seen = self._process.result()
                    return source, target, seen
            source, seen = Sums(pairs=PairWriter(rows)), set[str]()
            with closing(source):
                for _ in digests.source(connection, rejected, source, seen):
                    done(source.read)
            for _ in steps:
                pass
        return source, target, seen

    def _holds(self, connection: psycopg.Connection, failed: frozenset[str]) -> bool:
        """Whether no look at the documents is needed: they are the rows, and what must hold holds of those."""
        if not self._may_hold(failed):
            return False
        dangling = self._fields_that_dangle(connection) if self._dangling is None else self._dangling.result()
        return not dangling and all(self._unique(connection, fields) for fields in self._uniques())

    def _may_hold(self, failed: frozenset[str]) -> bool:
        """Whether the rows themselves tell what their references lead to."""
        moved = {table.target for table in self.plan.moved} - failed
        return all(
            reference.target in moved and not reference.through and not self._rejects_of(reference)
            for _, reference in self._references_by_id()
        )

    def _references_by_id(self) -> Iterator[tuple[FieldPlan, Reference]]:
        """The fields whose ids are of rows that move, too."""
        for planned in self.table.fields:
            reference = planned.reference
            if reference is None or reference.existing:
                continue
            if reference.target == STORAGE_TABLE and not self._rejects_of(reference):
                continue  # its file is proven by itself, and one that names none would have no id
            yield planned, reference

    def _rejects_of(self, reference: Reference) -> Mapping[str | None, Reject]:
        return self.all_rejects.get(f"{reference.schema}.{reference.table}", {})

    def _fields_that_dangle(self, connection: psycopg.Connection) -> list[str]:
        """The fields that name a row which is not there."""
        return [field.name for field, _ in self._references_by_id() if missing_keys(connection, self.table, field)]

    @contextmanager
    def _looking_for_references(self) -> Iterator[None]:
        """Has PostgreSQL look for references that lead nowhere meanwhile, unless the block fails."""
        if self._dangling is not None or not self._may_hold(frozenset()):
            yield
            return
        with reading(self.snapshot, self.table.name) as connection, ThreadPoolExecutor(1) as beside:
            self._dangling = beside.submit(self._fields_that_dangle, connection)
            try:
                yield
            except BaseException:
                connection.cancel()
                self._dangling = None
                raise

    def _uniques(self) -> list[tuple[str, ...]]:
        """The groups of fields that the schema says are unique."""
        definition = self.table.definition
        assert definition is not None
        singles = ((name,) for name, validator in definition.fields.items() if field_rules(validator).unique)
        return [*definition.uniques, *singles]

    def _unique(self, connection: psycopg.Connection, fields: tuple[str, ...]) -> bool:
        """Whether the columns behind some fields are unique, where that says that the fields are; False if unsure."""
        planned = {field.name: field for field in self.table.fields}
        columns = []
        for name in fields:
            found = planned.get(name)
            if found is None or found.column is None or found.expression or found.ids is not None:
                return False
            lossy = self.plan.project.column_rule(self.table.rule, found.column.name).lossy
            if found.fill is not MISSING or lossy or found.conversion.cut or found.conversion.rounding:
                return False
            columns.append(f"{ALIAS}.{quoted(found.column.name)}")
        source = quoted(self.table.source.schema, self.table.source.name)
        there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        sql = (
            f"SELECT 1 FROM {source} AS {ALIAS} WHERE {there} GROUP BY {', '.join(columns)} HAVING count(*) > 1 LIMIT 1"
        )
        try:
            with connection.transaction():
                return connection.execute(sql.encode()).fetchone() is None
        except psycopg.errors.UndefinedFunction:
            return False  # json, points and the like can't be grouped

    def _rows(
        self,
        connection: psycopg.Connection,
        comparison: RowComparison,
        sample: int | None,
        done: Rows,
        digests: TableDigests | None,
        suspects: np.ndarray[Any, Any] | None,
    ) -> None:
        """Compares rows one by one: all of them, or those of the buckets that are ``suspects``."""
        proof = self.proof
        proof.rows = 0
        filled, rounded = Counter[str](), Counter[str]()
        unexplained = set[str | None](self.rejects)
        with connection.cursor(name="supavex_proof") as cursor:
            cursor.itersize = _CHUNK
            limit = "" if sample is None else f" LIMIT {sample}"
            cursor.execute((proof_sql(self.table, self._unseen or "false") + limit).encode())
            for rows in chunks(cursor, _CHUNK):
                looked_at = self._suspected(rows, digests, suspects)
                ids = [comparison.id_of(row[0]) for row in looked_at]
                wanted = [id_ for id_ in ids if id_ is not None]
                documents = self.target.get_many(self.table.target, wanted, self.damage)
                unequal = set[int]()
                for id_, row in zip(ids, looked_at, strict=True):
                    if id_ is not None and id_ in self._unreadable and id_ not in documents:
                        unexplained.discard(row[0])
                        unequal.add(id(row))
                    elif not self._row(comparison, row, None if id_ is None else documents.get(id_), unexplained):
                        unequal.add(id(row))
                self.count_special([row for row in rows if id(row) not in unequal], filled, rounded)
                proof.rows += len(rows)
                done(proof.rows)
        proof.filled, proof.rounded = dict(filled), dict(+rounded)
        for key in sorted(key or NO_KEY for key in unexplained) if sample is None else ():
            gone = "; it may have been deleted since the copy" if self._written else ""
            proof.add("stale reject", key, f"the rejects file names a row that the source does not have{gone}")

    def count_special(self, rows: list[tuple[Any, ...]], filled: Counter[str], rounded: Counter[str]) -> None:
        """Counts, of equal rows, the NULLs that are filled and the JSON with a number that JSON.parse rounds."""
        for place, planned in enumerate(self.table.fields, 1):
            values = [row[place] for row in rows] if _counted(planned) else []
            if planned.fill is not MISSING and (count := values.count(None)):
                filled[planned.place] += count
            if planned.conversion.rounding:
                rounded[planned.place] += sum(_MAY_ROUND.search(v) is not None and rounds(v) for v in values if v)

    def _suspected(
        self, rows: list[tuple[Any, ...]], digests: TableDigests | None, suspects: np.ndarray[Any, Any] | None
    ) -> list[tuple[Any, ...]]:
        """The rows that are to be compared; the others are equal, and counted."""
        if digests is None or suspects is None or suspects.all() or any(row[0] is None for row in rows):
            return rows
        found = suspects[digests.bucket_of([row[0] for row in rows])]
        some = []
        for row, look in zip(rows, found, strict=True):
            if look or row[0] in self.rejects:
                some.append(row)
            else:
                self.proof.matched += 1
                self.proof.fields += len(self.table.fields) + 1
        return some

    def _row(
        self,
        comparison: RowComparison,
        row: tuple[Any, ...],
        document: Document | None,
        unexplained: set[str | None],
    ) -> bool:
        """Compares a row with its document; whether they are equal, each difference being noted."""
        proof, key = self.proof, NO_KEY if row[0] is None else row[0]
        row, changed = row[:-1], row[-1]
        rejected = row[0] in self.rejects
        unexplained.discard(row[0])
        if document is None:
            if rejected:
                proof.rejected += 1
            elif changed:
                self._missing += 1
                proof.add_change(key, "it has no document")
            else:
                self._missing += 1
                proof.add("missing document", key, "the row has no document, and was not rejected")
            return False
        if rejected:
            proof.add("rejected but there", key, f"{document['_id']} is in the target though the row was rejected")
        proof.fields += len(self.table.fields) + 1
        mismatches = list(comparison.compare(row, document))
        if not mismatches:
            proof.matched += 1
        elif changed:
            proof.add_change(key, f"it differs in {', '.join(mismatch.column for mismatch in mismatches)}")
        else:
            proof.add_mismatches(mismatches)
        return not mismatches

    def _mended(self, keys: Iterable[str]) -> None:
        """Rejected rows that would go now: that they were rejected no longer explains why they have no document."""
        assert self.table.key is not None
        number = self.numbers[self.table.target]
        ids = {encode_id(number, self.table.key.internal_id(key)): key for key in keys}
        there = self.target.get_many(self.table.target, list(ids), self.damage)
        for id_, key in ids.items():
            if id_ not in there:
                self.proof.rejected -= 1
                self._missing += 1
                code = self.rejects[key].code
                detail = f"it was rejected ({code}), and would go now: it was mended, or what decides on it"
                self.proof.add_change(key, detail)

    def _source_checks(self, connection: psycopg.Connection) -> None:
        """The source's own CHECK constraints over its rows as they went: NULLs filled, texts cut, rejected rows aside.

        Every field was compared, so what holds there holds in the target.
        """
        checks = self.table.source.checks
        if not checks:
            return
        assert self.table.key is not None
        cut = {f.column.name: f for f in self.table.fields if f.column is not None and f.conversion.cut}
        filled = {
            f.column.name: f
            for f in self.table.fields
            if f.column is not None and f.fill is not MISSING and f.ids is None and not f.expression
        }
        columns = []
        for column in self.table.source.columns:
            name = f"{ALIAS}.{quoted(column.name)}"
            planned = filled.get(column.name)
            # Of other types than texts (an enum, say), what was cut is none any more.
            if column.name in cut and column.type.base in ("text", "varchar", "bpchar", "citext"):
                text = cut[column.name].conversion.select.replace("{c}", name)
                name = f"({text})::{column.type.name}"
            filling = None if planned is None else planned.conversion.restore(planned.fill)
            if filling is not None:
                name = f"COALESCE({name}, {literal(filling)}::{column.type.name})"
            columns.append(f"{name} AS {quoted(column.name)}")
        source = quoted(self.table.source.schema, self.table.source.name)
        # A name that no column has: PostgreSQL's own are no longer than this.
        key = quoted("supavex key".ljust(63))
        columns.append(f"{self.table.key.text_sql(self.table.key.own(ALIAS))} AS {key}")
        rows = f"FROM (SELECT {', '.join(columns)} FROM {source} AS {ALIAS}) AS s"
        # All in one look at the table: most hold.
        counts = ", ".join(f"count(*) FILTER (WHERE NOT ({check.expression}))" for check in checks)
        broken: tuple[int, ...] | None = None
        with suppress(*_UNEVALUATED), connection.transaction():
            broken = connection.execute(f"SELECT {counts} {rows}".encode()).fetchone()
        for index, check in enumerate(checks):
            if broken is not None and not broken[index]:
                continue
            if not check.validated:
                if broken is not None:
                    detail = f"{check.expression}: {counted(broken[index], 'row')} of the source break it, as they may"
                    self.proof.note("check not valid", check.name, detail)
                continue
            sql = f"SELECT {key} {rows} WHERE NOT ({check.expression})"
            problem = self._broken(connection, check, sql, "")
            if problem is not None:
                # A function that it calls may look for what it uses on the search path that sessions begin with.
                path = _one(connection, "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'")
                problem = self._broken(connection, check, sql, str(path or ""))
            if problem is not None:
                self.proof.note("check not evaluated", check.name, f"{check.expression}: {problem}")

    def _broken(self, connection: psycopg.Connection, check: Check, sql: str, path: str) -> str | None:
        """Looks for the rows that break a check (``sql``: their keys), on a search path. Why not, where it can't."""
        proof = self.proof
        before = proof.counts["broken check"], len(proof.findings)
        try:
            with connection.transaction():
                connection.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (path,))
                with connection.cursor(name="supavex_check") as cursor:
                    cursor.execute(sql.encode())
                    for (found,) in cursor:
                        if found not in self.rejects:
                            proof.add("broken check", str(found), f"{check.name}: {check.expression}")
                connection.execute("SELECT pg_catalog.set_config('search_path', '', true)")
        except _UNEVALUATED as error:
            proof.counts["broken check"], listed = before
            proof.counts += Counter()  # without what is zero
            del proof.findings[listed:]
            return error.diag.message_primary or type(error).__name__
        return None

    def add_extra(self, id_: str, internal_id: bytes) -> None:
        """Lists a document that no row of the source stands for."""
        assert self.table.key is not None
        key = str(self.table.key.text_of(internal_id) or id_)
        kind, detail = "extra document", f"{id_} stands for no row of the source"
        if self._written:
            # A deleted row is not there to say when it was written.
            kind, detail = "deleted or extra", f"{detail}: deleted since the copy, or never there"
        self.proof.add(kind, key, detail)

    def _extra(self, connection: psycopg.Connection) -> None:
        """Documents of the table that no row of the source stands for."""
        proof = self.proof
        proof.documents = self.target.count(self.table.target)
        if proof.documents == proof.rows - proof.rejected - self._missing:
            return
        assert self.table.key is not None
        with closing(scratch_database()) as seen:
            seen.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")
            own = self.table.key.text_sql(self.table.key.own(ALIAS))
            source = quoted(self.table.source.schema, self.table.source.name)
            with connection.cursor(name="supavex_keys") as cursor:
                cursor.itersize = _KEYS
                cursor.execute(f"SELECT {own} FROM {source} AS {ALIAS}".encode())
                keys = ((self.table.key.internal_id(str(key)),) for (key,) in cursor if key is not None)
                seen.executemany("INSERT OR IGNORE INTO keys VALUES (?)", keys)
            for document in self.target.documents(self.table.target, self.damage):
                try:
                    _, internal_id = decode_id(str(document["_id"]))
                except InvalidId as error:
                    self.damage(Damaged(self.table.target, str(document["_id"]), "", error.message))
                    continue
                if seen.execute("SELECT 1 FROM keys WHERE key = ?", (internal_id,)).fetchone() is None:
                    self.add_extra(str(document["_id"]), internal_id)


def _counted(planned: FieldPlan) -> bool:
    return planned.fill is not MISSING or bool(planned.conversion.rounding)


def _estimate(connection: psycopg.Connection, table: TablePlan) -> int:
    name = literal(quoted(table.source.schema, table.source.name))
    found = _one(connection, f"SELECT reltuples::int8 FROM pg_catalog.pg_class WHERE oid = {name}::regclass")
    return max(int(found or 0), 0)


def is_large(connection: psycopg.Connection, table: TablePlan) -> bool:
    """Whether a process of its own reads the table: by its bytes on disk, what is stored beside its rows included."""
    name = literal(quoted(table.source.schema, table.source.name))
    return int(_one(connection, f"SELECT pg_catalog.pg_table_size({name}::regclass)") or 0) >= _LARGE


def _one(connection: psycopg.Connection, sql: str | None) -> Any:
    row = None if sql is None else connection.execute(sql.encode()).fetchone()
    return None if row is None else row[0]
