"""Overlapping stages: an iterator that runs ahead in a thread of its own. The libraries release the GIL."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_END = object()


@contextmanager
def prefetch(make: Callable[[], Iterator[T]], depth: int = 3) -> Iterator[Iterator[T]]:
    """Runs ``make()`` in a thread, at most ``depth`` items ahead of the block. Its errors are raised in the block.

    When the block ends early, the thread stops at its next item, and is waited for.
    """
    items: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        try:
            for item in make():
                if not put(item):
                    return
        except BaseException as error:  # handed to the block, whatever it is
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
