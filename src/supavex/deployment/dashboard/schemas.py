"""The page of the active schema, with its definition in Python or TypeScript."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from supavex.convex.schema import Schema, TableDefinition
from supavex.convex.typescript import schema_module
from supavex.deployment.dashboard.pages import Asked

_MAX_SOURCE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one table's definition. ``line``: its first line (0 if it is not part of a file)."""

    text: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class IndexRow:
    """An index of any kind. ``fields`` are in words unless it is a plain index."""

    name: str
    kind: str
    fields: str


@dataclass(frozen=True, slots=True)
class SchemaTable:
    """A table of the schema: fields with their types, indexes, and the definition."""

    name: str
    fields: list[tuple[str, str]]
    #: The whole validator, if the document is not an object with fields.
    document: str
    indexes: list[IndexRow]
    source: Source | None


@dataclass(frozen=True, slots=True)
class SchemaPage:
    """The schema. ``python``: the schema.py beside it; None: TypeScript is shown."""

    template: ClassVar[str] = "schema.html"
    section: ClassVar[str] = "schema"
    title: ClassVar[str] = "Schema"
    schema: Schema | None
    tables: list[SchemaTable]
    python: Path | None
    #: Whether the file was changed after the push.
    newer: bool
    #: Tables of the file that the schema lacks.
    not_deployed: list[str]

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        return {
            "schema": None if self.schema is None else self.schema.to_json(),
            "python": None if self.python is None else str(self.python),
            "pythonIsNewer": self.newer,
            "notDeployed": self.not_deployed,
            "sources": {table.name: table.source.text for table in self.tables if table.source is not None},
        }


def schema_page(asked: Asked) -> SchemaPage:
    """The schema of the last push, with schema.py if the deployment belongs to a project."""
    schema = asked.deployment.schema
    path = None if asked.component.path else _schema_file(asked.host.folder)
    text = None if path is None else _read(path)
    if text is None:
        path = None
    sources = {} if text is None else python_definitions(text)
    tables = [] if schema is None else [_table(schema, name, sources, path) for name in schema.tables]
    deployed = set() if schema is None else schema.tables.keys()
    not_deployed = [name for name in sources if name not in deployed]
    return SchemaPage(schema, tables, path, _newer(asked, path), not_deployed)


def _schema_file(folder: Path) -> Path | None:
    """The project's schema.py, if ``folder`` is a project's ``.supavex``."""
    path = folder.parent / "schema.py"
    return path if folder.name == ".supavex" and path.is_file() else None


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SOURCE_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _newer(asked: Asked, path: Path | None) -> bool:
    sql = "SELECT pushed_at FROM pushes WHERE component = 0 ORDER BY id DESC LIMIT 1"
    row = asked.deployment.store.connection.execute(sql).fetchone()
    if path is None or row is None:
        return False
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) > datetime.fromisoformat(row[0])
    except (OSError, ValueError, TypeError):
        return False


def _table(schema: Schema, name: str, sources: dict[str, Source], path: Path | None) -> SchemaTable:
    table = schema.tables[name]
    fields = [(field, str(validator)) for field, validator in table.fields.items()]
    source = sources.get(name) if path is not None else Source(_typescript(name, table))
    return SchemaTable(name, fields, "" if fields else str(table.document), _indexes(table), source)


def _indexes(table: TableDefinition) -> list[IndexRow]:
    rows = [IndexRow(i.name, "staged" if i.staged else "", ", ".join(i.fields)) for i in table.indexes]
    for search in table.search_indexes:
        filters = f", filtered by {', '.join(search.filter_fields)}" if search.filter_fields else ""
        rows.append(IndexRow(search.name, "search", search.search_field + filters))
    for vector in table.vector_indexes:
        filters = f", filtered by {', '.join(vector.filter_fields)}" if vector.filter_fields else ""
        rows.append(IndexRow(vector.name, "vector", f"{vector.vector_field}, {vector.dimensions} dimensions{filters}"))
    return rows


def _typescript(name: str, table: TableDefinition) -> str:
    module = schema_module(Schema({name: table}))
    return textwrap.dedent(module.partition("defineSchema({\n")[2].rpartition("}")[0]).strip()


def python_definitions(text: str) -> dict[str, Source]:
    """The tables that the Python of a schema.py defines, by name. The file is parsed, and never run.

    A table is an entry of a dict whose value calls ``define_table``, or names a variable of the module with such a
    value.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    lines = text.splitlines()
    variables = {
        target.id: node
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and _defines(node.value)
    }
    found: dict[str, Source] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                    continue
                variable = variables.get(value.id) if isinstance(value, ast.Name) else None
                if variable is not None:
                    found[key.value] = _source(lines, variable.lineno, variable.end_lineno)
                elif _defines(value):
                    found[key.value] = _source(lines, key.lineno, value.end_lineno)
    return found


def _defines(node: ast.expr) -> bool:
    """Whether an expression is ``define_table(…)``, with any method calls after it."""
    while isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Name):
            return function.id == "define_table"
        if not isinstance(function, ast.Attribute):
            return False
        if function.attr == "define_table":
            return True
        node = function.value
    return False


def _source(lines: list[str], first: int, last: int | None) -> Source:
    return Source(textwrap.dedent("\n".join(lines[first - 1 : last])), first)
