"""Rebuilds a live source in the embedded PostgreSQL, with its schema and rows, for attempts that the source must not
see.

The live database is read in one READ ONLY snapshot: its catalog, and rows by COPY. The connection ends before any
attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.pq import TransactionStatus

from supavex.errors import SupavexError
from supavex.files import write_whole
from supavex.mapping.convex_auth import SOURCES
from supavex.mapping.key_sql import key_text_sql
from supavex.mapping.plan import ALIAS, Plan, TablePlan
from supavex.postgres import server as servers
from supavex.postgres.budget import Budget, Limits
from supavex.postgres.catalog import Catalog
from supavex.postgres.connection import connect, quoted, read_failed
from supavex.postgres.definitions import access_statements, object_statements, own_schemas
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.programs import chosen_programs
from supavex.postgres.replay import prelude
from supavex.postgres.run_files import replay_files
from supavex.postgres.snapshot import exported
from supavex.rules.proof.catalogs import differences
from supavex.rules.proof.services import OF_USERS, Needed, asked_of, needed
from supavex.settings.settings import Settings
from supavex.temporary import temporary_folder

#: Up to this many rows of a table, all are copied. A table that rules query is always copied whole.
ROWS = 100_000
#: Triggers are off, and the source's functions find names through the search path.
_FILLING = {"session_replication_role": "replica", "search_path": "public, extensions"}
#: Differences between versions of Supabase's tables in parts that no user of the API writes.
_OF_VERSIONS = ("column ", "check ", "unique ", "foreign key ")

#: Tables with their own rows and their columns; for partitions, the partitioned table.
_LOADED = """
SELECT n.nspname, c.relname, c.relkind = 'p', pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname = ANY(%s)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
                  AND d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid)
