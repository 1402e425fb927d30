"""The ``convex.config.ts`` of an app or a component: the components that it mounts, and the arguments that it needs.

Source: ``common/src/bootstrap_model/components/definition.rs`` and ``isolate/src/environment/component_definitions.rs``
of convex-backend. The CLI bundles each definition separately. It leaves the import of a component's definition as an
import of ``./_componentDeps/`` with the definition's path in base 64.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supavex.convex.json_bounds import parse_bounded
from supavex.convex.names import identifier_problem
from supavex.convex.schema_json import validator_from_json
from supavex.convex.validators import Literal, String, Union, Validator
from supavex.deployment.runtime.linking import Linked, link
from supavex.errors import SupavexError

_FILE = "convex.config.js"
#: The most steps from one definition to another that it imports. Each step is a recursive call here.
_MAX_IMPORTS = 200


@dataclass(frozen=True, slots=True)
class Config:
    """A definition's bundled ``convex.config.ts``. ``path``: its folder, relative to the app's; empty for the app."""

    path: str
    source: str
    dependencies: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name of its module while it is evaluated."""
        return module_prefix(self.path) + _FILE


@dataclass(frozen=True, slots=True)
class Mount:
    """A component that a definition mounts: its name, its definition, and its arguments (as JSON)."""

    name: str
    path: str
    args: Mapping[str, Any]
    env: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Declared:
    """An argument or a variable that a definition declares."""

    validator: Validator
    optional: bool


@dataclass(frozen=True, slots=True)
class ComponentDefinition:
    """An evaluated definition."""

    #: Its folder, relative to the app's; empty for the app.
    path: str
    #: The components that it mounts.
    children: tuple[Mount, ...]
    #: The arguments that it takes, by name.
    args: Mapping[str, Declared]
    #: The environment variables that it declares, by name.
    env: Mapping[str, Declared]
    #: Prefixes of paths (``/shop/``), with the names of the children that answer there.
    http_mounts: Mapping[str, str]
    #: The prefix of its own HTTP routes, with slashes at both ends; None if the definition names none.
    http_prefix: str | None
    #: The description of the definition in JSON, as Convex's CLI expects it in the answer to a push.
    data: dict[str, Any]


def module_prefix(definition: str) -> str:
    """The prefix of a definition's modules in a process that runs functions; empty for the app."""
    return f"@{hashlib.sha256(definition.encode()).hexdigest()[:12]}/" if definition else ""


def bare_app() -> ComponentDefinition:
    """The definition of an app without convex.config.ts."""
    data = {"path": "", "definitionType": {"type": "app"}, "childComponents": [], "httpMounts": {}}
    return ComponentDefinition("", (), {}, {}, {}, None, {**data, "exports": {"type": "branch", "branch": []}})


def in_order(configs: Sequence[Config]) -> list[Config]:
    """The definitions that the app needs, each after those that it imports. Raises for a circular import."""
    known, found, open_ = {config.path: config for config in configs}, dict[str, Config](), set[str]()

    def visit(path: str, wanted_by: str) -> None:
        if path in found:
            return
        if path in open_:
            raise SupavexError("CyclicImport", "Found cyclic definition dependency", where=path)
        if len(open_) > _MAX_IMPORTS:
            message = f"Not supported here: definitions that import each other over more than {_MAX_IMPORTS} steps."
            raise SupavexError("NotSupportedHere", message, where=path)
        if path not in known:
            message = f"Component definition not found: {json.dumps(path)}"
            raise SupavexError("TypecheckError", message, where=wanted_by or _FILE)
        open_.add(path)
        for dependency in sorted(known[path].dependencies):
            visit(dependency, path)
        open_.remove(path)
        found[path] = known[path]

    if known:
        visit("", "")
    return list(found.values())


def linked(configs: Sequence[Config]) -> Iterator[Linked]:
    """The modules of definitions, with one for each import of a definition by another."""
    for config in configs:
        folder = module_prefix(config.path)
        yield link(config.key, config.source)
        for path in config.dependencies:
            encoded = base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")
            target = module_prefix(path) + _FILE
            body = (
                f"var __default = {{ export: () => ({{}}), componentDefinitionPath: {json.dumps(path)}, "
                "defaultName: __definition.export().name };"
            )
            imports = {"__definition": (target, "default")}
            yield Linked(f"{folder}_componentDeps/{encoded}", body, (target,), imports, {"default": "__default"})


