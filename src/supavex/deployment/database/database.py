"""The database of a deployment: a schema, tables of documents, and indexes, in one SQLite file."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from supavex.convex.damage import DamagedDocument, OnDamaged, refuse
from supavex.convex.ids import InvalidId, decode_id, encode_id, new_internal_id
from supavex.convex.limits import FIRST_USER_TABLE_NUMBER, STORAGE_TABLE
from supavex.convex.messages import mismatch_text
from supavex.convex.names import table_name_problem
from supavex.convex.schema import Schema, TableDefinition
from supavex.convex.schema_changes import SchemaChange, schema_change
from supavex.convex.schema_json import schema_from_json
from supavex.convex.values import Document
from supavex.deployment.database.enforcement import check_limits, compiled_schema, enforced, mismatch_of
from supavex.deployment.database.queries import Query, full_scan
from supavex.deployment.database.search_indexes import definitions, drop
from supavex.deployment.database.store import CREATION_INDEX, Store, StoredTable, read_body, write_body
from supavex.deployment.database.stored_files import documents_of_files
from supavex.errors import SupavexError

#: The key of ``meta`` that marks files whose text and vector indexes were built.
_SEARCHES_BUILT = "search_indexes"
#: The most ids in one query.
_IDS = 500
#: The number of documents that SQLite joins. As many of the largest documents fit its longest value.
_JOINED = 100
#: The bytes of documents in one block.
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Push:
    """The result of a push: the change, the number of documents that were checked, and of those inserted into new
    indexes.
    """

    change: SchemaChange
    documents_checked: int
    documents_indexed: int


class Database:
    """The database in the SQLite file ``path``, which is created if it is missing. A context manager.

    Every method that writes is one transaction. Errors have Convex's codes. Without ``durable``, commits do not wait
    for the disk. That suits tests, whose file is not needed after a power failure.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self.durable = durable
        self.store = Store(path, durable=durable)
        if self.store.meta(_SEARCHES_BUILT) is None:
            self._build_first_searches()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.store.close()

    def within(self, component: int) -> Database:
        """The same database with the tables and the schema of a component (0: of the app)."""
        view = Database.__new__(Database)
        view.path, view.durable, view.store = self.path, self.durable, self.store.within(component)
        return view

    def transaction(self) -> AbstractContextManager[None]:
        """Several reads and writes as one transaction: all or nothing. Reads see its own writes."""
        return self.store.transaction()

    def reading(self) -> AbstractContextManager[None]:
        """Several reads at one snapshot, while other processes may write."""
        return self.store.reading()

    # Reading

    @property
    def schema_text(self) -> str | None:
        """The JSON of the active schema; None if none was pushed."""
        sql = "SELECT schema FROM pushes WHERE component = ? ORDER BY id DESC LIMIT 1"
        row = self.store.connection.execute(sql, (self.store.component,)).fetchone()
        return None if row is None else str(row[0])

    @property
    def schema(self) -> Schema | None:
        """The active schema."""
        text = self.schema_text
        return None if text is None else schema_from_json(text)

    def tables(self) -> list[str]:
        """The names of all tables, sorted."""
        return list(self.store.tables())

    def table_numbers(self) -> dict[str, int]:
        """Table name to number."""
        return {name: table.number for name, table in self.store.tables().items()}

    def count(self, table: str) -> int:
        """The number of documents in a table; 0 for a missing table."""
        with self.reading():
            stored = self.store.tables().get(table)
            if stored is None:
                return 0
            (count,) = self.store.connection.execute(f"SELECT count(*) FROM documents_{stored.storage}").fetchone()
        return int(count)

    def get(self, id_: str) -> Document | None:
        """The document with that id, or None. Raises :class:`~supavex.convex.ids.InvalidId` for other text."""
        number, internal_id = decode_id(id_)
        with self.reading():
            table = next((t for t in self.store.tables().values() if t.number == number), None)
            return None if table is None else self._get(table, internal_id)

    def get_many(self, table: str, ids: Sequence[str], damaged: OnDamaged = refuse) -> dict[str, Document]:
        """Those of ``ids`` that are documents of ``table``. ``damaged`` is called with unreadable ones."""
        if table == STORAGE_TABLE:
            return documents_of_files(self.store.connection, self.store.component, ids)
        found = {}
        with self.reading():
            stored = self.store.tables().get(table)
            for id_, (internal_id, body, row) in self._with_ids(stored, ids, "body, row"):
                try:
                    found[id_] = read_body(body, stored, internal_id, row)
                except DamagedDocument as error:
                    damaged(error.damaged)
        return found

    def present(self, table: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of ``ids`` with a document in ``table``, readable or not."""
        if table == STORAGE_TABLE:
            return frozenset(documents_of_files(self.store.connection, self.store.component, ids))
        with self.reading():
            return frozenset(id_ for id_, _ in self._with_ids(self.store.tables().get(table), ids, "NULL"))

    def _with_ids(self, table: StoredTable | None, ids: Iterable[str], columns: str) -> Iterator[tuple[str, Any]]:
        """The rows with some ids: the id, and its bytes with ``columns``. Ids of other tables have no row."""
        decoded = [] if table is None else [(decode_id(id_), id_) for id_ in ids]
        wanted = {key: id_ for (number, key), id_ in decoded if table is not None and number == table.number}
        keys = sorted(wanted)
        for start in range(0, len(keys), _IDS):
            some = keys[start : start + _IDS]
            assert table is not None
            sql = f"SELECT internal_id, {columns} FROM documents_{table.storage} WHERE internal_id IN "
            for row in self.store.connection.execute(f"{sql}({','.join('?' * len(some))})", some):
                yield wanted[row[0]], row

    def _get(self, table: StoredTable, internal_id: bytes) -> Document | None:
        sql = f"SELECT body, row FROM documents_{table.storage} WHERE internal_id = ?"
        row = self.store.connection.execute(sql, (internal_id,)).fetchone()
        return None if row is None else read_body(row[0], table, internal_id, row[1])

    def documents(self, table: str, damaged: OnDamaged = refuse) -> Iterator[Document]:
        """All documents of a table, in the order of their ids. ``damaged`` is called with unreadable ones."""
        stored = self.store.tables().get(table)
        if stored is not None:
            sql = f"SELECT body, internal_id, row FROM documents_{stored.storage} ORDER BY internal_id"
            for body, internal_id, row in self.store.connection.execute(sql):
                try:
                    document = read_body(body, stored, internal_id, row)
                except DamagedDocument as error:
                    damaged(error.damaged)
                    continue
                yield document

    def blocks(self, table: str) -> Generator[bytes]:
        """All documents of a table as internal JSON, one a line, in the order of the file."""
        stored = self.store.tables().get(table)
        if stored is None:
            return
        # SQLite joins several documents to one value, which is far faster than a Python object for each.
        documents = f"FROM documents_{stored.storage}"
        # A body with another type than text becomes a line that is not a document.
        body = "CASE typeof(body) WHEN 'text' THEN body ELSE typeof(body) END"
        some = f"SELECT CAST(group_concat({body}, char(10)) AS BLOB) {documents} WHERE row BETWEEN ? AND ?"
        first, last = self.store.connection.execute(f"SELECT min(row), max(row) {documents}").fetchone()
        parts: list[bytes] = []
        size = 0
        for row in range(first, last + 1, _JOINED) if first is not None else ():
            (joined,) = self.store.connection.execute(some, (row, row + _JOINED - 1)).fetchone()
            if joined is not None:
                parts.append(joined)
                size += len(joined)
            if size >= _BLOCK_BYTES:
                yield b"\n".join(parts)
                parts, size = [], 0
        if parts:
            yield b"\n".join(parts)

    def uniform(self, table: str) -> bool:
        """Whether bare integers in :meth:`blocks` are int64: never."""
        return False

    def query(self, table: str) -> Query:
        """A query of ``table``; see :mod:`supavex.deployment.database.queries`."""
        return full_scan(self.store, self._table(table))

    def _table(self, name: str) -> StoredTable:
        table = self.store.tables().get(name)
        if table is None:
            raise SupavexError("TableNotFound", f"there is no table {name}.", where=str(self.path))
        return table

    # Schema

    def push(self, schema_text: str, *, dry_run: bool = False) -> Push:
        """Makes ``schema_text`` (Convex's schema JSON) the active schema.

        Every document is checked against it first. A document that does not fit refuses the whole push, and the error
        names it. New indexes are built and old ones dropped before it returns. ``dry_run`` does all of it and rolls it
        back.
        """
        schema = compiled_schema(schema_text)
        change = schema_change(self.schema, schema)
        try:
            with self.store.transaction():
                self._create_tables(schema)
                checked = self._check_documents(schema, change)
                indexed = self._build_indexes(schema)
                self.store.connection.execute(
                    "INSERT INTO pushes (pushed_at, schema, component) VALUES (?, ?, ?)",
                    (datetime.now(UTC).isoformat(timespec="milliseconds"), schema_text, self.store.component),
                )
                if dry_run:
                    raise _TakeBack
        except _TakeBack:
            pass
        return Push(change, checked, indexed)

    def change_to(self, schema_text: str) -> SchemaChange:
        """The change that pushing ``schema_text`` would make. Raises if it does not compile. It reads no document."""
        return schema_change(self.schema, compiled_schema(schema_text))

    def check_documents(self, schema_text: str) -> int:
        """Checks the documents against a schema before its push. Returns their number. Raises for the first that does
        not fit.
        """
        schema = compiled_schema(schema_text)
        with self.reading():
            return self._check_documents(schema, schema_change(self.schema, schema))

    def _create_tables(self, schema: Schema) -> None:
        for name in sorted(schema.tables.keys() - self.store.tables().keys()):
            self.create_table(name)

    def create_table(self, name: str, number: int | None = None) -> StoredTable:
        """A new table with ``number``, or with the lowest free number from 10001, as Convex assigns it."""
        problem = table_name_problem(name)
        if problem:
            code = "TableNameReserved" if name.startswith("_") else "InvalidTableName"
            raise SupavexError(code, f"{name!r} can't name a table: {problem}.")
        if number is None:
            used = set(self.table_numbers().values())
            number = next(n for n in itertools.count(FIRST_USER_TABLE_NUMBER) if n not in used)
        table = StoredTable(name, number, self.store.create_storage(), self.store.component)
        self.store.add_table(table)
        return table

    def table_names(self) -> Mapping[int, str]:
        """Table number to name."""
        return {table.number: name for name, table in self.store.tables().items()}

    def _check_documents(self, schema: Schema, change: SchemaChange) -> int:
        if not schema.schema_validation:
            return 0
        checked = 0
        names = self.table_names()
        active = self.schema
        for name in schema.tables:
            same = name not in change.new_tables and name not in change.changed_tables
            if same and active is not None and active.schema_validation:
                continue
            validator = enforced(schema.tables[name])
            for document in self.documents(name):
                checked += 1
                mismatch = mismatch_of(validator, document, names.get)
                if mismatch:
                    raise SupavexError(
                        "SchemaValidationFailed",
                        f'Document with ID "{document["_id"]}" in table "{name}" does not match the schema: '
                        f"{mismatch_text(mismatch)}",
                        where=f"{name} {document['_id']}",
                        hint="Nothing was changed. Fix the document, or make the schema accept it.",
                    )
        return checked

    def _build_indexes(self, schema: Schema) -> int:
        indexed = 0
        for name, table in self.store.tables().items():
            definition = schema.tables.get(name)
            wanted = {} if definition is None else {i.name: (i.fields, i.staged) for i in definition.indexes}
            present = self.store.indexes(table)
            for index in present.values():
                if index.name != CREATION_INDEX and wanted.get(index.name) != (index.fields, index.staged):
                    self.store.drop_index(table.storage, index)
            for index_name, (fields, staged) in wanted.items():
                old = present.get(index_name)
                if old is not None and (old.fields, old.staged) == (fields, staged):
                    continue
                self.store.create_index(table.storage, index_name, fields, staged=staged)
                self.store.fill_index(table.storage, self.store.indexes(table)[index_name])
                indexed += self.count(name)
            indexed += self._build_searches(table, definition)
        return indexed

    def _build_first_searches(self) -> None:
        """Builds the text and vector indexes of a file that an older version made without them.

        If a document can't be read, they are missing until the next push, and queries report that.
        """
        with self.store.transaction():
            self.store.set_meta(_SEARCHES_BUILT, "1")
            tables = {} if self.schema is None else self.schema.tables
            with suppress(DamagedDocument):
                for name, table in self.store.tables().items() if tables else ():
                    self._build_searches(table, tables.get(name))

    def _build_searches(self, table: StoredTable, definition: TableDefinition | None) -> int:
        """Makes a table's text and vector indexes equal to its definition. Returns the number of inserted documents."""
        wanted, present, indexed = definitions(definition), self.store.searches(table), 0
        for index in present.values():
            if wanted.get(index.name) != (index.definition, index.staged):
                drop(self.store.connection, index)
        for name, (made, staged) in wanted.items():
            old = present.get(name)
            if old is None or (old.definition, old.staged) != (made, staged):
                new = self.store.create_search(table.storage, name, made, staged=staged)
                self.store.fill_search(table.storage, new)
                indexed += self.count(table.name)
        return indexed

    # Documents

    def insert(self, table: str, fields: Document) -> str:
        """Stores a new document. Returns its id. A missing table is created, as Convex does."""
        with self.store.transaction():
            stored = self.store.tables().get(table) or self.create_table(table)
            internal_id = new_internal_id()
            id_ = encode_id(stored.number, internal_id)
            document = {**fields, "_id": id_, "_creationTime": time.time_ns() / 1e6}
            self._enforce(table, document)
            row = self.store.insert(stored.storage, internal_id, document)
            assert row is not None
            self.store.every_index(stored).enter(row, document)
        return id_

    def replace(self, id_: str, fields: Document) -> None:
        """Replaces a document's fields by ``fields``. ``_id`` and ``_creationTime`` stay."""
        with self.store.transaction():
            table, internal_id, old = self._existing(id_)
            document = {**fields, "_id": id_, "_creationTime": old["_creationTime"]}
            self._enforce(table.name, document)
            sql = f"UPDATE documents_{table.storage} SET body = ? WHERE internal_id = ? RETURNING row"
            (row,) = self.store.connection.execute(sql, (write_body(document), internal_id)).fetchone()
            indexes = self.store.every_index(table)
            indexes.withdraw(row, old)
            indexes.enter(row, document)

    def delete(self, id_: str) -> None:
        """Removes a document."""
        with self.store.transaction():
            table, internal_id, old = self._existing(id_)
            sql = f"DELETE FROM documents_{table.storage} WHERE internal_id = ? RETURNING row"
            (row,) = self.store.connection.execute(sql, (internal_id,)).fetchone()
            self.store.every_index(table).withdraw(row, old)

    def _existing(self, id_: str) -> tuple[StoredTable, bytes, Document]:
        number, internal_id = decode_id(id_)
        table = next((t for t in self.store.tables().values() if t.number == number), None)
        document = None if table is None else self._get(table, internal_id)
        if table is None or document is None:
            raise InvalidId(id_, "no document has it")
        return table, internal_id, document

    def _enforce(self, table: str, document: Document) -> None:
        check_limits(table, document)
        schema = self.schema
        if schema is None or not schema.schema_validation or table not in schema.tables:
            return
        mismatch = mismatch_of(enforced(schema.tables[table]), document, self.table_names().get)
        if mismatch:
            raise SupavexError(
                "SchemaEnforcementError",
                f'Failed to insert or update a document in table "{table}" because it does not match the schema: '
                f"{mismatch_text(mismatch)}",
                where=table,
            )


class _TakeBack(Exception):
    """Rolls a dry run back."""
