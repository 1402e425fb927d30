"""The lines of a large table read by processes of their own, while this one writes what was read before.

Of the blocks, each process reads every n-th, and their rows are taken in the blocks' order. A process gets its job by
its standard input. Where one ends early, the rest is read in this process: the blocks are the same for all.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import IO

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.database.bulk_load import Rows
from supavex.deployment.transfer.table_rows import TableSource, rows_of_blocks
from supavex.errors import SupavexError

#: Bytes that a pipe holds (on Linux): the rows of a block, so that a process reads on while they are written.
_PIPE = 1 << 20


def rows_read_aside(archive: SnapshotArchive, source: TableSource, processes: int) -> Iterator[Rows]:
    """The rows of a table, as :func:`rows_of_blocks` gives them. Raises what it raises."""
    received = 0
    with ExitStack() as stack:
        results = [stack.enter_context(_process(archive, source, turn, processes)) for turn in range(processes)]
        while (result := results[received % processes]) is not None:
            try:
                found = pickle.load(result)
            except (OSError, EOFError, pickle.UnpicklingError):
                break
            if found is None:
                return
            if isinstance(found, SupavexError):
                raise found
            yield found
            received += 1
    yield from islice(rows_of_blocks(archive, source), received, None)


@contextmanager
def _process(archive: SnapshotArchive, source: TableSource, turn: int, processes: int) -> Iterator[IO[bytes] | None]:
    """The rows that a process reads, a share of the blocks; None where it can't be started. At the end it is killed."""
    # -P: no module of the folder that the command runs in takes the place of Python's.
    command = [sys.executable, "-P", "-m", __name__]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pipesize=_PIPE)
    except OSError:
        yield None
        return
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(OSError):  # a process that has ended is noticed when it is read from
            pickle.dump((archive.path, archive.component, source, turn, processes), process.stdin)
            process.stdin.close()
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(jobs: IO[bytes], results: IO[bytes]) -> None:
    # Ctrl-C reaches every process of a terminal; this one ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path, component, source, turn, processes = pickle.load(jobs)
    found: object = None
    with suppress(OSError):
        try:
            with SnapshotArchive(path) as archive:
                for rows in rows_of_blocks(archive.within(component), source, turn, processes):
                    pickle.dump(rows, results, pickle.HIGHEST_PROTOCOL)
                    results.flush()
        except SupavexError as error:
            found = error
        pickle.dump(found, results)
        results.flush()


if __name__ == "__main__":
    # As the module that its parent knows, so that what it sends is of the parent's classes.
    from supavex.deployment.transfer import reading

    reading._work(sys.stdin.buffer, sys.stdout.buffer)
