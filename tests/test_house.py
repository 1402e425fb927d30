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


#: Modules without a test file of their name in the mirrored place: which file holds them, and why. A pattern is of all
#: modules in a room that have none.
ELSEWHERE = {
    "cli/*": ("cli/test_commands.py", "a command is tested by running it"),
    "convex/auth_tables.py": ("official/test_convex_auth.py", "the tables are Convex Auth's"),
    "convex/checked_table.py": ("convex/test_compile.py", "each finding has its example there"),
    "convex/index_checks.py": ("convex/test_compile.py", "each finding has its example there"),
    "convex/damage.py": ("migrate/proof/test_damage.py", "damage is what a proof lists"),
    "convex/limits.py": ("convex/test_compile.py", "numbers alone"),
    "convex/messages.py": ("deployment/database/test_messages.py", "the messages are what a push answers"),
    "convex_cli/*": ("convex_cli/test_cli.py", "targets and schemas are those of the CLI"),
    "deployment/*": ("deployment/database/test_database.py", "a deployment is its rooms together"),
    "deployment/dashboard/*": ("deployment/dashboard/test_routes.py", "a page is tested by its route"),
    "deployment/database/*": ("deployment/database/test_queries.py", "a query is tested against a plain model"),
    "deployment/functions/*": ("deployment/functions/test_transactions.py", "functions are tested by an app's own"),
    "deployment/runtime/*": ("deployment/runtime/test_evaluation.py", "a process is tested by what runs in it"),
    "deployment/server/*": ("official/test_sync.py", "the server is tested by Convex's own clients"),
    "deployment/transfer/*": ("deployment/transfer/test_importing.py", "an import is tested whole"),
    "diagnostics.py": ("convex/test_compile.py", "findings are printed there"),
    "errors.py": ("cli/test_bad_places.py", "errors are what commands say"),
    "mapping/*": ("mapping/test_plan.py", "a plan is tested whole"),
    "mapping/conversions/*": ("mapping/test_conversions.py", "all types in one table"),
    "mapping/scaffold/*": ("mapping/test_scaffold.py", "a scaffold is tested by its text"),
    "migrate/*": ("migrate/test_migration.py", "a migration is tested whole"),
    "migrate/changes/*": ("migrate/changes/test_detection.py", "changes are tested by what is detected"),
    "migrate/copy/*": ("migrate/copy/test_parts.py", "a copy is tested whole, also where it is killed"),
    "migrate/copy/encoding/*": ("behaviour/test_round_trip.py", "columns are tested by the documents that they become"),
    "migrate/golive/*": ("official/test_cutover.py", "Convex's own CLI imports and exports"),
    "migrate/keys/*": ("behaviour/test_equal_keys.py", "keys are tested by the rows that have them"),
    "migrate/proof/*": ("migrate/proof/test_run.py", "a proof is tested whole"),
    "migrate/proof/digests/*": ("migrate/proof/digests/test_table.py", "digests are tested by tables"),
    "migrate/restore/*": ("migrate/restore/test_run.py", "a restore is tested whole"),
    "migrate/state/*": ("migrate/state/test_rejects.py", "state is tested by the runs that leave it"),
    "migrate/storage/*": ("cli/test_files.py", "stored files are tested by the commands that move them"),
    "migrate/target/*": ("migrate/target/test_matching.py", "a target is tested by what is read of it"),
    "migrate/users/*": ("cli/test_users.py", "users are tested by the command"),
    "postgres/*": ("postgres/test_replay.py", "files are tested by their replay"),
    "pytest_plugin.py": ("official/test_pytest_plugin.py", "the plugin needs the app's own tools"),
    "rules/*": ("rules/test_agreement.py", "a rule is tested by what PostgreSQL shows and takes"),
    "rules/parse/*": ("rules/test_agreement.py", "SQL is tested by what it means on both sides"),
    "rules/proof/*": ("rules/test_proof.py", "a proof is tested by what it catches"),
    "rules/typescript/*": ("rules/test_writing.py", "TypeScript is tested by what is written"),
    "schema.py": ("convex/test_schema.py", "the module gives convex/schema.py another name"),
    "settings/*": ("settings/test_reading.py", "rules are tested by the file that says them"),
    "text.py": ("cli/test_commands.py", "texts are tested where they are printed"),
    "usage/advice/*": ("usage/test_snippets.py", "advice is tested by its code"),
    "usage/finding/*": ("usage/test_calls.py", "calls are tested by the code that makes them"),
    "version.py": ("cli/test_commands.py", "one number"),
}


def test_every_module_has_its_tests() -> None:
    tests, used = ROOT / "tests", set()
    source = ROOT / "src/supavex"
    for path in sorted(source.rglob("*.py")):
        module = path.relative_to(source)
        own = tests / module.parent / f"test_{module.name}"
        if module.name in ("__init__.py", "__main__.py") or own.is_file():
            continue
        found = [key for key in (module.as_posix(), f"{module.parent.as_posix()}/*") if key in ELSEWHERE]
        assert found, f"{module} has no tests: write {own.relative_to(ROOT)}"
        used.add(found[0])
    assert used == ELSEWHERE.keys(), "exceptions that none needs any more"
    assert [file for file, _ in ELSEWHERE.values() if not (tests / file).is_file()] == []


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
