"""A process beside this one that does a job of Python's: how it is started, gets its job, and ends."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

#: Bytes that a pipe holds (on Linux): a process goes on while what it has written is not read yet.
_PIPE = 1 << 20


@contextmanager
def aside(module: str, job: object) -> Iterator[IO[bytes] | None]:
    """What the program of ``module`` writes, run in a process of its own; None where it can't be started.

    The process reads ``job``, pickled, from its standard input, which ends when this process does. It is killed when
    the block ends.
    """
    pipe = subprocess.PIPE
    # -P: no module of the folder that the command runs in takes the place of Python's.
    command = [sys.executable, "-P", "-m", module]
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pipesize=_PIPE)
    except OSError:
        yield None
        return
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(OSError):  # a process that has ended is noticed when it is read from
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
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
