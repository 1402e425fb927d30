"""Reads the lines of a large table in several processes, while this process writes the rows.

Each process reads every n-th block, and the rows are used in the blocks' order. If a process ends early, this process
reads the rest, because the blocks are the same for all.
"""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from typing import IO

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.database.bulk_load import Rows
from supavex.deployment.transfer.aside import aside
from supavex.deployment.transfer.table_rows import TableSource, rows_of_blocks
from supavex.errors import SupavexError


def rows_read_aside(archive: SnapshotArchive, source: TableSource, processes: int) -> Iterator[Rows]:
    """The rows of a table, as :func:`rows_of_blocks` gives them, with the same errors."""
    received = 0
    with ExitStack() as stack:
        jobs = [(archive.path, archive.component, source, turn, processes) for turn in range(processes)]
        results = [stack.enter_context(aside(__name__, job)) for job in jobs]
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


def _work(jobs: IO[bytes], results: IO[bytes]) -> None:
    # Ctrl-C reaches every process of a terminal. This one ends with its parent.
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
    # Imported under the parent's name, so that pickled objects have the parent's classes.
    from supavex.deployment.transfer import reading

    reading._work(sys.stdin.buffer, sys.stdout.buffer)