GROUP BY n.nspname, c.relname, c.relkind ORDER BY 1, 2
"""
_UNPROVEN_CHECKS = """
SELECT conrelid::regclass::text, conname, pg_catalog.pg_get_constraintdef(oid)
FROM pg_catalog.pg_constraint WHERE contype = 'c' AND conrelid <> 0 AND NOT convalidated AND conislocal
"""
_COUNTERS = """
SELECT schemaname, sequencename, last_value FROM pg_catalog.pg_sequences
WHERE schemaname = ANY(%s) AND last_value IS NOT NULL
"""

#: The texts of the keys of the compared documents of a table; None if ids don't contain them.
Known = Callable[[TablePlan], Sequence[str] | None]


@dataclass(slots=True)
class Replica:
    """The rebuilt source."""

    #: The replica's address, as the owner of its tables.
    url: str
    #: The catalog of the replica.
    catalog: Catalog
    #: The number of copied rows.
    rows: int = 0
    #: Source tables (``schema.table``) with only some rows, and what is missing.
    partial: dict[str, str] = field(default_factory=dict)
    #: Other differences to the source, in words.
    not_tried: list[str] = field(default_factory=list)
    #: Checks that rows of the source break: the table, the name, and the definition with NOT VALID, each as SQL.
    broken: list[tuple[str, str, str]] = field(default_factory=list)
    #: Tables with differing definitions, and the difference.
    differences: list[tuple[str, str]] = field(default_factory=list)

    def holds(self, table: TablePlan) -> bool:
        """Whether the replica has the table."""
        return self.catalog.table(table.source.schema, table.source.name) is not None


@contextmanager
def replica(project: Settings, plan: Plan, known: Known) -> Iterator[Replica]:
    """A replica of the live source of ``project``, removed when the block ends."""
    assert project.database_url is not None
    chosen = chosen_programs(project.postgres_bin, project.root) if project.postgres_bin else None
    with temporary_folder("rules", "/tmp") as folder:
        folder.chmod(0o711)  # The embedded server may run as another user, who needs to pass through.
        database = folder / "database"
        try:
            with servers.running(database, bin_folder=chosen, script=prelude()) as server:
                with exported(project.database_url) as (_, live):
                    schemas = own_schemas(live, list(project.schemas))
                    also = list(SOURCES) if project.users.kind == "convex-auth" else []
                    file = folder / "live.sql"
                    write_whole(file, "".join(f"{one.strip()};\n" for one in object_statements(live, schemas, also)))
                    report = replay_files(server, [file], Limits(project.replay_gb, project.replay_minutes))
                    found = _filled_within(
                        server,
                        project,
                        lambda: _filled(server, live, plan, schemas, known, also),
                    )
                    there = inspect_catalog(live, list(project.schemas), also)
                with connect(server.url()) as made:
                    found.catalog = inspect_catalog(made, list(project.schemas), also)
                for table, detail in differences(there, found.catalog):
                    if table in also and detail.startswith(_OF_VERSIONS):
                        found.not_tried.append(f"{table}, which is of another version in the copy: {detail}")
                    else:
                        found.differences.append((table, detail))
                found.not_tried += [f"the copy of the source lacks a statement: {one.error}" for one in report.failed]
                found.not_tried += [f"in the copy of the source: {one.name}: {one.detail}" for one in report.stand_ins]
                yield found
        finally:
            servers.remove(database)


def _filled_within(server: servers.Server, project: Settings, fill: Callable[[], Replica]) -> Replica:
    """The result of ``fill``, if it takes no more disk and time than a replay of the project may."""
    with Budget(server, 0, Limits(project.replay_gb, project.replay_minutes)) as budget:
        try:
            found = fill()
        except (psycopg.Error, SupavexError):
            _check(budget)
            raise
        _check(budget)
    return found


def _check(budget: Budget) -> None:
    try:
        budget.check()
    except SupavexError as stopped:
        hint = "Set replay_gb or replay_minutes under [source] in supavex.toml, or try a smaller database."
        message = stopped.message.replace("The replay", "The copy of the source").replace("the files have", "it has")
        raise SupavexError(stopped.code, message, where=stopped.where, hint=hint) from None


def _filled(
    server: servers.Server,
    live: psycopg.Connection,
    plan: Plan,
    schemas: list[str],
    known: Known,
    also: Sequence[str] = (),
) -> Replica:
    """Copies the rows, and sets sequences forward.

    Checks, generated columns and views run functions of the source meanwhile. So the role is not the superuser: it is
    the role of the source's files, which reaches nothing of this machine.
    """
    found = Replica(server.url(), Catalog("", ()))
    asking, _ = asked_of(live, schemas, also)
    with connect(server.url(), settings=_FILLING) as made:
        unproven = made.execute(_UNPROVEN_CHECKS).fetchall()
        for table, name, _ in unproven:
            made.execute(f"ALTER TABLE {table} DROP CONSTRAINT {quoted(name)}".encode())
        _copy_users(live, made, found)
        _give_access(live, made, "auth.users", found)
        _copy_services(live, made, needed(live, made, asking, schemas, also), found)
        for schema, name, partitioned, columns in live.execute(_LOADED, (schemas,)).fetchall():
            planned = next((t for t in plan.tables if (t.source.schema, t.source.name) == (schema, name)), None)
            rows = _Rows(schema, name, partitioned, columns)
            if _is_longer(live, rows.place) and not any(text.names(name) for text in asking):
                keys = known(planned) if planned is not None and planned.key is not None else []
                if keys is not None:
                    _copy_some(live, made, rows, planned, keys, found)
                    continue
            _copy(live, made, rows.place, rows, found)
        for table, name, definition in [*unproven, *found.broken]:
            made.execute(f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}".encode())
        for schema, name, value in live.execute(_COUNTERS, (schemas,)).fetchall():
            sql = (
                "SELECT pg_catalog.setval(pg_catalog.to_regclass(%s), %s) WHERE pg_catalog.to_regclass(%s) IS NOT NULL"
            )
            made.execute(sql, (quoted(schema, name), value, quoted(schema, name)))
        for schema, name in live.execute(
            "SELECT schemaname, matviewname FROM pg_catalog.pg_matviews WHERE schemaname = ANY(%s)", (schemas,)
        ).fetchall():
            try:
                made.execute(f"REFRESH MATERIALIZED VIEW {quoted(schema, name)}".encode())
            except psycopg.Error as error:
                found.not_tried.append(f"the materialized view {schema}.{name} is empty in the copy: {_words(error)}")
        made.execute("ANALYZE")
    return found


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table to copy."""

    schema: str
    name: str
    partitioned: bool
    columns: list[str]

    @property
    def place(self) -> str:
        """The table in FROM; for a table with inheriting tables, only its own rows."""
        return f"{'' if self.partitioned else 'ONLY '}{quoted(self.schema, self.name)}"


def _is_longer(live: psycopg.Connection, place: str) -> bool:
    row = live.execute(f"SELECT count(*) > {ROWS} FROM (SELECT FROM {place} LIMIT {ROWS + 1}) AS t".encode()).fetchone()
    return bool(row and row[0])


def _copy_users(live: psycopg.Connection, made: psycopg.Connection, found: Replica) -> None:
    sql = (
        "SELECT attname FROM pg_catalog.pg_attribute "
        "WHERE attrelid = pg_catalog.to_regclass('auth.users') AND attgenerated = ''"
    )
    columns = [name for (name,) in live.execute(sql) if name in OF_USERS]
    if not columns:
        return
    rows = _Rows("auth", "users", False, columns)
    source = rows.place
    if _is_longer(live, source):
        source = f"(SELECT * FROM {source} ORDER BY id LIMIT {ROWS}) AS t"
        found.partial["auth.users"] = f"users of auth.users beyond the first {ROWS:,}"
        found.not_tried.append(found.partial["auth.users"])
    _copy(live, made, source, rows, found)


