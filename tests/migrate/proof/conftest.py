"""The example project, moved into a local deployment that tests may damage."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import projects
from tests.projects import supavex


@pytest.fixture(scope="module")
def moved() -> Iterator[Path]:
    """The migrated project's folder."""
    with projects.folder() as path:
        projects.copy_of_my21staff(path)
        assert supavex("deploy", "-C", path).code == 0
        assert supavex("migrate", "-C", path).code == 0
        yield path


@pytest.fixture
def file(moved: Path) -> Iterator[Path]:
    """The migrated deployment's file, put back as it was after the test."""
    file, kept = moved / ".supavex/deployment.sqlite3", moved / "kept.sqlite3"
    shutil.copy(file, kept)
    yield file
    for suffix in ("-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    shutil.copy(kept, file)
