"""Computes the source's digests in a separate process, because each side needs a whole interpreter.

In two threads, both sides take longer than one after the other, because each waits for the other's long steps. The
process receives its jobs on its standard input and never as arguments, because they contain a connection string.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from supavex.errors import SupavexError, file_error
from supavex.migrate.proof.digests.sums import Sums
from supavex.migrate.proof.digests.table import TableDigests
from supavex.migrate.proof.pairs import PairWriter
from supavex.postgres.snapshot import Snapshot, reading
from supavex.temporary import temporary_folder

#: The program that runs the process.
PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class _Job:
    """The rows to add up. ``digests`` is pickled by cloudpickle, because a plan holds functions."""

    digests: bytes
    snapshot: Snapshot
    rejected: list[str]
    pairs: Path


class ProcessLost(Exception):
    """The process ended, or could not be started."""


class DigestProcess:
    """One process, started by :meth:`start` or for the first job. A context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> DigestProcess:
        #: The folder for keys and digests.
        self.folder = self._stack.enter_context(temporary_folder("proof"))
        return self

    def __exit__(self, *details: object) -> None:
        self.stop()
        self._stack.close()

    @property
    def pairs(self) -> tuple[Path, Path]:
        """The files with the keys and digests of the last table: of its rows, and of its documents."""
        return self.folder / "rows", self.folder / "documents"

    def stop(self) -> None:
        """Ends the process at once. The next job starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # Unsent data are discarded.
                        pipe.close()
            process.wait()

    def start(self) -> None:
        """Starts the process, so that the first job does not wait for it."""
        if self._process is None:
            # -P: modules in the current folder can't replace Python's.
            command = [PYTHON, "-P", "-m", __name__]
            pipe, null = subprocess.PIPE, subprocess.DEVNULL
            # If it can't be started, the first job reports it.
            with suppress(OSError):
                self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null)

    def begin(self, digests: TableDigests, snapshot: Snapshot, rejected: Sequence[str], pairs: Path) -> None:
        """Starts adding up the rows of a table. :meth:`result` waits for the sums. Raises :class:`ProcessLost`.

        ``pairs``: the file for keys and digests.
        """
        import cloudpickle

        job = _Job(cloudpickle.dumps(digests), snapshot, list(rejected), pairs)
        self.start()
        if self._process is None:
            raise ProcessLost
        try:
            assert self._process.stdin is not None
            pickle.dump(job, self._process.stdin)
            self._process.stdin.flush()
        except OSError:
            self.stop()
            raise ProcessLost from None

    def result(self) -> tuple[Sums, set[str]]:
        """The sums, and the rejected rows that exist. Raises :class:`ProcessLost`, or the error of the read."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            found = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.stop()
            raise ProcessLost from None
        if isinstance(found, BaseException):
            raise found
        sums, seen = found
        assert isinstance(sums, Sums)
        return sums, seen


def _done(job: _Job) -> tuple[Sums, set[str]]:
    digests: TableDigests = pickle.loads(job.digests)
    sums, seen = Sums(), set[str]()
    sums.pairs = pairs = PairWriter(job.pairs)
    with closing(pairs), reading(job.snapshot, digests.table.name) as connection:
        for _ in digests.source(connection, job.rejected, sums, seen):
            pass
    sums.pairs = None
    return sums, seen


def _work(jobs: IO[bytes], results: IO[bytes]) -> None:
    # Ctrl-C reaches every process of a terminal. This one ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            job = pickle.load(jobs)
            try:
                found: object = _done(job)
            except SupavexError as error:
                found = error
            except OSError as error:
                found = file_error(error, "CannotWrite", str(job.pairs))
            pickle.dump(found, results)
            results.flush()


if __name__ == "__main__":
    # Imported under the parent's name, so that pickled objects have the parent's classes.
    from supavex.migrate.proof.digests import process as digest_process

    digest_process._work(sys.stdin.buffer, sys.stdout.buffer)
