"""Clients that are slow, and those that are too many: each is let go, and others are answered."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

pytestmark = pytest.mark.served
SECONDS = 30.0
#: A server whose limits are so low that a test can wait for them.
SERVER = """
import sys
from pathlib import Path
from supavex.deployment.server import connections, sync
from supavex.deployment.serving import ServeOptions, serve
connections.HEAD_SECONDS, connections.BODY_SECONDS, connections.BODY_RATE = 2.0, 3.0, 1000
connections.MAX_CONNECTIONS, connections._LOOK_SECONDS = 20, 0.1
sync._CONNECT_SECONDS = 2.0
def say(host):
    host.silence_seconds = 0.5
    print(host.addresses.cloud, flush=True)
serve(ServeOptions(Path(sys.argv[1]), port=0, site_port=0), say)
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().strip().rpartition(":")[2])
            process.terminate()
            _, err = process.communicate(timeout=SECONDS)
            assert "Traceback" not in err, err
        finally:
            process.kill()


_OPEN = list[socket.socket]()


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Closes what a test has opened."""
    yield
    while _OPEN:
        _OPEN.pop().close()


def opened(port: int, data: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    _OPEN.append(client)
    client.sendall(data)
    return client


def answered(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/version")
        return connection.getresponse().status == 200
    except (ConnectionError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def ended(client: socket.socket) -> bool:
    """Whether the server ends the connection before the test gives up."""
    try:
        while client.recv(1 << 16):
            pass
    except ConnectionError:
        return True
    return True


def head(port: int, size: int) -> bytes:
    return f"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {size}\r\n\r\n".encode()


@pytest.mark.parametrize("data", [b"", b"G", b"GET /version HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_head_that_does_not_come(port: int, data: bytes):
    assert ended(opened(port, data))


def test_a_head_that_comes_byte_by_byte(port: int):
    client = opened(port, b"GET /version HTTP/1.1\r\n")
    began = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - began < SECONDS:
            client.sendall(b"X-A: b\r\n")
            time.sleep(0.1)
    assert time.monotonic() - began < SECONDS


def test_a_second_head_that_does_not_come(port: int):
    client = opened(port, f"GET /version HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    client.sendall(b"GET /ver")
    assert ended(client)


def test_a_body_that_does_not_come(port: int):
    assert ended(opened(port, head(port, 1000) + b"{"))


def test_a_body_that_comes_byte_by_byte(port: int):
    client = opened(port, head(port, 100_000))
    began = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - began < SECONDS:
            client.sendall(b" ")
            time.sleep(0.05)
    assert time.monotonic() - began < SECONDS


def test_a_body_that_takes_its_time_and_comes(port: int):
    body = b'{"path": "a:b", "args": {}}' + b" " * 20_000
    client = opened(port, head(port, len(body)))
    for at in range(0, len(body), 2000):
        client.sendall(body[at : at + 2000])
        time.sleep(0.5)
    assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_a_websocket_whose_client_never_says_who_it_is(port: int):
    client = opened(
        port,
        f"GET /api/sync HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode(),
    )
    told = b""
    while piece := client.recv(1 << 16):
        told += piece
        if b"FatalError" in told:
            break
    assert b"The first message is Connect" in told


def test_one_connection_too_many_is_closed_and_the_others_are_not(port: int):
    clients = [opened(port) for _ in range(20)]
    assert not answered(port)
    for client in clients[:10]:
        client.close()
    deadline = time.monotonic() + SECONDS
    while not answered(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_message_in_many_pieces(port: int):
    """Each of one byte: all of it comes."""
    from websockets.sync.client import connect

    hello = json.dumps({"type": "Connect", "sessionId": "x" * 2000, "connectionCount": 0, "lastCloseReason": None})
    with connect(f"ws://127.0.0.1:{port}/api/sync") as client:
        client.send(iter(hello))
        client.send(json.dumps({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": []}))
        assert json.loads(client.recv(timeout=SECONDS))["type"] in ("Transition", "Ping")
