"""One function's view of the data: a snapshot, with the function's own writes.

Nothing is written to the file before the commit. Reads are recorded as intervals of keys. With these, a commit tests
whether the data have changed, and a subscription knows when to run again. Source: ``database/src`` of convex-backend.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from supavex.convex.damage import Damaged, DamagedDocument
from supavex.convex.ids import encode_id, new_internal_id
from supavex.convex.messages import mismatch_text
from supavex.convex.names import table_name_problem
from supavex.convex.order_keys import index_key, order_key
from supavex.convex.values import Document, same, size
from supavex.deployment.database.catalog import STORED_FILES, SYSTEM_NUMBERS, Catalog
from supavex.deployment.database.commits import CATALOG, ReadSet
from supavex.deployment.database.enforcement import check_limits, check_system_fields, mismatch_of
from supavex.deployment.database.plans import QueryPlan
from supavex.deployment.database.store import StoredTable, read_body, write_body
from supavex.deployment.database.stored_files import NewFile, file_documents
from supavex.deployment.database.usage import OVER, Limits, Usage, spelled
from supavex.errors import SupavexError

#: The first storage number of tables that are not made yet. No file has so many tables.
_NO_STORAGE = (1 << 40) + 1


@dataclass(frozen=True, slots=True)
class Row:
    """A stored document: its key in the index that was read, its 16 bytes, and its JSON."""

    key: bytes
    internal_id: bytes
    body: str


@dataclass(slots=True)
class Written:
    """A transaction's change of one document. ``body`` is None if it is removed."""

    table: StoredTable
    before: Document | None
    after: Document | None
    body: str | None


