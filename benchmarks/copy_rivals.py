"""What the copy is measured against: the floor, two scripts that do the whole work row by row, and dlt.

As a program, with an interpreter that has dlt (``-P``, for a module beside it is called as one of Python's own):
``python -P copy_rivals.py SOCKET_FOLDER TABLE BACKEND FOLDER`` copies a table by dlt to JSON lines, and prints seconds
and peak memory as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

#: Of each table, the uuids that are ids in Convex, and the numbers of the tables that they belong to.
IDS = {
    "payments": {"id": 10_001, "conversation_id": 10_002, "workspace_id": 10_003},
    "articles": {"id": 10_004, "workspace_id": 10_003},
}


def floor(url: str, table: str) -> None:
    """The table by binary COPY, thrown away."""
    import psycopg

    sql = f"COPY {table} TO STDOUT (FORMAT binary)".encode()
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(sql) as rows:
        for _ in rows:
            pass


def script(url: str, table: str, out: Path, *, careful: bool) -> None:
    """The whole work, every row a Python dict. ``careful``: orjson, a server-side cursor, zlib level 1."""
    import orjson
    import psycopg

    from supavex.convex.ids import encode_id

    ids = IDS[table]

    def document(names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in zip(names, row, strict=True):
            if value is None:
                continue
            if name in ids:
                value = encode_id(ids[name], value.bytes)
            elif hasattr(value, "timestamp"):
                value = value.timestamp() * 1000
            elif hasattr(value, "as_tuple"):
                value = float(value)
            found["_id" if name == "id" else name] = value
        found["_creationTime"] = found["created_at"]
        return found

    level = 1 if careful else 6
    with (
        psycopg.connect(url) as connection,
        connection.cursor(name="rows" if careful else "") as cursor,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive,
        archive.open(f"{table}/documents.jsonl", "w", force_zip64=True) as file,
    ):
        if careful:
            cursor.itersize = 5000
        cursor.execute(f"SELECT * FROM {table}".encode())
        names = [column.name for column in cursor.description or ()]
        for row in cursor:
            found = document(names, row)
            if careful:
                file.write(orjson.dumps(found, option=orjson.OPT_SORT_KEYS) + b"\n")
            else:
                file.write(json.dumps(found, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def dlt_to_lines(sockets: str, table: str, backend: str, folder: Path) -> dict[str, float]:
    """A table by dlt to JSON lines in ``folder``: its part of the work, without ids. Needs dlt."""
    import os

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["DLT_DATA_DIR"] = str(folder / "dlt")
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    if backend.endswith("-plain"):
        backend = backend.removesuffix("-plain")
        for part in ("NORMALIZE__DATA_WRITER", "DATA_WRITER"):
            os.environ[f"{part}__DISABLE_COMPRESSION"] = "true"
    import dlt
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline(
        pipeline_name=f"{table}_{backend}",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem(bucket_url=folder.joinpath("out").as_uri()),
        dataset_name="copied",
    )
    options: dict[str, Any] = {}
    if backend == "connectorx":
        # It takes no other address of a socket.
        address = f"postgresql://supabase_admin@{sockets.replace('/', '%2F')}/postgres"
        options["backend_kwargs"] = {"conn": address, "return_type": "arrow"}
    url = f"postgresql+psycopg2://supabase_admin@/postgres?host={sockets}"
    source = sql_table(credentials=url, table=table, schema="public", backend=backend, chunk_size=50_000, **options)
    started, cpu = time.perf_counter(), time.process_time()
    pipeline.run(source, loader_file_format="jsonl")
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    written = sum(path.stat().st_size for path in (folder / "out").rglob("*jsonl*"))
    cpu = time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "peak_mb": usage.ru_maxrss / 1024, "bytes": written}


if __name__ == "__main__":
    sockets, table, backend, folder = sys.argv[1:]
    print(json.dumps(dlt_to_lines(sockets, table, backend, Path(folder))))
