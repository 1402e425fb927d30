"""A push, as the official CLI makes it: start (evaluate, compare), wait (hold documents against it), finish.

Source: ``local_backend/src/deploy_config2.rs`` and ``application/src/deploy_config.rs`` of convex-backend, and the
schemas of answers in the CLI (``cli/lib/deployApi``).
"""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from supavex.convex.schema import Schema
from supavex.convex.schema_changes import index_definitions
from supavex.convex.schema_json import schema_from_json
from supavex.deployment.deployment import Deployment
from supavex.deployment.server import modules as stored
from supavex.deployment.server.evaluation import Evaluation, Module, evaluate
from supavex.errors import SupavexError

#: Pushes that were started and may still be finished.
_REMEMBERED = 20
_NO_SCHEMA = '{"tables":[],"schemaValidation":true}'


@dataclass(slots=True)
class _Started:
    """A push between its start and its end."""

    modules: dict[str, Module]
    evaluation: Evaluation
    #: The schema that was active when it started.
    before: str | None
    variables: dict[str, str]
    udf_version: str
    dry_run: bool

    @property
    def schema(self) -> str | None:
        """The schema's JSON; an empty one where the app has none any more."""
        if self.evaluation.schema is None:
            return None if self.before is None else _NO_SCHEMA
        return self.evaluation.schema


