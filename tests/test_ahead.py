"""Items are produced in a thread, and come in their order. An error comes where it was raised."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from supavex.ahead import prefetch, read_ahead


def counted(count: int, made: list[int], error: bool = False) -> Iterator[int]:
    for number in range(count):
        made.append(number)
        yield number
    if error:
        raise ValueError("at the end")


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000, 12_345])
def test_items_come_in_their_order(count: int) -> None:
    assert list(read_ahead(counted(count, []))) == list(range(count))


@pytest.mark.parametrize("count", [0, 7, 500, 777, 1000, 9999])
def test_an_error_comes_after_the_items_before_it(count: int) -> None:
    taken: list[int] = []
    with pytest.raises(ValueError, match="at the end"):
        taken.extend(read_ahead(counted(count, [], error=True)))
    assert taken == list(range(count))


def test_who_stops_taking_stops_the_making() -> None:
    made: list[int] = []
    before = threading.active_count()
    with closing(read_ahead(counted(10_000_000, made))) as items:
        for item in items:
            if item == 600:
                break
    assert threading.active_count() == before
    assert len(made) < 100_000


def test_few_items_need_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread for each of a thousand small files would take longer than the files."""
    monkeypatch.setattr(threading.Thread, "start", lambda self: pytest.fail("a thread was started"))
    assert list(read_ahead(counted(499, []))) == list(range(499))


def test_prefetched_items_come_in_order() -> None:
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
