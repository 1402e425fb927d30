"""Reads an iterator ahead in a thread, so that its producer and its consumer work at the same time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
_END = object()
#: Items that :func:`read_ahead` hands over together, and the number of such pieces that may wait.
_PIECE, _PIECES = 500, 8
#: Seconds between the thread's checks whether the consumer still reads.
_LOOKS = 0.1


@contextmanager
def prefetch(make: Callable[[], Iterator[T]], depth: int = 3) -> Iterator[Iterator[T]]:
    """Runs ``make()`` in a thread, at most ``depth`` items ahead of the block. The block gets its errors.

    If the block ends early, the thread stops at its next item, and this waits for it.
    """
    items: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=_LOOKS)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        try:
            for item in make():
                if not put(item):
                    return
        except BaseException as error:  # Every exception is passed to the block.
            failure.append(error)
        finally:
            put(_END)

    def received() -> Iterator[T]:
        while True:
            item = items.get()
            if item is _END:
                if failure:
                    raise failure[0]
                return
            yield item  # type: ignore[misc]

    thread = threading.Thread(target=run, name="supavex-ahead", daemon=True)
    thread.start()
    try:
        yield received()
    finally:
        stop.set()
        thread.join()


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """The ``items`` in their order, produced in a thread. An exception in the thread is raised here after the earlier
    items.

    The first items are produced in the caller's thread: most iterators are too short to be worth a thread.
    """
    iterator = iter(items)
    taken = 0
    for item in islice(iterator, _PIECE):
        taken += 1
        yield item
    if taken == _PIECE:
        with prefetch(lambda: _in_pieces(iterator), _PIECES) as pieces:
            for piece in pieces:
                yield from piece


def _in_pieces(items: Iterator[T]) -> Iterator[list[T]]:
    """The ``items`` in lists. An exception comes after the list of the items before it."""
    piece: list[T] = []
    try:
        for item in items:
            piece.append(item)
            if len(piece) == _PIECE:
                yield piece
                piece = []
    except Exception:
        yield piece
        raise
    yield piece
