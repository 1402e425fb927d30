"""Subscriptions: a query is run again when, and only when, what it has read was written."""

from __future__ import annotations

import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.ids import decode_id
from supavex.convex.order_keys import index_key
from supavex.convex.values import to_internal_json
from supavex.deployment import Deployment
from supavex.deployment.database.commits import Commit, CommitLog, ReadSet
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.identity import NOBODY, Identity
from supavex.deployment.functions.live import LiveQueries
from supavex.deployment.functions.outcome import Outcome

from .app import App, value_of
from .conftest import FILE

# Intervals and keys

keys = st.binary(max_size=3)
intervals = st.lists(st.tuples(st.integers(0, 1), keys, st.none() | keys), max_size=8)


@given(intervals=intervals, written=st.lists(st.tuples(st.integers(0, 1), keys), max_size=8))
def test_a_commit_touches_what_covers_one_of_its_keys(
    intervals: list[tuple[int, bytes, bytes | None]], written: list[tuple[int, bytes]]
):
    reads = ReadSet()
    for space, start, end in intervals:
        if end is None or start < end:
            reads.add(space, start, end)
    covered = any(
        space == of and start <= key and (end is None or key < end)
        for space, start, end in intervals
        for of, key in written
    )
    assert reads.touched_by(Commit.of(1, written)) == covered
    for found in reads.intervals.values():
        assert all(one[1] is not None and one[1] < two[0] for one, two in pairwise(found))


def test_what_is_forgotten_is_taken_to_have_changed_everything():
    log, reads = CommitLog(10), ReadSet()
    reads.add(1, b"a", b"b")
    log.append(Commit.of(20, [(1, b"x")]))
    log.append(Commit.of(30, [(1, b"aa")]))
    assert not log.touched(reads, 10, 20) and log.touched(reads, 10) and log.touched(reads, 20)
    assert not log.touched(reads, 30)
    assert log.touched(reads, 9), "before the log begins"
    for ts in range(31, 31 + 10_001):
        log.append(Commit.of(ts, []))
    assert log.touched(reads, 30), "more commits than are remembered"


# Random queries and random writes

VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, "a", None])
BOUNDS = {"gt": ("gt", "gte"), "lt": ("lt", "lte")}


@st.composite
def queries(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A query of ``rows``: a range of an index, whole or in part; or a page; or one document."""
    kind = draw(st.sampled_from(("ranged", "ranged", "page", "until", "filterThenTake", "count")))
    if kind == "until":
        return "reading:until", {"last": float(draw(st.integers(0, 6)))}
    if kind == "filterThenTake":
        return "reading:filterThenTake", {
            "least": float(draw(st.integers(0, 6))),
            "count": float(draw(st.integers(1, 3))),
        }
    if kind == "count":
        return "reading:count", {"table": "rows"}
    index, fields = draw(st.sampled_from((("by_a", ["a"]), ("by_a_b", ["a", "b"]), ("by_n", ["n"]))))
    range_: list[list[Any]] = []
    equal = draw(st.integers(0, len(fields)))
    range_ += [["eq", field, draw(VALUES)] for field in fields[:equal]]
    if equal < len(fields):
        range_ += [
            [draw(st.sampled_from(methods)), fields[equal], draw(VALUES)]
            for methods in BOUNDS.values()
            if draw(st.booleans())
        ]
    order = draw(st.sampled_from(("asc", "desc")))
    if kind == "page":
        size = float(draw(st.integers(1, 3)))
        options = {"cursor": None, "numItems": size}
        return "paging:page", {"index": index, "range": range_, "order": order, "paginationOpts": options}
    more = {"take": float(draw(st.integers(0, 3)))} if draw(st.booleans()) else {}
    return "reading:ranged", {"index": index, "range": range_, "order": order, **more}


rows = st.fixed_dictionaries({"n": st.integers(0, 6).map(float)}, optional={"a": VALUES, "b": VALUES})
writes = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.integers(0, 9), rows),
        st.tuples(st.just("replace"), st.integers(0, 9), rows),
        st.tuples(st.just("delete"), st.integers(0, 9), st.just({})),
        st.tuples(st.just("other"), st.integers(0, 9), st.just({})),
    ),
    min_size=1,
    max_size=6,
)


def covered(app: App, outcome: Outcome, documents: list[dict[str, Any]]) -> bool:
    """Whether an interval that the query has read holds one of the documents' keys."""
    with app.functions.engine.snapshot() as snapshot:
        table = snapshot.catalog.tables["rows"]
        indexes = snapshot.catalog.indexes(table)
    spaces = {index.entries: index.fields for index in indexes.values()}
    for space, found in outcome.reads.intervals.items():
        for document in documents:
            by_id = space == -table.storage
            key = decode_id(document["_id"])[1] if by_id else index_key(document, spaces.get(space, ()))
            if any(start <= key and (end is None or key < end) for start, end in found):
                return True
    return False


@settings(max_examples=60)
@given(before=st.lists(rows, max_size=8), asked=st.lists(queries(), min_size=1, max_size=4), changes=writes)
def test_a_result_is_dropped_if_it_may_have_changed_and_only_then(
    pushed: Path, before: list[dict[str, Any]], asked: list[tuple[str, dict[str, Any]]], changes: list[tuple[Any, ...]]
):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(pushed, Path(folder) / FILE))
        with Deployment(path) as deployment:
            app = App(deployment)
            engine = app.functions.engine
            engine._store.connection.execute("PRAGMA synchronous = OFF")
            ids = app.run("reading:add", rows=before)
            known = {at: app.outcome(*query) for at, query in enumerate(asked)}
            for kind, which, row in changes:
                since = engine.log.last
                touched = []
                if kind in ("replace", "delete") and ids:
                    id_ = ids[which % len(ids)]
                    touched.append(deployment.get(id_))
                    if kind == "replace":
                        app.run("writing:replace", id=id_, value=row)
                        touched.append(deployment.get(id_))
                    else:
                        app.run("writing:remove", id=id_)
                        ids.remove(id_)
                elif kind == "insert":
                    ids += app.run("reading:add", rows=[row])
                    touched.append(deployment.get(ids[-1]))
                else:
                    app.run("writing:insert", table="people", value={"name": "x"})
                for at, query in enumerate(asked):
                    old = known[at]
                    held = engine.valid(old.reads, since)
                    new = app.outcome(*query)
                    shown = (query, kind, touched)
                    if held:
                        assert answer(new) == answer(old), ("a change was missed", shown)
                    else:
                        assert covered(app, old, touched), ("run again though nothing that it read was written", shown)
                    known[at] = new


