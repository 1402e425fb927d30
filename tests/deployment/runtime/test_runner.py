"""Processes that run functions: kept for the next run, and no more of them than are needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from supavex.deployment.runtime import runner as module
from supavex.deployment.runtime.deno import Modules
from supavex.deployment.runtime.runner import Runner, Runners

MODULES = Modules("a push", [])


@pytest.fixture
def runners() -> Iterator[Runners]:
    found = Runners()
    yield found
    found.close()


def taken(runners: Runners, held: int = 0, modules: Modules = MODULES) -> Runner:
    runner = runners.take(modules, held=held)
    runner.ready()
    return runner


def test_a_process_that_has_died_while_nobody_used_it_is_not_handed_out(runners: Runners):
    died = taken(runners)
    runners.give(MODULES, died)
    assert died.usable()
    died._process.kill()
    died._process.wait(30)
    other = taken(runners)
    assert other is not died and died.broken and other.usable()
    runners.give(MODULES, other)
    assert taken(runners) is other


def test_processes_of_nested_calls_end_when_all_are_at_rest(runners: Runners, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for _ in range(2):
        held = [taken(runners, count) for count in range(4)]
        for one in held[:3]:
            runners.give(MODULES, one)
        assert runners._idle == held[:3], "another call may need them"
        runners.give(MODULES, held[3])
        assert runners._idle == held[2:], "those that were used last"
        assert [one.broken for one in held] == [True, True, False, False]


def test_a_push_forgets_how_many_processes_the_calls_of_the_last_one_held(runners: Runners):
    old = taken(runners, 3)
    new = runners.take(Modules("the next push", []))
    assert runners._held == 1
    for one in (old, new):
        runners.give(MODULES, one)
    assert runners._idle == [] and old.broken and new.broken


def test_each_definition_has_processes_of_its_own(runners: Runners, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    parts = [Modules("a push", [], definition=name) for name in ("", "a", "b")]
    first = [taken(runners, modules=part) for part in parts]
    for part, one in zip(parts, first, strict=True):
        runners.give(part, one)
    assert runners._idle == first, "one of each stays, and calls start no process"
    assert [taken(runners, modules=part) for part in parts] == first
    second = [taken(runners, modules=parts[0]) for _ in range(3)]
    for part, one in [*zip(parts, first, strict=True), *((parts[0], one) for one in second)]:
        runners.give(part, one)
    assert runners._idle == [*first[1:], second[-1]], "those that are used last, and one of each"
