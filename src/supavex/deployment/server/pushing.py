"""A push of the official CLI: start (evaluate, compare), wait (check documents), finish.

Source: ``local_backend/src/deploy_config2.rs`` and ``application/src/deploy_config.rs`` of convex-backend. The app and
each definition of a component are parts of a push. A definition's schema and functions apply to every component that is
mounted from it.
"""

from __future__ import annotations

import json
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supavex.convex.compile import validator_problem
from supavex.convex.schema_json import validator_from_json
from supavex.deployment.database.components import APP, Component, components
from supavex.deployment.database.database import Database
from supavex.deployment.deployment import Deployment
from supavex.deployment.functions import modules as stored
from supavex.deployment.functions.crons import checked_specs
from supavex.deployment.functions.installing import Code, ModuleSet, install, unmounted
from supavex.deployment.functions.mounting import mounted
from supavex.deployment.runtime.definitions import Config, bare_app
from supavex.deployment.runtime.evaluation import Evaluation, Module, evaluate
from supavex.deployment.server import differences
from supavex.deployment.server.host import Addresses
from supavex.errors import SupavexError

#: The most started pushes that can still be finished.
_REMEMBERED = 20
_NO_SCHEMA = '{"tables":[],"schemaValidation":true}'
#: An id that no component has, for a view without tables.
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Part:
    """The app, or a component's definition, in a push."""

    modules: dict[str, Module]
    schema: Module | None
    config: Config | None
    udf_version: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """The contents of a push, with the former schemas and the environment variables.

    ``parts`` are by definition, with an empty path for the app. ``before``: schemas by the paths of components, mounted
    or not.
    """

    parts: dict[str, Part]
    before: dict[str, str | None]
    variables: dict[str, str]
    dry_run: bool
    addresses: Addresses

    def evaluate(self) -> dict[str, Evaluation]:
        """Evaluates the modules of each part. It takes time, and does not use the deployment."""
        own = {"CONVEX_CLOUD_URL": self.addresses.cloud, "CONVEX_SITE_URL": self.addresses.site}
        configs = [part.config for part in self.parts.values() if part.config is not None]
        found = {}
        for path, part in self.parts.items():
            # A component has no variables until it is mounted.
            given = own if path else {**self.variables, **own}
            try:
                modules = list(part.modules.values())
                found[path] = evaluate(modules, part.schema, () if path else configs, given)
            except SupavexError as error:
                if not path:
                    raise
                message = f"In the component {path}: {error.message}"
                raise SupavexError(error.code, message, where=f"{path}/{error.where}") from None
        return found


@dataclass(slots=True)
class _Started:
    """A push between its start and its end. ``components``: those that it mounts; new ones have no ids yet."""

    pushed: Pushed
    evaluations: dict[str, Evaluation]
    components: list[Component]

    def schema(self, component: Component) -> str | None:
        """The schema's JSON of the app or a component; an empty schema if the component is removed."""
        schema = self.evaluations[component.definition].schema
        if schema is None and not component.path and self.pushed.before[""] is None:
            return None
        return _NO_SCHEMA if schema is None else schema

    @property
    def code(self) -> Code:
        """What the push puts into the deployment."""
        definitions = {
            path: ModuleSet(part.modules, self.evaluations[path].functions) for path, part in self.pushed.parts.items()
        }
        app = self.evaluations[""]
        schemas = {component.path: self.schema(component) for component in self.everything}
        return Code(
            definitions,
            self.components,
            {path: schema for path, schema in schemas.items() if schema is not None},
            json.dumps(app.auth),
            self.pushed.parts[""].udf_version,
            (app.definitions or {"": bare_app()})[""].http_prefix,
        )

    @property
    def everything(self) -> list[Component]:
        """The app, and all mounted components."""
        return [APP, *self.components]