def answer(outcome: Outcome) -> Any:
    """What a client gets of it."""
    return value_of(outcome) if outcome.failure is None else outcome.failure.message


# Results that are shared


def call(path: str, identity: Identity = NOBODY, **args: Any) -> Call:
    return Call(path, to_internal_json(args), identity)


def test_one_run_serves_all_until_something_changes(app: App):
    live, engine = LiveQueries(app.functions), app.functions.engine
    app.rows(1, 2)
    runs: list[Outcome] = []
    app.functions.listeners.append(runs.append)

    def ask(**more: Any) -> Outcome:
        with engine.snapshot() as snapshot:
            return live.outcome(call("reading:newest", **more), snapshot)

    first = ask()
    assert ask() is first and ask(identity=Identity(user={"subject": "x"})) is first and len(runs) == 1
    app.run("writing:insert", table="people", value={"name": "x"})
    assert ask() is first, "of another table"
    app.rows(3)
    runs.clear()
    second = ask()
    assert value_of(second) == [3, 2, 1] and len(runs) == 1


def test_results_of_other_arguments_and_functions_are_not_shared(app: App):
    live = LiveQueries(app.functions)
    app.rows(1, 2, 3)
    with app.functions.engine.snapshot() as snapshot:
        for _ in range(2):
            assert value_of(live.outcome(call("reading:taken", count=1.0), snapshot)) == [1]
            assert value_of(live.outcome(call("reading:taken", count=2.0), snapshot)) == [1, 2]
            assert value_of(live.outcome(call("reading:newest", count=2.0), snapshot)) == [3, 2, 1]


def test_results_that_depend_on_who_asks_are_not_shared(app: App):
    live = LiveQueries(app.functions)
    with app.functions.engine.snapshot() as snapshot:
        for name in ("a", "b", "a"):
            user = Identity(user={"subject": name, "issuer": "i", "tokenIdentifier": f"i|{name}"})
            assert value_of(live.outcome(call("people:who", user), snapshot))["subject"] == name
        assert value_of(live.outcome(call("people:who"), snapshot)) is None


def test_an_older_moment_is_answered_as_it_was(app: App):
    live, engine = LiveQueries(app.functions), app.functions.engine
    app.rows(1)
    with engine.snapshot() as old:
        app.rows(2)
        with engine.snapshot() as new:
            assert value_of(live.outcome(call("reading:newest"), new)) == [2, 1]
        assert value_of(live.outcome(call("reading:newest"), old)) == [1]


def test_environment_variables_and_pushes_change_results(app: App):
    """Both are written by others; nothing is known of what that touches."""
    from supavex.deployment.functions.modules import change_variables

    live, engine = LiveQueries(app.functions), app.functions.engine
    with engine.snapshot() as snapshot:
        assert value_of(live.outcome(call("environment:inQuery"), snapshot))[0] == "hello"
    change_variables(app.deployment.store, [{"name": "GREETING", "value": "bye"}])
    with engine.snapshot() as snapshot:
        assert value_of(live.outcome(call("environment:inQuery"), snapshot))[0] == "bye"
