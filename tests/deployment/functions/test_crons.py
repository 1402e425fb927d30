"""Cron jobs: when they are due, that each run is run once, what is kept of it, and a clock that tests turn."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from supavex.deployment.functions.cron_runs import due_crons, fail_interrupted, run_cron
from supavex.deployment.functions.crons import apply_crons, checked_specs, cron_jobs, job_documents, run_documents
from supavex.deployment.functions.scheduler import Scheduler
from supavex.deployment.functions.schedules import schedule_of
from supavex.errors import SupavexError
from tests.official.served import wait_until

from .app import App

HOUR, DAY = 3600.0, 86_400.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def moments(data: dict[str, Any], start: str, count: int = 3) -> list[str]:
    schedule, now, found = schedule_of(data), at(start), []
    for _ in range(count):
        now = schedule.next(None, now)
        found.append(shown(now))
    return found


def cron(text: str, start: str, count: int = 3) -> list[str]:
    return moments({"type": "cron", "cron": text}, start, count)


# When


def test_schedules_by_the_clock():
    start = "2026-01-31 10:17"
    assert moments({"type": "hourly", "minuteUTC": 5}, start) == [f"2026-01-31 {h}:05" for h in (11, 12, 13)]
    assert moments({"type": "hourly"}, start, 1) == ["2026-01-31 11:00"]
    assert moments({"type": "daily", "hourUTC": 9, "minuteUTC": 30}, start, 2) == [
        "2026-02-01 09:30",
        "2026-02-02 09:30",
    ]
    weekly = {"type": "weekly", "dayOfWeek": "monday", "hourUTC": 0, "minuteUTC": 0}
    assert moments(weekly, start, 2) == ["2026-02-02 00:00", "2026-02-09 00:00"]
    monthly = {"type": "monthly", "day": 31, "hourUTC": 12, "minuteUTC": 0}
    assert moments(monthly, start) == ["2026-01-31 12:00", "2026-03-31 12:00", "2026-05-31 12:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", ["2026-01-01 00:01", "2026-01-01 00:02", "2026-01-01 00:03"]),
        ("*/20 3 * * *", ["2026-01-01 03:00", "2026-01-01 03:20", "2026-01-01 03:40"]),
        ("50-10/10 0 1 * *", ["2026-01-01 00:10", "2026-01-01 00:50", "2026-02-01 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("0 0 * * 0", ["2026-01-04 00:00", "2026-01-11 00:00", "2026-01-18 00:00"]),
        ("0 0 * * sun,WED", ["2026-01-04 00:00", "2026-01-07 00:00", "2026-01-11 00:00"]),
        ("0 0 * JAN-feb L", ["2026-01-03 00:00", "2026-01-10 00:00", "2026-01-17 00:00"]),
        ("0 0 L * *", ["2026-01-31 00:00", "2026-02-28 00:00", "2026-03-31 00:00"]),
        ("0 0 L-3 * *", ["2026-01-28 00:00", "2026-02-25 00:00", "2026-03-28 00:00"]),
        ("0 0 LW * *", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-31 00:00"]),
        ("0 0 1W * *", ["2026-02-02 00:00", "2026-03-02 00:00", "2026-04-01 00:00"]),
        ("0 0 * * 5L", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-27 00:00"]),
        ("0 0 * * MON#2", ["2026-01-12 00:00", "2026-02-09 00:00", "2026-03-09 00:00"]),
        ("0 0 13 * 5", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00"]),
    ],
)
def test_cron_expressions(text: str, expected: list[str]):
    assert cron(text, "2026-01-01 00:00:30") == expected


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"type": "interval"}, "Exactly one of (seconds, minutes, hours) should be specified"),
        ({"type": "interval", "seconds": 1, "hours": 1}, "Exactly one of"),
        ({"type": "interval", "minutes": 0}, "Interval must be an integer greater than 0"),
        ({"type": "interval", "minutes": 0.5}, "Interval must be an integer greater than 0"),
        ({"type": "hourly", "minuteUTC": 60}, "minuteUTC must be 0-59"),
        ({"type": "daily", "hourUTC": 24}, "hourUTC must be 0-23"),
        ({"type": "weekly", "hourUTC": 1, "dayOfWeek": "someday"}, "Invalid JSON"),
        ({"type": "monthly", "hourUTC": 1, "day": 32}, "day of month must be 1-31"),
        ({"type": "cron", "cron": "* * * *"}, "Failed to parse cron expression"),
        ({"type": "cron", "cron": "61 * * * *"}, "Failed to parse cron expression"),
        ({"type": "cron", "cron": "* * * * 7"}, "Failed to parse cron expression"),
        ({"type": "cron", "cron": "* * 30 2 *"}, 'The cron spec "* * 30 2 *" will never match any time'),
        ({"type": "yearly"}, "Invalid JSON"),
        (None, "Invalid JSON"),
    ],
)
def test_a_schedule_that_is_none_is_refused_in_convex_words(data: Any, said: str):
    with pytest.raises(SupavexError) as caught:
        schedule_of(data)
    assert caught.value.code == "InvalidCron" and said in caught.value.message


FUNCTIONS = {"a.js": {"functions": [{"name": "q", "udfType": "Query"}, {"name": "m", "udfType": "Mutation"}]}}


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("fine", "a:m", None),
        ("no such", "a:x", "The cron job 'no such' schedules a function that does not exist: a.js:x"),
        ("nowhere", "b", "The cron job 'nowhere' schedules a function that does not exist: b.js:default"),
        (
            "asks",
            "a:q",
            "The cron job 'asks' schedules a query function, only actions and mutations can be scheduled: a.js:q",
        ),
        ("ä", "a:m", "CronIdentifier ä has invalid character 'ä'"),
    ],
)
def test_a_job_names_a_mutation_or_an_action(name: str, path: str, said: str | None):
    spec = {"name": path, "args": [{}], "schedule": {"type": "interval", "hours": 1}}
    pushed = {**FUNCTIONS, "crons.js": {"functions": [], "cronSpecs": [[name, spec]]}}
    if said is None:
        assert checked_specs(pushed) == {name: spec}
        return
    with pytest.raises(SupavexError) as caught:
        checked_specs(pushed)
    assert caught.value.message.startswith(said)


# Runs


def jobs(app: App, **specs: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    """Makes the deployment's jobs these: a path, arguments, and a schedule by name."""
    made = {n: {"name": path, "args": [args], "schedule": schedule} for n, (path, args, schedule) in specs.items()}
    with app.deployment.store.transaction():
        apply_crons(app.deployment.store, made, app.functions.engine.clock.now())


