"""The last push of the app: its modules, ready to run, and the arguments and results of its functions."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Literal

from supavex.convex.schema_json import validator_from_json
from supavex.convex.validators import AnyValue, Validator
from supavex.deployment.database.components import APP, Component, components
from supavex.deployment.database.layout import HANDLE_SECRET
from supavex.deployment.functions.modules import HTTP_PREFIX, IMPORTED, new_import
from supavex.deployment.runtime.definitions import module_prefix
from supavex.deployment.runtime.linking import link
from supavex.deployment.runtime.source_maps import SourceMap

Kind = Literal["query", "mutation", "action"]
_KINDS: dict[str, Kind] = {"Query": "query", "Mutation": "mutation", "Action": "action"}
_PATH = re.compile(r"[A-Za-z0-9_.]+(?:/[A-Za-z0-9_.]+)*(?::[A-Za-z_][A-Za-z0-9_]*)?\Z")


@dataclass(frozen=True, slots=True)
class Function:
    """A pushed function."""

    #: The module's path: ``messages.js``.
    module: str
    #: The export's name.
    name: str
    #: Which of Convex's kinds the function is.
    kind: Kind
    #: Whether clients may call it. Internal functions are called by functions only.
    public: bool
    #: The validator of the arguments; None if any are allowed.
    args: Validator | None
    #: The validator of the result; None if any is allowed.
    returns: Validator | None
    #: Whether it needs Node.
    node: bool
    #: The component that has it.
    component: Component = APP

    @property
    def key(self) -> str:
        """The key of its module in a process that runs functions."""
        return module_prefix(self.component.definition) + self.module

    @property
    def path(self) -> str:
        """Convex's notation: ``messages:list``; without a name for a default export."""
        module = self.module.removesuffix(".js")
        return module if self.name == "default" else f"{module}:{self.name}"

    @property
    def udf_path(self) -> str:
        """The notation of Convex's system tables: ``messages.js:list``."""
        return f"{self.module}:{self.name}"


class App:
    """The modules of one push, including its components'. ``version`` identifies the push."""

    def __init__(self, connection: sqlite3.Connection, version: tuple[Any, ...]) -> None:
        self.version = version
        rows = connection.execute(
            "SELECT definition, path, source, source_map, environment FROM modules ORDER BY definition, path"
        )
        self._modules = {
            module_prefix(definition) + path: (definition, source, source_map, environment)
            for definition, path, source, source_map, environment in rows
        }
        #: The app and its mounted components, by path.
        self.components = {"": APP} | {c.path: c for c in components(connection).values() if c.mounted}
        self.functions: dict[tuple[str, str, str], Function] = {}
        #: The routes of each definition with a router, as method and path: ``("GET", "/files/*")``.
        self.routes: dict[str, list[tuple[str, str]]] = {}
        #: The prefix of the app's own routes: ``/api/``; None for none.
        self.http_prefix = _http_prefix(connection)
        for definition, module, environment, analysis in connection.execute(
            "SELECT definition, path, environment, analysis FROM modules WHERE analysis IS NOT NULL"
        ):
            said = json.loads(analysis)
            if module == "http.js":
                routes = [found["route"] for found in said["httpRoutes"] or []]
                self.routes[definition] = [(route["method"], route["path"]) for route in routes]
            for found in said["functions"]:
                function = _function(module, found, node=environment == "node")
                for component in self.components.values():
                    if component.definition == definition:
                        key = (component.path, module, function.name)
                        self.functions[key] = replace(function, component=component)
        self._maps: dict[str, SourceMap | None] = {}
        self._scripts: dict[tuple[str, bool], list[str]] = {}
        #: Time (milliseconds) and random state (four words of 32 bits) while its modules are evaluated, equal in each
        #: process.
        self.imported = _imported(connection)
        #: Major and minor version of the npm package that pushed the app.
        self.client_version = _client_version(connection)
        #: The secret that signs function handles.
        self.handle_secret = _handle_secret(connection)

    @staticmethod
    def version_of(connection: sqlite3.Connection) -> tuple[Any, ...]:
        """A value that changes with every push that changes a module, or the place of a component."""
        modules = connection.execute("SELECT definition, path, sha256 FROM modules ORDER BY definition, path")
        components = connection.execute("SELECT * FROM components ORDER BY path")
        return (*modules, *components, _http_prefix(connection))

    def scripts(self, definition: str = "", *, node: bool = False) -> list[str]:
        """The modules of one definition as a process loads them. ``node``: those of files with ``"use node"``.

        A component's process has no module of the app or of another component, so its code can reach none.
        """
        found = self._scripts.get((definition, node))
        if found is None:
            found = [
                link(path, source).script()
                for path, (owner, source, _, environment) in self._modules.items()
                if owner == definition and (environment == "node") == node
            ]
            self._scripts[definition, node] = found
        return found

    def find(self, path: str, component: str = "") -> Function | None:
        """The function of a path: ``messages:list``, ``messages.js:list``; ``messages`` for its default export.

        ``component``: the path of the component.
        """
        if not _PATH.match(path):
            return None
        module, _, name = path.partition(":")
        module = module if module.endswith(".js") else f"{module}.js"
        return self.functions.get((component, module, name or "default"))

    def source_map(self, module: str) -> SourceMap | None:
        """A module's source map; None if it has no valid one."""
        if module not in self._maps:
            text = self._modules.get(module, ("", "", None, ""))[2]
            self._maps[module] = None if text is None else SourceMap.parse(text)
        return self._maps[module]


def _imported(connection: sqlite3.Connection) -> dict[str, Any]:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (IMPORTED,)).fetchone()
    found: dict[str, Any] = new_import() if row is None else json.loads(row[0])
    return found


def _client_version(connection: sqlite3.Connection) -> tuple[int, ...]:
    row = connection.execute("SELECT value FROM meta WHERE key = 'udf_version'").fetchone()
    found = re.match(r"([0-9]{1,9})\.([0-9]{1,9})\.", "" if row is None else str(row[0]))
    return (0, 0) if found is None else (int(found[1]), int(found[2]))


def _http_prefix(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (HTTP_PREFIX,)).fetchone()
    return None if row is None or not row[0] else str(row[0])


def _handle_secret(connection: sqlite3.Connection) -> bytes:
    (secret,) = connection.execute("SELECT value FROM meta WHERE key = ?", (HANDLE_SECRET,)).fetchone()
    return bytes.fromhex(secret)


def canonical(path: str) -> str:
    """A path as Convex shows it: without ``.js`` and without ``:default``."""
    module, _, name = path.partition(":")
    module = module.removesuffix(".js")
    return module if name in ("", "default") else f"{module}:{name}"


def _function(path: str, found: dict[str, Any], *, node: bool) -> Function:
    visibility = (found.get("visibility") or {}).get("kind")
    kind = _KINDS[found["udfType"]]
    args, returns = _validator(found.get("args")), _validator(found.get("returns"))
    return Function(path, found["name"], kind, visibility == "public", args, returns, node)


def _validator(text: str | None) -> Validator | None:
    data = None if text is None else json.loads(text)
    if data is None:
        return None
    validator = validator_from_json(data)
    return None if isinstance(validator, AnyValue) else validator
