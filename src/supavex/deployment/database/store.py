"""The SQLite file of a deployment: tables of documents and of index entries, with their catalog.

A document table is ``documents_<n>``, an index ``entries_<n>`` with order keys as its keys. An import fills new tables
and swaps them in, all in one SQLite transaction, so that a crash leaves the old ones.
"""

from __future__ import annotations

import codecs
import copy
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from supavex.convex.damage import Damaged, DamagedDocument
from supavex.convex.ids import INTERNAL_ID_BYTES, encode_id
from supavex.convex.order_keys import index_key
from supavex.convex.values import Document, from_internal_json, to_internal_json
from supavex.deployment.database import layout, search_indexes
from supavex.deployment.database.search_indexes import Definition, StoredSearch, searches_of
from supavex.errors import SupavexError, database_error, of_database_file
from supavex.files import chosen_folder, own_database

CREATION_INDEX = "by_creation_time"
#: Documents that are inserted into a text or vector index at once.
_FILLED = 500
#: Seconds that a connection waits for another writer.
BUSY_SECONDS = 10
#: Bytes of the file's log (WAL) that stay allocated after its content was moved into the file.
_KEPT_LOG_BYTES = 16 << 20
# An invalid UTF-8 byte becomes a character that JSON never contains, so the text is not JSON.
codecs.register_error("supavex.no-utf-8", lambda error: ("\0", error.end))  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table of the deployment: its name, its number, and the ``n`` of its ``documents_<n>``."""

    name: str
    number: int
    storage: int
    #: The id of its component; 0 for the app.
    component: int = 0


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """An index: its fields without the implicit ones, and the ``n`` of its ``entries_<n>``."""

    name: str
    fields: tuple[str, ...]
    staged: bool
    entries: int


def tables_of(connection: sqlite3.Connection, component: int = 0, *, system: bool = False) -> dict[str, StoredTable]:
    """The tables of the app or of a component by name: its own, or those that the deployment maintains."""
    source = "system_tables" if system else "tables"
    sql = f"SELECT name, number, storage, component FROM {source} WHERE component = ? ORDER BY name"
    return {row[0]: StoredTable(*row) for row in connection.execute(sql, (component,))}


def indexes_of(connection: sqlite3.Connection, table: StoredTable) -> dict[str, StoredIndex]:
    """The indexes of ``table`` by name."""
    sql = "SELECT name, fields, staged, entries FROM indexes WHERE storage = ? ORDER BY name"
    rows = connection.execute(sql, (table.storage,))
    return {name: StoredIndex(name, tuple(json.loads(f)), bool(s), entries) for name, f, s, entries in rows}


def stored_text(data: bytes) -> str:
    """The ``text_factory`` of a connection. sqlite3's own ends a whole query at invalid UTF-8."""
    return data.decode("utf-8", "supavex.no-utf-8")


