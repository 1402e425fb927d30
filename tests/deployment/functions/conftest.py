"""The app is pushed once by the official CLI; each test has a copy of the deployment's file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from supavex.deployment import Deployment
from tests.official.node import missing
from tests.official.served import served_app, set_variables

from . import issuer as issuers
from .app import APPS, App
from .issuer import Issuer

FILE = "deployment.sqlite3"


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Whose tokens the app believes."""
    with issuers.running() as running:
        yield running


@pytest.fixture(scope="session")
def pushed(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a deployment that the app was pushed to."""
    problem = missing()
    if problem:
        pytest.fail(problem, pytrace=False)
    source = APPS / "behaviours" / "convex"
    files = {str(path.relative_to(source)): path.read_text() for path in source.rglob("*.ts")}
    # The component is the app again, as far as the differential run calls it.
    files |= {f"part/{name}": files[name] for name in ("differential.ts", "schema.ts")}
    target = tmp_path_factory.mktemp("pushed") / FILE
    with served_app(**files) as app:
        variables = {"ISSUER": issuer.url, "KEYS": issuer.data_uri, "GREETING": "hello"}
        set_variables(app, variables)
        app.push()
        app.served.stop()
        with closing(sqlite3.connect(app.served.data / FILE)) as there, closing(sqlite3.connect(target)) as here:
            there.backup(here)
    return target


@pytest.fixture
def app(pushed: Path, tmp_path: Path) -> Iterator[App]:
    """The app on a deployment of its own, without documents."""
    shutil.copy(pushed, tmp_path / FILE)
    with Deployment(tmp_path / FILE) as deployment:
        yield App(deployment)
