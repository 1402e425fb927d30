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

from supavex.convex.compile import validator_problem
from supavex.convex.schema import Schema
from supavex.convex.schema_changes import index_definitions
from supavex.convex.schema_json import schema_from_json, validator_from_json
from supavex.deployment.deployment import Deployment
from supavex.deployment.functions import modules as stored
from supavex.deployment.functions.crons import checked_specs
from supavex.deployment.runtime.evaluation import Evaluation, Module, evaluate
from supavex.deployment.server.host import Addresses
from supavex.errors import SupavexError

#: Pushes that were started and may still be finished.
_REMEMBERED = 20
_NO_SCHEMA = '{"tables":[],"schemaValidation":true}'


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push brings, and what it found: the schema that was active, and the environment variables."""

    modules: dict[str, Module]
    schema: Module | None
    definition: Module | None
    before: str | None
    variables: dict[str, str]
    udf_version: str
    dry_run: bool
    addresses: Addresses

    def evaluate(self) -> Evaluation:
        """Evaluates the modules, which takes a while and no deployment."""
        own = {"CONVEX_CLOUD_URL": self.addresses.cloud, "CONVEX_SITE_URL": self.addresses.site}
        return evaluate(list(self.modules.values()), self.schema, self.definition, {**self.variables, **own})


@dataclass(slots=True)
class _Started:
    """A push between its start and its end."""

    pushed: Pushed
    evaluation: Evaluation

    @property
    def before(self) -> str | None:
        """The schema that was active when it started."""
        return self.pushed.before

    @property
    def schema(self) -> str | None:
        """The schema's JSON; an empty one where the app has none any more."""
        if self.evaluation.schema is None:
            return None if self.before is None else _NO_SCHEMA
        return self.evaluation.schema


class Pushes:
    """The pushes of one deployment."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._started: OrderedDict[str, _Started] = OrderedDict()

    def read(self, deployment: Deployment, body: dict[str, Any]) -> Pushed:
        """What a body of ``start_push`` brings. Raises where it is not of its form."""
        app = body.get("appDefinition")
        if not isinstance(app, dict):
            raise _bad("appDefinition")
        _refuse_components(_list(body, "componentDefinitions"))
        return Pushed(
            _modules(deployment, app),
            None if app.get("schema") is None else _module(app["schema"]),
            None if app.get("definition") is None else _module(app["definition"]),
            deployment.schema_text,
            stored.variables(deployment.store),
            str(app.get("udfServerVersion", "")),
            bool(body.get("dryRun")),
            self._addresses,
        )

    def start(self, deployment: Deployment, pushed: Pushed, evaluation: Evaluation) -> dict[str, Any]:
        """``start_push``: remembers the push, and says what it would change."""
        _check_validators(evaluation)
        _check_crons(evaluation)
        started = _Started(pushed, evaluation)
        if started.schema is not None:
            try:
                deployment.change_to(started.schema)
            except SupavexError as error:
                place = f"{error.where}: " if error.where else ""
                message = f"Hit an error while evaluating your schema:\n{place}{error.message}"
                raise SupavexError(error.code, message, where=error.where) from None
        key = uuid.uuid4().hex
        self._started[key] = started
        while len(self._started) > _REMEMBERED:
            self._started.popitem(last=False)
        return _start_answer(deployment, key, started)

    def _of(self, schema_change: Any) -> _Started:
        ids = schema_change.get("schemaIds") if isinstance(schema_change, dict) else None
        key = ids.get("") if isinstance(ids, dict) else None
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
        if stored.variables(deployment.store) != started.pushed.variables:
            raise SupavexError("RaceDetected", "Environment variables have changed during push.")
        old = stored.stored_modules(deployment.store)
        answer = _finish_answer(deployment, started, old)
        if started.pushed.dry_run or body.get("dryRun"):
            return answer
        with deployment.store.transaction():
            if started.schema is not None:
                deployment.push(started.schema)
            stored.save_modules(deployment.store, started.pushed.modules, started.evaluation.functions)
            deployment.store.set_meta("auth", json.dumps(started.evaluation.auth))
            deployment.store.set_meta("udf_version", started.pushed.udf_version)
        return answer


def _refuse_components(definitions: list[Any]) -> None:
    """Raises where an app uses components, and names them."""
    names = [str(one.get("definitionPath")) for one in definitions if isinstance(one, dict)]
    if definitions:
        message = f"components don't run on a local deployment of supavex, and the app uses {', '.join(sorted(names))}."
        raise SupavexError("NotSupportedHere", f"Not supported here: {message}")


def _check_validators(evaluation: Evaluation) -> None:
    """Raises where a function's arguments or its result have a validator that Convex refuses."""
    for path, analysis in evaluation.functions.items():
        for function in analysis["functions"]:
            for key, method in (("args", "exportArgs"), ("returns", "exportReturns")):
                data = json.loads(function[key] or "null")
                problem = None if data is None else validator_problem(validator_from_json(data))
                if problem is not None:
                    said = f"Invalid JSON returned from {path}:{function['name']}.{method}(): {problem}"
                    message = f"Hit an error while evaluating module {path}:\n{said}"
                    raise SupavexError("InvalidModules", message, where=path)


def _check_crons(evaluation: Evaluation) -> None:
    """Raises where a cron job is none, in the shape of Convex's errors of modules."""
    try:
        checked_specs(evaluation.functions)
    except SupavexError as error:
        message = f"Hit an error while evaluating your modules:\n{error.message}"
        raise SupavexError(error.code, message, where=error.where) from None


def _bad(field: str) -> SupavexError:
    return SupavexError("BadJsonBody", f"the push has no {field}, or one of another form.")


def _text(data: Any, field: str) -> str:
    value = data.get(field) if isinstance(data, dict) else None
    if not isinstance(value, str):
        raise _bad(field)
    return value


def _module(data: Any) -> Module:
    source_map = None if isinstance(data, dict) and data.get("sourceMap") is None else _text(data, "sourceMap")
    return Module(_text(data, "path"), _text(data, "source"), source_map, _text(data, "environment"))


def _list(data: dict[str, Any], field: str) -> list[Any]:
    value = data.get(field) or []
    if not isinstance(value, list):
        raise _bad(field)
    return value


def _modules(deployment: Deployment, app: dict[str, Any]) -> dict[str, Module]:
    """The modules as they will be: those that changed, and those that are kept by their hash."""
    kept = stored.stored_modules(deployment.store)
    modules = {}
    for unchanged in _list(app, "unchangedModuleHashes"):
        path = _text(unchanged, "path")
        module = kept.get(path)
        if module is None or stored.sha256_of(module) != _text(unchanged, "sha256"):
            raise SupavexError("RaceDetected", f"The module {path} has changed during push.")
        modules[path] = module
    for data in _list(app, "changedModules"):
        module = _module(data)
        modules[module.path] = module
    return dict(sorted(modules.items()))


def _index_json(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """An index as a diff names it."""
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
        "serverVersion": started.pushed.udf_version,
        "importPhaseRngSeed": {"$bytes": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        "importPhaseUnixTimestamp": {"$integer": "AAAAAAAAAAA="},
    }
    return {
        "environmentVariables": started.pushed.variables,
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
    same = {path for path, module in started.pushed.modules.items() if old.get(path) == module}
    previous = deployment.store.meta("udf_version")
    versions = None
    if previous is not None and previous != started.pushed.udf_version:
        versions = {"previous_version": previous, "next_version": started.pushed.udf_version}
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
                    "added": sorted(started.pushed.modules.keys() - same),
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
