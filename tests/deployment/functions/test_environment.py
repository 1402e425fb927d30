"""Environment variables, as functions read them: those of now, and the deployment's own addresses."""

from __future__ import annotations

import pytest

from supavex.deployment.functions.modules import change_variables
from supavex.errors import SupavexError

from .app import App, value_of

OWN = [False, "http://127.0.0.1:3210", "http://127.0.0.1:3211"]


@pytest.mark.parametrize("function", ["inQuery", "inMutation", "inAction"])
def test_variables_are_read_everywhere_and_while_importing(app: App, function: str):
    assert app.run(f"environment:{function}") == ["hello", "hello", None, *OWN]


def test_a_changed_variable_is_seen_by_the_next_call(app: App):
    app.run("environment:inQuery")
    change_variables(app.deployment.store, [{"name": "GREETING", "value": "bye"}, {"name": "MISSING", "value": ""}])
    assert app.run("environment:inQuery") == ["bye", "bye", "", *OWN]
    change_variables(app.deployment.store, [{"name": "GREETING", "value": None}])
    assert app.run("environment:inQuery") == [None, None, "", *OWN]


def test_there_is_no_more_of_process_than_convex_has(app: App):
    assert app.run("environment:shape") == [["env"], [], None, "function"]


def test_a_request_has_the_id_that_its_errors_tell(app: App):
    outcome = app.outcome("environment:request")
    assert value_of(outcome) == outcome.request_id != ""
    outcome = app.outcome("environment:requestInAction")
    assert value_of(outcome) == [outcome.request_id] * 2


MANY = {f"N{number}": "" for number in range(512)}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"1A": "x"}, "EnvironmentVariableNameInvalid"),
        ({"": "x"}, "EnvironmentVariableNameInvalid"),
        ({"A" * 257: "x"}, "EnvironmentVariableNameTooLong"),
        ({"A": "é" * 4097}, "EnvironmentVariableValueTooLarge"),
        ({"CONVEX_CLOUD_URL": "http://127.0.0.1"}, "EnvVarNameForbidden"),
        (MANY, "EnvVarLimitMet"),
        ({f"N{number}": "x" * 8192 for number in range(64)}, "EnvVarTotalSizeLimitMet"),
    ],
)
def test_what_convex_takes_for_no_variable_changes_nothing(app: App, changes: dict[str, str], code: str):
    with pytest.raises(SupavexError) as caught:
        app.deployment.set_environment(changes)
    assert caught.value.code == code
    assert app.run("environment:inQuery")[0] == "hello"
