"""A served deployment against large, slow and broken-off requests: others are answered, and memory stays bounded."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.official.served import Served, wait_until

from .conftest import FILE

MEGABYTE = 1 << 20
#: Seconds for an answer that is to come at once, on a machine that others use too.
AT_ONCE = 5.0
SECONDS = 120.0
#: 16.5 MB of empty arrays, of objects with one field, of numbers, of texts.
ITEMS = {"[]": 5_500_000, "{}": 5_500_000, '{"":0}': 2_350_000, "1": 8_250_000, '"a"': 4_100_000, "[[]]": 3_300_000}


@pytest.fixture
def served(pushed: Path, tmp_path: Path) -> Iterator[Served]:
    shutil.copy(pushed, tmp_path / FILE)
    with Served(tmp_path) as running:
        yield running


def peak_bytes(served: Served) -> int:
    """The most memory that the server's process has had since the last call."""
    status = Path(f"/proc/{served.pid}/status").read_text()
    Path(f"/proc/{served.pid}/clear_refs").write_text("5")
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(found) * 1024


def ask(served: Served, path: str, body: bytes | None = None, *, key: bool = False) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=SECONDS)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Convex {served.key}"} if key else {})
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def called(served: Served, kind: str, path: str, **args: Any) -> dict[str, Any]:
    status, body = ask(served, f"/api/{kind}", json.dumps({"path": path, "args": args}).encode())
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


@contextmanager
def others_are_answered(served: Served) -> Iterator[None]:
    """While the block runs, ``/version`` is answered at once, again and again."""
    stop, waits = threading.Event(), list[float]()

    def watch() -> None:
        while not stop.is_set():
            began = time.monotonic()
            assert ask(served, "/version")[0] == 200
            waits.append(time.monotonic() - began)
            stop.wait(0.02)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield
        finally:
            stop.set()
            watching.result(SECONDS)
    assert waits and max(waits) < AT_ONCE, f"{max(waits):.2f} s"


def many(item: str, count: int) -> str:
    return f"[{(item + ',') * (count - 1)}{item}]"


def array(item: str) -> str:
    """16.5 MB of ``item``."""
    return many(item, ITEMS[item])


@contextmanager
def session(served: Served) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{served.port}/api/sync", max_size=None, close_timeout=5) as client:
        hello = {"type": "Connect", "sessionId": str(uuid.uuid4()), "connectionCount": 0, "lastCloseReason": None}
        client.send(json.dumps(hello))
        yield client


def received(client: ClientConnection, kind: str) -> dict[str, Any]:
    while (message := json.loads(client.recv(timeout=SECONDS)))["type"] != kind:
        assert message["type"] in ("Ping", "Transition"), message
    found: dict[str, Any] = message
    return found


@pytest.mark.parametrize("item", ITEMS)
def test_many_small_values_in_a_body(served: Served, item: str):
    before = peak_bytes(served)
    bodies = [
        ("/api/query", f'{{"path": "raw:takes", "args": {{"a": {array(item)}}}}}'),
        ("/api/mutation", f'{{"path": "nothing:here", "args": {{"a": {array(item)}}}}}'),
        ("/api/query_batch", f'{{"queries": {array(item)}}}'),
    ]
    with others_are_answered(served), ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, served, path, body.encode()) for path, body in bodies * 2]
        answers = [future.result(SECONDS) for future in asked]
    for status, body in answers:
        assert status == 400, body
        assert json.loads(body)["code"] == "BadJsonBody" and b"values" in body
    # A body of 16.5 MB, twice: as bytes, and with its structure.
    assert peak_bytes(served) - before < 100 * MEGABYTE


def test_as_many_small_values_as_may_be(served: Served):
    """What passes the bounds is refused by Convex's own limit on an array."""
    before = peak_bytes(served)
    body = f'{{"path": "raw:takes", "args": {{"a": {many("[]", 900_000)}}}}}'
    with others_are_answered(served):
        status, answer = ask(served, "/api/query", body.encode())
    assert status == 200 and "an array has 900000 elements" in json.loads(answer)["errorMessage"]
    assert peak_bytes(served) - before < 300 * MEGABYTE


