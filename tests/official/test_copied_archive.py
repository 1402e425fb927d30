"""An archive of the copy, read by others: Python's own zipfile and json, and the official CLI's import.

``SUPAVEX_ROWS=1000000 python -m pytest tests/official/test_copied_archive.py`` does it at full scale.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import psycopg

from benchmarks.copy_tables import CONVERSATIONS, WORKSPACES, make_tables, plan_of
from supavex.mapping.build import build
from supavex.mapping.table_numbers import with_new_tables
from supavex.migrate.copy.executors import ProcessPool
from supavex.migrate.copy.options import CopyOptions
from supavex.migrate.copy.run import copy
from supavex.postgres.server import temporary

from .served import served_app

ROWS = int(os.environ.get("SUPAVEX_ROWS", "20000"))
#: Bounds the waits: far more than it takes.
SECONDS = 120 + ROWS / 1000


def test_others_read_what_the_copy_wrote(tmp_path: Path) -> None:
    wanted = {"payments": ROWS, "workspaces": WORKSPACES, "conversations": CONVERSATIONS}
    with temporary() as server:
        url = server.url("supabase_admin")
        make_tables(url, {"payments": ROWS})
        plan = plan_of(tmp_path, url)
        numbers = with_new_tables({}, plan.schema.tables)
        result = copy(plan, url, numbers, tmp_path / "a.zip", tmp_path / "work", CopyOptions(executor=ProcessPool(2)))
        assert not result.rejects
        with psycopg.connect(url) as connection:
            (total,) = connection.execute("SELECT sum(amount)::float8 FROM payments").fetchone() or (0,)

    parents: set[str] = set()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        for name in ("conversations", "workspaces"):
            with archive.open(f"{name}/documents.jsonl") as lines:
                parents |= {json.loads(line)["_id"] for line in lines}
        assert len(parents) == WORKSPACES + CONVERSATIONS
        ids, amount = set(), 0.0
        with archive.open("payments/documents.jsonl") as lines:
            for line in lines:
                document = json.loads(line)
                assert list(document) == sorted(document)
                assert {document["conversation_id"], document["workspace_id"]} <= parents
                ids.add(document["_id"])
                amount += document["amount"]
    assert len(ids) == ROWS
    assert abs(amount - total) < total * 1e-9

    with served_app() as app:
        build(plan.project)
        app.write("convex/schema.ts", (tmp_path / "convex/schema.ts").read_bytes())
        app.push()
        ran = app.convex("import", "--replace", "--yes", tmp_path / "a.zip", seconds=SECONDS)
        assert ran.code == 0, ran.text
        ran = app.convex("export", "--path", tmp_path / "back.zip", seconds=SECONDS)
        assert ran.code == 0, ran.text
    with zipfile.ZipFile(tmp_path / "back.zip") as archive:
        for name, count in wanted.items():
            with archive.open(f"{name}/documents.jsonl") as lines:
                found = {json.loads(line)["_id"] for line in lines}
            assert len(found) == count
            assert name != "payments" or found == ids
