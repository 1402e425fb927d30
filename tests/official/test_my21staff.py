"""The user's schema, judged by the official package: it exports what Python computed, and the compiler accepts it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from supavex.mapping.build import build
from supavex.project import load_project, load_schema
from tests.projects import MY21STAFF, ROOT

from .node import Node

MODULES = ROOT / "tests/official/node_modules"
TWELVE = {
    "ariDestinations", "ariPayments", "ariAppointments", "ariAiComparison", "ariFlowStages", "ariKnowledgeCategories",
    "ariKnowledgeEntries", "ariScoringConfig", "consultantSlots", "articles", "webinars", "webinarRegistrations",
}  # fmt: skip


@pytest.mark.parametrize("config", [None, "supavex.remaining.toml"])
def test_the_committed_files_are_up_to_date(config: str | None) -> None:
    assert not build(load_project(MY21STAFF, config), check=True).stale


def test_schema_ts_exports_the_json_that_python_computed(node: Node) -> None:
    schema = load_schema(load_project(MY21STAFF))
    exported = node.schema((MY21STAFF / "convex/schema.ts").read_text())
    assert json.loads(exported) == json.loads(schema.export())
    assert {table["tableName"] for table in json.loads(exported)["tables"]} > TWELVE


def test_the_compiler_accepts_the_whole_schema_and_the_one_that_spreads_the_twelve(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(MODULES)
    for name in ("convex", "remaining/convex"):
        shutil.copytree(MY21STAFF / name, tmp_path / name)
    files = sorted(str(path) for path in tmp_path.glob("*/**/*.ts") if "node_modules" not in path.parts)
    assert len(files) == 5
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    command = [str(MODULES / ".bin/tsc"), *options, "--skipLibCheck", *files]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout
