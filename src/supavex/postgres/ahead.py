"""An iterator that is read ahead in a thread: what makes its items and what takes them work at the same time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
#: Items that are handed over together, and how many such pieces wait at most.
_PIECE, _PIECES = 500, 8
#: Seconds after which the thread looks whether anybody still takes items.
_LOOKS = 0.1


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """``items`` in their order, made in a thread; what raises there is raised here, after the items before it.

    The first of them are made here: for most files no thread is worth its start.
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
