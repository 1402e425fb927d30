"""Functions that run at the same time: the outcome is as if they had run one after another."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.ids import decode_id
from supavex.deployment import Deployment
from supavex.deployment.database.commits import Conflict
from supavex.deployment.database.plans import plan_query
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.outcome import Outcome, conflict_failure

from .app import App, value_of
from .conftest import FILE

SECONDS = 60.0
EVERY_ROW = {"source": {"type": "FullTableScan", "tableName": "rows", "order": "asc"}, "operators": []}


def together(app: App, calls: list[tuple[str, dict[str, Any]]], threads: int = 4) -> list[Outcome]:
    """The outcomes of mutations that several threads run."""
    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(app.outcome, path, args) for path, args in calls]
        return [future.result(SECONDS) for future in asked]


@contextmanager
def fresh(pushed: Path) -> Iterator[App]:
    """An app for one example of Hypothesis."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(pushed, Path(folder) / FILE))
        with Deployment(path) as deployment:
            # As a server has it, and not as a script: fewer waits for the disk, which has no part in this.
            deployment.functions.engine._store.connection.execute("PRAGMA synchronous = OFF")
            yield App(deployment)


def test_no_increment_is_lost(app: App):
    outcomes = together(app, [("transactions:increment", {"name": "a"})] * 60)
    assert sorted(map(value_of, outcomes)) == [float(n) for n in range(1, 61)], "each saw the one before it"
    assert app.run("transactions:value", name="a") == 60


def test_no_increment_is_lost_between_two_openers_of_the_file(app: App):
    """Each has its own memory of commits; the file tells them of each other."""
    with Deployment(app.deployment.path) as other:
        from supavex.deployment.functions.functions import Functions

        with Functions(other.path) as functions, ThreadPoolExecutor(2) as pool:
            ours: Callable[[Call], Outcome] = app.functions.mutation
            call = Call("transactions:increment", {"name": "a"}, internal=True)
            jobs = [
                pool.submit(lambda run=run: [value_of(run(call)) for _ in range(15)])
                for run in (ours, functions.mutation)
            ]
            found = sorted(itertools.chain(*(job.result(SECONDS) for job in jobs)))
    assert found == [float(n) for n in range(1, 31)]


def test_two_who_read_the_same_do_not_both_leave(app: App):
    """Write skew: each writes what the other has only read."""
    for _ in range(5):
        for name in ("a", "b"):
            app.run("transactions:steps", steps=[["delete", name], ["add", name, 1.0]])
        outcomes = together(app, [("transactions:leave", {"name": name}) for name in ("a", "b")])
        assert sorted(map(value_of, outcomes)) == [False, True]


def test_documents_that_have_nothing_in_common_do_not_wait_for_each_other(app: App):
    for name in "abcd":
        app.run("transactions:increment", name=name)
    outcomes = together(app, [("transactions:increment", {"name": name}) for name in "abcd" * 10])
    by_name = {name: [o.retries for o, n in zip(outcomes, "abcd" * 10, strict=True) if n == name] for name in "abcd"}
    assert app.run("transactions:everyValue") == [[name, 11] for name in "abcd"]
    # Runs of one name can meet each other only.
    assert sum(map(sum, by_name.values())) < 40


def test_two_that_make_the_same_table(app: App):
    outcomes = together(app, [("writing:insert", {"table": "fresh", "value": {}})] * 8)
    assert len(set(map(value_of, outcomes))) == 8
    assert app.deployment.count("fresh") == 8 and app.deployment.tables().count("fresh") == 1


NAMES = ("a", "b")
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("read", "delete")), st.sampled_from(NAMES)),
        st.tuples(st.just("add"), st.sampled_from(NAMES), st.sampled_from((1.0, 10.0))),
        st.tuples(st.just("sum"), st.just("")),
    ),
    min_size=1,
    max_size=4,
)


def serial(state: dict[str, float], transaction: list[tuple[Any, ...]]) -> tuple[dict[str, float], list[Any]]:
    """What a transaction makes of a state, and what it sees, where it is alone."""
    state, seen = dict(state), list[Any]()
    for kind, name, *amount in transaction:
        if kind == "sum":
            seen.append(sum(state.values()))
        elif kind == "read":
            seen.append(state.get(name))
        elif kind == "delete":
            state.pop(name, None)
        else:
            state[name] = state.get(name, 0.0) + amount[0]
    return state, seen


@settings(max_examples=25)
@given(transactions=st.lists(steps, min_size=2, max_size=4))
def test_the_outcome_is_that_of_some_serial_order(pushed: Path, transactions: list[list[tuple[Any, ...]]]):
    with fresh(pushed) as app:
        outcomes = together(app, [("transactions:steps", {"steps": [list(s) for s in t]}) for t in transactions])
        seen = [value_of(outcome) for outcome in outcomes]
        end = dict(app.run("transactions:everyValue"))
    assert all(o.ts >= o.read_at for o in outcomes)
    for order in itertools.permutations(range(len(transactions))):
        state: dict[str, float] = {}
        told: dict[int, list[Any]] = {}
        for at in order:
            state, told[at] = serial(state, transactions[at])
        if state == end and all(told[at] == seen[at] for at in order):
            return
    raise AssertionError(f"no order of {transactions} gives {seen} and {end}")


@settings(max_examples=10)
@given(
    transfers=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(1, 9).map(float)), min_size=6, max_size=12
    )
)
def test_transfers_keep_the_sum(pushed: Path, transfers: list[tuple[str, str, float]]):
    with fresh(pushed) as app:
        for name in "abc":
            app.run("transactions:steps", steps=[["add", name, 100.0]])
        calls = [
            ("transactions:steps", {"steps": [["sum", ""], ["add", one, -n], ["add", two, n], ["sum", ""]]})
            for one, two, n in transfers
        ]
        outcomes = together(app, calls)
        assert [value_of(outcome) for outcome in outcomes] == [[300.0, 300.0]] * len(calls)
        assert sum(value for _, value in app.run("transactions:everyValue")) == 300.0


def test_a_conflict_names_the_table_the_mutation_and_the_document(app: App):
    engine = app.functions.engine
    (id_,) = app.rows(1)
    for source, said in (("a:b", 'A call to "a:b"'), ("c:d", "Another call to this mutation"), (None, None)):
        with engine.snapshot() as snapshot:
            mine = engine.begin(snapshot)
            assert len(mine.rows(plan_query(EVERY_ROW, snapshot.catalog), None, 10)) == 1
            table = snapshot.catalog.tables["rows"]
            mine.read(snapshot.catalog.indexes(table)["by_n"].entries)
            mine.insert("counters", {"name": "x", "value": 1.0})
        with engine.snapshot() as snapshot:
            other = engine.begin(snapshot)
            other.source = source
            other.patch(table, decode_id(id_)[1], {"a": source}, set())
        engine.commit(other)
        with pytest.raises(Conflict) as caught:
            engine.commit(mine)
        message = conflict_failure(caught.value, "c:d").message
        head = (
            'Documents read from or written to the "rows" table changed while this mutation was being run and on every '
        )
        who = "" if said is None else f'{said} changed the document with ID "{id_}". '
        assert message == f"{head}subsequent retry. {who}See https://docs.convex.dev/error#1"
