"""The answers to sessions' mutations, kept in the transaction of each, so that a repeated mutation does not run again.

A client repeats a mutation after reconnecting if it has no answer. Source: ``model/src/session_requests`` of
convex-backend.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from supavex.deployment.database.commits import Abandoned
from supavex.deployment.database.engine import Engine
from supavex.deployment.functions.outcome import Outcome

#: Seconds that an answer is kept.
_KEPT_SECONDS = 7 * 86_400
Answer = Callable[[Outcome, int], dict[str, Any]]


class AlreadyAnswered(Abandoned):
    """The mutation was sent over another connection and has committed meanwhile, so this run of it must not commit."""


def kept(engine: Engine, session: str, request: int) -> dict[str, Any] | None:
    """The answer to a mutation that has already run."""
    with engine.snapshot() as snapshot:
        sql = "SELECT answer FROM session_requests WHERE session = ? AND request = ?"
        row = snapshot.connection.execute(sql, (session, request)).fetchone()
    return None if row is None else dict(json.loads(row[0]))


def keeping(
    session: str, request: int, answer: Answer
) -> Callable[[Outcome], Callable[[sqlite3.Connection, int], None]]:
    """Makes the function that keeps a mutation's answer in its commit. It raises :class:`AlreadyAnswered`."""

    def of(outcome: Outcome) -> Callable[[sqlite3.Connection, int], None]:
        def write(connection: sqlite3.Connection, ts: int) -> None:
            now = time.time()
            row = (session, request, now, json.dumps(answer(outcome, ts)))
            sql = "INSERT OR IGNORE INTO session_requests VALUES (?, ?, ?, ?)"
            if connection.execute(sql, row).rowcount == 0:
                raise AlreadyAnswered
            if request % 256 == 0:
                connection.execute("DELETE FROM session_requests WHERE made < ?", (now - _KEPT_SECONDS,))

        return write

    return of
