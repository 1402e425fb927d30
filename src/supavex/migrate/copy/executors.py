"""The executors of a copy: this process, other processes on this machine, or the workers of a Dask cluster.

Each returns every task's result once, in any order. The parts of a lost worker are copied again by another.
"""

from __future__ import annotations

import hashlib
import hmac
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Protocol

from supavex.errors import SupavexError, UsageError, missing_extra
from supavex.migrate.copy.jobs import TableJob
from supavex.migrate.copy.part_files import SUFFIX
from supavex.migrate.copy.parts import PartCopier, PartTask, RowCount
from supavex.migrate.copy.results import PartResult

Done = Generator[tuple[PartTask, PartResult]]
#: The number of lost workers that are replaced before the copy gives up.
_REPLACED = 3
CONNECT_SECONDS = 15


class Executor(Protocol):
    """Copies the parts of one table. A context manager."""

    def __enter__(self) -> Executor: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, job: TableJob, tasks: list[PartTask], rows: RowCount) -> Done:
        """Runs the tasks, and yields each with its result when it is done. ``rows`` is called with the number of newly
        encoded rows.

        Close the generator if it is not exhausted.
        """


class InProcess:
    """Copies in this process, one part after another. Reading, encoding and deflating overlap in threads."""

    def __init__(self) -> None:
        self._copier = PartCopier()

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *details: object) -> None:
        self._copier.close()

    def run(self, job: TableJob, tasks: list[PartTask], rows: RowCount) -> Done:
        """See :class:`Executor`."""
        yield from self._copier.copies(tasks, lambda: job, rows)


class ProcessPool:
    """``count`` processes on this machine, which end when this process ends.

    Each has its own pipe, so a killed process can't hold a lock for which another waits.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(self, *details: object) -> None:
        for pipe, worker in self._workers.items():
            pipe.close()
            # A worker that reads from the source would only notice at the end of its part.
            worker.terminate()
            worker.join()
        self._workers.clear()

    def _start(self) -> Connection:
        # Forking is unsafe here, because this process has threads.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        worker = context.Process(target=_work, args=(theirs,), daemon=True)
        worker.start()
        theirs.close()
        self._workers[ours] = worker
        return ours

    def run(self, job: TableJob, tasks: list[PartTask], rows: RowCount) -> Done:
        """See :class:`Executor`."""
        digest = _write(job, tasks)
        waiting = deque(tasks)
        busy: dict[Connection, PartTask] = {}
        lost = 0
        while waiting or busy:
            while waiting and len(busy) < self._count:
                pipe = next((pipe for pipe in self._workers if pipe not in busy), None) or self._start()
                busy[pipe] = waiting.popleft()
                with suppress(OSError):  # A worker that has ended is noticed below.
                    pipe.send((busy[pipe], digest))
            ready = wait(list(busy))
            for pipe in [pipe for pipe in busy if pipe in ready]:
                task = busy.pop(pipe)
                try:
                    result = pipe.recv()
                except (EOFError, OSError):
                    self._workers.pop(pipe).join()
                    pipe.close()
                    lost += 1
                    if lost > _REPLACED:
                        raise _lost() from None
                    waiting.append(task)
                    continue
                if isinstance(result, BaseException):
                    raise result
                rows(result.rows)
                yield task, result


class DaskCluster:
    """The workers of a running Dask cluster. They reach the source and the place of the parts by their addresses."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise missing_extra("distributed", "cluster", "--cluster") from None
        try:
            client: Any = Client
            self._client: Any = client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            hint = "It looks like tcp://host:8786: start `dask scheduler` there, and `dask worker` for each worker."
            raise UsageError("NoCluster", f"no scheduler answers: {error}", where=address, hint=hint) from None

    def __enter__(self) -> DaskCluster:
        return self

    def __exit__(self, *details: object) -> None:
        with ExitStack() as stack:
            stack.callback(self._client.close)
            # The workers keep running, but their connections to the source have to end.
            self._client.run(close_copier, on_error="ignore")

    def run(self, job: TableJob, tasks: list[PartTask], rows: RowCount) -> Done:
        """See :class:`Executor`."""
        from distributed import KilledWorker
        from distributed import as_completed as as_done

        digest = _write(job, tasks)
        futures = {
            self._client.submit(copy_part, task, digest, pure=False, key=f"supavex-{task.name}-{os.getpid()}"): task
            for task in tasks
        }
        try:
            completed: Any = as_done
            for future in completed(list(futures), loop=self._client.loop):
                try:
                    result: PartResult = future.result()
                except KilledWorker:
                    raise _lost() from None
                rows(result.rows)
                yield futures[future], result
        finally:
            self._client.cancel(list(futures))


def _lost() -> SupavexError:
    return SupavexError(
        "WorkerLost",
        f"workers ended again and again while they copied (more than {_REPLACED} times).",
        hint="See why in their output (memory, a kill). What is done is kept: run the command again.",
        retryable=True,
    )


# Functions that run in the workers

#: By thread, because a connection serves one thread at a time.
_copiers: dict[int, PartCopier] = {}


def copy_part(task: PartTask, digest: str) -> PartResult:
    """Copies one part in a worker. ``digest``: the SHA-256 of the :class:`TableJob` file beside the parts."""
    copier = _copiers.setdefault(threading.get_ident(), PartCopier())
    return copier.copy(task, lambda: _read(task, digest))


def close_copier() -> None:
    """Ends the connections of a worker."""
    for copier in list(_copiers.values()):
        copier.close()


def _job_name(task: PartTask) -> str:
    return f"{task.job[:16]}-job{SUFFIX}"


def _write(job: TableJob, tasks: list[PartTask]) -> str:
    """Writes the job beside the parts, so that losing a worker does not lose it. Returns its SHA-256."""
    # Plans hold functions, which pickle alone can't write.
    try:
        import cloudpickle
    except ImportError:
        raise missing_extra("cloudpickle", "copy", "--workers") from None
    packed: bytes = cloudpickle.dumps(job)
    with tasks[0].files.write(_job_name(tasks[0])) as file:
        file.write(packed)
    return hashlib.sha256(packed).hexdigest()


def _read(task: PartTask, digest: str) -> TableJob:
    import cloudpickle

    with task.files.read(_job_name(task)) as file:
        packed = file.read()
    # Unpickling runs code, so the file must be exactly the one that this program wrote.
    if not hmac.compare_digest(hashlib.sha256(packed).hexdigest(), digest):
        raise SupavexError("JobChanged", "someone else has changed it.", where=_job_name(task))
    job: TableJob = cloudpickle.loads(packed)
    return job


def _work(pipe: Connection) -> None:
    """The main loop of a process: it receives parts and sends results through the pipe, until the other end
    is closed.
    """
    # Ctrl-C reaches every process of a terminal. This one ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            task, digest = pipe.recv()
            try:
                result: object = copy_part(task, digest)
            except (SupavexError, OSError) as error:
                result = error
            except Exception as error:
                result = SupavexError("WorkerFailed", f"a worker failed: {type(error).__name__}: {error}")
            pipe.send(result)
