"""An app as one file: the modules from Convex's own CLI, the schema, and the functions' arguments and results.

It keeps a push, so that functions run where there is no Node. ``inputs`` names the files from which it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supavex.deployment.database.components import components
from supavex.deployment.database.database import Database
from supavex.deployment.functions.modules import HTTP_PREFIX, analyses, save_modules, stored_modules
from supavex.deployment.runtime.evaluation import Module
from supavex.errors import UsageError

_FORMAT = 1
_HINT = "Make it anew: supavex bundle"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A pushed app. ``inputs``: path of each source file (from the app's folder) to its SHA-256."""

    modules: Mapping[str, Module]
    functions: Mapping[str, dict[str, Any]]
    schema: str | None
    auth: str
    #: The version of the convex package that bundled it.
    version: str
    inputs: Mapping[str, str]
    #: The prefix of its HTTP routes; None for none.
    http_prefix: str | None = None

    def install(self, database: Database, *, schema: bool = True) -> None:
        """Pushes it. Without ``schema`` only the functions. Raises where a document does not fit the schema."""
        with database.store.transaction():
            if schema and self.schema is not None:
                database.push(self.schema)
            save_modules(database.store, self.modules, dict(self.functions))
            database.store.set_meta("auth", self.auth)
            database.store.set_meta(HTTP_PREFIX, self.http_prefix or "")

    def text(self) -> str:
        """The JSON for a file. It has the same bytes each time."""
        data = {
            "format": _FORMAT,
            "convex": self.version,
            "inputs": dict(sorted(self.inputs.items())),
            "schema": None if self.schema is None else json.loads(self.schema),
            "auth": json.loads(self.auth),
            "functions": dict(sorted(self.functions.items())),
            "modules": [
                {"path": m.path, "environment": m.environment, "source": m.source, "sourceMap": m.source_map}
                for _, m in sorted(self.modules.items())
            ],
        }
        data |= {} if self.http_prefix is None else {"httpPrefix": self.http_prefix}
        return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def bundle_of(database: Database, version: str, inputs: Mapping[str, str]) -> Bundle:
    """The app that was pushed to ``database``. Source maps of code that modules share are left out.

    Raises where it has components.
    """
    mounted = [path for path, one in components(database.store.connection).items() if one.mounted]
    if mounted:
        message = f"an app with components can't be bundled, and this one has {', '.join(mounted)}."
        raise UsageError("NotSupportedHere", message, hint="Serve it instead: supavex serve, npx convex dev --once")
    modules = {
        path: Module(path, m.source, None if m.is_chunk else m.source_map, m.environment)
        for path, m in stored_modules(database.store).items()
    }
    auth = database.store.meta("auth") or "[]"
    prefix = database.store.meta(HTTP_PREFIX) or None
    return Bundle(modules, analyses(database.store), database.schema_text, auth, version, dict(inputs), prefix)


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file of :meth:`Bundle.text`. Raises if it can't be read, or is something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise UsageError("InvalidBundle", "another version of supavex made the file.", where=str(path), hint=_HINT)
        modules = {m["path"]: Module(m["path"], m["source"], m["sourceMap"], m["environment"]) for m in data["modules"]}
        schema = None if data["schema"] is None else json.dumps(data["schema"], separators=(",", ":"))
        auth = json.dumps(data["auth"])
        prefix = data.get("httpPrefix")
        return Bundle(modules, data["functions"], schema, auth, data["convex"], data["inputs"], prefix)
    except OSError as error:
        raise UsageError("NoBundle", f"{error.strerror}.", where=str(path), hint=_HINT) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError("InvalidBundle", "the file holds no bundled app.", where=str(path), hint=_HINT) from None
