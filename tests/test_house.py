"""The house keeps its plan: lint sees an arrow that may not be, and every test lies where its room is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
