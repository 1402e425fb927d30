"""The lines of a large table read by a process of its own, while this one writes what was read before.

The process gets its job by its standard input. Where it ends early, the rest is read in this process: blocks are the
same for both.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.database.bulk_load import Rows
from supavex.deployment.transfer.table_rows import TableSource, rows_of_blocks
from supavex.errors import SupavexError


def rows_read_aside(archive: SnapshotArchive, source: TableSource) -> Iterator[Rows]:
    """The rows of a table, as :func:`rows_of_blocks` gives them. Raises what it raises."""
    received = 0
    with _process(archive.path, source) as results:
        while results is not None:
            try:
                found = pickle.load(results)
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
def _process(archive: Path, source: TableSource) -> Iterator[IO[bytes] | None]:
    """What a process writes that reads the table; None where it can't be started. It is killed at the end."""
    command = [sys.executable, "-m", __name__]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
    except OSError:
        yield None
        return
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(OSError):  # a process that has ended is noticed when it is read from
            pickle.dump((archive, source), process.stdin)
            process.stdin.close()
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def two_processors() -> bool:
    """Whether a second process finds a processor of its own."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (count or 1) > 1


def _work(jobs: IO[bytes], results: IO[bytes]) -> None:
    # Ctrl-C reaches every process of a terminal; this one ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path, source = pickle.load(jobs)
    found: object = None
    with suppress(OSError):
        try:
            with SnapshotArchive(path) as archive:
                for rows in rows_of_blocks(archive, source):
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
