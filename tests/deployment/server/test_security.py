"""A live server against whoever asks: keys, hosts, origins, bombs, and requests of every odd kind."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import io
import json
import tempfile
import threading
import time
import zipfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from supavex.deployment import Deployment
from supavex.deployment.database.stored_files import Files
from supavex.deployment.server.app import make_app
from supavex.deployment.server.host import Addresses, Host
from tests.official.served import Served, wait_until

SECONDS = 60
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One server for all of these: whatever is sent to it, it must still be there for the next."""
    with tempfile.TemporaryDirectory(prefix="supavex-test-") as folder, Served(Path(folder)) as server:
        yield server
        assert ask(server, "GET", "/api/check_admin_key").status == 200, server.err.text


class Answer:
    """Status, headers and body of an answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(
    served: Served, method: str, path: str, body: Any = None, *, key: str | None = "right", **headers: str
) -> Answer:
    """One request; ``body`` is sent as JSON where it is no bytes."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        given["Authorization"] = f"Convex {served.key if key == 'right' else key}"
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=SECONDS)
    try:
        connection.request(method, path, body, given)
        return Answer(connection.getresponse())
    finally:
        connection.close()


@functools.cache
def routes() -> list[tuple[str, str]]:
    """Method and path of every HTTP route, with names put in for what a path leaves open."""
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder) / "d.sqlite3") as deployment:
        app = make_app(Host(deployment, Path(folder), "a|b", Addresses("http://127.0.0.1:1", "http://127.0.0.1:2")))
    return [
        (method, route.path.replace("{name}", "x"))
        for route in app.routes
        if isinstance(route, Route)
        and "{path:path}" not in route.path
        and route.path.startswith(("/api", "/version", "/i"))
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


#: Routes that need no key: they tell nothing, or check something else.
OPEN = {
    "/version", "/instance_version", "/instance_name", "/api/query", "/api/mutation", "/api/action", "/api/query_ts",
    "/api/query_at_ts", "/api/query_batch", "/api/storage/upload", "/api/storage/x",
}  # fmt: skip


# Keys


@pytest.mark.parametrize(
    "key", [None, "", "x", "supavex-local|", "supavex-local|" + "0" * 64, "é|ÿ", "a|b:" + "A" * 5000]
)
def test_every_route_wants_the_key(served: Served, key: str | None):
    guarded = [
        (method, path) for method, path in routes() if path not in OPEN and not path.startswith("/api/dashboard")
    ]
    assert len(guarded) > 25
    for method, path in guarded:
        answer = ask(served, method, path, key=None if key is None else key.encode().decode("latin-1"))
        assert (answer.status, answer.json["code"]) == (401, "BadDeployKey"), path


def test_a_key_with_an_identity_behind_it_is_the_key(served: Served):
    identity = base64.b64encode(b'{"name":"a"}').decode()
    assert ask(served, "GET", "/api/check_admin_key", key=f"{served.key}:{identity}").status == 200
    assert ask(served, "GET", "/api/check_admin_key", key=f"{served.key}x").status == 401
    assert ask(served, "GET", "/api/check_admin_key", key=None, Authorization=f"Bearer {served.key}").status == 401


def test_system_functions_want_the_key_and_others_are_not_there(served: Served):
    body = {"path": "_system/cli/tables", "args": {}}
    ts = ask(served, "POST", "/api/query_ts", key=None).json["ts"]
    for path in ("/api/query", "/api/query_at_ts", "/api/mutation", "/api/action", "/api/run/a/b"):
        if path != "/api/run/a/b":
            assert ask(served, "POST", path, {**body, "ts": ts}, key=None).status == 401
        found = ask(served, "POST", path, {"path": "a:b", "args": {}, "ts": ts}, key=None)
        assert found.status == 200 and "Could not find public function for 'a:b'" in found.json["errorMessage"]
    wrong = ask(served, "POST", "/api/query_batch", {"queries": [body]}, key=None)
    assert (wrong.status, wrong.json["code"]) == (401, "BadDeployKey")
    assert ask(served, "POST", "/api/run/_system/cli/tables", {"args": {}}, key=None).status == 401
    assert ask(served, "POST", "/api/query", body).json["status"] == "success"


def test_an_upload_wants_an_address_that_was_given_for_it(served: Served):
    url = ask(served, "POST", "/api/storage/generate_upload_url").json["uploadUrl"]
    path = url.removeprefix(served.url)
    kept = ask(served, "POST", path, b"contents", key=None, Content_Type="text/html").json["storageId"]
    until, _, digest = path.rpartition("=")[2].partition("-")
    for token in ("", "x", f"{int(until) + 1}-{digest}", f"0-{digest}", f"{until}-", "9" * 5000, "١-x", f"{until}-é"):
        answer = ask(served, "POST", f"/api/storage/upload?token={quote(token)}", b"a", key=None)
        assert (answer.status, answer.json["code"]) == (401, "StorageTokenInvalid")
    wrong, right = (base64.b64encode(hashlib.sha256(data).digest()).decode() for data in (b"b", b"a"))
    said = ask(served, "POST", path, b"a", key=None, Digest=f"sha-256={wrong}").json
    assert said == {"code": "Sha256Mismatch", "message": f"Sha256 mismatch. Expected: {wrong} Actual: {right}"}
    for digest in ("sha-256=A", "sha-256=AAAA", f"SHA-256={right}", f"md5={right}", right):
        said = ask(served, "POST", path, b"a", key=None, Digest=digest).json
        assert said == {"code": "BadHeader", "message": "Bad header for digest: invalid HTTP header"}
    rows = ask(served, "POST", "/api/query", {"path": "_system/cli/tableData", "args": {"table": "_storage"}})
    assert [row["_id"] for row in rows.json["value"]["page"]] == [kept]


@pytest.mark.parametrize("kind", ["text/plain", "text/html;charset=latin1", "application/x-odd", None])
def test_a_file_is_sent_with_the_type_that_it_was_given_with(served: Served, kind: str | None):
    path = ask(served, "POST", "/api/storage/generate_upload_url").json["uploadUrl"].removeprefix(served.url)
    headers = {} if kind is None else {"Content_Type": kind}
    id_ = ask(served, "POST", path, b"contents", key=None, **headers).json["storageId"]
    found = ask(served, "GET", f"/api/storage/{uuid_of(served, id_)}", key=None)
    assert (found.headers["content-type"], found.body) == (kind, b"contents")


def test_a_range_of_an_empty_file_is_all_of_it(served: Served):
    path = ask(served, "POST", "/api/storage/generate_upload_url").json["uploadUrl"].removeprefix(served.url)
    id_ = ask(served, "POST", path, b"", key=None, Content_Type="text/plain").json["storageId"]
    found = ask(served, "GET", f"/api/storage/{uuid_of(served, id_)}", key=None, Range="bytes=0-10")
    assert (found.status, found.body, found.headers["content-length"]) == (200, b"", "0")


def test_ranges_and_the_digest_of_a_file(served: Served):
    path = ask(served, "POST", "/api/storage/generate_upload_url").json["uploadUrl"].removeprefix(served.url)
    id_ = ask(served, "POST", path, b"0123456789", key=None, Content_Type="audio/mpeg").json["storageId"]
    address = f"/api/storage/{uuid_of(served, id_)}"
    digest = f"sha-256={base64.b64encode(hashlib.sha256(b'0123456789').digest()).decode()}"
    for ranged in ({}, {"Range": "lines=1-2"}, {"Range": "bytes"}):
        found = ask(served, "GET", address, key=None, **ranged)
        assert (found.status, found.body, found.headers["digest"]) == (200, b"0123456789", digest)
    for asked, content, told in (
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes= 1-1", b"1", "bytes 1-1/10"),
    ):
        found = ask(served, "GET", address, key=None, Range=asked)
        assert (found.status, found.body, found.headers["content-range"]) == (206, content, told)
        assert "digest" not in found.headers and found.headers["content-type"] == "audio/mpeg"
    for asked in ("bytes=0-1,4-5", "bytes=", "bytes=a-b", "bytes=-3", "bytes=10-", "bytes=99-100"):
        assert ask(served, "GET", address, key=None, Range=asked).status == 416, asked


def test_an_address_that_names_no_file(served: Served):
    said = ask(served, "GET", "/api/storage/kg204m40v9m1bmkthp86n486mh85s0rc", key=None)
    assert (said.status, said.json["code"]) == (400, "InvalidStoragePath")
    name = "01234567-89ab-4def-8123-456789abcdef"
    said = ask(served, "GET", f"/api/storage/{name}", key=None)
    assert (said.status, said.json) == (404, {"code": "FileNotFound", "message": f"File {name} not found"})


def uuid_of(served: Served, id_: str) -> str:
    """The uuid in a stored file's address."""
    with Deployment(served.data / "deployment.sqlite3") as deployment:
        return next(file.name for file in Files(deployment.store, served.data).all() if file.id == id_)


@pytest.mark.parametrize("name", ["..%2f..%2fadmin_key", "%2e%2e", "..", "admin_key", "%00", "a%2fb", "x" * 3000])
def test_no_file_beside_those_that_are_stored(served: Served, name: str):
    for method in ("GET", "HEAD"):
        assert ask(served, method, f"/api/storage/{name}").status in (400, 404)
    assert ask(served, "GET", f"/api/export/zip/{name}").status in (400, 404)


# Hosts and origins


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "[::1", "evil.example:3210", "", "a@b", "\xff"]
)
def test_requests_for_other_hosts_are_refused(served: Served, host: str):
    for method, path in [("GET", "/version"), ("POST", "/api/query"), ("GET", "/nothing")]:
        assert ask(served, method, path, Host=host).status in (400, 403)
    with pytest.raises((InvalidStatus, OSError, ValueError, EOFError)):
        socket(served, additional_headers={"Host": host})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]", "127.0.0.1"])
