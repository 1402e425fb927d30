"""The house keeps its plan: lint sees an arrow that may not be, and every test lies where its room is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.projects import ROOT

FORBIDDEN = {
    "the proof may not use the copy's encoder": (
        "migrate/proof/run.py",
        "from supavex.migrate.copy.encoding import encoder as _",
    ),
    "the proof may not use the copy's SQL": (
        "migrate/proof/comparison.py",
        "from supavex.mapping import row_sql as _",
    ),
    "the copy may not use the proof": ("migrate/copy/run.py", "from supavex.migrate.proof import comparison as _"),
    "restore may not use the copy": ("migrate/restore/run.py", "from supavex.migrate.copy import parts as _"),
    "a room below may not use one above": ("mapping/plan.py", "from supavex.migrate import migration as _"),
    "the database may not use functions": (
        "deployment/database/engine.py",
        "from supavex.deployment.functions import functions as _",
    ),
    "PostgreSQL knows nothing of Convex": ("postgres/catalog.py", "from supavex.convex import ids as _"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [linter, "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source and of the contracts."""
    path = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "src", path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", path)
    return path


def test_the_house_is_in_order(tree: Path) -> None:
    ran = lint(tree)
    assert (ran.returncode, "0 broken" in ran.stdout) == (0, True), ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("why", FORBIDDEN)
def test_lint_sees_an_arrow_that_may_not_be(tree: Path, why: str) -> None:
    place, line = FORBIDDEN[why]
    module = tree / "src/supavex" / place
    text = module.read_text()
    try:
        # Hidden in a function too: that gets around no layer.
        module.write_text(f"{text}\n\ndef hidden() -> None:\n    {line}\n")
        ran = lint(tree)
    finally:
        module.write_text(text)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "is not allowed to import" in ran.stdout


def test_a_new_room_has_a_place(tree: Path) -> None:
    room = tree / "src/supavex/migrate/attic.py"
    room.write_text('"""A room that no contract knows."""\n')
    try:
        ran = lint(tree)
    finally:
        room.unlink()
    assert ran.returncode == 1
    assert "not listed as layers" in ran.stdout


def test_the_proof_takes_nothing_of_the_sql_that_the_copy_reads_a_value_with() -> None:
    used = [path.name for path in (ROOT / "src/supavex/migrate/proof").rglob("*.py") if ".select" in path.read_text()]
    # A record batch has a method of that name.
    assert used == ["table.py"]


#: Rooms without a folder of tests of their own: where their tests lie, and why.
ELSEWHERE = {
    ".": ("", "the tests of single modules lie beside the folders"),
    "cli/reports": ("cli", "a report is tested by the command that prints it"),
    "deployment": ("deployment/database", "a deployment is its rooms together"),
    "migrate/storage": ("cli", "stored files are tested by the commands that move them"),
    "rules/parse": ("rules", "SQL is tested by what it means on both sides"),
}
#: Folders of tests that belong to no room: whole programs, behaviours that cross rooms, and the official tools.
CROSSING = {"behaviour", "browser", "official", "scenarios"}


def rooms(root: Path, pattern: str) -> set[str]:
    """The folders below ``root`` with files of that pattern, as relative paths."""
    return {
        path.parent.relative_to(root).as_posix() for path in root.rglob(pattern) if "node_modules" not in path.parts
    }


def test_the_tests_of_a_room_lie_in_the_folder_of_its_name() -> None:
    # Room by room, and not module by module: a small module is tested through its room's doors, by what they do.
    source = rooms(ROOT / "src/supavex", "__init__.py")
    tests = rooms(ROOT / "tests", "test_*.py")
    assert source - tests == ELSEWHERE.keys() - {"."}
    assert tests - source == CROSSING
    assert [folder for folder, _ in ELSEWHERE.values() if not list((ROOT / "tests" / folder).glob("test_*.py"))] == []


def test_the_page_of_the_house_names_what_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    _, _, text = page.partition("## The way of a row")
    there = [path.as_posix() for room in ("src/supavex", "tests/behaviour") for path in (ROOT / room).rglob("*.py")]
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", text)
    assert len(named) > 30
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in there)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("supavex", cache_dir=None)
    # A program that is run by its name imports itself, so that what it sends is of the classes that others know.
    arrows = {module: graph.find_modules_directly_imported_by(module) - {module} for module in graph.modules}
    assert list(TopologicalSorter(arrows).static_order())
