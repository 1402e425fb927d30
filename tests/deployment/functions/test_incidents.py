"""Odd requests of functions, and exceptions that nobody foresaw: a call fails, and nothing else does."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supavex.convex.values import InvalidValue
from supavex.deployment.database.commits import Conflict
from supavex.deployment.functions import actions, operations, storage
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import ADMIN
from supavex.deployment.functions.outcome import Failure, failure_of
from supavex.deployment.functions.scheduler import Scheduler
from supavex.deployment.functions.syscalls import Frame
from supavex.deployment.runtime.runner import Runner, RunnerLost
from supavex.errors import SupavexError
from tests.official.served import wait_until

from .app import App

#: What a function is told of an exception that nobody foresaw.
SAID = "Your request couldn't be completed"


class Odd(Exception):
    """What nobody expects."""


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes an operation raise what nobody expects."""

    def breaks(operation: str, kind: type[Exception] = Odd) -> None:
        def raises(frame: Frame, arguments: dict[str, Any]) -> str:
            raise kind("with the secret s3cr3t")

        monkeypatch.setitem(operations.OPERATIONS, operation, raises)

    return breaks


def states(app: App) -> list[str]:
    return [job["state"]["kind"] for job in app.run("scheduling:jobs")]


# What nobody foresaw


@pytest.mark.parametrize("kind", [Odd, KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError])
@pytest.mark.parametrize("path", ["raw:queried", "raw:asked", "raw:acted"])
def test_it_fails_the_call_and_is_logged(
    app: App, breaking: Callable[..., None], caplog: pytest.LogCaptureFixture, path: str, kind: type[Exception]
):
    """What arguments of another form raise, too, where it is not about the arguments."""
    breaking("1.0/count", kind)
    told = list[str]()
    app.functions.listeners.append(lambda outcome: told.append(outcome.error if outcome.failure else ""))
    failure = app.outcome(path, {"operation": "1.0/count", "text": "{}"}).failure
    assert failure is not None and SAID in failure.message
    assert "s3cr3t" not in failure.message
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    number = failure.message.rpartition("incident ")[2].split(")")[0]
    assert number in record.getMessage() and record.exc_info is not None
    assert number in told[0]
    assert app.run("reading:all", table="rows") == [], "the next call is as any other"


@pytest.mark.parametrize(
    ("path", "operation", "arguments", "broken"),
    [
        ("raw:asked", "1.0/storageGet", {"storageId": "x"}, "load_in_mutation"),
        ("raw:acted", "1.0/storageGet", {"storageId": "x"}, "load"),
        ("raw:acted", "1.0/storageStore", {"blob": ""}, "store"),
    ],
)
def test_faults_of_files_are_not_the_functions(
    app: App, monkeypatch: pytest.MonkeyPatch, path: str, operation: str, arguments: dict[str, Any], broken: str
):
    def raises(*_: object) -> None:
        raise KeyError("s3cr3t")

    monkeypatch.setattr(storage, broken, raises)
    failure = app.outcome(path, {"operation": operation, "text": json.dumps(arguments)}).failure
    assert failure is not None and SAID in failure.message and "s3cr3t" not in failure.message


def test_a_fault_of_a_vector_search_is_not_the_functions(app: App, monkeypatch: pytest.MonkeyPatch):
    def raises(*_: object) -> None:
        raise TypeError

    monkeypatch.setattr(actions, "vector_search", raises)
    text = '{"query": {"indexName": "rows.x", "vector": [1], "limit": 1}}'
    failure = app.outcome("raw:acted", {"operation": "1.0/actions/vectorSearch", "text": text}).failure
    assert failure is not None and SAID in failure.message


def test_a_commit_that_fails_fails_the_call(app: App, monkeypatch: pytest.MonkeyPatch):
    def raises(*_: object) -> None:
        raise Odd

    monkeypatch.setattr(app.functions.engine, "_write", raises)
    assert SAID in app.fails("writing:insert", table="rows", value={"n": 1.0}).message
    monkeypatch.undo()
    assert app.numbers() == []
    assert app.run("writing:insert", table="rows", value={"n": 2.0})
    assert app.numbers() == [2]