def test_requests_for_this_host_are_answered(served: Served, host: str):
    assert ask(served, "GET", "/version", Host=host).status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[::1", "x", ""]
)
def test_pages_of_other_sites_are_refused(served: Served, origin: str):
    for method in ("GET", "POST", "OPTIONS"):
        answer = ask(served, method, "/api/query", Origin=origin)
        assert (answer.status, answer.json["code"]) == (403, "ForbiddenOrigin")
        assert answer.headers["access-control-allow-origin"] is None
    with pytest.raises(InvalidStatus) as caught:
        socket(served, origin=origin)
    assert caught.value.response.status_code == 403


def test_pages_of_this_machine_may_ask(served: Served):
    origin = "http://localhost:5173"
    asked = ask(served, "OPTIONS", "/api/query", Origin=origin, Access_Control_Request_Headers="authorization")
    assert asked.status == 204
    assert asked.headers["access-control-allow-headers"] == "authorization"
    assert ask(served, "GET", "/version", Origin=origin).headers["access-control-allow-origin"] == origin
    with socket(served, origin=origin) as found:
        hello(found)


def test_the_site_url_answers_by_http_actions_alone(served: Served):
    urls = ask(served, "GET", "/api/v1/get_canonical_urls").json
    assert urls["convexCloudUrl"] == served.url
    connection = http.client.HTTPConnection("127.0.0.1", int(urls["convexSiteUrl"].rpartition(":")[2]), timeout=SECONDS)
    connection.request("GET", "/api/check_admin_key", headers={"Authorization": f"Convex {served.key}"})
    answer = Answer(connection.getresponse())
    connection.close()
    assert answer.status == 404 and answer.body == b"This Convex deployment does not have HTTP actions enabled."


