"""The app of the fixture, in a folder of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.settings.reading import load_settings
from supavex.usage.advice.tables import Sides, read_sides
from supavex.usage.finding.calls import Use, find_uses
from supavex.usage.finding.sources import read_sources
from tests import projects

APP = Path(__file__).parent / "app"


@pytest.fixture(scope="module")
def my21staff() -> Iterator[Path]:
    """A copy of the user's project with the app beside it, in ``web``."""
    with projects.folder() as folder:
        projects.copy_of_my21staff(folder)
        shutil.copytree(APP, folder / "web")
        yield folder


@pytest.fixture(scope="module")
def project_sides(my21staff: Path) -> Sides:
    """Both sides of the user's tables."""
    return read_sides(load_settings(my21staff))


def uses_of(folder: Path, **files: str) -> list[Use]:
    """What is found in files of these names (``__`` stands for the dot) and texts."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return find_uses(read_sources(folder))