@pytest.mark.parametrize("name", ["job", "jobAction"])
def test_a_job_that_fails_so_is_failed_also_after_a_restart(app: App, breaking: Callable[..., None], name: str):
    breaking("1.0/count")
    app.run("raw:later", name=name, operation="1.0/count", text="{}")
    runs = list[str]()
    app.functions.listeners.append(lambda outcome: runs.append(outcome.path))
    for _ in range(2):
        scheduler = Scheduler(app.functions)
        scheduler.start()
        wait_until(lambda: states(app) == ["failed"])
        scheduler.close()
    assert [path for path in runs if path.startswith("raw")] == [f"raw:{name}"]
    (job,) = app.run("scheduling:jobs")
    assert SAID in job["state"]["error"]


def test_a_job_whose_commit_fails_is_failed(app: App, monkeypatch: pytest.MonkeyPatch):
    app.run("raw:later", name="job", operation="1.0/insert", text='{"table": "rows", "value": {"n": 1}}')
    engine = app.functions.engine
    write = engine._write

    def raises(table: Any, *more: Any) -> None:
        if table.name == "rows":
            raise Odd
        write(table, *more)

    monkeypatch.setattr(engine, "_write", raises)
    assert app.deployment.run_scheduled() == 1
    assert states(app) == ["failed"] and app.numbers() == []
    assert app.deployment.run_scheduled() == 0


def test_a_job_whose_failure_can_not_be_written_is_not_run_again_and_again(app: App, monkeypatch: pytest.MonkeyPatch):
    app.run("raw:later", name="job", operation="1.0/count", text='{"table": "rows"}')
    commits = list[int]()

    def raises(*_: object) -> None:
        commits.append(1)
        raise Odd

    monkeypatch.setattr(app.functions.engine, "commit", raises)
    scheduler = Scheduler(app.functions)
    scheduler.start()
    wait_until(lambda: bool(scheduler._given_up))
    count = len(commits)
    scheduler._wake.set()
    wait_until(lambda: not scheduler._wake.is_set())
    scheduler.close()
    assert len(commits) == count <= 2


# Odd requests

ODD_TEXTS = st.sampled_from(
    [
        "",
        "rows",
        "_id",
        "日本",
        "a\r\nb",
        "\x00",
        "\ud800",
        "x" * 5000,
        "k170000000000000000000000000000",
        "function://;raw:job",
    ]
)
ODD_NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 1.5, 1e308, -0.0, 2**31, 2**53, 2**63, 2**64, 10**40, -(2**63) - 1, 10**4000]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
ODD_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), ODD_NUMBERS, ODD_TEXTS, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["$integer", "$float", "$bytes", "$undefined", "n", "type", ""]), ODD_TEXTS),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
SOURCES = st.one_of(
    ODD_VALUES,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["FullTableScan", "IndexRange", "Search", "x"])},
        optional={
            "tableName": st.sampled_from(["rows", "_storage", "_scheduled_functions", "nothing"]) | ODD_VALUES,
            "indexName": st.sampled_from(["rows.by_id", "rows.by_creation_time", "rows.by_n", "x"]) | ODD_VALUES,
            "order": st.sampled_from(["asc", "desc"]) | ODD_VALUES,
            "range": ODD_VALUES
            | st.lists(
                st.fixed_dictionaries(
                    {
                        "type": st.sampled_from(["Eq", "Gt", "Gte", "Lt", "Lte", "x"]),
                        "fieldPath": st.sampled_from(["n", "_id", "_creationTime"]) | ODD_VALUES,
                        "value": ODD_VALUES,
                    }
                ),
                max_size=3,
            ),
        },
    ),
)
EXPRESSIONS = st.recursive(
    st.one_of(
        ODD_VALUES, st.fixed_dictionaries({"$literal": ODD_VALUES}), st.fixed_dictionaries({"$field": ODD_TEXTS})
    ),
    lambda inner: st.dictionaries(
        st.sampled_from(["$eq", "$lt", "$add", "$sub", "$mul", "$div", "$mod", "$neg", "$and", "$or", "$not", "$x"]),
        st.lists(inner, max_size=3) | inner,
        min_size=1,
        max_size=2,
    ),
    max_leaves=5,
)
OPERATORS = st.lists(
    st.one_of(st.fixed_dictionaries({"limit": ODD_VALUES}), st.fixed_dictionaries({"filter": EXPRESSIONS}), ODD_VALUES),
    max_size=3,
)
QUERIES = ODD_VALUES | st.fixed_dictionaries({"source": SOURCES, "operators": OPERATORS | ODD_VALUES})
#: What an operation may be given, by the names of all of them.
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "query": QUERIES,
        "queryId": ODD_VALUES,
        "id": ODD_VALUES | st.just("ID"),
        "table": st.sampled_from(["rows", "nothing", "_storage"]) | ODD_VALUES,
        "isSystem": ODD_VALUES,
        "value": ODD_VALUES,
        "pageSize": ODD_VALUES | st.just(10),
        "cursor": ODD_VALUES,
        "endCursor": ODD_VALUES,
        "maximumRowsRead": ODD_VALUES,
        "maximumBytesRead": ODD_VALUES,
        "name": st.sampled_from(["raw:job", "scheduling:work", "wild:ok"]) | ODD_VALUES,
        "functionHandle": ODD_VALUES,
        "args": ODD_VALUES,
        "ts": ODD_VALUES,
        "storageId": ODD_VALUES,
        "data": ODD_VALUES,
        "key": ODD_VALUES,
        "hash": st.sampled_from(["SHA-1", "SHA-256"]) | ODD_VALUES,
        "blob": ODD_VALUES,
        "contentType": ODD_VALUES,
        "sha256": ODD_VALUES,
        "url": ODD_VALUES,
        "method": ODD_VALUES,
        "headers": ODD_VALUES,
        "body": ODD_VALUES,
        "redirect": ODD_VALUES,
        "milliseconds": ODD_VALUES,
        "udfType": st.sampled_from(["query", "mutation", "snapshotQuery"]) | ODD_VALUES,
        "transactionLimits": ODD_VALUES,
    },
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operation=st.sampled_from(sorted(operations.OPERATIONS)),
    arguments=ARGUMENTS,
    kind=st.sampled_from(["query", "mutation"]),
    twisted=st.sampled_from(["", "NaN", "Infinity", "1e400", "1" * 5000]),
)
def test_every_operation_answers_or_says_what_is_wrong(
    app: App, operation: str, arguments: dict[str, Any], kind: str, twisted: str
):
    id_ = app.deployment.store.meta("odd") or app.rows(1.0)[0]
    app.deployment.store.set_meta("odd", id_)
    engine = app.functions.engine
    text = json.dumps(arguments).replace('"ID"', f'"{id_}"')
    if twisted:
        text = text.replace("1.5", twisted)
    with engine.snapshot() as snapshot:
        transaction = engine.begin(snapshot)
        frame = Frame("raw:x", kind, transaction, ADMIN, app.functions.app(snapshot), app.functions.services)
        try:
            answered = operations.answer(frame, operation, text)
        except (SupavexError, InvalidValue, Failure, RecursionError):
            return
    json.loads(answered)
    with suppress(Conflict, SupavexError):
        engine.commit(transaction)


