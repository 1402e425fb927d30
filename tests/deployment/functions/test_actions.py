"""Actions: steps of their own, at once if they like, with timers, the network as far as it is allowed, and hashes."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .app import App


def test_each_call_is_a_transaction_of_its_own(app: App):
    app.rows(0)
    before, after, doubled = app.run("acting:steps")
    assert (before, sorted(after), doubled) == ([0], [0, 1, 2, 3, 4], 42)
    assert app.error("acting:writesAndThrows") == "Error: too late"
    assert app.numbers().count(1) == 2


def test_an_action_has_no_database(app: App):
    assert app.run("acting:noDatabase") == "undefined"


def test_timers(app: App):
    found = app.run("acting:timers")
    assert found["order"] == ["early", "late"] and found["ticks"] == 3
    assert found["took"] >= 59


def test_what_is_awaited_together_runs_together(app: App):
    assert 99 <= app.run("acting:overlapping") < 390


def test_hashes(app: App):
    found = app.run("acting:hashes")
    for name in ("SHA-1", "SHA-256", "SHA-384", "SHA-512"):
        assert found[name] == hashlib.new(name.replace("-", "").lower(), b"abc").hexdigest()
    assert found["hmac"] == hmac.new(b"key", b"abc", "sha256").hexdigest()
    assert (found["verified"], found["forged"]) == (True, False)


def test_a_call_that_nobody_waits_for_may_come_to_its_end_or_not(app: App):
    assert app.run("acting:forgets") == "did not wait"
    assert app.run("wild:ok", n=1.0) == 2


def test_a_timer_that_nobody_waits_for_holds_nothing_up(app: App):
    started = time.monotonic()
    assert app.run("acting:leavesTimers") == "done"
    assert time.monotonic() - started < 18


def test_an_action_has_its_time(app: App):
    app.functions.action_seconds = 0.3
    said = app.fails("acting:leavesTimers", await_=True).message
    assert said == "Function execution timed out (maximum duration: 0.3s)"


# The network


class Web:
    """Two servers on 127.0.0.1 and what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.first = self.second = ""
        self.silent = threading.Event()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()

    class Answers(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            web.asked.append((self.command, self.path, ", ".join(self.headers.get_all("Authorization") or []), body))
            status, headers, text = 200, {"X-Seen": "yes"}, f"{self.command} {self.path}"
            if self.path.startswith("/to/"):
                status, headers = 302, {"Location": self.path.removeprefix("/to/")}
            elif self.path == "/round":
                status, headers = 307, {"Location": "/round"}
            elif self.path == "/404":
                status = 404
            elif self.path == "/silent":
                web.silent.wait(60)
            data = text.encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    with ExitStack() as stack:
        urls = []
        for _ in range(2):
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Answers))
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            urls.append(f"http://127.0.0.1:{server.server_port}")
        stack.callback(web.silent.set)
        web.first, web.second = urls
        yield web


def allow(app: App, *urls: str) -> None:
    app.functions.services.fetch_hosts = frozenset(url.partition("://")[2] for url in urls)


def fetched(app: App, url: str, **init: Any) -> dict[str, Any]:
    found: dict[str, Any] = app.run("acting:fetched", url=url, init=init)
    return found


def test_nothing_is_fetched_unless_it_is_allowed(app: App, web: Web):
    said = fetched(app, f"{web.first}/a")["error"]
    assert "127.0.0.1 is not allowed here" in said and said.startswith("TypeError: ")
    allow(app, web.second)
    assert "not allowed" in fetched(app, f"{web.first}/a")["error"]
    assert web.asked == []


def test_what_is_allowed_is_fetched(app: App, web: Web):
    allow(app, web.first)
    found = fetched(app, f"{web.first}/a?b=c")
    assert found == {
        "status": 200, "ok": True, "body": "GET /a?b=c", "header": "yes", "url": f"{web.first}/a?b=c",
        "redirected": False,
    }  # fmt: skip
    sent = fetched(app, f"{web.first}/p", method="POST", body="é", headers={"Authorization": "x"})
    assert sent["body"] == "POST /p" and web.asked[-1] == ("POST", "/p", "x", "é".encode())
    assert fetched(app, f"{web.first}/404")["ok"] is False
    fetched(app, f"{web.first}/h", headers=[["Authorization", "x"], ["Authorization", "y"]])
    assert web.asked[-1][2] == "x, y"


def test_redirects_lead_only_where_it_is_allowed(app: App, web: Web):
    allow(app, web.first)
    home = fetched(app, f"{web.first}/to//home")
    assert "error" in home or home["redirected"] is True
    inside = fetched(app, f"{web.first}/to/{web.first}/b", method="POST", body="x", headers={"Authorization": "x"})
    assert (inside["body"], inside["redirected"], inside["url"]) == ("GET /b", True, f"{web.first}/b")
    count = len(web.asked)
    assert "not allowed" in fetched(app, f"{web.first}/to/{web.second}/b")["error"]
    assert len(web.asked) == count + 1, "the second server was never asked"
    allow(app, web.first, web.second)
    fetched(app, f"{web.first}/to/{web.second}/b", headers={"Authorization": "secret"})
    assert web.asked[-1][:3] == ("GET", "/b", ""), "secrets stay with the host that they are for"
    assert fetched(app, f"{web.first}/to/{web.second}/b", redirect="manual")["status"] == 302
    assert "error" in fetched(app, f"{web.first}/to/{web.second}/b", redirect="error")
    assert "redirects" in fetched(app, f"{web.first}/round")["error"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/", "nonsense", "http://", "data:text/plain,x", "http://127.0.0.1:1/"]
)
def test_addresses_that_are_not_fetched(app: App, url: str):
    allow(app, "http://127.0.0.1:1")
    assert fetched(app, url)["error"].startswith("TypeError: ")


def test_a_fetch_can_be_given_up(app: App, web: Web):
    allow(app, web.first)
    started = time.monotonic()
    assert app.run("acting:aborted", url=f"{web.first}/silent") == "AbortError"
    web.silent.set()
    assert time.monotonic() - started < 30


def test_actions_import_modules_while_they_run(app: App):
    names, same, message = app.run("acting:loadsInAction")
    assert (names, same, message) == (["thrower"], True, "from below")
    assert app.error("acting:loadsInQuery") == "TypeError: dynamic module import unsupported"
