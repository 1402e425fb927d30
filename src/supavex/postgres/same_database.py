"""Tests whether two connections lead to one database, despite different addresses and roles: by a shared lock.

Source: PostgreSQL's manual, "Advisory Locks". Advisory locks belong to one database, any role may take one, and a
transaction's lock works through every pooler. A standby has its own locks, so there the clusters are compared.
"""

from __future__ import annotations

import secrets

import psycopg

from supavex.postgres.visibility import system_identifier


def same_database(one: psycopg.Connection, other: psycopg.Connection) -> bool | None:
    """Whether both transactions are in one database. None if that is unknown: one may be the other's standby.

    Both connections have to be in a transaction. The locks end with these.
    """
    if (one.autocommit and not _open(one)) or (other.autocommit and not _open(other)):
        raise ValueError("a lock of a transaction needs one")
    lock = secrets.randbits(63)
    one.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (lock,))
    if not _value(other, "SELECT pg_catalog.pg_try_advisory_xact_lock(%s)", lock):
        return True
    if not any(_value(connection, "SELECT pg_catalog.pg_is_in_recovery()") for connection in (one, other)):
        return False
    # A standby has its primary's system identifier. So has a copy of its disk, which looks the same.
    clusters = [system_identifier(connection) for connection in (one, other)]
    return False if all(clusters) and clusters[0] != clusters[1] else None


def _open(connection: psycopg.Connection) -> bool:
    return connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def _value(connection: psycopg.Connection, sql: str, *values: object) -> object:
    row = connection.execute(sql.encode(), values or None).fetchone()
    assert row is not None
    return row[0]
