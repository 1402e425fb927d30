"""``supavex restore``: writes the documents of a snapshot archive into the source's tables in another database.

It is one transaction: all rows are written, or none. PostgreSQL reads its own text (COPY) and checks every constraint.
Triggers are disabled meanwhile, so that they don't change the restored rows. See :mod:`supavex.postgres.loading`.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import psycopg

from supavex.callbacks import Progress
from supavex.convex.values import Document
from supavex.errors import SupavexError, UsageError
from supavex.mapping.convex_auth import SOURCES
from supavex.mapping.key_sql import key_text_sql
from supavex.mapping.plan import ALIAS, Plan, TablePlan
from supavex.migrate.restore.rows import ColumnOrigin, ExistingRows, FileContents, Note, RowReader
from supavex.migrate.target.documents import Documents
from supavex.migrate.target.matching import match_documents
from supavex.postgres.catalog import Catalog
from supavex.postgres.connection import connect, quoted, without_password
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.loading import Loading
from supavex.postgres.rounding import rounded, rounding
from supavex.postgres.same_database import same_database
from supavex.postgres.snapshot import exported
from supavex.text import counted

#: Documents that are read, and whose references are looked up, at once.
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class RestoredTable:
    """The result for one table."""

    #: The PostgreSQL table, ``schema.name``.
    source: str
    #: The Convex table.
    target: str
    #: The number of rows that were written.
    rows: int
    #: By column, the values that the column rounds.
    rounded: dict[str, int]
    #: By column, the values that equal the field's default, which the copy also writes for NULL.
    maybe_null: dict[str, int]
    #: By column, the ids that became NULL, because neither the id file nor the target knows them.
    unknown: dict[str, int]
    #: By field, the values that no column takes.
    untaken: dict[str, int]


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore: each table, and notes on what was not restored or is changed."""

    tables: list[RestoredTable]
    notes: list[Note]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``restore --json``."""
        tables = [
            {
                "source": t.source,
                "target": t.target,
                "rows": t.rows,
                "rounded": t.rounded,
                "maybeNull": t.maybe_null,
                "unknown": t.unknown,
                "untaken": t.untaken,
            }
            for t in self.tables
        ]
        return {
            "ok": True,
            "seconds": round(self.seconds, 3),
            "tables": tables,
            "notes": [asdict(note) for note in self.notes],
        }


def restore(
    plan: Plan,
    documents: Documents,
    url: str,
    *,
    replace: bool = False,
    progress: Progress = lambda table, done, estimate: None,
    stored: FileContents = lambda id_: None,
) -> Restored:
    """Writes ``documents`` into the tables at ``url`` from which ``plan`` copied them. Memory does not grow with their
    number.

    ``stored`` gives the files of large values. Raises :class:`~supavex.errors.SupavexError` before it writes if this is
    the plan's source, if a table or column is missing, if a table has rows (unless ``replace``, which empties those
    tables first), or if a column without an origin can't be left out. If PostgreSQL refuses a row, it undoes everything
    and raises.
    """
    started = time.monotonic()
    connection = connect(url, autocommit=False)
    try:
        _check_other_database(plan, connection, url)
        return _Restore(plan, documents, connection, stored, url).run(replace, progress, started)
    except psycopg.errors.InsufficientPrivilege as error:
        raise SupavexError(
            "PermissionDenied",
            f"PostgreSQL refuses to write: {error.diag.message_primary}",
            where=without_password(url),
            hint="Connect as the owner of the tables (Supabase: the role postgres).",
            exit_code=2,
        ) from None
    except psycopg.Error as error:
        raise _refused(error, without_password(url)) from None
    finally:
        connection.close()


def _check_other_database(plan: Plan, connection: psycopg.Connection, url: str) -> None:
    """Raises if ``connection`` (to ``url``) leads to the project's source, or may do so, even by another address."""
    source = plan.project.database_url
    if source is None:
        return  # The source is files, which no restore can change.
    with exported(source) as (_, holder):
        same = same_database(holder, connection)
    if same:
        raise UsageError(
            "RestoreIntoSource",
            "this database is the project's source.",
            where=without_password(url),
            hint="Restore into another one that has the same tables.",
        )
    if same is None:
        raise UsageError(
            "MaybeTheSource",
            "the project's source is a standby (a read replica), and this database may be the one that it follows.",
            where=without_password(url),
            hint="Have database_url in supavex.toml name the source's primary: then the two can be told apart.",
        )


