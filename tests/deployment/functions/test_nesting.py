"""Calls within calls: their clocks, what they may import, and what stays of those that fail."""

from __future__ import annotations

from typing import Any

import pytest

from supavex.deployment.functions import running
from supavex.deployment.runtime.definitions import module_prefix
from supavex.errors import SupavexError

from .app import App


def test_all_processes_of_a_mutation_have_one_clock_that_goes_on(app: App):
    times = app.run("nesting:times")
    assert times == sorted(times)
    assert times[1] < times[4] < times[7], "the component's query does not stand still"


def test_a_component_does_not_load_the_modules_of_the_app(app: App):
    missing = "Could not find the module quiet.js."
    assert app.run("nesting:loadsInside", path="../quiet.js") == missing
    assert app.run("nesting:loadsInside", path="./a/../../quiet.js") == missing
    assert sorted(app.run("nesting:loadsInside", path="./inside.js")) == ["loads", "time"]


def test_the_app_does_not_load_the_modules_of_a_component(app: App):
    with app.functions.engine.snapshot() as snapshot:
        component = app.functions.app(snapshot).components["part"]
    path = f"{module_prefix(component.definition)}inside.js"
    assert app.run("nesting:loads", path=f"./{path}") == f"Could not find the module {path}."
    assert "inQuery" in app.run("nesting:loads", path="./importing.js")


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("x"), SupavexError("Odd", "odd")])
def test_what_supavex_itself_fails_with_in_a_called_mutation_leaves_nothing(
    app: App, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    given = running.checked_result

    def failing(function: Any, *rest: Any) -> str:
        if function.path == "transactions:put":
            raise error
        return given(function, *rest)

    monkeypatch.setattr(running, "checked_result", failing)
    if isinstance(error, SupavexError):
        assert app.run("nesting:catches", n=1.0) == "odd"
    else:
        assert "supavex failed" in app.error("nesting:catches", n=1.0), "it is no error of the arguments"
    monkeypatch.undo()
    assert app.numbers() == []
    assert app.run("nesting:catches", n=2.0) == "done" and app.numbers() == [2]
