"""The transactions that a snapshot sees, kept after the snapshot's end, to find the rows that were written since.

A snapshot sees the transactions of PostgreSQL's ``pg_snapshot`` (manual, "Transaction ID and Snapshot Information
Functions"). Each row version names the transaction that wrote it in the system column ``xmin``. So an existing row was
written since the snapshot exactly if the snapshot does not see its ``xmin``. Two things stay unknown. A deleted row has
no ``xmin`` to read. And a ``pg_snapshot`` does not list subtransactions (a savepoint, an exception block) of
transactions that were running at the snapshot; each of the two rules below says how it treats them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace

import psycopg

from supavex.postgres.connection import literal, quoted, read_failed, without_password
from supavex.postgres.snapshot import Snapshot, exported

#: ``xmin`` has 32 bits, transactions count with 64.
_ROUND = 1 << 32
#: Transaction ids below this one are reserved by PostgreSQL. Their rows are older than any transaction.
_FIRST = 3


@dataclass(frozen=True, slots=True)
class Visibility:
    """The transactions, of one database, that a snapshot sees.

    Two SQL rules use it, and each errs to its own side. :meth:`unseen_sql` may miss a newer row (of a subtransaction),
    so that the proof never excuses a real difference. :meth:`newer_sql` may name a row that is not newer, so that no
    change is missed.
    """

    #: Host and port of the server; ``local`` for a socket.
    place: str
    #: The cluster's system identifier; empty if the role may not read it.
    cluster: str
    #: The cluster's timeline; empty if the role may not read it. A promotion, or a restore to an earlier time,
    #: begins a new timeline, on which transaction ids are used again.
    timeline: str
    #: When the server was started.
    started: str
    #: Object id and name. A restored copy of a database has the same name, but another id or cluster.
    database: str
    #: The transactions: a ``pg_snapshot`` as text.
    transactions: str
    #: When the snapshot was taken (ISO 8601, UTC).
    taken_at: str

    @classmethod
    def of(cls, connection: psycopg.Connection, taken_at: str) -> Visibility:
        """The visibility of the transaction on ``connection``."""
        row = connection.execute(
            "SELECT d.oid::text || ' ' || d.datname, pg_catalog.pg_current_snapshot()::text, "
            "pg_catalog.pg_postmaster_start_time()::text "
            "FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()"
        ).fetchone()
        assert row is not None
        database, transactions, started = row
        host = connection.info.host
        place = "local" if host.startswith("/") else f"{host} {connection.info.port}"
        cluster = system_identifier(connection)
        timeline = _timeline(connection) if cluster else ""
        return cls(place, cluster, timeline, started, database, transactions, taken_at)

    def to_json(self) -> dict[str, str]:
        """The fields by name, for a report."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Visibility | None:
        """The visibility of :meth:`to_json`; None for other data."""
        names = [field.name for field in fields(cls)]
        if not isinstance(data, Mapping) or not all(isinstance(data.get(name), str) for name in names):
            return None
        return cls(*(data[name] for name in names))

    @property
    def oldest(self) -> int:
        """The first transaction (64 bits) that may not have been finished."""
        return int(self.transactions.split(":")[0])

    @property
    def end(self) -> int:
        """The first transaction that had not begun."""
        return int(self.transactions.split(":")[1])

    def same_database(self, other: Visibility) -> bool:
        """Whether both belong to one database, as far as the role may read, even under other addresses."""
        return (self.cluster, self.database) == (other.cluster, other.database)

    def same_rows(self, other: Visibility) -> bool:
        """Whether both see the same rows. If the role may not read the cluster's identity, that holds until the server
        restarts.
        """
        known = bool(self.cluster and self.timeline)
        return replace(self, taken_at="", started="" if known else self.started) == replace(
            other, taken_at="", started="" if known else other.started
        )

    def incomparable(self, now: Visibility) -> str | None:
        """Why :meth:`newer_sql` can't compare these transactions with ``now``; None if it can."""
        if not (self.cluster and self.timeline and now.cluster and now.timeline):
            return "the role may not read which cluster this is"
        if (self.place, self.database) != (now.place, now.database):
            return "the baseline is of another database"
        if (self.cluster, self.timeline) != (now.cluster, now.timeline):
            return "the baseline is of another database cluster, or this one was restored or promoted since"
        if now.end < self.end:
            return "the database has gone back behind the baseline"
        return None

    def unseen_sql(self, alias: str) -> str:
        """SQL that is true for a row of the table ``alias`` only if this snapshot does not see it. Never NULL.

        It errs to the side of "seen": the row of a subtransaction, of a transaction that was running at the snapshot,
        counts as seen. ``xmin`` is extended to 64 bits as the latest number below the next transaction id. If that is
        more than half a round ago, the row is frozen: a frozen row keeps its old number when the ids wrap around.
        """
        xmin = f"{alias}.xmin::text::bigint"
        # A subquery is evaluated once and not for each row.
        upcoming = "(SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint)"
        back = f"(({upcoming} - {xmin}) & {_ROUND - 1})"
        full = f"({upcoming} - {back})::text::xid8"
        return (
            f"({xmin} >= {_FIRST} AND {back} BETWEEN 1 AND LEAST({_ROUND // 2}, {upcoming} - {_FIRST}) AND NOT "
            f"pg_catalog.pg_visible_in_snapshot({full}, {literal(self.transactions)}::pg_snapshot))"
        )

    def newer_sql(self, now: Visibility, alias: str) -> str:
        """SQL that is true for every row of the table ``alias`` that may be newer, and for few others.

        ``now`` is the visibility of the transaction that evaluates it. Raises :class:`ValueError` if the two can't be
        compared. It errs to the side of "newer": it is true for every row from the oldest transaction that was running
        at the snapshot, and so for their subtransactions. A row whose 32-bit id has been used again also counts as
        newer. Freezing and VACUUM FULL keep the visible ``xmin``.
        """
        if (problem := self.incomparable(now)) is not None:
            raise ValueError(problem)
        if now.end - self.oldest >= _ROUND:
            return "true"
        first, last = self.oldest % _ROUND, now.end % _ROUND
        number = f"{alias}.xmin::text::int8"
        if first <= last:
            return f"({number} BETWEEN {first} AND {last})"
        return f"({number} >= {first} OR {number} <= {last})"


