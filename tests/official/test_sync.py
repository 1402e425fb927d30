"""Subscriptions, mutations and actions: every behaviour with Convex's client in Node, with React in Chromium, and
with Convex's client in Python."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser.chromium import chromium

from .clients.browser import ReactClient, page_server
from .clients.deployment import ISSUER, pushed_app, runs, token
from .clients.interface import Client, Failed, plain
from .clients.processes import NodeClient, PythonClient
from .served import App

New = Callable[..., Client]


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with pushed_app() as pushed:
        yield pushed


@pytest.fixture(scope="module", params=["Node", "React", "Python"])
def new(request: pytest.FixtureRequest, app: App) -> Iterator[New]:
    """Makes clients of one kind; each is closed in the end. ``new(url)`` reaches the deployment by another address."""
    with ExitStack() as stack:
        make: Callable[[str], Client] = PythonClient
        if request.param == "Node":
            make = NodeClient
        elif request.param == "React":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            address, browser = stack.enter_context(page_server(folder)), stack.enter_context(chromium())
            make = lambda url: ReactClient(browser, address, url)  # noqa: E731
        yield lambda url=app.served.url: stack.enter_context(make(url))


@pytest.fixture(scope="module")
def client(new: New) -> Client:
    """One client for the tests that leave it as they found it."""
    return new()


@pytest.fixture(scope="module")
def other(app: App) -> Iterator[Client]:
    """Somebody else, who writes."""
    with NodeClient(app.served.url) as found:
        yield found


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The name of a list, or of a counter, that no other test has."""
    return request.node.name


def add(client: Client, list: str, *texts: str) -> None:
    for text in texts:
        client.mutation("items:add", list=list, text=text)


# Subscriptions


def test_a_first_result_and_every_later_one(client: Client, other: Client, name: str):
    watch = client.watch("items:list", list=name)
    watch.shows([])
    add(other, name, "a")
    watch.shows(["a"])
    add(other, name, "b", "c")
    watch.shows(["a", "b", "c"])
    other.mutation("items:removeText", list=name, text="b")
    watch.shows(["a", "c"])
    assert watch.told[:2] == [[], ["a"]]


def test_only_what_touches_its_range_runs_a_query_again(app: App, client: Client, other: Client, name: str):
    watch = client.watch("items:list", list=name)
    watch.shows([])
    before = runs(app.served, "items:list", f"'{name}'")
    # Before and after the range in its index, and in another table.
    add(other, f"{name[:-1]}!", "x")
    add(other, f"{name}!", "x")
    other.mutation("counters:bump", names=[name])
    assert runs(app.served, "items:list", f"'{name}'") == before
    add(other, name, "a")
    watch.shows(["a"])
    assert runs(app.served, "items:list", f"'{name}'") == before + 1
    assert watch.told == [[], ["a"]]


def test_a_search_runs_again_for_what_it_looks_for_and_nothing_else(app: App, client: Client, other: Client, name: str):
    watch = client.watch("items:find", list=name, text="red appl")
    watch.shows([])
    before = runs(app.served, "items:find", f"'{name}'")
    add(other, f"{name}!", "red apple")
    add(other, name, "blue pear")
    assert runs(app.served, "items:find", f"'{name}'") == before
    add(other, name, "an apple")
    watch.shows(["an apple"])
    add(other, name, "Red.")
    watch.shows(["Red.", "an apple"])
    other.mutation("items:removeText", list=name, text="an apple")
    watch.shows(["Red."])
    assert runs(app.served, "items:find", f"'{name}'") == before + 3


def test_subscriptions_of_one_query_share_its_runs(app: App, client: Client, other: Client, name: str):
    watches = [each.watch("items:list", list=name) for each in (client, client, other)]
    for watch in watches:
        watch.shows([])
    add(other, name, "a")
    for watch in watches:
        watch.shows(["a"])
    assert runs(app.served, "items:list", f"'{name}'") == 2


def test_queries_of_a_session_are_of_one_moment(app: App, client: Client, name: str):
    one, two = f"{name} one", f"{name} two"
    pair = client.ask("pair", path="counters:get", args={"name": one}, others={"name": two})
    pair.until(bool)
    stop = threading.Event()

    def write() -> None:
        with NodeClient(app.served.url) as writer:
            while not stop.is_set():
                writer.mutation("counters:bump", names=[one, two])

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        pair.until(lambda events: events[-1][0] > 40)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    # A client that is subscribed answers a query by what it was told last: another client asks the server.
    with NodeClient(app.served.url) as reader:
        last = reader.query("counters:get", name=one)
    pair.shows([last, last])
    assert [event for event in pair.events if event[0] != event[1]] == []
    assert len(pair.events) > 5
    counts = [event[0] for event in pair.events]
    assert counts == sorted(counts)


