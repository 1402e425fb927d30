"""Starts a Python process for one job, passes the job to it, and ends it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

#: The size of a pipe's buffer (on Linux): the process can continue while its output is not read yet.
_PIPE = 1 << 20


@contextmanager
def aside(module: str, job: object) -> Iterator[IO[bytes] | None]:
    """The output of the program ``module`` in a separate process; None if it can't be started.

    The process reads the pickled ``job`` from its standard input, which ends when this process does. It is killed when
    the block ends.
    """
    pipe = subprocess.PIPE
    # -P: modules in the current folder can't replace Python's.
    command = [sys.executable, "-P", "-m", module]
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pipesize=_PIPE)
    except OSError:
        yield None
        return
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(OSError):  # Reading from the process will show that it has ended.
            pickle.dump(job, process.stdin)
            process.stdin.flush()
        yield process.stdout
    finally:
        process.kill()
        with suppress(OSError):
            process.stdin.close()
        process.stdout.close()
        process.wait()


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
