"""Mounts definitions: makes the tree of an app's components, each with its arguments.

Source: ``model/src/components/type_checking.rs`` of convex-backend, from which the texts of errors come.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from supavex.convex.values import from_internal_json
from supavex.deployment.database.components import MAX_DEPTH, Component
from supavex.deployment.runtime.definitions import ComponentDefinition, Mount, texts
from supavex.errors import SupavexError

#: The most components of an app. Definitions that mount each other twice would grow exponentially.
_MAX_COMPONENTS = 1000
#: The analyses of modules by ``analysis.js``, by path.
_Functions = Mapping[str, dict[str, Any]]


def mounted(definitions: Mapping[str, ComponentDefinition], functions: Mapping[str, _Functions]) -> list[Component]:
    """The app's components, parents first, without ids. Raises Convex's errors for an invalid tree.

    ``definitions`` and ``functions`` are by the definitions' paths; the app's path is empty.
    """
    for path, definition in definitions.items():
        _check_declarations(path, definition)
    found: list[Component] = []
    _mount(definitions, functions, Component(), (), found)
    return found


def _error(message: str, code: str = "TypecheckError") -> SupavexError:
    return SupavexError(code, message)


def _check_declarations(path: str, definition: ComponentDefinition) -> None:
    for name, wanted in definition.env.items():
        try:
            texts(wanted.validator)
        except ValueError:
            message = (
                f"Env var `{name}` on {f'component {path}' if path else 'the app'} has a non-string validator. "
                'Component env vars must be declared with `v.string()`, `v.literal("...")`, or a union of those.'
            )
            raise _error(message, "InvalidEnvVarDeclaration") from None


def _mount(
    definitions: Mapping[str, ComponentDefinition],
    functions: Mapping[str, _Functions],
    parent: Component,
    above: tuple[str, ...],
    found: list[Component],
) -> None:
    """Mounts the children of a component, and their children. ``above``: the definitions around the parent."""
    above = (*above, parent.definition)
    definition = definitions[parent.definition]
    names: set[str] = set()
    prefixes = _prefixes(definition, functions.get(parent.definition, {}))
    for child in definition.children:
        path = parent.child(child.name)
        of = definitions.get(child.path)
        if of is None:
            raise _error(f"Component definition not found: {json.dumps(child.path)}")
        if child.path in above:
            raise _error(f"Component definition {json.dumps(child.path)} mounts itself.")
        if child.name in names:
            said = f"Component {json.dumps(parent.path)} has multiple child components with the same name"
            raise _error(f"{said}: {json.dumps(child.name)}")
        names.add(child.name)
        _check_args(path, of, child)
        env = _given(parent, definition, path, of, child)
        prefix = prefixes.pop(child.name, None)
        if prefix is not None:
            _check_routes(prefix, child, of, functions)
            prefix = (parent.http_prefix or "").rstrip("/") + prefix
        component = Component(path=path, definition=child.path, args=child.args, env=env, http_prefix=prefix)
        found.append(component)
        if len(above) > MAX_DEPTH:
            raise _error(f"Not supported here: components more than {MAX_DEPTH} levels deep.", "NotSupportedHere")
        if len(found) > _MAX_COMPONENTS:
            raise _error(f"Not supported here: more than {_MAX_COMPONENTS} components.", "NotSupportedHere")
        _mount(definitions, functions, component, above, found)
    for name, prefix in prefixes.items():
        raise _error(f"HTTP mount {json.dumps(prefix)} is invalid: Child component {json.dumps(name)} not found.")


def _prefixes(definition: ComponentDefinition, functions: _Functions) -> dict[str, str]:
    """The HTTP prefix of each child. Raises if the parent's own routes, or another child, have the same prefix."""
    found: dict[str, str] = {}
    for prefix, name in definition.http_mounts.items():
        for route in (functions.get("http.js") or {}).get("httpRoutes") or []:
            path = route["route"]["path"]
            if path.endswith("*") and (path[:-1] or "/") == prefix:
                said = f"HTTP mount {json.dumps(prefix)} is invalid"
                raise _error(f"{said}: Overlap with existing prefix route")
        found[name] = prefix
    return found


def _check_routes(prefix: str, child: Mount, of: ComponentDefinition, functions: Mapping[str, _Functions]) -> None:
    if not ((functions.get(child.path, {}).get("http.js") or {}).get("httpRoutes") or of.http_mounts):
        said = f"HTTP mount {json.dumps(prefix)} is invalid: Child component {json.dumps(child.name)}"
        raise _error(f"{said} doesn't have any HTTP routes.")


def _check_args(path: str, of: ComponentDefinition, child: Mount) -> None:
    for name, data in child.args.items():
        if name not in of.args:
            raise _error(f"Component {json.dumps(path)} has no argument named {json.dumps(name)}")
        mismatch = of.args[name].validator.check(from_internal_json(data), lambda number: None)
        if mismatch:
            said = f"Component {json.dumps(path)} has an invalid value for argument {json.dumps(name)}"
            raise _error(f"{said}: {mismatch}")


def _given(
    parent: Component, definition: ComponentDefinition, path: str, of: ComponentDefinition, child: Mount
) -> dict[str, Mapping[str, str]]:
    """The variables that a child gets: values, and names of the app's variables. Raises if they do not fit."""
    found: dict[str, Mapping[str, str]] = {}
    for name, binding in child.env.items():
        shown = f"Component {json.dumps(path)} env var {json.dumps(name)}"
        if name not in of.env:
            raise _error(f"Component {json.dumps(path)} has no env var named {json.dumps(name)}")
        allowed = texts(of.env[name].validator)
        if binding["type"] == "value":
            if allowed is not None and binding["value"] not in allowed:
                said = f"Component {json.dumps(path)} has an invalid value for env var {json.dumps(name)}"
                raise _error(f"{said}: it is none of {', '.join(map(json.dumps, sorted(allowed)))}")
            found[name] = binding
            continue
        theirs = definition.env.get(binding["name"])
        if theirs is None:
            raise _error(f"{shown} references undeclared parent env var {binding['name']}")
        if theirs.optional and not of.env[name].optional:
            raise _error(f"{shown} is required, but parent env var {binding['name']} is optional")
        given = texts(theirs.validator)
        if allowed is not None and (given is None or not given <= allowed):
            raise _error(f"{shown} validator is not satisfied by parent env var {binding['name']} validator")
        passed = binding if not parent.path else parent.env.get(binding["name"])
        if passed is not None:
            found[name] = passed
    for name, wanted in of.env.items():
        if not wanted.optional and name not in found:
            raise _error(f"Component {json.dumps(path)} is missing required env var {json.dumps(name)}")
    return found


def exports(functions: _Functions, component: str) -> dict[str, Any]:
    """The public functions of a component for the CLI: a tree by folders, files and names."""
    tree: dict[str, Any] = {}
    for module, said in sorted(functions.items()):
        for function in said["functions"]:
            if (function.get("visibility") or {}).get("kind") != "public":
                continue
            *folders, last = [*module.removesuffix(".js").split("/"), function["name"]]
            at = tree
            for folder in folders:
                at = at.setdefault(folder, {"type": "branch", "children": {}}).get("children", {})
            path = {"component": component, "udfPath": f"{module}:{function['name']}"}
            at[last] = {"type": "leaf", "resource": {"type": "function", "path": path}}
    return tree
