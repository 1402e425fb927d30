"""How fast changes are found, against the floor: reading the table by binary COPY and throwing it away, in one run.

    python -m benchmarks.changes_speed [--rows 1000000] [--runs 3]

Times what a migration adds to keep a moment, and `supavex changes` where nothing changed, where one row in a hundred
was updated, where some were deleted too, and by all digests. Prints medians, ratios to the floor, the peak of memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psycopg

from benchmarks.copy_rivals import floor
from benchmarks.copy_tables import make_tables, plan_of
from benchmarks.timing import timed
from supavex.mapping.plan import Plan
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.changes.detection import ChangeDetector, changes_since
from supavex.migrate.changes.recorder import BaselineRecorder
from supavex.migrate.copy.selection import CopiedTable
from supavex.migrate.state.baseline import Moment
from supavex.migrate.state.baselines import Moments
from supavex.postgres.server import temporary
from supavex.postgres.visibility import held_snapshot


def keep(plan: Plan, url: str, moments: Moments) -> None:
    """What a migration does besides copying."""
    numbers = with_new_tables({}, plan.schema.tables)
    remember = BaselineRecorder(moments, "local")
    with held_snapshot(url) as held:
        remember.write(held, numbers, {}, [CopiedTable(t, frozenset(), [], earlier=False) for t in plan.moved], None)
    remember.keep()


def detector(plan: Plan, url: str, moments: Moments, *, full: bool = False) -> tuple[int, int, int]:
    with Moment.open(moments.path("local")) as moment:
        table = changes_since(plan, url, ChangeDetector(moment, full)).tables[0]
    return table.inserted, table.updated, table.deleted


def megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="supavex-bench-")))
        server = stack.enter_context(temporary())
        url = server.url("supabase_admin")
        with psycopg.connect(url, autocommit=True) as connection:
            make_tables(url, {"payments": arguments.rows, "articles": 0})
            every = plan_of(folder, url)
            payments = [table for table in every.tables if table.source.name == "payments"]
            plan = Plan(every.project, every.schema, every.catalog, payments)
            moments = Moments(folder / "moments")
            print(f"{arguments.rows:,} rows; memory of the process so far {megabytes()} MB")

            def report(name: str, seconds: float, base: float) -> None:
                print(f"{name:44} {seconds:7.2f} s  {seconds / base:5.2f} x the floor  peak {megabytes()} MB")

            base, kept = timed(arguments.runs, lambda: floor(url, "payments"), lambda: keep(plan, url, moments))
            report("floor: COPY binary, thrown away", base, base)
            report("keeping the moment", kept, base)
            size = moments.path("local").stat().st_size
            print(f"{'':44} {size / arguments.rows:.1f} bytes a row on disk")
            changed = f"id IN (SELECT id FROM payments ORDER BY id LIMIT {arguments.rows // 100})"
            for name, sql in (
                ("changes: nothing changed", ""),
                ("changes: 1 % updated", f"UPDATE payments SET status = 'x' WHERE {changed}"),
                (
                    "changes: and 1 % deleted",
                    f"DELETE FROM payments WHERE NOT {changed} AND mod(amount::int8, 100) = 7",
                ),
            ):
                if sql:
                    connection.execute(sql.encode())
                (seconds,) = timed(arguments.runs, lambda: print("   ", detector(plan, url, moments)))
                report(name, seconds, base)
            (seconds,) = timed(1, lambda: print("   ", detector(plan, url, moments, full=True)))
            report("the same by all digests", seconds, base)


if __name__ == "__main__":
    main()