EVERY_HOUR = {"type": "interval", "hours": 1}


def test_an_interval_begins_at_once_and_goes_on(app: App):
    jobs(app, put=("acting:put", {"n": 7}, EVERY_HOUR))
    assert app.deployment.advance(0) == 1 and app.numbers() == [7]
    assert app.deployment.advance(HOUR - 5) == 0
    assert app.deployment.advance(5) == 1
    assert app.deployment.advance(3 * HOUR) == 3 and len(app.numbers()) == 5
    (job,) = cron_jobs(app.deployment.store.connection)
    assert job.next - (job.previous or 0) == HOUR and job.state == "pending"


def test_each_run_has_its_own_moment(app: App):
    schedule = {"type": "daily", "hourUTC": 9, "minuteUTC": 30}
    jobs(app, put=("acting:put", {"n": 1}, schedule), other=("acting:put", {"n": 2}, {**schedule, "hourUTC": 8}))
    assert app.deployment.advance(2 * DAY) == 4
    found = sorted(app.deployment.documents("rows"), key=lambda row: row["_creationTime"])
    clocks = [datetime.fromtimestamp(row["_creationTime"] / 1000, UTC).strftime("%H:%M") for row in found]
    pairs = list(zip(clocks, (row["n"] for row in found), strict=True))
    assert sorted(set(pairs)) == [("08:30", 2.0), ("09:30", 1.0)] and len(pairs) == 4


def test_scheduled_functions_and_jobs_run_in_the_order_of_their_moments(app: App):
    jobs(app, put=("acting:put", {"n": 1}, EVERY_HOUR))
    app.deployment.advance(0)
    for hours in (2.5, 0.5, 1.5):
        app.run("scheduling:after", ms=hours * HOUR * 1000, args={"n": hours * 10})
    assert app.deployment.advance(2 * HOUR) == 4
    assert app.numbers() == [1, 5, 1, 15, 1]
    found = app.run("scheduling:jobs")
    waited = [job["completedTime"] - job["scheduledTime"] for job in found if job["state"]["kind"] == "success"]
    assert len(waited) == 2 and all(0 <= ms < 60_000 for ms in waited), "by the turned clock"
    app.deployment.advance(HOUR)
    assert app.numbers() == [1, 5, 1, 15, 1, 25, 1]
    with pytest.raises(SupavexError, match="goes forward"):
        app.deployment.advance(-1)


