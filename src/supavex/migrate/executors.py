"""Who copies the parts: this process, processes of its own, or the workers of a Dask cluster.

Each gives every task's result once, in any order. A worker that is lost has its parts copied again by another.
"""

from __future__ import annotations

import hashlib
import hmac
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Protocol

from supavex.errors import SupavexError, UsageError, missing_extra
from supavex.migrate.part_files import SUFFIX
from supavex.migrate.parts import PartCopier, PartResult, PartTask, Rows, TableJob

Done = Iterator[tuple[PartTask, PartResult]]
#: How often lost workers are replaced before the copy gives up.
_REPLACED = 3
CONNECT_SECONDS = 15


class Executor(Protocol):
    """Copies the parts of one table. A context manager."""

    def __enter__(self) -> Executor: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def run(self, job: TableJob, tasks: list[PartTask], rows: Rows) -> Done:
        """The tasks, each with its result, as they are done; ``rows`` is told how many rows more were encoded."""


class Here:
    """The process itself, one part after another: reading, encoding and deflating overlap in threads."""

    def __init__(self) -> None:
        self._copier = PartCopier()

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *details: object) -> None:
        self._copier.close()

    def run(self, job: TableJob, tasks: list[PartTask], rows: Rows) -> Done:
        """See :class:`Executor`."""
        for task in tasks:
            yield task, self._copier.copy(task, lambda: job, rows)


class Processes:
    """``count`` processes on this machine. They end with this one, however it ends."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *details: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        # Not forked: this process has threads.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._count, mp_context=context, initializer=_end_with_parent)
        return self._pool

    def run(self, job: TableJob, tasks: list[PartTask], rows: Rows) -> Done:
        """See :class:`Executor`."""
        digest = _write(job, tasks)
        waiting = {task.number: task for task in tasks}
        for attempt in range(_REPLACED + 1):
            pool = self._pool or self._started()
            try:
                futures: dict[Future[PartResult], PartTask] = {
                    pool.submit(copy_part, task, digest): task for task in waiting.values()
                }
                for future in as_completed(futures):
                    result = future.result()
                    del waiting[futures[future].number]
                    rows(result.rows)
                    yield futures[future], result
            except BrokenProcessPool:
                pool.shutdown(cancel_futures=True)
                self._pool = None
                if attempt == _REPLACED:
                    raise _lost() from None
            else:
                return


class Cluster:
    """The workers of a running Dask cluster. They reach the source by its address, and the place of the parts."""

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

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *details: object) -> None:
        with ExitStack() as stack:
            stack.callback(self._client.close)
            # The workers go on living; their connections to the source must not.
            self._client.run(close_copier, on_error="ignore")

    def run(self, job: TableJob, tasks: list[PartTask], rows: Rows) -> Done:
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


# In the workers

#: By thread: a connection is used by one at a time.
_copiers: dict[int, PartCopier] = {}


def copy_part(task: PartTask, digest: str) -> PartResult:
    """Copies one part in a worker. ``digest`` is the SHA-256 of the :class:`TableJob` that lies beside the parts."""
    copier = _copiers.setdefault(threading.get_ident(), PartCopier())
    return copier.copy(task, lambda: _read(task, digest))


def close_copier() -> None:
    """Ends the connections of a worker."""
    for copier in list(_copiers.values()):
        copier.close()


def _job_name(task: PartTask) -> str:
    return f"{task.job[:16]}-job{SUFFIX}"


def _write(job: TableJob, tasks: list[PartTask]) -> str:
    """Writes the job to where the parts go: no worker that is lost takes it along. Its SHA-256."""
    # Plans hold functions, which pickle alone does not take.
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
    # Unpacking runs what it says: it must be what this program wrote.
    if not hmac.compare_digest(hashlib.sha256(packed).hexdigest(), digest):
        raise SupavexError("JobChanged", "someone else has changed it.", where=f"{task.files.place}/{_job_name(task)}")
    job: TableJob = cloudpickle.loads(packed)
    return job


def _end_with_parent() -> None:
    """A worker waits for work for ever; where its parent was killed, nobody else would end it."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
