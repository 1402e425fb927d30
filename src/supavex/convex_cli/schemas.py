"""Reads the schema of a deployment back through the CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from supavex.convex_cli.cli import OfficialCli


def read_back(cli: OfficialCli, wanted: Mapping[str, Any]) -> list[str]:
    """The differences between the deployment and the tables ``wanted`` (name to exported definition).

    If the schema can be read, validators and indexes are compared, too; otherwise only the existence of tables.
    """
    text = cli.schema_text()
    if text is None:
        there = {line.strip() for line in cli.run("data").splitlines()}
        return [f"the table {name} is missing" for name in wanted if name not in there]
    tables = {table["tableName"]: table for table in json.loads(text)["tables"]}
    problems = []
    for name, definition in wanted.items():
        table = tables.get(name)
        if table is None:
            problems.append(f"the table {name} is missing")
            continue
        if table["documentType"] != definition["documentType"]:
            problems.append(f"the table {name} has another validator")
        for kind in ("indexes", "searchIndexes", "vectorIndexes"):
            have = {index["indexDescriptor"]: _plain(index) for index in table.get(kind) or []}
            problems += [
                f"the index {name}.{index['indexDescriptor']} is missing or different"
                for index in definition.get(kind) or []
                if have.get(index["indexDescriptor"]) != _plain(index)
            ]
    return problems


def _plain(index: Mapping[str, Any]) -> dict[str, Any]:
    """An index without the field that Convex appends."""
    data = dict(index)
    fields = data.get("fields")
    if isinstance(fields, list) and fields[-1:] == ["_creationTime"]:
        data["fields"] = fields[:-1]
    return data
