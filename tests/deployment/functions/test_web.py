"""The web's globals as Convex has them, and what is under them, which no function reaches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from .app import App

#: As ``setup.ts`` of Convex's runtime makes them, and what its V8 has.
WANTED = [
    "AbortController", "AbortSignal", "AsyncLocalStorage", "AsyncResource", "Blob", "Crypto", "DOMException",
    "Event", "EventTarget", "File", "FormData", "Headers", "Performance", "ReadableStream", "Request",
    "Response", "SubtleCrypto", "TextDecoder", "TextDecoderStream", "TextEncoder", "TextEncoderStream",
    "TransformStream", "URL", "URLSearchParams", "WritableStream", "atob", "btoa", "clearInterval",
    "clearTimeout", "console", "crypto", "fetch", "performance", "process", "queueMicrotask", "self",
    "setInterval", "setTimeout", "structuredClone", "SharedArrayBuffer", "WebAssembly",
]  # fmt: skip
GONE = [
    "Atomics", "Buffer", "global", "BroadcastChannel", "Deno", "EventSource", "MessageChannel",
    "Temporal", "WebSocket", "Worker", "alert", "caches", "close",
    "localStorage", "location", "navigator", "prompt", "reportError", "require", "setImmediate",
]  # fmt: skip


def test_globals_are_those_of_convex(app: App):
    names = set(app.run("web:globals"))
    assert names >= set(WANTED) and not names & set(GONE)
    assert not [name for name in names if name.startswith(("GPU", "DOMRect", "Storage", "Window"))]


@pytest.mark.parametrize("kind", ["Query", "Action"])
def test_stores_are_kept_over_await(app: App, kind: str):
    assert app.run(f"web:storesIn{kind}") == [None, "one", "one", "two", "two"]


@pytest.mark.parametrize("kind", ["Mutation", "Action"])
def test_keys_and_passwords(app: App, kind: str):
    found = app.run(f"web:cryptographyIn{kind}")
    assert found["kinds"] == [True, True] and found["verified"] is True
    assert found["derived"] == hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1000, 32)


@pytest.mark.parametrize("kind", ["Query", "Action"])
def test_web_assembly(app: App, kind: str):
    assert app.run(f"web:assembledIn{kind}") == [42, 42, 42, "undefined", "C"]


def test_streams_forms_addresses_and_languages(app: App):
    assert app.run("web:streamed") == ["AÜC", "x.txt", "x", "https://xn--mnchen-3ya.de/%C3%A4", "1.234,5"]


@pytest.mark.parametrize("how", ["at once", "later", "in a microtask", "caught late"])
def test_a_rejection_that_nobody_catches_fails_the_function(app: App, how: str):
    assert app.error("web:rejects", how=how) == "Error: nobody caught it"
    assert app.numbers() == [], "and nothing is committed"


def test_a_rejection_that_somebody_catches_does_not(app: App):
    assert app.run("web:rejects", how="caught") == "done" and app.numbers() == [1]


@pytest.mark.parametrize("how", ["timer", "promise"])
def test_actions_fail_by_it_too(app: App, how: str):
    assert app.error("web:rejectsInAction", how=how) == "Error: nobody caught it"


@pytest.mark.parametrize("kind", ["Query", "Mutation", "Action"])
def test_no_way_leads_under_the_runtime(app: App, kind: str):
    assert app.run(f"web:reachesIn{kind}") == []


def test_the_global_object_is_a_target_of_events_of_ones_own(app: App):
    for _ in range(2):
        assert app.run("web:listens") == ["mine", "other"], "nothing of an earlier call listens"


def test_code_may_be_made_of_texts(app: App):
    assert app.run("web:makes") == [2, "important", True]


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that answers when the test is over."""
    over = Event()

    class Waits(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            over.wait(60)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Waits) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()
        thread.join(5)


def test_what_an_action_leaves_behind_ends_with_it(app: App, silent: str):
    app.functions.services.fetch_hosts = frozenset({silent.partition("://")[2]})
    for _ in range(3):
        assert app.run("web:leaves", url=silent) == "gone"
        assert app.run("web:left") is None
    assert 99 not in app.numbers()
