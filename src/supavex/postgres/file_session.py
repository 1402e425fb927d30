"""The session that runs the statements of one file, with the settings of a psql session at Supabase.

Statements go over the simple query protocol, as psql sends them, and many can share one message. Results are counted
and discarded: the count says how many statements of a message ran, and a large result needs no memory. The client
cancels a statement that takes too long, because a file could lift a limit of the server.
"""

from __future__ import annotations

import contextlib
import re
import select
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supavex.errors import SupavexError
from supavex.postgres import server as servers
from supavex.postgres.connection import literal
from supavex.postgres.driver import pq, psycopg
from supavex.postgres.password_hashes import PasswordHashes
from supavex.postgres.statements import Statement

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

#: Seconds that a statement may take, and bytes of a COPY that add one second.
STATEMENT_SECONDS = 60.0
_BYTES_PER_SECOND = 1_000_000
#: Settings of a session of Supabase's role, before those of ALTER DATABASE and ALTER ROLE. Function bodies are not
#: checked, because a later file may create the objects that they name.
_SETTINGS = {
    "search_path": '"$user", public, extensions',
    "check_function_bodies": "off",
    # A role gets the rights to use the roles that it creates.
    "createrole_self_grant": "set, inherit",
    # This session answers the questions of supavex.bcrypt.
    "supavex.answers": "on",
}
_SEQUENCES = """
SELECT s.seqrelid::pg_catalog.int8, d.last_value, d.is_called, s.seqcache, current_user
FROM pg_catalog.pg_sequence s, LATERAL pg_catalog.pg_get_sequence_data(s.seqrelid) d"""
_RETRIES, _RETRY_SECONDS = 20, 0.25
_SETS = re.compile(r"\bset(?:_config)?\b", re.IGNORECASE)
_CUSTOM = re.compile(r"'([a-z_]\w*\.[\w.]+)'|\bset\s+(?:session\s+|local\s+)?([a-z_]\w*\.[\w.]+)", re.IGNORECASE)


