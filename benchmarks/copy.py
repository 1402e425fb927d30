"""How fast the copy is, against the floor: reading the table by binary COPY and throwing it away, in the same run.

    python -m benchmarks.copy [--rows 1000000] [--runs 3] [--dlt PYTHON] [--chart docs/copy.svg]
    python -m benchmarks.copy --recorded            workers fed what was read before: do they scale?
    python -m benchmarks.copy --memory --rows 10000000   memory over time, of a tenth of the rows and of all

Medians, their runs taken in turn; those of the slow rivals are few. Every run has a process of its own, whose start is
left out. CPU seconds are of the process, its workers and the server together. Only ratios carry over between machines.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by its path: this folder must not come first, where "copy" is this file
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import importlib.util
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.chart import chart
from benchmarks.copy_rivals import floor, script
from benchmarks.copy_tables import add_payments, make_tables, plan_of
from benchmarks.figures import Figure, Size
from supavex.postgres.server import Server, temporary

FLOOR = "COPY binary, thrown away"
ONE, TWO = "supavex", "supavex, two processes"
CAREFUL, PLAIN = "careful script, row by row", "plain script, row by row"
DLT = {
    "dlt, ConnectorX, no gzip": "connectorx-plain",
    "dlt, ConnectorX": "connectorx",
    "dlt, pyarrow": "pyarrow",
    "dlt, SQLAlchemy (its default)": "sqlalchemy",
}


@dataclass(frozen=True)
class Measured:
    """One run: wall-clock and CPU seconds, and the most memory that one process had, in MB."""

    seconds: float
    cpu: float
    peak_mb: float


def copied(url: str, folder: str, table: str, workers: int, server: int) -> dict[str, float]:
    """Copies a table by supavex; its seconds, without the start of workers. ``server``: the id of its process."""
    from supavex.mapping.table_numbers import with_new_tables
    from supavex.migrate.copy import parts
    from supavex.migrate.copy.executors import InProcess, ProcessPool
    from supavex.migrate.copy.options import CopyOptions
    from supavex.migrate.copy.run import copy

    class Started(ProcessPool):
        """Processes that go on living between copies."""

        def __exit__(self, *details: object) -> None:
            pass

    root = Path(folder)
    plan = plan_of(root, url)
    numbers = with_new_tables({}, plan.schema.tables)
    executor = Started(workers) if workers > 1 else InProcess()

    def run(name: str) -> Any:
        out = root / f"{name}-{workers}.zip"
        only, work = frozenset({f"public.{name}"}), root / f"{name}.work"
        # The tables that it refers to are not read for their rejected rows: there are none.
        none = {other.name: frozenset[bytes]() for other in plan.moving}
        options = CopyOptions(tables=only, executor=executor, known_rejects=none)
        return copy(plan, url, numbers, out, work, options)

    # Whatever is loaded at its first use is loaded now: by every worker, for the table has many parts then.
    normal, parts.PART_BYTES = parts.PART_BYTES, 1 << 20
    run("conversations")
    parts.PART_BYTES = normal
    workers_ = [worker.pid or 0 for worker in executor._workers.values()] if isinstance(executor, Started) else []

    def cpu() -> float:
        time.sleep(0.3)  # until the server has taken note of its sessions' ends
        return _own_cpu() + _cpu_of(server) + sum(map(_cpu_of, workers_))

    before = cpu()
    started = time.perf_counter()
    result = run(table)
    seconds = time.perf_counter() - started
    used = cpu() - before
    assert not result.rejects, result.rejects[:3]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if isinstance(executor, Started):
        peak = max(map(_peak_mb, workers_))
        ProcessPool.__exit__(executor)
    return {"seconds": seconds, "peak_mb": peak, "all_cpu": used}


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _timed(pipe: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    import psycopg  # noqa: F401 - loaded before the clock starts

    started, cpu = time.perf_counter(), _own_cpu()
    own = function(*arguments) or {}
    found = {
        "seconds": time.perf_counter() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **own,
    }
    pipe.send({**found, "cpu": _own_cpu() - cpu})


def _own_cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process and of its children, of those that have ended too: a server's sessions."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(_cpu_of(int(child)) for child in children)


def measured(server: Server, function: Callable[..., Any], *arguments: Any) -> Measured:
    """Runs ``function`` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    time.sleep(0.3)  # until the server has taken note of what ended before
    before = _cpu_of(server.process.pid)
    process = context.Process(target=_timed, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    found = ours.recv()
    process.join()
    time.sleep(0.3)
    cpu = found["cpu"] + _cpu_of(server.process.pid) - before
    return Measured(found["seconds"], found.get("all_cpu", cpu), found["peak_mb"])


def measure_dlt(server: Server, python: str, table: str, backend: str) -> Measured:
    """Runs dlt by an interpreter that has it."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-benchmark-dlt-"))
    rivals = Path(__file__).with_name("copy_rivals.py")
    try:
        before = _cpu_of(server.process.pid)
        command = [python, "-P", str(rivals), str(server.socket_folder), table, backend, str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        if ran.returncode:
            raise SystemExit(f"dlt failed:\n{ran.stderr[-2000:]}")
        found = json.loads(ran.stdout.strip().splitlines()[-1])
        time.sleep(0.3)
        return Measured(found["seconds"], found["cpu"] + _cpu_of(server.process.pid) - before, found["peak_mb"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def contend(
    server: Server, folder: Path, table: str, runs: int, slow_runs: int, dlt: str | None
) -> dict[str, list[Measured]]:
    """All contenders on one table, taken in turn: name to their runs. ``slow_runs``: of the scripts and of dlt."""
    url = server.url("supabase_admin")
    contenders: dict[str, tuple[int, Callable[[], Measured]]] = {
        FLOOR: (runs, lambda: measured(server, floor, url, table)),
        ONE: (runs, lambda: measured(server, copied, url, str(folder), table, 1, server.process.pid)),
        TWO: (runs, lambda: measured(server, copied, url, str(folder), table, 2, server.process.pid)),
    }
    for name, careful in ((CAREFUL, True), (PLAIN, False)):
        run = lambda careful=careful: measured(server, _script, url, table, folder / "script.zip", careful)  # noqa: E731
        contenders[name] = (slow_runs, run)
    for name, backend in DLT.items() if dlt else ():
        contenders[name] = (slow_runs, lambda backend=backend: measure_dlt(server, dlt or "", table, backend))
    found: dict[str, list[Measured]] = {name: [] for name in contenders}
    for turn in range(max(runs, slow_runs)):
        for name, (count, run) in contenders.items():
            if turn < count:
                found[name].append(run())
                print(f"  {table} {name}: {found[name][-1].seconds:.2f} s", file=sys.stderr, flush=True)
    return {name: results for name, results in found.items() if results}


def medians(found: dict[str, list[Measured]]) -> dict[str, Measured]:
    """Each contender's medians."""
    return {
        name: Measured(*(statistics.median(getattr(r, f) for r in results) for f in ("seconds", "cpu", "peak_mb")))
        for name, results in found.items()
    }


def measure(size: Size) -> list[Figure]:
    """The copy of both tables by one process and by two."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="supavex-bench-", dir="/tmp") as name, temporary() as server:
        rows = {"payments": size.of(1_000_000), "articles": size.of(300_000)}
        make_tables(server.url("supabase_admin"), rows)
        for table in rows:
            found = contend(server, Path(name), table, size.runs, 0, None)
            seconds = {contender: [run.seconds for run in runs] for contender, runs in found.items()}
            figures += [
                Figure.of(f"{table}: {contender}", FLOOR, seconds[contender], seconds[FLOOR])
                for contender in (ONE, TWO)
            ]
    return figures


def _script(url: str, table: str, out: Path, careful: bool) -> None:
    script(url, table, out, careful=careful)


def lines(table: str, rows: int, found: dict[str, Measured]) -> list[str]:
    """The table of results, in Markdown."""
    base = found[FLOOR].seconds
    text = [
        f"| {table}, {rows:,} rows | seconds | rows/s | times the floor | CPU seconds | peak MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, one in found.items():
        rate, ratio = rows / one.seconds, one.seconds / base
        text.append(f"| {name} | {one.seconds:.2f} | {rate:,.0f} | {ratio:.2f} | {one.cpu:.2f} | {one.peak_mb:.0f} |")
    return text


# Memory


def over_time(server: Server, folder: Path, rows: int) -> list[str]:
    """Memory of a copy of a tenth of the rows, and of all of them, in Markdown."""
    url = server.url("supabase_admin")
    text, peaks = [], []
    done = 0
    for count in (rows // 10, rows):
        if done:
            add_payments(url, done + 1, count)
        else:
            make_tables(url, {"payments": count})
        done = count
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (url, str(folder), "payments", 1, server.process.pid)
        process = context.Process(target=_timed, args=(theirs, copied, arguments))
        process.start()
        theirs.close()
        samples: list[tuple[float, float]] = []
        stop = threading.Event()

        def watch(
            pid: int = process.pid or 0, samples: list[tuple[float, float]] = samples, stop: threading.Event = stop
        ) -> None:
            started = time.monotonic()
            while not stop.wait(0.25):
                try:
                    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                except OSError:
                    return
                samples.append((time.monotonic() - started, pages * os.sysconf("SC_PAGE_SIZE") / 1e6))

        watcher = threading.Thread(target=watch)
        watcher.start()
        found = ours.recv()
        stop.set()
        watcher.join()
        process.join()
        peaks.append(found["peak_mb"])
        archive = folder / "payments-1.zip"
        if count <= 1_000_000:
            _check_independently(archive, count)
        text.append(
            f"| {count:,} | {found['seconds']:.1f} | {found['peak_mb']:.0f} | {archive.stat().st_size / 1e6:,.0f} | "
            + ", ".join(f"{samples[len(samples) * tenth // 10][1]:.0f}" for tenth in range(1, 10))
            + " |"
        )
    head = ["| rows | seconds | peak MB | archive MB | MB at each tenth of the time |", "|---:|---:|---:|---:|---|"]
    return [*head, *text, f"Ten times the rows need {peaks[1] / peaks[0]:.2f} times the memory."]


def _check_independently(archive: Path, count: int) -> None:
    """Reads an archive with Python's own zipfile and json: every line, its keys in order, no id twice."""
    import zipfile

    seen = set()
    with zipfile.ZipFile(archive) as opened, opened.open("payments/documents.jsonl") as file:
        for line in file:
            document = json.loads(line)
            assert list(document) == sorted(document)
            seen.add(hash(document["_id"]))
    assert len(seen) >= count - 5, f"{len(seen)} of {count} rows"  # hashes of so many texts may meet


# Recorded streams


def recorded(server: Server, folder: Path, table: str, rows: int, runs: int) -> list[str]:
    """Workers that encode and deflate what was read before, each on a core of its own: one, up to all cores."""
    import cloudpickle
    import pyarrow as pa

    from supavex.migrate.copy.encoding.query import copy_query
    from supavex.postgres.columns import ColumnReader
    from supavex.postgres.snapshot import exported

    url = server.url("supabase_admin")
    plan = plan_of(folder, url)
    planned = plan.of_source("public", table)
    assert planned is not None
    (folder / "plan").write_bytes(cloudpickle.dumps(planned))
    with exported(url) as (snapshot, _), ColumnReader(snapshot) as reader:
        batches = list(reader.read(copy_query(planned).sql))
    cores = sorted(os.sched_getaffinity(0))
    files = [folder / f"recorded-{number}.arrow" for number in range(4 * len(cores))]
    for number, path in enumerate(files):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batches[0].schema) as writer:
            for batch in batches[number :: len(files)]:
                writer.write_batch(batch)
    del batches
    text = ["| workers | seconds | rows/s | times one |", "|---:|---:|---:|---:|"]
    seconds: dict[int, list[float]] = {}
    for _ in range(runs):
        for count in range(1, len(cores) + 1):
            seconds.setdefault(count, []).append(_fed(folder, files, cores[:count]))
    for count, times in seconds.items():
        median = statistics.median(times)
        times_one = statistics.median(seconds[1]) / median
        text.append(f"| {count} | {median:.2f} | {rows / median:,.0f} | {times_one:.2f} |")
    return text