class Pushes:
    """The pushes of one deployment."""

    def __init__(self) -> None:
        self._started: OrderedDict[str, _Started] = OrderedDict()

    def start(self, deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
        """``start_push``: evaluates the modules, and says what a push would change."""
        app = body["appDefinition"]
        if body.get("componentDefinitions"):
            message = "components don't run on a local deployment of supavex."
            raise SupavexError("NotSupportedHere", f"Not supported here: {message}")
        modules = _modules(deployment, app)
        variables = stored.variables(deployment.store)
        every = list(modules.values())
        schema = None if app.get("schema") is None else _module(app["schema"])
        definition = None if app.get("definition") is None else _module(app["definition"])
        evaluation = evaluate(every, schema, definition, variables)
        started = _Started(
            modules,
            evaluation,
            deployment.schema_text,
            variables,
            str(app.get("udfServerVersion", "")),
            bool(body.get("dryRun")),
        )
        if started.schema is not None:
            try:
                deployment.change_to(started.schema)
            except SupavexError as error:
                message = f"Hit an error while evaluating your schema:\n{error.message}"
                raise SupavexError(error.code, message, where=error.where) from None
        key = uuid.uuid4().hex
        self._started[key] = started
        while len(self._started) > _REMEMBERED:
            self._started.popitem(last=False)
        return _start_answer(deployment, key, started)

    def _of(self, schema_change: Any) -> _Started:
        key = schema_change.get("schemaIds", {}).get("") if isinstance(schema_change, dict) else None
        started = self._started.get(str(key))
        if started is None:
            raise SupavexError("RaceDetected", "The push is not known any more: start it again.")
        return started

    def wait(self, deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
        """``wait_for_schema``: whether the documents fit. Indexes are built when the push is finished."""
        started = self._of(body.get("schemaChange"))
        if deployment.schema_text != started.before:
            return {"type": "raceDetected"}
        if started.schema is None:
            return {"type": "complete"}
        try:
            deployment.check_documents(started.schema)
        except SupavexError as error:
            if error.code != "SchemaValidationFailed":
                raise
            table = (error.where or "").partition(" ")[0]
            return {"type": "failed", "error": error.message, "componentPath": "", "tableName": table}
        return {"type": "complete"}

    def finish(self, deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
        """``finish_push``: schema, indexes and modules, in one transaction; what has changed."""
        start = body.get("startPush")
        started = self._of(start.get("schemaChange") if isinstance(start, dict) else None)
        if deployment.schema_text != started.before:
            raise SupavexError("RaceDetected", "Schema was overwritten by another push.")
        if stored.variables(deployment.store) != started.variables:
            raise SupavexError("RaceDetected", "Environment variables have changed during push.")
        old = stored.stored_modules(deployment.store)
        answer = _finish_answer(deployment, started, old)
        if started.dry_run or body.get("dryRun"):
            return answer
        with deployment.store.transaction():
            if started.schema is not None:
                deployment.push(started.schema)
            stored.save_modules(deployment.store, started.modules, started.evaluation.functions)
            deployment.store.set_meta("auth", json.dumps(started.evaluation.auth))
            deployment.store.set_meta("udf_version", started.udf_version)
        return answer


def _module(data: dict[str, Any]) -> Module:
    return Module(str(data["path"]), str(data["source"]), data.get("sourceMap"), str(data["environment"]))


def _modules(deployment: Deployment, app: dict[str, Any]) -> dict[str, Module]:
    """The modules as they will be: those that changed, and those that are kept by their hash."""
    kept = stored.stored_modules(deployment.store)
    modules = {}
    for unchanged in app.get("unchangedModuleHashes") or []:
        module = kept.get(unchanged["path"])
        if module is None or stored.sha256_of(module) != unchanged["sha256"]:
            raise SupavexError("RaceDetected", f"The module {unchanged['path']} has changed during push.")
        modules[module.path] = module
    for data in app["changedModules"]:
        module = _module(data)
        modules[module.path] = module
    return dict(sorted(modules.items()))


def _index_json(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """An index as a diff names it."""
    table_index = {"name": name}
    staged = {"staged": True} if definition.get("staged") else {}
    if "searchField" in definition:
        body = {"type": "search", **{k: definition[k] for k in ("searchField", "filterFields")}}
    elif "vectorField" in definition:
        body = {"type": "vector", **{k: definition[k] for k in ("dimensions", "vectorField", "filterFields")}}
    else:
        body = {"type": "database", "fields": definition["fields"]}
    return {**table_index, **body, **staged}


def _definitions(schema: Schema | None) -> dict[str, dict[str, Any]]:
    tables = {} if schema is None else schema.tables
    return {key: index for name, table in tables.items() for key, index in index_definitions(name, table).items()}


def _index_diff(deployment: Deployment, started: _Started) -> dict[str, Any]:
    if started.schema is None:
        return {"added_indexes": [], "removed_indexes": []}
    change = deployment.change_to(started.schema)
    new, old = _definitions(schema_from_json(started.schema)), _definitions(deployment.schema)
    return {
        "added_indexes": [_index_json(name, new[name]) for name in change.new_indexes],
        "removed_indexes": [_index_json(name, old[name]) for name in change.removed_indexes],
    }


def _start_answer(deployment: Deployment, key: str, started: _Started) -> dict[str, Any]:
    evaluation = started.evaluation
    routes = (evaluation.functions.get("http.js") or {}).get("httpRoutes")
    definition = {
        "path": "",
        "definitionType": {"type": "app"},
        "childComponents": [],
        "httpMounts": {},
        "exports": {"type": "branch", "branch": []},
    }
    udf_config = {
        "serverVersion": started.udf_version,
        "importPhaseRngSeed": {"$bytes": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        "importPhaseUnixTimestamp": {"$integer": "AAAAAAAAAAA="},
    }
    return {
        "environmentVariables": started.variables,
        "externalDepsId": None,
        "componentDefinitionPackages": {"": {}},
        "appAuth": evaluation.auth,
        "analysis": {
            "": {
                "definition": definition,
                "schema": None if evaluation.schema is None else json.loads(evaluation.schema),
                "functions": evaluation.functions,
                "udfConfig": udf_config,
            }
        },
        "app": {
            "definitionPath": "",
            "componentPath": "",
            "args": {},
            "childComponents": {},
            "httpRoutes": {
                "httpModuleRoutes": None if routes is None else [route["route"] for route in routes],
                "mounts": [],
            },
            "exports": {},
        },
        "schemaChange": {
            "allocatedComponentIds": {},
            "schemaIds": {"": key},
            "indexDiffs": {"": _index_diff(deployment, started)},
        },
    }


def _finish_answer(deployment: Deployment, started: _Started, old: dict[str, Module]) -> dict[str, Any]:
    before = [json.dumps(info, sort_keys=True) for info in json.loads(deployment.store.meta("auth") or "[]")]
    after = [json.dumps(info, sort_keys=True) for info in started.evaluation.auth]
    same = {path for path, module in started.modules.items() if old.get(path) == module}
    previous = deployment.store.meta("udf_version")
    versions = None
    if previous is not None and previous != started.udf_version:
        versions = {"previous_version": previous, "next_version": started.udf_version}
    schemas = None
    if started.schema != started.before:
        schemas = {"previous_schema": started.before, "next_schema": started.schema}
    crons = [dict(stored.analyses(deployment.store).get("crons.js", {}).get("cronSpecs") or [])]
    crons.append(dict(started.evaluation.functions.get("crons.js", {}).get("cronSpecs") or []))
    return {
        "authDiff": {
            "added": [info for info in after if info not in before],
            "removed": [info for info in before if info not in after],
        },
        "definitionDiffs": {},
        "componentDiffs": {
            "": {
                "diffType": {"type": "create" if previous is None else "modify"},
                "moduleDiff": {
                    "added": sorted(started.modules.keys() - same),
                    "removed": sorted(old.keys() - same),
                },
                "udfConfigDiff": versions,
                "cronDiff": {
                    "added": sorted(crons[1].keys() - crons[0].keys()),
                    "updated": sorted(n for n in crons[1].keys() & crons[0].keys() if crons[1][n] != crons[0][n]),
                    "deleted": sorted(crons[0].keys() - crons[1].keys()),
                },
                "indexDiff": _index_diff(deployment, started),
                "schemaDiff": schemas,
            }
        },
    }
