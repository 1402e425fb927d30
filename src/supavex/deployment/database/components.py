"""The components of an app in the deployment's file: where each is mounted, and its arguments.

Source: ``common/src/bootstrap_model/components`` and ``model/src/components`` of convex-backend. A component that a
push leaves out is unmounted: its functions and cron jobs are removed, its tables and stored files stay.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supavex.convex.ids import encode_id, new_internal_id
from supavex.deployment.database.store import Store
from supavex.errors import SupavexError

#: The most levels of nested components of an app. Convex documents no number.
MAX_DEPTH = 64
#: The number of Convex's system table ``_components``.
_COMPONENTS_NUMBER = 544
_COLUMNS = "id, document, path, definition, mounted, args, env, http_prefix"


@dataclass(frozen=True, slots=True)
class Component:
    """A component at one place. The app itself has the id 0 and the path ``""``."""

    #: The number under which the deployment's file keeps its data.
    id: int = 0
    #: The id by which the CLI and function handles name it.
    document: str = ""
    #: The names under which it and its parents are mounted: ``shop/counter``.
    path: str = ""
    #: The folder of its ``convex.config.ts``, relative to the app's.
    definition: str = ""
    #: False if a later push left it out: its tables and stored files stay, and its functions are removed.
    mounted: bool = True
    #: Its arguments as internal JSON, by name.
    args: Mapping[str, Any] = field(default_factory=dict)
    #: By name ``{"type": "value", "value": …}``, or ``{"type": "envVar", "name": …}`` for a variable of the app.
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: The prefix of its HTTP routes; None if it has none.
    http_prefix: str | None = None

    @property
    def name(self) -> str:
        """The name that its parent gives it."""
        return self.path.rpartition("/")[2]

    @property
    def shown(self) -> str:
        """The text that Convex's errors append: `` in 'shop/counter'``; empty for the app."""
        return f" in '{self.path}'" if self.path else ""

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The environment variables that it sees: some of the app's, and its own values."""
        if not self.id:
            return dict(variables)
        found = {}
        for name, binding in self.env.items():
            value = binding["value"] if binding["type"] == "value" else variables.get(binding["name"])
            if value is not None:
                found[name] = value
        return found

    def child(self, name: str) -> str:
        """The path of its child with that name."""
        return f"{self.path}/{name}" if self.path else name


APP = Component()


def components(connection: sqlite3.Connection) -> dict[str, Component]:
    """The app's components by path, including unmounted ones; parents first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM components ORDER BY path").fetchall()
    return {row[2]: _component(row) for row in rows}


def component_at(connection: sqlite3.Connection, path: str) -> Component:
    """The component at a path, mounted or not; the app for an empty path. Raises :class:`~supavex.errors.SupavexError`
    if it does not exist.
    """
    if not path:
        return APP
    row = connection.execute(f"SELECT {_COLUMNS} FROM components WHERE path = ?", (path,)).fetchone()
    if row is None:
        raise SupavexError("ComponentNotFound", f"Component path {json.dumps(path[:200])} not found.")
    return _component(row)


def _component(row: tuple[Any, ...]) -> Component:
    id_, document, path, definition, mounted, args, env, http_prefix = row
    return Component(id_, document, path, definition, bool(mounted), json.loads(args), json.loads(env), http_prefix)


def keep_component(store: Store, component: Component) -> Component:
    """Writes a component's row, by its path. Returns the component with its id."""
    known = components(store.connection).get(component.path)
    document = encode_id(_COMPONENTS_NUMBER, new_internal_id()) if known is None else known.document
    row = (
        None if known is None else known.id,
        document,
        component.path,
        component.definition,
        component.mounted,
        json.dumps(dict(component.args)),
        json.dumps(dict(component.env)),
        component.http_prefix,
    )
    store.connection.execute("INSERT OR REPLACE INTO components VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return component_at(store.connection, component.path)