def _fed(folder: Path, files: list[Path], cores: list[int]) -> float:
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(len(cores) + 1), context.Barrier(len(cores) + 1)
    shares = [files[number :: len(cores)] for number in range(len(cores))]
    processes = [
        context.Process(target=_feed, args=(folder, share, core, ready, go))
        for share, core in zip(shares, cores, strict=True)
    ]
    for process in processes:
        process.start()
    ready.wait(60)
    started = time.perf_counter()
    go.wait(60)
    for process in processes:
        process.join()
    assert all(process.exitcode == 0 for process in processes)
    return time.perf_counter() - started


def _feed(folder: Path, files: list[Path], core: int, ready: Any, go: Any) -> None:
    os.sched_setaffinity(0, {core})
    import cloudpickle
    import pyarrow as pa

    from supavex.migrate.copy.jobs import TableJob
    from supavex.migrate.copy.part_files import PartFiles
    from supavex.migrate.copy.parts import Pages, PartCopier, PartTask
    from supavex.postgres.snapshot import Snapshot

    planned = cloudpickle.loads((folder / "plan").read_bytes())
    numbers = {"workspaces": 10_003, "conversations": 10_002, "payments": 10_001, "articles": 10_004}
    job = TableJob(planned, numbers, {}, {}, {})
    snapshot = Snapshot("", "", "")

    class Recording:
        """Stands for the connection: gives what a file holds."""

        path = files[0]

        def read(self, sql: str) -> Any:
            yield from pa.ipc.open_stream(pa.memory_map(str(self.path)))

    copier, recording = PartCopier(), Recording()
    copier._reader, copier._snapshot = recording, snapshot  # type: ignore[assignment]
    place = PartFiles(str(folder))
    ready.wait(60)
    go.wait(60)
    for path in files:
        recording.path = path
        number = int(path.stem.split("-")[1])
        copier.copy(PartTask("recorded", number, Pages(0, None), snapshot, place), lambda: job)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of payments; articles have three tenths")
    parser.add_argument("--runs", type=int, default=5, help="of the floor and of supavex")
    parser.add_argument("--slow-runs", type=int, default=1, help="of the scripts and dlt; 0 leaves them out")
    parser.add_argument("--tables", default="payments,articles")
    parser.add_argument("--dlt", metavar="PYTHON", help="an interpreter that has dlt (default: this one, if it has)")
    parser.add_argument("--chart", metavar="FILE.svg", help="where to draw the results")
    parser.add_argument("--recorded", action="store_true", help="measure workers on recorded streams instead")
    parser.add_argument("--memory", action="store_true", help="measure memory over time instead")
    options = parser.parse_args()
    dlt = options.dlt or (sys.executable if importlib.util.find_spec("dlt") else None)
    folder = Path(tempfile.mkdtemp(prefix="supavex-benchmark-"))
    try:
        with temporary() as server:
            if options.memory:
                print("\n".join(over_time(server, folder, options.rows)))
                return
            rows = {"payments": options.rows, "articles": options.rows * 3 // 10}
            rows = {table: rows[table] for table in options.tables.split(",")}
            make_tables(server.url("supabase_admin"), rows)
            results: dict[str, dict[str, Measured]] = {}
            for table, count in rows.items():
                if options.recorded:
                    print(f"{table}, recorded:\n\n" + "\n".join(recorded(server, folder, table, count, options.runs)))
                    continue
                results[table] = medians(contend(server, folder, table, options.runs, options.slow_runs, dlt))
                print("\n".join(["", *lines(table, count, results[table])]), flush=True)
            if options.chart and results:
                ratios = {
                    table: {name: one.seconds / found[FLOOR].seconds for name, one in found.items()}
                    for table, found in results.items()
                }
                Path(options.chart).write_text(chart(ratios), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
