"""How fast a snapshot is imported into the local deployment, against SQLite itself on the same bytes and indexes.

    python -m benchmarks.import_speed [--documents 1000000]

The floor, in the same run: the archive's lines, already in memory as tuples of id, line and three index keys, put into
one table by ``executemany``, and three indexes made afterwards, with the same settings of SQLite.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import sqlite3
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

from benchmarks.figures import Figure, Size
from supavex.convex.ids import decode_id, encode_id
from supavex.convex.order_keys import index_key
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import parse_export_json
from supavex.deployment import Deployment
from supavex.deployment.transfer.importing import import_snapshot
from supavex.schema import define_schema, define_table, v

NUMBER = 10_001
INDEXES = (("by_status", ("status",)), ("by_conversation", ("conversation", "created_at")), ("by_amount", ("amount",)))


def schema() -> str:
    """A table of payments with three indexes."""
    table = define_table(
        {
            "amount": v.number(),
            "conversation": v.string(),
            "created_at": v.number(),
            "currency": v.string(),
            "details": v.any(),
            "note": v.optional(v.string()),
            "status": v.union(v.literal("pending"), v.literal("paid"), v.literal("failed")),
        }
    )
    for name, fields in INDEXES:
        table = table.index(name, list(fields))
    return define_schema({"payments": table}).export()


def archive(path: Path, count: int, table: str = "payments") -> None:
    """A snapshot of ``count`` payments of about 400 bytes."""
    rng = random.Random(1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("_tables/documents.jsonl", json.dumps({"name": table, "id": NUMBER}) + "\n")
        with file.open(f"{table}/documents.jsonl", "w", force_zip64=True) as entry:
            lines = io.BytesIO()
            for number in range(count):
                created = 1.7e12 + number * 1000.5
                document = {
                    "_creationTime": created,
                    "_id": encode_id(NUMBER, uuid.UUID(int=rng.getrandbits(128)).bytes),
                    "amount": number * 1.25,
                    "conversation": f"conversation {rng.randrange(count // 10 + 1)}",
                    "created_at": created,
                    "currency": "IDR",
                    "details": {
                        "bank": "BCA",
                        "steps": [{"name": "pay", "at": created}, {"name": "settle", "ok": True}],
                    },
                    "note": "a note of some length, as people write them, with é and 漢字",
                    "status": rng.choice(["pending", "paid", "failed"]),
                }
                lines.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                if lines.tell() > 1 << 20:
                    entry.write(lines.getvalue())
                    lines = io.BytesIO()
            entry.write(lines.getvalue())


def floor(path: Path, folder: Path) -> float:
    """Seconds that SQLite takes for the same bytes and the same keys, made ready beforehand."""
    rows = []
    with SnapshotArchive(path) as opened:
        for _, line in opened._lines("payments"):
            document = parse_export_json(line, uniform=False)
            keys = [index_key(document, fields) for _, fields in [*INDEXES, ("by_creation_time", ())]]
            rows.append((decode_id(document["_id"])[1], line.decode(), *keys))
    (folder / "floor.sqlite3").unlink(missing_ok=True)
    started = time.perf_counter()
    database = sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(
        "CREATE TABLE d (row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, body TEXT, a BLOB, b BLOB, c BLOB, t BLOB)"
    )
    database.execute("BEGIN")
    database.executemany("INSERT INTO d (id, body, a, b, c, t) VALUES (?, ?, ?, ?, ?, ?)", rows)
    for name in "abct":
        database.execute(f"CREATE UNIQUE INDEX i_{name} ON d ({name})")
    database.execute("COMMIT")
    database.close()
    return time.perf_counter() - started


def imported(path: Path, folder: Path, documents: int) -> float:
    """Seconds of an import into a new deployment."""
    for old in folder.glob("deployment.sqlite3*"):
        old.unlink()
    with Deployment(folder / "deployment.sqlite3") as deployment:
        deployment.push(schema())
        started = time.perf_counter()
        with SnapshotArchive(path) as opened:
            import_snapshot(deployment, opened, "replace")
        took = time.perf_counter() - started
        assert deployment.count("payments") == documents
    return took


def measure(size: Size) -> list[Figure]:
    """The import of 300,000 documents, or a share of them."""
    documents, took, base = size.of(300_000), [], []
    with tempfile.TemporaryDirectory(prefix="supavex-bench-") as name:
        folder = Path(name)
        path = folder / "snapshot.zip"
        archive(path, documents)
        for _ in range(size.runs):
            base.append(floor(path, folder))
            took.append(imported(path, folder, documents))
    return [Figure.of("import", "SQLite, the same bytes and keys", took, base)]


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description="import into the local deployment")
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--no-floor", action="store_true", help="Leave the floor out: its rows are all in memory.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="supavex-bench-") as name:
        folder = Path(name)
        archive(folder / "snapshot.zip", options.documents)
        took = imported(folder / "snapshot.zip", folder, options.documents)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{options.documents:,} documents, 4 indexes")
        print(f"supavex import:  {took:7.2f} s   {options.documents / took:9,.0f} a second   {memory:.0f} MB at most")
        if not options.no_floor:
            base = floor(folder / "snapshot.zip", folder)
            print(f"SQLite itself:   {base:7.2f} s   {options.documents / base:9,.0f} a second")
            print(f"supavex is {base / took:.2f} times as fast")


if __name__ == "__main__":
    main()