def _may_set(sql: str) -> bool:
    """Whether a statement, or a function body in it, may set a parameter. An INSERT may be too long to search."""
    return "set_config" in sql if sql[:6].lower() == "insert" else _SETS.search(sql) is not None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why PostgreSQL refused a statement: its message with the detail in parentheses, and its error code."""

    error: str
    sqlstate: str


@dataclass(frozen=True, slots=True)
class Ran:
    """How many statements of a message ran, and why the next one did not (None: all of them ran)."""

    completed: int
    refusal: Refusal | None = None


class FileSession:
    """One session. ``defaults`` are the SET statements of earlier files' ALTER DATABASE and ALTER ROLE.

    ``custom``: the names of the files' own parameters (``app.user``) that any file has used so far.
    """

    def __init__(self, server: servers.Server, defaults: Sequence[str] = (), custom: set[str] | None = None) -> None:
        options = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in _SETTINGS.items())
        self._connection = _connected(f"{server.url()} connect_timeout=15", options)
        self._hashes = PasswordHashes(server)
        self._connection.add_notice_handler(self._hashes.hear)
        self._pgconn = self._connection.pgconn
        self._custom = set[str]() if custom is None else custom
        for setting in defaults:
            self.run(setting.encode())

    @property
    def closed(self) -> bool:
        """Whether the server has ended the session."""
        return self._pgconn.status != pq.ConnStatus.OK

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, including a failed one."""
        return self._pgconn.transaction_status in (
            pq.TransactionStatus.INTRANS,
            pq.TransactionStatus.INERROR,
        )

    def renew(self, defaults: Sequence[str] = ()) -> bool:
        """Resets the session to a new session's state, in a tenth of the time. Returns whether that is possible.

        It is not possible if a file, or a function that it called, has set a parameter such as ``app.user``: after a
        reset the parameter is empty, but in a new session it is unknown.
        """
        if self.closed or (self.in_transaction and self.run(b"ROLLBACK").refusal is not None):
            return False
        try:
            if self._custom and self._connection.execute(self._set_parameters().encode()).fetchone() is not None:
                return False
        except psycopg.Error:  # The server ended the session meanwhile.
            return False
        for sql in (b"DISCARD ALL", b"RESET ROLE"):
            if self.run(sql).refusal is not None:
                return False
        for setting in defaults:
            self.run(setting.encode())
        return True

    def close(self) -> None:
        """Ends the session; a transaction that is open is rolled back."""
        self._connection.close()
        self._hashes.close()

    def encoded(self, statement: Statement, text: str | None = None) -> bytes:
        """The bytes of a statement (or of ``text`` in its place) as in the file, or as UTF-8 if the client encoding is
        UTF-8.
        """
        if "." in statement.sql and _may_set(statement.sql):
            self._custom.update(name for found in _CUSTOM.findall(statement.sql) for name in found if name)
        return _bytes(statement.sql if text is None else text, self._raw(statement))

    def _raw(self, statement: Statement) -> bool:
        return statement.raw and self._pgconn.parameter_status(b"client_encoding") != b"UTF8"

    def execute(self, statement: Statement, sql: str | None = None) -> Refusal | None:
        """Runs one statement with its rows, if it has any. ``sql`` replaces the statement's own text."""
        text = self.encoded(statement, sql)
        if statement.data is None:
            return self.run(text).refusal
        raw = self._raw(statement)
        seconds = STATEMENT_SECONDS + (statement.data.stop - statement.data.start) / _BYTES_PER_SECOND
        return self.run(text, (_bytes(chunk, raw) for chunk in statement.data.chunks()), seconds).refusal

    def tried(self, sql: str) -> Refusal | None:
        """Runs a statement and undoes it. Returns PostgreSQL's refusal, or None if it would accept the statement."""
        inside = self.in_transaction
        self.run(b"SAVEPOINT supavex_try" if inside else b"BEGIN")
        refusal = self.run(sql.encode()).refusal
        self.run(b"ROLLBACK TO SAVEPOINT supavex_try; RELEASE SAVEPOINT supavex_try" if inside else b"ROLLBACK")
        return refusal

    def run(self, script: bytes, rows: Iterable[bytes] = (), seconds: float | None = None) -> Ran:
        """Sends a message of one or more statements; ``rows`` are for a COPY FROM stdin in it.

        Each statement may take ``seconds`` (STATEMENT_SECONDS where None).
        """
        limit = STATEMENT_SECONDS if seconds is None else seconds
        if b"\0" in script:
            return Ran(0, Refusal("the statement holds a NUL byte, which ends a text for PostgreSQL", ""))
        try:
            self._pgconn.send_query(script)
            self._pgconn.set_single_row_mode()
            return self._results(rows, limit)
        except psycopg.Error as error:
            # The connection is lost, and with it all effects of its transaction.
            return Ran(0, Refusal(str(error).strip() or "the server ended the session", "08006"))

    def _results(self, rows: Iterable[bytes], limit: float) -> Ran:
        completed, refusal, cancelled = 0, None, False
        deadline = time.monotonic() + limit
        while True:
            cancelled = self._wait(deadline, limit) or cancelled
            result = self._pgconn.get_result()
            if result is None:
                return Ran(completed, refusal)
            deadline = time.monotonic() + limit
            if result.status == pq.ExecStatus.COPY_IN:
                self._send(rows)
                rows = ()
            elif result.status == pq.ExecStatus.COPY_OUT:
                self._drain(deadline, limit)
            elif result.status == pq.ExecStatus.FATAL_ERROR:
                refusal = refusal or _refusal(result, f"the statement took more than {limit:g} s" if cancelled else "")
            elif result.status in (
                pq.ExecStatus.TUPLES_OK,
                pq.ExecStatus.COMMAND_OK,
                pq.ExecStatus.EMPTY_QUERY,
            ):
                completed += 1

    def _wait(self, deadline: float, limit: float) -> bool:
        """Waits for a result. Returns whether the statement was cancelled because ``deadline`` passed."""
        cancelled = False
        while self._pgconn.flush() or self._pgconn.is_busy():
            events = select.POLLIN | (select.POLLOUT if self._pgconn.flush() else 0)
            poll = select.poll()
            poll.register(self._pgconn.socket, events)
            if poll.poll(max(1, min(1000, int((deadline - time.monotonic()) * 1000)))):
                self._pgconn.consume_input()
            elif time.monotonic() > deadline:
                # The statement may catch the first cancellation. The replay's budget ends the session at last.
                cancelled, deadline = True, time.monotonic() + limit
                with contextlib.suppress(psycopg.Error):
                    self._connection.cancel_safe()
        return cancelled

    def _send(self, rows: Iterable[bytes]) -> None:
        for chunk in rows:
            while not self._pgconn.put_copy_data(chunk):
                self._writable()
            while self._pgconn.flush():
                self._writable()
                if self._failed():
                    break
        while not self._pgconn.put_copy_end():
            self._writable()

    def _writable(self) -> None:
        poll = select.poll()
        poll.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)
        poll.poll(1000)
        self._pgconn.consume_input()

    def _failed(self) -> bool:
        return self._pgconn.status != pq.ConnStatus.OK

    def _drain(self, deadline: float, limit: float) -> None:
        while True:
            size, _ = self._pgconn.get_copy_data(1)
            if size == -1:
                return
            if size == 0:
                self._wait_copy(deadline)

    def _wait_copy(self, deadline: float) -> None:
        poll = select.poll()
        poll.register(self._pgconn.socket, select.POLLIN)
        if poll.poll(1000):
            self._pgconn.consume_input()
        elif time.monotonic() > deadline:
            with contextlib.suppress(psycopg.Error):
                self._connection.cancel_safe()

    def settings(self) -> dict[str, str]:
        """The settings that differ from a new session's, ``role`` among them; the transaction must not have failed."""
        query = (
            "SELECT name, setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session' "
            f"UNION ALL {self._set_parameters()} "
            "UNION ALL SELECT 'role', pg_catalog.current_setting('role')"
        )
        rows = self._connection.execute(query.encode()).fetchall()
        return {str(name): str(value) for name, value in rows if (name, value) != ("role", "none")}

    def _set_parameters(self) -> str:
        """SQL for the names and values of the files' own parameters that have a value."""
        names = ", ".join(literal(name) for name in sorted(self._custom)) or "NULL"
        return (
            "SELECT n, pg_catalog.current_setting(n, true) "
            f"FROM pg_catalog.unnest(ARRAY[{names}]::pg_catalog.text[]) n "
            "WHERE pg_catalog.current_setting(n, true) IS NOT NULL"
        )

    def sequences(self, first: str = "") -> dict[int, tuple[int, bool]] | None:
        """The last value of each sequence, and whether it was given out. None if a sequence could not be put back.

        ``first``: a statement that runs before, in the same message.
        """
        if self._connection.info.server_version < 180000:
            self.run(first.encode())
            return None
        cursor = self._connection.execute(f"{first};{_SEQUENCES}".encode())
        while cursor.nextset():
            pass
        rows = cursor.fetchall()
        if any(cache > 1 or role != "postgres" for _, _, _, cache, role in rows):
            return None
        # The files' role may not read sequences of Supabase's services, so their value is NULL.
        return {oid: (value, called) for oid, value, called, _, _ in rows if value is not None}

    def put_back(self, sequences: Mapping[int, tuple[int, bool]]) -> None:
        """Sets the sequences that have moved since :meth:`sequences` back."""
        for oid, (value, called) in (self.sequences() or {}).items():
            if oid in sequences and sequences[oid] != (value, called):
                before, given = sequences[oid]
                self.run(
                    f"SAVEPOINT s; SELECT pg_catalog.setval({oid}, {before}, {given}); RELEASE SAVEPOINT s".encode()
                )

    def current_schemas(self) -> list[str]:
        """The existing schemas of the search path."""
        row = self._connection.execute("SELECT pg_catalog.current_schemas(false)::pg_catalog.text[]").fetchone()
        return [] if row is None else [str(name) for name in row[0]]

    def apply(self, settings: Mapping[str, str], *, local: bool = False) -> None:
        """Applies ``settings`` again, for the session or for the transaction; ``role`` comes last."""
        for name, value in sorted(settings.items(), key=lambda item: item[0] == "role"):
            if not name.startswith(("transaction_", "session_authorization")):
                self.run(
                    f"SELECT pg_catalog.set_config({literal(name)}, {literal(value)}, {str(local).lower()})".encode()
                )