# Bombs and long bodies


class Watch:
    """The most memory that the server holds while a block runs."""

    def __init__(self, served: Served) -> None:
        self._served, self._done = served, threading.Event()
        self.before = self.most = served.resident_bytes()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self.most = max(self.most, self._served.resident_bytes())

    @property
    def megabytes(self) -> int:
        """How much more it was than at first."""
        return (self.most - self.before) // MEGABYTE


def test_a_brotli_bomb_is_refused(served: Served):
    packer = brotli.Compressor(quality=5)
    zeros = b"0" * (16 * MEGABYTE)
    bomb = b"".join([packer.process(zeros) for _ in range(64)] + [packer.finish()])
    assert len(bomb) < MEGABYTE
    with Watch(served) as watch:
        answer = ask(served, "POST", "/api/get_config_hashes", bomb, Content_Encoding="br")
        assert answer.status in (200, 413)  # its body is not read at all
        answer = ask(served, "POST", "/api/deploy2/wait_for_schema", bomb, Content_Encoding="br")
        assert (answer.status, answer.json["code"]) == (413, "RequestTooLarge")
        small = watch.megabytes
        answer = ask(served, "POST", "/api/deploy2/start_push", bomb, Content_Encoding="br")
        assert answer.status == 413
    assert small < 100
    assert watch.megabytes < 400  # a push may be 200 MB


