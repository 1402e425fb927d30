"""Overlapping stages: an iterator that runs ahead in a thread. The libraries release the GIL."""

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
    """Runs ``make()`` in a thread, at most ``depth`` items ahead of the block. The block gets its errors.

    If the block ends early, the thread stops at its next item, and this waits for it.
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
