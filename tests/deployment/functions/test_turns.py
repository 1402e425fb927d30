"""Whose turn it is: a mutation that met a conflict keeps its place, so that none is refused for running with others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from supavex.deployment import Deployment
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.turns import Turns

from .app import App, value_of

SECONDS = 60.0


def test_twenty_in_flight_on_one_document_are_all_done(app: App):
    rounds, flying = 8, 20
    with ThreadPoolExecutor(flying) as pool:
        asked = [pool.submit(app.outcome, "transactions:increment", {"name": "one"}) for _ in range(rounds * flying)]
        outcomes = [future.result(SECONDS) for future in asked]
    assert sorted(map(value_of, outcomes)) == [float(n) for n in range(1, rounds * flying + 1)]
    # Whoever has met so many conflicts runs alone.
    assert max(outcome.retries for outcome in outcomes) <= 4


def test_threads_that_ask_for_the_functions_at_once_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two would have turns of their own each, and take the other's commits for those of another process."""
    asking, begun = 8, threading.Event()

    class Slow(Functions):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            begun.wait(SECONDS)  # until somebody else asks
            super().__init__(*arguments, **named)

    monkeypatch.setattr("supavex.deployment.functions.functions.Functions", Slow)
    with Deployment(tmp_path / "deployment.sqlite3") as deployment, ThreadPoolExecutor(asking) as pool:
        asked = [pool.submit(lambda: deployment.functions) for _ in range(asking)]
        begun.set()
        assert len({id(future.result(SECONDS)) for future in asked}) == 1


def test_places_are_served_in_their_order_whoever_comes_first():
    turns, served = Turns(1), list[int]()
    places = [turns.place() for _ in range(5)]
    begun = threading.Barrier(5)

    def take(place: int) -> None:
        begun.wait(SECONDS)
        with turns.taken(place, alone=False):
            served.append(place)

    with ThreadPoolExecutor(5) as pool:
        with turns.taken(turns.place(), alone=True):
            taken = [pool.submit(take, place) for place in reversed(places)]
            while len(turns._waiting) < 5:
                threading.Event().wait(0.001)
            assert served == [], "somebody is alone"
        for future in taken:
            future.result(SECONDS)
    assert served == places


def test_who_is_alone_waits_for_those_who_run_and_nobody_passes():
    turns, order = Turns(4), list[str]()
    first, second, third = (turns.place() for _ in range(3))

    def take(place: int, name: str, *, alone: bool) -> None:
        with turns.taken(place, alone=alone):
            order.append(name)

    with ThreadPoolExecutor(2) as pool:
        with turns.taken(first, alone=False):
            alone = pool.submit(take, second, "alone", alone=True)
            later = pool.submit(take, third, "later", alone=False)
            while len(turns._waiting) < 2:
                threading.Event().wait(0.001)
            assert order == []
        alone.result(SECONDS)
        later.result(SECONDS)
    assert order == ["alone", "later"]
