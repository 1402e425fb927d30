"""Connections that are cut or held up, servers that are killed, and what the protocol promises over them."""

from __future__ import annotations

import base64
import json
import signal
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from supavex.deployment import Deployment
from supavex.deployment.server.app import make_app
from supavex.deployment.server.host import _ACTIONS as ACTIONS
from supavex.deployment.server.host import Addresses, Host

from .clients.deployment import pushed_app, token
from .clients.interface import Client
from .clients.processes import NodeClient, PythonClient
from .clients.proxy import Proxy
from .served import App, wait_until

SECONDS = 60


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with pushed_app() as pushed:
        yield pushed


def ask(app: App, path: str, body: Any, **headers: str) -> Any:
    """The answer of the HTTP API."""
    request = urllib.request.Request(
        app.served.url + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)


def add(app: App, list: str, text: str) -> None:
    assert ask(app, "/api/mutation", {"path": "items:add", "args": {"list": list, "text": text}})["status"] == "success"


def texts(app: App, list: str) -> list[str]:
    found: list[str] = ask(app, "/api/query", {"path": "items:list", "args": {"list": list}})["value"]
    return found


# With clients


@pytest.fixture(params=[NodeClient, PythonClient], ids=["Node", "Python"])
def through(request: pytest.FixtureRequest, app: App) -> Iterator[tuple[Proxy, Client]]:
    """A client that reaches the deployment by a proxy."""
    with Proxy(app.served.port) as proxy, request.param(proxy.url) as client:
        yield proxy, client


def test_a_connection_that_is_cut(app: App, through: tuple[Proxy, Client], request: pytest.FixtureRequest):
    proxy, client = through
    name = request.node.name
    watch = client.watch("items:list", list=name)
    watch.shows([])
    proxy.passable.clear()
    proxy.cut()
    add(app, name, "meanwhile")
    # The Python client gives up what it is sending when it finds the connection gone: it has found out by now.
    wait_until(lambda: proxy.refused > 0)
    asked = client.ask("mutation", path="items:add", args={"list": name, "text": "mine"})
    proxy.passable.set()
    assert asked.result() == "mine"
    watch.shows(["meanwhile", "mine"])
    assert proxy.connections > 1