def test_an_action_and_what_is_kept_of_runs(app: App):
    jobs(app, act=("acting:writesAndThrows", {}, EVERY_HOUR), put=("acting:put", {"n": 2}, EVERY_HOUR))
    app.deployment.advance(7 * HOUR)
    runs = run_documents(app.deployment.store)
    assert [run["name"] for run in runs].count("act") == 5 == [run["name"] for run in runs].count("put")
    kinds = {run["name"]: run["status"]["type"] for run in runs}
    assert kinds == {"act": "err", "put": "success"}
    assert "too late" in next(run["status"]["error"] for run in runs if run["name"] == "act")
    assert len(app.numbers()) == 16, "the action writes before it throws"
    spec = next(d for d in job_documents(app.deployment.store) if d["name"] == "put")["cronSpec"]
    assert spec["udfPath"] == "acting:put" and json.loads(spec["udfArgs"]) == [{"n": 2}]
    assert spec["cronSchedule"] == {"type": "interval", "seconds": 3600}


def test_runs_that_are_long_past_are_skipped(app: App):
    jobs(app, put=("acting:put", {"n": 1}, {"type": "interval", "seconds": 10}))
    lines: list[str] = []
    app.functions.listeners.append(lambda outcome: lines.extend(outcome.log_texts))
    clock = app.functions.engine.clock
    clock.turn_to(clock.now() + 1000)
    (job,), _ = due_crons(app.functions, clock.now())
    assert run_cron(app.functions, job) is not None and len(app.numbers()) == 1
    assert lines and lines[0].startswith("[WARN] Skipping ") and "multiple scheduled runs are in the past" in lines[0]
    (job,) = cron_jobs(app.deployment.store.connection)
    assert clock.now() - 1 < job.next <= clock.now() + 10


def test_a_run_is_run_once_whoever_else_tries(app: App):
    jobs(app, put=("acting:put", {"n": 1}, EVERY_HOUR), act=("acting:steps", {}, EVERY_HOUR))
    due, _ = due_crons(app.functions, app.functions.engine.clock.now())
    found: list[Any] = []
    threads = [threading.Thread(target=lambda job=job: found.append(run_cron(app.functions, job))) for job in due * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(outcome is not None for outcome in found) == 2 and len(found) == 8
    assert sorted(app.numbers()) == [1, 1, 2, 3, 4]


def test_an_action_that_was_interrupted_has_failed_and_goes_on(app: App):
    jobs(app, act=("acting:steps", {}, EVERY_HOUR))
    app.deployment.store.connection.execute("UPDATE crons SET state = 'inProgress'")
    assert app.deployment.advance(0) == 0
    fail_interrupted(app.functions)
    (run,) = run_documents(app.deployment.store)
    assert run["status"]["type"] == "err" and "Transient error while executing action" in run["status"]["error"]
    assert app.deployment.advance(HOUR) == 1


def test_a_push_keeps_the_times_of_what_it_does_not_change(app: App):
    jobs(app, a=("acting:put", {"n": 1}, EVERY_HOUR), b=("acting:put", {"n": 2}, EVERY_HOUR))
    app.deployment.advance(60)
    before = {job.name: job for job in cron_jobs(app.deployment.store.connection)}
    changed = ("acting:put", {"n": 3}, EVERY_HOUR)
    jobs(app, a=changed, c=("acting:put", {"n": 4}, {"type": "hourly", "minuteUTC": 0}))
    after = {job.name: job for job in cron_jobs(app.deployment.store.connection)}
    assert after.keys() == {"a", "c"} and after["a"].next == before["a"].next and after["a"].args == {"n": 3}
    assert {run["name"] for run in run_documents(app.deployment.store)} == {"a"}
    jobs(app, a=("acting:put", {"n": 3}, {"type": "interval", "hours": 2}))
    assert cron_jobs(app.deployment.store.connection)[0].next <= app.functions.engine.clock.now()


def test_a_server_runs_them_by_itself(app: App):
    jobs(app, put=("acting:put", {"n": 1}, {"type": "interval", "seconds": 1}))
    scheduler = Scheduler(app.functions)
    scheduler.start()
    try:
        wait_until(lambda: len(app.numbers()) >= 3)
    finally:
        scheduler.close()
