"""``supavex inspect``: the contents of a source, and what Convex does not carry over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg

from supavex.errors import UsageError
from supavex.mapping.not_carried import NotCarried, not_carried_of
from supavex.mapping.source import Source
from supavex.postgres import replay as replays
from supavex.postgres.catalog import Catalog, Column, Table
from supavex.postgres.connection import connect
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.report import Loss, Report
from supavex.postgres.source_files import SourceFiles, files_of_folder
from supavex.settings.settings import Settings
from supavex.steps import step
from supavex.temporary import temporary_folder


@dataclass(frozen=True, slots=True)
class Inspection:
    """The contents of a source. ``rows`` counts each table by its qualified name; ``replay`` is None for a live
    database.
    """

    source: str
    catalog: Catalog
    rows: dict[str, int]
    replay: Report | None

    @property
    def not_carried(self) -> list[NotCarried]:
        """Everything that Convex does not do by itself."""
        return not_carried_of(self.catalog, list(self.catalog))

    @property
    def lost(self) -> tuple[Loss, ...]:
        """Missing tables that the files create, or that the files need and do not create."""
        return () if self.replay is None else self.replay.lost

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``inspect --json``."""
        replay = self.replay
        return {
            "source": self.source,
            "server": self.catalog.server_version,
            "tables": [self._table(table) for table in self.catalog],
            "not_carried": [asdict(item) for item in self.not_carried],
            "replay": None if replay is None else replay.to_json(),
        }

    def _table(self, table: Table) -> dict[str, Any]:
        data: dict[str, Any] = {
            "schema": table.schema,
            "name": table.name,
            "columns": [_column(column) for column in table.columns],
            "primary_key": list(table.primary_key),
        }
        for name in ("foreign_keys", "uniques", "checks", "indexes", "policies", "triggers"):
            data[name] = [asdict(item) for item in getattr(table, name)]
        if table.qualified in self.rows:
            data["rows"] = self.rows[table.qualified]
        return data


def _column(column: Column) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": column.name,
        "type": column.type.name,
        "nullable": column.nullable,
        "default": column.default,
    }
    for name in ("generated", "identity", "comment"):
        if getattr(column, name):
            data[name] = getattr(column, name)
    if column.type.labels:
        data["values"] = list(column.type.labels)
    return data


@step("counting rows")
def count_rows(connection: psycopg.Connection, catalog: Catalog) -> dict[str, int]:
    """The number of rows of each table. Tables that this role may not read are left out."""
    rows = {}
    for table in catalog:
        try:
            row = connection.execute(f"SELECT count(*) FROM {table.sql_name}".encode()).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            continue
        rows[table.qualified] = int(row[0]) if row else 0
    return rows


def inspect(source: str, schemas: list[str], scratch: Path) -> Inspection:
    """The contents of ``source``: a folder of migrations, one SQL file, or a connection string.

    Files are replayed into a server under ``scratch``.
    """
    if "://" in source or "=" in source:
        with connect(source) as connection:
            catalog = inspect_catalog(connection, schemas)
            return Inspection("live database", catalog, count_rows(connection, catalog), None)
    path = Path(source)
    if path.is_file():
        files = SourceFiles((path,), path.parent)
    elif path.is_dir():
        files = files_of_folder(path)
    else:
        raise UsageError(
            "NoSource",
            "there is no such file or folder.",
            where="***" if "@" in source else source,  # It may be an address without its scheme, with a password in it.
            hint="A folder, a .sql file, or postgresql://…",
        )
    return _replayed(replays.Replay(scratch, files, schemas), str(path))


def inspect_source(source: str, schemas: Sequence[str]) -> Inspection:
    """As :func:`inspect`, with a temporary server."""
    with temporary_folder("inspect", "/tmp") as scratch:
        scratch.chmod(0o755)  # The embedded server may run as another user.
        return inspect(source, list(schemas), scratch)


def inspect_project(project: Settings) -> Inspection:
    """The contents of a project's source. Its files are replayed once for all commands."""
    if project.database_url is not None:
        return inspect_source(project.database_url, project.schemas)
    return _replayed(Source(project).replay(), project.shown(project.migrations))


def _replayed(replay: replays.Replay, source: str) -> Inspection:
    with replay.running() as url, connect(url) as connection:
        catalog, report = replay.catalog()
        return Inspection(source, catalog, count_rows(connection, catalog), report)
