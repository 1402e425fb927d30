"""docs/compatibility.md is true: every command and every route is in it, and what works has been seen to work."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route, WebSocketRoute

from supavex.deployment import Deployment
from supavex.deployment.functions import actions, operations
from supavex.deployment.server.app import make_app
from supavex.deployment.server.host import Addresses, Host
from tests.deployment.server.test_security import ask, hello, settled, socket
from tests.projects import ROOT

from .node import NODE_MODULES
from .served import Served

TEXT = (ROOT / "docs/compatibility.md").read_text()
PACKAGE = NODE_MODULES / "convex/src"


def table(heading: str) -> dict[str, str]:
    """The state of each thing in the table below a heading."""
    text = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([^`]+)` \| (works|partly|not) \|", text, re.MULTILINE))
    assert len(rows) == len(re.findall(r"^\| `", text, re.MULTILINE)) > 5
    return rows


COMMANDS = {name.removeprefix("convex "): state for name, state in table("Commands").items()}
ENDPOINTS, MESSAGES, OPERATIONS = table("Endpoints"), table("Messages"), table("Operations")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A deployment for this module."""
    with tempfile.TemporaryDirectory(prefix="supavex-test-") as folder, Served(Path(folder)) as server:
        yield server


def test_every_command_is_a_row():
    command = [str(NODE_MODULES / ".bin/convex"), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout
    listed = re.findall(r"^  ([a-z-]+)", shown.partition("Commands:")[2], re.MULTILINE)
    assert len(listed) > 15
    assert set(listed) == COMMANDS.keys()


def test_commands_that_work_are_tested():
    tests = "".join((ROOT / f"tests/official/{name}.py").read_text() for name in ("test_serve", "test_run"))
    row = r"^\| `convex ([a-z-]+)` \| works \| (?!needs no deployment)"
    working = re.findall(row, TEXT, re.MULTILINE)
    assert len(working) == 10
    helpers = {"dev": "app.push()", "export": "app.export(", "function-spec": '"function-spec"'}
    for name in working:
        assert helpers.get(name, f'"{name}"') in tests, name


def routes() -> set[str]:
    """Every path that the server has an answer for, its catch-all aside."""
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder) / "d.sqlite3") as deployment:
        app = make_app(Host(deployment, Path(folder), "a|b", Addresses("", "")))
    paths = {route.path for route in app.routes if isinstance(route, Route | WebSocketRoute)}
    return paths - {"/{path:path}"}


def test_every_message_is_a_row():
    """The session takes what the npm package can send, and the package reads what the table says that it gets."""
    protocol = (PACKAGE / "browser/sync/protocol.ts").read_text()
    assert set(re.findall(r'type: "(\w+)"', protocol)) == MESSAGES.keys()
    server = ROOT / "src/supavex/deployment/server"
    session = "".join(
        (server / f"{name}.py").read_text() for name in ("sync", "session", "sender", "pending", "subscription")
    )
    # An addition to the queries is whatever is no removal.
    assert {name for name in MESSAGES if f'"{name}"' not in session} == {"Add"}


def test_every_operation_is_a_row():
    named = {
        name
        for path in (PACKAGE / "server").rglob("*.ts")
        for name in re.findall(r"[\"'](1\.0/[\w/]+)[\"']", path.read_text())
    }
    # The package names this one by what is asked of it.
    assert named | {"1.0/cancel_job", "1.0/actions/cancel_job", "1.0/componentArgument"} == OPERATIONS.keys()
    deployment = ROOT / "src/supavex/deployment"
    functions = deployment / "functions"
    elsewhere = (deployment / "runtime/run.js").read_text() + (functions / "running.py").read_text()
    elsewhere += (functions / "actions.py").read_text()
    for name, state in OPERATIONS.items():
        called = name.removeprefix("1.0/actions/") in ("query", "mutation", "action")
        if state == "not":
            assert name not in operations.OPERATIONS and name not in actions._WRITING, name
        else:
            assert name in operations.OPERATIONS or called or f'"{name}"' in elsewhere, name


def test_every_route_is_a_row():
    assert routes() <= ENDPOINTS.keys()
    assert {name for name, state in ENDPOINTS.items() if state != "not"} <= routes()


def test_endpoints_that_are_not_there_say_so(served: Served):
    absent = ENDPOINTS.keys() - routes()
    assert len(absent) >= 5
    for path in absent:
        answer = ask(served, "POST", re.sub(r"\{[\w:]+\}", "x", path), {})
        assert (answer.status, answer.json["code"]) == (400, "NotSupportedHere"), path


