"""What a client reads of a function that throws: the message, the stack in the app's own files, the data."""

from __future__ import annotations

import re
from typing import Any

import pytest

from supavex.deployment import Deployment
from supavex.deployment.functions.in_process import FunctionFailed

from .app import APPS, App

SOURCE = APPS / "behaviours" / "convex"
_FRAME = re.compile(r" {4}at (?:(?P<name>.+) \()?(?:\.\./)+convex/(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)\)?\Z")


def frames(message: str) -> list[tuple[str, str, str]]:
    """Of each frame: the function's name, the file, and what stands there in the TypeScript source."""
    found = []
    for text in message.strip().splitlines()[1:]:
        match = _FRAME.match(text)
        assert match, f"all are of the app's own files: {text}"
        line = (SOURCE / match["file"]).read_text().splitlines()[int(match["line"]) - 1]
        found.append((match["name"] or "", match["file"], line[int(match["column"]) - 1 :]))
    return found


def test_the_message_and_the_place(app: App):
    said = app.fails("failing:plain").message
    assert said.startswith("Uncaught Error: a message\n")
    assert frames(said)[0] == ("handler", "failing.ts", 'new Error("a message");')


def test_the_stack_goes_through_the_files_of_the_app(app: App):
    found = frames(app.fails("failing:deep").message)
    assert found[0] == ("thrower", "library/deep.ts", 'new TypeError("from below");')
    assert found[1:3] == [("thrower", "library/deep.ts", "thrower(depth - 1);")] * 2
    assert found[3] == ("thrower", "library/deep.ts", "thrower(depth - 1);")
    assert found[4] == ("handler", "failing.ts", "thrower(3) });")


def test_frames_are_written_as_convex_writes_them(app: App):
    names = [name for name, _, _ in frames(app.fails("failing:shaped").message)]
    assert names == ["<anonymous>", "new Shape", "made [as made]", "handler"]


def test_errors_of_the_language_and_of_the_app(app: App):
    said = app.fails("failing:typed").message
    assert said.startswith("Uncaught TypeError: Cannot read properties of null (reading 'field')\n")
    assert frames(said)[0][2].startswith("field });")
    assert app.error("failing:own") == "OwnError: mine"


def test_a_message_that_looks_like_a_stack_adds_no_frames(app: App):
    message = app.fails("failing:looksLikeAStack").message
    said, _, stack = message.partition("    at failing.js:3:1\n")
    assert said == "Uncaught Error: text\n    at evil (../convex/secret.ts:1:1)\n"
    ((name, file, source),) = frames(f"head\n{stack}")
    assert (name, file, source[:10]) == ("handler", "failing.ts", "new Error(")


def test_each_function_on_the_way_up_adds_its_own_frames_and_no_others(app: App):
    message = app.fails("failing:nested", depth=3.0).message
    lines = [line for line in message.splitlines() if line]
    # What a called function says ends with a line's end, and the frames of its caller come on lines of their own.
    assert message.count("\n\n    at ") == 3
    assert lines[0] == "Uncaught Error: " * 4 + "deepest"
    assert [frame[:2] for frame in frames("\n".join(lines))] == [("handler", "failing.ts")] + [
        ("async handler", "failing.ts")
    ] * 3


def test_what_a_client_gets(app: App):
    outcome = app.outcome("failing:plain")
    assert outcome.error.startswith(f"[Request ID: {outcome.request_id}] Server Error\nUncaught Error: a message\n")
    assert re.fullmatch(r"[0-9a-f]{16}", outcome.request_id) and outcome.error.endswith("\n")


@pytest.mark.parametrize("data", [None, "text", 5, 1.5, {"code": 7, "more": [b"x", None]}, []])
def test_a_convex_error_carries_its_data(app: App, data: Any):
    failed = app.fails("failing:withData", data=data)
    assert failed.data == data and type(failed.data) is type(data)
    assert failed.message.startswith("Uncaught ConvexError: ")
    assert app.numbers() == [], "and takes back what was written"


def test_the_data_of_a_called_function_reaches_the_caller(app: App):
    assert app.run("failing:caughtInQuery") == [True, {"code": 7, "of": "inner"}]
    assert app.run("failing:caughtInAction") == [[True, {"code": 7, "of": "inner"}], [True, "inner"]]
    assert app.fails("failing:rethrown").data == {"code": 7, "of": "inner"}


@pytest.mark.parametrize(
    "what",
    ["null", "undefined", "text", "number", "symbol", "object", "bare", "function", "proxy", "getters", "loop getter",
     "lone", "long", "stack of no text", "fake", "prepared"],
)  # fmt: skip
def test_odd_things_that_are_thrown(app: App, what: str):
    failed = app.fails("failing:odd", what=what)
    wanted = {"null": "null", "undefined": "undefined", "text": "a text", "number": "5", "symbol": "Symbol(s)"}
    wanted |= dict.fromkeys(("object", "bare", "loop getter"), "#<Object>")
    assert failed.message.startswith(f"Uncaught {wanted.get(what, '')}".rstrip()), failed.message[:200]
    assert len(failed.message) < 100_000
    assert app.run("wild:ok", n=1.0) == 2


def test_from_python(app: App):
    with pytest.raises(FunctionFailed) as caught:
        app.deployment.run("failing:withData", {"data": {"code": 7}})
    assert caught.value.data == {"code": 7.0} and caught.value.where == "failing:withData"
    assert isinstance(app.deployment, Deployment)
