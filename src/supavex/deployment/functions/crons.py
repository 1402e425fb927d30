"""Cron jobs in the deployment's file: the jobs of ``crons.ts``, their next times, and their last runs.

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
from supavex.deployment.database.store import Store
from supavex.deployment.functions.schedules import Schedule, schedule_of
from supavex.errors import SupavexError

#: The numbers of Convex's system tables.
_JOBS, RUNS_NUMBER, _NEXT = 531, 533, 547
_NAME = "ASCII letters, numbers, spaces, underscores, dashes and apostrophes"


@dataclass(frozen=True, slots=True)
class CronJob:
    """A cron job. Times are seconds since 1970."""

    #: The name in crons.ts, unique in its component.
    name: str
    #: The function to call.
    path: str
    #: The internal JSON of the arguments.
    args: Any
    #: When the job runs.
    schedule: Schedule
    #: ``pending``, or ``inProgress`` while the job runs.
    state: str
    #: The time of the last run; None if there was none.
    previous: float | None
    #: The time of the next run.
    next: float
    #: The id of its component; 0 for the app.
    component: int = 0


def checked_specs(functions: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The jobs of the pushed modules, by name. Raises Convex's errors for invalid ones."""
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


def apply_crons(store: Store, specs: Mapping[str, dict[str, Any]], now: float) -> None:
    """Replaces the jobs of the app, or of a component, by ``specs``. A job with the same schedule keeps its times."""
    connection, component = store.connection, store.component
    before = {name: json.loads(spec) for name, spec in _rows(store, "name, spec FROM crons")}
    mine = "component = ? AND name = ?"
    for name in before.keys() - specs.keys():
        connection.execute(f"DELETE FROM crons WHERE {mine}", (component, name))
        connection.execute(f"DELETE FROM cron_runs WHERE {mine}", (component, name))
    for name, spec in specs.items():
        first = schedule_of(spec["schedule"]).next(None, now)
        text = json.dumps(spec, ensure_ascii=False)
        if name not in before:
            ids = encode_id(_JOBS, new_internal_id()), encode_id(_NEXT, new_internal_id())
            row = (component, name, ids[0], now * 1000, text, ids[1], "pending", None, first)
            connection.execute("INSERT INTO crons VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        elif before[name] != spec:
            connection.execute(f"UPDATE crons SET spec = ? WHERE {mine}", (text, component, name))
            if before[name]["schedule"] != spec["schedule"]:
                connection.execute(f"UPDATE crons SET next = ? WHERE {mine}", (first, component, name))


def cron_jobs(connection: sqlite3.Connection) -> list[CronJob]:
    """The jobs of the app and its components, by the time of their next run."""
    sql = "SELECT name, spec, state, previous, next, component FROM crons ORDER BY next, component, name"
    return [_job(*row) for row in connection.execute(sql).fetchall()]


def _job(name: str, text: str, state: str, previous: float | None, next_: float, component: int) -> CronJob:
    spec = json.loads(text)
    args = spec["args"][0] if spec["args"] else {}
    return CronJob(name, spec["name"], args, schedule_of(spec["schedule"]), state, previous, next_, component)


def _rows(store: Store, source: str, order: str = "name") -> list[tuple[Any, ...]]:
    sql = f"SELECT {source} WHERE component = ? ORDER BY {order}"
    return store.connection.execute(sql, (store.component,)).fetchall()


def job_documents(store: Store) -> list[Document]:
    """The documents of ``_cron_jobs``."""
    rows = _rows(store, "id, created, name, spec FROM crons", "created, name")
    return [{"_id": id_, "_creationTime": at, "name": name, "cronSpec": _spec(text)} for id_, at, name, text in rows]


def next_documents(store: Store) -> list[Document]:
    """The documents of ``_cron_next_run``. Times are nanoseconds."""
    return [
        {
            "_id": id_,
            "_creationTime": created,
            "cronJobId": job,
            "state": {"type": state},
            "prevTs": None if previous is None else round(previous * 1e9),
            "nextTs": round(following * 1e9),
        }
        for id_, created, job, state, previous, following in _rows(
            store, "next_id, created, id, state, previous, next FROM crons", "created, name"
        )
    ]


def run_documents(store: Store) -> list[Document]:
    """The documents of ``_cron_job_logs``: the last runs of each job, the oldest first."""
    found: list[Document] = []
    for id_, created, name, text in _rows(store, "id, created, name, run FROM cron_runs", "number"):
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
