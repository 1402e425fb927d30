"""Which rows are newer than a snapshot, by the transaction that wrote them (``xmin``): no trigger, no superuser.

A row's ``xmin`` has 32 bits, a snapshot's ids 64. Of a row that a present snapshot sees, the transaction's id is the
largest number of those 32 bits below the snapshot's end, or one that is 2**32 smaller, and then the row is older than
any snapshot still at hand: reading it as the largest errs to the side of "newer". Freezing and VACUUM FULL keep what
``xmin`` shows.

"Newer" is every row of a transaction from the oldest one on that was running at the snapshot. It is more than what the
snapshot did not see: ``pg_visible_in_snapshot`` and the list of a ``pg_snapshot`` know top-level transactions only, so
that a row which a subtransaction wrote (a savepoint, an EXCEPTION block) would pass for seen while its transaction was
still running. So a newer row need not be another one; an older row surely was there.
Source: PostgreSQL's manual, "Transaction ID and Snapshot Information Functions".
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

_CYCLE = 1 << 32


@dataclass(frozen=True, slots=True)
class Seen:
    """What a snapshot saw: where, of which cluster and database, and which transactions (``pg_current_snapshot``).

    ``cluster``: its system identifier and timeline; empty where the role may not know.
    """

    place: str
    cluster: str
    database: str
    snapshot: str

    @property
    def oldest(self) -> int:
        """The first transaction (64 bits) that was not finished for sure."""
        return int(self.snapshot.split(":")[0])

    @property
    def end(self) -> int:
        """The first transaction that had not begun."""
        return int(self.snapshot.split(":")[1])


def seen(holder: psycopg.Connection) -> Seen:
    """What the transaction of ``holder`` sees."""
    row = holder.execute(
        "SELECT d.oid::text || ' ' || d.datname, pg_catalog.pg_current_snapshot()::text, "
        "pg_catalog.pg_is_in_recovery(), "
        "pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AND "
        "pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') "
        "FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()"
    ).fetchone()
    assert row is not None
    database, snapshot, standby, allowed = row
    cluster = ""
    if allowed:
        # A promotion or a restore to an earlier time begins a timeline; ids of transactions are given out again on it.
        timeline = (
            "(pg_catalog.pg_control_checkpoint()).timeline_id"
            if standby
            else "('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int"
        )
        found = holder.execute(
            f"SELECT (pg_catalog.pg_control_system()).system_identifier::text || ' ' || ({timeline})::text".encode()
        ).fetchone()
        assert found is not None
        cluster = str(found[0])
    host = holder.info.host
    place = "local" if host.startswith("/") else f"{host} {holder.info.port}"
    return Seen(place, cluster, database, snapshot)


def incomparable(then: Seen, now: Seen) -> str | None:
    """Why transactions of ``then`` and ``now`` can't be compared; None where they can."""
    if not then.cluster or not now.cluster:
        return "the role may not read which cluster this is"
    if (then.place, then.database) != (now.place, now.database):
        return "the moment is of another database"
    if then.cluster != now.cluster:
        return "the moment is of another database cluster, or this one was restored or promoted since"
    if now.end < then.end:
        return "the database has gone back behind the moment"
    return None


def newer_sql(then: Seen, now: Seen, alias: str) -> str:
    """SQL that is true for every row of the table ``alias`` that may be newer than ``then``.

    ``now`` is what the transaction that evaluates it sees. Raises :class:`ValueError` where they can't be compared.
    """
    if (problem := incomparable(then, now)) is not None:
        raise ValueError(problem)
    if now.end - then.oldest >= _CYCLE:
        return "true"
    first, last = then.oldest % _CYCLE, now.end % _CYCLE
    number = f"{alias}.xmin::text::int8"
    if first <= last:
        return f"({number} BETWEEN {first} AND {last})"
    return f"({number} >= {first} OR {number} <= {last})"