class _Restore:
    def __init__(
        self, plan: Plan, documents: Documents, connection: psycopg.Connection, stored: FileContents, url: str
    ) -> None:
        self.plan, self.documents, self.connection, self.stored, self.url = plan, documents, connection, stored, url
        self.numbers = documents.table_numbers()
        self.rounded: dict[str, Counter[str]] = {}
        #: By table, the number of its documents that are rows of inheriting tables.
        self.heirs: dict[str, int] = {}
        self.wanted = [t for t in plan.moving if t.target in self.numbers and t.name not in SOURCES]
        self.notes = [
            Note(table.name, "", "left", _why_left(table)) for table in plan.tables if table not in self.wanted
        ]
        if not self.wanted:
            raise UsageError("NothingToRestore", "the archive holds none of the tables that this project moves.")

    def run(self, replace: bool, progress: Progress, started: float) -> Restored:
        catalog = inspect_catalog(self.connection, sorted({table.source.schema for table in self.plan.tables}))
        # Functions in checks and generated columns expect the database's own search path.
        self.connection.execute("RESET search_path")
        self._read_money_as_decimals()
        with (
            RowReader(self.plan, self.documents, self._existing(catalog), self.stored) as rows,
            # COPY occupies the first connection.
            closing(connect(self.url)) as beside,
        ):
            origins = self._origins(rows, catalog)
            tables = {_name(table): table for table in self.wanted if origins[table.name]}
            loading = Loading(self.connection, list(tables))
            filled = loading.filled()
            if filled and not replace:
                raise UsageError(
                    "TableNotEmpty",
                    f"there are rows already in {', '.join(tables[name].name for name in filled)}.",
                    hint="Empty these tables, or let --replace do it.",
                )
            loading.begin()
            loading.empty(filled)
            for name in loading.order:
                table, own = tables[name], origins[tables[name].name]
                into = (
                    loading.begin_apart(name, [origin.column for origin in own]) if name in loading.inherited else name
                )
                self._load(rows, table, own, into, _Rounding(beside, name, own), progress)
                if into != name:
                    self._add_own(loading, table, own)
            for unread in loading.finish():
                reason = f"its default reads the sequence {unread.sequence}, which stays as it is: set it by setval()"
                self.notes.append(Note(tables[unread.table].name, unread.column, "sequence", reason))
            self.connection.commit()
            restored = [self._restored(rows, table) for table in tables.values()]
        return Restored(restored, self.notes, time.monotonic() - started)

    def _read_money_as_decimals(self) -> None:
        """Makes money read a decimal point, if the database counts cents, so that the amount stays the same."""
        cents = "SELECT 0.01::numeric::money::numeric = 0.01 AND 0.001::numeric::money::numeric = 0"
        row = self.connection.execute(cents).fetchone()
        if row is not None and row[0]:
            self.connection.execute("SET LOCAL lc_monetary = 'C'")

    def _existing(self, catalog: Catalog) -> dict[str, ExistingRows]:
        """The rows for the documents of existing tables: the rows of this database that match them."""
        found: dict[str, ExistingRows] = {}
        for table in self.plan.tables:
            there = catalog.table(table.source.schema, table.source.name)
            if table.status != "existing" or table.key is None or table.target not in self.numbers or there is None:
                continue
            ids, _ = match_documents(self.connection, table, self.documents.documents(table.target))
            names = [column.name for column in there.columns]
            texts = [
                key_text_sql(table.key, table.key.own(ALIAS)),
                *(f"{ALIAS}.{quoted(name)}::text" for name in names),
            ]
            sql = f"SELECT {', '.join(texts)} FROM {_name(table)} AS {ALIAS}"
            rows = self.connection.execute(sql.encode())
            found[table.target] = {ids[key]: dict(zip(names, row, strict=True)) for key, *row in rows if key in ids}
        return found

    def _origins(self, rows: RowReader, catalog: Catalog) -> dict[str, list[ColumnOrigin]]:
        """The origin of every column, by table. Raises, naming all of them, if the database lacks something that they
        need.
        """
        result: dict[str, list[ColumnOrigin]] = {}
        missing: list[str] = []
        unfilled: list[str] = []
        for table in self.wanted:
            there = catalog.table(table.source.schema, table.source.name)
            if there is None:
                missing.append(f"the table {table.name}")
                continue
            origins, notes = rows.origins(table)
            missing += [
                f"the column {table.name}.{origin.column}" for origin in origins if there.column(origin.column) is None
            ]
            made = {column.name for column in there.columns if column.generated}
            result[table.name] = [origin for origin in origins if origin.column not in made]
            self.notes += notes
            if not origins:
                self.notes.append(Note(table.name, "", "left", "none of its columns can be taken back"))
                continue
            reasons = {note.column: note.reason for note in notes if note.kind == "left"}
            written = {origin.column for origin in origins} | made
            for column in there.columns:
                filled = column.nullable or column.default is not None or column.identity
                if column.name not in written and not filled and self.documents.count(table.target):
                    reason = reasons.get(column.name, "the source has no such column")
                    unfilled.append(f"{table.name}.{column.name} ({reason})")
        if missing:
            raise UsageError(
                "TargetLacks",
                f"this database lacks {', '.join(missing)}.",
                hint="Run the project's migrations there first: restore writes rows and makes no tables.",
            )
        if unfilled:
            raise UsageError(
                "CannotBeLeft",
                f"nothing gives these columns a value: {', '.join(unfilled)}.",
                hint="Give them a default there, or drop their NOT NULL until you have filled them.",
            )
        return result

    def _load(
        self,
        rows: RowReader,
        table: TablePlan,
        origins: list[ColumnOrigin],
        into: str,
        near: _Rounding,
        progress: Progress,
    ) -> None:
        names = ", ".join(quoted(origin.column) for origin in origins)
        done, count = 0, self.documents.count(table.target)
        self.rounded[table.name] = near.counts
        try:
            # COPY writes identity columns as INSERT with OVERRIDING SYSTEM VALUE does.
            sql = f"COPY {into} ({names}) FROM STDIN"
            with self.connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
                for documents in _batches(self.documents.documents(table.target)):
                    for row in rows.texts(table, origins, documents):
                        copy.write_row(row)
                        near.add(row)
                    near.count()
                    done += len(documents)
                    progress(table.name, done, count)
        except psycopg.errors.InsufficientPrivilege:
            raise
        except psycopg.Error as error:
            raise _refused(error, self._place(table, error)) from None

    def _add_own(self, loading: Loading, table: TablePlan, origins: list[ColumnOrigin]) -> None:
        """Of the rows that were loaded separately, keeps those that no inheriting table has."""
        columns = [origin.column for origin in origins]
        key = [] if table.key is None else list(table.key.columns)
        try:
            left = loading.add_own(_name(table), columns, key if key and set(key) <= set(columns) else columns)
        except psycopg.errors.InsufficientPrivilege:
            raise
        except psycopg.Error as error:
            raise _refused(error, table.name) from None
        self.heirs[table.name] = left
        if left:
            reason = f"{counted(left, 'document')} of it came back as rows of tables that inherit from it"
            self.notes.append(Note(table.name, "", "left", reason))

    def _place(self, table: TablePlan, error: psycopg.Error) -> str:
        """The column and the document of a row that PostgreSQL refuses. The line number in its message is the
        document's number.
        """
        context = error.diag.context or ""
        line, column = re.search(r"\bline (\d+)", context), re.search(r", column ([^:]+)", context)
        place = f"{table.name}.{column[1]}" if column else table.name
        if line is None:
            return place
        document = next(islice(self.documents.documents(table.target), int(line[1]) - 1, None), None)
        return place if document is None else f"{place} {table.target} {document['_id']}"

    def _restored(self, rows: RowReader, table: TablePlan) -> RestoredTable:
        counts = rows.counts[table.name]
        kinds = (self.rounded[table.name], counts.maybe_null, counts.unknown, counts.untaken)
        written = self.documents.count(table.target) - self.heirs.get(table.name, 0)
        return RestoredTable(table.name, table.target, written, *(dict(sorted(kind.items())) for kind in kinds))