class Pushes:
    """The pushes of one deployment."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._started: OrderedDict[str, _Started] = OrderedDict()

    def read(self, deployment: Deployment, body: dict[str, Any]) -> Pushed:
        """The push in a body of ``start_push``. Raises if the body is invalid."""
        app = body.get("appDefinition")
        if not isinstance(app, dict):
            raise _bad("appDefinition")
        _refuse_packages(app.get("nodeDependencies") or [])
        parts = {"": _part("", app, _modules(deployment, app))}
        for data in _list(body, "componentDefinitions"):
            path = _text(data, "definitionPath")
            if path in parts:
                raise SupavexError("BadJsonBody", f"the push has two definitions {path!r}.")
            modules = [_module(module) for module in _list(data, "functions")]
            parts[path] = _part(path, data, {module.path: module for module in modules})
        variables = stored.variables(deployment.store)
        return Pushed(parts, _schemas(deployment), variables, bool(body.get("dryRun")), self._addresses)

    def start(self, deployment: Deployment, pushed: Pushed, evaluations: dict[str, Evaluation]) -> dict[str, Any]:
        """``start_push``: keeps the push, and returns its changes."""
        for evaluation in evaluations.values():
            _check_validators(evaluation)
            _check_crons(evaluation)
        definitions = evaluations[""].definitions or {"": bare_app()}
        for path in pushed.parts.keys() - definitions.keys():
            raise SupavexError("TypecheckError", f"No definition imports the component {path}.", where=path)
        tree = mounted(definitions, {path: evaluation.functions for path, evaluation in evaluations.items()})
        started = _Started(pushed, evaluations, tree)
        for component in started.everything:
            schema = started.schema(component)
            if schema is not None:
                _check_schema(_seen_from(deployment, component.path), component, schema)
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
        if _schemas(deployment) != started.pushed.before:
            return {"type": "raceDetected"}
        for component in started.everything:
            schema = started.schema(component)
            try:
                if schema is not None:
                    _seen_from(deployment, component.path).check_documents(schema)
            except SupavexError as error:
                if error.code != "SchemaValidationFailed":
                    raise
                table = (error.where or "").partition(" ")[0]
                failed = {"type": "failed", "error": error.message, "componentPath": component.path}
                return {**failed, "tableName": table}
        return {"type": "complete"}

    def finish(self, deployment: Deployment, body: dict[str, Any]) -> dict[str, Any]:
        """``finish_push``: schemas, indexes, modules and components, in one transaction. Returns the changes."""
        start = body.get("startPush")
        started = self._of(start.get("schemaChange") if isinstance(start, dict) else None)
        if _schemas(deployment) != started.pushed.before:
            raise SupavexError("RaceDetected", "Schema was overwritten by another push.")
        if stored.variables(deployment.store) != started.pushed.variables:
            raise SupavexError("RaceDetected", "Environment variables have changed during push.")
        answer = _finish_answer(deployment, started)
        if started.pushed.dry_run or body.get("dryRun"):
            return answer
        install(deployment, started.code)
        return answer


def _seen_from(deployment: Deployment, path: str) -> Database:
    """The database of the component at that path; one without tables if the component does not exist."""
    if not path:
        return deployment
    known = components(deployment.store.connection).get(path)
    return deployment.within(_NOWHERE if known is None else known.id)


def _schemas(deployment: Deployment) -> dict[str, str | None]:
    """The active schemas of the app and of all components, by path."""
    known = {"": APP, **components(deployment.store.connection)}
    return {path: deployment.within(component.id).schema_text for path, component in known.items()}


def _check_schema(database: Database, component: Component, schema: str) -> None:
    try:
        database.change_to(schema)
    except SupavexError as error:
        place = f"{error.where}: " if error.where else ""
        of = f" of the component {component.path}" if component.path else ""
        message = f"Hit an error while evaluating your schema{of}:\n{place}{error.message}"
        raise SupavexError(error.code, message, where=error.where) from None


def _refuse_packages(dependencies: Any) -> None:
    """Raises, naming them, if an app expects the deployment to install npm packages."""
    if names := ", ".join(str(one.get("name")) for one in dependencies if isinstance(one, dict)):
        message = f"a local deployment of supavex installs no npm packages, and convex.json leaves {names} out of the "
        hint = "bundle. Take them out of node.externalPackages, and the CLI puts them into the bundle."
        raise SupavexError("NotSupportedHere", f"Not supported here: {message}{hint}")


def _check_validators(evaluation: Evaluation) -> None:
    """Raises if Convex refuses the validator of a function's arguments or result."""
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
    """Raises for an invalid cron job, in the form of Convex's errors of modules."""
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
    """The modules after the push: the changed ones, and those that are kept by their hash."""
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


