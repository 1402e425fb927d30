"""Snapshots and commits of a deployment's file, for functions that run concurrently.

A transaction reads a snapshot and keeps its writes to itself. Its commit checks that nothing that it read was written
meanwhile (optimistic concurrency, as Convex does it). So the result is the same as if all transactions had run one
after another.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from supavex.convex.ids import decode_id, encode_id
from supavex.convex.order_keys import index_key, order_key
from supavex.deployment.database import search_indexes
from supavex.deployment.database.catalog import SYSTEM_INDEXES, SYSTEM_NUMBERS, Catalog
from supavex.deployment.database.clock import Clock
from supavex.deployment.database.commits import CATALOG, FILES, Commit, CommitLog, Conflict, ReadSet
from supavex.deployment.database.store import BUSY_SECONDS, Store, StoredTable, TableIndexes, stored_text
from supavex.deployment.database.stored_files import Files
from supavex.deployment.database.transaction import Transaction, Written

T = TypeVar("T")
_IDLE_READERS = 4
#: If the file's log (WAL) is longer, new snapshots wait until it is emptied into the file.
_MAX_LOG_BYTES = 16 << 20
#: Seconds that new snapshots wait for the old ones, and the pause after a wait without success.
_DRAIN_SECONDS, _DRAIN_AGAIN_SECONDS = 1.0, 5.0


class Snapshot:
    """The file as it was at ``ts``. All readers of that time share it; see :meth:`Engine.snapshot`."""

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog, ts: int, foreign: int | None = None) -> None:
        self.connection, self.catalog, self.ts, self.foreign = connection, catalog, ts, foreign
        self.users = 0


class Engine:
    """The transactions of one deployment's file. Thread-safe.

    Other processes may write to the file. The engine notices that, and treats it as a change of everything.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self._store = Store(path, durable=durable)
        self.clock = Clock()
        self._lock = threading.RLock()
        #: Held while the writing connection is used. If both locks are needed, this one is taken first.
        self._writing = threading.Lock()
        self._version = self._data_version()
        self.log = CommitLog(self.clock.ns())
        self._readers: list[sqlite3.Connection] = []
        self._current: Snapshot | None = None
        self._catalog: tuple[tuple[int, int], Catalog] | None = None
        #: The numbers of :meth:`foreign` and of the file's shape for which the catalog is right.
        self._right: tuple[int, int] | None = None
        #: Called after each commit, in the thread that made it.
        self.listeners: list[Callable[[Commit], None]] = []
        self.files = Files(self._store, path.parent)
        #: The number of snapshots in use. It notifies when one ends, and when new snapshots are allowed again.
        self._users = 0
        self._ended = threading.Condition(self._lock)
        self._draining = False
        self._drain_after = 0.0

    def close(self) -> None:
        """Closes the file. No snapshot may be in use."""
        with self._lock:
            for reader in self._readers:
                reader.close()
            self._readers.clear()
            self._store.close()

    def _data_version(self) -> int:
        # The value changes when another connection writes, and not when this one does.
        (version,) = self._store.connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def files_of(self, component: int) -> Files:
        """The stored files of a component, or of the app (0)."""
        return Files(self._store.within(component), self.path.parent)

    def notice(self) -> None:
        """Checks whether other processes have written to the file."""
        with self._lock:
            commit = self._if_free(self._noticed)
        if commit is not None:
            self._tell(commit)

    def foreign(self) -> int | None:
        """A number that changes when another connection writes to the file; None if reading it would have to wait.

        Every push uses its own connection. While the number is unchanged, the functions and components are too.
        """
        with self._lock:
            return self._if_free(lambda: self._version if self._data_version() == self._version else None)

    def _if_free(self, look: Callable[[], T | None]) -> T | None:
        # A commit may be waiting for another process. It makes the same check, so this call need not wait for it.
        if not self._writing.acquire(blocking=False):
            return None
        try:
            return look()
        finally:
            self._writing.release()

    def _noticed(self) -> Commit | None:
        version = self._data_version()
        if version == self._version:
            return None
        self._version = version
        commit = Commit(self._next_ts(), None)
        self.log.append(commit)
        return commit

    def _next_ts(self) -> int:
        return max(self.clock.ns(), self.log.last + 1)

    def _tell(self, commit: Commit) -> None:
        for listener in list(self.listeners):
            listener(commit)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The file as it is now, until the block ends.

        A thread must not commit inside the block, because its own snapshot would keep the log from being emptied.
        """
        with self._lock:
            self._ended.wait_for(lambda: not self._draining, _DRAIN_SECONDS)
            commit = self._if_free(self._noticed)
            if self._current is None or self._current.ts != self.log.last:
                self._current = self._taken()
            snapshot = self._current
            snapshot.users += 1
            self._users += 1
        if commit is not None:
            self._tell(commit)
        try:
            yield snapshot
        finally:
            self._let_go(snapshot)

    def enter_at_once(self, stack: ExitStack) -> Snapshot | None:
        """Enters :meth:`snapshot` if that needs no wait; else None."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return None if self._draining else stack.enter_context(self.snapshot())
        finally:
            self._lock.release()

    @contextmanager
    def held(self, snapshot: Snapshot) -> Iterator[None]:
        """Holds a snapshot that is already in use until the block ends."""
        with self._lock:
            snapshot.users += 1
            self._users += 1
        try:
            yield
        finally:
            self._let_go(snapshot)

    def _let_go(self, snapshot: Snapshot) -> None:
        with self._lock:
            snapshot.users -= 1
            self._users -= 1
            self._ended.notify_all()
            if not snapshot.users:
                # An open transaction would keep later writes in the log.
                if snapshot is self._current:
                    self._current = None
                self._return(snapshot)

    def _return(self, snapshot: Snapshot) -> None:
        snapshot.connection.execute("ROLLBACK")
        if len(self._readers) < _IDLE_READERS:
            self._readers.append(snapshot.connection)
        else:
            snapshot.connection.close()

    def _taken(self) -> Snapshot:
        connection = self._readers.pop() if self._readers else self._reader()
        connection.execute("BEGIN")
        (shape,) = connection.execute("PRAGMA schema_version").fetchone()  # The first read fixes the snapshot.
        foreign = self.foreign()
        if self._catalog is None or foreign is None or self._right != (foreign, shape):
            version = Catalog.version(connection)
            if self._catalog is None or self._catalog[0] != version:
                self._catalog = version, Catalog(connection)
            self._right = None if foreign is None else (foreign, shape)
        return Snapshot(connection, self._catalog[1], self.log.last, foreign)

    def _reader(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
        connection.text_factory = stored_text
        return connection

    def begin(self, snapshot: Snapshot) -> Transaction:
        """A transaction at ``snapshot``."""
        return Transaction(snapshot.connection, snapshot.catalog, snapshot.ts, self.clock.ns())

    def valid(self, reads: ReadSet, since: int, until: int | None = None) -> bool:
        """Whether data that were read at ``since`` are unchanged now, or were unchanged at ``until``."""
        return not self.log.touched(reads, since, until)

    def commit(self, transaction: Transaction, also: Callable[[sqlite3.Connection, int], None] | None = None) -> int:
        """Commits a transaction. Returns its timestamp. ``also`` writes in the same commit.

        Raises :class:`Conflict` if data that it read have been written since.
        """
        if not transaction.wrote and also is None:
            return transaction.ts
        foreign: Commit | None = None
        committed = False
        try:
            with self._writing, self._store.transaction(), self._lock:
                foreign = self._noticed()
                if self.log.touched(transaction.reads, transaction.ts):
                    raise self._conflict(transaction)
                ts = self._next_ts()
                commit = Commit.of(ts, self._written(transaction), transaction.source)
                if also is not None:
                    also(self._store.connection, ts)
                # Snapshots are taken under the same lock, so a snapshot sees the file and the log at one commit.
                self._store.commit()
                committed = True
                self.log.append(commit)
        finally:
            if not committed:
                self._unlink([file.name for file in transaction.added_files])
            if foreign is not None:
                self._tell(foreign)
        self._tell(commit)
        self._unlink(transaction.removed_files)
        self._empty_log()
        return ts

    def _conflict(self, transaction: Transaction) -> Conflict:
        """The conflict of a transaction whose reads were written since."""
        commit = self.log.last_touching(transaction.reads, transaction.ts)
        met = None if commit is None else transaction.reads.met(commit)
        if commit is None or met is None:
            return Conflict()
        space, key = met
        table = transaction.catalog.of_space(space)
        if table is None:
            return Conflict()
        ids = [encode_id(table.number, id_) for id_ in (commit.keys or {}).get(-table.storage, [])]
        # The key of an index ends with the document's id.
        found = (id_ for id_ in ids if key in (decode_id(id_)[1],) or key.endswith(order_key(id_)) or len(ids) == 1)
        return Conflict(table.name, next(found, None), commit.source)

    def _empty_log(self) -> None:
        """Writes the file's log (WAL) into the file and empties it, if it is too long.

        SQLite does that itself only in a commit without concurrent readers. If calls overlap, there is no such commit,
        so new snapshots wait briefly until the old ones end. A long snapshot, such as an export's, is not waited for;
        the log is emptied after it.
        """
        if self.log_bytes() <= _MAX_LOG_BYTES or time.monotonic() < self._drain_after:
            return
        with self._writing, self._lock:
            if self.log_bytes() <= _MAX_LOG_BYTES:
                return  # Another thread has just done it.
            self._draining = True
            try:
                self._ended.wait_for(lambda: not self._users, _DRAIN_SECONDS)
                emptied = self._checkpoint()
            finally:
                self._draining = False
                self._ended.notify_all()
            self._drain_after = 0.0 if emptied else time.monotonic() + _DRAIN_AGAIN_SECONDS

    def log_bytes(self) -> int:
        """The bytes of the file's log (WAL)."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except FileNotFoundError:
            return 0

    def _checkpoint(self) -> bool:
        """Empties the log. Returns whether that was possible."""
        connection = self._store.connection
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        except sqlite3.OperationalError:  # Another process is writing.
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")

    def write(self, write: Callable[[Transaction], T]) -> T:
        """Writes in a transaction, and repeats it after a conflict. Returns the result of ``write``."""
        while True:
            with self.snapshot() as snapshot:
                transaction = self.begin(snapshot)
                result = write(transaction)
                try:
                    self.commit(transaction)
                    return result
                except Conflict:
                    continue

    def _written(self, transaction: Transaction) -> Iterator[tuple[int, bytes]]:
        """Writes to the file, and yields the written keys."""
        connection, catalog = self._store.connection, transaction.catalog
        made: dict[int, StoredTable] = {}
        for (_, name), new in transaction.new_tables.items():
            table = made[new.storage] = replace(new, storage=self._store.create_storage())
            for index, fields in SYSTEM_INDEXES.get(name, {}).items():
                self._store.create_index(table.storage, index, fields, staged=False)
            self._store.add_table(table, system=name in SYSTEM_NUMBERS)
            yield CATALOG, b""
        for (storage, internal_id), written in transaction.writes.items():
            if written.before is None and written.after is None:
                continue
            table = made.get(storage, written.table)
            if storage in made:
                indexes = self._store.every_index(table)
            else:
                of = catalog.of(table.component)
                found, searches = of.indexes(table), of.searches(table)
                indexes = TableIndexes(connection, list(found.values()), list(searches.values()))
            self._write(table, internal_id, written, indexes)
            yield from _keys_of(table, indexes, internal_id, written)
        for file in transaction.added_files:
            self.files.add(file)
            yield FILES, b""
        for name in transaction.removed_files:
            connection.execute("DELETE FROM files WHERE name = ?", (name,))
            yield FILES, b""

    def _write(self, table: StoredTable, internal_id: bytes, written: Written, indexes: TableIndexes) -> None:
        connection, documents = self._store.connection, f"documents_{table.storage}"
        if written.before is None:
            assert written.after is not None
            row = self._store.insert(table.storage, internal_id, written.after)
            if row is None:
                raise Conflict  # The id exists already. The next attempt makes another id.
            indexes.enter(row, written.after)
            return
        if written.after is None:
            sql = f"DELETE FROM {documents} WHERE internal_id = ? RETURNING row"
            values: tuple[Any, ...] = (internal_id,)
        else:
            sql = f"UPDATE {documents} SET body = ? WHERE internal_id = ? RETURNING row"
            values = (written.body, internal_id)
        (row,) = connection.execute(sql, values).fetchone()
        indexes.withdraw(row, written.before)
        if written.after is not None:
            indexes.enter(row, written.after)

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(OSError):
                (self.path.parent / "storage" / name).unlink()

    @contextmanager
    def writing(self, *keys: tuple[int, bytes]) -> Iterator[sqlite3.Connection]:
        """A transaction of the file for data other than documents. ``keys``: the written keys, by space."""
        foreign: Commit | None = None
        try:
            with self._writing, self._store.transaction(), self._lock:
                foreign = self._noticed()
                yield self._store.connection
                commit = Commit.of(self._next_ts(), keys)
                self._store.commit()
                self.log.append(commit)
        finally:
            if foreign is not None:
                self._tell(foreign)
        self._tell(commit)
        self._empty_log()


def _keys_of(
    table: StoredTable, indexes: TableIndexes, internal_id: bytes, written: Written
) -> Iterator[tuple[int, bytes]]:
    """The spaces and keys that a write changes: those of the document before it and after it."""
    yield -table.storage, internal_id
    for document in (written.before, written.after):
        if document is not None:
            for index in indexes.database:
                yield index.entries, index_key(document, index.fields)
            for search in indexes.searches:
                yield from ((search.entries, key) for key in search_indexes.keys_of(search, document))