class _Rounding:
    """Counts the values that the columns of the table ``name`` round, some rows at a time."""

    def __init__(self, connection: psycopg.Connection, name: str, origins: list[ColumnOrigin]) -> None:
        self._connection = connection
        checks = rounding(connection, name)
        # Values that may be in files are texts and bytes, which are large and never rounded.
        places = [n for n, origin in enumerate(origins) if origin.column in checks and origin.file is None]
        self._places, self._checks = places, {origins[n].column: checks[origins[n].column] for n in places}
        self._rows: list[list[str | None]] = []
        self.counts: Counter[str] = Counter()

    def add(self, row: Sequence[str | None]) -> None:
        """A row's texts."""
        if self._places:
            self._rows.append([row[place] for place in self._places])

    def count(self) -> None:
        """Counts the rows that were added."""
        if self._rows:
            self.counts.update(rounded(self._connection, self._checks, self._rows))
            self._rows = []


def _name(table: TablePlan) -> str:
    return table.source.sql_name


def _why_left(table: TablePlan) -> str:
    if table.name in SOURCES:
        return "Supabase Auth makes its users itself"
    if table.status == "mapped":
        return f"the archive does not hold {table.target}"
    if table.status == "existing":
        return f"{table.target} was in Convex before; its rows never moved"
    return f"skipped: {table.rule.skip}" if table.status == "skipped" else "no Convex table stands for it"


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _refused(error: psycopg.Error, where: str) -> SupavexError:
    words = error.diag.message_primary or str(error).strip() or type(error).__name__
    if error.diag.table_name and not error.diag.context:
        where = f"{error.diag.schema_name}.{error.diag.table_name}"
    detail = f" ({error.diag.message_detail.rstrip('.')})" if error.diag.message_detail else ""
    return SupavexError(
        "RestoreRefused",
        f"PostgreSQL refuses the rows: {words}{detail}.",
        where=where,
        hint="Nothing was written. Correct the document, or the table it goes to, and run the command again.",
        retryable=isinstance(error, psycopg.OperationalError),
    )