@pytest.mark.parametrize(
    "body", [b"\0", b"not brotli", brotli.compress(b'{"a":1}')[:-2], brotli.compress(b"{}") + b"x"]
)
def test_brotli_that_is_none(served: Served, body: bytes):
    answer = ask(served, "POST", "/api/deploy2/start_push", body, Content_Encoding="br")
    assert answer.status == 400 and answer.json["code"] in ("BadBody", "BadJsonBody")


def test_a_body_that_is_too_long_is_refused(served: Served):
    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b"0" * MEGABYTE

    with Watch(served) as watch:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=SECONDS)
        try:
            connection.request(
                "POST", "/api/update_environment_variables", endless(), {"Authorization": f"Convex {served.key}"}
            )
            assert connection.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before it had been sent
        finally:
            connection.close()
    assert watch.megabytes < 100


def test_headers_without_end_are_refused(served: Served):
    with suppress(ConnectionResetError, BrokenPipeError):  # it was refused before it had been sent
        assert ask(served, "GET", "/version", X_Long="a" * 200_000).status == 400


# Archives


def uploaded(served: Served, content: bytes, **wanted: Any) -> dict[str, Any]:
    """What becomes of an import: its state when it waits for confirmation, is done, or has failed."""
    token = ask(served, "POST", "/api/import/start_upload").json["uploadToken"]
    part = ask(served, "POST", f"/api/import/upload_part?uploadToken={token}&partNumber=1", content)
    wanted = {"format": "zip", "mode": "replace", **wanted}
    body = {"import": wanted, "uploadToken": token, "partTokens": [part.json]}
    id_ = ask(served, "POST", "/api/import/finish_upload", body).json["importId"]
    settled(served, id_)
    if state(served, id_)["state"] == "waiting_for_confirmation":
        assert ask(served, "POST", "/api/perform_import", {"importId": id_}).status == 200
        settled(served, id_)
    return state(served, id_)


def state(served: Served, id_: str) -> dict[str, Any]:
    body = {"path": "_system/cli/queryImport", "args": {"importId": id_}}
    return ask(served, "POST", "/api/query", body).json["value"]["state"]


def settled(served: Served, id_: str) -> None:
    wait_until(lambda: state(served, id_)["state"] not in ("uploaded", "in_progress"), 60)


