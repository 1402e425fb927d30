"""One consistent snapshot of the source, shared by all connections that read it.

Source: PostgreSQL's manual, "Snapshot Synchronization Functions". The snapshot lives as long as the transaction that
exported it. Each reader imports it in a ``READ ONLY REPEATABLE READ`` transaction, while the app keeps writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from selectors import EVENT_READ, DefaultSelector

import psycopg
from psycopg.pq import TransactionStatus

from supavex.errors import SupavexError
from supavex.postgres.connection import connect, libpq_url, literal, read_failed, reason_of, without_password

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An exported snapshot: the address, the snapshot's name, and when it was taken (ISO 8601, UTC)."""

    url: str = field(repr=False)
    name: str
    taken_at: str


@contextmanager
def exported(url: str, last: str | None = None) -> Iterator[tuple[Snapshot, psycopg.Connection]]:
    """Takes a snapshot of the database at ``url`` and holds it until the block ends.

    Gives the snapshot and the connection that holds it, which may run queries at that snapshot. ``last`` is the name of
    an earlier snapshot. If another connection still holds it (of a client that was cut off, for example), the earlier
    snapshot is used.
    """
    connection = connect(url)
    try:
        if last is None or not _taken_over(connection, last):
            connection.execute(_BEGIN)
        row = connection.execute(
            "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', "
            '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
        ).fetchone()
        assert row is not None
        yield Snapshot(libpq_url(url), row[0], row[1]), connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise denied(error, url) from None
    finally:
        _let_go(connection)


def _let_go(connection: psycopg.Connection) -> None:
    """Ends the transaction, then the connection.

    Closing alone returns before the server notices, and until then the snapshot could still be imported. So this waits
    for the server's answer, but for a limited time: the server may be unreachable.
    """
    with suppress(psycopg.Error):
        if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            connection.pgconn.send_query(b"ROLLBACK")
            connection.pgconn.flush()
            with DefaultSelector() as selector:
                selector.register(connection.pgconn.socket, EVENT_READ)
                selector.select(_ANSWER_SECONDS)
    connection.close()


def _taken_over(connection: psycopg.Connection, name: str) -> bool:
    connection.execute(_BEGIN)
    try:
        connection.execute(f"SET TRANSACTION SNAPSHOT {literal(name)}")
    except psycopg.Error:
        connection.execute("ROLLBACK")
        return False
    return True


@contextmanager
def imported(snapshot: Snapshot) -> Iterator[psycopg.Connection]:
    """A connection that sees the database as ``snapshot`` does. Raises SnapshotGone if the snapshot has ended."""
    connection = connect(snapshot.url)
    try:
        try:
            connection.execute(_BEGIN)
            connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot.name}'")
        except psycopg.Error as error:
            raise SupavexError(
                "SnapshotGone",
                f"the snapshot {snapshot.name} can't be used any more: {error.diag.message_primary}",
                where=without_password(snapshot.url),
                hint="The connection that held it has ended. Run the command again.",
                retryable=True,
            ) from None
        yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise denied(error, snapshot.url) from None
    finally:
        connection.close()


@contextmanager
def reading(snapshot: Snapshot, table: str) -> Iterator[psycopg.Connection]:
    """As :func:`imported`, for reading ``table``. PostgreSQL's errors become errors that name the table and may be
    retried.
    """
    with imported(snapshot) as connection:
        try:
            yield connection
        except psycopg.errors.InsufficientPrivilege:
            raise
        except psycopg.Error as error:
            raise read_failed(error, table) from None


def denied(error: psycopg.Error, url: str) -> SupavexError:
    """The error for a table that this role may not read whole: a grant is missing, or row level security hides rows."""
    return SupavexError(
        "PermissionDenied",
        f"PostgreSQL refuses to read: {reason_of(error)}",
        where=without_password(url),
        hint="Connect as the role postgres (Supabase: Project settings, Database), which may read every row.",
        exit_code=2,
    )
