"""How long the proof takes against the copy, in the same run: every row and field read again by another way.

    python -m benchmarks.verify_speed [--rows 200000] [--runs 3] [--tables payments] [--changed 0.01] [--profile]

The tables are those of ``copy.py``, each with those that it refers to. The proof is of the archive, and of a local
deployment that it was imported into; the ratios are to the copy into the archive. Processor seconds are the server's,
this process's and those of its children: on a machine that does other things too, they say more than the clock.
``--profile`` shows where the proof of the archive spends its time here (not the server's, nor that of the process that
reads the source).
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.copy_tables import make_tables, plan_of
from benchmarks.figures import Figure, Size
from benchmarks.timing import in_turn
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot
from supavex.mapping.plan import Plan
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.copy.run import copy
from supavex.migrate.proof.run import verify
from supavex.migrate.target.archive import ArchiveDocuments
from supavex.migrate.target.documents import Documents
from supavex.postgres.server import Server, temporary

COPY, ARCHIVE, DEPLOYMENT, CHANGED = (
    "the copy into an archive",
    "the proof of the archive",
    "the proof of the deployment",
    "the same, with changed rows",
)


def measure(size: Size) -> list[Figure]:
    """The proof of both tables against their copy; of payments also with changed rows, against that of equal ones."""
    counts = {"payments": size.of(1_000_000), "articles": size.of(300_000)}
    figures = []
    with _tables(counts) as (server, folder, plans):
        for table, plan in plans.items():
            changed = 0.01 if table == "payments" else 0.0
            runs = _runs(plan, server, folder, _Asked(table, counts[table], size.runs, changed))
            seconds = {what: [run[0] for run in found] for what, found in runs.items()}
            figures += [
                Figure.of(f"{table}: {what}", COPY, seconds[what], seconds[COPY]) for what in (ARCHIVE, DEPLOYMENT)
            ]
            if changed:
                what = f"{table}: the proof with 3 % of the rows changed"
                figures.append(Figure.of(what, DEPLOYMENT, seconds[CHANGED], seconds[DEPLOYMENT]))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of payments; articles have three tenths")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tables", default="payments,articles")
    parser.add_argument(
        "--changed",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="also prove a deployment that lacks this share of the rows, has as many others, and as many that differ",
    )
    parser.add_argument("--profile", action="store_true", help="show where the proof of the archive spends its time")
    options = parser.parse_args()
    counts = {"payments": options.rows, "articles": options.rows * 3 // 10}
    with _tables(counts) as (server, folder, plans):
        print(f"{'table':<10}{'rows':>9}  {'what':<28}{'seconds':>8}{'x copy':>8}{'processor s':>13}{'x copy':>8}")
        for table in options.tables.split(","):
            asked = _Asked(table, counts[table], options.runs, options.changed, options.profile)
            _print(asked, _runs(plans[table], server, folder, asked))
    print(f"Peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


@dataclass(frozen=True)
class _Asked:
    """A table with its rows, how often it is measured, which share of its rows is changed, and whether to profile."""

    table: str
    rows: int
    runs: int
    changed: float = 0.0
    profile: bool = False


#: By what was done, the seconds and the processor seconds of each run.
_Runs = dict[str, list[tuple[float, float]]]


@contextmanager
def _tables(counts: dict[str, int]) -> Iterator[tuple[Server, Path, dict[str, Plan]]]:
    """A server with the tables, a folder, and for each table the plan to move it with those that it refers to."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-benchmark-"))
    try:
        with temporary() as server:
            url = server.url("supabase_admin")
            make_tables(url, counts)
            plan = plan_of(folder, url)
            plans = {}
            for table in counts:
                others = counts.keys() - {table}
                tables = [t for t in plan.tables if t.source.name not in others]
                plans[table] = Plan(plan.project, plan.schema, plan.catalog, tables)
            yield server, folder, plans
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _print(asked: _Asked, runs: _Runs) -> None:
    medians = {
        what: (statistics.median(run[0] for run in found), statistics.median(run[1] for run in found))
        for what, found in runs.items()
    }
    first = medians[COPY]
    for what, (seconds, processor) in medians.items():
        print(
            f"{asked.table:<10}{asked.rows:>9,}  {what:<28}{seconds:>8.2f}{seconds / first[0]:>8.2f}"
            f"{processor:>13.2f}{processor / first[1]:>8.2f}"
        )
    if CHANGED in medians:
        times = medians[CHANGED][0] / medians[DEPLOYMENT][0]
        print(f"{asked.table}: with changed rows {times:.2f} times the proof of equal ones")


