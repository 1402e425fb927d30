"""The Node process that judges; one for the whole run."""

from collections.abc import Iterator

import pytest

from .node import Node, missing


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The official package. Without it the tests fail: skipped, they would prove nothing."""
    problem = missing()
    if problem:
        pytest.fail(problem, pytrace=False)
    with Node() as process:
        yield process
