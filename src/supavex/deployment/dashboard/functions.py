"""The page of pushed functions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from supavex.convex.schema_json import validator_from_json
from supavex.convex.values import Document
from supavex.deployment.dashboard.pages import Asked
from supavex.deployment.functions import crons, modules
from supavex.deployment.server.system import scheduled_functions
from supavex.errors import SupavexError


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function: its name for an app, its arguments and its result."""

    name: str
    kind: str
    visibility: str
    arguments: str
    returns: str


@dataclass(frozen=True, slots=True)
class CronRow:
    """A cron job: its function and schedule, its next run and its last run. Times are ISO 8601, UTC."""

    #: The job's name in crons.ts.
    name: str
    #: The function that it calls.
    path: str
    #: The function's arguments as JSON.
    arguments: str
    #: The schedule in words or as a cron expression.
    schedule: str
    #: When the job runs next.
    next: str
    #: When the job ran last; None: not yet.
    last: str | None
    #: ``success`` or ``err`` of the last run; None if there was none.
    status: str | None
    #: The error of the last run.
    error: str | None


@dataclass(frozen=True, slots=True)
class ScheduledRow:
    """A job of ``ctx.scheduler``: its function, its state, when it is due and when it ended (milliseconds)."""

    name: str
    state: str
    due: float | None
    ended: float | None


#: The most scheduled jobs on the page.
_MOST_SCHEDULED = 100


@dataclass(frozen=True, slots=True)
class FunctionsPage:
    """Every pushed function, HTTP route and cron job."""

    template: ClassVar[str] = "functions.html"
    section: ClassVar[str] = "functions"
    title: ClassVar[str] = "Functions"
    functions: list[FunctionRow]
    #: Method and path of each HTTP route.
    routes: list[tuple[str, str]]
    crons: list[CronRow]
    #: The newest jobs of ``ctx.scheduler``.
    scheduled: list[ScheduledRow]
    #: The number of older jobs.
    scheduled_left_out: int

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        return {
            "functions": [
                {
                    "name": function.name,
                    "kind": function.kind,
                    "visibility": function.visibility,
                    "args": function.arguments,
                    "returns": function.returns,
                }
                for function in self.functions
            ],
            "httpRoutes": [{"method": method, "path": path} for method, path in self.routes],
            "crons": [asdict(cron) for cron in self.crons],
            "scheduled": [asdict(job) for job in self.scheduled],
        }


def functions_page(asked: Asked) -> FunctionsPage:
    """The functions of the last push, from its modules' analysis."""
    functions: list[FunctionRow] = []
    routes: list[tuple[str, str]] = []
    component, store = asked.component, asked.deployment.store
    prefix = component.http_prefix if component.path else store.meta(modules.HTTP_PREFIX) or ""
    # A component that is not mounted any more has tables, and no functions.
    analyses = modules.analyses(store, component.definition) if component.mounted else {}
    for path, analysis in analyses.items():
        functions += (_function(path.removesuffix(".js"), found) for found in analysis.get("functions") or [])
        # The routes of a component that its parent mounts under no prefix are out of reach.
        found_routes = [item["route"] for item in analysis.get("httpRoutes") or [] if prefix is not None]
        start = (prefix or "").rstrip("/")
        routes += ((str(route["method"]), f"{start}{route['path']}") for route in found_routes)
    scheduled = [_scheduled(document) for document in reversed(scheduled_functions(asked.deployment))]
    left_out = max(0, len(scheduled) - _MOST_SCHEDULED)
    return FunctionsPage(functions, routes, _cron_rows(asked), scheduled[:_MOST_SCHEDULED], left_out)


def _scheduled(document: Document) -> ScheduledRow:
    state, due, ended = document.get("state"), document.get("scheduledTime"), document.get("completedTime")
    return ScheduledRow(
        name=str(document.get("name", "")).replace(".js:", ":"),
        state=str(state.get("kind", "")) if isinstance(state, dict) else "",
        due=due if isinstance(due, float) else None,
        ended=ended if isinstance(ended, float) else None,
    )


def _cron_rows(asked: Asked) -> list[CronRow]:
    """The cron jobs, by the time of their next run."""
    store = asked.deployment.store
    runs = {run["name"]: run for run in crons.run_documents(store)}
    rows = []
    for job in crons.cron_jobs(store.connection):
        if job.component != store.component:
            continue
        status = runs[job.name]["status"] if job.name in runs else {}
        args = json.dumps(job.args, ensure_ascii=False)
        last = None if job.previous is None else _moment(job.previous)
        row = (job.name, job.path, args, job.schedule.text(), _moment(job.next), last)
        rows.append(CronRow(*row, status.get("type"), status.get("error")))
    return rows


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _function(module: str, function: dict[str, Any]) -> FunctionRow:
    return FunctionRow(
        name=f"{module}:{function['name']}",
        kind=str(function.get("udfType", "")),
        visibility=str((function.get("visibility") or {}).get("kind", "")),
        arguments=_validator(function.get("args")),
        returns=_validator(function.get("returns")),
    )


def _validator(text: str | None) -> str:
    """A validator's JSON as Convex prints it."""
    try:
        data = json.loads(text or "null")
        return "v.any()" if data is None else str(validator_from_json(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SupavexError):
        return "unknown"
