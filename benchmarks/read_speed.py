"""How fast the local deployment reads: by id, and a hundred documents by an index range, against SQLite itself.

    python -m benchmarks.read_speed [--documents 100000]

The floor, in the same run and on the same file: the same rows by SQL that somebody wrote for the purpose, each body
parsed as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, Size
from benchmarks.import_speed import archive, schema
from benchmarks.timing import in_turn
from supavex.convex.ids import decode_id
from supavex.convex.order_keys import order_key
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot


def reads(documents: int, runs: int) -> dict[str, tuple[list[float], list[float]]]:
    """Microseconds a document of each kind of reading, here and in SQLite, by run."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="supavex-bench-") as name:
        folder = Path(name)
        archive(folder / "snapshot.zip", documents)
        with Deployment(folder / "deployment.sqlite3") as deployment:
            deployment.push(schema())
            with SnapshotArchive(folder / "snapshot.zip") as opened:
                import_snapshot(deployment, opened, "replace")
            connection = deployment.store.connection
            table = deployment.store.tables()["payments"]
            index = deployment.store.indexes(table)["by_status"]
            ids = random.Random(2).sample([str(d["_id"]) for d in deployment.documents("payments")], 2000)
            keys = [decode_id(id_)[1] for id_ in ids]

            def points() -> int:
                return sum(deployment.get(id_) is not None for id_ in ids)

            def raw_points() -> int:
                sql = f"SELECT body FROM documents_{table.storage} WHERE internal_id = ?"
                return sum(json.loads(connection.execute(sql, (key,)).fetchone()[0]) is not None for key in keys)

            def ranges() -> int:
                query = deployment.query("payments").with_index("by_status", lambda q: q.eq("status", "paid"))
                return sum(len(query.take(100)) for _ in range(50))

            def raw_ranges() -> int:
                sql = (
                    f"SELECT d.body FROM entries_{index.entries} AS e "
                    f"JOIN documents_{table.storage} AS d ON d.row = e.row "
                    "WHERE e.key >= ? AND e.key < ? ORDER BY e.key LIMIT 100"
                )
                start = order_key("paid")
                bounds = (start, start[:-1] + b"\x01")
                return sum(len([json.loads(row[0]) for row in connection.execute(sql, bounds)]) for _ in range(50))

            for what, ours, floor in (("by id", points, raw_points), ("index range of 100", ranges, raw_ranges)):
                count = ours()
                assert floor() == count
                mine, base = in_turn(runs, ours, floor)
                found[what] = [each / count * 1e6 for each in mine], [each / count * 1e6 for each in base]
    return found


def measure(size: Size) -> list[Figure]:
    """Reading from 100,000 documents, or a share of them."""
    found = reads(size.of(100_000), 5 * size.runs)  # a run takes milliseconds
    return [Figure.of(what, "SQL on the same file", mine, base) for what, (mine, base) in found.items()]


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="reading from the local deployment")
    parser.add_argument("--documents", type=int, default=100_000)
    options = parser.parse_args()
    print(f"{options.documents:,} documents; microseconds a document, the best of five runs")
    for what, (mine, base) in reads(options.documents, 5).items():
        least, floor = min(mine), min(base)
        print(f"{what:<20} supavex {least:6.1f}   SQLite itself {floor:6.1f}   {least / floor:.2f} times the floor")


if __name__ == "__main__":
    main()
