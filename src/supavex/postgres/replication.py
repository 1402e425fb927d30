"""A logical replication slot, read by SQL functions: which keys of which tables were written since, without a scan.

PostgreSQL keeps its write-ahead log until a slot has moved on. A slot that nobody reads fills the disk: it is made
only where it is asked for, and has to be dropped. The plugin is ``pgoutput``, which every server has; it needs a
publication.
Sources: PostgreSQL's manual, "Logical Decoding", "Logical Replication Message Formats" (version 1).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg

from supavex.errors import UsageError
from supavex.postgres.connection import connect, literal, quoted

_CREATE_SECONDS = 60
_FLUSH_SECONDS = 10.0
#: Bytes of the header of a page of the log, and of a segment's first page.
_HEADER, _LONG_HEADER = 24, 40


@dataclass(frozen=True, slots=True)
class Written:
    """A row that was written: its table, and its columns by name before and after (None: there was or is none).

    Before an update, and of a deleted row, only the columns of the table's replica identity have their values.
    """

    table: tuple[str, str]
    old: dict[str, str | None] | None
    new: dict[str, str | None] | None


@dataclass(frozen=True, slots=True)
class Truncated:
    """A table that was emptied."""

    table: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Committed:
    """The end of a transaction (32 bits of its id), and the place in the log behind it."""

    xid: int
    end: str


Event = Written | Truncated | Committed


def refusal(connection: psycopg.Connection) -> str | None:
    """Why no slot can be made on this server by this role; None where one can."""
    row = connection.execute(
        "SELECT pg_catalog.current_setting('wal_level'), r.rolreplication OR r.rolsuper, "
        "pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('max_replication_slots')::int > "
        "(SELECT count(*) FROM pg_catalog.pg_replication_slots) "
        "FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user"
    ).fetchone()
    assert row is not None
    level, may, standby, room = row
    if level != "logical":
        return f"wal_level is {level}, not logical"
    if not may:
        return "the role has no REPLICATION attribute"
    if standby:
        return "this is a standby: the slot belongs on the primary"
    return None if room else "all of max_replication_slots are in use"


def create(url: str, name: str, tables: Sequence[tuple[str, str]]) -> None:
    """Makes a publication of ``tables`` (schema, name) and a slot, both called ``name``. Raises where it can't."""
    named = ", ".join(quoted(*table) for table in tables)
    settings = {"statement_timeout": f"{_CREATE_SECONDS}s"}
    with connect(url, settings=settings) as connection:
        try:
            connection.execute(
                f"CREATE PUBLICATION {quoted(name)} FOR TABLE {named} WITH (publish_via_partition_root = true)".encode()
            )
            connection.execute("SELECT pg_catalog.pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
        except psycopg.Error as error:
            drop(connection, name)
            waits = isinstance(error, psycopg.errors.QueryCanceled)
            raise UsageError(
                "NoSlot",
                "a transaction that is running keeps the slot from beginning."
                if waits
                else f"PostgreSQL makes no slot: {error.diag.message_primary or error}",
                where=name,
                hint="Run it again when long transactions have ended, or without --slot: xmin does as well.",
            ) from None


def drop(connection: psycopg.Connection, name: str) -> bool:
    """Drops slot and publication, where they are there; whether the slot was."""
    row = connection.execute(
        "SELECT count(pg_catalog.pg_drop_replication_slot(slot_name)) FROM pg_catalog.pg_replication_slots "
        "WHERE slot_name = %s AND NOT active",
        (name,),
    ).fetchone()
    connection.execute(f"DROP PUBLICATION IF EXISTS {quoted(name)}".encode())
    return bool(row and row[0])


def unusable(connection: psycopg.Connection, name: str) -> str | None:
    """Why a slot can't be read (any more); None where it can."""
    row = connection.execute(
        "SELECT wal_status, active FROM pg_catalog.pg_replication_slots WHERE slot_name = %s "
        "AND database = pg_catalog.current_database()",
        (name,),
    ).fetchone()
    if row is None:
        return "the slot is gone"
    if row[0] == "lost":
        return "the slot was too far behind, and the server has thrown its log away"
    return "the slot is being read by someone else" if row[1] else None


def published(connection: psycopg.Connection, name: str) -> set[tuple[str, str]]:
    """The tables (schema, name) that the publication holds now."""
    rows = connection.execute(
        "SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = %s", (name,)
    )
    return {(row[0], row[1]) for row in rows}


def log_is_written(connection: psycopg.Connection) -> bool:
    """Waits until the log is on disk up to here, for a slot shows no more, and a transaction may be seen before.

    False where that takes too long.
    """
    row = connection.execute(
        "SELECT pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn, "
        "pg_catalog.current_setting('wal_block_size')::int8, "
        "pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))"
    ).fetchone()
    assert row is not None
    place, block, segment = map(int, row)
    # Between two records, the place for the next one is behind the header of a page that is not there yet.
    if place % segment == _LONG_HEADER:
        place -= _LONG_HEADER
    elif place % block == _HEADER and place % segment != _HEADER:
        place -= _HEADER
    deadline = time.monotonic() + _FLUSH_SECONDS
    while time.monotonic() < deadline:
        row = connection.execute("SELECT pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_lsn").fetchone()
        if row is not None and int(row[0]) >= place:
            return True
        time.sleep(0.02)
    return False


def peek(connection: psycopg.Connection, name: str) -> Iterator[Event]:
    """What the slot holds, in the order of commits. It stays there until :func:`advance`."""
    sql = (
        "SELECT xid::text::int8, data FROM pg_catalog.pg_logical_slot_peek_binary_changes("
        f"{literal(name)}, NULL, NULL, 'proto_version', '1', 'publication_names', {literal(quoted(name))})"
    )
    with connection.cursor(binary=True) as cursor:
        yield from decoded((row[0], bytes(row[1])) for row in cursor.stream(sql.encode()))


def advance(connection: psycopg.Connection, name: str, place: str) -> None:
    """The slot needs nothing before ``place`` any more."""
    connection.execute(
        "SELECT pg_catalog.pg_replication_slot_advance(slot_name, %s::pg_lsn) FROM pg_catalog.pg_replication_slots "
        "WHERE slot_name = %s AND confirmed_flush_lsn < %s::pg_lsn",
        (place, name, place),
    )


def here(connection: psycopg.Connection) -> tuple[str, int]:
    """A place in the log, and the next transaction (64 bits) at a moment behind it."""
    row = connection.execute("SELECT pg_catalog.pg_current_wal_insert_lsn()::text").fetchone()
    following = connection.execute(
        "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::int8"
    ).fetchone()
    assert row is not None
    assert following is not None
    return str(row[0]), int(following[0])


def decoded(messages: Iterable[tuple[int, bytes]]) -> Iterator[Event]:
    """The events of messages, each with its transaction."""
    relations: dict[int, tuple[tuple[str, str], list[str]]] = {}
    for xid, data in messages:
        reader = _Reader(data, 1)
        kind = data[:1]
        if kind == b"R":
            oid = reader.int32()
            table = (reader.text() or "pg_catalog", reader.text())
            reader.at += 1
            relations[oid] = (table, [reader.column() for _ in range(reader.int16())])
        elif kind in b"IUD":
            table, columns = relations[reader.int32()]
            old = new = None
            while reader.at < len(data):
                part = reader.byte()
                values = dict(zip(columns, reader.tuple(), strict=True))
                if part == b"N":
                    new = values
                else:
                    old = values
            yield Written(table, old, new)
        elif kind == b"T":
            count = reader.int32()
            reader.at += 1
            for _ in range(count):
                yield Truncated(relations[reader.int32()][0])
        elif kind == b"C":
            reader.at += 1 + 8
            high, low = reader.int32(), reader.int32()
            yield Committed(xid, f"{high:X}/{low:X}")


@dataclass(slots=True)
class _Reader:
    data: bytes
    at: int

    def byte(self) -> bytes:
        self.at += 1
        return self.data[self.at - 1 : self.at]

    def int16(self) -> int:
        (value,) = struct.unpack_from(">H", self.data, self.at)
        self.at += 2
        return int(value)

    def int32(self) -> int:
        (value,) = struct.unpack_from(">I", self.data, self.at)
        self.at += 4
        return int(value)

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at : end].decode()
        self.at = end + 1
        return found

    def column(self) -> str:
        self.at += 1
        name = self.text()
        self.at += 8
        return name

    def tuple(self) -> list[str | None]:
        values: list[str | None] = []
        for _ in range(self.int16()):
            kind = self.byte()
            if kind == b"t":
                size = self.int32()
                values.append(self.data[self.at : self.at + size].decode())
                self.at += size
            else:
                values.append(None)  # NULL, or a long value that was not written again: never one of a key
        return values
