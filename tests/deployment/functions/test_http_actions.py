"""HTTP actions of a served deployment, on the site's port and below ``/http``, as any client calls them."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from starlette.types import Message

from supavex.deployment.server.site import _Exchange
from supavex.errors import SupavexError
from tests.official.served import Served, wait_until

from .conftest import FILE
from .issuer import Issuer

SECONDS = 60.0


@dataclass
class Answer:
    """A response, read whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@pytest.fixture(scope="module")
def served(pushed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(pushed, folder / FILE)
    with Served(folder, "--allow-fetch", "127.0.0.1") as running:
        yield running


def admin(served: Served, path: str) -> object:
    request = Request(f"{served.url}{path}", headers={"Authorization": f"Convex {served.key}"})
    with urlopen(request, timeout=SECONDS) as answer:
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def site(served: Served) -> str:
    urls = admin(served, "/api/v1/get_canonical_urls")
    assert isinstance(urls, dict)
    return str(urls["convexSiteUrl"])


def ask(base: str, path: str, method: str = "GET", body: object = None, **headers: str) -> Answer:
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes | None))  # type: ignore[arg-type]
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def test_requests_and_responses_as_they_are(served: Served, site: str):
    data = bytes(range(256))
    answer = ask(site, "/echo?a=%20b", "POST", data, X_Sent="é".encode().decode("latin-1"))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (201, data, "a/b")
    assert answer.headers["x-url"] == "/echo?a=%20b" and answer.headers["x-host"] == urlsplit(site).netloc
    assert answer.headers["x-seen"].encode("latin-1") == "é".encode()
    below = ask(str(served.url), "/http/echo?x", "POST", b"y", Origin="https://elsewhere.example")
    assert (below.status, below.headers["x-url"], below.body) == (201, "/echo?x", b"y")


def test_routes_by_path_prefix_and_method(site: str):
    assert json.loads(ask(site, "/files/exact").body) == ["exact"]
    assert json.loads(ask(site, "/files/a/b%20c").body) == ["short", "/files/a/b%20c"]
    longer = ask(site, "/files/more/x")
    assert json.loads(longer.body) == ["long"] and longer.headers.get_all("set-cookie") == ["a=1", "b=2"]
    missing = ask(site, "/nowhere")
    assert (missing.status, missing.body) == (404, b"No matching routes found")
    assert ask(site, "/echo").status == 404, "of another method"
    head = ask(site, "/files/exact", "HEAD")
    assert (head.status, head.body) == (200, b"")
    for method in ("PUT", "PATCH", "DELETE"):
        assert ask(site, "/methods", method, b"!").body == method.encode() + b"!"
    options = ask(site, "/methods", "OPTIONS", Origin="https://elsewhere.example")
    assert (options.status, options.headers["access-control-allow-origin"]) == (204, "*")
    assert ask(site, "/methods", "BREW").status == 405


def test_they_reach_the_data(served: Served, site: str):
    answer = json.loads(ask(site, "/data", "POST", b'{"n": 4}').body)
    assert 4 in answer["rows"] and answer["doubled"] == 8
    stored = ask(site, "/stored", "POST", b"abc", Content_Type="text/x-own")
    assert (stored.body, stored.headers["content-type"]) == (b"abc", "text/x-own")

    def logged() -> list[dict[str, object]]:
        found = admin(served, "/api/stream_function_logs?cursor=0")
        assert isinstance(found, dict)
        return [entry for entry in found["entries"] if entry["udfType"] == "HttpAction"]

    wait_until(lambda: any(entry["identifier"] == "POST /data" for entry in logged()))
    (entry,) = [entry for entry in logged() if entry["identifier"] == "POST /data"]
    assert "counted" in json.dumps(entry["logLines"]) and entry["error"] is None


def test_who_asks(site: str, issuer: Issuer):
    token = f"Bearer {issuer.token(sub='ada')}"
    assert json.loads(ask(site, "/who", Authorization=token).body) == ["ada", token]
    # The header may be the app's own: the action runs, and fails only where it asks who calls.
    for own in ("Own secret", "Bearer nonsense", "a"):
        assert json.loads(ask(site, "/header", Authorization=own).body) == [own, "threw", None]
    assert ask(site, "/who", Authorization="Own secret").status == 500
    assert json.loads(ask(site, "/who").body) == [None, None]