def test_every_last_write_is_shown(client: Client, other: Client, name: str):
    """Writes come while the query is run again because of an earlier one."""
    watch = client.watch("counters:get", name=name)
    for round in range(1, 16):
        asked = [other.ask("mutation", path="counters:bump", args={"names": [name]}) for _ in range(3)]
        for each in asked:
            each.result()
        watch.until(lambda events, wanted=3 * round: events[-1:] == [wanted])


def test_an_end_of_a_subscription(app: App, client: Client, other: Client, name: str):
    watch = client.watch("items:list", list=name)
    watch.shows([])
    client.unwatch(watch)
    # Its removal has arrived when what was sent after it is answered.
    client.mutation("items:add", list=name, text="a")
    before = runs(app.served, "items:list", f"'{name}'")
    add(other, name, "b")
    client.settle(0.2)
    assert runs(app.served, "items:list", f"'{name}'") == before
    again = client.watch("items:list", list=name)
    again.shows(["a", "b"])


def test_a_query_that_fails_and_recovers(client: Client, other: Client, name: str):
    watch = client.watch("items:picky", list=name)
    watch.shows(0)
    add(other, name, "bad")
    failed = watch.fails()
    assert plain(failed.data) == {"list": name, "code": {"$integer": "BwAAAAAAAAA="}, "of": [1]}
    other.mutation("items:removeText", list=name, text="bad")
    watch.shows(0)
    add(other, name, "good")
    watch.shows(1)


def test_an_error_that_says_where(client: Client, other: Client, name: str):
    add(other, name, "bad")
    failed = client.watch("items:picky", list=name, plain=True).fails()
    assert "Uncaught Error: a plain error" in failed.message
    assert "at handler (../convex/items.ts:" in failed.message
    assert failed.data is None


def test_arguments_that_do_not_fit(client: Client):
    assert "ArgumentValidationError" in client.watch("values:wants", n="one").fails().message
    for ask in (client.query, client.mutation, client.action):
        with pytest.raises(Failed, match="Could not find public function"):
            ask("items:nothing")
    with pytest.raises(Failed, match="Could not find public function for 'items:hidden'"):
        client.mutation("items:hidden")


# Mutations and actions


def test_a_mutation_is_done_when_the_subscription_shows_it(client: Client, name: str):
    watch = client.watch("items:list", list=name)
    watch.shows([])
    for number in range(10):
        text = str(number)
        done = client.ask("mutation", path="items:add", args={"list": name, "text": text})
        assert done.result() == text
        if client.name == "Node":
            shown, kept = client.order.index(watch.id), client.order.index(done.id)
            assert watch.events[-1][-1] == text and shown < kept
            client.order.clear()
        else:
            # It has threads, or draws later: what is known when the promise is kept is asked of the client.
            assert client.query("items:list", list=name)[-1] == text
            watch.until(lambda events, text=text: events[-1][-1:] == [text])


def test_mutations_are_run_in_their_order(client: Client, name: str):
    texts = [str(number) for number in range(30)]
    asked = [client.ask("mutation", path="items:add", args={"list": name, "text": text}) for text in texts]
    for each in asked:
        each.result()
    assert client.query("items:list", list=name) == texts


def test_a_mutation_that_fails_changes_nothing(client: Client, name: str):
    watch = client.watch("items:list", list=name)
    watch.shows([])
    with pytest.raises(Failed) as failed:
        client.mutation("items:refuse", list=name)
    assert failed.value.data == "refused"
    add(client, name, "a")
    watch.shows(["a"])
    assert watch.told == [[], ["a"]]


def test_an_action(client: Client, name: str):
    watch = client.watch("counters:get", name=name)
    watch.shows(0)
    assert client.action("values:through", value=[name, 1.5]) == [name, 1.5]
    with pytest.raises(Failed) as failed:
        client.action("people:act")
    assert failed.value.data == {"who": None}


