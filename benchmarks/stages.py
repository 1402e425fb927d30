"""What each stage of the copy costs by itself: seconds of one core, the best of some runs, nothing beside it.

    python -m benchmarks.stages [--rows 1000000] [--runs 5]

On so many cores, the copy can't be faster than the sum of its stages by their number, nor than its longest stage. The
tables are those of ``copy.py``. What is read, and what is encoded, is kept in memory for the next stage.
"""

from __future__ import annotations

import argparse
import io
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.copy_rivals import floor
from benchmarks.copy_tables import make_tables, plan_of
from benchmarks.figures import Figure, Size
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.copy.deflate import Deflater
from supavex.migrate.copy.encoding.encoder import SLICE_ROWS, TableEncoder
from supavex.postgres.columns import ColumnReader
from supavex.postgres.server import temporary
from supavex.postgres.snapshot import exported

#: The stages of what the copy is measured against.
FLOOR = ("server: the table, as binary COPY", "reading: psycopg, thrown away")


class _Nothing(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def stages(url: str, folder: Path, name: str, runs: int) -> dict[str, float]:
    """Seconds of each stage of the copy of one table, and of the floor's two."""
    plan = plan_of(folder, url)
    table = plan.of_source("public", name)
    assert table is not None
    encoder = TableEncoder(table, with_new_tables({}, plan.schema.tables))
    found: dict[str, float] = {}
    with psycopg.connect(url, autocommit=True) as connection:

        def discarded(what: str) -> float:
            started = time.perf_counter()
            connection.execute(f"COPY {what} TO '/dev/null' (FORMAT binary)".encode())
            return time.perf_counter() - started

        found[FLOOR[0]] = min(discarded(name) for _ in range(runs))
        found["server: what the copy selects"] = min(discarded(f"({encoder.query.sql})") for _ in range(runs))
    found[FLOOR[1]] = min(_cpu(lambda: floor(url, name)) for _ in range(runs))
    with exported(url) as (snapshot, _), ColumnReader(snapshot) as reader:

        def read() -> None:
            batches[:] = reader.read(encoder.query.sql)

        batches: list[Any] = []
        found["reading: ADBC, to Arrow columns"] = min(_cpu(read) for _ in range(runs))
    slices = [batch.slice(start, SLICE_ROWS) for batch in batches for start in range(0, batch.num_rows, SLICE_ROWS)]

    def encode(keep: bool = False) -> None:
        for slice_ in slices:
            piece = encoder.encode(slice_)
            if keep:
                lines.append(bytes(piece.lines))

    lines: list[bytes] = []
    found["encoding"] = min(_cpu(encode) for _ in range(runs))
    encode(keep=True)

    def deflate() -> None:
        deflater = Deflater(_Nothing())  # type: ignore[arg-type]
        for line in lines:
            deflater.write(memoryview(line))
        deflater.close()

    found["deflate (ISA-L, level 1)"] = min(_cpu(deflate) for _ in range(runs))
    return found


def _cpu(work: Callable[[], Any]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(size: Size) -> list[Figure]:
    """The copy's stages together, each alone, against the two of the floor."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="supavex-bench-", dir="/tmp") as name, temporary() as server:
        url = server.url("supabase_admin")
        counts = {"payments": size.of(1_000_000), "articles": size.of(300_000)}
        make_tables(url, counts)
        for table in counts:
            runs = [stages(url, Path(name), table, 1) for _ in range(size.runs)]
            whole = [sum(run.values()) for run in runs]
            floors = [sum(run[stage] for stage in FLOOR) for run in runs]
            mine = [all_ - base for all_, base in zip(whole, floors, strict=True)]
            figures.append(Figure.of(f"{table}: core seconds of the copy's stages", "the floor's stages", mine, floors))
    return figures


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of payments; articles have three tenths")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="supavex-benchmark-"))
    try:
        with temporary() as server:
            url = server.url("supabase_admin")
            counts = {"payments": options.rows, "articles": options.rows * 3 // 10}
            make_tables(url, counts)
            found = {name: stages(url, folder, name, options.runs) for name in counts}
            print(f"| stage | {' | '.join(f'{name}, {count:,} rows' for name, count in counts.items())} |")
            print("|---|---:|---:|")
            for stage in found["payments"]:
                print(f"| {stage} | {' | '.join(f'{found[name][stage]:.2f}' for name in counts)} |")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
