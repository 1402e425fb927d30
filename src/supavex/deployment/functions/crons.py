"""Cron jobs as the deployment's file keeps them: what ``crons.ts`` says, when each is due next, and its last runs.

Source: ``model/src/cron_jobs`` of convex-backend.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supavex.convex.ids import encode_id, new_internal_id
from supavex.convex.values import Document, from_internal_json, to_internal_json
from supavex.deployment.functions.schedules import Schedule, schedule_of
from supavex.errors import SupavexError

#: The numbers of Convex's system tables.
_JOBS, RUNS_NUMBER, _NEXT = 531, 533, 547
_NAME = "ASCII letters, numbers, spaces, underscores, dashes and apostrophes"


@dataclass(frozen=True, slots=True)
class CronJob:
    """A job. ``args`` is the internal JSON of its arguments; times are seconds since 1970."""

    name: str
    path: str
    args: Any
    schedule: Schedule
    state: str
    previous: float | None
    next: float


def checked_specs(functions: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The jobs that pushed modules say of, by name. Raises in Convex's words for what is none."""
    found: dict[str, dict[str, Any]] = {}
    for name, spec in (functions.get("crons.js") or {}).get("cronSpecs") or []:
        odd = next((letter for letter in name if not " " <= letter <= "~"), None)
        if odd is not None:
            message = f"CronIdentifier {name} has invalid character '{odd}': CronIdentifiers can only contain {_NAME}"
            raise SupavexError("InvalidCron", message, where="crons.js")
        if not isinstance(spec, dict) or not isinstance(spec.get("name"), str) or "args" not in spec:
            raise SupavexError("InvalidCron", "Invalid JSON", where="crons.js")
        schedule_of(spec.get("schedule"))
        _check_function(name, spec["name"], functions)
        found[name] = spec
    return found


def _check_function(name: str, path: str, functions: Mapping[str, dict[str, Any]]) -> None:
    module, _, function = path.partition(":")
    module, function = f"{module.removesuffix('.js')}.js", function or "default"
    defined = (functions.get(module) or {}).get("functions") or []
    kinds = [one["udfType"] for one in defined if one["name"] == function]
    what = None
    if not kinds:
        what = "schedules a function that does not exist"
    elif kinds[0] not in ("Mutation", "Action"):
        what = "schedules a query function, only actions and mutations can be scheduled"
    if what is not None:
        raise SupavexError("InvalidModules", f"The cron job '{name}' {what}: {module}:{function}", where="crons.js")


def apply_crons(connection: sqlite3.Connection, specs: Mapping[str, dict[str, Any]], now: float) -> None:
    """Makes the file's jobs those of ``specs``. A job whose schedule is the same keeps its times."""
    before = {name: json.loads(spec) for name, spec in connection.execute("SELECT name, spec FROM crons")}
    for name in before.keys() - specs.keys():
        connection.execute("DELETE FROM crons WHERE name = ?", (name,))
        connection.execute("DELETE FROM cron_runs WHERE name = ?", (name,))
    for name, spec in specs.items():
        first = schedule_of(spec["schedule"]).next(None, now)
        text = json.dumps(spec, ensure_ascii=False)
        if name not in before:
            ids = encode_id(_JOBS, new_internal_id()), encode_id(_NEXT, new_internal_id())
            row = (name, ids[0], now * 1000, text, ids[1], "pending", None, first)
            connection.execute("INSERT INTO crons VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        elif before[name] != spec:
            connection.execute("UPDATE crons SET spec = ? WHERE name = ?", (text, name))
            if before[name]["schedule"] != spec["schedule"]:
                connection.execute("UPDATE crons SET next = ? WHERE name = ?", (first, name))


def cron_jobs(connection: sqlite3.Connection) -> list[CronJob]:
    """The jobs, the one that is due first first."""
    sql = "SELECT name, spec, state, previous, next FROM crons ORDER BY next, name"
    return [_job(*row) for row in connection.execute(sql).fetchall()]


def _job(name: str, text: str, state: str, previous: float | None, next_: float) -> CronJob:
    spec = json.loads(text)
    args = spec["args"][0] if spec["args"] else {}
    return CronJob(name, spec["name"], args, schedule_of(spec["schedule"]), state, previous, next_)


def job_documents(connection: sqlite3.Connection) -> list[Document]:
    """The documents of ``_cron_jobs``."""
    rows = connection.execute("SELECT id, created, name, spec FROM crons ORDER BY created, name").fetchall()
    return [{"_id": id_, "_creationTime": at, "name": name, "cronSpec": _spec(text)} for id_, at, name, text in rows]


def next_documents(connection: sqlite3.Connection) -> list[Document]:
    """The documents of ``_cron_next_run``. Times are nanoseconds."""
    sql = "SELECT next_id, created, id, state, previous, next FROM crons ORDER BY created, name"
    return [
        {
            "_id": id_,
            "_creationTime": created,
            "cronJobId": job,
            "state": {"type": state},
            "prevTs": None if previous is None else round(previous * 1e9),
            "nextTs": round(following * 1e9),
        }
        for id_, created, job, state, previous, following in connection.execute(sql).fetchall()
    ]


def run_documents(connection: sqlite3.Connection) -> list[Document]:
    """The documents of ``_cron_job_logs``: the last runs of each job, the oldest first."""
    found: list[Document] = []
    for id_, created, name, text in connection.execute("SELECT id, created, name, run FROM cron_runs ORDER BY number"):
        run = json.loads(text)
        status = run["status"]
        if "value" in status.get("result", {}):
            status["result"]["value"] = from_internal_json(status["result"]["value"])
        document = {"_id": id_, "_creationTime": created, "name": name, "ts": run["ts"], "udfPath": run["udfPath"]}
        document |= {"udfArgs": json.dumps([run["args"]]).encode(), "status": status, "logLines": run["logLines"]}
        found.append({**document, "executionTime": float(run["executionTime"])})
    return found


def _spec(text: str) -> dict[str, Any]:
    spec = json.loads(text)
    schedule = schedule_of(spec["schedule"]).data
    args = json.dumps(to_internal_json(from_internal_json(spec["args"]))).encode()
    return {"udfPath": spec["name"], "udfArgs": args, "cronSchedule": schedule}