VALUES = {
    "int64": [{"$integer": "AAAAAAAAAIA="}, {"$integer": "/////////38="}, {"$integer": "AAAAAAAAAAA="}],
    "floats": [0.5, 1e308, 5e-324, -1, {"$float": "AAAAAAAAAIA="}, {"$float": "AAAAAAAA8H8="}],
    "NaN": {"$float": "AAAAAAAA+H8="},
    "bytes": [{"$bytes": ""}, {"$bytes": "AAEC/w=="}],
    "texts": ["", "é€😀", "\x00\t\n\u2028\u2029</script>", "a\u0301"],
    "nested": {"a": [None, True, False, {"b": [[], {}]}], "_c": {"$integer": "AQAAAAAAAAA="}},
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_come_back_as_they_were_sent(client: Client, kind: str):
    wanted = VALUES[kind]
    watch = client.watch("values:echo", value=wanted)
    assert plain(watch.result()) == wanted
    assert plain(client.query("values:echo", value=wanted)) == wanted
    assert plain(client.mutation("values:keep", value=wanted)) == wanted
    assert plain(client.action("values:through", value=wanted)) == wanted


def test_a_result_that_is_sent_in_pieces(client: Client):
    found = client.watch("values:big", characters=2 << 20).result()
    assert found == "é€😀" * (1 << 19)


# Optimistic updates and pages


def test_an_optimistic_update_is_replaced_by_what_has_happened(client: Client, name: str):
    if not client.pages:
        pytest.skip("the client has none")
    watch = client.watch("items:list", list=name)
    watch.shows([])
    for number in range(5):
        client.ask("mutation", path="items:add", args={"list": name, "text": f"{number}"}, optimistic=True).result()
    watch.shows(["0", "1", "2", "3", "4"])
    for shown in watch.events:
        assert [text.removesuffix(" (soon)") for text in shown] == ["0", "1", "2", "3", "4"][: len(shown)]
    assert any(shown and shown[-1].endswith("(soon)") for shown in watch.events)


def test_pages_grow_and_keep_their_ends(client: Client, other: Client, name: str):
    if not client.pages:
        # It has no hook for pages that grow; each page is a query, and keeps its end.
        other.mutation("items:addMany", list=name, count=5)
        first = client.watch("items:page", list=name, paginationOpts={"numItems": 2, "cursor": None})
        cursor = first.result()["continueCursor"]
        second = client.watch("items:page", list=name, paginationOpts={"numItems": 2, "cursor": cursor})
        assert second.result()["page"] == ["3", "4"]
        other.mutation("items:add", list=name, text="1b", place=1.5)
        first.until(lambda events: events[-1]["page"] == ["1", "1b", "2"])
        client.settle(0.2)
        assert [event["page"] for event in second.told] == [["3", "4"]]
        return
    other.mutation("items:addMany", list=name, count=10)
    pages = client.ask("pages", path="items:page", args={"list": name}, size=3)
    pages.shows([["1", "2", "3"], "CanLoadMore"])
    client.ask("more", watch=pages.id, count=3)
    pages.shows([["1", "2", "3", "4", "5", "6"], "CanLoadMore"])
    # Into the first page, which grows; the second one begins where it did.
    other.mutation("items:add", list=name, text="1b", place=1.5)
    pages.shows([["1", "1b", "2", "3", "4", "5", "6"], "CanLoadMore"])
    other.mutation("items:removeText", list=name, text="5")
    pages.shows([["1", "1b", "2", "3", "4", "6"], "CanLoadMore"])
    client.ask("more", watch=pages.id, count=20)
    pages.shows([["1", "1b", "2", "3", "4", "6", "7", "8", "9", "10"], "Exhausted"])
    add(other, name, "11")
    pages.shows([["1", "1b", "2", "3", "4", "6", "7", "8", "9", "10", "11"], "Exhausted"])


# Who calls


def test_a_user_signs_in_and_out(new: New, other: Client, name: str):
    with new() as client:
        me = client.watch("people:me")
        me.shows(None)
        items = client.watch("items:list", list=name)
        items.shows([])
        signed = client.ask("auth", token=token("ada", name="Ada"))
        me.shows(["ada", "Ada"])
        if client.name != "Python":
            assert signed.result() is True
        assert client.mutation("people:change") == "ada"
        assert client.action("people:act") == f"{ISSUER}|ada"
        assert client.query("people:me") == ["ada", "Ada"]
        client.ask("auth", token=token("bob"))
        me.shows(["bob", None])
        client.ask("unauth")
        me.shows(None)
        assert client.mutation("people:change") is None
        add(other, name, "a")
        items.shows(["a"])
        assert items.told == [[], ["a"]], "who calls makes no difference to it"


def test_tokens_that_are_not_valid(new: New, client: Client):
    if client.name == "Python":
        pytest.skip("it has no way to ask for another token, and connects again and again with the one it has")
    for wrong in (token("eve", seconds=-60), token("eve", aud="another"), "no token", token("eve")[:-5] + "AAAAA"):
        with new() as fresh:
            me = fresh.watch("people:me")
            me.shows(None)
            assert fresh.ask("auth", token=wrong).result() is False
            me.shows(None)
            assert fresh.mutation("people:change") is None
