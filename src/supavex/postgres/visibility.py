"""What a snapshot saw, kept after its end: which of the rows that are there now were written since.

A snapshot sees the transactions that PostgreSQL's ``pg_snapshot`` says (its manual, "Transaction ID and Snapshot
Information Functions"), and each row version names the transaction that wrote it in the system column ``xmin``. So a
row that is there now was written since exactly if its ``xmin`` is of a transaction that the snapshot did not see. What
this can't tell: a deleted row is not there to ask. And the list of a snapshot names no subtransactions: a row that one
wrote (a savepoint, an exception block), of a transaction that was running at that moment, counts as seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import psycopg

from supavex.errors import SupavexError
from supavex.postgres.connection import literal, quoted, without_password
from supavex.postgres.snapshot import Snapshot, exported

#: ``xmin`` has 32 bits, transactions count with 64.
_ROUND = 1 << 32
#: Transaction ids below this one are PostgreSQL's own: their rows are older than any transaction.
_FIRST = 3


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a snapshot sees: ``transactions`` (a ``pg_snapshot`` as text) of ``database``."""

    database: str
    transactions: str
    taken_at: str

    def to_json(self) -> dict[str, str]:
        """As a report keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Visibility | None:
        """What :meth:`to_json` gave; None for anything else."""
        names = ("database", "transactions", "taken_at")
        if not isinstance(data, Mapping) or not all(isinstance(data.get(name), str) for name in names):
            return None
        return cls(*(data[name] for name in names))


def visibility(connection: psycopg.Connection, taken_at: str) -> Visibility:
    """What the snapshot of the transaction on ``connection`` sees."""
    row = connection.execute("SELECT pg_catalog.pg_current_snapshot()::text").fetchone()
    assert row is not None
    return Visibility(database_identity(connection), row[0], taken_at)


def database_identity(connection: psycopg.Connection) -> str:
    """What tells this database from every other: a restored copy of it has the same name, and counts anew."""
    row = connection.execute(
        "SELECT d.oid::text || ' ' || d.datname, "
        "pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') "
        "FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()"
    ).fetchone()
    assert row is not None
    name, allowed = row
    if not allowed:
        return str(name)
    cluster = connection.execute("SELECT system_identifier::text FROM pg_catalog.pg_control_system()").fetchone()
    assert cluster is not None
    return f"{cluster[0]} {name}"


def unseen_sql(seen: Visibility, alias: str) -> str:
    """SQL: whether the row called ``alias`` was written by a transaction that ``seen`` does not see. Never NULL.

    ``xmin`` is made a number of 64 bits, as the latest before the next one that is given out. One that would be half a
    round back is a frozen row's, which keeps its number when that has come round.
    """
    xmin = f"{alias}.xmin::text::bigint"
    # In a query of its own, it is asked once and not for each row.
    upcoming = "(SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint)"
    back = f"(({upcoming} - {xmin}) & {_ROUND - 1})"
    full = f"({upcoming} - {back})::text::xid8"
    return (
        f"({xmin} >= {_FIRST} AND {back} BETWEEN 1 AND LEAST({_ROUND // 2}, {upcoming} - {_FIRST}) AND NOT "
        f"pg_catalog.pg_visible_in_snapshot({full}, {literal(seen.transactions)}::pg_snapshot))"
    )


def has_versions(connection: psycopg.Connection, schema: str, table: str) -> bool:
    """Whether the rows of a table name the transactions that wrote them: not those of a view or a foreign table."""
    row = connection.execute(
        "SELECT c.relkind::text = ANY('{r,p,m}') FROM pg_catalog.pg_class AS c WHERE c.oid = %s::regclass",
        (quoted(schema, table),),
    ).fetchone()
    return bool(row and row[0])


def unchanged(connection: psycopg.Connection, seen: Visibility) -> bool:
    """Whether the transaction on ``connection`` sees what ``seen`` did: nothing at all was written in between."""
    row = connection.execute("SELECT pg_catalog.pg_current_snapshot()::text").fetchone()
    return row is not None and row[0] == seen.transactions


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
    """SQL that is true for every row of the table ``alias`` that may be newer than ``then``, and for few others.

    ``now`` is what the transaction that evaluates it sees. Raises :class:`ValueError` where they can't be compared.
    Where :func:`unseen_sql` errs to the side of "seen", this errs to that of "newer": it holds for every row of a
    transaction from the oldest one on that was running at the snapshot, so that those of subtransactions are in it.
    A row of 32 bits that came round again passes for newer, too. Freezing and VACUUM FULL keep what ``xmin`` shows.
    """
    if (problem := incomparable(then, now)) is not None:
        raise ValueError(problem)
    if now.end - then.oldest >= _ROUND:
        return "true"
    first, last = then.oldest % _ROUND, now.end % _ROUND
    number = f"{alias}.xmin::text::int8"
    if first <= last:
        return f"({number} BETWEEN {first} AND {last})"
    return f"({number} >= {first} OR {number} <= {last})"


@dataclass(frozen=True, slots=True)
class HeldSnapshot:
    """One snapshot of the source, the connection whose transaction holds it, and what it sees."""

    snapshot: Snapshot
    holder: psycopg.Connection
    seen: Seen

    @classmethod
    def of(cls, snapshot: Snapshot, holder: psycopg.Connection) -> HeldSnapshot:
        """``snapshot``, which the transaction of ``holder`` sees."""
        return cls(snapshot, holder, seen(holder))


@contextmanager
def held_snapshot(url: str) -> Iterator[HeldSnapshot]:
    """A snapshot of the database at ``url``, held until the block ends.

    Raises ``ReadFailed`` with PostgreSQL's reason where PostgreSQL refuses a statement inside the block.
    """
    try:
        with exported(url) as (snapshot, holder):
            yield HeldSnapshot.of(snapshot, holder)
    except psycopg.Error as error:
        reason = error.diag.message_primary or (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SupavexError(
            "ReadFailed",
            f"PostgreSQL stopped the read: {reason}",
            where=without_password(url),
            hint="Nothing was changed: run the command again.",
            retryable=True,
        ) from None


@dataclass(frozen=True, slots=True)
class Moment:
    """What a snapshot sees: of which database of which cluster (one made anew counts anew), and which transactions."""

    database: str
    visible: str
    taken_at: str
    snapshot: str

    @classmethod
    def of(cls, snapshot: Snapshot, holder: psycopg.Connection) -> Moment:
        """The moment of the snapshot that ``holder`` holds."""
        now = seen(holder)
        cluster = now.cluster
        if not cluster:
            # Of a cluster that may not be known, it is one moment only as long as the server runs.
            row = holder.execute("SELECT pg_catalog.pg_postmaster_start_time()::text").fetchone()
            assert row is not None
            cluster = f"since {row[0]}"
        return cls(f"{now.place} {cluster} {now.database}", now.snapshot, snapshot.taken_at, snapshot.name)

    def same(self, other: Moment) -> bool:
        """Whether both see the same rows."""
        return (self.database, self.visible) == (other.database, other.visible)
