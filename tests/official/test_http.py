"""Functions over HTTP: the npm package's clients for it, and requests as Convex's documentation writes them."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from .clients.deployment import ISSUER, pushed_app, token
from .served import App

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with pushed_app() as pushed:
        yield pushed


@pytest.fixture
def http_client(app: App) -> Iterator[httpx2.Client]:
    """As httpx is used with any other API."""
    with httpx2.Client(base_url=app.served.url, timeout=60, trust_env=False) as client:
        yield client


def test_clients_of_the_npm_package(app: App):
    command = ["node", str(HERE / "clients/http.mjs"), app.served.url, app.served.key, token("ada", name="Ada")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert ran.returncode == 0, ran.stderr
    # The logs of functions come first.
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["query"] == ["a"]
    assert (found["consistent"], found["now"]) == ([0, 0], 1), "one moment for all consistent queries"
    assert found["action"] == {
        "bytes": {"$bytes": "AQI="}, "int": {"$integer": "BwAAAAAAAAA="}, "nan": {"$float": "AAAAAAAA+H8="},
        "text": "é", "zero": {"$float": "AAAAAAAAAIA="},
    }  # fmt: skip
    assert (found["nobody"], found["user"], found["cleared"]) == (None, ["ada", "Ada"], None)
    assert found["refused"]["data"] == "refused"
    for name in ("unknown", "internal"):
        assert "Could not find public function" in found[name]["message"]
    assert "InvalidAuthHeader" in found["wrong"]["message"]
    assert (found["admin"], found["acting"]) == ("seen", ["acted", None])
    assert found["next"] == [["a"], "next", f"{ISSUER}|ada", ["a", "next"]]


def test_the_requests_of_convex_s_documentation(http_client: httpx2.Client):
    body = {"path": "items:add", "args": {"list": "docs", "text": "é"}, "format": "json"}
    assert http_client.post("/api/mutation", json=body).json() == {"status": "success", "value": "é"}
    body = {"path": "items:list", "args": {"list": "docs"}, "format": "json"}
    asked = http_client.post("/api/query", json=body).json()
    assert asked == {"status": "success", "value": ["é"], "logLines": ["[LOG] 'ran' 'docs'"]}
    query = {"path": "items:list", "args": json.dumps({"list": "docs"}), "format": "json"}
    assert http_client.get("/api/query", params=query).json() == asked
    assert http_client.post("/api/run/items/list", json={"args": {"list": "docs"}}).json() == asked
    ran = http_client.post("/api/run/people/act", json={"args": {}}, headers={"Authorization": f"Bearer {token('a')}"})
    assert ran.json()["value"] == f"{ISSUER}|a"
    failed = http_client.post("/api/run/people/act", json={"args": {}}).json()
    assert (failed["status"], failed["errorData"]) == ("error", {"who": None})


def test_values_in_both_formats(http_client: httpx2.Client):
    value = {"i": {"$integer": "BwAAAAAAAAA="}, "b": {"$bytes": "AQI="}, "n": {"$float": "AAAAAAAA+H8="}, "f": 1.5}
    body = {"path": "values:echo", "args": {"value": value}}
    encoded = http_client.post("/api/query", json={**body, "format": "convex_encoded_json"}).json()["value"]
    assert encoded == value
    plain = {"i": "7", "b": "AQI=", "n": "NaN", "f": 1.5}
    for more in ({"format": "json"}, {}):
        assert http_client.post("/api/query", json={**body, **more}).json()["value"] == plain
    wrong = http_client.post("/api/query", json={**body, "format": "xml"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "BadFormat")


def test_a_batch_is_of_one_moment(app: App, http_client: httpx2.Client):
    names = ["batch one", "batch two"]
    stop = threading.Event()

    def write() -> None:
        with httpx2.Client(base_url=app.served.url, timeout=60, trust_env=False) as writer:
            while not stop.is_set():
                writer.post("/api/mutation", json={"path": "counters:bump", "args": {"names": names}})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        queries = [{"path": "counters:get", "args": {"name": name}, "format": "json"} for name in names]
        for _ in range(30):
            results = http_client.post("/api/query_batch", json={"queries": queries}).json()["results"]
            assert results[0]["value"] == results[1]["value"]
    finally:
        stop.set()
        thread.join(20)
    assert results[0]["value"] > 0


def test_moments_that_are_not_held(http_client: httpx2.Client):
    body = {"path": "counters:get", "args": {"name": "x"}}
    for ts in ("AAAAAAAAAAA=", "", 5, None):
        asked = http_client.post("/api/query_at_ts", json={**body, "ts": ts})
        assert asked.status_code == 400, ts
        assert asked.json()["code"] in ("OutOfRetention", "BadJsonBody")
    moments = {http_client.post("/api/query_ts").json()["ts"] for _ in range(40)}
    assert len(moments) == 1, "nothing has been written"
    for number in range(20):
        http_client.post("/api/mutation", json={"path": "counters:bump", "args": {"names": ["held"]}})
        ts = http_client.post("/api/query_ts").json()["ts"]
        held = http_client.post("/api/query_at_ts", json={**body, "args": {"name": "held"}, "ts": ts}).json()
        assert held["value"] == number + 1
    # There is an end to what is held.
    assert http_client.post("/api/query_at_ts", json={**body, "ts": moments.pop()}).json()["code"] == "OutOfRetention"


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def test_actions_fetch_from_hosts_that_are_allowed(app: App):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def fetched(host: str) -> dict[str, Any]:
            body = {"path": "fetching:get", "args": {"url": f"http://{host}:{server.server_port}/"}}
            answer: dict[str, Any] = httpx2.post(f"{app.served.url}/api/action", json=body, trust_env=False).json()
            return answer

        assert "supavex serve --allow-fetch 127.0.0.1" in fetched("127.0.0.1")["errorMessage"]
        app.served.stop()
        app.served.options = ("--allow-fetch", "127.0.0.1")
        app.served.start(app.served.port)
        assert fetched("127.0.0.1") == {"status": "success", "value": "hello"}
        assert "localhost is not allowed here" in fetched("localhost")["errorMessage"]
        app.served.stop()
        app.served.options = ("--allow-fetch", "*")
        app.served.start(app.served.port)
        assert fetched("localhost")["value"] == "hello"
        server.shutdown()