def evaluated(config: Config, answer: Any) -> ComponentDefinition:
    """The definition from the answer of ``analysis.js``. Raises Convex's errors."""
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise _invalid_export(config.path, str(answer.get("problem")) if isinstance(answer, dict) else "it is none")
    try:
        data = parse_bounded(answer["text"])
        kind = data["definitionType"]
        children = tuple(map(_child, data["childComponents"]))
        mounts = {_mount_path(path): _mounted(to) for path, to in (data.get("httpMounts") or {}).items()}
        prefix = None if data.get("httpPrefix") is None else _mount_path(data["httpPrefix"])
        env = {name: _wanted(one) for name, one in data.get("envVars") or []}
        args = {name: _wanted(one) for name, one in kind.get("args") or []}
        if kind["type"] not in ("app", "childComponent") or data["exports"]["type"] != "branch":
            raise ValueError("the definition is of no known type")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        shown = answer["text"][:500]
        raise SupavexError(
            "InvalidDefinition", f"Failed to deserialize {shown}: {error!r}", where=_where(config)
        ) from None
    except SupavexError as error:
        raise SupavexError(error.code, error.message, where=_where(config)) from None
    if (kind["type"] == "app") == bool(config.path):
        raise _invalid_export(config.path, f"it is of the type {kind['type']}")
    for name in [child.name for child in children] + ([kind["name"]] if config.path else []):
        problem = identifier_problem(name) if isinstance(name, str) else "a name is a text"
        if problem:
            raise SupavexError(
                "InvalidDefinition", f"{name!r} can't name a component: {problem}.", where=_where(config)
            )
    told = {"path": config.path, "definitionType": kind, "childComponents": data["childComponents"]}
    told |= {"httpMounts": data.get("httpMounts") or {}, "exports": data["exports"]}
    told |= {"envVars": data["envVars"]} if env else {}
    told |= {"httpPrefix": prefix} if prefix is not None else {}
    return ComponentDefinition(config.path, children, args, env, mounts, prefix, told)


def _where(config: Config) -> str:
    return f"{config.path}/{_FILE}" if config.path else _FILE


def _invalid_export(path: str, problem: str) -> SupavexError:
    where = f"component `{path}`" if path else "your app"
    function, made = ("defineComponent", "the component is") if path else ("defineApp", "you’re")
    message = (
        f"The default export of `convex.config.ts` in {where} has an invalid value ({problem}). Please make sure that "
        f"{made} exporting the return value of `{function}()` (`import {{ {function} }} from 'convex/server'`)."
    )
    return SupavexError("InvalidDefinition", message, where=f"{path}/{_FILE}" if path else _FILE)


def _child(data: Any) -> Mount:
    args = {name: json.loads(one["value"]) for name, one in data.get("args") or []}
    env = {name: _binding(one) for name, one in data.get("env") or []}
    return Mount(data["name"], str(data["path"]), args, env)


def _binding(data: Any) -> dict[str, str]:
    key = {"value": "value", "envVar": "name"}[data["type"]]
    if not isinstance(data[key], str):
        raise ValueError("a variable of a component is a text")
    return {"type": data["type"], key: data[key]}


def _wanted(data: Any) -> Declared:
    return Declared(validator_from_json(json.loads(data["value"])), data.get("optional") is True)


def _mount_path(path: str) -> str:
    if not (path.startswith("/") and path.endswith("/") and "*" not in path and "?" not in path):
        raise SupavexError(
            "InvalidDefinition", f"{path!r} is not a prefix of HTTP paths: a prefix begins and ends with a slash."
        )
    return path


def _mounted(reference: str) -> str:
    start, kind, *names = reference.split("/")
    if (start, kind) != ("_reference", "childComponent"):
        message = "Non-root child component references for HTTP mounts currently unsupported"
        raise SupavexError("TypecheckError", message)
    if len(names) != 1:
        message = "Child component references with attributes currently unsupported"
        raise SupavexError("TypecheckError", message)
    return names[0]


def texts(validator: Validator) -> frozenset[str] | None:
    """The texts that a variable's validator allows; None for any. Raises ValueError if it allows anything else."""
    if isinstance(validator, String):
        return None
    if isinstance(validator, Literal) and isinstance(validator.value, str):
        return frozenset({validator.value})
    if isinstance(validator, Union) and validator.members:
        every = [texts(member) for member in validator.members]
        return None if None in every else frozenset().union(*(one for one in every if one is not None))
    raise ValueError("it takes other values than texts")
