"""What functions ask for at the same time or without waiting for it, and what they write while they iterate.

Source: ``isolate/src/environment/udf/mod.rs`` and ``database/src/query/index_range.rs`` of convex-backend.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from .app import App, value_of

MANY = [float(n) for n in range(300)]


# Reading while something else is asked for


@pytest.mark.parametrize("name", ["readAndCall", "takeAndCall", "readAndWrite"])
def test_a_read_beside_something_else_gives_each_document_once(app: App, name: str):
    app.rows(*MANY)
    # What is written beside the first fetch is there when the last one comes.
    wanted = {"readAndCall": MANY, "takeAndCall": MANY[:200], "readAndWrite": [*MANY, -1]}
    assert app.run(f"together:{name}") == wanted[name]


def test_a_read_beside_a_call_is_remembered(app: App):
    app.rows(1)
    outcome = app.outcome("together:onlyCalled")
    assert value_of(outcome) == 1 and outcome.ts is not None
    app.rows(0)
    engine = app.functions.engine
    assert not engine.valid(outcome.reads, outcome.ts), "the first is another now"
    outcome = app.outcome("together:onlyCalled")
    app.rows(5)
    assert outcome.ts is not None and engine.valid(outcome.reads, outcome.ts), "what comes behind it was not read"


def test_a_read_beside_a_write_conflicts(app: App):
    for n in (1.0, 2.0, 3.0):
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda _, n=n: app.outcome("together:insertUnlessThere", {"n": n}), range(8)))
        assert [value_of(outcome) for outcome in outcomes] == [None] * 8
    assert app.numbers() == [1, 2, 3]


def test_what_has_been_read_is_known_whenever_it_is_asked_for(app: App):
    """Of a loop: the documents that it has got, and not those that were fetched with them."""
    app.rows(*range(1, 7))
    outcome = app.outcome("together:counting")
    # The count beside the last read comes behind its first step.
    assert value_of(outcome) == [1, 2, 4, 5, 6, 12 - 1]


# What nobody waits for


def test_a_mutation_is_over_when_nothing_is_left_that_it_asked_for(app: App):
    app.rows(1, 2, 3)
    assert app.run("together:unawaited") == "returned"
    assert app.numbers() == [101, 102, 103]


def test_a_called_mutation_is_over_when_nothing_is_left_that_it_asked_for(app: App):
    assert app.run("together:unawaitedInside", fail=False) == [1, 2]
    assert app.deployment.run_scheduled() == 1
    assert app.numbers() == [1, 2, 3]


def test_what_a_failed_mutation_did_not_wait_for_is_taken_back(app: App):
    assert app.run("together:unawaitedInside", fail=True) == []
    assert app.deployment.run_scheduled() == 0


def test_what_the_web_gives_is_waited_for_too(app: App):
    assert app.run("together:unawaitedCrypto") is None
    assert app.numbers() == [32]


def test_an_action_drops_what_it_did_not_wait_for_and_is_told(app: App):
    outcome = app.outcome("together:unawaitedInAction")
    assert value_of(outcome) is None
    (line,) = outcome.logs
    assert line.level == "WARN"
    assert line.messages[0].startswith("2 unawaited operations: [mutation, schedule]. Async operations should be")
    assert app.deployment.run_scheduled() == 0 and app.numbers() == []


def test_a_called_function_that_never_ends_is_no_end_of_its_caller(app: App):
    assert "Returned promise will never resolve" in app.run("together:stuckInside")
    assert app.numbers() == [1]


# The order of what is asked for at once


def test_what_is_asked_for_at_once_is_done_in_that_order_and_answered_one_by_one(app: App):
    """However long a function takes with an answer, it has done so before the next one comes."""
    app.run("together:slowThenFast")
    assert app.numbers() == [0, 1, 2, 10, 11, 12]
    assert app.run("together:raced") == "first"


def test_reads_that_stand_together_are_answered_together(app: App):
    app.rows(1)
    assert app.run("together:readsTogether") == ["fast", "slow"]


def test_a_document_that_was_fetched_before_comes_in_its_turn(app: App):
    app.rows(1, 2, 3)
    assert app.run("together:readBesideWriting") == ["written", "read"]


def test_a_query_gives_no_two_documents_at_once(app: App):
    app.rows(1, 2)
    assert app.run("together:twoAtOnce") == [1, "in-progress query not found"]


def test_no_function_is_called_once_its_caller_has_failed(app: App):
    outcome = app.outcome("together:failsBeforeTheCall")
    assert outcome.failure is not None and "Unable to decode ID" in outcome.failure.message
    assert outcome.logs == []


# Writing while iterating


@pytest.mark.parametrize("count", [5, 100])
def test_a_loop_that_copies_ends(app: App, count: int):
    app.rows(*MANY[:count])
    if count < 100:
        assert app.run("together:copying") == count
    else:
        # A full fetch does not tell that there is nothing behind it; and each one brings as many new ones.
        assert app.error("together:copying") == "Error: no end"


def test_a_loop_meets_a_change_where_it_has_not_fetched_yet(app: App):
    """Rows are fetched by the hundred: 98 is in the first hundred, 150 in the second."""
    app.rows(*MANY[:200])
    assert app.run("together:changingAhead", at=0.0, to=98.0, by=98.5) == MANY[:200]
    seen = app.run("together:changingAhead", at=0.0, to=150.0, by=150.5)
    assert seen == [*MANY[:98], 98.5, *MANY[99:150], 150.5, *MANY[151:200]]


def test_what_a_filter_rejects_behind_a_limit_was_read(app: App):
    app.rows(9, 8, 1, 6)
    outcome = app.outcome("together:limitedThenFiltered", {"count": 3.0, "least": 5.0})
    assert value_of(outcome) == [9, 8]
    (last,) = [row for row in app.deployment.documents("rows") if row["n"] == 1]
    app.run("writing:patch", id=last["_id"], value={"n": 7.0})
    assert outcome.ts is not None and not app.functions.engine.valid(outcome.reads, outcome.ts)
