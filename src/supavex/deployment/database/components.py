"""The components of an app as the deployment's file keeps them: where each is mounted, and what it is given there.

Source: ``common/src/bootstrap_model/components`` and ``model/src/components`` of convex-backend. A component that a
push leaves out is unmounted: its functions and cron jobs go, its tables and stored files stay.
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

#: Levels of components, one mounted in the other, that an app may have. Convex gives no number.
MAX_DEPTH = 64
#: The number of Convex's system table ``_components``.
_COMPONENTS_NUMBER = 544
_COLUMNS = "id, document, path, definition, mounted, args, env, http_prefix"


@dataclass(frozen=True, slots=True)
class Component:
    """A component at one place; the app itself has the id 0 and the path ``""``.

    ``path``: the names that it and its parents are mounted under, as in ``shop/counter``. ``definition``: the folder of
    its ``convex.config.ts``, seen from the app's. ``document``: the id by which the CLI and function handles name it.
    ``args``: internal JSON by name. ``env``: by name, ``{"type": "value", "value": …}``, or ``{"type": "envVar",
    "name": …}`` for a variable of the app's.
    """

    id: int = 0
    document: str = ""
    path: str = ""
    definition: str = ""
    mounted: bool = True
    args: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    http_prefix: str | None = None

    @property
    def name(self) -> str:
        """What its parent calls it."""
        return self.path.rpartition("/")[2]

    @property
    def shown(self) -> str:
        """As Convex's errors add it: `` in 'shop/counter'``; nothing of the app."""
        return f" in '{self.path}'" if self.path else ""

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """What it sees of the app's environment variables, and of the values that it was given."""
        if not self.id:
            return dict(variables)
        found = {}
        for name, binding in self.env.items():
            value = binding["value"] if binding["type"] == "value" else variables.get(binding["name"])
            if value is not None:
                found[name] = value
        return found

    def child(self, name: str) -> str:
        """The path of what is mounted in it under a name."""
        return f"{self.path}/{name}" if self.path else name


APP = Component()


def components(connection: sqlite3.Connection) -> dict[str, Component]:
    """The app's components by path, with those that are not mounted any more; parents first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM components ORDER BY path").fetchall()
    return {row[2]: _component(row) for row in rows}


def component_at(connection: sqlite3.Connection, path: str) -> Component:
    """The component of a path, mounted or not; the app of an empty one. Raises where there is none."""
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
    """Writes what is known of a component, by its path; it, with the id that it has or gets."""
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
