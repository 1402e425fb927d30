"""Functions that loop, hoard, throw, or change what all see: they harm only themselves, and leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from supavex.deployment.functions.functions import Functions
from supavex.deployment.runtime.runner import Runners
from tests.official.served import wait_until

from .app import App, value_of

LOOPS = ["loop", "microtasks", "pattern", "promises", "sort", "json", "catching", "generator"]
TIMED_OUT = "Function execution timed out (maximum duration: 0.3s)"


def children(pid: int | str = "self") -> set[int]:
    """The processes that this one, or ``pid``, has started and that still are."""
    found = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end meanwhile
            found |= {int(child) for child in (thread / "children").read_text().split()}
    return found


@pytest.fixture
def quick(app: App) -> App:
    """The app, its queries and mutations with little time."""
    app.functions.query_seconds = 0.3
    return app


@pytest.mark.parametrize("how", LOOPS)
def test_a_query_that_never_ends(quick: App, how: str):
    assert quick.fails("wild:endless", how=how).message == TIMED_OUT
    assert quick.run("wild:ok", n=1.0) == 2


def test_a_mutation_that_never_ends_has_written_nothing(quick: App):
    assert quick.fails("wild:endlessMutation", how="loop").message == TIMED_OUT
    assert quick.numbers() == []
    quick.rows(5)
    assert quick.numbers() == [5]


def test_an_action_that_never_ends(app: App, monkeypatch: pytest.MonkeyPatch):
    from supavex.deployment.functions import actions

    monkeypatch.setattr(actions, "ACTION_CPU_SECONDS", 0.3)
    assert "Function execution timed out" in app.fails("wild:endlessAction", how="loop").message
    assert app.run("wild:ok", n=1.0) == 2


@pytest.mark.parametrize("how", ["arrays", "typed"])
def test_a_function_that_takes_memory_without_end(app: App, how: str):
    app.functions.query_seconds = 20.0
    said = app.fails("wild:hungry", how=how).message
    assert said.startswith(("JavaScript execution ran out of memory", "Uncaught RangeError: ", "The process that ran"))
    assert app.run("wild:ok", n=1.0) == 2


def test_others_are_answered_meanwhile(quick: App):
    quick.functions.query_seconds = 1.0
    ended: list[Any] = []
    threads = [
        threading.Thread(target=lambda how=how: ended.append(quick.outcome("wild:endless", {"how": how})))
        for how in ("loop", "microtasks", "pattern")
    ]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        assert value_of(quick.outcome("wild:ok", {"n": 1.0})) == 2
        answered += 1
    for thread in threads:
        thread.join(30)
    assert answered >= 3 and len(ended) == 3 and all(outcome.failure for outcome in ended)


@pytest.mark.parametrize("function", ["never", "neverInAction"])
def test_a_promise_that_is_never_kept(app: App, function: str):
    assert app.fails(f"wild:{function}").message == "Returned promise will never resolve"


def test_depths_that_no_stack_holds(app: App):
    assert app.error("wild:deep") == "RangeError: Maximum call stack size exceeded"
    assert app.error("wild:deepValue")
    assert app.run("wild:ok", n=1.0) == 2


def test_results_and_logs_that_are_too_large(app: App):
    app.functions.query_seconds = 10.0
    assert "return value is too large" in app.error("wild:giant")
    outcome = app.outcome("wild:giantLog")
    assert sum(len(line) for line in outcome.log_texts) < 10 << 20
    assert app.run("wild:ok", n=1.0) == 2


# What one call changes, the next does not see

POLLUTIONS = ["prototype", "array", "json", "json stringify", "promise", "global", "module", "date", "random",
              "console", "env", "symbol", "iterator", "map", "set", "iterator prototype", "function", "freeze",
              "prototype of a prototype", "async iterator", "typed array", "trace limit"]  # fmt: skip


@pytest.mark.parametrize("how", POLLUTIONS)
def test_nothing_is_carried_from_one_call_to_the_next(app: App, how: str):
    before = app.run("wild:state")
    outcome = app.outcome("wild:pollutes", {"how": how})
    assert outcome.failure is None or how not in ("global", "module", "date"), outcome.failure
    assert app.run("wild:state") == before
    assert before["thrown"] == "traced" and before["calls"] == 1
    assert app.run("environment:inMutation")[0] == "hello"
    assert app.outcome("logging:many", {"count": 1.0}).log_texts == ["[LOG] 0"]


def test_nothing_is_carried_on_by_what_no_name_leads_to(app: App):
    """A class that Deno makes late, or one that only an instance leads to."""
    for what in app.run("wild:instances"):
        app.outcome("wild:marks", {"what": what})
        assert app.run("wild:marked", what=what) is None, what


def test_the_last_pattern_is_not_seen(app: App):
    app.run("wild:pollutes", how="legacy")
    assert app.run("wild:legacy") != "secret"


def test_a_function_can_not_reach_what_runs_it(app: App):
    """Or if it can, then for itself only."""
    assert app.run("wild:ok", n=1.0) == 2
    found = app.run("wild:spoofs", message="")
    assert found == ["Convex"], "which packages look for"
    assert app.run("wild:ok", n=2.0) == 3


def test_operations_that_no_client_of_convex_sends(app: App):
    """They are refused as errors of the function."""
    for operation in ("get", "insert", "shallowMerge", "replace", "remove", "queryPage", "queryStreamNext", "count",
                      "runUdf", "schedule", "cancel_job", "storageGetUrl", "storageDelete", "createFunctionHandle",
                      "nonsense", "actions/query"):  # fmt: skip
        for text in (
            "{}",
            "[]",
            "5",
            "null",
            '"x"',
            "{",
            '{"id":5,"table":7,"value":[],"query":{},"queryId":9,"args":1}',
        ):
            for function in ("rawQuery", "rawMutation", "rawAction"):
                if operation == "count" and "table" in text:
                    continue
                outcome = app.outcome(f"wild:{function}", {"operation": f"1.0/{operation}", "text": text})
                assert outcome.failure is not None, (operation, text, function)
                assert outcome.failure.message.startswith("Uncaught "), outcome.failure.message
    assert app.run("wild:ok", n=1.0) == 2


# Processes


def test_no_process_is_left(pushed: Path, tmp_path: Path):
    path = tmp_path / "deployment.sqlite3"
    path.write_bytes(pushed.read_bytes())
    before = children()
    with Functions(path, runners=Runners()) as functions:
        app = _Direct(functions)
        functions.query_seconds = 0.3
        assert app.outcome("wild:endless", {"how": "loop"}).failure is not None
        threads = [threading.Thread(target=app.outcome, args=("wild:ok", {"n": 1.0})) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        functions._runners.close()
    wait_until(lambda: children() <= before)


class _Direct(App):
    """An app without a :class:`Deployment`."""

    def __init__(self, functions: Functions) -> None:
        self._direct = functions

    @property
    def functions(self) -> Functions:
        return self._direct


HOST = """
import sys, threading, time
from pathlib import Path
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.functions import Functions
functions = Functions(Path(sys.argv[1]))
functions.query_seconds = 100.0
functions.query(Call("wild:ok", {"n": 1.0}, internal=True))
for how in ("loop", "microtasks", "pattern"):
    threading.Thread(target=functions.query, args=(Call("wild:endless", {"how": how}, internal=True),)).start()