def _copy_services(
    live: psycopg.Connection, made: psycopg.Connection, wanted: Iterable[Needed], found: Replica
) -> None:
    """Copies the requested tables of Supabase. It records how they differ from the source."""
    for one in wanted:
        name = f"{one.schema}.{one.name}"
        if one.missing and one.reached:
            found.differences.append((name, one.missing))
        elif one.missing:
            found.not_tried.append(f"{name}: {one.missing}")
        if one.columns:
            rows = _Rows(one.schema, one.name, False, one.columns)
            _copy(live, made, rows.place, rows, found)
            _give_access(live, made, name, found)


def _give_access(live: psycopg.Connection, made: psycopg.Connection, table: str, found: Replica) -> None:
    """Gives a table of Supabase the row level security, policies and rights of the source."""
    for statement in access_statements(live, table):
        try:
            made.execute(statement.encode())
        except psycopg.errors.DuplicateObject:
            pass  # The policy was already made with the source's own tables.
        except psycopg.Error as error:
            found.differences.append((table, f"its rights can't be made anew: {_words(error)}: {statement}"))


def _copy_some(
    live: psycopg.Connection,
    made: psycopg.Connection,
    rows: _Rows,
    planned: TablePlan | None,
    keys: Sequence[str],
    found: Replica,
) -> None:
    """Copies the rows of some keys."""
    qualified = f"{rows.schema}.{rows.name}"
    said = f"rows of {qualified} beyond {len(keys):,}: it has more than {ROWS:,}" if keys else f"rows of {qualified}"
    found.partial[qualified] = f"{said}, and no rule asks for them by a subquery"
    found.not_tried.append(found.partial[qualified])
    if planned is None or planned.key is None or not keys:
        return
    listed = ", ".join("'" + key.replace("'", "''") + "'" for key in keys)
    where = f"{key_text_sql(planned.key, planned.key.own(ALIAS))} = ANY(ARRAY[{listed}])"
    _copy(live, made, f"(SELECT * FROM {rows.place} AS {ALIAS} WHERE {where}) AS t", rows, found)


def _copy(live: psycopg.Connection, made: psycopg.Connection, source: str, rows: _Rows, found: Replica) -> None:
    """Copies the result of ``source``. A table that refuses it is recorded as a difference."""
    columns = ", ".join(quoted(name) for name in rows.columns)
    read = f"COPY (SELECT {columns} FROM {source}) TO STDOUT"
    write = f"COPY {quoted(rows.schema, rows.name)} ({columns}) FROM STDIN"
    again = False
    with live.cursor().copy(read.encode()) as out:
        try:
            with made.cursor() as cursor:
                with cursor.copy(write.encode()) as into:
                    for block in out:
                        into.write(block)
                found.rows += max(cursor.rowcount, 0)
        except psycopg.Error as error:
            if made.closed:
                raise
            if live.closed or live.info.transaction_status == TransactionStatus.INERROR:
                if isinstance(error, psycopg.errors.InsufficientPrivilege):
                    raise
                raise read_failed(error, f"{rows.schema}.{rows.name}") from None
            for _ in out:
                pass
            again = isinstance(error, psycopg.errors.CheckViolation) and _set_aside(made, rows, error, found)
            if not again:
                found.differences.append((f"{rows.schema}.{rows.name}", f"its rows can't be copied: {_words(error)}"))
    if again:
        _copy(live, made, source, rows, found)


def _set_aside(made: psycopg.Connection, rows: _Rows, error: psycopg.Error, found: Replica) -> bool:
    """Drops a check that rows of the source break, until they are copied. Returns False for a check of a domain."""
    place, name = quoted(rows.schema, rows.name), error.diag.constraint_name or ""
    sql = "SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint WHERE conrelid = %s::regclass "
    row = made.execute(f"{sql} AND conname = %s AND contype = 'c' AND conislocal", (place, name)).fetchone()
    if row is None:
        return False
    made.execute(f"ALTER TABLE {place} DROP CONSTRAINT {quoted(name)}".encode())
    found.broken.append((place, name, f"{row[0].removesuffix(' NOT VALID')} NOT VALID"))
    found.not_tried.append(f"{rows.schema}.{rows.name}: rows of the source break the check {name}")
    return True


def _words(error: psycopg.Error) -> str:
    return error.diag.message_primary or type(error).__name__