def _part(path: str, data: dict[str, Any], modules: dict[str, Module]) -> Part:
    schema = None if data.get("schema") is None else _module(data["schema"])
    config = None
    if data.get("definition") is not None:
        dependencies = _list(data, "dependencies")
        if not all(isinstance(one, str) for one in dependencies):
            raise _bad("dependencies")
        config = Config(path, _module(data["definition"]).source, tuple(dependencies))
    elif path:
        raise _bad(f"definition of {path}")
    return Part(modules, schema, config, str(data.get("udfServerVersion", "")))


def _start_answer(deployment: Deployment, key: str, started: _Started) -> dict[str, Any]:
    evaluations, parts = started.evaluations, started.pushed.parts
    definitions = evaluations[""].definitions or {"": bare_app()}
    known = components(deployment.store.connection)
    return {
        "environmentVariables": started.pushed.variables,
        "externalDepsId": None,
        "componentDefinitionPackages": {path: {} for path in parts},
        "appAuth": evaluations[""].auth,
        "analysis": {
            path: differences.analysis(evaluations[path], definitions[path].data, part.udf_version)
            for path, part in parts.items()
        },
        "app": differences.app_tree(started.components, evaluations),
        "schemaChange": {
            "allocatedComponentIds": {one.path: one.path for one in started.components if one.path not in known},
            "schemaIds": {
                one.path: key if not one.path or evaluations[one.definition].schema is not None else None
                for one in started.everything
            },
            "indexDiffs": {
                one.path: differences.index_diff(_seen_from(deployment, one.path), started.schema(one))
                for one in started.everything
            },
        },
    }


def _finish_answer(deployment: Deployment, started: _Started) -> dict[str, Any]:
    auth = json.loads(deployment.store.meta("auth") or "[]")
    known = components(deployment.store.connection)
    diffs = {one.path: _component_diff(deployment, started, one, known) for one in started.everything}
    diffs |= {one.path: _unmounted_diff(deployment, one) for one in unmounted(deployment, started.components)}
    return {
        "authDiff": differences.auth_diff(auth, started.evaluations[""].auth),
        "definitionDiffs": {path: {} for path in started.pushed.parts},
        "componentDiffs": diffs,
    }


def _component_diff(
    deployment: Deployment, started: _Started, component: Component, known: Mapping[str, Component]
) -> dict[str, Any]:
    part, before = started.pushed.parts[component.definition], known.get(component.path)
    store, previous = deployment.store, None
    if not component.path:
        previous = store.meta("udf_version")
        kind = "create" if previous is None else "modify"
    else:
        kind = "create" if before is None else "modify" if before.mounted else "remount"
    versions = None
    if previous is not None and previous != part.udf_version:
        versions = {"previous_version": previous, "next_version": part.udf_version}
    there = not component.path or (before is not None and before.mounted)
    definition = before.definition if before is not None else component.definition
    old = stored.stored_modules(store, definition) if there else {}
    said = stored.analyses(store, definition) if there else {}
    schema, active = started.schema(component), started.pushed.before.get(component.path)
    return {
        "diffType": {"type": kind},
        "moduleDiff": differences.module_diff(old, part.modules),
        "udfConfigDiff": versions,
        "cronDiff": differences.cron_diff(said, started.evaluations[component.definition].functions),
        "indexDiff": differences.index_diff(_seen_from(deployment, component.path), schema),
        "schemaDiff": None if schema == active else {"previous_schema": active, "next_schema": schema},
    }


def _unmounted_diff(deployment: Deployment, component: Component) -> dict[str, Any]:
    modules = stored.stored_modules(deployment.store, component.definition)
    said = stored.analyses(deployment.store, component.definition)
    return {
        "diffType": {"type": "unmount"},
        "moduleDiff": differences.module_diff(modules, {}),
        "udfConfigDiff": None,
        "cronDiff": differences.cron_diff(said, {}),
        "indexDiff": {"added_indexes": [], "removed_indexes": []},
        "schemaDiff": None,
    }
