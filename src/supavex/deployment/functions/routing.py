"""Finds the router for an HTTP request: the app's own, or that of a component that is mounted over HTTP.

Source: ``application/src/application_function_runner/http_routing.rs`` of convex-backend.
"""

from __future__ import annotations

from supavex.deployment.database.components import APP, Component
from supavex.deployment.functions.app import App


def routed(app: App, method: str, path: str) -> tuple[Component, str] | None:
    """The component whose router answers, and the path for that router; None if there is no router.

    At each level, from the app on, a route with exactly this path has priority, then the longest prefix of a route or
    of a mounted component. If nothing else is mounted, a router without a matching route answers itself.
    """
    component, method = APP, "GET" if method == "HEAD" else method
    while True:
        routes, mounts = app.routes.get(component.definition), _mounts(app, component)
        if routes is None and not mounts:
            return None
        # The app's prefix applies to its own routes only. Mounted components have whole paths.
        own = path if component.id else _behind(app.http_prefix, path)
        if own is not None:
            paths = [route for of, route in routes or () if of == method]
            if own in (route for route in paths if not route.endswith("*")):
                return component, own
            prefixes = [route[:-1] or "/" for route in paths if route.endswith("*")]
            left = [len(own) - len(prefix) for prefix in prefixes if own.startswith(prefix)]
        else:
            left = []
        mount = max((prefix for prefix in mounts if path.startswith(prefix)), key=len, default=None)
        if mount is None or min(left, default=len(path)) < len(path) - len(mount):
            return None if own is None or routes is None else (component, own)
        component, path = mounts[mount], path[len(mount) - 1 :]


def _behind(prefix: str | None, path: str) -> str | None:
    """The path after a prefix that ends with a slash, with that slash; None if the path has another prefix."""
    if prefix is None:
        return path
    return path[len(prefix) - 1 :] if path.startswith(prefix) else None


def _mounts(app: App, component: Component) -> dict[str, Component]:
    """The components that a component mounts over HTTP, by their prefixes inside it."""
    above = len((component.http_prefix or "").rstrip("/"))
    return {
        one.http_prefix[above:]: one
        for path, one in app.components.items()
        if one.id and one.http_prefix and path == component.child(one.name)
    }
