"""The plan of one table of a schema that is made for it, and gone again: what digests and comparisons are tested on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import TablePlan
from supavex.postgres.connection import connect
from supavex.postgres.inspection import inspect_catalog
from supavex.postgres.server import Server
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests import projects


class Subject:
    """The plan of the table. Hypothesis shows what it gives to a test, and a plan is long."""

    def __init__(self, table: TablePlan) -> None:
        self.table = table

    def __repr__(self) -> str:
        return "the table"


@contextmanager
def subject_of(
    server: Server, name: str, sql: str, schema: str, toml: str = "", files: Mapping[str, str] | None = None
) -> Iterator[Subject]:
    """The table ``rows`` of the PostgreSQL schema ``name``, which ``sql`` makes; ``files`` lie beside supavex.toml."""
    with projects.folder() as folder:
        for path, content in (files or {}).items():
            (folder / path).write_text(content)
        projects.write(folder, schema=schema, toml=f'{toml}\n[source]\nschemas = ["{name}"]\n')
        with connect(server.url("supabase_admin")) as connection:
            connection.execute(sql.encode())
            catalog = inspect_catalog(connection, [name])
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
        project = load_settings(folder)
        plan = make_plan(project, load_schema(project), catalog)
        found = next(table for table in plan.tables if table.source.name == "rows")
        assert not found.misfits
        yield Subject(found)
