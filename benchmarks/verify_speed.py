"""How long the proof takes against the copy, in the same run: every row and field read again by another way.

    python benchmarks/verify_speed.py [--rows 200000] [--runs 3] [--tables payments,articles] [--profile]

The tables are those of ``copy_speed.py``. The proof is of the archive, and of a local deployment that it was imported
into; the ratio is to the copy into the archive. ``--profile`` shows where the proof of the archive spends its time
here (the server's time is not in it).
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import shutil
import tempfile
from pathlib import Path

import psycopg
from copy_speed import SCHEMA, SQL, timed

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.importing import import_snapshot
from supavex.mapping.plan import Plan, make_plan
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.copy import copy
from supavex.migrate.documents import ArchiveDocuments, Documents
from supavex.migrate.verification import verify
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import temporary
from supavex.project import load_project, load_schema


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of payments; articles have three tenths")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tables", default="payments,articles")
    parser.add_argument("--profile", action="store_true", help="show where the proof of the archive spends its time")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="supavex-benchmark-"))
    try:
        (folder / "supavex.toml").write_text("")
        (folder / "schema.py").write_text(SCHEMA)
        with temporary() as server:
            url = server.url("supabase_admin")
            counts = {"payments": options.rows, "articles": options.rows * 3 // 10}
            with psycopg.connect(url, autocommit=True) as connection:
                for statement in SQL.split(";\n"):
                    if statement.strip():
                        connection.execute((statement % counts).encode())
                catalog = inspect_catalog(connection, ["public"])
            project = load_project(folder)
            plan = make_plan(project, load_schema(project), catalog)
            print(f"{'table':<10}{'rows':>10}  {'what':<32}{'seconds':>9}{'rows/s':>12}{'x copy':>9}")
            for table in options.tables.split(","):
                one = Plan(plan.project, plan.schema, plan.catalog, [t for t in plan.tables if t.source.name == table])
                _measure(one, url, folder, table, counts[table], options.runs, profile=options.profile)
        print(f"Peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(plan: Plan, url: str, folder: Path, table: str, rows: int, runs: int, *, profile: bool) -> None:
    numbers = with_new_tables({}, plan.schema.tables)
    out = folder / f"{table}.zip"
    copy(plan, url, numbers, out, folder / "work")
    with Deployment(folder / f"{table}.sqlite3") as deployment:
        deployment.push(plan.schema.export())
        with SnapshotArchive(out) as archive:
            import_snapshot(deployment, archive, "replaceAll")

        def copied() -> None:
            copy(plan, url, numbers, out, folder / "work")

        def of_the_archive() -> None:
            with ArchiveDocuments(out) as documents:
                _proven(plan, url, documents, rows)

        def of_the_deployment() -> None:
            _proven(plan, url, deployment, rows)

        names = ["the copy into an archive", "the proof of the archive", "the proof of the deployment"]
        medians = timed(runs, copied, of_the_archive, of_the_deployment)
        for name, seconds in zip(names, medians, strict=True):
            print(
                f"{table:<10}{rows:>10,}  {name:<32}{seconds:>9.2f}{rows / seconds:>12,.0f}{seconds / medians[0]:>9.2f}"
            )
        if profile:
            profiler = cProfile.Profile()
            profiler.runcall(of_the_archive)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(16)


def _proven(plan: Plan, url: str, documents: Documents, rows: int) -> None:
    proof = verify(plan, url, documents, [])
    assert proof.ok, proof.to_json()
    assert proof.tables[0].matched == rows


if __name__ == "__main__":
    main()
