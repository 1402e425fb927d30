"""Scheduled functions: written with the transaction that schedules them, run when they are due, seen in db.system."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from supavex.deployment.functions.scheduler import Scheduler
from tests.official.served import wait_until

from .app import App


def jobs(app: App) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app.run("scheduling:jobs")
    return found


def states(app: App) -> list[str]:
    return [job["state"]["kind"] for job in jobs(app)]


def later(app: App, n: float, then: str | None = None, ms: float = 0.0, **more: Any) -> str:
    args = {"n": n} if then is None else {"n": n, "then": then}
    id_: str = app.run("scheduling:after", ms=ms, args=args, **more)
    return id_


# From Python, where nothing runs by itself


def test_a_job_is_a_document_until_it_has_run_and_after(app: App):
    before = time.time() * 1000
    id_ = later(app, 5.0, ms=0.0)
    (job,) = jobs(app)
    assert job.keys() == {"_id", "_creationTime", "name", "args", "scheduledTime", "state"}
    assert (job["_id"], job["name"], job["args"]) == (id_, "scheduling.js:work", [{"n": 5.0}])
    assert job["state"] == {"kind": "pending"} and before - 1 <= job["scheduledTime"] <= time.time() * 1000
    assert app.numbers() == []
    assert app.deployment.run_scheduled() == 1
    assert app.numbers() == [5]
    (job,) = jobs(app)
    assert job["state"] == {"kind": "success"} and job["completedTime"] >= job["scheduledTime"]
    assert app.run("scheduling:get", id=id_) == job
    assert app.deployment.run_scheduled() == 0


def test_jobs_run_in_the_order_of_their_times_once_these_have_come(app: App):
    now = time.time()
    for n, ms in ((3.0, 30_000.0), (1.0, 10_000.0), (2.0, 20_000.0), (9.0, 1e9)):
        later(app, n, ms=ms)
    assert app.deployment.run_scheduled() == 0
    assert app.deployment.run_scheduled(until=now + 25) == 2
    assert app.numbers() == [1, 2]
    assert app.deployment.run_scheduled(until=now + 60) == 1
    assert app.numbers() == [1, 2, 3] and states(app).count("pending") == 1


def test_run_at_takes_milliseconds_or_a_date(app: App):
    at = (time.time() + 1000) * 1000 // 1
    app.run("scheduling:at", time=at, args={"n": 1.0})
    assert [job["scheduledTime"] for job in jobs(app)] == [at, at]


def test_what_a_job_schedules_runs_too(app: App):
    later(app, 1.0, "again")
    assert app.deployment.run_scheduled(until=time.time() + 10) == 3
    assert app.numbers() == [1, 2, 3] and states(app) == ["success"] * 3


def test_a_job_that_throws_has_failed_and_written_nothing(app: App):
    later(app, 1.0, "throw")
    later(app, 2.0)
    assert app.deployment.run_scheduled() == 2
    assert app.numbers() == [2]
    failed, done = jobs(app)
    assert done["state"] == {"kind": "success"}
    assert failed["state"]["kind"] == "failed" and "Uncaught Error: job 1\n" in failed["state"]["error"]


def test_a_mutation_that_is_rolled_back_has_scheduled_nothing(app: App):
    assert app.error("scheduling:after", ms=0.0, args={"n": 1.0}, fail=True) == "Error: no"
    assert jobs(app) == []


def test_actions_schedule_at_once_whatever_becomes_of_them(app: App):
    app.run("scheduling:fromAction")
    assert app.error("scheduling:fromAction", fail=True) == "Error: no"
    app.run("scheduling:fromAction", cancel=True)
    assert states(app) == ["pending", "pending", "canceled"]
    assert app.deployment.run_scheduled() == 2
    assert app.numbers() == [1, 1]


def test_cancelling(app: App):
    id_ = later(app, 1.0)
    app.run("scheduling:cancel", id=id_)
    (job,) = jobs(app)
    assert job["state"] == {"kind": "canceled"} and "completedTime" in job
    assert app.deployment.run_scheduled() == 0
    app.run("scheduling:cancel", id=id_)
    assert app.run("scheduling:scheduleAndCancel") == {"kind": "canceled"}
    assert app.deployment.run_scheduled() == 0 and app.numbers() == []


def test_cancelling_what_has_run_changes_nothing(app: App):
    id_ = later(app, 1.0)
    app.deployment.run_scheduled()
    app.run("scheduling:cancel", id=id_)
    assert states(app) == ["success"]


def test_cancelling_what_is_no_job(app: App):
    (row,) = app.rows(1)
    for odd in (row, "nonsense"):
        assert app.error("scheduling:cancel", id=odd)


def test_a_mutation_that_cancels_itself_is_canceled(app: App):
    """And is warned; from version 1.50 of the npm package on, it is an error."""
    later(app, 1.0, kind="cancelsItself")
    lines: list[str] = []
    app.functions.listeners.append(lambda outcome: lines.extend(outcome.log_texts))
    assert app.deployment.run_scheduled() == 1
    assert app.run("reading:all", table="rows") == [] and states(app) == ["canceled"]
    assert [line.partition(" is ")[0] for line in lines] == ["[WARN] A scheduled mutation canceling itself"]


def test_a_mutation_of_a_newer_client_does_not_cancel_itself(app: App):
    store = app.deployment.store
    store.set_meta("udf_version", "1.50.0")
    later(app, 1.0, kind="cancelsItself")
    assert app.deployment.run_scheduled() == 1
    (row,) = app.run("reading:all", table="rows")
    assert row["a"] == "A mutation cannot cancel itself" and states(app) == ["success"]


def test_a_scheduled_action(app: App):
    later(app, 1.0, "look", kind="act")
    later(app, 2.0, "throw", kind="act")
    assert app.deployment.run_scheduled() == 2
    assert sorted(app.numbers()) == [-1, 1, 2]
    note = next(row for row in app.run("reading:all", table="rows") if row["n"] == -1)
    assert note["a"] == {"kind": "inProgress"}
    done, failed = (job["state"] for job in jobs(app))
    assert done == {"kind": "success"} and "action 2" in failed["error"]


@pytest.mark.parametrize("how", ["itself", "mutation"])
def test_what_a_cancelled_action_schedules_is_cancelled_too(app: App, how: str):
    later(app, 1.0, how, kind="cancelsThenSchedules")
    before = time.time() * 1000
    assert app.deployment.run_scheduled() == 1
    parent, child = jobs(app)
    assert (parent["state"], child["state"]) == ({"kind": "canceled"},) * 2
    assert before - 1 <= child["scheduledTime"] <= child["completedTime"] <= time.time() * 1000
    assert app.deployment.run_scheduled(until=time.time() + 120) == 0 and app.numbers() == []


def test_jobs_have_no_user(app: App):
    later(app, 1.0)
    assert app.deployment.run_scheduled() == 1


def test_what_can_not_be_scheduled(app: App):
    assert app.error("scheduling:badly", name="scheduling:nowhere") == (
        "Error: Attempted to schedule function, but no exported function nowhere found in the file: scheduling.js. "
        "Did you forget to export it?"
    )
    said = app.error("scheduling:badly", name="nowhere:work")
    assert said == "Error: Attempted to schedule function at nonexistent path: nowhere.js"
    said = app.error("scheduling:badly", name="scheduling:work", args={"n": 1.0}, ms=6 * 365 * 86_400_000.0)
    assert said.endswith(" is more than 5 years in the future")
    for ms in (float("inf"), float("nan"), -1.0):
        assert app.error("scheduling:badly", name="scheduling:work", args={"n": 1.0}, ms=ms)
    assert jobs(app) == []


def test_what_a_job_calls_and_gives_is_looked_at_when_it_runs(app: App):
    app.run("scheduling:badly", name="scheduling:read")
    app.run("scheduling:badly", name="scheduling:work", args={"n": "x"})
    assert [job["state"]["kind"] for job in jobs(app)] == ["pending", "pending"]
    assert app.deployment.run_scheduled() == 2
    query, misfit = (job["state"] for job in jobs(app))
    assert query["kind"] == misfit["kind"] == "failed" and app.numbers() == []
    said = 'Unsupported function type. "read" in module "scheduling.js" is defined as a Query.'
    assert f"{said} Only Mutation and Action can be scheduled." in query["error"]
    assert "ArgumentValidationError" in misfit["error"]


@pytest.mark.parametrize("function", ["tooMuch", "tooMuchInAction"])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("fields", "an object has 1100 fields; Convex allows 1024"),
        ("elements", "an array has 8200 elements; Convex allows 8192"),
        ("levels", "nested more than 64 deep."),
    ],
)
def test_arguments_beyond_a_limit_are_refused_when_a_job_is_scheduled(app: App, function: str, what: str, said: str):
    assert app.error(f"scheduling:{function}", what=what) == f"Error: Invalid arguments for scheduling:note: {said}"
    assert jobs(app) == []


def test_a_job_that_can_not_begin_is_told_as_the_failure_of_its_function(app: App):
    app.run("scheduling:badly", name="scheduling:read")
    app.run("scheduling:badly", name="scheduling:work", args={"n": 1.0})
    told: list[tuple[str, str, str, bool]] = []
    app.functions.listeners.append(
        lambda one: told.append((one.path, one.kind, one.component, one.failure is not None))
    )
    assert app.deployment.run_scheduled() == 2
    assert told == [("scheduling:read", "Query", "", True), ("scheduling:work", "Mutation", "", False)]


def test_a_job_that_never_ends_fails_and_others_run(app: App):
    app.functions.query_seconds = 0.3
    app.run("scheduling:after", ms=0.0, args={"then": "loop"}, kind="odd")
    later(app, 2.0)
    assert app.deployment.run_scheduled() == 2
    failed, done = (job["state"] for job in jobs(app))
    assert "Function execution timed out" in failed["error"] and done["kind"] == "success"
    assert app.numbers() == [2]


# By a scheduler, as a server has one


@pytest.fixture
def scheduler(app: App) -> Iterator[Scheduler]:
    running = Scheduler(app.functions)
    running.start()
    yield running
    running.close()


@pytest.mark.usefixtures("scheduler")
def test_jobs_run_by_themselves_when_they_are_due(app: App):
    later(app, 2.0, ms=300.0)
    later(app, 1.0)
    wait_until(lambda: app.numbers() == [1])
    assert states(app) == ["pending", "success"]
    wait_until(lambda: states(app) == ["success", "success"])
    later(app, 1.0, "again")
    wait_until(lambda: sorted(app.numbers()) == [1, 1, 2, 2, 3])


@pytest.mark.usefixtures("scheduler")
def test_a_slow_job_holds_no_other_up(app: App):
    app.run("scheduling:after", ms=0.0, args={"then": "loop"}, kind="odd")
    later(app, 2.0)
    wait_until(lambda: app.numbers() == [2])
    wait_until(lambda: states(app) == ["failed", "success"])


def test_an_action_that_was_interrupted_has_failed_when_the_next_server_starts(app: App):
    """At most once: it is not run again."""
    later(app, 1.0, kind="act")
    (job,) = jobs(app)
    from supavex.deployment.functions import scheduler

    assert scheduler._set(app.functions, scheduler.Job(job, 0, ""), "inProgress")
    running = Scheduler(app.functions)
    running.start()
    running.close()
    assert states(app) == ["failed"] and app.numbers() == []