#: One operation each that actions alone ask for.
ACTING = ["fetch", "sleep", "1.0/storageStore", "1.0/storageGet", "1.0/actions/query", "1.0/actions/mutation"]
ACTING += ["1.0/actions/schedule", "1.0/actions/cancel_job", "1.0/storageDelete", "1.0/actions/vectorSearch", "1.0/x"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operation=st.sampled_from(ACTING), arguments=ARGUMENTS)
def test_every_operation_of_actions_too(app: App, operation: str, arguments: dict[str, Any]):
    arguments.pop("milliseconds", None)
    outcome = app.outcome("raw:acted", {"operation": operation, "text": json.dumps(arguments)})
    assert outcome.failure is None or SAID not in outcome.failure.message, outcome.failure


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ("1.0/queryPage", '{"pageSize": Infinity, "query": {}}'),
        ("1.0/queryPage", '{"pageSize": 1e400, "query": {}}'),
        ("1.0/queryPage", '{"pageSize": NaN, "query": {}}'),
        (
            "1.0/queryPage",
            '{"pageSize": 1, "cursor": null, "query": {"source": {"type": "FullTableScan", "tableName": "rows"},'
            ' "operators": [{"limit": 1e400}]}}',
        ),
        ("1.0/schedule", '{"name": "raw:job", "ts": NaN, "args": {}}'),
        ("1.0/schedule", '{"name": "raw:job", "ts": 1e400, "args": {}}'),
        ("1.0/insert", '{"table": "rows", "value": {"n": NaN}}'),
        ("1.0/insert", '{"table": "rows", "value": {"text": "\\ud800"}}'),
        ("1.0/insert", "[]"),
        ("1.0/insert", "null"),
        ("1.0/insert", "{" * 100_000),
        ("1.0/count", '{"table": ' + "9" * 5000 + "}"),
    ],
)
@pytest.mark.parametrize("path", ["raw:asked", "raw:acted"])
def test_requests_that_no_client_sends_are_told_what_is_wrong(app: App, path: str, operation: str, text: str):
    failure = app.outcome(path, {"operation": operation, "text": text}).failure
    assert failure is not None and SAID not in failure.message