@pytest.mark.parametrize("shape", ["[", '{"a":'])
def test_deep_nesting(served: Served, shape: str):
    status, answer = ask(served, "/api/query", f'{{"path": "raw:takes", "args": {shape * 3_000_000}'.encode())
    assert status == 400 and b"levels" in answer


def test_many_small_values_over_a_websocket(served: Served):
    before = peak_bytes(served)
    with others_are_answered(served), session(served) as client:
        args = '"requestId": 1, "udfPath": "raw:takesInMutation", "args": [{"a": '
        client.send(f'{{"type": "Mutation", {args}{many("[]", 5_000_000)}}}]}}')
        assert "values" in received(client, "FatalError")["error"]
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=SECONDS)
    assert peak_bytes(served) - before < 150 * MEGABYTE


def test_many_small_values_from_pushed_code(served: Served):
    before = peak_bytes(served)
    with others_are_answered(served):
        for name, args in (("raw:many", {"count": 3_000_000}), ("raw:large", {"count": 5_000_000, "item": "[]"})):
            answer = called(served, "query", name, **args)
            assert answer["status"] == "error", answer
    assert peak_bytes(served) - before < 300 * MEGABYTE


@pytest.mark.parametrize(("form", "head"), [("jsonLines", '{"a": '), ("jsonArray", '[{"a": ')])
def test_many_small_values_in_an_import(served: Served, form: str, head: str):
    before = peak_bytes(served)
    content = (
        head + many("[]", 5_300_000 if form == "jsonArray" else 5_000_000) + ("}]" if form == "jsonArray" else "}")
    )
    with others_are_answered(served):
        status, answer = ask(served, f"/api/import?tableName=t&format={form}", content.encode(), key=True)
    assert status == 400 and b"values" in answer, answer
    assert peak_bytes(served) - before < 200 * MEGABYTE


def test_one_line_of_24_megabytes_in_an_import(served: Served):
    before = peak_bytes(served)
    line = f'{{"a": {many("[]", 8_000_000)}}}\n'.encode()
    with others_are_answered(served):
        _, answer = ask(served, "/api/import/start_upload", b"", key=True)
        token = json.loads(answer)["uploadToken"]
        query = f"uploadToken={token}&partNumber=1"
        assert ask(served, f"/api/import/upload_part?{query}", line, key=True)[0] == 200
        wanted = {"tableName": "t", "mode": "append", "format": "jsonLines"}
        body = {"uploadToken": token, "partTokens": ["1"], "import": wanted}
        _, answer = ask(served, "/api/import/finish_upload", json.dumps(body).encode(), key=True)
        query = json.dumps({"path": "_system/cli/queryImport", "args": {"importId": json.loads(answer)["importId"]}})

        def state() -> dict[str, Any]:
            _, found = ask(served, "/api/query", query.encode(), key=True)
            told: dict[str, Any] = json.loads(found)["value"]["state"]
            return told

        wait_until(lambda: state()["state"] == "failed", SECONDS)
    assert "values" in state()["error_message"]
    assert peak_bytes(served) - before < 200 * MEGABYTE


def test_many_cells_in_a_line_of_an_import(served: Served):
    before = peak_bytes(served)
    content = "a,b\n" + "," * (15 * MEGABYTE)
    status, answer = ask(served, "/api/import?tableName=t&format=csv", content.encode(), key=True)
    assert status == 400 and b"longer than any document" in answer
    assert peak_bytes(served) - before < 150 * MEGABYTE


