"""An app as one file: the modules from Convex's own CLI, the schema, and the functions' arguments and results.

It keeps a push, so that functions run where there is no Node. ``inputs`` names the files from which it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from supavex.deployment.database.components import Component, components
from supavex.deployment.database.database import Database
from supavex.deployment.database.store import Store
from supavex.deployment.functions.installing import Code, ModuleSet, install
from supavex.deployment.functions.modules import HTTP_PREFIX, analyses, pushed_definitions, stored_modules
from supavex.deployment.runtime.evaluation import Module
from supavex.errors import UsageError

#: The second form has components, and is written for an app that has some.
_FORMAT, _WITH_COMPONENTS = 1, 2
_HINT = "Make it anew: supavex bundle"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A pushed app."""

    #: The app's own modules, by path.
    modules: Mapping[str, Module]
    #: What the CLI's analysis says of the functions of each module, by path.
    functions: Mapping[str, dict[str, Any]]
    #: The schema as JSON text; None without a schema.
    schema: str | None
    #: The JSON text of auth.config.
    auth: str
    #: The version of the convex package that bundled it.
    version: str
    #: The SHA-256 of each source file, by its path from the app's folder.
    inputs: Mapping[str, str]
    #: The prefix of its HTTP routes; None for none.
    http_prefix: str | None = None
    #: The code of its components, by the paths of their definitions.
    definitions: Mapping[str, ModuleSet] = field(default_factory=dict)
    #: Its components, parents first, each with its schema.
    components: Sequence[tuple[Component, str | None]] = ()

    def install(self, database: Database, *, schema: bool = True) -> None:
        """Pushes it. Without ``schema`` the app's own schema stays. Raises where a document does not fit a schema."""
        schemas = {component.path: text for component, text in self.components}
        schemas |= {"": self.schema} if schema else {}
        code = Code(
            {"": ModuleSet(self.modules, self.functions), **self.definitions},
            [component for component, _ in self.components],
            {path: text for path, text in schemas.items() if text is not None},
            self.auth,
            self.version,
            self.http_prefix,
        )
        install(database, code)

    def text(self) -> str:
        """The JSON for a file. It has the same bytes each time."""
        data = {
            "format": _WITH_COMPONENTS if self.components else _FORMAT,
            "convex": self.version,
            "inputs": dict(sorted(self.inputs.items())),
            "schema": None if self.schema is None else json.loads(self.schema),
            "auth": json.loads(self.auth),
            **_definition_json(ModuleSet(self.modules, self.functions)),
        }
        data |= {} if self.http_prefix is None else {"httpPrefix": self.http_prefix}
        if self.components:
            definitions = sorted(self.definitions.items())
            data["definitions"] = {path: _definition_json(definition) for path, definition in definitions}
            data["components"] = [
                {
                    "path": component.path,
                    "definition": component.definition,
                    "args": dict(component.args),
                    "env": {name: dict(binding) for name, binding in component.env.items()},
                    "httpPrefix": component.http_prefix,
                    "schema": None if schema is None else json.loads(schema),
                }
                for component, schema in self.components
            ]
        return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def bundle_of(database: Database, version: str, inputs: Mapping[str, str]) -> Bundle:
    """The app that was pushed to ``database``. Source maps of code that modules share are left out."""
    store = database.store
    mounted = [component for component in components(store.connection).values() if component.mounted]
    app = _definition(store, "")
    return Bundle(
        app.modules,
        app.functions,
        database.schema_text,
        store.meta("auth") or "[]",
        version,
        dict(inputs),
        store.meta(HTTP_PREFIX) or None,
        {path: _definition(store, path) for path in pushed_definitions(store)},
        [(replace(one, id=0, document=""), database.within(one.id).schema_text) for one in mounted],
    )


def _definition(store: Store, path: str) -> ModuleSet:
    modules = {
        name: Module(name, m.source, None if m.is_chunk else m.source_map, m.environment)
        for name, m in stored_modules(store, path).items()
    }
    return ModuleSet(modules, analyses(store, path))


def _definition_json(definition: ModuleSet) -> dict[str, Any]:
    return {
        "functions": dict(sorted(definition.functions.items())),
        "modules": [
            {"path": m.path, "environment": m.environment, "source": m.source, "sourceMap": m.source_map}
            for _, m in sorted(definition.modules.items())
        ],
    }


def _read_definition(data: dict[str, Any]) -> ModuleSet:
    modules = {m["path"]: Module(m["path"], m["source"], m["sourceMap"], m["environment"]) for m in data["modules"]}
    return ModuleSet(modules, data["functions"])


def _schema_text(data: Any) -> str | None:
    return None if data is None else json.dumps(data, separators=(",", ":"))


def _read_component(data: dict[str, Any]) -> tuple[Component, str | None]:
    of = {name: data[name] for name in ("path", "definition", "args", "env")}
    return Component(**of, http_prefix=data["httpPrefix"]), _schema_text(data["schema"])


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file of :meth:`Bundle.text`. Raises if it can't be read, or is something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] not in (_FORMAT, _WITH_COMPONENTS):
            raise UsageError("InvalidBundle", "another version of supavex made the file.", where=str(path), hint=_HINT)
        app = _read_definition(data)
        return Bundle(
            app.modules,
            app.functions,
            _schema_text(data["schema"]),
            json.dumps(data["auth"]),
            data["convex"],
            data["inputs"],
            data.get("httpPrefix"),
            {path: _read_definition(one) for path, one in data.get("definitions", {}).items()},
            [_read_component(one) for one in data.get("components", [])],
        )
    except OSError as error:
        raise UsageError("NoBundle", f"{error.strerror}.", where=str(path), hint=_HINT) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError("InvalidBundle", "the file holds no bundled app.", where=str(path), hint=_HINT) from None
