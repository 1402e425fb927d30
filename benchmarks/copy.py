"""How fast the copy is, against the floor: reading the table by binary COPY and throwing it away, in the same run.

    python benchmarks/copy_speed.py [--rows 1000000] [--runs 3] [--tables payments,articles] [--script]

Prints medians and ratios to the floor; only ratios carry over between machines. ``--script`` also times a careful
script that does the whole work row by row (psycopg, json, zlib level 1).
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from supavex.convex.ids import encode_id
from supavex.mapping.plan import make_plan
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.copy import copy
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import temporary
from supavex.project import load_project, load_schema

SQL = """
CREATE TABLE payments (
  id uuid PRIMARY KEY, conversation_id uuid NOT NULL, workspace_id uuid NOT NULL, amount numeric(12,2) NOT NULL,
  currency varchar(3), payment_method text, gateway text NOT NULL, gateway_transaction_id text,
  gateway_response jsonb, status text NOT NULL, expires_at timestamptz, paid_at timestamptz,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
INSERT INTO payments SELECT
  gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), mod(n * 7919::bigint, 100000000) / 100.0,
  CASE WHEN mod(n, 10) > 0 THEN 'IDR' END,
  (ARRAY['bank_transfer', 'gopay', NULL])[mod(n, 3) + 1], 'midtrans', md5(n::text),
  jsonb_build_object('status_code', '200', 'nested', jsonb_build_object('bank', 'bca', 'n', n), 'list',
    jsonb_build_array(1, 2.5, 'x')),
  (ARRAY['pending', 'success', 'failed'])[mod(n, 3) + 1],
  CASE WHEN mod(n, 4) > 0 THEN '2024-01-01'::timestamptz + n * interval '1.000123 seconds' END,
  CASE WHEN mod(n, 2) > 0 THEN '2024-01-01'::timestamptz + n * interval '1.5 seconds' END,
  '2024-01-01'::timestamptz + n * interval '1 second', '2024-01-01'::timestamptz + n * interval '1.000001 seconds'
FROM generate_series(1, %(payments)s) AS n;
CREATE TABLE articles (
  id uuid PRIMARY KEY, workspace_id uuid NOT NULL, title text NOT NULL, slug text NOT NULL, content text,
  status text NOT NULL, published_at timestamptz, created_at timestamptz NOT NULL);
INSERT INTO articles SELECT
  gen_random_uuid(), gen_random_uuid(), 'Kuliah di luar negeri "' || n || '"', 'artikel-' || n,
  repeat('Biaya kuliah naik — baca "panduan" ini 🎓.' || E'\\n' || md5(n::text) || ' ', 24), 'published',
  '2024-01-01'::timestamptz + n * interval '1 minute', '2024-01-01'::timestamptz + n * interval '1 second'
FROM generate_series(1, %(articles)s) AS n;
ANALYZE;
"""
SCHEMA = """
from supavex.schema import define_schema, define_table, v
schema = define_schema({
    "payments": define_table({
        "conversation_id": v.string(), "workspace_id": v.string(), "amount": v.number(),
        "currency": v.string(default="IDR"), "payment_method": v.optional(v.string()), "gateway": v.string(),
        "gateway_transaction_id": v.optional(v.string()), "gateway_response": v.optional(v.any()),
        "status": v.string(one_of=["pending", "success", "failed"]), "expires_at": v.optional(v.number()),
        "paid_at": v.optional(v.number()), "created_at": v.number(), "updated_at": v.number(),
    }),
    "articles": define_table({
        "workspace_id": v.string(), "title": v.string(), "slug": v.string(), "content": v.optional(v.string()),
        "status": v.string(), "published_at": v.optional(v.number()), "created_at": v.number(),
    }),
})
"""


def floor(url: str, table: str) -> None:
    sql = f"COPY {table} TO STDOUT (FORMAT binary)".encode()
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(sql) as rows:
        for _ in rows:
            pass


def script(url: str, table: str, out: Path) -> None:
    """What a careful engineer writes in an afternoon: every row a Python dict."""
    ids = ("id", "conversation_id", "workspace_id")
    with (
        psycopg.connect(url) as connection,
        connection.cursor(name="rows") as cursor,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{table}/documents.jsonl", "w") as file,
    ):
        cursor.itersize = 5000
        cursor.execute(f"SELECT * FROM {table}".encode())
        names = [column.name for column in cursor.description or ()]
        for row in cursor:
            document: dict[str, object] = {}
            for name, value in zip(names, row, strict=True):
                if value is None:
                    continue
                if name in ids:
                    value = encode_id(10001, value.bytes)
                elif hasattr(value, "timestamp"):
                    value = value.timestamp() * 1000
                elif hasattr(value, "as_tuple"):
                    value = float(value)
                document["_id" if name == "id" else name] = value
            document["_creationTime"] = document["created_at"]
            file.write(json.dumps(document, ensure_ascii=False).encode() + b"\n")


def timed(runs: int, *functions: Callable[[], None]) -> list[float]:
    """The median seconds of each function, their runs taken in turn."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(runs):
        for index, function in enumerate(functions):
            started = time.perf_counter()
            function()
            seconds[index].append(time.perf_counter() - started)
    return [statistics.median(times) for times in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of payments; articles have three tenths")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tables", default="payments,articles")
    parser.add_argument("--script", action="store_true", help="time the row-by-row script too")
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
            numbers = with_new_tables({}, plan.schema.tables)
            print(f"{'table':<10}{'rows':>10}  {'what':<28}{'seconds':>9}{'rows/s':>12}{'x floor':>9}")
            for table in options.tables.split(","):
                out = folder / f"{table}.zip"

                def supavex(table: str = table, out: Path = out) -> None:
                    result = copy(plan, url, numbers, out, folder / "work", tables=frozenset({table}))
                    assert not result.rejects, result.rejects[:3]
                    assert result.tables[0].documents == counts[table]

                functions = [lambda table=table: floor(url, table), supavex]
                names = ["COPY binary, thrown away", "supavex, the whole work"]
                if options.script:
                    functions.append(lambda table=table: script(url, table, folder / "script.zip"))
                    names.append("row by row, the whole work")
                medians = timed(options.runs, *functions)
                for name, seconds in zip(names, medians, strict=True):
                    rate, ratio = counts[table] / seconds, seconds / medians[0]
                    print(f"{table:<10}{counts[table]:>10,}  {name:<28}{seconds:>9.2f}{rate:>12,.0f}{ratio:>9.2f}")
                print(f"{'':<22}archive: {out.stat().st_size / 1e6:,.0f} MB")
            print(f"Peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
