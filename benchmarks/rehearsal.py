"""How long a whole rehearsal takes, against the floor: reading the table by binary COPY and throwing it away.

    python -m benchmarks.rehearsal [--rows 1000000] [--runs 3] [--json]

A rehearsal copies a table of payments into an archive, imports the archive into a local deployment, and proves the
deployment. Floor and stages are taken in turn, in the same run. Only the ratios carry over between machines; the least
and the most seconds say how much the machine's own noise is. Memory is the most that one process had.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.copy_rivals import floor
from benchmarks.copy_tables import make_tables, plan_of
from benchmarks.figures import Figure, Size
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot
from supavex.mapping.plan import Plan
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.copy.run import copy
from supavex.migrate.proof.run import verify
from supavex.postgres.server import temporary

FLOOR, STAGES = "COPY binary, thrown away", ("copy", "import", "proof")


def rehearse(plan: Plan, url: str, folder: Path, rows: int, took: Callable[[str, float], None]) -> None:
    """One rehearsal; ``took`` is called with the seconds of each stage."""
    archive, file = folder / "snapshot.zip", folder / "deployment.sqlite3"
    for old in folder.glob("deployment.sqlite3*"):
        old.unlink()
    started = time.perf_counter()
    copy(plan, url, with_new_tables({}, plan.schema.tables), archive, folder / "work")
    took("copy", time.perf_counter() - started)
    with Deployment(file) as deployment:
        deployment.push(plan.schema.export())
        started = time.perf_counter()
        with SnapshotArchive(archive) as opened:
            import_snapshot(deployment, opened, "replaceAll")
        took("import", time.perf_counter() - started)
        started = time.perf_counter()
        proof = verify(plan, url, deployment, [])
        took("proof", time.perf_counter() - started)
    assert proof.verdict == "proven", proof.verdict
    assert next(table.matched for table in proof.tables if table.target == "payments") == rows


def rehearsals(rows: int, runs: int) -> dict[str, list[float]]:
    """The seconds of the floor, of each stage, and of all stages, by run."""
    seconds: dict[str, list[float]] = {name: [] for name in (FLOOR, *STAGES, "all")}
    with tempfile.TemporaryDirectory(prefix="supavex-bench-", dir="/tmp") as name, temporary() as server:
        folder, url = Path(name), server.url("supabase_admin")
        make_tables(url, {"payments": rows, "articles": 1})
        whole = plan_of(folder, url)
        tables = [table for table in whole.tables if table.source.name != "articles"]
        plan = Plan(whole.project, whole.schema, whole.catalog, tables)
        for _ in range(runs):
            started = time.perf_counter()
            floor(url, "payments")
            seconds[FLOOR].append(time.perf_counter() - started)
            before = {stage: len(seconds[stage]) for stage in STAGES}
            rehearse(plan, url, folder, rows, lambda stage, took: seconds[stage].append(took))
            seconds["all"].append(sum(sum(seconds[stage][before[stage] :]) for stage in STAGES))
    return seconds


def measure(size: Size) -> list[Figure]:
    """Each stage, and all of them."""
    seconds = rehearsals(size.of(1_000_000), size.runs)
    return [Figure.of(what, FLOOR, seconds[what], seconds[FLOOR]) for what in (*STAGES, "all")]


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="a whole rehearsal against reading the table")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    seconds = rehearsals(options.rows, options.runs)
    base = statistics.median(seconds[FLOOR])
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    memory = max(resource.getrusage(kind).ru_maxrss for kind in kinds) >> 10
    found = {
        what: {
            "least": min(times), "median": statistics.median(times), "most": max(times),
            "times_the_floor": statistics.median(times) / base,
        }
        for what, times in seconds.items()
    }  # fmt: skip
    if options.json:
        print(json.dumps({"rows": options.rows, "megabytes": memory, "seconds": found}))
        return
    print(f"{options.rows:,} payments, {options.runs} runs{'least':>20}{'median':>9}{'most':>9}{'x floor':>9}")
    for what, figures in found.items():
        print(f"{what:<40}" + "".join(f"{figure:>9.2f}" for figure in figures.values()))
    print(f"The most memory of one process: {memory} MB")


if __name__ == "__main__":
    main()
