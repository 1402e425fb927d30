"""What a file's transactions leave: which of its failures and settings stand when it commits or rolls back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from supavex.postgres.file_session import Refusal
from supavex.postgres.report import NotRun
from supavex.postgres.role_settings import Setting
from supavex.postgres.statements import PsqlCommand, Statement

_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_BEGIN = re.compile(r"(?:begin|start\s+transaction)\b", re.IGNORECASE)
_ROLLBACK_TO = re.compile(r"rollback\s+(?:work\s+|transaction\s+)?to\s+(?:savepoint\s+)?(.+)", re.I | re.S)
_SAVEPOINT_NAME = re.compile(r"(?:release|savepoint)\s+(?:savepoint\s+)?(.+)", re.I | re.S)
_PREPARED = re.compile(r"(?:commit|rollback)\s+prepared\b", re.IGNORECASE)
_PREPARE = re.compile(r"prepare\s+transaction\b", re.IGNORECASE)
_CONTROL = ("BEGIN", "START", "SAVEPOINT", "RELEASE", "COMMIT", "END", "ROLLBACK", "ABORT")
_ENDS = ("COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE")
#: Statements whose loss is told where their transaction is undone, and how much of them says which table it is.
_LOSING, _ALIKE = ("CREATE", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "ALTER", "DO", "WITH", "SELECT"), 60
_UNDONE = "40000"


@dataclass(frozen=True, slots=True)
class Failed:
    """A statement that failed, why, and the settings that its session had then."""

    statement: Statement
    refusal: Refusal
    settings: tuple[tuple[str, str], ...] = ()
    #: Whether it can be tried again by itself.
    again: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a file did: its statements that failed and were not rolled back, and what it leaves to later files."""

    statements: int
    failed: tuple[Failed, ...]
    not_run: tuple[NotRun, ...]
    passed_over: tuple[PsqlCommand, ...]
    settings: tuple[Setting, ...]


@dataclass(slots=True)
class TransactionLog:
    """What a file leaves: its failures, and settings of later sessions. What is rolled back leaves nothing."""

    kept: list[Failed | Setting] = field(default_factory=list)
    _open: list[Failed | Setting] = field(default_factory=list)
    #: The file's savepoints, with the length of ``_open`` at each.
    _savepoints: list[tuple[str, int]] = field(default_factory=list)

    @property
    def has_savepoints(self) -> bool:
        """Whether the transaction has a savepoint of the file's."""
        return bool(self._savepoints)

    def add(self, entry: Failed | Setting, *, inside: bool) -> None:
        """Adds what a statement leaves, ``inside`` a transaction or not."""
        (self._open if inside else self.kept).append(entry)

    def savepoint(self, name: str) -> None:
        """The file has set a savepoint."""
        self._savepoints.append((name, len(self._open)))

    def savepoint_ended(self, name: str, *, back: bool) -> None:
        """The file has released a savepoint, or gone ``back`` to it: then what came after it is undone."""
        index = max((i for i, (known, _) in enumerate(self._savepoints) if known == name), default=None)
        if index is None:
            return
        if back:
            del self._open[self._savepoints[index][1] :]
        del self._savepoints[index + back :]

    def end(self, *, committed: bool) -> None:
        """The transaction has ended."""
        if committed:
            self.kept += self._open
        self._open, self._savepoints = [], []

    def undone(self, statements: Iterable[Statement], reason: str) -> None:
        """PostgreSQL has undone the transaction of ``statements``, and the file did not ask for that.

        What it had done is lost: one failure for each table that it created, and for each that it changed rows of.
        """
        lost = [replace(entry, again=False) for entry in self._open if isinstance(entry, Failed)]
        entries = [entry for entry in [*lost, *self.kept] if isinstance(entry, Failed)]
        told = {(entry.statement.file, entry.statement.line) for entry in entries}
        refusal = Refusal(f"its transaction was rolled back: {reason}", _UNDONE)
        seen: set[str] = set()
        for statement in statements:
            start = statement.sql[:_ALIKE].lower()
            if first_word(statement.sql) not in _LOSING or (statement.file, statement.line) in told or start in seen:
                continue
            seen.add(start)
            lost.append(Failed(statement, refusal, (), again=False))
        self.kept += lost
        self.end(committed=False)


def first_word(sql: str) -> str:
    """A statement's first word in capitals; empty where it begins with none."""
    match = _WORD.match(sql)
    return match[0].upper() if match else ""


def is_control(sql: str, word: str) -> bool:
    """Whether a statement begins, ends or divides a transaction. ``word`` is its first."""
    return (word in _CONTROL and not is_prepared(sql)) or (word == "PREPARE" and _PREPARE.match(sql) is not None)


def is_prepared(sql: str) -> bool:
    """Whether a statement ends a prepared transaction, which is none of the session's."""
    return _PREPARED.match(sql) is not None


def begins(sql: str) -> bool:
    """Whether a statement is BEGIN or START TRANSACTION."""
    return _BEGIN.match(sql) is not None


def ends(sql: str, word: str) -> bool:
    """Whether a control statement ends the whole transaction."""
    return word in _ENDS and not goes_back(sql)


def goes_back(sql: str) -> bool:
    """Whether a statement is ROLLBACK TO SAVEPOINT."""
    return _ROLLBACK_TO.fullmatch(sql) is not None


def savepoint_name(sql: str) -> str:
    """The savepoint that a statement names, as PostgreSQL reads it."""
    match = _ROLLBACK_TO.fullmatch(sql) or _SAVEPOINT_NAME.fullmatch(sql)
    name = match[1].strip() if match else ""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def rolls_back(statements: Iterable[Statement]) -> bool:
    """Whether the transaction that is open before ``statements`` ends with a ROLLBACK."""
    for statement in statements:
        word = first_word(statement.sql)
        if is_control(statement.sql, word) and ends(statement.sql, word):
            return word in ("ROLLBACK", "ABORT")
    return False
