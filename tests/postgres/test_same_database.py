"""Whether two connections lead to one database."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.postgres.same_database import same_database
from tests.databases import new_database


@contextmanager
def opened(*urls: str) -> Iterator[list[psycopg.Connection]]:
    connections = [connect(url, autocommit=False) for url in urls]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def same(one: str, other: str) -> bool | None:
    with opened(one, other) as (a, b):
        there, back = same_database(a, b), same_database(b, a)
        assert there is back
        return there


def test_databases_are_told_apart_whatever_the_role(server: servers.Server) -> None:
    with new_database(server) as one, new_database(server) as other:
        for role in ("postgres", servers.SUPERUSER):
            assert same(one.url(), one.url(role)) is True
            assert same(one.url(), other.url(role)) is False


def test_a_role_that_may_know_no_cluster_finds_the_lock(server: servers.Server) -> None:
    with new_database(server) as one, new_database(server) as other:
        hidden = "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC"
        for database in (one, other):
            database.run(hidden, role=servers.SUPERUSER)
        assert same(one.url(), one.url()) is True
        assert same(one.url(), other.url()) is False


def test_connections_without_a_transaction_are_refused(server: servers.Server) -> None:
    with new_database(server) as one, connect(one.url()) as outside, opened(one.url()) as (inside,):
        for pair in ((outside, inside), (inside, outside)):
            with pytest.raises(ValueError, match="transaction"):
                same_database(*pair)


def test_a_standby_is_in_doubt_about_its_primary_and_sure_of_others(server: servers.Server, folder: Path) -> None:
    settings = {"wal_level": "replica"}
    with servers.running(folder / "primary", settings=settings) as made:
        pass
    shutil.copytree(folder / "primary" / "data", folder / "standby" / "data")
    for path in (folder / "standby").rglob("*"):
        shutil.chown(path, (folder / "primary" / "data").owner())
    (folder / "standby" / "data" / "standby.signal").touch()
    servers._keep_password(folder / "standby", made.password)
    with (
        servers.running(folder / "primary", settings=settings) as primary,
        servers.running(folder / "standby", settings=settings) as standby,
        new_database(server) as other,
    ):
        assert same(primary.url(servers.SUPERUSER), standby.url(servers.SUPERUSER)) is None
        assert same(standby.url(servers.SUPERUSER), standby.url(servers.SUPERUSER)) is True
        assert same(other.url(), standby.url(servers.SUPERUSER)) is False
        other.run("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC", role=servers.SUPERUSER)
        assert same(other.url(), standby.url(servers.SUPERUSER)) is None
