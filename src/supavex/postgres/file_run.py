"""Runs one file as psql and the Supabase CLI run it, and continues after a statement that fails.

A file without its own BEGIN is one transaction, as for the CLI and ``psql --single-transaction``. A file with BEGIN
runs as ``psql -f`` runs it: each statement outside its transactions is a transaction. A savepoint before each statement
undoes only the failed statement, as psql's ON_ERROR_ROLLBACK does. Many statements and their savepoints go in one
message, so that a large file takes little longer than without savepoints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from supavex.ahead import read_ahead
from supavex.postgres.budget import Budget
from supavex.postgres.file_session import FileSessions, Refusal
from supavex.postgres.psql import Item
from supavex.postgres.report import NotRun
from supavex.postgres.role_settings import Setting, setting_of
from supavex.postgres.stand_ins import Attempt
from supavex.postgres.statement_kinds import frozen_copy, parsed, unread_file
from supavex.postgres.statements import PsqlCommand, Statement
from supavex.postgres.transactions import (
    Failed,
    Outcome,
    TransactionLog,
    begins,
    ends,
    first_word,
    goes_back,
    is_control,
    is_prepared,
    rolls_back,
    savepoint_name,
)

_STATEMENTS, _BYTES, _CAREFUL = 8000, 2 << 20, 10
_SAVEPOINT, _BATCH = b"SAVEPOINT supavex_statement;", b"supavex_batch"
_RELEASE, _RELEASE_BATCH = b"\n;RELEASE SAVEPOINT supavex_statement;", b"\n;RELEASE SAVEPOINT supavex_batch"
_BACK = b"ROLLBACK TO SAVEPOINT supavex_statement; RELEASE SAVEPOINT supavex_statement"
_TRANSACTION_MODE = re.compile(
    r"set\s+(?:(?:local|session)\s+)?(?:transaction\b|transaction_(?:isolation|read_only|deferrable)\b)", re.IGNORECASE
)
_ON_COMMIT = re.compile(r"\bon\s+commit\s+(?:drop|delete)\b", re.IGNORECASE)
#: PostgreSQL's codes: the statement can't run inside a transaction; COMMIT inside a block; use of a new enum label.
_NOT_IN_TRANSACTION, _NEW_LABEL = ("25001", "2D000"), "55P04"
_NO_DATA_CHANGE = ("SET", "RESET", "SHOW")
_KEEPS_SETTINGS = ("INSERT", "UPDATE", "DELETE", "COPY")

#: Runs a replacement for a refused statement. Returns None if that worked, else the refusal.
Instead = Callable[[Statement, Refusal, Attempt], Refusal | None]


class FileRun:
    """One run of a file in a session that no earlier file has changed.

    ``items`` gives the file's items, each time it is called. ``settings`` are those of earlier files. ``may_begin``:
    whether the file may hold a BEGIN; if not, the file is not searched for one.
    """

    def __init__(
        self,
        sessions: FileSessions,
        items: Callable[[], Iterator[Item]],
        budget: Budget,
        settings: Sequence[Setting] = (),
        instead: Instead = lambda statement, refusal, attempt: refusal,
        may_begin: bool = True,
    ) -> None:
        self._sessions, self._items, self._budget, self._instead = sessions, items, budget, instead
        self._may_begin = may_begin
        self._defaults = [setting.sql for setting in settings]
        self._session = sessions.open(self._defaults)
        self._own = False
        self._log = TransactionLog()
        self._pending: list[tuple[int, Statement]] = []
        self._size, self._inside = 0, False
        #: After a failed statement, the number of further messages with a savepoint for each statement.
        self._careful = 0
        #: Whether no statement of the transaction has run; whether one had ON COMMIT; the number of the first.
        self._fresh, self._on_commit, self._begun = True, False, 0
        self._known_settings: tuple[tuple[str, str], ...] | None = None

    def run(self, watch: Callable[[Statement], None] = lambda statement: None) -> Outcome:
        """Runs the file. ``watch`` is called with each statement before it runs."""
        not_run: list[NotRun] = []
        passed_over: list[PsqlCommand] = []
        count = 0
        self._own = self._may_begin and any(begins(one.sql) for one in self._statements())
        try:
            self._begin()
            for item in read_ahead(self._items()):
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
        except BaseException:
            self._session.close()
            raise
        self._sessions.keep(self._session)
        self._budget.check()
        failed = tuple(entry for entry in self._log.kept if isinstance(entry, Failed))
        settings = tuple(entry for entry in self._log.kept if isinstance(entry, Setting))
        return Outcome(count, failed, tuple(not_run), tuple(passed_over), settings)

    def _statements(self) -> Iterator[Statement]:
        return (item for item in self._items() if isinstance(item, Statement))

    def _take(self, number: int, statement: Statement) -> None:
        word = first_word(statement.sql)
        self._inside = self._session.in_transaction
        if is_control(statement.sql, word):
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
        """Runs a statement, with a savepoint if a transaction is open."""
        session = self._session
        if not session.in_transaction:
            return session.execute(statement, sql)
        self._fresh = self._fresh and first_word(statement.sql) in _NO_DATA_CHANGE
        session.run(_SAVEPOINT)
        refusal = session.execute(statement, sql)
        session.run(b"RELEASE SAVEPOINT supavex_statement" if refusal is None else _BACK)
        return refusal

    def _copy(self, number: int, statement: Statement) -> None:
        tree = parsed(statement.sql)
        unread = unread_file(tree) if statement.data is None else ""
        if unread:
            self._failed(statement, Refusal(unread, ""), again=False)
            return
        self._judge(number, statement, self._guarded(statement, frozen_copy(tree)))

    def _role_setting(self, statement: Statement, setting: Setting) -> None:
        """ALTER DATABASE or ROLE … SET holds from the next file on. The files' role need not be the owner."""
        session, inside = self._session, self._session.in_transaction
        if not setting.ours:
            refusal = self._guarded(statement)
            if refusal is not None and (refusal.sqlstate != "42501" or not setting.harmless):
                self._failed(statement, refusal)
            return
        refusal = session.tried(setting.sql)
        if refusal is not None:
            self._failed(statement, refusal)
        else:
            self._log.add(setting, inside=inside)

    def _transaction_mode(self, statement: Statement) -> None:
        """SET TRANSACTION has to come before all other statements and outside savepoints, or PostgreSQL refuses it."""
        session = self._session
        if self._fresh:
            refusal = session.execute(statement)
            if refusal is not None:
                # No other statement of this transaction has run, so the rollback loses nothing.
                session.run(b"ROLLBACK; BEGIN")
                self._failed(statement, refusal)
            return
        session.run(_SAVEPOINT)
        refusal = session.execute(statement)
        if refusal is not None:
            session.run(_BACK)
            self._failed(statement, refusal)
        # Otherwise the savepoint stays: releasing it would end settings that a statement made for the transaction.

    def _flush(self) -> None:
        """Runs the waiting statements in the open transaction."""
        pending, self._pending, self._size = self._pending, [], 0
        while pending:
            self._budget.check()
            ran = self._batch(pending)
            pending = pending[ran:]

    def _batch(self, pending: Sequence[tuple[int, Statement]]) -> int:
        """Runs statements up to the first that fails. Returns the number of those that ran, with the failed one."""
        session = self._session
        self._inside = session.in_transaction
        if not session.in_transaction:
            number, statement = pending[0]
            self._alone(number, statement, first_word(statement.sql), None)
            return 1
        words = {first_word(statement.sql) for _, statement in pending}
        self._fresh = self._fresh and words <= set(_NO_DATA_CHANGE)
        texts = [session.encoded(statement) for _, statement in pending]
        if words == {"INSERT"} and not self._careful:
            if self._together(texts):
                return len(pending)
        else:
            self._careful = max(0, self._careful - 1)
            session.run(b"SAVEPOINT " + _BATCH)
        ran = session.run(b"".join(p for text in texts for p in (_SAVEPOINT, text, _RELEASE)) + _RELEASE_BATCH)
        for word in words:
            self._forget_settings(word)
        if ran.refusal is None:
            return len(pending)
        done, part = divmod(ran.completed, 3)
        if session.closed or part == 0:
            # PostgreSQL refused the whole message because of a syntax error, or the session has ended.
            session.run(b"ROLLBACK TO SAVEPOINT " + _BATCH + b"; RELEASE SAVEPOINT " + _BATCH)
            for number, statement in pending if not session.closed else pending[done : done + 1]:
                refusal = ran.refusal if session.closed else self._guarded(statement)
                self._judge(number, statement, refusal)
            return done + 1 if session.closed else len(pending)
        session.run(_BACK + b"; RELEASE SAVEPOINT " + _BATCH)
        number, statement = pending[done]
        refusal = ran.refusal
        if refusal.sqlstate == "57014" and len(pending) > 1:
            # The other statements of the message may have used up the time.
            self._judge(number, statement, self._guarded(statement))
        else:
            self._judge(number, statement, refusal)
        return done + 1

    def _together(self, texts: Sequence[bytes]) -> bool:
        """Runs INSERTs without a savepoint for each, in half the time. Returns whether all of them worked.

        If one fails, all are undone up to a savepoint that stays. Sequences are put back separately, because a rollback
        does not reset them. There are few messages: on a busy machine, each message waits for the processor twice.
        """
        session = self._session
        sequences = session.sequences("SAVEPOINT " + _BATCH.decode())
        if sequences is None:
            return False
        if session.run(b"\n;".join([*texts, b"RELEASE SAVEPOINT " + _BATCH])).refusal is None:
            return True
        self._careful = _CAREFUL
        if not session.closed:
            session.run(b"ROLLBACK TO SAVEPOINT " + _BATCH)
            session.put_back(sequences)
        return False

    def _judge(self, number: int, statement: Statement, refusal: Refusal | None) -> None:
        """Continues after a statement: if it failed, tries a replacement, and else records the failure."""
        self._budget.check()
        session = self._session
        if refusal is None:
            return
        if session.closed:
            self._log.kept.append(Failed(statement, refusal, (), again=False))
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
        """Commits the transaction of a file without BEGIN, for a statement that can't run in a transaction."""
        if not self._session.in_transaction or self._own or is_prepared(statement.sql):
            return False
        return self._commit_here(number, begin=False)

    def _failed(self, statement: Statement, refusal: Refusal, again: bool = True) -> None:
        if self._known_settings is None and not self._session.closed:
            self._known_settings = tuple(sorted(self._session.settings().items()))
        failed = Failed(statement, refusal, self._known_settings or (), again)
        self._log.add(failed, inside=self._session.in_transaction)

    def _forget_settings(self, word: str) -> None:
        if word not in _KEEPS_SETTINGS:
            self._known_settings = None

    def _lost_session(self, number: int) -> None:
        """Records that the server ended the session, which undoes the open transaction."""
        self._budget.check()
        if self._inside:
            self._undone(number, "the session was ended")
        self._end(committed=True)
        self._session.close()
        self._session = self._sessions.open(self._defaults)
        self._begin()
        self._begun = number + 1

    def _begin(self) -> None:
        """Begins the transaction of a file without BEGIN."""
        if not self._own and not self._session.in_transaction:
            self._session.run(b"BEGIN")

    def _end(self, *, committed: bool) -> None:
        """Records the end of a transaction: its effects are kept, or undone."""
        self._log.end(committed=committed)
        self._fresh, self._on_commit = True, False
        self._known_settings = None

    def _control(self, number: int, statement: Statement, word: str) -> None:
        session, sql, inside = self._session, statement.sql, self._session.in_transaction
        if inside and (goes_back(sql) or word == "RELEASE"):
            self._savepoint_end(statement)
            return
        # BEGIN inside a transaction is only an error if it names another mode.
        refusal = self._guarded(statement) if inside and begins(sql) else session.execute(statement)
        if word == "SAVEPOINT" and refusal is None:
            self._log.savepoint(savepoint_name(sql))
        elif inside and ends(sql, word):
            if refusal is None:
                self._end(committed=word not in ("ROLLBACK", "ABORT"))
            else:
                self._undone(number, refusal.error)
        elif begins(sql) and not inside:
            self._end(committed=True)
            self._begun = number
        if refusal is not None:
            self._log.add(Failed(statement, refusal, (), again=False), inside=session.in_transaction)
        if session.closed:
            self._lost_session(number)
        if not session.in_transaction:
            self._begin()
            self._begun = number + 1

    def _savepoint_end(self, statement: Statement) -> None:
        session, back = self._session, goes_back(statement.sql)
        session.run(_SAVEPOINT)
        refusal = session.execute(statement)
        if refusal is not None:
            session.run(_BACK)
            self._log.add(Failed(statement, refusal, (), again=False), inside=True)
            return
        self._log.savepoint_ended(savepoint_name(statement.sql), back=back)
        self._known_settings = None

    def _undone(self, number: int, reason: str) -> None:
        self._log.undone(islice(self._statements(), max(0, self._begun - 1), number - 1), reason)
        self._end(committed=False)

    def _finish(self, number: int) -> None:
        """Ends the file: commits supavex's transaction, and rolls back a transaction that the file left open."""
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
        """Commits the work so far, for a statement that needs it, and begins the next transaction.

        It refuses if that would change the file's meaning: the file rolls back later, has tables that last until
        COMMIT, or has constraints that are checked only at its end.
        """
        session = self._session
        if self._log.has_savepoints or self._on_commit or rolls_back(islice(self._statements(), number, None)):
            return False
        session.run(_SAVEPOINT)
        if session.run(b"SET CONSTRAINTS ALL IMMEDIATE").refusal is not None:
            session.run(_BACK)
            return False
        before = session.settings()
        refusal = session.run(b"COMMIT").refusal
        if refusal is not None:
            self._undone(number, refusal.error)
            session.run(b"BEGIN")
            return False
        self._log.end(committed=True)
        if begin:
            session.run(b"BEGIN")
            after = session.settings()
            session.apply({name: value for name, value in before.items() if after.get(name) != value}, local=True)
        return True
