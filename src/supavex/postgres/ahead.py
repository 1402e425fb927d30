"""Reads an iterator ahead in a thread, so that its producer and its consumer work at the same time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
#: Items that are handed over together, and the number of such pieces that may wait.
_PIECE, _PIECES = 500, 8
#: Seconds between the thread's checks whether the consumer still reads.
_LOOKS = 0.1


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """The ``items`` in their order, produced in a thread. An exception in the thread is raised here after the earlier
    items.

    The first items are produced in the caller's thread: most files are too short to be worth a thread.
    """
    iterator = iter(items)
    taken = 0
    for item in islice(iterator, _PIECE):
        taken += 1
        yield item
    if taken < _PIECE:
        return
    pieces: queue.Queue[list[T] | BaseException | None] = queue.Queue(_PIECES)
    stopped = threading.Event()

    def put(piece: list[T] | BaseException | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                pieces.put(piece, timeout=_LOOKS)
                return

    def read() -> None:
        piece: list[T] = []
        end: BaseException | None = None
        try:
            for item in iterator:
                piece.append(item)
                if len(piece) == _PIECE:
                    put(piece)
                    piece = []
                if stopped.is_set():
                    return
        except BaseException as error:
            end = error
        put(piece)
        put(end)

    thread = threading.Thread(target=read, name="supavex-read-ahead", daemon=True)
    thread.start()
    try:
        while (piece := pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield from piece
    finally:
        stopped.set()
        thread.join()
