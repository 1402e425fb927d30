"""The library: a whole migration in Python, and what a stranger's call gets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import supavex
from supavex.errors import UsageError
from supavex.migrate.golive.project_rollback import RollbackOptions
from supavex.migrate.options import MigrateOptions
from supavex.migrate.verifying import VerifyOptions
from tests import projects
from tests.projects import ROOT

SQL = {
    "20240101000000_init.sql": "create table authors (id uuid primary key, name text not null);"
    "create table books (id uuid primary key, author_id uuid not null references authors, title text not null);"
    "insert into authors values ('00000000-0000-4000-8000-000000000001', 'Ann');"
    "insert into books values ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-000000000001', 'One');"
}


@pytest.mark.slow
def test_the_migration_of_the_documents_runs() -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line.strip()]) <= 20
    with projects.folder() as folder:
        projects.write(folder / "app", migrations=SQL)
        (folder / "app/supavex.toml").unlink(missing_ok=True)
        ran = subprocess.run(
            [sys.executable, "-c", code[1]], cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines()[-1] == "5 fields compared", ran.stdout
        assert "copied public.books 1 1" in ran.stdout.splitlines()
        assert (folder / "app/.supavex/migration/proof.html").exists()


def test_an_archive_and_its_proof(tmp_path: Path) -> None:
    with projects.folder() as folder:
        projects.write(folder, migrations=SQL)
        (folder / "supavex.toml").unlink(missing_ok=True)
        project = supavex.init(folder)
        project.build()
        out = folder / "snapshot.zip"
        migration = project.migrate(MigrateOptions(out=out))
        assert migration.ok
        assert migration.to_json()["tables"][0]["documents"] == 1
        proof = project.verify(VerifyOptions(archive=out))
        assert (proof.verdict, proof.to_json()["ok"]) == ("proven", True)
        assert project.explain("books").to_json()["target"] == "books"
        assert [table.name for table in project.inspect().catalog] == ["authors", "books"]


def test_nothing_elsewhere_changes_unasked() -> None:
    with projects.folder() as folder:
        projects.write(folder, migrations=SQL)
        (folder / "supavex.toml").unlink(missing_ok=True)
        project = supavex.init(folder)
        with pytest.raises(UsageError) as caught:
            project.rollback(RollbackOptions(to="local"))
        assert caught.value.code == "UnsupportedTarget"
        with pytest.raises(UsageError) as caught:
            project.migrate(MigrateOptions(workers=2, cluster="tcp://127.0.0.1:1", parts="x"))
        assert caught.value.code == "TwoChoices"


def test_there_is_no_other_door() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Prjoect'"):
        supavex.Prjoect  # noqa: B018
    with pytest.raises(UsageError) as caught:
        supavex.Project(os.devnull)
    assert caught.value.code == "NoProject"


def test_the_schema_language_alone_imports_nothing_heavy() -> None:
    code = (
        "import sys, supavex, supavex.schema\n"
        "assert not {'psycopg', 'click', 'numpy', 'pyarrow', 'pglast', 'rich'} & set(sys.modules), sorted(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr
