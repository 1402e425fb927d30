"""A plan from SQL, a schema and a supavex.toml: what most tests of the mapping begin with."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from supavex.convex.schema import TableDefinition
from supavex.mapping.make_plan import make_plan
from supavex.mapping.plan import Plan
from supavex.schema import define_schema
from supavex.settings.reading import load_settings
from supavex.settings.schema_file import load_schema
from tests.databases import Database

Make = Callable[..., Plan]
_IMPORTS = "from supavex.schema import define_schema, define_table, v\n"


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Make:
    """``make(sql, schema, toml, files)``: the plan of a project whose source is the test's own database.

    ``schema`` is a dict of tables, or the text of such a dict, as schema.py has it from line 3 on: then findings have
    places in ``schema.py``.
    """

    def make(
        sql: str,
        schema: Mapping[str, TableDefinition] | str,
        toml: str = "",
        files: Mapping[str, str] | None = None,
    ) -> Plan:
        database.run(sql)
        for name, text in {"supavex.toml": toml, **(files or {})}.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        project = load_settings(tmp_path)
        if isinstance(schema, str):
            project.schema_file.write_text(f"{_IMPORTS}schema = define_schema(\n{schema}\n)\n", encoding="utf-8")
            defined = load_schema(project)
        else:
            defined = define_schema(schema)
        return make_plan(project, defined, database.catalog(*project.schemas))

    return make
