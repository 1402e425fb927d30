"""How fast changes are found, against the floor: reading the table by binary COPY and throwing it away, in one run.

    python -m benchmarks.changes_speed [--rows 1000000] [--runs 3]

Times what a migration adds to keep a baseline, and `supavex changes` where nothing changed, where one row in a hundred
was updated, where some were deleted too, and by all digests. Prints medians, ratios to the floor, the peak of memory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg

from benchmarks.copy_rivals import floor
from benchmarks.copy_tables import make_tables, plan_of
from benchmarks.figures import Figure, Size
from benchmarks.timing import in_turn
from supavex.mapping.plan import Plan
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.changes.detection import ChangeDetector, changes_since
from supavex.migrate.changes.recorder import BaselineRecorder
from supavex.migrate.copy.selection import CopiedTable
from supavex.migrate.state.baseline import Baseline
from supavex.migrate.state.baselines import Baselines
from supavex.postgres.server import temporary
from supavex.postgres.visibility import held_snapshot


def keep(plan: Plan, url: str, baselines: Baselines) -> None:
    """What a migration does besides copying."""
    numbers = with_new_tables({}, plan.schema.tables)
    remember = BaselineRecorder(baselines, "local")
    with held_snapshot(url) as held:
        remember.write(held, numbers, {}, [CopiedTable(t, {}, [], earlier=False) for t in plan.moving], None)
    remember.keep()


def detector(plan: Plan, url: str, baselines: Baselines, *, full: bool = False) -> tuple[int, int, int]:
    with Baseline.open(baselines.path("local")) as baseline:
        table = changes_since(plan, url, ChangeDetector(baseline, full)).tables[0]
    return table.inserted, table.updated, table.deleted


def megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


FLOOR = "COPY binary, thrown away"


def measured(rows: int, runs: int) -> Iterator[tuple[str, list[float], list[float]]]:
    """What was done, with its seconds and those of the floor by run. Sizes and memory go to standard error."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="supavex-bench-")))
        server = stack.enter_context(temporary())
        url = server.url("supabase_admin")
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        make_tables(url, {"payments": rows, "articles": 0})
        every = plan_of(folder, url)
        payments = [table for table in every.tables if table.source.name == "payments"]
        plan = Plan(every.project, every.schema, every.catalog, payments)
        baselines = Baselines(folder / "baselines")

        def against_the_floor(what: str, work: Callable[[], object]) -> tuple[str, list[float], list[float]]:
            base, took = in_turn(runs, lambda: floor(url, "payments"), work)
            print(f"{what}: peak {megabytes()} MB", file=sys.stderr)
            return what, took, base

        yield against_the_floor("keeping the baseline", lambda: keep(plan, url, baselines))
        size = baselines.path("local").stat().st_size
        print(f"{size / rows:.1f} bytes a row on disk", file=sys.stderr)
        changed = f"id IN (SELECT id FROM payments ORDER BY id LIMIT {rows // 100})"
        deleted = f"DELETE FROM payments WHERE NOT {changed} AND mod(amount::int8, 100) = 7"
        for what, sql in (
            ("changes: nothing changed", ""),
            ("changes: 1 % updated", f"UPDATE payments SET status = 'x' WHERE {changed}"),
            ("changes: and 1 % deleted", deleted),
        ):
            if sql:
                connection.execute(sql.encode())
            print(f"{what}: {detector(plan, url, baselines)}", file=sys.stderr)
            yield against_the_floor(what, lambda: detector(plan, url, baselines))
        yield against_the_floor("changes: by all digests", lambda: detector(plan, url, baselines, full=True))


def measure(size: Size) -> list[Figure]:
    """Keeping a baseline, and finding the changes since."""
    return [Figure.of(what, FLOOR, took, base) for what, took, base in measured(size.of(1_000_000), size.runs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.rows:,} rows; medians")
    for what, took, base in measured(options.rows, options.runs):
        seconds, floors = statistics.median(took), statistics.median(base)
        print(f"{what:32}{seconds:7.2f} s   the floor {floors:7.2f} s  {seconds / floors:5.2f} times")


if __name__ == "__main__":
    main()
