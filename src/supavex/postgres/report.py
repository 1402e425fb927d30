"""What a replay of files did: what ran, what PostgreSQL refused, and what was not run at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

#: What a statement was for: it creates a table that stays, changes rows (INSERT, UPDATE, DELETE, MERGE, TRUNCATE,
#: COPY FROM), is a block of code (DO, CALL) whose effects its text does not say, ends a transaction, or anything else.
StatementKind = Literal["create table", "data", "code", "transaction", "other"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A statement that PostgreSQL refused."""

    #: The file as reports show it, and the line (from 1) where the statement begins.
    file: str
    line: int
    #: PostgreSQL's message, with its detail in parentheses.
    error: str
    #: PostgreSQL's error code; empty where supavex itself refuses the statement.
    sqlstate: str = ""
    kind: StatementKind = "other"
    #: The statement's node in PostgreSQL's grammar: ``CreateStmt``, ``IndexStmt``, ``GrantStmt``; empty for no SQL.
    node: str = ""
    #: Tables that the statement names, as ``schema.name``; the created or changed table comes first.
    tables: tuple[str, ...] = ()
    #: Of ALTER TABLE: the columns that it adds or renames, by the names that they would have in the end.
    columns: tuple[str, ...] = ()
    #: The words for a statement that can change neither a table of the project nor its rows; else empty.
    harmless: str = ""


@dataclass(frozen=True, slots=True)
class NotRun:
    """A file that was not run, or a psql command that was not followed (then ``file`` is ``file:line``), and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A table that is not there when all files have run, and the statement that failed to make it, or for its want."""

    #: ``schema.name``, by the name that the table would have in the end.
    table: str
    file: str
    line: int
    #: PostgreSQL's reason.
    error: str
    #: Whether a file makes it; else it is a base table, which statements need and no file makes.
    made: bool = True
    #: Of a base table: whether it must be a table; else it may be a view.
    certain: bool = True


@dataclass(frozen=True, slots=True)
class StandIn:
    """Something that files asked for and that the embedded PostgreSQL does not have."""

    #: ``extension``, ``version``, ``type``, ``function`` or ``column``.
    kind: str
    #: Its name: ``postgis``, ``public.geometry``, ``places.location``.
    name: str
    #: What took its place, one sentence.
    detail: str
    #: Where it was used, as ``file:line``, in the order of the files.
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay did: files and statements run, and those that failed."""

    files: int
    statements: int
    failed: tuple[Failure, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    #: Statements that failed in their place and worked when they were retried after all files, with the first reason.
    out_of_order: tuple[Failure, ...] = ()
    #: CREATE TABLE statements that worked only without foreign keys to tables that no file makes.
    without_foreign_keys: tuple[Failure, ...] = ()
    #: Remarks on how the files were run, each one sentence.
    notes: tuple[str, ...] = ()
    #: Tables that are not there in the end.
    lost: tuple[Loss, ...] = ()
    #: What stood in for something that the embedded PostgreSQL does not have.
    stand_ins: tuple[StandIn, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As ``inspect --json`` shows it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Report:
        """The report of :meth:`to_json`. Raises KeyError, TypeError or ValueError where ``data`` is none."""
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