class Transaction:
    """Reads and writes at one snapshot, which ``connection`` sees.

    ``ts``: the snapshot's timestamp. ``begun``: when the transaction began, by the deployment's clock, which is the
    ``_creationTime`` of its first new document. Both are nanoseconds since 1970.
    """

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog, ts: int, begun: int) -> None:
        self.connection, self.catalog, self.ts = connection, catalog, ts
        self.reads = ReadSet()
        self.usage = Usage()
        #: The writes, by a table's storage and internal id, in the order of the first write to each.
        self.writes: dict[tuple[int, bytes], Written] = {}
        #: Tables that are to be made, by their component and name.
        self.new_tables: dict[tuple[int, str], StoredTable] = {}
        #: When the transaction began, in milliseconds by the deployment's clock.
        self.begun = begun / 1e6
        self._created = self.begun
        #: Names of stored files to be removed.
        self.removed_files: list[str] = []
        #: Files to be stored.
        self.added_files: list[NewFile] = []
        #: The mutation that writes, for conflicts with later transactions.
        self.source: str | None = None

    @contextmanager
    def within(self, component: int) -> Iterator[None]:
        """Selects the tables and the ``catalog`` of a component (0: of the app) for the block."""
        outer, self.catalog = self.catalog, self.catalog.of(component)
        try:
            yield
        finally:
            self.catalog = outer

    @contextmanager
    def limited(self, given: Mapping[str, Any]) -> Iterator[None]:
        """Limits further use in the block to ``given``: limits by their names in Convex's client."""
        if not given:
            yield
            return
        before, usage = self.usage.limits, self.usage
        used = usage.used(self.reads.count())
        lower = {}
        for limit in fields(Limits):
            wanted = given.get(spelled(limit.name), limit.default)
            if type(wanted) not in (int, float) or wanted < 0 or wanted != int(wanted):
                raise ValueError(f"a limit is a whole number, and {limit.name} is {wanted!r}")
            lower[limit.name] = min(getattr(used, limit.name) + int(wanted), getattr(before, limit.name))
        usage.limits = Limits(**lower)
        try:
            yield
        finally:
            usage.limits = before

    # Reading

    def get(self, table: StoredTable, internal_id: bytes) -> str | None:
        """A document's JSON, or None."""
        body = self.peek(table, internal_id)
        if body is not None:
            self.usage.read([body])
        return body

    def peek(self, table: StoredTable, internal_id: bytes) -> str | None:
        """As :meth:`get`, without counting the document for the limits: for the deployment's own reads."""
        self.read(-table.storage, internal_id, internal_id + b"\x00")
        return self.body(table, internal_id)

    def body(self, table: StoredTable, internal_id: bytes) -> str | None:
        """As :meth:`get`, without recording the read."""
        written = self.writes.get((table.storage, internal_id))
        return written.body if written is not None else self._stored(table, internal_id)

    def _stored(self, table: StoredTable, internal_id: bytes) -> str | None:
        if is_new(table):
            return None
        if table is STORED_FILES:
            return next((body for _, key, body in self._files() if key == internal_id), None)
        sql = f"SELECT ?, internal_id, body, json_valid(body) FROM documents_{table.storage} WHERE internal_id = ?"
        row = self.connection.execute(sql, (internal_id, internal_id)).fetchone()
        return None if row is None else _row(table, *row).body

    def read(self, space: int, start: bytes = b"", end: bytes | None = None) -> None:
        """Records that an interval was read. Raises ``TooManyReads`` if there are more than the limit."""
        self.reads.add(space, start, end)
        limit = self.usage.limits.database_queries
        if self.reads.count() > limit:
            message = f"Too many reads in a single function execution (limit: {limit}). {OVER}"
            raise SupavexError("TooManyReads", message)

    def rows(self, plan: QueryPlan, after: bytes | None, count: int) -> list[Row]:
        """The rows of :meth:`fetch`. They are only empty if the range has no more rows."""
        return self.fetch(plan, after, count)[0]

    def fetch(self, plan: QueryPlan, after: bytes | None, count: int) -> tuple[list[Row], bytes | None]:
        """At most ``count`` rows of a plan's range after the key ``after``, in its order, without its operators.

        The second result is the key up to which the rows are complete, or None if the range has no more rows. The read
        is not recorded, because the reader knows how far it comes.
        """
        table = plan.table
        if table is None or (plan.end is not None and plan.start >= plan.end):
            return [], None
        if table is STORED_FILES:
            return _cut(self._file_rows(plan, after), count, None)
        mine = self._written_rows(plan, after)
        if is_new(table):
            return _cut(mine, count, None)
        changed = {internal_id for storage, internal_id in self.writes if storage == table.storage}
        wanted = count
        while True:
            stored = self._stored_rows(plan, after, wanted)
            last = stored[-1].key if len(stored) == wanted else None
            found = [row for row in stored if row.internal_id not in changed]
            # The table may have unread rows after the last stored row. They may come before later rows of ``mine``.
            found += [row for row in mine if last is None or (row.key > last if plan.descending else row.key < last)]
            if found or last is None:
                found.sort(key=lambda row: row.key, reverse=plan.descending)
                return _cut(found, count, last)
            after, wanted = last, max(wanted, 100)

    def _stored_rows(self, plan: QueryPlan, after: bytes | None, count: int) -> list[Row]:
        table, index = plan.table, plan.index
        assert table is not None
        key = "d.internal_id" if index is None else "e.key"
        conditions, values = [f"{key} >= ?"], [plan.start]
        if plan.end is not None:
            conditions.append(f"{key} < ?")
            values.append(plan.end)
        if after is not None:
            conditions.append(f"{key} {'<' if plan.descending else '>'} ?")
            values.append(after)
        source = f"documents_{table.storage} AS d"
        if index is not None:
            source = f"entries_{index.entries} AS e CROSS JOIN {source} ON d.row = e.row"
        sql = (
            f"SELECT {key}, d.internal_id, d.body, json_valid(d.body) FROM {source} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {key} {'DESC' if plan.descending else 'ASC'} LIMIT {count}"
        )
        return [_row(table, *row) for row in self.connection.execute(sql, values)]

    def _files(self) -> Iterator[tuple[float, bytes, str]]:
        """The stored files without those to be removed: creation time, internal id, document."""
        for created, internal_id, name, document in file_documents(self.connection, self.catalog.component):
            if name not in self.removed_files:
                yield created, internal_id, write_body(document)
        for file in self.added_files:
            if file.component != self.catalog.component:
                continue
            yield file.created, file.internal_id, write_body(file.document)

    def _file_rows(self, plan: QueryPlan, after: bytes | None) -> list[Row]:
        found = []
        for created, internal_id, body in self._files():
            id_ = encode_id(STORED_FILES.number, internal_id)
            key = internal_id if plan.index is None else order_key(created) + order_key(id_)
            passed = after is None or (key < after if plan.descending else key > after)
            if key >= plan.start and (plan.end is None or key < plan.end) and passed:
                found.append(Row(key, internal_id, body))
        return sorted(found, key=lambda row: row.key, reverse=plan.descending)

    def _written_rows(self, plan: QueryPlan, after: bytes | None) -> list[Row]:
        found = []
        assert plan.table is not None
        for (storage, internal_id), written in self.writes.items():
            if storage != plan.table.storage or written.after is None or written.body is None:
                continue
            key = internal_id if plan.index is None else index_key(written.after, plan.index.fields)
            if key < plan.start or (plan.end is not None and key >= plan.end):
                continue
            if after is None or (key < after if plan.descending else key > after):
                found.append(Row(key, internal_id, written.body))
        return sorted(found, key=lambda row: row.key, reverse=plan.descending)

    def count(self, table: StoredTable) -> int:
        """How many documents a table holds."""
        self.read(-table.storage)
        count = 0
        if table is STORED_FILES:
            return self._count_files()
        if not is_new(table):
            (count,) = self.connection.execute(f"SELECT count(*) FROM documents_{table.storage}").fetchone()
        mine = [written for (storage, _), written in self.writes.items() if storage == table.storage]
        return int(count) + sum((w.after is not None) - (w.before is not None) for w in mine)

    def _count_files(self) -> int:
        component = self.catalog.component
        gone = ",".join("?" * len(self.removed_files))
        sql = f"SELECT count(*) FROM files WHERE component = ? AND name NOT IN ({gone})"
        (count,) = self.connection.execute(sql, (component, *self.removed_files)).fetchone()
        return int(count) + sum(file.component == component for file in self.added_files)

    def table(self, name: str) -> StoredTable | None:
        """The table of that name. A missing table is recorded as read."""
        found = self.new_table(name) or self.catalog.readable(name)
        if found is None:
            self.read(CATALOG)
        return found

    def new_table(self, name: str) -> StoredTable | None:
        """The table of that name, if this transaction is about to make it."""
        return self.new_tables.get((self.catalog.component, name)) if self.new_tables else None

    def table_of(self, number: int) -> StoredTable | None:
        """The table with that number."""
        mine = [table for table in self.new_tables.values() if table.component == self.catalog.component]
        new = next((table for table in mine if table.number == number), None)
        return new or self.catalog.by_number.get(number)

    def query_rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        """Rows of the file's tables other than documents."""
        return iter(self.connection.execute(sql, values))

    # Writing

    def insert(self, name: str, fields: Document, *, system: bool = False) -> str:
        """Inserts a document. Returns its id. Raises if it does not fit."""
        table = self.table(name) or self._new_table(name)
        internal_id = new_internal_id()
        id_ = encode_id(table.number, internal_id)
        check_system_fields(fields, id_, self._created)
        document = {**fields, "_id": id_, "_creationTime": self._created}
        self._created = math.nextafter(self._created, math.inf)
        self._write(table, internal_id, None, document, enforce=not system)
        return id_

    def replace(self, table: StoredTable, internal_id: bytes, fields: Document) -> Document:
        """Replaces a document's fields by ``fields``. Returns the new document."""
        old = self._existing(table, internal_id, "Replace")
        return self._changed(table, internal_id, old, dict(fields))

    def patch(self, table: StoredTable, internal_id: bytes, fields: Document, removed: set[str]) -> Document:
        """Sets some fields of a document and removes others. Returns the new document."""
        old = self._existing(table, internal_id, "Update")
        new = {name: value for name, value in {**old, **fields}.items() if name not in removed}
        if same(new, old):
            return old
        return self._changed(table, internal_id, old, new)

    def _changed(self, table: StoredTable, internal_id: bytes, old: Document, new: Document) -> Document:
        check_system_fields(new, old["_id"], old["_creationTime"])
        new |= {"_id": old["_id"], "_creationTime": old["_creationTime"]}
        self._write(table, internal_id, old, new)
        return new

    def delete(self, table: StoredTable, internal_id: bytes) -> Document:
        """Removes a document, and returns it."""
        old = self._existing(table, internal_id, "Delete")
        self._write(table, internal_id, old, None)
        return old

    def put(self, table: StoredTable, internal_id: bytes, document: Document) -> None:
        """Writes a system document without checks."""
        body = self.peek(table, internal_id)
        self._write(table, internal_id, None if body is None else read_body(body), document, enforce=False)

    def _existing(self, table: StoredTable, internal_id: bytes, verb: str) -> Document:
        body = self.get(table, internal_id)
        if body is None:
            id_ = encode_id(table.number, internal_id)
            raise SupavexError("NonexistentDocument", f"{verb} on nonexistent document ID {id_}")
        return read_body(body)

    def _write(
        self,
        table: StoredTable,
        internal_id: bytes,
        old: Document | None,
        new: Document | None,
        *,
        enforce: bool = True,
    ) -> None:
        if new is not None and enforce:
            self._enforce(table.name, new)
        if table.name not in SYSTEM_NUMBERS:
            self.usage.wrote(size(new if new is not None else old or {}))
        place = (table.storage, internal_id)
        before = self.writes[place].before if place in self.writes else old
        body = None if new is None else write_body(new)
        self.writes[place] = Written(table, before, new, body)

    def _enforce(self, table: str, document: Document) -> None:
        check_limits(table, document)
        validator = self.catalog.validator(table)
        mismatch = None if validator is None else mismatch_of(validator, document, self.name_of)
        if mismatch:
            message = f'Failed to insert or update a document in table "{table}" because it does not match the schema: '
            raise SupavexError("SchemaEnforcementError", message + mismatch_text(mismatch), where=table)

    def name_of(self, number: int) -> str | None:
        """The name of the table with that number, including tables that are about to be made."""
        found = self.table_of(number)
        return self.catalog.name_of(number) or (None if found is None else found.name)

    def _new_table(self, name: str) -> StoredTable:
        number, component = SYSTEM_NUMBERS.get(name), self.catalog.component
        if number is None:
            problem = table_name_problem(name)
            if problem:
                raise SupavexError("InvalidTableName", f"{name!r} can't name a table: {problem}.")
            mine = [table.number for table in self.new_tables.values() if table.component == component]
            used = {*self.catalog.by_number, *mine}
            number = next(n for n in range(10_001, 1 << 31) if n not in used)
        # The commit makes its storage. Until then it has a number that no table has.
        table = StoredTable(name, number, _NO_STORAGE + len(self.new_tables), component)
        self.new_tables[component, name] = table
        return table

    # Undoing writes

    def mark(self) -> tuple[Any, ...]:
        """The state for :meth:`go_back`."""
        usage = self.usage.written_rows, self.usage.written_bytes
        files = list(self.removed_files), list(self.added_files)
        return dict(self.writes), dict(self.new_tables), self._created, files, usage

    def go_back(self, mark: tuple[Any, ...]) -> None:
        """Undoes the writes since :meth:`mark`, with their count. Reads and scheduled functions stay counted."""
        writes, tables, created, files, (self.usage.written_rows, self.usage.written_bytes) = mark
        self.writes, self.new_tables, self._created = dict(writes), dict(tables), created
        self.removed_files, self.added_files = map(list, files)

    @property
    def wrote(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.writes or self.new_tables or self.removed_files or self.added_files)


def is_new(table: StoredTable) -> bool:
    """Whether a transaction is about to make the table."""
    return table.storage >= _NO_STORAGE


def _row(table: StoredTable, key: bytes, internal_id: bytes, body: str, valid: int | None) -> Row:
    """A row that was read. Raises :class:`DamagedDocument` if a function can't get its text."""
    if not valid or type(body) is not str or "\0" in body or body[:1] != "{":
        read_body(body, table, internal_id)
        raise DamagedDocument(Damaged(table.name, encode_id(table.number, internal_id), "", "its body is not JSON"))
    return Row(key, internal_id, body)


def _cut(rows: list[Row], count: int, last: bytes | None) -> tuple[list[Row], bytes | None]:
    """The first ``count`` rows, and the key up to which they are complete: ``last`` if there are fewer rows, else the
    key of the last one.
    """
    return (rows, last) if len(rows) < count else (rows[:count], rows[count - 1].key)
