"""What functions print, as Convex prints it: judged by the npm package object-inspect, which Convex's console uses."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from supavex.deployment.functions.in_process import FunctionFailed
from tests.official.node import NODE_MODULES

from .app import APPS, App, value_of

SAMPLES = APPS / "behaviours" / "convex" / "library" / "samples.ts"
#: With the options of Convex's own console: ``npm-packages/udf-runtime/src/02_console.ts`` of convex-backend.
JUDGE = """
const inspect = require("object-inspect");
const esbuild = require("esbuild");
const { readFileSync } = require("node:fs");
const options = { format: "cjs", loader: "ts" };
const { code } = esbuild.transformSync(readFileSync(process.argv[1], "utf8"), options);
const module_ = { exports: {} };
new Function("module", "exports", code)(module_, module_.exports);
const found = {};
for (const [name, make] of Object.entries(module_.exports.SAMPLES)) {
  try {
    found[name] = inspect(make(), { maxStringLength: 32768, indent: 2, customInspect: true });
  } catch (error) {
    found[name] = null;
  }
}
process.stdout.write(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def expected() -> dict[str, str | None]:
    """What object-inspect prints of each sample; None where it throws."""
    done = subprocess.run(
        ["node", "-e", JUDGE, str(SAMPLES)], cwd=NODE_MODULES, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout)
    assert len(found) > 30
    return found


def test_values_as_convex_prints_them(app: App, expected: dict[str, str | None]):
    different = []
    for name, text in expected.items():
        outcome = app.outcome("logging:sample", {"name": name})
        if text is None:
            continue  # Convex's console would throw here; ours says that the value can't be read
        (line,) = outcome.logs
        if line.messages != [text]:
            different.append(f"{name}: {line.messages[0][:300]!r} is not {text[:300]!r}")
    assert not different, "\n".join(different)


def test_levels_and_lines(app: App):
    outcome = app.outcome("logging:levels")
    assert outcome.log_texts == [
        "[LOG] 'log' 1 {\n  a: 'b'\n}",
        "[DEBUG] 'debug'",
        "[INFO] 'info'",
        "[WARN] 'warn'",
        "[ERROR] 'error' [Error: e]",
        "[LOG] ",
    ]


def test_a_trace_tells_the_places_in_the_files_of_the_app(app: App):
    (line,) = app.outcome("logging:trace").logs
    assert line.level == "LOG" and line.messages[:2] == ["'here'", "1"]
    head, first, second, end = line.messages[2].split("\n")
    assert (head, end) == ("", "") and re.fullmatch(r" {4}at traces \(\.\./convex/logging\.ts:\d+:\d+\)", first), first
    assert re.fullmatch(r" {4}at handler \(\.\./convex/logging\.ts:\d+:\d+\)", second), second


def test_timers_and_what_else_the_console_has(app: App):
    outcome = app.outcome("logging:timing")
    names = ["debug", "error", "info", "log", "time", "timeEnd", "timeLog", "trace", "warn"]
    assert value_of(outcome) == [names, "undefined", "[object console]"]
    texts = [re.sub(r"\b[1-9][0-9]+ms", "30ms", text) for text in outcome.log_texts]
    assert texts == [
        "[WARN] Timer 'a' already exists",
        "[INFO] a: 30ms {\n  x: 1\n}",
        "[INFO] a: 30ms",
        "[WARN] Timer 'a' does not exist",
        "[INFO] default: 30ms",
        "[WARN] Timer 'never' does not exist",
    ]


def test_lines_are_counted_and_cut(app: App):
    lines = app.outcome("logging:many", {"count": 256.0}).log_texts
    assert len(lines) == 256 and lines[-1] == "[LOG] 255"
    lines = app.outcome("logging:many", {"count": 400.0}).log_texts
    assert len(lines) == 257
    assert lines[-1] == "[ERROR] 'Log overflow (maximum 256). Remaining log lines omitted.'"
    (long,) = app.outcome("logging:long").logs
    assert len(long.text()) <= 32_768


def test_what_was_printed_before_an_error_is_kept(app: App):
    outcome = app.outcome("logging:logsAndThrows")
    assert outcome.failure is not None and outcome.log_texts == ["[LOG] 'before'"]
    with pytest.raises(FunctionFailed) as caught:
        app.deployment.run("logging:logsAndThrows")
    assert caught.value.logs == ["[LOG] 'before'"]


@pytest.mark.parametrize("function", ["nested", "nestedInAction"])
def test_lines_of_called_functions_stand_among_the_others(app: App, function: str):
    assert app.outcome(f"logging:{function}").log_texts == ["[LOG] 'one'", "[LOG] 'inner'", "[LOG] 'two'"]