def test_an_answer_that_is_lost_with_the_connection(
    app: App, through: tuple[Proxy, Client], request: pytest.FixtureRequest
):
    """The mutation has been run; the client asks again, and it is not run again."""
    proxy, client = through
    if client.name == "Python":
        pytest.skip("it begins another session whenever it connects: nobody can know that it asks again")
    name = request.node.name
    watch = client.watch("items:list", list=name)
    watch.shows([])
    proxy.answers.clear()
    asked = client.ask("mutation", path="items:add", args={"list": name, "text": "once"})
    deadline = time.monotonic() + SECONDS
    while texts(app, name) != ["once"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    proxy.cut()
    proxy.answers.set()
    assert asked.result() == "once"
    watch.shows(["once"])
    assert texts(app, name) == ["once"]


@pytest.mark.parametrize("kind", [NodeClient, PythonClient], ids=["Node", "Python"])
def test_a_server_that_is_killed_and_comes_back(
    app: App, kind: Callable[[str], Client], request: pytest.FixtureRequest
):
    name = request.node.name
    with kind(app.served.url) as client:
        watch = client.watch("items:list", list=name)
        watch.shows([])
        assert client.mutation("items:add", list=name, text="before") == "before"
        app.served.stop(signal.SIGKILL)
        sent = {"path": "items:add", "args": {"list": name, "text": "after"}}
        # While there is no server; the Python client gives up what it is sending when it finds the connection gone.
        asked = client.ask("mutation", **sent) if client.name == "Node" else None
        app.served.start(app.served.port)
        asked = asked or client.ask("mutation", **sent)
        assert asked.result() == "after"
        watch.shows(["before", "after"])
        add(app, name, "later")
        watch.shows(["before", "after", "later"])


def test_pages_keep_their_ends_over_a_reconnect(app: App):
    with Proxy(app.served.port) as proxy, NodeClient(proxy.url) as client:
        ask(app, "/api/mutation", {"path": "items:addMany", "args": {"list": "pages", "count": 6}})
        pages = client.ask("pages", path="items:page", args={"list": "pages"}, size=3)
        pages.shows([["1", "2", "3"], "CanLoadMore"])
        proxy.passable.clear()
        proxy.cut()
        inserted = {"list": "pages", "text": "0", "place": 0}
        ask(app, "/api/mutation", {"path": "items:add", "args": inserted})
        proxy.passable.set()
        pages.shows([["0", "1", "2", "3"], "CanLoadMore"])
        client.ask("more", watch=pages.id, count=10)
        pages.shows([["0", "1", "2", "3", "4", "5", "6"], "Exhausted"])


# The protocol itself


class Session:
    """A session of the protocol's own messages."""

    def __init__(self, socket: ClientConnection, id: str | None = None, **more: Any) -> None:
        self.socket, self.version, self.ts = socket, 0, "AAAAAAAAAAA="
        self.id = id or str(uuid.uuid4())
        self.send(type="Connect", sessionId=self.id, connectionCount=0, lastCloseReason=None, clientTs=0, **more)

    def send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        """The next message, a Ping aside; transitions follow one another."""
        message = {"type": "Ping"}
        while message["type"] == "Ping":
            message = json.loads(self.socket.recv(SECONDS))
        if message["type"] == "Transition":
            assert message["startVersion"]["ts"] == self.ts
            assert nanoseconds(message["endVersion"]["ts"]) >= nanoseconds(self.ts)
            self.ts = message["endVersion"]["ts"]
        return message

    def subscribe(self, path: str, journal: str | None = None, **args: Any) -> dict[str, Any]:
        """The first result of a query."""
        add = {"type": "Add", "queryId": self.version, "udfPath": path, "args": [args], "journal": journal}
        self.send(type="ModifyQuerySet", baseVersion=self.version, newVersion=self.version + 1, modifications=[add])
        self.version += 1
        (modification,) = self.receive()["modifications"]
        return dict(modification)

    def mutation(self, request: int, path: str, **args: Any) -> dict[str, Any]:
        """The answer to a mutation; what its transition shows must be of its moment or later."""
        self.send(type="Mutation", requestId=request, udfPath=path, args=[args])
        answer = self.receive()
        assert answer["type"] == "MutationResponse"
        transition = self.receive()
        assert transition["type"] == "Transition"
        if answer["success"]:
            assert nanoseconds(self.ts) >= nanoseconds(answer["ts"])
        return answer


def nanoseconds(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "little")


@contextmanager
def session(app: App, id: str | None = None, **more: Any) -> Iterator[Session]:
    with connect(f"ws://127.0.0.1:{app.served.port}/api/1.48.0/sync", proxy=None) as socket:
        yield Session(socket, id, **more)


def test_a_mutation_that_is_sent_twice_runs_once(app: App):
    with session(app) as first:
        answer = first.mutation(7, "items:add", list="twice", text="a")
        assert first.mutation(7, "items:add", list="twice", text="a") == answer
        assert first.mutation(8, "items:add", list="twice", text="b")["success"]
        refused = first.mutation(9, "items:refuse", list="twice")
        assert (refused["success"], refused["ts"], refused["errorData"]) == (False, None, "refused")
    with session(app, first.id) as second:
        assert second.mutation(7, "items:add", list="twice", text="a") == answer
    app.served.stop(signal.SIGKILL)
    app.served.start(app.served.port)
    with session(app, first.id, maxObservedTimestamp=second.ts) as third:
        assert third.mutation(7, "items:add", list="twice", text="a") == answer
    with session(app) as another:
        assert another.mutation(7, "items:add", list="twice", text="a")["ts"] != answer["ts"]
    assert texts(app, "twice") == ["a", "b", "a"]


def test_many_mutations_that_are_sent_at_once_and_again(app: App):
    numbers = list(range(20))
    with session(app) as first:
        for number in numbers:
            first.send(
                type="Mutation", requestId=number, udfPath="items:add", args=[{"list": "many", "text": str(number)}]
            )
        first.receive()
    # It has gone before it had its answers.
    with session(app, first.id) as second:
        for number in numbers:
            answer = second.mutation(number, "items:add", list="many", text=str(number))
            assert answer["result"] == str(number)
    assert texts(app, "many") == [str(number) for number in numbers]


def test_an_answer_comes_before_what_it_has_done(app: App):
    """Else an optimistic update would be seen together with what it stands for."""
    with session(app) as found:
        found.subscribe("counters:get", name="order")
        for number in range(1, 30):
            found.send(type="Mutation", requestId=number, udfPath="counters:bump", args=[{"names": ["order"]}])
            assert found.receive()["type"] == "MutationResponse"
            transition = found.receive()
            assert [one["value"] for one in transition["modifications"]] == [number]


def test_a_moment_that_the_server_has_not_seen(app: App):
    later = base64.b64encode((time.time_ns() + 3600 * 10**9).to_bytes(8, "little")).decode()
    with session(app, maxObservedTimestamp=later) as found:
        assert found.receive()["type"] == "FatalError"
        with pytest.raises(ConnectionClosed):
            found.receive()


@pytest.mark.parametrize(
    "message",
    [
        {"type": "ModifyQuerySet", "baseVersion": 4, "newVersion": 5, "modifications": []},
        {"type": "Authenticate", "baseVersion": 4, "tokenType": "None"},
    ],
    ids=lambda message: message["type"],
)
def test_another_base_version_ends_the_session(app: App, message: dict[str, Any]):
    with session(app) as found:
        found.send(**message)
        fatal = found.receive()
        assert fatal["type"] == "FatalError" and "BaseVersionMismatch" in fatal["error"]
        with pytest.raises(ConnectionClosed):
            found.receive()


def test_a_token_that_ends_ends_the_session(app: App):
    with session(app) as found:
        assert found.subscribe("people:me")["value"] is None  # a process is ready: what follows takes no time
        # Whoever checks it allows for clocks that differ by five seconds.
        ends = time.time() + 6
        found.send(type="Authenticate", baseVersion=0, tokenType="User", value=token("ada", seconds=1))
        transition = found.receive()
        assert transition["endVersion"]["identity"] == 1
        assert [change["value"] for change in transition["modifications"]] == [["ada", None]]
        time.sleep(ends - time.time() + 0.1)
        found.send(type="Mutation", requestId=1, udfPath="people:change", args=[{}])
        told = found.receive()
        assert (told["type"], told["baseVersion"], told["authUpdateAttempted"]) == ("AuthError", 1, False)
        with pytest.raises(ConnectionClosed):
            found.receive()


def test_a_mutation_is_of_whom_it_was_sent_by(app: App):
    with session(app) as found:
        found.send(type="Authenticate", baseVersion=0, tokenType="User", value=token("ada"))
        # It takes a while, so that what is sent next waits for it.
        found.send(type="Mutation", requestId=1, udfPath="items:addMany", args=[{"list": "whom", "count": 300}])
        found.send(type="Mutation", requestId=2, udfPath="people:change", args=[{}])
        found.send(type="Authenticate", baseVersion=1, tokenType="None")
        found.send(type="Mutation", requestId=3, udfPath="people:change", args=[{}])
        answers = {}
        while len(answers) < 3:
            message = found.receive()
            if message["type"] == "MutationResponse":
                answers[message["requestId"]] = message["result"]
        assert (answers[2], answers[3]) == ("ada", None)


def test_a_journal_keeps_a_page_s_end(app: App):
    ask(app, "/api/mutation", {"path": "items:addMany", "args": {"list": "journal", "count": 4}})
    arguments = {"list": "journal", "paginationOpts": {"numItems": 2, "cursor": None}}
    with session(app) as found:
        first = found.subscribe("items:page", **arguments)
    ask(app, "/api/mutation", {"path": "items:add", "args": {"list": "journal", "text": "0", "place": 0}})
    with session(app) as found:
        assert found.subscribe("items:page", first["journal"], **arguments)["value"]["page"] == ["0", "1", "2"]
        assert found.subscribe("items:page", None, **arguments)["value"]["page"] == ["0", "1"]
        assert found.subscribe("items:page", "no journal", **arguments)["type"] in ("QueryFailed", "QueryUpdated")


@contextmanager
def quick_host() -> Iterator[tuple[Host, TestClient]]:
    """A server in this process, which soon speaks where there is silence."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        deployment = stack.enter_context(Deployment(folder / "d.sqlite3"))
        host = Host(deployment, folder, "a|b", Addresses(), silence_seconds=0.4)
        client = stack.enter_context(TestClient(make_app(host), base_url="http://127.0.0.1"))
        yield host, client


def test_whoever_hears_nothing_is_told_that_the_server_is_there():
    begun = time.monotonic()
    with quick_host() as (host, client), client.websocket_connect("ws://127.0.0.1/api/1.48.0/sync") as socket:
        socket.send_json({"type": "Connect", "sessionId": str(uuid.uuid4()), "connectionCount": 0})
        for number in (1, 2):
            assert socket.receive_json() == {"type": "Ping"}
            assert time.monotonic() - begun > number * 0.3, "it spoke before there was silence"
        # Changes that do not concern the session are no word to it.
        until = time.monotonic() + SECONDS
        heard = threading.Event()

        def write() -> None:
            while not heard.is_set() and time.monotonic() < until:
                client.portal.call(host.wake)
                time.sleep(0.05)

        writer = threading.Thread(target=write)
        writer.start()
        assert socket.receive_json() == {"type": "Ping"}
        assert time.monotonic() < until, "heard only when nobody wrote any more"
        heard.set()
        writer.join()


def test_actions_that_take_long_hold_up_nobody_else(app: App):
    """Others are answered while more actions than there are threads for are held: all of the threads have one."""
    held = {"begun": "held: begun", "released": "held: released"}
    with session(app) as waiting, session(app) as other:
        for number in range(ACTIONS + 4):
            waiting.send(type="Action", requestId=number, udfPath="waiting:held", args=[held])
        wait_until(lambda: counted(app, held["begun"]) == ACTIONS, 60)
        assert isinstance(other.subscribe("items:list", list="held up")["value"], list)
        assert other.mutation(1, "items:add", list="held up", text="meanwhile")["success"]
        assert counted(app, held["begun"]) == ACTIONS, "there were threads for more of them"
        assert other.mutation(2, "counters:bump", names=[held["released"]])["success"]
        assert {waiting.receive()["requestId"] for _ in range(ACTIONS + 4)} == set(range(ACTIONS + 4))
    assert counted(app, held["begun"]) == ACTIONS + 4


def counted(app: App, name: str) -> int:
    return int(ask(app, "/api/query", {"path": "counters:get", "args": {"name": name}})["value"])