class Seen:
    """Asks, and remembers which routes have answered well."""

    def __init__(self, served: Served) -> None:
        self.served, self.routes = served, set[str]()

    def ask(self, method: str, path: str, body: Any = None, *, route: str = "", **headers: str) -> Any:
        """The JSON of an answer that must be good."""
        answer = ask(self.served, method, path, body, **headers)
        assert answer.status == 200, (path, answer.body)
        self.routes.add(route or path.partition("?")[0])
        return answer.json if answer.headers["content-type"] == "application/json" and answer.body else answer.body

    def call(self, path: str, arguments: dict[str, Any]) -> Any:
        """What a system function returns."""
        return self.ask("POST", "/api/query", {"path": path, "args": arguments})["value"]


SCHEMA = {"tables": [], "schemaValidation": True}
#: What esbuild makes of a module with three functions, without its chunks.
MODULE = """
function made(kind, invoke, f) {
  return { isPublic: true, isRegistered: true, [kind]: true, [invoke]: async (...given) => JSON.stringify(f(given)),
    exportArgs: () => '{"type":"any"}', exportReturns: () => "null" };
}
var ask = made("isQuery", "invokeQuery", () => 1.5);
var change = made("isMutation", "invokeMutation", () => "changed");
var act = made("isAction", "invokeAction", () => "acted");
export { ask, change, act };
"""
ROUTER = """
var routed = (path, method) => (path === "/a" ? [null, method, path] : null);
var answer = async () => JSON.stringify(Convex.jsSyscall("convexJsonFromResponse", { response: new Response("yes") }));
var router = { isRouter: true, getRoutes: () => [["/a", "GET", null]], lookup: routed, runRequest: answer };
export { router as default };
"""
PUSH = {
    "dryRun": False,
    "functions": "convex/",
    "appDefinition": {
        "definition": None,
        "dependencies": [],
        "schema": {
            "path": "schema.js",
            "source": f"var s = {{ export: () => {json.dumps(json.dumps(SCHEMA))} }}; export {{ s as default }};",
            "environment": "isolate",
        },
        "changedModules": [
            {"path": "a.js", "source": MODULE, "environment": "isolate"},
            {"path": "http.js", "source": ROUTER, "environment": "isolate"},
        ],
        "unchangedModuleHashes": [],
        "udfServerVersion": "1.48.0",
    },
    "componentDefinitions": [],
}


def test_packages_that_the_deployment_would_have_to_install_are_refused(served: Served):
    app = {**PUSH["appDefinition"], "nodeDependencies": [{"name": "sharp", "version": "0.34.0"}]}
    answer = ask(served, "POST", "/api/deploy2/start_push", {**PUSH, "appDefinition": app})
    assert (answer.status, answer.json["code"]) == (400, "NotSupportedHere")
    assert "installs no npm packages, and convex.json leaves sharp out" in answer.json["message"]


def test_endpoints_that_work_have_been_seen_to(served: Served):
    seen = Seen(served)
    for path in ("/version", "/instance_version", "/instance_name", "/api/v1/get_canonical_urls"):
        assert seen.ask("GET", path)
    assert seen.ask("GET", "/api/check_admin_key") == {"success": True}
    pushing(seen)
    transferring(seen)
    for prefix in ("/api", "/api/v1"):
        seen.ask("POST", f"{prefix}/update_environment_variables", {"changes": [{"name": "A", "value": prefix}]})
        found = seen.ask("GET", f"{prefix}/list_environment_variables")
        assert found == {"environmentVariables": {"A": prefix}}
    seen.ask("POST", "/api/storage/generate_upload_url")
    calling(seen)
    storing(seen)
    for path in ("/api/sync", "/api/{version}/sync"):
        with socket(served, path.replace("{version}", "1.48.0")) as session:
            hello(session)
        seen.routes.add(path)
    assert seen.routes == routes()


def pushing(seen: Seen) -> None:
    assert seen.ask("POST", "/api/get_config_hashes", {"version": "1.48.0"})["moduleHashes"] == []
    assert "schemaChange" in seen.ask("POST", "/api/deploy2/evaluate_push", PUSH)
    started = seen.ask("POST", "/api/deploy2/start_push", PUSH)
    assert started["analysis"][""]["schema"] == SCHEMA
    waited = seen.ask("POST", "/api/deploy2/wait_for_schema", {"schemaChange": started["schemaChange"]})
    assert waited == {"type": "complete"}
    finished = seen.ask("POST", "/api/deploy2/finish_push", {"startPush": started, "dryRun": False})
    assert finished["componentDiffs"][""]["moduleDiff"]["added"] == ["a.js", "http.js"]
    assert seen.ask("POST", "/api/deploy2/report_push_completed", {}) is None
    hashes = seen.ask("POST", "/api/get_config_hashes", {})["moduleHashes"]
    assert [module["path"] for module in hashes] == ["a.js", "http.js"]


