"""How long a replay of one large file of INSERTs takes, against one session that runs the file whole.

    python -m benchmarks.replay_inserts [--rows 100000]

Both run on the same server, in the same run; starting the server is in neither.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, Size
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.postgres.replay import prelude
from supavex.postgres.run_files import replay_files

TABLE = "CREATE TABLE notes (id int PRIMARY KEY, title text, body text, created_at timestamptz);\n"


def insert(number: int) -> str:
    body = "lorem ipsum " * 12
    return f"INSERT INTO notes VALUES ({number}, 'note (x) {number}', 'it''s {body}', '2024-01-01 00:00:00+00');\n"


@dataclass(frozen=True)
class Replayed:
    """Seconds of one session and of the replay, CPU seconds of the replay here, and MB of memory that it took more."""

    base: float
    took: float
    cpu: float
    grown: int


def replay(text: str, rows: int) -> Replayed:
    """Runs a file both ways on a new server."""
    with tempfile.TemporaryDirectory(prefix="supavex-bench-", dir="/tmp") as name, servers.temporary() as server:
        file = Path(name) / "1_dump.sql"
        file.write_text(text)
        servers.execute_script(server, prelude())
        with connect(server.url(), settings={"search_path": "public"}) as connection:
            started = time.perf_counter()
            connection.execute(text.encode())
            base = time.perf_counter() - started
            connection.execute("DROP TABLE notes")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, cpu = time.perf_counter(), time.process_time()
        report = replay_files(server, [file])
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert not report.failed and report.statements == rows + 1
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        return Replayed(base, took, cpu, grown)


def dump(rows: int) -> str:
    """A file of so many INSERTs."""
    return TABLE + "".join(map(insert, range(rows)))


def measure(size: Size) -> list[Figure]:
    """The replay of 100,000 INSERTs, or a share of them."""
    rows = size.of(100_000)
    text = dump(rows)
    runs = [replay(text, rows) for _ in range(size.runs)]
    took, base = [run.took for run in runs], [run.base for run in runs]
    return [Figure.of("replay of a file of INSERTs", "one session, the file whole", took, base)]


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="a replay of a large file of INSERTs")
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    text = dump(options.rows)
    run = replay(text, options.rows)
    print(f"{options.rows:,} INSERTs, {len(text) / 1e6:.1f} MB")
    print(f"one session, the file whole: {run.base:6.2f} s")
    times = f"{run.took / run.base:.2f} times; {run.cpu:.2f} s of its own CPU"
    print(f"supavex's replay:            {run.took:6.2f} s   {times}")
    print(f"memory beyond the floor's:   {run.grown} MB")


if __name__ == "__main__":
    main()
