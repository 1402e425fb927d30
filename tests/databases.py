"""A real PostgreSQL for tests: one embedded server a session, a database of its own for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from supavex.postgres import server as servers
from supavex.postgres.catalog import Catalog, Table
from supavex.postgres.connection import connect, quoted
from supavex.postgres.inspection import inspect_catalog
from tests.projects import TEMPORARY

_NUMBERS = itertools.count(1)
PRELUDE = resources.files("supavex.postgres").joinpath("prelude.sql").read_text(encoding="utf-8")


class Database(servers.Server):
    """One database of the session's server. Replays and connections land in it rather than in ``postgres``."""

    def __init__(self, server: servers.Server, name: str) -> None:
        super().__init__(server.data, server.socket_folder, server.process, server.password)
        self.name = name

    def url(self, role: str = "postgres", database: str | None = None) -> str:
        return super().url(role, database or self.name)

    def run(self, sql: str, *, role: str = "postgres") -> None:
        """Runs statements as a migration would see them: with Supabase's search path."""
        with connect(
            self.url(role), settings={"search_path": "public, extensions", "row_security": "on"}
        ) as connection:
            connection.execute(sql.encode())

    def rows(
        self, sql: str, parameters: Sequence[Any] | None = None, *, role: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """What a query gives, on a connection as supavex reads with."""
        with connect(self.url(role)) as connection:
            return connection.execute(sql.encode(), parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] | None = None) -> Any:
        """The one value of a query."""
        ((value,),) = self.rows(sql, parameters)
        return value

    def catalog(self, *schemas: str) -> Catalog:
        with connect(self.url()) as connection:
            return inspect_catalog(connection, list(schemas or ["public"]))

    def table(self, name: str, schema: str = "public") -> Table:
        table = self.catalog(schema).table(schema, name)
        assert table is not None, f"there is no {schema}.{name}"
        return table


def wait_until_left(url: str) -> None:
    """Waits until nobody else is connected: a server's process ends shortly after its client has closed or died."""
    others = (
        "SELECT pid, state, query FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    deadline = time.monotonic() + 30
    with connect(url) as connection:
        while left := connection.execute(others.encode()).fetchall():
            assert time.monotonic() < deadline, f"still connected: {left}"
            time.sleep(0.02)


@contextmanager
def new_database(server: servers.Server) -> Iterator[Database]:
    """A database with what a new Supabase project holds, dropped when the block ends."""
    name = f"test_{next(_NUMBERS)}"
    with connect(server.url(servers.SUPERUSER, "template1")) as connection:
        connection.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE postgres STRATEGY FILE_COPY")
        connection.execute(f"GRANT CREATE ON DATABASE {quoted(name)} TO postgres")
        try:
            yield Database(server, name)
        finally:
            connection.execute(f"DROP DATABASE {quoted(name)} WITH (FORCE)")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that any user may pass through, for the server that root starts runs as nobody."""
    folder = Path(tempfile.mkdtemp(prefix="supavex-tests-", dir=TEMPORARY))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for data in [path for path in folder.rglob("*") if (path / "data").is_dir() or path.name == "database"]:
            servers.remove(data)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder that a server may keep its data in, whoever runs the tests."""
    with open_folder() as path:
        yield path


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Server]:
    """The session's server; its database ``postgres`` is what every test's database is made from."""
    # Of connections that tests have closed, some are still there for a moment. And a transaction of autovacuum makes
    # another moment of one at which nobody has written a row: what a proof then calls "deleted or extra" is "extra".
    settings = {"max_connections": "200", "autovacuum": "off"}
    with open_folder() as path, servers.running(path / "server", settings=settings, script=PRELUDE) as running:
        yield running


@pytest.fixture
def database(server: servers.Server) -> Iterator[Database]:
    """A database of the test's own, as a new Supabase project has it."""
    with new_database(server) as database:
        yield database