def calling(seen: Seen) -> None:
    kinds = {"/api/query": "ask", "/api/mutation": "change", "/api/action": "act"}
    values = {"ask": 1.5, "change": "changed", "act": "acted"}
    for path, name in kinds.items():
        assert seen.ask("POST", path, {"path": f"a:{name}", "args": {}}) == {"status": "success", "value": values[name]}
        assert seen.ask("POST", path, {"path": "a:b", "args": {}})["status"] == "error"
        assert seen.ask("POST", path, {"path": "_system/cli/tables", "args": {}})["value"]["isDone"] is True
    for name, value in values.items():
        assert seen.ask("POST", "/api/function", {"path": f"a:{name}", "args": {}})["value"] == value
        route = "/api/run/{path:path}"
        assert seen.ask("POST", f"/api/run/a/{name}", {"args": {}}, route=route)["value"] == value
    assert (
        seen.ask("POST", "/api/query_batch", {"queries": [{"path": "a:ask", "args": {}}]})["results"][0]["value"] == 1.5
    )
    assert seen.ask("GET", "/http/a", route="/http/{path:path}") == b"yes"
    ts = seen.ask("POST", "/api/query_ts")["ts"]
    assert seen.ask("POST", "/api/query_at_ts", {"path": "a:ask", "args": {}, "ts": ts})["value"] == 1.5
    source = (
        'import { query } from "convex:/_system/repl/wrappers.js";\n'
        "var two = query({ handler: () => 2 });\nexport { two as default };\n"
    )
    body = {"bundle": {"path": "testQuery.js", "source": source}, "args": {}, "format": "json"}
    assert seen.ask("POST", "/api/run_test_function", body) == {"status": "success", "value": 2}
    entries = seen.ask("GET", "/api/stream_function_logs?cursor=0")["entries"]
    assert {"a:ask", "a:change", "a:act", "a:b"} <= {entry["identifier"] for entry in entries}


def uploaded(seen: Seen) -> str:
    token = seen.ask("POST", "/api/import/start_upload")["uploadToken"]
    part = seen.ask("POST", f"/api/import/upload_part?uploadToken={token}&partNumber=1", b'{"a":1}\n')
    wanted = {"format": "jsonLines", "mode": "append", "tableName": "posts"}
    body = {"import": wanted, "uploadToken": token, "partTokens": [part]}
    id_ = seen.ask("POST", "/api/import/finish_upload", body)["importId"]
    settled(seen.served, id_)
    return id_


def transferring(seen: Seen) -> None:
    first = uploaded(seen)
    assert seen.ask("POST", "/api/perform_import", {"importId": first}) is None
    settled(seen.served, first)
    seen.ask("POST", "/api/cancel_import", {"importId": uploaded(seen)})
    direct = seen.ask("POST", "/api/import?tableName=posts&format=jsonLines&mode=append", b'{"a":2}\n')
    assert direct == {"numWritten": 1}
    assert seen.call("_system/cli/tableSize", {"tableName": "posts"}) == 2
    assert list(seen.ask("GET", "/api/shapes2")) == ["posts"]
    assert seen.ask("POST", "/api/export/request/zip?includeStorage=true") is None
    while (state := seen.call("_system/cli/exports:getLatest", {}))["state"] != "completed":
        assert state["state"] in ("requested", "in_progress")
    archive = seen.ask("GET", f"/api/export/zip/{state['_id']}", route="/api/export/zip/{name}")
    assert archive.startswith(b"PK")


def storing(seen: Seen) -> None:
    url = seen.ask("POST", "/api/storage/generate_upload_url")["uploadUrl"]
    kept = seen.ask("POST", url.removeprefix(seen.served.url), b"contents", Content_Type="text/plain")["storageId"]
    with Deployment(seen.served.data / "deployment.sqlite3") as deployment:
        sql = "SELECT name FROM files"
        ((name,),) = deployment.store.connection.execute(sql).fetchall()
    assert seen.ask("GET", f"/api/storage/{name}", route="/api/storage/{name}") == b"contents"
    (row,) = seen.call("_system/cli/tableData", {"table": "_storage"})["page"]
    assert (row["_id"], row["contentType"], row["size"]) == (kept, "text/plain", 8)


def test_the_table_of_public_apps_adds_up():
    """The last row is the sum of those above it, and each call of a row is answered, refused, offline or failed."""
    text = TEXT.partition("\n## Public apps\n")[2].partition("| sum |")
    found = re.findall(r"^\| get-convex/[^|]+((?:\| \d+ )+)\|$", text[0], re.MULTILINE)
    rows = [list(map(int, re.findall(r"\d+", numbers))) for numbers in found]
    total = list(map(int, re.findall(r"\d+", text[2].partition("\n")[0])))
    assert len(rows) == 16
    assert total == [sum(column) for column in zip(*rows, strict=True)]
    for apps, pushed, functions, called, *outcomes in [*rows, total]:
        assert pushed <= apps and called <= functions and called == sum(outcomes)
