"""Project folders for tests: made where the embedded server's user can reach them, in memory, removed afterwards."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click.testing

from supavex.cli.main import main

ROOT = Path(__file__).parents[1]
MY21STAFF = ROOT / "projects" / "my21staff"
#: A database is a thousand small files: in memory they are made ten times as fast, where there is room for them.
_MEMORY = Path("/dev/shm")
_ROOMY = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30
#: The folder that tests make theirs in.
TEMPORARY = _MEMORY if _ROOMY else Path("/tmp")


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder that every user may pass through."""
    path = Path(tempfile.mkdtemp(prefix="supavex-test-", dir=TEMPORARY))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def write(path: Path, *, schema: str = "", migrations: dict[str, str] | None = None, toml: str = "") -> Path:
    """Writes a project into ``path``: schema.py, migration files by name, supavex.toml."""
    (path / "supabase/migrations").mkdir(parents=True, exist_ok=True)
    (path / "supavex.toml").write_text(toml)
    if schema:
        (path / "schema.py").write_text("from supavex.schema import define_schema, define_table, v\n" + schema)
    for name, text in (migrations or {}).items():
        (path / "supabase/migrations" / name).write_text(text)
    return path


def copy_of_my21staff(path: Path) -> Path:
    """A copy of the user's project in ``path``, without the state of earlier runs."""
    ignored = shutil.ignore_patterns(".supavex", ".planning")
    shutil.copytree(MY21STAFF, path, dirs_exist_ok=True, ignore=ignored)
    return path


@dataclass(frozen=True)
class Ran:
    """What a command did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON object that ``--json`` promises."""
        return json.loads(self.out)


def supavex(*arguments: str | Path) -> Ran:
    """Runs the command line in this process, as ``supavex ARGUMENTS`` does."""
    runner = click.testing.CliRunner()
    with runner.isolation() as streams:
        try:
            main([str(argument) for argument in arguments])
            code: Any = 0
        except SystemExit as exit_:
            code = exit_.code
        out, err = streams[0].getvalue().decode(), streams[1].getvalue().decode()
    return Ran(int(code or 0), out, err)


__all__ = ["MY21STAFF", "ROOT", "TEMPORARY", "Ran", "copy_of_my21staff", "folder", "supavex", "write"]
