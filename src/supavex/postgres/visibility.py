"""What a snapshot sees, kept after its end: which of the rows that are there now were written since.

A snapshot sees the transactions that PostgreSQL's ``pg_snapshot`` says (its manual, "Transaction ID and Snapshot
Information Functions"), and each row version names the transaction that wrote it in the system column ``xmin``. So a
row that is there now was written since exactly if its ``xmin`` is of a transaction that the snapshot did not see. What
this can't tell: a deleted row is not there to ask. And the list of a snapshot names no subtransactions (a savepoint, an
exception block) of a transaction that was running at the snapshot: each of the two rules says what it makes of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace

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
    """What a snapshot sees: which transactions, of which database.

    Two SQL rules use it, and each errs to its own side: :meth:`unseen_sql` may miss a row that is newer (one that a
    subtransaction wrote), so the proof explains no difference by it that is none; :meth:`newer_sql` may name a row that
    is not newer, so no change is overlooked.
    """

    #: Host and port of the server; ``local`` for a socket.
    place: str
    #: The cluster's system identifier; empty where the role may not read it.
    cluster: str
    #: The cluster's timeline; empty where the role may not read it. A promotion, and a restore to an earlier time,
    #: begin one, and give ids of transactions out again on it.
    timeline: str
    #: When the server was started.
    started: str
    #: Object id and name. A restored copy of a database has the same name, and another id or cluster.
    database: str
    #: The transactions: a ``pg_snapshot`` as text.
    transactions: str
    #: When the snapshot was taken (ISO 8601, UTC).
    taken_at: str

    @classmethod
    def of(cls, connection: psycopg.Connection, taken_at: str) -> Visibility:
        """What the snapshot of the transaction on ``connection`` sees."""
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
        """The fields by name, as a report keeps them."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Visibility | None:
        """The visibility that :meth:`to_json` gave; None for anything else."""
        names = [field.name for field in fields(cls)]
        if not isinstance(data, Mapping) or not all(isinstance(data.get(name), str) for name in names):
            return None
        return cls(*(data[name] for name in names))

    @property
    def oldest(self) -> int:
        """The first transaction (64 bits) that was not finished for sure."""
        return int(self.transactions.split(":")[0])

    @property
    def end(self) -> int:
        """The first transaction that had not begun."""
        return int(self.transactions.split(":")[1])

    def same_database(self, other: Visibility) -> bool:
        """Whether both are of one database, as far as the role may tell, whatever the server's address."""
        return (self.cluster, self.database) == (other.cluster, other.database)

    def same_rows(self, other: Visibility) -> bool:
        """Whether both see the same rows. Of a cluster that the role may not tell, only until the server's restart."""
        known = bool(self.cluster and self.timeline)
        return replace(self, taken_at="", started="" if known else self.started) == replace(
            other, taken_at="", started="" if known else other.started
        )

    def incomparable(self, now: Visibility) -> str | None:
        """Why :meth:`newer_sql` can't compare these transactions with those of ``now``; None where it can."""
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

        It errs to the side of "seen": a subtransaction's row, of a transaction that was running at the snapshot, counts
        as seen. ``xmin`` is made a number of 64 bits, as the latest before the next one that is given out. One that
        would be half a round back is a frozen row's, which keeps its number when that has come round.
        """
        xmin = f"{alias}.xmin::text::bigint"
        # In a query of its own, it is asked once and not for each row.
        upcoming = "(SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint)"
        back = f"(({upcoming} - {xmin}) & {_ROUND - 1})"
        full = f"({upcoming} - {back})::text::xid8"
        return (
            f"({xmin} >= {_FIRST} AND {back} BETWEEN 1 AND LEAST({_ROUND // 2}, {upcoming} - {_FIRST}) AND NOT "
            f"pg_catalog.pg_visible_in_snapshot({full}, {literal(self.transactions)}::pg_snapshot))"
        )

    def newer_sql(self, now: Visibility, alias: str) -> str:
        """SQL that is true for every row of the table ``alias`` that may be newer, and for few others.

        ``now`` is what the transaction that evaluates it sees. Raises :class:`ValueError` where they can't be compared.
        It errs to the side of "newer": it holds for every row of a transaction from the oldest one on that was running
        at the snapshot, so that those of subtransactions are in it. A row of 32 bits that came round again passes for
        newer, too. Freezing and VACUUM FULL keep what ``xmin`` shows.
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
    """The identifier of the database cluster; empty where the role may not read it. A standby has its primary's."""
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
    """Whether the rows of a table name the transactions that wrote them: not those of a view or a foreign table."""
    row = connection.execute(
        "SELECT c.relkind::text = ANY('{r,p,m}') FROM pg_catalog.pg_class AS c WHERE c.oid = %s::regclass",
        (quoted(schema, table),),
    ).fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class HeldSnapshot:
    """One snapshot of the source, the connection whose transaction holds it, and what it sees."""

    snapshot: Snapshot
    holder: psycopg.Connection
    visibility: Visibility

    @classmethod
    def of(cls, snapshot: Snapshot, holder: psycopg.Connection) -> HeldSnapshot:
        """``snapshot``, which the transaction of ``holder`` sees."""
        return cls(snapshot, holder, Visibility.of(holder, snapshot.taken_at))


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
