"""What a push or a bundle puts into the deployment's file: schemas, modules, components, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from supavex.deployment.database.components import Component, components, keep_component
from supavex.deployment.database.database import Database
from supavex.deployment.functions.crons import apply_crons, checked_specs
from supavex.deployment.functions.modules import HTTP_PREFIX, pushed_definitions, save_modules
from supavex.deployment.runtime.evaluation import Module


@dataclass(frozen=True, slots=True)
class ModuleSet:
    """Code of the app, or of a component: its modules, and what ``analysis.js`` says of them, both by their paths."""

    modules: Mapping[str, Module] = field(default_factory=dict)
    functions: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Code:
    """All of an app's code."""

    #: By the definitions' paths; the app's is the empty one.
    definitions: Mapping[str, ModuleSet]
    #: What is mounted, parents first.
    components: Sequence[Component]
    #: Schemas as JSON by the components' paths, the app's under the empty one; those that are left out stay.
    schemas: Mapping[str, str]
    #: What ``auth.config.ts`` exports, as JSON.
    auth: str
    #: The version of the npm package ``convex`` that bundled it.
    version: str
    #: Where the app's own HTTP routes begin; None at the root.
    http_prefix: str | None


def install(database: Database, code: Code) -> None:
    """Puts ``code`` in the place of all that was pushed before. Raises where a document does not fit its schema."""
    store = database.store
    with store.transaction():
        if "" in code.schemas:
            database.push(code.schemas[""])
        for component in code.components:
            seen = database.within(keep_component(store, component).id)
            if component.path in code.schemas:
                seen.push(code.schemas[component.path])
            # A definition may have no modules.
            functions = code.definitions.get(component.definition, ModuleSet()).functions
            apply_crons(seen.store, checked_specs(functions), time.time())
        for component in unmounted(database, code.components):
            keep_component(store, replace(component, mounted=False))
            apply_crons(store.within(component.id), {}, time.time())
        for path in pushed_definitions(store):
            if path not in code.definitions:
                save_modules(store, {}, {}, path)
        for path, definition in code.definitions.items():
            save_modules(store, definition.modules, definition.functions, path)
        store.set_meta("auth", code.auth)
        store.set_meta("udf_version", code.version)
        store.set_meta(HTTP_PREFIX, code.http_prefix or "")


def unmounted(database: Database, mounted: Sequence[Component]) -> list[Component]:
    """The components that are mounted now, and are none of ``mounted``."""
    paths = {component.path for component in mounted}
    known = components(database.store.connection)
    return [component for path, component in known.items() if component.mounted and path not in paths]
