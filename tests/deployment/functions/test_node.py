"""Files with ``"use node"``: their actions have what Node has, in a process of their own, and reach nothing by it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest

from .app import App, value_of


def test_nodes_modules_are_there(app: App):
    found = app.run("nodes:has")
    assert found["atImport"] == hashlib.sha256(b"abc").hexdigest()
    assert found["hmac"] == base64.b64encode(hmac.digest(b"key", b"abc", "sha1")).decode()
    assert found["scrypt"] == hashlib.scrypt(b"password", salt=b"salt", n=16384, r=8, p=1, dklen=16).hex()
    assert (found["random"], found["zipped"], found["kept"], found["emitted"], found["text"]) == (8, "é", 7, 5, "ab")
    assert found["variables"] == ["hello", None, True] and found["version"] is True
    assert app.run("nodes:has")["calls"] == 1 == found["calls"], "each call has a process of its own"


def test_they_reach_the_data_and_print(app: App):
    outcome = app.outcome("nodes:reaches")
    assert value_of(outcome) == [[3], 8]
    assert outcome.log_texts == ["[LOG] 'printed' [ 1 ]", "[LOG] written"]
    assert app.numbers() == [3]


def test_errors_tell_places_in_the_files_of_the_app(app: App):
    said = app.fails("nodes:throws").message
    assert said.startswith("Uncaught RangeError: of Node's\n    at handler (../convex/nodes.ts:")


def test_a_stack_is_written_as_convexs_executor_for_node_writes_it(app: App):
    """Packages such as agent-base look for Node's own modules in it."""
    head, first, second, *_ = app.run("nodes:stack").splitlines()
    assert head == "Error: of mine"
    assert re.fullmatch(r"    at inner \(convex:/user/nodes\.js:\d+:\d+\)", first)
    assert re.fullmatch(r"    at outer \(convex:/user/nodes\.js:\d+:\d+\)", second)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("callback", "uncaughtException: Yikes"),
        ("emitter", "uncaughtException: a text"),
        ("rejection", "unhandledRejection: nobody's"),
        ("exit", "process.exit: process.exit() called with exit code 3"),
        ("exit, caught", "process.exit: process.exit() called with no exit code"),
    ],
)
def test_what_nobody_catches_is_named_as_convexs_executor_for_node_names_it(app: App, how: str, said: str):
    for _ in range(2):
        assert app.error("nodes:uncaught", how=how) == said


def test_no_file_no_process_and_no_network(app: App):
    found = app.run("nodes:attempts")
    assert set(found.values()) == {"refused"}, found


def test_what_is_not_there_of_the_machine_is_missing(app: App):
    found = app.run("nodes:looks")
    assert found == {"code": "ENOENT", "exists": False, "temporary": "/tmp", "variables": ["hello", None, False]}


def test_what_speaks_for_the_process_without_its_token_fails_its_own_call(app: App):
    assert app.fails("nodes:forges").message == "The process that ran the function ended unexpectedly."
    assert app.run("nodes:double", n=2.0) == 4
