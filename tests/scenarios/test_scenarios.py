"""Each folder here: SQL in, documents out. ``setup.sql``, or the files of a ``supabase`` folder where it is about which
of them run and how, are replayed, migrated and proven; ``expected.json`` is what must have come out: the documents of
each table, the rejected rows, and the stored files, if any. To accept new results after a look at them:

    SUPAVEX_ACCEPT=1 python -m pytest tests/scenarios
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from supavex.convex.values import to_export_json
from supavex.deployment import Deployment
from supavex.deployment.database.stored_files import Files
from tests import projects

HERE = Path(__file__).parent
SCENARIOS = sorted(path.parent.name for path in HERE.glob("*/schema.py"))


def outcome(folder: Path) -> dict[str, Any]:
    rejects = [json.loads(line) for line in (folder / ".supavex/migration/rejects.jsonl").read_text().splitlines()]
    with Deployment(folder / ".supavex/deployment.sqlite3") as deployment:
        documents = {
            table: [json.loads(to_export_json(document)) for document in deployment.documents(table)]
            for table in deployment.tables()
        }
        files = {
            file.id: {
                "created": file.created,
                "type": file.content_type,
                "bytes": file.size,
                "content": content.decode("latin-1") if len(content := file.path.read_bytes()) < 50 else "",
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            for file in Files(deployment.store, folder / ".supavex").all()
        }
    shown = [{key: reject[key] for key in ("table", "key", "column", "code")} for reject in rejects]
    shown = sorted(shown, key=lambda r: (r["table"], len(r["key"] or "NULL"), r["key"] or "NULL"))
    found = {"documents": documents, "rejects": shown}
    return {**found, **({"files": files} if files else {})}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    with projects.folder() as folder:
        shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
        if (folder / "setup.sql").exists():
            (folder / "supabase/migrations").mkdir(parents=True)
            (folder / "setup.sql").rename(folder / "supabase/migrations/1_setup.sql")

        check = projects.supavex("check", "-C", folder, "--json")
        assert check.code == 0, check.out + check.err
        for command in (["deploy"], ["migrate"], ["verify", "--json"]):
            ran = projects.supavex(*command, "-C", folder)
            assert ran.code == 0, ran.out + ran.err
        assert ran.json["proof"] is True

        expected = HERE / name / "expected.json"
        found = outcome(folder)
        if os.environ.get("SUPAVEX_ACCEPT"):
            expected.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        assert found == json.loads(expected.read_text())
