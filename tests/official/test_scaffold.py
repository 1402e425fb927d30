"""The official package accepts what ``supavex scaffold`` writes for random databases, and exports the same schema."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from supavex.convex.typescript import schema_module
from supavex.mapping.scaffold import new_file, scaffold
from supavex.postgres import server as servers
from supavex.postgres.connection import connect
from supavex.postgres.key_values import look
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests import catalogs
from tests.databases import new_database

from .node import Node
from .test_schema_export import canonical


def test_the_official_package_accepts_every_scaffold(server: servers.Server, node: Node) -> None:
    @settings(max_examples=60, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(sql=catalogs.databases())
    def accepted(sql: str) -> None:
        with new_database(server) as database, tempfile.TemporaryDirectory() as folder:
            database.run(catalogs.PRELUDE, role=servers.SUPERUSER)
            database.run(sql, role=servers.SUPERUSER)
            (Path(folder) / "supavex.toml").write_text("")
            project = load_settings(Path(folder))
            with connect(database.url(servers.SUPERUSER)) as connection:
                made = scaffold(project, None, database.catalog(), lambda asked: look(connection, asked))
            project.schema_file.write_text(new_file(made))
            schema = load_schema(project)
            assert canonical(node.schema(schema_module(schema))) == canonical(schema.export())

    accepted()
