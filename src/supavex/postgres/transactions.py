"""The lasting effects of a file's transactions: the failures and settings that remain after commit or rollback."""

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
#: Statements whose undoing is reported, and the number of characters that identify their table.
_LOSING, _ALIKE = ("CREATE", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "ALTER", "DO", "WITH", "SELECT"), 60
_UNDONE = "40000"


@dataclass(frozen=True, slots=True)
class Failed:
    """A statement that failed, the reason, and the session's settings at that time."""

    statement: Statement
    refusal: Refusal
    settings: tuple[tuple[str, str], ...] = ()
    #: Whether it can run again by itself.
    again: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a file: its failed statements that were not rolled back, and the settings for later files."""

    statements: int
    failed: tuple[Failed, ...]
    not_run: tuple[NotRun, ...]
    passed_over: tuple[PsqlCommand, ...]
    settings: tuple[Setting, ...]


@dataclass(slots=True)
class TransactionLog:
    """The failures of a file, and its settings for later sessions. A rollback removes those of its transaction."""

    kept: list[Failed | Setting] = field(default_factory=list)
    _open: list[Failed | Setting] = field(default_factory=list)
    #: The file's savepoints, each with the length of ``_open`` at that time.
    _savepoints: list[tuple[str, int]] = field(default_factory=list)

    @property
    def has_savepoints(self) -> bool:
        """Whether the transaction has a savepoint that the file made."""
        return bool(self._savepoints)

    def add(self, entry: Failed | Setting, *, inside: bool) -> None:
        """Adds an effect of a statement. ``inside``: whether a transaction is open."""
        (self._open if inside else self.kept).append(entry)

    def savepoint(self, name: str) -> None:
        """The file has set a savepoint."""
        self._savepoints.append((name, len(self._open)))

    def savepoint_ended(self, name: str, *, back: bool) -> None:
        """Handles the release of a savepoint, or a rollback to it (``back``), which removes the later effects."""
        index = max((i for i, (known, _) in enumerate(self._savepoints) if known == name), default=None)
        if index is None:
            return
        if back:
            del self._open[self._savepoints[index][1] :]
        del self._savepoints[index + back :]

    def end(self, *, committed: bool) -> None:
        """Handles the end of the transaction."""
        if committed:
            self.kept += self._open
        self._open, self._savepoints = [], []

    def undone(self, statements: Iterable[Statement], reason: str) -> None:
        """Records that PostgreSQL undid the transaction of ``statements`` although the file did not ask for it.

        It adds one failure for each table that the transaction created, and for each table whose rows it changed.
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
    """A statement's first word in capitals; empty if it begins with no word."""
    match = _WORD.match(sql)
    return match[0].upper() if match else ""


def is_control(sql: str, word: str) -> bool:
    """Whether a statement begins, ends or divides a transaction. ``word`` is its first."""
    return (word in _CONTROL and not is_prepared(sql)) or (word == "PREPARE" and _PREPARE.match(sql) is not None)


def is_prepared(sql: str) -> bool:
    """Whether a statement ends a prepared transaction, which is not the session's open transaction."""
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
    """The name of a statement's savepoint, as PostgreSQL reads it."""
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
