"""Time stands still in queries and mutations, chance has a seed, and neither timers nor the network are there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supavex.deployment.runtime.runner import _WAITS, Runner, Runners
from tests.official.served import wait_until

from .app import App, value_of

NOT_HERE = "in queries and mutations. Please consider using an action. "
NOT_HERE += "See https://docs.convex.dev/functions/actions for more details."


def test_the_clock_stands_still(app: App):
    found = app.run("chance:clock")
    assert abs(found["start"] - time.time() * 1000) < 60_000
    for fact in ("same", "whole", "text", "performance", "isDate"):
        assert found[fact] is True, fact
    assert found["zone"] == 0
    year, utc, parsed, invalid = found["arguments"]
    assert (year, utc, parsed) == (2020, 1_577_836_800_000, 1000) and invalid != invalid


def test_chance_differs_from_run_to_run_and_within_one(app: App):
    one, two = app.run("chance:random"), app.run("chance:random")
    assert len({*one, *two}) == 100 and all(0 <= number < 1 for number in one)
    assert 0.3 < sum(one + two) / 100 < 0.7


def test_called_functions_have_the_same_clock_and_other_chance(app: App):
    (outer, first, second) = app.run("chance:nested")
    assert outer[0] <= first[0] <= second[0]
    assert len({outer[1], first[1], second[1]}) == 3


def test_modules_see_the_time_and_chance_of_their_push(app: App):
    chance, then = app.run("chance:randomAtImport")
    assert app.run("chance:randomAtImport") == [chance, then] == app.run("chance:importedInAction")
    nested, before, after, now = app.run("chance:importedInNested")
    assert nested == [chance, then] and then < now < time.time() * 1000 + 1
    assert len({chance, before, after}) == 3, "and the caller goes on with its own"


def test_modules_are_evaluated_for_each_call(app: App):
    """Be it when it begins, or ready before."""
    for _ in range(3):
        assert app.run("quiet:counted") == [1, 1]
    assert app.run("quiet:other") == 0
    for kind in ("inQuery", "inQuery", "inMutation", "inQuery"):
        outcome = app.outcome(f"importing:{kind}")
        assert value_of(outcome) == [1, 1, 0]
        assert [line.messages for line in outcome.logs] == [["'evaluated'"]]


@pytest.mark.parametrize("how", ["method", "getter"])
def test_nothing_that_a_call_leaves_reaches_the_modules_that_are_prepared(app: App, how: str):
    assert app.run("quiet:registered") == {"of": "the module"}
    app.outcome("quiet:leaves", {"how": how, "secret": "of another caller"})
    for _ in range(3):
        assert app.run("quiet:registered") == {"of": "the module"}


@pytest.fixture
def alone(app: App) -> Iterator[App]:
    """The app with one process for all of its calls, as long as none has changed it."""
    runners = Runners()
    app.functions._runners = runners
    yield app
    runners.close()


def test_nothing_that_a_call_changes_reaches_another_call(alone: App):
    assert not any(alone.run("left:found"))
    for how in alone.run("left:ways"):
        for _ in range(2):
            alone.outcome("left:leaves", {"how": how})
            assert not any(alone.run("left:found")), how
    for _ in range(3):
        alone.run("odd:leaves")
        assert not any(alone.run("left:found")), "by a class that the modules hold since they were prepared"


def test_what_the_evaluation_of_prepared_modules_changes_reaches_no_other_modules(alone: App):
    for _ in range(12):
        alone.run("odd:called")
        assert not any(alone.run("left:found"))


def test_of_many_calls_in_turn_one_process_makes_itself_ready_while_another_runs(
    app: App, monkeypatch: pytest.MonkeyPatch
):
    # As where each call comes before the process has looked at what the last one left.
    monkeypatch.setattr(Runner, "rested", lambda self: False)
    runners = Runners()
    try:
        app.functions._runners = runners
        for _ in range(40):
            assert app.run("quiet:counted") == [1, 1]
        wait_until(lambda: len(runners._idle) == 2)
        assert app.run("quiet:counted") == [1, 1]
    finally:
        runners.close()


def test_calls_that_find_a_process_at_rest_make_no_other_one(app: App, monkeypatch: pytest.MonkeyPatch):
    rested, made, runners = False, list[object](), Runners()
    monkeypatch.setattr(Runner, "rested", lambda self: rested)
    monkeypatch.setattr(runners, "_add", made.append)
    try:
        app.functions._runners = runners
        for _ in range(40):
            app.run("quiet:counted")
        wait_until(lambda: len(made) == 1)  # it is made where nobody waits
        runners._waited, rested = len(made) * _WAITS, True
        for _ in range(10):
            app.run("quiet:counted")
        assert len(made) == 1
    finally:
        runners.close()


@pytest.mark.parametrize("kind", ["Query", "Mutation", "Action"])
def test_performance_counts_from_the_push(app: App, kind: str):
    found = app.run(f"chance:performanceIn{kind}")
    assert found["atImport"] == 0 and found["origin"] is True and abs(found["epoch"]) < 1000
    assert (found["went"] == found["measured"] == 0) if kind == "Query" else (found["went"] >= found["measured"] > 0)
    assert found["names"] == [["mark", "b"], ["measure", "m"], ["measure", "o"]], "those of this run alone"
    assert (found["missing"], found["other"]) == ("SyntaxError", [5, 7, 1])
    assert found["json"] == ["name", "entryType", "startTime", "duration", "detail"]
    assert app.run(f"chance:performanceIn{kind}")["names"] == found["names"]


@pytest.mark.parametrize("function", ["refusedInQuery", "refusedInMutation"])
def test_timers_and_the_network_are_for_actions(app: App, function: str):
    assert app.run(f"chance:{function}") == [
        ["threw", f"Can't use setTimeout {NOT_HERE}"],
        ["threw", f"Can't use setInterval {NOT_HERE}"],
        ["threw", f"Can't use fetch() {NOT_HERE}"],
    ]


def test_timers_run_in_actions(app: App):
    assert app.run("chance:allowedInAction") == [["gave", "number"]]


@pytest.mark.parametrize("function", ["secrets", "secretsInAction"])
def test_random_bytes(app: App, function: str):
    found: list[Any] = [app.run(f"chance:{function}") for _ in range(2)]
    for uuid, numbers in found:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uuid)
        assert len(numbers) == 8 and all(0 <= number < 256 for number in numbers)
    assert found[0] != found[1]


def test_what_would_tell_runs_apart_is_not_there(app: App):
    gone = set(app.run("chance:absent"))
    assert not gone & {"Atomics", "require"}


def test_no_imports_while_running(app: App):
    what, _ = app.run("chance:imported")
    assert what == "threw"
