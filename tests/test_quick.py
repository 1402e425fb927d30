"""What ``--quick`` leaves out: found by what a test and its fixtures call, however far down, and not by a list."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import projects
from tests.browser.chromium import chromium
from tests.conftest import QUICK_EXAMPLES, needs_of_call, quick_examples, with_examples
from tests.official.node import missing
from tests.official.served import Served, served_app


def serves() -> None:
    with served_app():
        pass


class Serving:
    def start(self) -> Served:
        return Served(projects.ROOT)


def runs_a_command() -> None:
    projects.supavex("check")


def browses() -> None:
    with chromium():
        pass


def asks_node() -> None:
    assert missing() is None


def asks_inside() -> None:
    (lambda: asks_node())()


def asks_nothing() -> None:
    assert projects.ROOT


@pytest.mark.parametrize(
    ("function", "needs"),
    [
        (serves, {"served"}),
        (Serving, {"served"}),
        (runs_a_command, {"command"}),
        (browses, {"browser"}),
        (asks_node, {"node"}),
        (asks_inside, {"node"}),
        (asks_nothing, set()),
    ],
)
def test_what_a_test_needs_is_what_it_calls(function: Any, needs: set[str]) -> None:
    assert needs_of_call(function) == needs


@pytest.mark.parametrize(("asked", "tried"), [(50, QUICK_EXAMPLES), (3, 3)])
def test_a_property_is_tried_with_few_examples(asked: int, tried: int) -> None:
    seen = []

    @settings(max_examples=asked)
    @given(st.integers())
    def holds(number: int) -> None:
        seen.append(number)

    with_examples(SimpleNamespace(obj=holds), quick_examples)  # type: ignore[arg-type]
    holds()
    assert len(seen) == tried