def zipped(**entries: str | bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_names_in_an_archive_lead_nowhere_else(served: Served):
    names = ["../../escaped/documents.jsonl", "/etc/escaped/documents.jsonl", "a/../escaped/documents.jsonl"]
    found = uploaded(served, zipped(**dict.fromkeys(names, "{}\n")))
    assert found["state"] in ("completed", "failed")
    assert not list(served.data.parent.glob("escaped*"))
    found = uploaded(served, zipped(**{"..\\evil\\documents.jsonl": "{}\n", "C:/x/documents.jsonl": "{}\n"}))
    assert found["state"] in ("completed", "failed")
    for name in ("a b", "é", "x" * 65, "..", "a'; DROP TABLE documents_1"):
        assert uploaded(served, zipped(**{f"{name}/documents.jsonl": "{}\n"}))["state"] == "failed"


@pytest.mark.parametrize("name", ["bomb/documents.jsonl", "bomb/generated_schema.jsonl", "_tables/documents.jsonl"])
def test_an_entry_that_inflates_hugely(served: Served, name: str):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(_info(name), "w", force_zip64=True) as entry:
            for _ in range(400):
                entry.write(b"0" * MEGABYTE)
        if "generated" in name:
            archive.writestr("bomb/documents.jsonl", "{}\n")
    assert len(made.getvalue()) < 4 * MEGABYTE
    with Watch(served) as watch:
        found = uploaded(served, made.getvalue())
    assert found["state"] == "failed"
    assert watch.megabytes < 200


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _encrypted(content: bytes) -> bytes:
    """The archive with the flag of encryption set, in its local headers and in its directory."""
    data = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


GOOD = zipped(**{"posts/documents.jsonl": '{"a":"' + "some text " * 40 + '"}\n'})
DAMAGED = {
    "empty": b"",
    "no archive": b"not a zip",
    "cut off": GOOD[:-30],
    "the head of one": GOOD[:40],
    "encrypted": _encrypted(GOOD),
    "other bytes": GOOD[:60] + b"\xff" * 20 + GOOD[80:],
    "an entry that is no JSON": zipped(**{"posts/documents.jsonl": "{\n"}),
    "nested without end": zipped(**{"posts/documents.jsonl": "[" * 100_000}),
    "not UTF-8": zipped(**{"posts/documents.jsonl": b'{"a":"\xff"}\n'}),
    "half a surrogate pair": zipped(**{"posts/documents.jsonl": '{"a":"\\ud800"}\n'}),
    "an id that is none": zipped(**{"posts/documents.jsonl": '{"_id":"\\ud800"}\n'}),
    "an old shape": zipped(**{"posts/documents.jsonl": "{}\n", "posts/generated_schema.jsonl": '"unknown"\n'}),
    "a table twice": zipped(**{"_tables/documents.jsonl": '{"name":"a","id":10001}\n{"name":"a","id":10002}\n'}),
    "a number that is none": zipped(**{"_tables/documents.jsonl": '{"name":"a","id":-1}\n'}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_archives_that_are_damaged(served: Served, content: bytes):
    found = uploaded(served, content)
    assert found["state"] == "failed"
    assert "InternalServerError" not in found["error_message"]
    assert str(served.data) not in found["error_message"]


@given(st.binary(max_size=30), st.integers(0, len(GOOD)))
@settings(max_examples=15)
def test_any_damage_ends_the_import(served: Served, data: bytes, at: int):
    found = uploaded(served, GOOD[:at] + data + GOOD[at + len(data) :])
    assert found["state"] in ("completed", "failed")
    assert "InternalServerError" not in found.get("error_message", "")


@pytest.mark.parametrize("query", ["", "uploadToken=x&partNumber=1", "uploadToken=..%2F..&partNumber=1"])
def test_upload_tokens_that_are_none(served: Served, query: str):
    assert ask(served, "POST", f"/api/import/upload_part?{query}", b"a").json["code"] == "UploadTokenInvalid"


@pytest.mark.parametrize("number", ["", "0", "-1", "10001", "1e3", "%2E%2E", "9" * 5000, "%D9%A1"])
def test_part_numbers_that_are_none(served: Served, number: str):
    token = ask(served, "POST", "/api/import/start_upload").json["uploadToken"]
    answer = ask(served, "POST", f"/api/import/upload_part?uploadToken={token}&partNumber={number}", b"a")
    assert answer.json["code"] == "InvalidPartNumber"


# WebSockets


def socket(served: Served, path: str = "/api/1.48.0/sync", **options: Any) -> ClientConnection:
    options = {"open_timeout": SECONDS, "close_timeout": 5, "proxy": None, **options}
    return connect(f"ws://127.0.0.1:{served.port}{path}", **options)


CONNECT = {"type": "Connect", "sessionId": "0" * 8, "connectionCount": 0, "lastCloseReason": None, "clientTs": 0}


def hello(found: ClientConnection) -> None:
    """Begins a session, and waits for an answer."""
    found.send(json.dumps(CONNECT))
    found.send(json.dumps({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": []}))
    assert json.loads(found.recv(SECONDS))["type"] == "Transition"


def subscribed(found: ClientConnection, path: str, arguments: Any = None) -> dict[str, Any]:
    add = {"type": "Add", "queryId": 0, "udfPath": path, "args": [arguments or {}]}
    found.send(json.dumps({"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [add]}))
    (change,) = json.loads(found.recv(SECONDS))["modifications"]
    return change


@pytest.mark.parametrize("path", ["/api/sync", "/api/1.48.0/sync"])
def test_a_session_needs_the_key_for_system_functions(served: Served, path: str):
    with socket(served, path) as found:
        found.send(json.dumps(CONNECT))
        assert subscribed(found, "_system/cli/tables:default")["type"] == "QueryFailed"
        found.send(json.dumps({"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": "a|\ud800"}))
        assert json.loads(found.recv(SECONDS))["type"] in ("AuthError", "FatalError")
    with socket(served, path) as found:
        found.send(json.dumps(CONNECT))
        found.send(json.dumps({"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": served.key}))
        assert json.loads(found.recv(SECONDS))["endVersion"]["identity"] == 1
        assert subscribed(found, "_system/cli/tables:default")["type"] == "QueryUpdated"


def test_what_changes_is_told_and_functions_that_are_not_there_are_said_to_be_missing(served: Served):
    with socket(served) as found:
        found.send(json.dumps(CONNECT))
        found.send(json.dumps({"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": served.key}))
        assert json.loads(found.recv(SECONDS))["type"] == "Transition"
        assert subscribed(found, "_system/cli/queryEnvironmentVariables:get", {"name": "T"})["value"] is None
        changes = [{"name": "T", "value": "é"}]
        assert ask(served, "POST", "/api/update_environment_variables", {"changes": changes}).status == 200
        message = json.loads(found.recv(SECONDS))
        assert message["modifications"][0]["value"] == {"name": "T", "value": "é"}
        add = {"type": "Add", "queryId": 5, "udfPath": "a:b", "args": []}
        found.send(json.dumps({"type": "ModifyQuerySet", "baseVersion": 1, "newVersion": 2, "modifications": [add]}))
        message = json.loads(found.recv(SECONDS))["modifications"][0]["errorMessage"]
        assert "Could not find function for 'a:b'" in message
        found.send(json.dumps({"type": "Mutation", "requestId": 1, "udfPath": "a:b", "args": [{}]}))
        assert json.loads(found.recv(SECONDS))["success"] is False


def ends(served: Served, *messages: str | bytes, codes: Collection[int | None] = (1007, 1008, 1009)) -> None:
    """Every message is answered or ends the session with one of ``codes``; nothing hangs."""
    with socket(served) as found:
        try:
            for message in messages:
                found.send(message)
            found.send("no JSON: this ends every session")
            while True:
                kind = json.loads(found.recv(SECONDS))["type"]
                if kind == "FatalError":
                    break
            found.recv(SECONDS)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
        else:
            raise AssertionError("the session goes on after its FatalError")
    assert code in codes


MESSAGES: dict[str, Any] = {
    "no JSON": "hello",
    "empty": "",
    "a list": [],
    "a number": 5,
    "null": None,
    "no type": {},
    "an odd type": {"type": ["Connect"]},
    "no Connect first": {"type": "Authenticate", "baseVersion": 0, "tokenType": "None"},
    "binary": b"\0\1",
    "nested without end": '{"type":' + "[" * 100_000,
    "not a number": '{"type":"Connect","clientTs":NaN}',
    "beyond numbers": '{"type":"Connect","clientTs":1e999}',
    "half a surrogate pair": '{"type":"\\ud800"}',
}
AFTER_CONNECT: dict[str, Any] = {
    "an odd clock": {**CONNECT, "clientTs": 10**400},
    "a clock of text": {**CONNECT, "clientTs": "now"},
    "an unknown type": {"type": "Reboot"},
    "another base version": {"type": "Authenticate", "baseVersion": 7, "tokenType": "None"},
    "no modifications": {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1},
    "modifications of text": {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": "abc"},
    "modifications of numbers": {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [5]},
    "an object of them": {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": {"a": 1}},
    "a version of text": {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": "1", "modifications": []},
    "a query without a number": {
        "type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1,
        "modifications": [{"type": "Add", "udfPath": "a", "args": [{}]}],
    },
    "arguments of text": {
        "type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1,
        "modifications": [{"type": "Add", "queryId": 1, "udfPath": "a", "args": "abc"}],
    },
    "a mutation of nothing": {"type": "Mutation"},
}  # fmt: skip


def _sent(message: Any) -> str | bytes:
    return message if isinstance(message, str | bytes) else json.dumps(message)


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_messages_that_begin_no_session(served: Served, message: Any):
    ends(served, _sent(message))


@pytest.mark.parametrize("message", AFTER_CONNECT.values(), ids=AFTER_CONNECT)
def test_messages_that_the_protocol_does_not_have(served: Served, message: Any):
    ends(served, json.dumps(CONNECT), _sent(message))


def test_a_message_that_is_too_long(served: Served):
    # The server cuts the connection while the message is still being sent: the close code may be lost on the way.
    ends(served, json.dumps({**CONNECT, "more": "x" * (17 << 20)}), codes=(1009, None))
    assert ask(served, "GET", "/api/check_admin_key").status == 200


def test_too_many_queries(served: Served):
    adds = [{"type": "Add", "queryId": n, "udfPath": "a:b", "args": [{}]} for n in range(5000)]
    change = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": adds}
    ends(served, json.dumps(CONNECT), json.dumps(change))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["\ud800", "__proto__", "$integer", "../../x", "_system/cli/tableData", "a" * 5000]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["$integer", "$bytes", "", "a", "type", "path", "args"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = [
    "type", "baseVersion", "newVersion", "modifications", "queryId", "udfPath", "args", "tokenType", "value",
    "clientTs", "requestId",
]  # fmt: skip
TYPES = st.sampled_from(["Connect", "Authenticate", "ModifyQuerySet", "Mutation", "Action", "Event", "Add", "Remove"])
WIRE = st.one_of(
    st.text(max_size=30).filter(lambda text: text.isascii()),
    st.binary(max_size=30),
    st.builds(json.dumps, st.dictionaries(st.sampled_from(FIELDS), JSON | TYPES, max_size=6)),
    st.builds(
        lambda kind, more: json.dumps({"baseVersion": 0, "newVersion": 1, **more, "type": kind}),
        TYPES,
        st.dictionaries(st.sampled_from(FIELDS[3:]), JSON, max_size=4),
    ),
)


@given(st.lists(WIRE, max_size=4), st.booleans())
@settings(max_examples=60)
def test_any_messages_end_or_are_answered(served: Served, messages: list[str | bytes], connected: bool):
    ends(served, *([json.dumps(CONNECT)] if connected else []), *messages)


# Anything over HTTP


ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "path": st.sampled_from(
        [
            "_system/cli/tables", "_system/cli/tableData", "_system/cli/tableData.js:default", "_system/cli/tableSize",
            "_system/cli/queryTable", "_system/cli/queryImport", "_system/cli/queryImport:list",
            "_system/cli/queryEnvironmentVariables:get", "_system/cli/modules:apiSpec", "_system/cli/exports:getLatest",
            "_system/frontend/getSchemas", "_system/x", "", "a:b",
        ]
    ),
    "args": st.dictionaries(
        st.sampled_from(["table", "order", "paginationOpts", "tableName", "name", "importId"]),
        JSON | st.dictionaries(st.sampled_from(["cursor", "numItems"]), JSON, max_size=2), max_size=4,
    ),
    "changes": st.lists(st.dictionaries(st.sampled_from(["name", "value"]), JSON, max_size=2) | JSON, max_size=3),
    "import": st.dictionaries(st.sampled_from(["tableName", "mode", "format", "componentPath"]), JSON, max_size=4),
    "schemaChange": st.dictionaries(st.sampled_from(["schemaIds"]), JSON, max_size=1),
    "startPush": st.dictionaries(
        st.just("schemaChange"), st.dictionaries(st.just("schemaIds"), JSON, max_size=1), max_size=1
    ),
    "appDefinition": st.dictionaries(
        st.sampled_from(["definition", "schema", "changedModules", "unchangedModuleHashes", "dependencies"]),
        JSON | st.lists(st.dictionaries(st.sampled_from(["path", "source", "sourceMap", "environment"]), JSON)),
        max_size=4,
    ),
    "uploadToken": JSON, "partTokens": JSON, "importId": JSON, "adminKey": JSON, "format": JSON,
    "componentDefinitions": JSON,
}  # fmt: skip
BODY = st.fixed_dictionaries({}, optional={name: value | JSON for name, value in ARGUMENTS.items()})
ODD_QUERY = st.sampled_from(
    ["", "?cursor=nan", "?cursor=x", "?path=_system/cli/tables&args=%7B", "?args=[1]", "?format=zip&mode=x",
     "?tableName=_a&format=csv", "?tableName=a&format=jsonLines&mode=append", "?includeStorage=maybe", "?token=1-2",
     "?path=%FF&args=null", "?uploadToken=%00&partNumber=%00", "?component=x"]
)  # fmt: skip


@given(st.data())
@settings(max_examples=250)
def test_no_request_makes_the_server_fail(served: Served, data: st.DataObject):
    method, path = data.draw(st.sampled_from([route for route in routes() if "stream_function_logs" not in route[1]]))
    body: Any = None
    if method == "POST":
        body = data.draw(BODY.map(lambda found: json.dumps(found).encode()) | st.binary(max_size=30) | st.just(b""))
    answer = ask(served, method, path + data.draw(ODD_QUERY), body)
    assert answer.status < 500, (method, path, body, answer.body)
    if answer.status >= 400:
        assert set(answer.json) == {"code", "message"}


@pytest.mark.parametrize("cursor", ["nan", "inf", "-inf", "x", "", "1e999"])
def test_log_cursors_that_are_none(served: Served, cursor: str):
    assert ask(served, "GET", f"/api/stream_function_logs?cursor={cursor}").json["code"] == "BadCursor"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/list_snapshot", "/api/streaming_import/get_schema", "/x", "/api//x"]
)
def test_unknown_routes_are_said_at_once(served: Served, method: str, path: str):
    start = time.monotonic()
    answer = ask(served, method, path)
    assert (answer.status, answer.json["code"]) == (400, "NotSupportedHere")
    assert f"{method} " in answer.json["message"]
    assert time.monotonic() - start < 30


def test_the_wrong_method_is_an_unknown_route(served: Served):
    assert ask(served, "GET", "/api/get_config_hashes").status == 400
    assert ask(served, "DELETE", "/version").status == 400


def test_every_websocket_is_tested():
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder) / "d.sqlite3") as deployment:
        app = make_app(Host(deployment, Path(folder), "a|b", Addresses("", "")))
    assert {route.path for route in app.routes if isinstance(route, WebSocketRoute)} == {
        "/api/sync",
        "/api/{version}/sync",
    }