class FileSessions:
    """Sessions for one file after another. As in the Supabase CLI, many files share one connection."""

    def __init__(self, server: servers.Server) -> None:
        self._server = server
        self._kept: FileSession | None = None
        self._custom = set[str]()

    def open(self, defaults: Sequence[str] = ()) -> FileSession:
        """A session in its initial state. Give it back with :meth:`keep`."""
        session, self._kept = self._kept, None
        if session is not None:
            if session.renew(defaults):
                return session
            session.close()
        return FileSession(self._server, defaults, self._custom)

    def keep(self, session: FileSession) -> None:
        """Takes a session back. Its locks and temporary tables may stay until the next session is opened."""
        self.close()
        self._kept = session

    def close(self) -> None:
        """Ends the kept session."""
        session, self._kept = self._kept, None
        if session is not None:
            session.close()


def _connected(url: str, options: str) -> psycopg.Connection:
    """A connection. After a crash, which a file can cause, the server needs time to come back, so this tries again."""
    for attempt in range(_RETRIES):
        try:
            return psycopg.connect(
                url,
                options=options,
                autocommit=True,
                application_name="supavex",
                prepare_threshold=None,  # A file may deallocate statements that psycopg has prepared.
            )
        except psycopg.OperationalError as error:
            if attempt == _RETRIES - 1:
                message = f"the replay's server does not answer: {str(error).strip().splitlines()[0]}"
                raise SupavexError("CannotConnect", message, retryable=True) from None
            time.sleep(_RETRY_SECONDS)
    raise AssertionError("the last attempt returns or raises")


def _bytes(text: str, raw: bool) -> bytes:
    return text.encode("latin-1" if raw else "utf-8", "replace")


def _refusal(result: PGresult, instead: str) -> Refusal:
    def said(name: pq.DiagnosticField) -> str:
        return (result.error_field(name) or b"").decode("utf-8", "replace")

    message = said(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message.decode("utf-8", "replace").strip()
    detail, sqlstate = said(pq.DiagnosticField.MESSAGE_DETAIL), said(pq.DiagnosticField.SQLSTATE)
    if instead and sqlstate == "57014":
        message = instead
    return Refusal(
        f"{message} ({detail})" if detail else message or "the server ended the session", sqlstate or "08006"
    )
