import threading
from collections.abc import Iterator

import pytest

from supavex.migrate.copy.prefetch import prefetch


def test_items_come_in_order() -> None:
    with prefetch(lambda: iter(range(100)), depth=2) as items:
        assert list(items) == list(range(100))


def test_an_error_in_the_thread_is_raised_in_the_block() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("from the thread")

    with prefetch(broken) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="from the thread"):
            next(items)


def test_a_block_that_ends_early_stops_the_thread() -> None:
    produced = []

    def endless() -> Iterator[int]:
        number = 0
        while True:
            produced.append(number)
            yield number
            number += 1

    before = threading.active_count()
    with prefetch(endless, depth=2) as items:
        assert next(items) == 0
    assert threading.active_count() == before
    assert len(produced) <= 6
