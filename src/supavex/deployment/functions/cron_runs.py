"""Runs cron jobs that are due.

Source: ``application/src/cron_jobs`` of convex-backend. The run of a mutation is recorded in the mutation's own
transaction, so that it runs exactly once. An action runs at most once. Runs that are long past are skipped.
"""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from supavex.convex.ids import encode_id, new_internal_id
from supavex.deployment.database.commits import Abandoned
from supavex.deployment.functions.app import canonical
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.crons import RUNS_NUMBER, CronJob, cron_jobs
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.outcome import Failure, Outcome

#: The runs of each job that are kept, and the most characters of their results and logs.
_KEPT, _MAX_TEXT = 5, 1000
_MINE = "component = ? AND name = ?"


def due_crons(functions: Functions, now: float) -> tuple[list[CronJob], float | None]:
    """The jobs that are due at ``now`` (seconds), and the time of the next one."""
    with functions.engine.snapshot() as snapshot:
        waiting = [job for job in cron_jobs(snapshot.connection) if job.state == "pending"]
    later = [job.next for job in waiting if job.next > now]
    return [job for job in waiting if job.next <= now], min(later, default=None)


def run_cron(functions: Functions, job: CronJob) -> Outcome | None:
    """Runs a job that is due; None if another process has run or changed it."""
    with functions.engine.snapshot() as snapshot:
        app = functions.app(snapshot)
        component = next((path for path, found in app.components.items() if found.id == job.component), None)
    if component is None:
        return None  # Its component is no longer mounted.
    function = app.find(job.path, component)
    call = Call(job.path, job.args, internal=True, component=component)
    try:
        if function is not None and function.kind == "action":
            with functions.engine.writing() as connection:
                _hold(connection, job)
                connection.execute(f"UPDATE crons SET state = 'inProgress' WHERE {_MINE}", (job.component, job.name))
            outcome = functions.action(call)
            with functions.engine.writing() as connection:
                _complete(connection, job, outcome, functions.engine.clock.now(), state="inProgress")
            return outcome
        clock, written = functions.engine.clock, False

        def also(outcome: Outcome) -> Any:
            def write(connection: sqlite3.Connection, _ts: int) -> None:
                nonlocal written
                _complete(connection, job, outcome, clock.now())
                written = True

            return write

        outcome = functions.mutation(call, also)
        if outcome.failure is not None and not written:
            # Recording the failure failed as well. The next run must not repeat this one.
            with functions.engine.writing() as connection:
                _complete(connection, job, outcome, clock.now())
        return outcome
    except Abandoned:
        return None


def fail_interrupted(functions: Functions) -> None:
    """Records a failure for the actions that an earlier process did not finish."""
    with functions.engine.snapshot() as snapshot:
        found = [job for job in cron_jobs(snapshot.connection) if job.state == "inProgress"]
    for job in found:
        outcome = Outcome(canonical(job.path), "Action", failure=Failure("Transient error while executing action"))
        with functions.engine.writing() as connection:
            _complete(connection, job, outcome, functions.engine.clock.now(), state="inProgress")


def _hold(connection: sqlite3.Connection, job: CronJob, state: str = "pending") -> None:
    """Raises :class:`Abandoned` if the job has changed."""
    sql = f"SELECT state, next FROM crons WHERE {_MINE}"
    if connection.execute(sql, (job.component, job.name)).fetchone() != (state, job.next):
        raise Abandoned


def _complete(
    connection: sqlite3.Connection, job: CronJob, outcome: Outcome, now: float, *, state: str = "pending"
) -> None:
    """Records a finished run, and the time of the next one."""
    _hold(connection, job, state)
    following, skipped = job.schedule.following(job.next, now)
    if skipped:
        message = f"Skipping {skipped} run(s) of job {job.name} because multiple scheduled runs are in the past"
        outcome.add_log("WARN", [message])
    sql = f"UPDATE crons SET state = 'pending', previous = ?, next = ? WHERE {_MINE}"
    connection.execute(sql, (job.next, following, job.component, job.name))
    run = {
        "ts": round(job.next * 1e9),
        "udfPath": job.path,
        "args": job.args,
        "status": _status(outcome),
        "logLines": _lines(outcome.log_texts),
        "executionTime": time.monotonic() - outcome.begun if not outcome.seconds else outcome.seconds,
    }
    id_ = encode_id(RUNS_NUMBER, new_internal_id())
    row = (id_, time.time_ns() / 1e6, job.name, json.dumps(run, ensure_ascii=False), job.component)
    connection.execute("INSERT INTO cron_runs (id, created, name, run, component) VALUES (?, ?, ?, ?, ?)", row)
    kept = f"SELECT number FROM cron_runs WHERE {_MINE} ORDER BY number DESC LIMIT ?"
    mine = (job.component, job.name)
    connection.execute(f"DELETE FROM cron_runs WHERE {_MINE} AND number NOT IN ({kept})", (*mine, *mine, _KEPT))


def _status(outcome: Outcome) -> dict[str, Any]:
    if outcome.failure is not None:
        return {"type": "err", "error": outcome.error}
    text = outcome.value or "null"
    if len(text) > _MAX_TEXT:
        return {"type": "success", "result": {"type": "truncated", "truncatedLog": text[:_MAX_TEXT]}}
    return {"type": "success", "result": {"type": "default", "value": json.loads(text)}}


def _lines(texts: list[str]) -> dict[str, Any]:
    kept: list[str] = []
    for text in texts:
        if sum(map(len, kept)) + len(text) > _MAX_TEXT:
            return {"logLines": kept, "isTruncated": True}
        kept.append(text)
    return {"logLines": kept, "isTruncated": False}