class Store:
    """An open SQLite file. There is one writer at a time; a second waits up to ten seconds.

    ``durable``: a commit survives a power failure, and not only the end of the process.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        #: The component whose tables are visible; 0 is the app.
        self.component = 0
        try:
            chosen_folder(path.parent)
            file = own_database(path)
            self.connection = sqlite3.connect(file, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
            self.connection.text_factory = stored_text
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            self.connection.execute(f"PRAGMA journal_size_limit = {_KEPT_LOG_BYTES}")
            self.connection.execute("PRAGMA cache_size = -65536")
            if not layout.is_made(self.connection):
                with self.transaction():
                    layout.make(self.connection)
            form = layout.form_of(self.connection)
        except (sqlite3.DatabaseError, OSError) as error:
            damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            raise SupavexError(
                "CannotOpenDeployment",
                f"the deployment's file can't be opened: {error}.",
                where=str(path),
                hint="If it is no longer needed, remove it: deploy and migrate make it anew."
                if damaged
                else "Another process is writing to it: try again when it is done."
                if "locked" in str(error)
                else "This user has to be able to write to it and into its folder, and the disk needs room.",
                exit_code=2,
            ) from None
        if form != layout.FORMAT:
            message = "another version of supavex made the file: delete it, deploy, and migrate again."
            raise SupavexError("CannotOpenDeployment", message, where=str(path))

    def within(self, component: int) -> Store:
        """The same file with the tables and pushes of a component (0: of the app)."""
        view = copy.copy(self)
        view.component = component
        return view

    def close(self) -> None:
        """Closes the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write transaction: all or nothing, even if the process is killed."""
        if self.connection.in_transaction:
            yield
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise database_error(error, str(self.path)) from None
        try:
            yield
            self.commit()
        except BaseException as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if of_database_file(error):
                raise database_error(error, str(self.path)) from error
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A snapshot for the reads in the block, while other processes may write. Nothing is written."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN")
        self.connection.execute("SELECT 1 FROM meta").fetchone()  # The first read fixes the snapshot.
        try:
            yield
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def commit(self) -> None:
        """Commits the open transaction, if any, before the end of its ``with transaction()``."""
        if self.connection.in_transaction:
            self.connection.execute("COMMIT")

    def meta(self, key: str) -> str | None:
        """A value kept beside the tables, or None."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Keeps a value beside the tables."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def tables(self) -> dict[str, StoredTable]:
        """The tables by name."""
        return tables_of(self.connection, self.component)

    def add_table(self, table: StoredTable, *, system: bool = False) -> None:
        """Records a table whose storage exists."""
        row = (table.component, table.name, table.number, table.storage)
        self.connection.execute(f"INSERT INTO {'system_tables' if system else 'tables'} VALUES (?, ?, ?, ?)", row)

    def forget_table(self, name: str) -> None:
        """Removes a table from the catalog. Its storage stays; see :meth:`drop_storage`."""
        self.connection.execute("DELETE FROM tables WHERE component = ? AND name = ?", (self.component, name))

    def indexes(self, table: StoredTable) -> dict[str, StoredIndex]:
        """The indexes of ``table`` by name, including ``by_creation_time``."""
        return indexes_of(self.connection, table)

    def searches(self, table: StoredTable) -> dict[str, StoredSearch]:
        """The text and vector indexes of ``table`` by name."""
        return searches_of(self.connection, table.storage)

    def create_storage(self, *, unique: bool = True) -> int:
        """Makes an empty document table with its creation index. Returns its number.

        Without ``unique``, a :class:`BulkLoad` fills the table, and makes its ids unique at the end.
        """
        storage = self._next("tables", "storage")
        self.connection.execute(
            f"CREATE TABLE documents_{storage} (row INTEGER PRIMARY KEY, internal_id BLOB NOT NULL, body TEXT NOT NULL)"
        )
        if unique:
            self.make_unique(storage)
        self.create_index(storage, CREATION_INDEX, (), staged=False)
        return storage

    def make_unique(self, storage: int) -> None:
        """Makes the ids of a document table unique, with an index."""
        self.connection.execute(f"CREATE UNIQUE INDEX ids_{storage} ON documents_{storage} (internal_id)")

    def drop_storage(self, storage: int) -> None:
        """Drops a document table and its indexes."""
        for (entries,) in self.connection.execute(
            "SELECT entries FROM indexes WHERE storage = ?", (storage,)
        ).fetchall():
            self.connection.execute(f"DROP TABLE entries_{entries}")
        self.connection.execute("DELETE FROM indexes WHERE storage = ?", (storage,))
        for search in searches_of(self.connection, storage).values():
            search_indexes.drop(self.connection, search)
        self.connection.execute(f"DROP TABLE documents_{storage}")

    def create_index(self, storage: int, name: str, fields: Iterable[str], *, staged: bool) -> None:
        """Makes an empty index. Fill it by :meth:`fill_index`."""
        entries = self._next("indexes", "entries")
        self.connection.execute(
            f"CREATE TABLE entries_{entries} (key BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID"
        )
        self.connection.execute(
            "INSERT INTO indexes VALUES (?, ?, ?, ?, ?)", (storage, name, json.dumps(list(fields)), staged, entries)
        )

    def create_search(self, storage: int, name: str, definition: Definition, *, staged: bool) -> StoredSearch:
        """Makes an empty text or vector index. Fill it by :meth:`fill_search`."""
        index = StoredSearch(name, definition, staged, self._next("indexes", "entries"))
        search_indexes.create(self.connection, storage, index)
        return index

    def fill_search(self, storage: int, index: StoredSearch) -> None:
        """Inserts every document into ``index``."""
        rows = self.connection.execute(f"SELECT row, body, internal_id FROM documents_{storage} ORDER BY row")
        table = self._of_storage(storage)
        while block := rows.fetchmany(_FILLED):
            found = [(row, read_body(body, table, id_)) for row, body, id_ in block]
            search_indexes.enter(self.connection, index, found)

    def drop_index(self, storage: int, index: StoredIndex) -> None:
        """Drops an index."""
        self.connection.execute(f"DROP TABLE entries_{index.entries}")
        self.connection.execute("DELETE FROM indexes WHERE storage = ? AND name = ?", (storage, index.name))

    def fill_index(self, storage: int, index: StoredIndex) -> None:
        """Inserts every document into ``index``."""
        rows = self.connection.execute(f"SELECT row, body, internal_id FROM documents_{storage}")
        table = self._of_storage(storage)
        keys = ((index_key(read_body(body, table, id_), index.fields), row) for row, body, id_ in rows)
        self.connection.executemany(f"INSERT INTO entries_{index.entries} VALUES (?, ?)", keys)

    def _of_storage(self, storage: int) -> StoredTable | None:
        sql = "SELECT name, number, storage, component FROM tables WHERE storage = ?"
        row = self.connection.execute(sql, (storage,)).fetchone()
        return None if row is None else StoredTable(*row)

    def _next(self, table: str, column: str) -> int:
        # A number is never used twice, so a new table can't have the name of the one that it replaces.
        key = f"next_{table}_{column}"
        self.connection.execute("INSERT OR IGNORE INTO meta VALUES (?, '0')", (key,))
        self.connection.execute("UPDATE meta SET value = value + 1 WHERE key = ?", (key,))
        (value,) = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return int(value)

    def insert(self, storage: int, internal_id: bytes, document: Document) -> int | None:
        """Stores a document without its index entries. Returns its row, or None if the id exists already."""
        try:
            cursor = self.connection.execute(
                f"INSERT INTO documents_{storage} (internal_id, body) VALUES (?, ?)",
                (internal_id, write_body(document)),
            )
        except sqlite3.IntegrityError:
            return None
        return cursor.lastrowid

    def every_index(self, table: StoredTable) -> TableIndexes:
        """All indexes of ``table``, for updates."""
        return TableIndexes(self.connection, list(self.indexes(table).values()), list(self.searches(table).values()))


