"""Arguments and results are held against their validators, in Convex's words; who may call what."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import NOBODY

from .app import App, value_of

GOOD = {"name": "a", "kind": "b", "inner": {"list": [1, 2]}}


def test_arguments_that_fit(app: App):
    assert app.run("validation:strict", **GOOD) == ["inner", "kind", "name"]
    assert app.run("validation:strict", **GOOD, count=1.0) == ["count", "inner", "kind", "name"]
    assert app.run("validation:loose", anything=[1, None]) == {"anything": [1, None]}
    assert app.run("validation:empty") == "ran"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ...}, "Object is missing the required field `name`. Consider wrapping the field validator in "
         '`v.optional(...)` if this is expected.\n\nObject: {inner: {list: [1, 2]}, kind: "b"}\nValidator: v.object({'),
        ({"more": 1.0}, "Object contains extra field `more` that is not in the validator.\n\nObject: {"),
        ({"name": 1.0}, "Value does not match validator.\nPath: .name\nValue: 1.0\nValidator: v.string()"),
        ({"kind": "c"}, 'Path: .kind\nValue: "c"\nValidator: v.union(v.literal("a"), v.literal("b"))'),
        ({"inner": {"list": [1, 2.0]}}, "Path: .inner.list[1]\nValue: 2.0\nValidator: v.int64()"),
        ({"count": None}, "Path: .count\nValue: null\nValidator: v.float64()"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(app: App, change: dict[str, Any], words: str):
    args = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    said = app.fails("validation:strict", **args).message
    assert said.startswith("ArgumentValidationError: ") and words in said


def test_an_id_of_another_table_is_no_argument(app: App):
    (row,) = app.rows(1)
    person = app.run("writing:insert", table="people", value={"name": "a"})
    assert app.run("validation:ofPerson", id=person) == person
    said = app.fails("validation:ofPerson", id=row).message
    assert said == (
        f'ArgumentValidationError: Found ID "{row}" from table `rows`, which does not match the table name in '
        'validator `v.id("people")`.Path: .id'
    )


def test_arguments_are_convexs_values(app: App):
    deep: Any = 1.0
    for _ in range(2000):
        deep = [deep]
    for odd in ({"$weird": 1}, {"a": "\ud800"}, {"a": [1.0] * 8193}, {"a": {"$integer": "x"}}, {"a": deep}):
        outcome = app.functions.run(Call("validation:loose", odd, internal=True))
        assert outcome.failure is not None, odd


def test_results(app: App):
    assert app.run("validation:returned", value={"n": 1.0}) == {"n": 1.0}
    said = app.fails("validation:returned", value={"n": "one"}).message
    assert (
        said
        == 'ReturnsValidationError: Value does not match validator.\nPath: .n\nValue: "one"\nValidator: v.float64()'
    )
    assert app.fails("validation:returnedByAction", value=1.0).message.startswith("ReturnsValidationError: ")


def test_a_mutation_whose_result_does_not_fit_has_written_nothing(app: App):
    assert app.fails("validation:returnedByMutation", value=5.0).message.startswith("ReturnsValidationError: ")
    assert app.numbers() == []
    assert app.run("validation:returnedByMutation", value=None) is None
    assert app.numbers() == [1]


def test_results_in_convexs_values(app: App):
    assert app.run("validation:odd", what="undefined") is None
    assert app.run("validation:odd", what="undefined inside") == {"b": 1.0}
    nan, zero, infinity, big, data = app.run("validation:odd", what="numbers")
    assert nan != nan and struct.pack(">d", zero) == struct.pack(">d", -0.0)
    assert (infinity, big, data) == (float("inf"), 2**63 - 1, b"\x01\x02")


@pytest.mark.parametrize(
    "what",
    ["undefined in a list", "function", "date", "map", "class", "dollar", "big", "surrogate", "deep", "long"],
)
def test_results_that_are_no_convex_values(app: App, what: str):
    assert app.error("validation:odd", what=what)


# Internal and public


def test_the_public_calls_public_functions_only(app: App):
    for name in ("hiddenQuery", "hiddenMutation", "hiddenAction", "nowhere"):
        for kind in (app.functions.query, app.functions.mutation, app.functions.action):
            outcome = kind(Call(f"validation:{name}", {}, NOBODY))
            assert outcome.failure is not None
            assert outcome.failure.message == (
                f"Could not find public function for 'validation:{name}'. Did you forget to run `npx convex dev`?"
            )
    assert value_of(app.outcome("validation:empty", {}, NOBODY, internal=False)) == "ran"


def test_functions_and_the_admin_call_internal_ones(app: App):
    assert app.run("validation:callsHidden") == ["hidden"] * 3
    assert app.run("validation:hiddenQuery", n=1.0) == "hidden"
    assert app.run("validation:hiddenMutation") == "hidden"
    assert "Path: .n" in app.fails("validation:hiddenQuery", n="x").message


def test_a_function_is_called_as_what_it_is(app: App):
    outcome = app.functions.mutation(Call("validation:empty", {}, internal=True))
    assert outcome.failure is not None
    assert outcome.failure.message == "Trying to execute validation.js:empty as Mutation, but it is defined as Query."


@pytest.mark.parametrize("path", ["validation", "validation:default", "validation.js:default"])
def test_ways_to_name_a_function(app: App, path: str):
    assert app.run(path) == "the default"


@pytest.mark.parametrize("path", ["", ":", "a:b:c", "../x:y", "validation:", "é:x", "validation:strict:x", "a" * 5000])
def test_paths_that_name_nothing(app: App, path: str):
    outcome = app.functions.run(Call(path, {}, internal=True))
    assert outcome.failure is not None and "Could not find function for" in outcome.failure.message


@pytest.mark.parametrize("name", ["madeOutside", "actsOutside", "handsOutside"])
def test_an_id_of_a_table_outside_the_schema_fits_from_its_first_document_on(app: App, name: str):
    first, second = app.run(f"validation:{name}"), app.run(f"validation:{name}")
    assert first != second and app.deployment.count("outside") == 2