def _runs(plan: Plan, server: Server, folder: Path, asked: _Asked) -> _Runs:
    url, table, rows = server.url("supabase_admin"), asked.table, asked.rows
    numbers = with_new_tables({}, plan.schema.tables)
    out = folder / f"{table}.zip"
    copy(plan, url, numbers, out, folder / "work")
    with Deployment(folder / f"{table}.sqlite3") as deployment:
        deployment.push(plan.schema.export())
        with SnapshotArchive(out) as archive:
            import_snapshot(deployment, archive, "replaceAll")
        deployment.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        changed = _changed_copy(folder / f"{table}.sqlite3", table, rows, asked.changed)

        def copied() -> None:
            copy(plan, url, numbers, out, folder / "work")

        def of_the_archive() -> None:
            with ArchiveDocuments(out) as documents:
                _proven(plan, url, documents, rows)

        def of_the_deployment() -> None:
            _proven(plan, url, deployment, rows)

        def of_the_changed() -> None:
            assert changed is not None
            proof = verify(plan, url, changed, [])
            found = next(t for t in proof.tables if t.target == table)
            share = int(rows * asked.changed)
            assert (found.counts["missing document"], found.counts["extra document"]) == (share, share), found.counts
            assert found.rows - found.matched == 2 * share

        works: dict[str, Callable[[], None]] = {COPY: copied, ARCHIVE: of_the_archive, DEPLOYMENT: of_the_deployment}
        if changed is not None:
            works[CHANGED] = of_the_changed
        used: dict[str, list[float]] = {name: [] for name in works}

        def counted(name: str, work: Callable[[], None]) -> Callable[[], None]:
            def counting() -> None:
                before = _processor_seconds(server)
                work()
                used[name].append(_processor_seconds(server) - before)

            return counting

        seconds = in_turn(asked.runs, *(counted(name, work) for name, work in works.items()))
        if asked.profile:
            for work in (of_the_archive, *([of_the_changed] if changed is not None else [])):
                profiler = cProfile.Profile()
                profiler.runcall(work)
                pstats.Stats(profiler).sort_stats("tottime").print_stats(24)
        if changed is not None:
            changed.store.close()
    return {name: list(zip(times, used[name], strict=True)) for name, times in zip(works, seconds, strict=True)}


def _changed_copy(file: Path, table: str, rows: int, share: float) -> Deployment | None:
    """A copy of a deployment that lacks a share of a table's documents, has as many others, and as many that differ."""
    if not share:
        return None
    copied = file.with_name(f"changed-{file.name}")
    shutil.copy(file, copied)
    deployment, count = Deployment(copied, durable=False), int(rows * share)
    documents = [document for document, _ in zip(deployment.documents(table), range(3 * count), strict=False)]
    with deployment.transaction():
        for number, document in enumerate(documents):
            fields = {name: value for name, value in document.items() if not name.startswith("_")}
            if number % 3 == 0:
                deployment.delete(document["_id"])
            elif number % 3 == 1:
                deployment.replace(document["_id"], fields | {"created_at": fields["created_at"] + 1})
            else:
                deployment.insert(table, fields)
    return deployment


def _processor_seconds(server: Server) -> float:
    """What this process, its ended children, and the server with its ended sessions have used so far."""
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    # The times of a process and of its children, from field 14 on (proc(5)); a session's are added when it has ended.
    time.sleep(0.05)
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return own + sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _proven(plan: Plan, url: str, documents: Documents, rows: int) -> None:
    proof = verify(plan, url, documents, [])
    assert proof.ok, proof.to_json()
    assert rows in [table.matched for table in proof.tables]


if __name__ == "__main__":
    main()