@dataclass(frozen=True, slots=True)
class TableIndexes:
    """All indexes of one table, into which documents are inserted and from which they are removed."""

    connection: sqlite3.Connection
    database: list[StoredIndex]
    searches: list[StoredSearch]

    def enter(self, row: int, document: Document) -> None:
        """Inserts one document."""
        for index in self.database:
            key = index_key(document, index.fields)
            self.connection.execute(f"INSERT INTO entries_{index.entries} VALUES (?, ?)", (key, row))
        for search in self.searches:
            search_indexes.enter(self.connection, search, [(row, document)])

    def withdraw(self, row: int, document: Document) -> None:
        """Removes one document."""
        for index in self.database:
            key = index_key(document, index.fields)
            self.connection.execute(f"DELETE FROM entries_{index.entries} WHERE key = ?", (key,))
        for search in self.searches:
            search_indexes.withdraw(self.connection, search, row, document)


def write_body(document: Document) -> str:
    """A document in its stored form: internal JSON, which keeps every value's type."""
    return json.dumps(to_internal_json(document), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def read_body(
    body: str, table: StoredTable | None = None, internal_id: bytes = b"", row: int | None = None
) -> Document:
    """A stored document. Raises :class:`DamagedDocument`, with the table and the id, for other text."""
    try:
        # Without special values, every number is a float64.
        plain = '"$' not in body
        document: Document = json.loads(body, parse_int=float) if plain else from_internal_json(json.loads(body))
        if type(document) is dict and (table is None or type(document.get("_id")) is str):
            return document
    except (ValueError, TypeError, RecursionError, SupavexError):
        pass
    raise DamagedDocument(_damage_of(body, table, internal_id, row)) from None


def _damage_of(body: object, table: StoredTable | None, internal_id: bytes, row: int | None) -> Damaged:
    """The report about a stored document that can't be read."""
    name, id_ = ("", None) if table is None else (table.name, _id_text(table.number, internal_id))
    return Damaged(name, id_, "" if row is None else f"row {row}", _body_problem(body))


def _id_text(number: int, internal_id: object) -> str | None:
    whole = isinstance(internal_id, bytes) and len(internal_id) == INTERNAL_ID_BYTES
    return encode_id(number, internal_id) if whole else None  # type: ignore[arg-type]


def _body_problem(body: object) -> str:
    """Why a body is not a document, without quoting it."""
    if not isinstance(body, str):
        kind = {bytes: "a BLOB", int: "an integer", float: "a real number"}.get(type(body), "NULL")
        return f"its body is {kind}, not a text"
    if "\0" in body:
        return "its body is not UTF-8"
    try:
        found = json.loads(body)
        if not isinstance(found, dict):
            return "its body is not a JSON object"
        if not isinstance(from_internal_json(found).get("_id"), str):
            return "its body has no _id that is a text"
    except json.JSONDecodeError as error:
        return f"its body is not JSON: {error.msg} (character {error.pos + 1} of {len(body)})"
    except (ValueError, TypeError, RecursionError, SupavexError) as error:
        return f"its body is not a Convex value: {getattr(error, 'message', type(error).__name__)}"
    return "its body can't be read"