def system_identifier(connection: psycopg.Connection) -> str:
    """The identifier of the database cluster; empty if the role may not read it. A standby has its primary's
    identifier.
    """
    row = connection.execute(
        "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
    ).fetchone()
    if row is None or not row[0]:
        return ""
    found = connection.execute("SELECT system_identifier::text FROM pg_catalog.pg_control_system()").fetchone()
    assert found is not None
    return str(found[0])


def _timeline(connection: psycopg.Connection) -> str:
    row = connection.execute(
        "SELECT pg_catalog.pg_is_in_recovery(), "
        "pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')"
    ).fetchone()
    assert row is not None
    standby, allowed = row
    if not allowed:
        return ""
    sql = (
        "(pg_catalog.pg_control_checkpoint()).timeline_id"
        if standby
        else "('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int"
    )
    found = connection.execute(f"SELECT ({sql})::text".encode()).fetchone()
    assert found is not None
    return str(found[0])


def has_versions(connection: psycopg.Connection, schema: str, table: str) -> bool:
    """Whether a table's rows name the transactions that wrote them. Rows of a view or a foreign table do not."""
    row = connection.execute(
        "SELECT c.relkind::text = ANY('{r,p,m}') FROM pg_catalog.pg_class AS c WHERE c.oid = %s::regclass",
        (quoted(schema, table),),
    ).fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class HeldSnapshot:
    """One snapshot of the source, the connection whose transaction holds it, and its visibility."""

    snapshot: Snapshot
    holder: psycopg.Connection
    visibility: Visibility

    @classmethod
    def of(cls, snapshot: Snapshot, holder: psycopg.Connection) -> HeldSnapshot:
        """The held snapshot of ``snapshot``, which the transaction of ``holder`` sees."""
        return cls(snapshot, holder, Visibility.of(holder, snapshot.taken_at))


@contextmanager
def held_snapshot(url: str) -> Iterator[HeldSnapshot]:
    """A snapshot of the database at ``url``, held until the block ends.

    Raises ``ReadFailed`` with PostgreSQL's reason if PostgreSQL refuses a statement inside the block.
    """
    try:
        with exported(url) as (snapshot, holder):
            yield HeldSnapshot.of(snapshot, holder)
    except psycopg.Error as error:
        raise read_failed(error, without_password(url), "Nothing was changed: run the command again.") from None
