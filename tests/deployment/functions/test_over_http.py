"""Functions of a served deployment, as clients call them over HTTP."""

from __future__ import annotations

import base64
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.official.served import Served, wait_until

from .conftest import FILE
from .issuer import Issuer

SECONDS = 60.0


@pytest.fixture(scope="module")
def served(pushed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(pushed, folder / FILE)
    with Served(folder, "--allow-fetch", "127.0.0.1") as running:
        yield running


def send(url: str, body: bytes, **headers: str) -> dict[str, Any]:
    request = urllib.request.Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def call(served: Served, kind: str, path: str, authorization: str | None = None, /, **args: Any) -> dict[str, Any]:
    """What ``/api/<kind>`` answers."""
    headers = {"Content_Type": "application/json"}
    headers |= {} if authorization is None else {"Authorization": authorization}
    return send(f"{served.url}/api/{kind}", json.dumps({"path": path, "args": args}).encode(), **headers)


def test_two_clients_that_hammer_one_counter_lose_no_increment(served: Served):
    def client() -> list[float]:
        return [call(served, "mutation", "transactions:increment", name="a")["value"] for _ in range(25)]

    with ThreadPoolExecutor(2) as pool:
        found = [future.result(SECONDS) for future in [pool.submit(client), pool.submit(client)]]
    assert sorted(found[0] + found[1]) == [float(n) for n in range(1, 51)]
    assert call(served, "query", "transactions:value", name="a")["value"] == 50


def test_values_errors_and_lines(served: Served):
    answer = call(served, "query", "logging:logsAndThrows")
    assert answer["status"] == "error" and answer["logLines"] == ["[LOG] 'before'"]
    assert "Server Error\nUncaught Error: after\n" in answer["errorMessage"]
    answer = call(served, "mutation", "failing:withData", data={"code": 7})
    assert answer["errorData"] == {"code": 7}
    assert call(served, "action", "acting:noDatabase")["value"] == "undefined"


def test_internal_functions_are_for_the_admin(served: Served):
    key = f"Convex {served.key}"
    for kind, name in (("query", "hiddenQuery"), ("mutation", "hiddenMutation"), ("action", "hiddenAction")):
        args = {"n": 1.0} if kind == "query" else {}
        answer = call(served, kind, f"validation:{name}", **args)
        assert "Could not find public function for" in answer["errorMessage"]
        assert call(served, kind, f"validation:{name}", key, **args)["value"] == "hidden"


def test_users_by_their_tokens(served: Served, issuer: Issuer):
    assert call(served, "query", "people:who")["value"] is None
    user = call(served, "query", "people:who", f"Bearer {issuer.token(name='Ada')}")["value"]
    assert (user["subject"], user["name"]) == ("user-1", "Ada")
    assert call(served, "mutation", "people:whoWrites", f"Bearer {issuer.inside(sub='x')}")["value"] == "x"
    with pytest.raises(urllib.error.HTTPError) as caught:
        call(served, "query", "people:who", f"Bearer {issuer.token(aud='other')}")
    with caught.value as answer:
        assert answer.code in (401, 403) and json.loads(answer.read())["code"] == "NoAuthProvider"


def test_the_admin_acts_as_a_user(served: Served):
    who = base64.b64encode(json.dumps({"issuer": "i", "subject": "s"}).encode()).decode()
    assert call(served, "query", "people:who", f"Convex {served.key}:{who}")["value"]["subject"] == "s"


def test_a_file_is_uploaded_to_an_address_that_a_function_gives(served: Served):
    url = call(served, "mutation", "files:uploadUrl")["value"]
    id_ = send(url, b"abc", Content_Type="text/plain")["storageId"]
    assert call(served, "action", "files:load", id=id_)["value"] == ["abc", "text/plain", 3]
    with urllib.request.urlopen(call(served, "query", "files:url", id=id_)["value"], timeout=SECONDS) as answer:
        assert answer.read() == b"abc"
    call(served, "mutation", "files:remove", id=id_)
    assert call(served, "query", "files:url", id=id_)["value"] is None


def test_scheduled_functions_run_by_themselves(served: Served):
    call(served, "mutation", "scheduling:after", ms=0.0, args={"n": 77.0})
    rows = lambda: call(served, "query", "reading:newest")["value"]  # noqa: E731
    wait_until(lambda: 77 in rows())


def test_a_function_that_never_ends_holds_nobody_up(served: Served):
    with ThreadPoolExecutor(3) as pool:
        loops = [pool.submit(call, served, "query", "wild:endless", how="loop") for _ in range(3)]
        assert call(served, "query", "wild:ok", n=1.0)["value"] == 2
        for loop in loops:
            assert "Function execution timed out" in loop.result(SECONDS)["errorMessage"]
