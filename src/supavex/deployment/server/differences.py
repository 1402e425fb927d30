"""The changes of a push, in the form of the server's answers at the start and at the end of the push.

Source: the schemas of answers in the CLI (``cli/lib/deployApi``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from supavex.convex.schema import Schema
from supavex.convex.schema_changes import index_definitions
from supavex.convex.schema_json import schema_from_json
from supavex.deployment.database.components import APP, Component
from supavex.deployment.database.database import Database
from supavex.deployment.functions.mounting import exports
from supavex.deployment.runtime.evaluation import Evaluation, Module


def _index_json(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """An index in the form of a diff."""
    staged = {"staged": True} if definition.get("staged") else {}
    if "searchField" in definition:
        body = {"type": "search", **{k: definition[k] for k in ("searchField", "filterFields")}}
    elif "vectorField" in definition:
        body = {"type": "vector", **{k: definition[k] for k in ("dimensions", "vectorField", "filterFields")}}
    else:
        body = {"type": "database", "fields": definition["fields"]}
    return {"name": name, **body, **staged}


def _definitions(schema: Schema | None) -> dict[str, dict[str, Any]]:
    tables = {} if schema is None else schema.tables
    return {key: index for name, table in tables.items() for key, index in index_definitions(name, table).items()}


def index_diff(database: Database, schema: str | None) -> dict[str, Any]:
    """The indexes that a schema adds to the app, or to a component, and those that it removes."""
    if schema is None:
        return {"added_indexes": [], "removed_indexes": []}
    change = database.change_to(schema)
    new, old = _definitions(schema_from_json(schema)), _definitions(database.schema)
    return {
        "added_indexes": [_index_json(name, new[name]) for name in change.new_indexes],
        "removed_indexes": [_index_json(name, old[name]) for name in change.removed_indexes],
    }


def analysis(evaluation: Evaluation, data: dict[str, Any], udf_version: str) -> dict[str, Any]:
    """The analysis of the app or a definition for the CLI. ``data``: of its ``convex.config.ts``."""
    return {
        "definition": data,
        "schema": None if evaluation.schema is None else json.loads(evaluation.schema),
        "functions": evaluation.functions,
        "udfConfig": {
            "serverVersion": udf_version,
            "importPhaseRngSeed": {"$bytes": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
            "importPhaseUnixTimestamp": {"$integer": "AAAAAAAAAAA="},
        },
    }


def tree(
    component: Component, children: Mapping[str, list[Component]], evaluations: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """The app, or a component, with its mounted components. ``children``: components by their parents' paths."""
    functions = evaluations[component.definition].functions
    routes = (functions.get("http.js") or {}).get("httpRoutes")
    mounted = children.get(component.path, [])
    return {
        "definitionPath": component.definition,
        "componentPath": component.path,
        "httpPrefix": component.http_prefix,
        "args": {name: {"type": "value", "value": json.dumps(value)} for name, value in component.args.items()},
        "env": {name: dict(binding) for name, binding in component.env.items()},
        "childComponents": {child.name: tree(child, children, evaluations) for child in mounted},
        "httpRoutes": {
            "httpModuleRoutes": None if routes is None else [route["route"] for route in routes],
            "mounts": sorted(child.http_prefix for child in mounted if child.http_prefix),
        },
        "exports": exports(functions, component.path),
    }


def children_of(components: list[Component]) -> dict[str, list[Component]]:
    """Components by the paths of their parents."""
    found: dict[str, list[Component]] = {}
    for component in components:
        found.setdefault(component.path.rpartition("/")[0], []).append(component)
    return found


def app_tree(components: list[Component], evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """The app with all its components."""
    return tree(APP, children_of(components), evaluations)


def module_diff(old: Mapping[str, Module], new: Mapping[str, Module]) -> dict[str, Any]:
    """Added and removed modules. A changed module is in both lists."""
    same = {path for path, module in new.items() if old.get(path) == module}
    return {"added": sorted(new.keys() - same), "removed": sorted(old.keys() - same)}


def cron_diff(old: Mapping[str, dict[str, Any]], new: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Added, changed and removed cron jobs, by the modules' analyses."""
    before = dict((old.get("crons.js") or {}).get("cronSpecs") or [])
    after = dict((new.get("crons.js") or {}).get("cronSpecs") or [])
    return {
        "added": sorted(after.keys() - before.keys()),
        "updated": sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
        "deleted": sorted(before.keys() - after.keys()),
    }


def auth_diff(old: list[Any], new: list[Any]) -> dict[str, Any]:
    """Added and removed providers of users' tokens."""
    before, after = ([json.dumps(info, sort_keys=True) for info in infos] for infos in (old, new))
    return {
        "added": [info for info in after if info not in before],
        "removed": [info for info in before if info not in after],
    }