# Forged messages

FORGED = [
    "null", "1", "{}", "[1]", "[[]]", "[null]", "NaN", "[[1, 0, \"done\", NaN, []]]", "[" * 100_000, '"' + "x" * 1000,
    '[[1, 0, "failed", {"name": "E", "message": "m", "places": [], "data": "{"}, []]]',
    '[[1, 0, "failed", {"name": "E", "message": "m", "places": [], "data": "NaN"}, []]]',
    '[[1, 0, "failed", {"name": "E", "message": "m", "places": [], "data": "{\\"$integer\\": 1}"}, []]]',
    '[[1, 0, "failed", {"name": "E", "message": "\\ud800", "places": ["f (a.js:1:1)"], "data": null}, []]]',
    '[[1, 0, "failed", {"name": "E", "message": "m", "places": ["f (a.js:' + "9" * 5000 + ':1)"], "data": null}, []]]',
    '[[1, 0, "failed", {"name": "E", "message": "m", "places": ["f (a.js:१:१)"], "data": null}, []]]',
    '[[1, 0, "failed", {"name": 1, "message": "m", "places": [], "data": null}, []]]',
    '[[1, 0, "done", "NaN", []]]', '[[1, 0, "done", "1e400", []]]', '[[1, 0, "done", "[", []]]',
    '[[1, 0, "done", "\\"\\\\ud800\\"", []]]',
    '[[1, 0, "done", "null", [[1, 1e400, true]]]]', '[[1, 0, "done", "null", [[1, ' + "9" * 5000 + ", true]]]]",
    '[[1, 0, "done", "null", [[1, 99999999999999999999, true]]]]',
    '[[1, 1, "1.0/get", "null"]]', '[[1, 1, "1.0/get", "{\\"id\\": \\"\\\\ud800\\"}"]]',
    '[[1, 0, "log", "LOG", ["\\ud800"]], [1, 0, "done", "null", []]]',
]  # fmt: skip


def ends(seconds: float) -> Callable[[], None]:
    """Raises when so many seconds are over, as a runner does in the end."""
    until = time.monotonic() + seconds

    def waits() -> None:
        if time.monotonic() > until:
            raise RunnerLost("timeout")

    return waits


def forging(monkeypatch: pytest.MonkeyPatch, message: str) -> list[bytes]:
    """Lets the next answer of a process be ``message``; the answers that it took the place of."""
    told = Runner.told
    forged = list[bytes]()

    def answers(self: Runner, seconds: float, waits: Any = None) -> list[Any]:
        if forged:
            # An answer is there soon, or never: the process may wait for one that it knows nothing of.
            return told(self, seconds, waits or ends(2.0))
        forged.append(self._receive(seconds))
        with monkeypatch.context() as patched:
            patched.setattr(Runner, "_receive", lambda *_: message.encode())
            return told(self, seconds, waits)

    monkeypatch.setattr(Runner, "told", answers)
    return forged


@pytest.mark.parametrize("message", FORGED)
def test_forged_messages_of_a_process_fail_one_call(app: App, monkeypatch: pytest.MonkeyPatch, message: str):
    """A function can reach what JavaScript is made of, and so what speaks for it."""
    forged = forging(monkeypatch, message)
    outcome = app.functions.mutation(Call("writing:insert", {"table": "rows", "value": {"n": 1.0}}, internal=True))
    json.dumps(outcome.failure.text("id") if outcome.failure else outcome.value).encode()
    assert outcome.failure is None or SAID not in outcome.failure.message
    assert forged
    monkeypatch.undo()
    assert app.run("raw:takes", a=1.0) == ["a"], "others are not concerned"


def test_a_forged_failure_of_a_job_is_written(app: App, monkeypatch: pytest.MonkeyPatch):
    app.run("raw:later", name="job", operation="1.0/count", text='{"table": "rows"}')
    forging(monkeypatch, '[[1, 0, "failed", {"name": "E", "message": "\\ud800", "places": [], "data": null}, []]]')
    assert app.deployment.run_scheduled() == 1
    monkeypatch.undo()
    assert states(app) == ["failed"]


def test_failures_of_any_text(app: App):
    with app.functions.engine.snapshot() as snapshot:
        failure = failure_of({"name": "E", "message": "\ud800", "places": ["\ud800"]}, app.functions.app(snapshot))
    failure.message.encode()
