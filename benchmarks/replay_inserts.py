"""How long a replay of one large file of INSERTs takes, against one session that runs the file whole.

    python -m benchmarks.replay_inserts [--rows 100000]

Both run on the same server, in the same run; starting the server is in neither.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.postgres.replay import _prelude
from supavex.postgres.run_files import replay_files

TABLE = "CREATE TABLE notes (id int PRIMARY KEY, title text, body text, created_at timestamptz);\n"


def insert(number: int) -> str:
    body = "lorem ipsum " * 12
    return f"INSERT INTO notes VALUES ({number}, 'note (x) {number}', 'it''s {body}', '2024-01-01 00:00:00+00');\n"


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="a replay of a large file of INSERTs")
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    text = TABLE + "".join(map(insert, range(options.rows)))
    with tempfile.TemporaryDirectory(prefix="supavex-bench-", dir="/tmp") as name, servers.temporary() as server:
        file = Path(name) / "1_dump.sql"
        file.write_text(text)
        servers.execute_script(server, _prelude())
        with connect(server.url(), settings={"search_path": "public"}) as connection:
            started = time.perf_counter()
            connection.execute(text.encode())
            base = time.perf_counter() - started
            connection.execute("DROP TABLE notes")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, cpu = time.perf_counter(), time.process_time()
        report = replay_files(server, [file])
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert not report.failed and report.statements == options.rows + 1
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        print(f"{options.rows:,} INSERTs, {len(text) / 1e6:.1f} MB")
        print(f"one session, the file whole: {base:6.2f} s")
        print(f"supavex's replay:            {took:6.2f} s   {took / base:.2f} times; {cpu:.2f} s of its own CPU")
        print(f"memory beyond the floor's:   {grown} MB")


if __name__ == "__main__":
    main()
