"""The result of a replay: the statements that ran, those that PostgreSQL refused, and those that were not run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

#: The purpose of a statement: it creates a table that stays, changes rows (INSERT, UPDATE, DELETE, MERGE, TRUNCATE,
#: COPY FROM), is a block of code (DO, CALL) with unknown effects, ends a transaction, or anything else.
StatementKind = Literal["create table", "data", "code", "transaction", "other"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A statement that PostgreSQL refused."""

    #: The file, as reports show it.
    file: str
    #: The line of the file where the statement begins, from 1.
    line: int
    #: PostgreSQL's message, with its detail in parentheses.
    error: str
    #: PostgreSQL's error code; empty if supavex itself refuses the statement.
    sqlstate: str = ""
    #: The kind of the statement; ``code`` is DO, CALL or EXECUTE.
    kind: StatementKind = "other"
    #: The statement's node in PostgreSQL's grammar: ``CreateStmt``, ``IndexStmt``, ``GrantStmt``. Empty if it is not
    #: SQL.
    node: str = ""
    #: Tables that the statement names, as ``schema.name``; the created or changed table comes first.
    tables: tuple[str, ...] = ()
    #: Of ALTER TABLE: the columns that it adds or renames, by the names that they would have in the end.
    columns: tuple[str, ...] = ()
    #: The words for a statement that can change neither a table of the project nor its rows; empty for others.
    harmless: str = ""


@dataclass(frozen=True, slots=True)
class NotRun:
    """A file that was not run, or a psql command that was not run (``file`` is then ``file:line``), and the reason."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A table that is missing after all files have run, and the statement that failed to create it or that needs it."""

    #: ``schema.name``, with the last name of the table.
    table: str
    #: The file of that statement, as reports show it.
    file: str
    #: The line of the file, from 1.
    line: int
    #: PostgreSQL's reason.
    error: str
    #: Whether a file creates the table. Otherwise statements need it, and no file creates it.
    made: bool = True
    #: If no file creates the table: whether it must be a table, or may be a view.
    certain: bool = True


@dataclass(frozen=True, slots=True)
class StandIn:
    """A replacement for something that files need and that the embedded PostgreSQL does not have."""

    #: ``extension``, ``version``, ``type``, ``function``, ``column`` or ``constraint``.
    kind: str
    #: Its name: ``postgis``, ``public.geometry``, ``places.location``.
    name: str
    #: A sentence that says what replaces it.
    detail: str
    #: The uses, as ``file:line``, in the order of the files.
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a replay."""

    #: The number of files that ran.
    files: int
    #: The number of statements that ran.
    statements: int
    #: The statements that PostgreSQL refused.
    failed: tuple[Failure, ...] = ()
    #: The files and psql commands that were not run.
    not_run: tuple[NotRun, ...] = ()
    #: Statements that failed at first and worked when they ran again after all files, with the first error.
    out_of_order: tuple[Failure, ...] = ()
    #: CREATE TABLE statements that only worked without foreign keys to tables that no file creates.
    without_foreign_keys: tuple[Failure, ...] = ()
    #: Remarks on how the files were run, each one sentence.
    notes: tuple[str, ...] = ()
    #: Tables that are missing in the end.
    lost: tuple[Loss, ...] = ()
    #: Replacements for what the embedded PostgreSQL does not have.
    stand_ins: tuple[StandIn, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report for ``inspect --json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        """The report of :meth:`to_json`. Raises KeyError, TypeError or ValueError if ``data`` is not such a report."""
        return cls(
            data["files"],
            data["statements"],
            _failures(data["failed"]),
            tuple(NotRun(**item) for item in data["not_run"]),
            _failures(data["out_of_order"]),
            _failures(data["without_foreign_keys"]),
            tuple(data["notes"]),
            tuple(Loss(**item) for item in data["lost"]),
            tuple(StandIn(**{**item, "places": tuple(item["places"])}) for item in data["stand_ins"]),
        )


def _failures(items: list[dict[str, Any]]) -> tuple[Failure, ...]:
    failures = tuple(
        Failure(**{**item, "tables": tuple(item["tables"]), "columns": tuple(item["columns"])}) for item in items
    )
    if any(failure.kind not in get_args(StatementKind) for failure in failures):
        raise ValueError("a kind of statement that is not known")
    return failures
