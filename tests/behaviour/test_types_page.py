"""docs/types.md shows one value of each type, and what it becomes: each goes through a real PostgreSQL."""

import json
import re
from pathlib import Path

import pytest

from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import to_export_json
from supavex.postgres import server as servers
from supavex.postgres.connection import literal
from tests.migrate.restore.test_rows import moved
from tests.projects import supavex

PAGE = Path(__file__).parents[2] / "docs/types.md"
EXAMPLES: list[tuple[str, str, str, str]] = re.findall(
    r"^\| `(.+)` \| `(.+)` \| `(v\..+)` \| `(.+)` \|$", PAGE.read_text(), re.M
)
TYPES = """
CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN public.host AS inet;
CREATE TYPE public.pair AS (a int, b text);
CREATE TYPE public.walk AS (pairs public.pair[], at timestamptz);
"""


def test_each_value_on_the_page_becomes_what_the_page_says(server: servers.Server) -> None:
    assert len(EXAMPLES) > 40
    columns = ", ".join(f"c{number} {type_}" for number, (type_, _, _, _) in enumerate(EXAMPLES))
    values = ", ".join(literal(value) for _, value, _, _ in EXAMPLES)
    sql = f"{TYPES} CREATE TABLE t (id int PRIMARY KEY, {columns});\n-- rows\nINSERT INTO t VALUES (1, {values});"
    fields = ", ".join(f'"c{number}": {field}' for number, (_, _, field, _) in enumerate(EXAMPLES))
    first = "".join(
        f"CREATE EXTENSION IF NOT EXISTS {name} SCHEMA extensions;" for name in ("vector", "citext", "hstore")
    )
    schema = f'"t": define_table({{{fields}}})'
    with moved(server, sql, schema, 'fill = "none"\n', first=first) as (folder, _, _):
        with SnapshotArchive(folder / "archive.zip") as archive:
            (document,) = archive.documents("t")
        ran = supavex("verify", folder / "archive.zip", "-C", folder)
        assert ran.code == 0, ran.out
    found = {name: json.loads(to_export_json(value)) for name, value in document.items()}
    for number, (type_, value, _, shown) in enumerate(EXAMPLES):
        said = json.loads(shown)
        if isinstance(said, int) and not isinstance(said, bool):
            assert document[f"c{number}"] == said, (type_, value)
        else:
            assert found[f"c{number}"] == said, (type_, value)


@pytest.mark.parametrize(
    "type_", ["inet", "cidr", "interval", "bit", "range", "money", "jsonb", "vector", "char", "pair", "hstore"]
)
def test_the_page_names_it(type_: str) -> None:
    assert any(type_ in shown for shown, *_ in EXAMPLES)
