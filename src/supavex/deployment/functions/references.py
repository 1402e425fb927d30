"""Resolves a call inside the app: a function of the same component, of a component mounted there, or a handle.

Source: ``common/src/components/reference.rs`` and ``model/src/components`` of convex-backend. A handle is
``function://ID;PATH;SIGNATURE``. ID is the component's id, and is empty for the app. A handle can call internal
functions, so only a handle that the deployment has made is accepted: the signature shows that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from supavex.deployment.database.components import Component
from supavex.deployment.functions.app import App, Function
from supavex.errors import SupavexError

_HANDLE = "function://"


def named(app: App, caller: Component, arguments: dict[str, Any]) -> tuple[str, str]:
    """The paths of the function and of its component. Raises Convex's errors for invalid references.

    ``arguments``: an operation's. The existence of the function is only checked for handles and components.
    """
    name, handle, reference = (arguments.get(key) for key in ("name", "functionHandle", "reference"))
    if isinstance(name, str):
        return name, caller.path
    if isinstance(handle, str) and handle.startswith(_HANDLE):
        return _of_handle(app, handle.removeprefix(_HANDLE))
    if isinstance(reference, str):
        return _referenced(app, caller, reference)
    raise SupavexError("InvalidReference", "A function is named by its name, a handle or a reference")


def handle_of(app: App, function: Function) -> str:
    """The handle of a function."""
    place = f"{function.component.document};{function.udf_path}"
    return f"{_HANDLE}{place};{_signature(app, place)}"


def _signature(app: App, place: str) -> str:
    return hmac.new(app.handle_secret, place.encode(errors="replace"), hashlib.sha256).hexdigest()


def _of_handle(app: App, text: str) -> tuple[str, str]:
    place, _, signature = text.rpartition(";")
    document, _, path = place.partition(";")
    made = hmac.compare_digest(signature.encode(errors="replace"), _signature(app, place).encode())
    found = next((path for path, one in app.components.items() if one.document == document), None)
    if not made or found is None or app.find(path, found) is None:
        raise SupavexError("FunctionHandleNotFound", "Function handle not found")
    return path, found


def _referenced(app: App, caller: Component, reference: str) -> tuple[str, str]:
    start, kind, *parts = reference.split("/")
    if start != "_reference" or not parts:
        raise SupavexError("InvalidReference", f"Invalid reference: {reference[:200]}")
    if kind == "function":
        return "/".join(parts), caller.path
    if kind == "componentArgument":
        if not caller.path:
            raise SupavexError("InvalidReference", "Can't use an argument reference in the app")
        if parts[0] not in caller.args:
            raise SupavexError("InvalidReference", f"Component argument '{parts[0]}' not found")
        raise SupavexError("InvalidResource", "Cannot execute a value resource")
    if kind != "childComponent":
        raise SupavexError("InvalidReference", f"Invalid reference: {reference[:200]}")
    child, *attributes = parts
    component = app.components.get(caller.child(child))
    if component is None:
        raise SupavexError("InvalidReference", f"Child component {json.dumps(child)} not found")
    path = f"{'/'.join(attributes[:-1])}:{attributes[-1]}" if attributes else ""
    function = app.find(path, component.path)
    if function is None or not function.public:
        message = f"Child component {json.dumps(child)} does not export {json.dumps(attributes)}"
        raise SupavexError("InvalidReference", message)
    return path, component.path
