"""Whose router answers a request, level by level as with Convex."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from supavex.deployment import Deployment
from supavex.deployment.database.components import APP, Component
from supavex.deployment.functions.app import App
from supavex.deployment.functions.bundle import Bundle, bundle_of, read_bundle
from supavex.deployment.functions.modules import HTTP_PREFIX
from supavex.deployment.functions.routing import routed

#: The app, with a component that mounts another one, one that is mounted by one without a prefix, and one without any.
COMPONENTS = [
    APP,
    Component(1, path="shop", definition="shop", http_prefix="/shop/"),
    Component(2, path="shop/stock", definition="stock", http_prefix="/shop/stock/"),
    Component(3, path="deep", definition="stock", http_prefix="/shop/deep/"),
    Component(4, path="quiet", definition="quiet"),
    Component(5, path="quiet/inner", definition="stock", http_prefix="/inner/"),
]
ROUTES = {
    "": [("GET", "/shop/sales"), ("GET", "/shop/files/*"), ("POST", "/shop/deep/*"), ("GET", "/files/*")],
    "shop": [("GET", "/stock/all"), ("GET", "/sales")],
    "stock": [("GET", "/count")],
}


@dataclass(frozen=True)
class FakeApp:
    """What routing looks at."""

    routes: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: ROUTES)
    http_prefix: str | None = None
    components: dict[str, Component] = field(default_factory=lambda: {one.path: one for one in COMPONENTS})


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/shop/sales", ("", "/shop/sales")),  # an exact route of the app's comes before what it mounts
        ("HEAD", "/shop/sales", ("", "/shop/sales")),
        ("POST", "/shop/sales", ("shop", "/sales")),  # of this method it has none
        ("GET", "/shop/other", ("shop", "/other")),
        ("GET", "/shop/files/a", ("", "/shop/files/a")),  # the longer prefix
        ("GET", "/shop/stock/all", ("shop", "/stock/all")),  # the same one level below
        ("GET", "/shop/stock/count", ("shop/stock", "/count")),
        ("GET", "/shop/deep/count", ("deep", "/count")),  # the longest of what is mounted
        ("GET", "/files/a", ("", "/files/a")),
        ("GET", "/nowhere", ("", "/nowhere")),  # the app's router says so
        ("GET", "/shop", ("", "/shop")),
        ("GET", "/inner/count", ("", "/inner/count")),  # what mounts it is not mounted over HTTP itself
    ],
)
def test_which_router_answers(method: str, path: str, found: tuple[str, str]):
    answer = routed(FakeApp(), method, path)  # type: ignore[arg-type]
    assert answer is not None and (answer[0].path, answer[1]) == found


def test_an_app_without_a_router_answers_under_what_it_mounts_alone():
    app = FakeApp(routes={"shop": ROUTES["shop"], "stock": ROUTES["stock"]})
    found = routed(app, "GET", "/shop/sales")  # type: ignore[arg-type]
    assert found is not None and (found[0].path, found[1]) == ("shop", "/sales")
    assert routed(app, "GET", "/sales") is None  # type: ignore[arg-type]
    assert routed(FakeApp(routes={}, components={"": APP}), "GET", "/") is None  # type: ignore[arg-type]
    # A component with neither routes nor anything mounted.
    assert routed(FakeApp(routes={"": []}), "GET", "/shop/deep/x") is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api/files/a", ("", "/files/a")),
        ("/api/exact", ("", "/exact")),
        ("/api/nowhere", ("", "/nowhere")),
        ("/exact", None),
        ("/api", None),
        ("/shop/sales", ("shop", "/sales")),  # what is mounted has whole paths
        ("/api/shop/sales", ("", "/shop/sales")),
    ],
)
def test_the_prefix_of_the_apps_own_routes(path: str, found: tuple[str, str] | None):
    routes = {**ROUTES, "": [("GET", "/exact"), ("GET", "/files/*")]}
    answer = routed(FakeApp(routes, "/api/"), "GET", path)  # type: ignore[arg-type]
    assert (answer and (answer[0].path, answer[1])) == found


def test_the_longer_of_a_route_behind_the_apps_prefix_and_of_what_is_mounted():
    components = {"": APP, "shop": Component(1, path="shop", definition="shop", http_prefix="/api/shop/")}
    for route, found in (("/shop/files/*", ("", "/shop/files/a")), ("/*", ("shop", "/files/a"))):
        app = FakeApp({"": [("GET", route)], "shop": []}, "/api/", components)
        answer = routed(app, "GET", "/api/shop/files/a")  # type: ignore[arg-type]
        assert answer is not None and (answer[0].path, answer[1]) == found


@pytest.mark.parametrize("prefix", ["/api/", None])
def test_a_bundle_keeps_the_prefix(deployment: Deployment, tmp_path: Path, prefix: str | None):
    bundle = Bundle({}, {}, None, "[]", "1.48.0", {}, prefix)
    (tmp_path / "bundle.json").write_text(bundle.text())
    deployment.store.set_meta(HTTP_PREFIX, "/before/")
    read_bundle(tmp_path / "bundle.json").install(deployment)
    assert App(deployment.store.connection, ()).http_prefix == prefix
    assert bundle_of(deployment, "1.48.0", {}).http_prefix == prefix