def test_bodies_are_streamed(site: str):
    """The second piece is sent when the first has come back."""
    parts = urlsplit(site)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    connection.putrequest("POST", "/stream")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    connection.send(b"3\r\nabc\r\n")
    response = connection.response_class(connection.sock)  # type: ignore[arg-type]
    response.begin()
    assert response.read1(3) == b"ABC"
    connection.send(b"2\r\nde\r\n0\r\n\r\n")
    assert response.read() == b"DE"
    connection.close()


def test_limits(site: str):
    assert ask(site, "/echo", "POST", bytes(20 << 20)).status == 201
    assert ask(site, "/echo", "POST", bytes((20 << 20) + 1)).status == 413
    pieces = (bytes(1 << 20) for _ in range(21))
    assert ask(site, "/echo", "POST", pieces, Transfer_Encoding="chunked").status == 500
    assert len(ask(site, "/large").body) == 20 << 20


@pytest.mark.parametrize(
    ("path", "said"),
    [("/throws", "Error: my words"), ("/nothing", "Error: HTTP actions must return a Response"),
     ("/fails", "Error: Uncaught Error: a message")],
)  # fmt: skip
def test_what_a_client_gets_of_an_error(site: str, path: str, said: str):
    answer = ask(site, path)
    found = json.loads(answer.body)
    assert answer.status == 500 and answer.headers["content-type"] == "application/json"
    assert found["code"].endswith(f"Server Error: Uncaught {said}") and found["trace"].startswith(f"Uncaught {said}\n")


def test_the_data_of_an_error(site: str):
    assert json.loads(ask(site, "/data-error").body)["data"] == {"code": 7}


def test_an_error_after_the_begin_ends_the_response(site: str):
    answer = ask(site, "/late")
    assert (answer.status, answer.body) == (200, b"begun")
    assert json.loads(ask(site, "/files/exact").body) == ["exact"]


def test_an_action_hears_that_its_client_has_gone(served: Served, site: str):
    def rows() -> list[float]:
        body = json.dumps({"path": "acting:list", "args": {}, "format": "json"}).encode()
        headers = {"Authorization": f"Convex {served.key}", "Content-Type": "application/json"}
        with urlopen(Request(f"{served.url}/api/query", body, headers), timeout=SECONDS) as answer:
            found: list[float] = json.loads(answer.read())["value"]
            return found

    assert json.loads(ask(site, "/signal").body) is False
    parts = urlsplit(site)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    connection.request("POST", "/waits", b"a body that nobody reads")
    wait_until(lambda: 70 in rows())
    assert 71 not in rows()
    connection.close()
    wait_until(lambda: 71 in rows())
    assert -1 not in rows()


async def _never_received() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _sent(message: Message) -> None:
    pass


def test_a_read_of_a_body_ends_with_the_exchange():
    """An action may end while it reads: neither its thread nor a task of the server's goes on."""

    async def exchanged() -> tuple[list[str], int]:
        told: list[str] = []
        begun = threading.Event()

        def read() -> None:
            begun.set()
            try:
                exchange.answer("http/body", {})
            except SupavexError as error:
                told.append(error.code)

        async with _Exchange(_never_received, _sent, asyncio.get_running_loop()) as exchange:
            reading = threading.Thread(target=read, daemon=True)
            reading.start()
            await asyncio.to_thread(begun.wait)
            await asyncio.sleep(0.05)  # so that it waits for the client
        await asyncio.to_thread(reading.join, SECONDS)
        until = time.monotonic() + SECONDS
        while len(asyncio.all_tasks()) > 1 and time.monotonic() < until:
            await asyncio.sleep(0.01)
        return told, len(asyncio.all_tasks())

    assert asyncio.run(exchanged()) == (["StreamFailed"], 1)


def test_an_action_that_waits_for_nothing_is_over(site: str):
    answer = ask(site, "/never")
    assert answer.status == 500 and b"Returned promise will never resolve" in answer.body