def test_what_convex_allows_passes(served: Served):
    """16 MiB of arguments, in one text, in many numbers, and in texts full of commas and brackets."""
    for value in (
        "x" * (16 * MEGABYTE - 1000),
        [[1.5] * 8192 for _ in range(200)],
        ['[{,"\\' * 1000] * 1500,
    ):
        body = json.dumps({"path": "raw:takes", "args": {"a": value}})
        if len(body) > 16 * MEGABYTE:
            body = body[:0] or json.dumps({"path": "raw:takes", "args": {"a": value[: len(value) // 2]}})
        status, answer = ask(served, "/api/query", body.encode())
        assert status == 200 and json.loads(answer)["value"] == ["a"], answer[:300]


# Messages over a WebSocket


@pytest.mark.parametrize("number", [None, "1", 1.5, True, 1 << 63, -(1 << 63) - 1, 10**40, [1], {}])
@pytest.mark.parametrize("kind", ["Mutation", "Action"])
def test_a_request_has_a_64_bit_number(served_once: Served, kind: str, number: Any):
    with session(served_once) as client:
        name = "raw:takesInMutation" if kind == "Mutation" else "raw:sleeps"
        client.send(json.dumps({"type": kind, "requestId": number, "udfPath": name, "args": [{}]}))
        assert "requestId" in received(client, "FatalError")["error"]
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=SECONDS)
        assert closed.value.rcvd is not None, "a close frame"


@pytest.fixture(scope="module")
def served_once(pushed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for tests that leave it as they found it; none of them may have left a traceback."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(pushed, folder / FILE)
    with Served(folder) as running:
        yield running
        assert ask(running, "/version")[0] == 200
        running.stop()
        with suppress(AssertionError):
            running.err.until("(nothing says this)", seconds=1)
        for word in ("Traceback", "never retrieved", "Incident"):
            assert word not in running.err.text, running.err.text


@pytest.mark.parametrize("number", [0, -1, (1 << 63) - 1, -(1 << 63)])
def test_any_64_bit_number_will_do(served_once: Served, number: int):
    with session(served_once) as client:
        message = {"type": "Mutation", "requestId": number, "udfPath": "raw:takesInMutation", "args": [{"a": 1}]}
        client.send(json.dumps(message))
        answer = received(client, "MutationResponse")
        assert (answer["requestId"], answer["success"], answer["result"]) == (number, True, ["a"])


def test_a_call_that_fails_ends_no_session(served_once: Served):
    """Odd arguments, and functions that do odd things: each is told, and the next one runs."""
    odd = [
        ("raw:asked", [{"operation": "1.0/queryPage", "text": '{"pageSize": Infinity, "query": {}}'}]),
        ("raw:asked", [{"operation": "1.0/queryPage", "text": '{"pageSize": 1e400, "query": {}}'}]),
        ("raw:asked", [{"operation": "x" * 10_000, "text": ""}]),
        ("raw:asked", [1]),
        ("raw:asked", ["x", {}]),
        ("raw:asked", "text"),
        ("raw:asked", [{"$integer": "AAAAAAAAAAA="}]),
        ("_system/nothing", [{}]),
        ("日本", [{}]),
        ("a\r\nb\x00", [{}]),
        ("x" * 100_000, [{}]),
    ]
    with session(served_once) as client:
        for number, (path, args) in enumerate(odd):
            for kind in ("Mutation", "Action"):
                client.send(json.dumps({"type": kind, "requestId": number, "udfPath": path, "args": args}))
                assert received(client, f"{kind}Response")["success"] is False
            add = {"type": "Add", "queryId": number, "udfPath": path, "args": args}
            if isinstance(args, list) and isinstance(args[0], dict):
                change = {"type": "ModifyQuerySet", "baseVersion": number, "newVersion": number + 1}
                client.send(json.dumps({**change, "modifications": [add]}))
            else:
                change = {"type": "ModifyQuerySet", "baseVersion": number, "newVersion": number + 1}
                client.send(json.dumps({**change, "modifications": []}))
            transition = json.loads(client.recv(timeout=SECONDS))
            while transition["type"] != "Transition" or transition["endVersion"]["querySet"] != number + 1:
                transition = json.loads(client.recv(timeout=SECONDS))
        client.send(json.dumps({"type": "Mutation", "requestId": 99, "udfPath": "raw:takesInMutation", "args": [{}]}))
        assert received(client, "MutationResponse")["success"] is True


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.sampled_from([1 << 63, -(1 << 63) - 1, 10**40, 1e308, -0.0, "日本", "a\r\nb", "\x00", "x" * 3000]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["$integer", "$float", "$bytes", "", "_id", "é"]) | st.text(max_size=3), inner,
                      max_size=3),
    max_leaves=5,
)  # fmt: skip
PATHS = st.sampled_from(
    ["raw:takes", "raw:takesInMutation", "raw:asked", "raw:acted", "reading:all", "writing:insert", "paging:page",
     "files:url", "people:who", "wild:ok", "_system/cli/tables", "nothing:here", "raw", ":", "a:b:c", "raw.js:takes"]
) | JSON  # fmt: skip
ARGS = JSON | st.lists(JSON, max_size=2) | st.lists(
    st.fixed_dictionaries({}, optional={"operation": st.sampled_from(["1.0/get", "1.0/queryPage", "1.0/insert", "x"]),
                                        "text": st.text(max_size=9) | JSON.map(json.dumps), "table": JSON, "id": JSON}),
    min_size=1, max_size=1,
)  # fmt: skip
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["Add", "Remove", "x"]),
        "queryId": st.integers(0, 3) | JSON,
        "udfPath": PATHS,
        "args": ARGS,
        "journal": JSON,
        "componentPath": st.none() | JSON,
    },
)
MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["Connect", "Authenticate", "ModifyQuerySet", "Mutation", "Action", "Event"]) | JSON},
    optional={
        "requestId": st.integers(0, 5) | JSON,
        "udfPath": PATHS,
        "args": ARGS,
        "componentPath": st.none() | JSON,
        "baseVersion": st.integers(0, 1) | JSON,
        "newVersion": st.integers(0, 2) | JSON,
        "modifications": st.lists(CHANGES | JSON, max_size=3) | JSON,
        "tokenType": st.sampled_from(["Admin", "User", "None"]) | JSON,
        "value": st.sampled_from(["", "a.b.c", "e30.e30.e30"]) | JSON,
        "impersonating": JSON,
        "sessionId": JSON,
        "clientTs": JSON,
        "maxObservedTimestamp": JSON,
    },
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGES, min_size=1, max_size=5))
def test_any_messages_of_a_session_are_answered_or_end_it(served_once: Served, messages: list[dict[str, Any]]):
    """With words, and never by an exception: the fixture looks at what the server has said."""
    with suppress(ConnectionClosed), session(served_once) as client:
        for message in messages:
            client.send(json.dumps(message))
        client.send(json.dumps({"type": "Mutation", "requestId": 77, "udfPath": "raw:takesInMutation", "args": [{}]}))
        while json.loads(client.recv(timeout=SECONDS)).get("requestId") != 77:
            pass


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from(["query", "mutation", "action", "function", "run/raw/takes", "query_batch", "query_at_ts",
                           "run_test_function"]),
    body=st.fixed_dictionaries(
        {},
        optional={"path": PATHS, "args": ARGS, "format": JSON | st.just("json"), "componentPath": JSON, "ts": JSON,
                  "queries": st.lists(st.fixed_dictionaries({"path": PATHS, "args": ARGS}), max_size=2) | JSON,
                  "bundle": st.fixed_dictionaries({}, optional={"path": JSON, "source": JSON}) | JSON},
    ) | JSON,
    key=st.booleans(),
)  # fmt: skip
def test_any_call_over_http_is_answered(served_once: Served, route: str, body: Any, key: bool):
    status, answer = ask(served_once, f"/api/{route}", json.dumps(body).encode(), key=key)
    assert status < 500, answer
    found = json.loads(answer)
    assert set(found) == {"code", "message"} if status >= 400 else {"status", "results"} & set(found), found