threading.Thread(target=functions.query, args=(Call("wild:ok", {"n": 1.0}, internal=True),)).start()
print("ready", flush=True)
time.sleep(100)
"""


@pytest.fixture
def host(pushed: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    path = tmp_path / "deployment.sqlite3"
    path.write_bytes(pushed.read_bytes())
    process = subprocess.Popen([sys.executable, "-c", HOST, str(path)], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_processes_end_with_a_host_that_is_killed(host: subprocess.Popen[str]):
    """Also those whose function never ends."""
    assert host.stdout is not None and host.stdout.readline() == "ready\n"
    wait_until(lambda: sum(processor_seconds(pid) > 0.5 for pid in children(host.pid)) >= 3)
    found = children(host.pid)
    host.send_signal(signal.SIGKILL)
    host.wait(10)
    wait_until(lambda: not [pid for pid in found if alive(pid)])


def processor_seconds(pid: int) -> float:
    """The processor time that a process has taken for its own code: what has begun a loop takes more and more."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")


def alive(pid: int) -> bool:
    """Whether a process is there, and no mere entry of one that has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_process_reaches_nothing_but_its_host(app: App):
    """It has no file open but pipes, and an empty environment."""
    app.run("wild:ok", n=1.0)
    started = time.monotonic()
    runners = [pid for pid in children() if b"main.js" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert runners and time.monotonic() - started < 10
    for pid in runners:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        names = {variable.partition(b"=")[0] for variable in variables if variable}
        assert names == {b"DENO_DIR", b"DENO_NO_UPDATE_CHECK", b"NO_COLOR", b"TZ"}
        targets = {os.readlink(f"/proc/{pid}/fd/{fd.name}") for fd in Path(f"/proc/{pid}/fd").iterdir()}
        assert not any(target.startswith("/") and target != "/dev/null" for target in targets), targets
