"""The user's schema and functions, judged by the official package: the schema exports what Python computed, the
compiler accepts all of it, and convex.bundle.json and convex/_generated are what the official CLI makes of it.

`make bundle` (this file, run) writes both anew.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from supavex.convex_cli.bundling import BUNDLE_NAME, bundle_app
from supavex.mapping.build import build
from supavex.rules.proof.bundling import PROOF_BUNDLE, made_bundle
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests.projects import MY21STAFF, ROOT

from .node import Node
from .served import App, Served

MODULES = ROOT / "tests/official/node_modules"
TWELVE = {
    "ariDestinations", "ariPayments", "ariAppointments", "ariAiComparison", "ariFlowStages", "ariKnowledgeCategories",
    "ariKnowledgeEntries", "ariScoringConfig", "consultantSlots", "articles", "webinars", "webinarRegistrations",
}  # fmt: skip


@pytest.mark.parametrize("config", [None, "supavex.remaining.toml"])
def test_the_committed_files_are_up_to_date(config: str | None) -> None:
    assert not build(load_settings(MY21STAFF, config), check=True).stale


def test_schema_ts_exports_the_json_that_python_computed(node: Node) -> None:
    schema = load_schema(load_settings(MY21STAFF))
    exported = node.schema((MY21STAFF / "convex/schema.ts").read_text())
    assert json.loads(exported) == json.loads(schema.export())
    assert {table["tableName"] for table in json.loads(exported)["tables"]} > TWELVE


def test_the_compiler_accepts_the_whole_schema_and_the_one_that_spreads_the_twelve(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(MODULES)
    for name in ("convex", "remaining/convex"):
        shutil.copytree(MY21STAFF / name, tmp_path / name)
    files = sorted(str(path) for path in tmp_path.glob("*/**/*.ts") if "node_modules" not in path.parts)
    assert len(files) == 20
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    command = [str(MODULES / ".bin/tsc"), *options, "--skipLibCheck", *files]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout


def made_by_the_cli(folder: Path) -> dict[str, str]:
    """What the official CLI makes of the project, in a copy of it: generated code, and the bundle."""
    shutil.copytree(MY21STAFF / "convex", folder / "convex")
    shutil.copy(MY21STAFF / "package.json", folder)
    # In the app's own folder, as npm puts it: the names of shared code say where the package really lies.
    own = ("convex", "convex-helpers")
    for name in own:
        shutil.copytree(MODULES / name, folder / "node_modules" / name)
    for package in MODULES.iterdir():
        if package.name not in own:
            (folder / "node_modules" / package.name).symlink_to(package)
    with Served(folder / "data") as served:
        app = App(folder, served)
        app.write("package.json", (MY21STAFF / "package.json").read_text())
        ran = app.convex("dev", "--once", "--typecheck", "enable", seconds=180)
        assert ran.code == 0, ran.text
        assert "Convex functions ready!" in ran.text
    found = {f"convex/_generated/{path.name}": path.read_text() for path in (folder / "convex/_generated").iterdir()}
    return {**found, BUNDLE_NAME: bundle_app(folder).text(), PROOF_BUNDLE: made_bundle(folder).text()}


def test_the_generated_code_and_the_bundle_are_up_to_date(tmp_path: Path) -> None:
    made = made_by_the_cli(tmp_path / "app")
    assert len(made) == 7
    generated = {f"convex/_generated/{p.name}" for p in MY21STAFF.glob("convex/_generated/*")}
    assert made.keys() - {BUNDLE_NAME, PROOF_BUNDLE} == generated
    stale = [name for name, text in made.items() if (MY21STAFF / name).read_text() != text]
    assert stale == [], "run `make bundle`"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for file, text in made_by_the_cli(Path(name) / "app").items():
            (MY21STAFF / file).write_text(text)
