"""The app's pushed modules and its environment variables, in the deployment's file."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from supavex.convex.ids import encode_id, new_internal_id
from supavex.deployment.database.store import Store
from supavex.deployment.functions.crons import apply_crons, checked_specs
from supavex.deployment.runtime.evaluation import Module
from supavex.errors import SupavexError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: The key of ``meta`` for the time and random state with which modules are evaluated.
IMPORTED = "imported"
#: The key of ``meta`` for the prefix of the app's own HTTP routes; empty for none.
HTTP_PREFIX = "http_prefix"
_MAX_VARIABLES, _MAX_NAME, _MAX_VALUE, _MAX_TOTAL = 512, 256, 8 << 10, 512 << 10
#: The variables that the deployment itself gives its functions.
_OWN_VARIABLES = ("CONVEX_CLOUD_URL", "CONVEX_SITE_URL")
#: The number of Convex's system table ``_environment_variables``.
_VARIABLES_NUMBER = 520


def new_import() -> dict[str, Any]:
    """The time and random state of a new push; see ``App.imported``."""
    return {"now": time.time_ns() // 1_000_000, "seed": [secrets.randbits(32) for _ in range(4)]}


def sha256_of(module: Module) -> str:
    """The hash by which the CLI recognizes an unchanged module."""
    return hashlib.sha256(module.source.encode() + (module.source_map or "").encode()).hexdigest()


def stored_modules(store: Store, definition: str = "") -> dict[str, Module]:
    """The pushed modules by path: the app's, or those of a component's definition."""
    sql = "SELECT path, source, source_map, environment FROM modules WHERE definition = ? ORDER BY path"
    return {row[0]: Module(*row) for row in store.connection.execute(sql, (definition,))}


def pushed_definitions(store: Store) -> list[str]:
    """The definitions of components with modules."""
    return [
        row[0] for row in store.connection.execute("SELECT DISTINCT definition FROM modules WHERE definition != ''")
    ]


def module_hashes(store: Store, definition: str = "") -> list[dict[str, str]]:
    """Path, hash and environment of each module, as ``get_config_hashes`` returns them for the app."""
    sql = "SELECT path, sha256, environment FROM modules WHERE definition = ? ORDER BY path"
    rows = store.connection.execute(sql, (definition,))
    return [{"path": path, "hash": hash_, "environment": environment} for path, hash_, environment in rows]


def analyses(store: Store, definition: str = "") -> dict[str, dict[str, Any]]:
    """The analysis of each module's functions, for the app or for a component's definition."""
    sql = "SELECT path, analysis FROM modules WHERE analysis IS NOT NULL AND definition = ? ORDER BY path"
    return {path: json.loads(text) for path, text in store.connection.execute(sql, (definition,))}


def save_modules(
    store: Store, modules: Mapping[str, Module], found: Mapping[str, dict[str, Any]], definition: str = ""
) -> None:
    """Replaces all modules of the app, or of a definition, by ``modules``. Call it in a transaction."""
    hashes = {path: sha256_of(module) for path, module in modules.items()}
    sql = "SELECT path, sha256 FROM modules WHERE definition = ?"
    before = dict(store.connection.execute(sql, (definition,)))
    if before != hashes or store.meta(IMPORTED) is None:
        store.set_meta(IMPORTED, json.dumps(new_import()))
    store.connection.execute("DELETE FROM modules WHERE definition = ?", (definition,))
    store.connection.executemany(
        "INSERT INTO modules VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(definition, m.path, m.source, m.source_map, m.environment, hashes[p]),
                json.dumps(found[p]) if p in found else None,
            )
            for p, m in modules.items()
        ],
    )
    if not definition:
        apply_crons(store, checked_specs(found), time.time())


def variables(store: Store) -> dict[str, str]:
    """The environment variables."""
    return dict(store.connection.execute("SELECT name, value FROM environment ORDER BY name"))


def variable_documents(store: Store) -> list[dict[str, Any]]:
    """The environment variables as documents of their system table."""
    rows = store.connection.execute("SELECT id, created, name, value FROM environment ORDER BY created, name")
    return [{"_id": i, "_creationTime": created, "name": name, "value": value} for i, created, name, value in rows]


def change_variables(store: Store, changes: list[Any]) -> None:
    """Sets variables, and removes those whose value is None. Raises before anything is changed."""
    for change in changes:
        if not (isinstance(change, dict) and isinstance(change.get("name"), str)):
            raise SupavexError("BadJsonBody", "a change names a variable and gives its value or null.")
        name, value = change["name"], change.get("value")
        _check_name(name)
        if value is not None and not isinstance(value, str):
            raise SupavexError("BadJsonBody", f"the value of {name} is a text.")
        size = 0 if value is None else len(value.encode())
        if size > _MAX_VALUE:
            message = f"The environment variable value is {size} bytes, which is too large. (max size: {_MAX_VALUE})"
            raise SupavexError("EnvironmentVariableValueTooLarge", message)
        if value is not None and name in _OWN_VARIABLES:
            message = f'Environment variable with name "{name}" is built-in and cannot be overridden'
            raise SupavexError("EnvVarNameForbidden", message)
    with store.transaction():
        for change in changes:
            store.connection.execute("DELETE FROM environment WHERE name = ?", (change["name"],))
            if change.get("value") is not None:
                id_ = encode_id(_VARIABLES_NUMBER, new_internal_id())
                row = (change["name"], change["value"], id_, time.time_ns() / 1e6)
                store.connection.execute("INSERT INTO environment VALUES (?, ?, ?, ?)", row)
        found = variables(store)
        if len(found) > _MAX_VARIABLES:
            message = f"The environment variable limit ({_MAX_VARIABLES}) has been met."
            raise SupavexError("EnvVarLimitMet", message)
        total = sum(len(name.encode()) + len(value.encode()) for name, value in found.items())
        if total > _MAX_TOTAL:
            message = f"The total size of all environment variables ({total} bytes) exceeds the limit "
            raise SupavexError("EnvVarTotalSizeLimitMet", f"{message}({_MAX_TOTAL} bytes).")


def _check_name(name: str) -> None:
    """Raises Convex's error for an invalid name of a variable."""
    said = f"The environment variable name {name[: _MAX_NAME + 1]} is"
    if not _NAME.match(name):
        message = "must begin with a letter and may only include characters a-z, A-Z, 0-9, and underscores."
        raise SupavexError("EnvironmentVariableNameInvalid", f"{said} invalid. Environment variable names {message}")
    if len(name) > _MAX_NAME:
        message = f"{said} too long. Environment variable names must be less than {_MAX_NAME}."
        raise SupavexError("EnvironmentVariableNameTooLong", message)