@pytest.mark.parametrize("kind", ["日本", "a\r\nSet-Cookie: x=y", "\x00", 5, ["image/png"], "x" * 5000])
def test_a_content_type_that_no_header_holds_is_refused(served_once: Served, kind: Any):
    asked = {"operation": "1.0/storageStore", "text": json.dumps({"blob": "AAAA", "contentType": kind})}
    answer = called(served_once, "action", "raw:acted", **asked)
    assert answer["status"] == "error" and "content type" in answer["errorMessage"]
    good = {"operation": "1.0/storageStore", "text": json.dumps({"blob": "AAAA", "contentType": "text/plain; a=b"})}
    assert called(served_once, "action", "raw:acted", **good)["status"] == "success"


# Clients that go


def hang_up(client: socket.socket) -> None:
    """Ends a connection as a process that is killed does: nothing that comes is taken."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def handshake(served: Served, client: socket.socket) -> None:
    client.sendall(
        f"GET /api/sync HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    client.recv(1 << 16)


def frame(payload: bytes, *, said: int | None = None) -> bytes:
    """A text frame of a client, masked by zeros; ``said``: the length that its head says."""
    return struct.pack("!BBQ", 0x81, 0xFF, len(payload) if said is None else said) + b"\x00" * 4 + payload


CONNECT = json.dumps({"type": "Connect", "sessionId": "s", "connectionCount": 0, "lastCloseReason": None}).encode()


def _add(path: str, **args: Any) -> bytes:
    add = {"type": "Add", "queryId": 0, "udfPath": path, "args": [args]}
    return json.dumps({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [add]}).encode()


def _request(kind: str, path: str, **args: Any) -> bytes:
    return json.dumps({"type": kind, "requestId": 1, "udfPath": path, "args": [args]}).encode()


#: What a client sends before it goes, over a WebSocket or as a request.
FRAMES = {
    "nothing": b"",
    "half a frame": frame(CONNECT, said=len(CONNECT) + 1000),
    "a large message, cut": frame(b"{" * 100_000, said=10 * MEGABYTE),
    "a query": frame(CONNECT) + frame(_add("reading:all", table="rows")),
    "a mutation": frame(CONNECT) + frame(_request("Mutation", "raw:takesInMutation")),
    "an action": frame(CONNECT) + frame(_request("Action", "raw:sleeps", ms=200)),
    "a fatal message": frame(CONNECT) + frame(b"[]"),
    "what is no JSON": frame(b"{"),
    "a wrong token": frame(CONNECT) + frame(b'{"type":"Authenticate","baseVersion":0,"tokenType":"User","value":"x"}'),
    "no frame": b"\xff\xff\xff\xff",
}
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
)
REQUESTS: dict[str, Callable[[Served], bytes]] = {
    "half a head": lambda served: b"POST /api/query HTTP/1.1\r\nHost: 127",
    "no HTTP": lambda served: b"\x16\x03\x01\x00\x00\r\n\r\n",
    "half a body": lambda served: HEAD.format(path="/api/query", port=served.port, size=5000).encode() + b"{",
    "half a large body": lambda served: (
        HEAD.format(path="/api/mutation", port=served.port, size=16 * MEGABYTE).encode() + b'{"a":"' + b"x" * MEGABYTE
    ),
    "a body, without waiting": lambda served: (
        HEAD.format(path="/api/action", port=served.port, size=46).encode()
        + b'{"path": "raw:sleeps", "args": {"ms": 200.0}} '
    ),
    "a long poll": lambda served: (
        f"GET /api/stream_function_logs?cursor=1e15 HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Authorization: Convex {served.key}\r\n\r\n".encode()
    ),
    "half an upload": lambda served: (
        f"POST /api/import?tableName=t HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Authorization: Convex {served.key}\r\nContent-Length: 1000000\r\n\r\n".encode()
        + b"{}\n" * 1000
    ),
    "a sign-in": lambda served: HEAD.format(path="/sign-in", port=served.port, size=500).encode() + b"key=",
}


def test_clients_that_hang_up_leave_no_traceback(pushed: Path, tmp_path: Path):
    shutil.copy(pushed, tmp_path / FILE)
    with Served(tmp_path) as served:
        (large,) = [
            called(
                served,
                "action",
                "raw:acted",
                operation="1.0/storageStore",
                text=json.dumps({"blob": "A" * (8 * MEGABYTE), "contentType": "text/plain"}),
            )["value"]
        ]
        url = called(served, "query", "files:url", id=json.loads(large))["value"]
        path = "/api/" + url.partition("/api/")[2]
        for polite in (True, False):
            for sent in FRAMES.values():
                client = socket.create_connection(("127.0.0.1", served.port), timeout=10)
                handshake(served, client)
                client.sendall(sent)
                time.sleep(0.02)
                client.close() if polite else hang_up(client)
            for make in REQUESTS.values():
                client = socket.create_connection(("127.0.0.1", served.port), timeout=10)
                client.sendall(make(served))
                time.sleep(0.02)
                client.close() if polite else hang_up(client)
            # In the middle of a response.
            client = socket.create_connection(("127.0.0.1", served.port), timeout=10)
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode())
            client.recv(1000)
            client.close() if polite else hang_up(client)
        # Writers wake whoever is still subscribed.
        for n in range(5):
            assert called(served, "mutation", "writing:insert", table="rows", value={"n": n})["status"] == "success"
        time.sleep(1)
        assert served.stop() == 0
        with suppress(AssertionError):
            served.err.until("(nothing says this)", seconds=2)
        for word in ("Traceback", "never retrieved", "Exception", "Error", "Incident"):
            assert word not in served.err.text, served.err.text


# A server that is told to stop


def _poll(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=SECONDS)
    connection.request(
        "GET", "/api/stream_function_logs?cursor=1e15", headers={"Authorization": f"Convex {served.key}"}
    )
    _OPEN.append(connection)


_OPEN = list[Any]()


def _raw(data: Callable[[Served], bytes]) -> Callable[[Served], None]:
    def send(served: Served) -> None:
        client = socket.create_connection(("127.0.0.1", served.port), timeout=10)
        client.sendall(data(served))
        _OPEN.append(client)

    return send


def _socket(*frames: bytes) -> Callable[[Served], None]:
    def send(served: Served) -> None:
        client = socket.create_connection(("127.0.0.1", served.port), timeout=10)
        handshake(served, client)
        client.sendall(b"".join(map(frame, frames)))
        _OPEN.append(client)

    return send


SLEEP = b'{"path": "raw:sleeps", "args": {"ms": 500000}}'
BUSY: dict[str, Callable[[Served], Any]] = {
    "an action that sleeps": _raw(
        lambda served: HEAD.format(path="/api/action", port=served.port, size=len(SLEEP)).encode() + SLEEP
    ),
    "an action of a session": _socket(CONNECT, _request("Action", "raw:sleeps", ms=500_000)),
    "a scheduled action": lambda served: called(served, "mutation", "raw:sleepLater"),
    "a long poll": _poll,
    "a subscription": _socket(CONNECT, _add("reading:all", table="rows")),
    "half a body": _raw(REQUESTS["half a body"]),
    "half an upload": _raw(REQUESTS["half an upload"]),
}


@pytest.mark.parametrize("busy", BUSY)
def test_it_stops_whatever_it_is_about(pushed: Path, tmp_path: Path, busy: str):
    shutil.copy(pushed, tmp_path / FILE)
    with Served(tmp_path) as served:
        BUSY[busy](served)
        time.sleep(1)
        try:
            assert served.stop() == 0
        finally:
            while _OPEN:
                _OPEN.pop().close()
        with suppress(AssertionError):
            served.err.until("(nothing says this)", seconds=1)
        assert "Traceback" not in served.err.text, served.err.text
