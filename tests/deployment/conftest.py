"""An empty deployment for a test, and its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from supavex.deployment import Deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(tmp_path / "deployment.sqlite3") as opened:
        yield opened
