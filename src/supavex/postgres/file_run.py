"""Runs one file as psql and the Supabase CLI run it, and goes on after a statement that fails.

A file without BEGIN of its own is one transaction (as the CLI and ``psql --single-transaction`` have it). A file with a
BEGIN of its own is run as ``psql -f`` runs it: what is outside of its transactions is a transaction of its own. A
savepoint before each statement undoes that statement alone where it fails, as psql's ON_ERROR_ROLLBACK does. Many
statements and their savepoints go in one message, so that a large file takes little longer than without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from supavex.postgres import server as servers
from supavex.postgres.budget import Budget
from supavex.postgres.file_session import FileSession, Refusal
from supavex.postgres.psql import Item
from supavex.postgres.report import NotRun
from supavex.postgres.role_settings import Setting, setting_of
from supavex.postgres.stand_ins import Attempt
from supavex.postgres.statement_kinds import frozen_copy, parsed
from supavex.postgres.statements import PsqlCommand, Statement

_STATEMENTS, _BYTES = 500, 1 << 18
_SAVEPOINT, _BATCH = b"SAVEPOINT supavex_statement;", b"supavex_batch"
_RELEASE = b"\n;RELEASE SAVEPOINT supavex_statement;"
_BACK = b"ROLLBACK TO SAVEPOINT supavex_statement; RELEASE SAVEPOINT supavex_statement"
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_BEGIN = re.compile(r"(?:begin|start\s+transaction)\b", re.IGNORECASE)
_BEGIN_ANYWHERE = re.compile(rb"\b(?:begin|start\s+transaction)\b", re.IGNORECASE)
_ROLLBACK_TO = re.compile(
    r"rollback\s+(?:work\s+|transaction\s+)?to\s+(?:savepoint\s+)?(.+)", re.IGNORECASE | re.DOTALL
)
_SAVEPOINT_NAME = re.compile(r"(?:release|savepoint)\s+(?:savepoint\s+)?(.+)", re.IGNORECASE | re.DOTALL)
_PREPARED = re.compile(r"(?:commit|rollback)\s+prepared\b", re.IGNORECASE)
_TRANSACTION_MODE = re.compile(
    r"set\s+(?:(?:local|session)\s+)?(?:transaction\b|transaction_(?:isolation|read_only|deferrable)\b)", re.IGNORECASE
)
_ON_COMMIT = re.compile(r"\bon\s+commit\s+(?:drop|delete)\b", re.IGNORECASE)
_ENDS = ("COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE")
_CONTROL = ("BEGIN", "START", "SAVEPOINT", "RELEASE", "COMMIT", "END", "ROLLBACK", "ABORT")
#: PostgreSQL's codes: not inside a transaction; a COMMIT inside of a block; a new label of an enum is used at once.
_NOT_IN_TRANSACTION, _NEW_LABEL = ("25001", "2D000"), "55P04"
_NO_DATA_CHANGE = ("SET", "RESET", "SHOW")
#: Statements whose loss is told where their transaction is undone, and how much of them says which table it is.
_LOSING, _ALIKE = ("CREATE", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "ALTER", "DO", "WITH", "SELECT"), 60
_KEEPS_SETTINGS = ("INSERT", "UPDATE", "DELETE", "COPY")

#: Runs what can run in the place of a statement that was refused; None where that worked.
Instead = Callable[[Statement, Refusal, Attempt], Refusal | None]


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


class FileRun:
    """One run of a file in a session of its own.

    ``items`` gives what the file holds, anew each time. ``settings`` are those of earlier files. ``may_begin``: whether
    the file may hold a BEGIN; where it can't, it need not be read for one.
    """

    def __init__(
        self,
        server: servers.Server,
        items: Callable[[], Iterator[Item]],
        budget: Budget,
        settings: Sequence[Setting] = (),
        instead: Instead = lambda statement, refusal, attempt: refusal,
        may_begin: bool = True,
    ) -> None:
        self._server, self._items, self._budget, self._instead = server, items, budget, instead
        self._may_begin = may_begin
        self._defaults = [setting.sql for setting in settings]
        self._session = FileSession(server, self._defaults)
        self._own = False
        #: What the file has left so far, and what its open transaction leaves if it commits.
        self._kept: list[Failed | Setting] = []
        self._open: list[Failed | Setting] = []
        #: The file's savepoints, with the length of ``_open`` at each.
        self._savepoints: list[tuple[str, int]] = []
        self._pending: list[tuple[int, Statement]] = []
        self._size = 0
        self._inside = False
        #: Whether no statement of the transaction has run, whether one said ON COMMIT, and which one began it.
        self._fresh, self._on_commit, self._begun = True, False, 0
        self._known_settings: tuple[tuple[str, str], ...] | None = None

    def run(self, watch: Callable[[Statement], None] = lambda statement: None) -> Outcome:
        """Runs the file; ``watch`` is told each statement before it runs."""
        not_run: list[NotRun] = []
        passed_over: list[PsqlCommand] = []
        count = 0
        self._own = self._may_begin and any(_BEGIN.match(statement.sql) for statement in self._statements())
        try:
            self._begin()
            for item in self._items():
                if isinstance(item, Statement):
                    count += 1
                    watch(item)
                    self._take(count, item)
                elif isinstance(item, NotRun):
                    not_run.append(item)
                else:
                    passed_over.append(item)
            self._flush()
            self._finish(count + 1)
        finally:
            self._session.close()
        self._budget.check()
        failed = tuple(entry for entry in self._kept if isinstance(entry, Failed))
        settings = tuple(entry for entry in self._kept if isinstance(entry, Setting))
        return Outcome(count, failed, tuple(not_run), tuple(passed_over), settings)

    def _statements(self) -> Iterator[Statement]:
        return (item for item in self._items() if isinstance(item, Statement))

    # --------------------------------------------------------------------------------------- one statement at a time

    def _take(self, number: int, statement: Statement) -> None:
        word = _word(statement.sql)
        self._inside = self._session.in_transaction
        control = word in _CONTROL and not _PREPARED.match(statement.sql)
        if control or (word == "PREPARE" and re.match(r"prepare\s+transaction\b", statement.sql, re.IGNORECASE)):
            self._flush()
            self._control(number, statement, word)
            return
        setting = setting_of(statement.sql) if word == "ALTER" else None
        alone = word == "COPY" or setting is not None or _TRANSACTION_MODE.match(statement.sql)
        if not self._session.in_transaction or alone:
            self._flush()
            self._alone(number, statement, word, setting)
            return
        self._on_commit = self._on_commit or (word == "CREATE" and _ON_COMMIT.search(statement.sql) is not None)
        self._pending.append((number, statement))
        self._size += len(statement.sql)
        if len(self._pending) >= _STATEMENTS or self._size >= _BYTES:
            self._flush()

    def _alone(self, number: int, statement: Statement, word: str, setting: Setting | None) -> None:
        self._forget_settings(word)
        if setting is not None:
            self._role_setting(statement, setting)
        elif word == "COPY":
            self._copy(number, statement)
        elif self._session.in_transaction and _TRANSACTION_MODE.match(statement.sql):
            self._transaction_mode(statement)
        else:
            self._judge(number, statement, self._guarded(statement))

    def _guarded(self, statement: Statement, sql: str | None = None) -> Refusal | None:
        """Runs a statement with a savepoint of its own where a transaction is open."""
        session = self._session
        if not session.in_transaction:
            return session.execute(statement, sql)
        if word := _word(statement.sql):
            self._fresh = self._fresh and word in _NO_DATA_CHANGE
        session.run(_SAVEPOINT)
        refusal = session.execute(statement, sql)
        session.run(b"RELEASE SAVEPOINT supavex_statement" if refusal is None else _BACK)
        return refusal

    def _copy(self, number: int, statement: Statement) -> None:
        tree = parsed(statement.sql)
        from_file = tree is not None and tree.is_from and statement.data is None
        if from_file:
            what = "of a program" if tree.is_program else f"of the file {tree.filename}"
            self._failed(
                statement, Refusal(f"COPY {what} is not run: a replay reads nothing but the SQL files", ""), False
            )
            return
        self._judge(number, statement, self._guarded(statement, frozen_copy(tree)))

    def _role_setting(self, statement: Statement, setting: Setting) -> None:
        """ALTER DATABASE or ROLE … SET: it holds from the next file on. The role of the files need not be the owner."""
        session, inside = self._session, self._session.in_transaction
        if not setting.ours:
            refusal = self._guarded(statement)
            if refusal is not None and (refusal.sqlstate != "42501" or not setting.harmless):
                self._failed(statement, refusal)
            return
        session.run(_SAVEPOINT if inside else b"BEGIN")
        refusal = session.run(setting.sql.encode()).refusal
        session.run(_BACK if inside else b"ROLLBACK")
        if refusal is not None:
            self._failed(statement, refusal)
        else:
            self._add(setting)

    def _transaction_mode(self, statement: Statement) -> None:
        """SET TRANSACTION: it comes before all others and outside of savepoints, or PostgreSQL refuses it."""
        session = self._session
        if self._fresh:
            refusal = session.execute(statement)
            if refusal is not None:
                # Nothing is lost: no other statement of this transaction has run.
                session.run(b"ROLLBACK; BEGIN")
                self._failed(statement, refusal)
            return
        session.run(_SAVEPOINT)
        refusal = session.execute(statement)
        if refusal is not None:
            session.run(_BACK)
            self._failed(statement, refusal)
        # Else the savepoint stays: what a savepoint's part of a transaction says of the transaction ends with it.

    # ------------------------------------------------------------------------------------------- many in one message

    def _flush(self) -> None:
        """Runs the statements that wait, in the open transaction."""
        pending, self._pending, self._size = self._pending, [], 0
        while pending:
            self._budget.check()
            ran = self._batch(pending)
            pending = pending[ran:]

    def _batch(self, pending: Sequence[tuple[int, Statement]]) -> int:
        """Runs statements up to the first that fails; how many are done with, the failed one among them."""
        session = self._session
        self._inside = session.in_transaction
        if not session.in_transaction:
            number, statement = pending[0]
            self._alone(number, statement, _word(statement.sql), None)
            return 1
        words = {_word(statement.sql) for _, statement in pending}
        self._fresh = self._fresh and words <= set(_NO_DATA_CHANGE)
        texts = [session.encoded(statement) for _, statement in pending]
        session.run(b"SAVEPOINT " + _BATCH)
        ran = session.run(b"".join(piece for text in texts for piece in (_SAVEPOINT, text, _RELEASE)))
        for word in words:
            self._forget_settings(word)
        if ran.refusal is None:
            session.run(b"RELEASE SAVEPOINT " + _BATCH)
            return len(pending)
        done, part = divmod(ran.completed, 3)
        if session.closed or part == 0:
            # The message as a whole was refused, for a syntax error in it; or the session is gone.
            session.run(b"ROLLBACK TO SAVEPOINT " + _BATCH + b"; RELEASE SAVEPOINT " + _BATCH)
            for number, statement in pending if not session.closed else pending[done : done + 1]:
                refusal = ran.refusal if session.closed else self._guarded(statement)
                self._judge(number, statement, refusal)
            return done + 1 if session.closed else len(pending)
        session.run(_BACK + b"; RELEASE SAVEPOINT " + _BATCH)
        number, statement = pending[done]
        refusal = ran.refusal
        if refusal.sqlstate == "57014" and len(pending) > 1:
            # The time was perhaps its neighbours'.
            self._judge(number, statement, self._guarded(statement))
        else:
            self._judge(number, statement, refusal)
        return done + 1

    # --------------------------------------------------------------------------------------------------- what failed

    def _judge(self, number: int, statement: Statement, refusal: Refusal | None) -> None:
        """Goes on after a statement: nothing where it worked, another way where there is one, else it has failed."""
        self._budget.check()
        session = self._session
        if refusal is None:
            return
        if session.closed:
            self._kept.append(Failed(statement, refusal, (), again=False))
            self._lost_session(number)
            return
        code = refusal.sqlstate
        if session.in_transaction and code == _NEW_LABEL and self._commit_here(number):
            refusal = self._guarded(statement)
        elif code in _NOT_IN_TRANSACTION and self._runs_outside(number, statement):
            refusal = session.execute(statement)
            self._begin()
        if refusal is not None and not session.closed:
            refusal = self._instead(statement, refusal, self._guarded)
        if refusal is not None:
            self._failed(statement, refusal)
        if session.closed:
            self._lost_session(number)

    def _runs_outside(self, number: int, statement: Statement) -> bool:
        """Commits the transaction of a file that has none of its own, for a statement that can't run in one."""
        if not self._session.in_transaction or self._own or _PREPARED.match(statement.sql):
            return False
        return self._commit_here(number, begin=False)

    def _failed(self, statement: Statement, refusal: Refusal, again: bool = True) -> None:
        if self._known_settings is None and not self._session.closed:
            self._known_settings = tuple(sorted(self._session.settings().items()))
        self._add(Failed(statement, refusal, self._known_settings or (), again))

    def _add(self, entry: Failed | Setting) -> None:
        (self._open if self._session.in_transaction else self._kept).append(entry)

    def _forget_settings(self, word: str) -> None:
        if word not in _KEEPS_SETTINGS:
            self._known_settings = None

    def _lost_session(self, number: int) -> None:
        """The server has ended the session, and with it undone the transaction that was open."""
        self._budget.check()
        if self._inside:
            self._undone(number, "the session was ended")
        self._end(committed=True)
        self._session.close()
        self._session = FileSession(self._server, self._defaults)
        self._begin()
        self._begun = number + 1

    # -------------------------------------------------------------------------------------------------- transactions

    def _begin(self) -> None:
        """Begins the transaction of a file that has none of its own."""
        if not self._own and not self._session.in_transaction:
            self._session.run(b"BEGIN")

    def _end(self, *, committed: bool) -> None:
        """A transaction has ended: what it leaves is kept, or is undone with it."""
        if committed:
            self._kept += self._open
        self._open, self._savepoints = [], []
        self._fresh, self._on_commit = True, False
        self._known_settings = None

    def _control(self, number: int, statement: Statement, word: str) -> None:
        session, sql, inside = self._session, statement.sql, self._session.in_transaction
        back_to = _ROLLBACK_TO.fullmatch(sql)
        if inside and (back_to or word == "RELEASE"):
            self._savepoint_end(statement, _name(sql, back_to), bool(back_to))
            return
        # A BEGIN inside a transaction is no error, except where it names another mode.
        refusal = self._guarded(statement) if inside and word in ("BEGIN", "START") else session.execute(statement)
        if word == "SAVEPOINT" and refusal is None:
            self._savepoints.append((_name(sql, None), len(self._open)))
        elif inside and word in _ENDS and not back_to:
            if refusal is None:
                self._end(committed=word not in ("ROLLBACK", "ABORT"))
            else:
                self._undone(number, refusal.error)
        elif word in ("BEGIN", "START") and not inside:
            self._end(committed=True)
            self._begun = number
        if refusal is not None:
            self._add(Failed(statement, refusal, (), again=False))
        if session.closed:
            self._lost_session(number)
        if not session.in_transaction:
            self._begin()
            self._begun = number + 1

    def _savepoint_end(self, statement: Statement, name: str, back: bool) -> None:
        session = self._session
        session.run(_SAVEPOINT)
        refusal = session.execute(statement)
        if refusal is not None:
            session.run(_BACK)
            self._add(Failed(statement, refusal, (), again=False))
            return
        index = max((i for i, (known, _) in enumerate(self._savepoints) if known == name), default=None)
        if index is None:
            return
        if back:
            # What came after the savepoint is undone; the savepoint itself stays.
            del self._open[self._savepoints[index][1] :]
            del self._savepoints[index + 1 :]
            self._known_settings = None
        else:
            del self._savepoints[index:]

    def _undone(self, number: int, reason: str) -> None:
        """PostgreSQL has undone the transaction that ends before statement ``number``; the file did not ask for that.

        What it had done is lost: one failure for each table that it created, and for each that it changed rows of.
        """
        lost = [replace(entry, again=False) for entry in self._open if isinstance(entry, Failed)]
        told = {
            (entry.statement.file, entry.statement.line) for entry in [*lost, *self._kept] if isinstance(entry, Failed)
        }
        refusal = Refusal(f"its transaction was rolled back: {reason}", "40000")
        seen: set[str] = set()
        for statement in islice(self._statements(), max(0, self._begun - 1), number - 1):
            kind = _word(statement.sql)
            start = statement.sql[:_ALIKE].lower()
            if kind in _LOSING and start not in seen and (statement.file, statement.line) not in told:
                seen.add(start)
                lost.append(Failed(statement, refusal, (), again=False))
        self._kept += lost
        self._end(committed=False)

    def _finish(self, number: int) -> None:
        """The file's end: a transaction that was not the file's own commits, the file's own is rolled back."""
        session = self._session
        if not session.in_transaction:
            return
        if self._own:
            self._undone(number, "the file ends without COMMIT")
        elif (refusal := session.run(b"COMMIT").refusal) is not None:
            self._undone(number, refusal.error)
        else:
            self._end(committed=True)

    def _commit_here(self, number: int, begin: bool = True) -> bool:
        """Commits what the transaction has done so far, for a statement that needs it, and begins the next one.

        Not where that changes what the file means: where it goes back to a savepoint or rolls back, has tables that
        last until COMMIT, or has constraints that hold only at its end.
        """
        session = self._session
        if self._savepoints or self._on_commit or self._rolls_back(number):
            return False
        session.run(_SAVEPOINT)
        if session.run(b"SET CONSTRAINTS ALL IMMEDIATE").refusal is not None:
            session.run(_BACK)
            return False
        before = session.settings()
        if session.run(b"COMMIT").refusal is not None:
            return False
        self._kept += self._open
        self._open = []
        if begin:
            session.run(b"BEGIN")
            after = session.settings()
            session.apply({name: value for name, value in before.items() if after.get(name) != value}, local=True)
        return True

    def _rolls_back(self, number: int) -> bool:
        """Whether the transaction of statement ``number`` ends with a ROLLBACK."""
        for statement in islice(self._statements(), number, None):
            word = _word(statement.sql)
            if word in _ENDS and not _ROLLBACK_TO.fullmatch(statement.sql):
                return word in ("ROLLBACK", "ABORT")
        return False


def _word(sql: str) -> str:
    match = _WORD.match(sql)
    return match[0].upper() if match else ""


def _name(sql: str, back_to: re.Match[str] | None) -> str:
    """The name of a savepoint, as PostgreSQL reads it."""
    match = back_to or _SAVEPOINT_NAME.fullmatch(sql)
    name = match[1].strip() if match else ""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def statements_in(items: Iterable[Item]) -> Iterator[Statement]:
    """The statements among ``items``."""
    return (item for item in items if isinstance(item, Statement))
