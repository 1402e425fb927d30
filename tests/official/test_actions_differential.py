"""Random vector searches and HTTP requests of one TypeScript module, on `convex-test` in Node and on a deployment.

The module is there twice: in the app, and in a component whose vectors the app's actions search.

Where `convex-test` is known to differ from Convex's backend, and so from supavex, the case is not asked for, or not
compared:

- It compares all documents of a table with a vector, those without one too: here each has one.
- Documents that are equally near have an order of its own: texts are compared as a set for each score.
- Where no route fits it answers in its own words; and an action that throws throws at the caller.
- It takes no `HEAD`, and puts no `content-type` to a text.
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.values import to_internal_json
from supavex.deployment import Deployment
from supavex.deployment.functions.actions import HttpRequest
from supavex.deployment.functions.call import Call
from supavex.deployment.functions.functions import Functions
from supavex.deployment.functions.identity import NOBODY
from supavex.deployment.functions.outcome import Outcome
from tests.deployment.functions.app import APPS
from tests.deployment.functions.conftest import FILE, issuer, pushed

from .node import Node

__all__ = ["issuer", "pushed"]  # fixtures
SOURCE = APPS / "behaviours" / "convex"
HTTP = """
import { httpRouter } from "convex/server";
import { addRoutes } from "./differential";
const http = httpRouter();
addRoutes(http);
export default http;
"""
#: Of what a response has of its own.
COMPARED = ("x-told", "content-type", "location", "cache-control")

vectors = st.lists(st.integers(-2, 2).map(float), min_size=3, max_size=3).filter(any)
folders = st.sampled_from(("x", "y", "z"))
notes = st.fixed_dictionaries({"text": st.integers(0, 99).map(str), "folder": folders, "vector": vectors})
filters = st.none() | st.tuples(st.just("folder"), st.lists(folders, min_size=1, max_size=3)).map(list)
searches = st.fixed_dictionaries({"vector": vectors, "limit": st.integers(1, 6).map(float), "filter": filters})
writes = st.lists(st.tuples(st.just("note"), notes).map(list), min_size=1, max_size=4)
reads = st.sampled_from([[["collect", {"index": "by_n", "range": [], "order": "asc"}]], [["count"]]])
bodies = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from((200, 201, 204, 301, 400, 404, 418, 503)),
        "headers": st.dictionaries(st.sampled_from(COMPARED), st.sampled_from(("a/b", "x, y", "/else")), max_size=2),
        "mutate": writes,
        "ask": reads,
        "vector": vectors,
    },
).map(json.dumps)
paths = st.sampled_from(("exact", "a/b", "a%20b", "long/x", "?a=1&a=2&b=%C3%A9", "exact?x", "exact/", "", "../nowhere"))
requests = st.builds(
    lambda method, path, body, sent: ["fetch", f"/differential/{path}", method, body, sent],
    st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
    paths,
    bodies | st.sampled_from(("", "plain", "é")) | st.just(json.dumps({"fails": "no"})),
    st.none() | st.sampled_from(("yes", "a, b")),
)
calls = st.one_of(
    writes.map(lambda steps: ["mutation", "differential:write", {"steps": [["part", steps]], "catching": False}]),
    searches.map(lambda args: ["action", "differential:act", {"steps": [["nearPart", args]], "catching": False}]),
    writes.map(lambda steps: ["mutation", "differential:write", {"steps": steps, "catching": False}]),
    searches.map(lambda args: ["action", "differential:near", args]),
    searches.map(lambda args: ["action", "differential:near", args]),
    requests,
)


def asked_of_node(call: list[Any]) -> dict[str, Any]:
    if call[0] != "fetch":
        return {"kind": call[0], "path": call[1], "args": to_internal_json(call[2])}
    _, path, method, body, sent = call
    given = {} if method in ("GET", "OPTIONS") or not body else {"body": body}
    return {
        "kind": "fetch",
        "path": path,
        "args": {"method": method, "headers": {} if sent is None else {"x-sent": sent}, **given},
    }


def answered(functions: Functions, call: Mapping[str, Any]) -> tuple[Outcome, Any]:
    """The outcome of a request, and its response as `convex-test` gives one."""
    args, head, pieces = call["args"], list[Any](), list[bytes]()
    body = [args["body"].encode()] if "body" in args else []

    def exchange(operation: str, arguments: dict[str, Any]) -> str:
        if operation == "http/body":
            return json.dumps({"data": base64.b64encode(body.pop()).decode() if body else None})
        if operation == "http/head":
            head.append([arguments["status"], sorted(arguments["headers"])])
        else:
            pieces.append(base64.b64decode(arguments["data"]))
        return "null"

    headers = [*args["headers"].items()]
    path = str(call["path"])
    # As whoever makes an address of a path does.
    whole = path.replace("/differential/..", "")
    request = HttpRequest(
        args["method"], f"https://some.convex.site{whole}", whole.partition("?")[0], headers, "body" in args
    )
    outcome = functions.answer(request, NOBODY, exchange)
    return outcome, [*(head[0] if head else [None, []]), b"".join(pieces).decode()]


def response(found: list[Any]) -> Any:
    """What of a response is compared."""
    status, headers, text = found
    if status == 404 and not text.startswith("{"):
        return "no route"
    kept = {name: value for name, value in headers if name in COMPARED and not value.startswith("text/plain")}
    told = json.loads(text) if text else None
    return status, kept, ranked(told)


def _is_near(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and type(value[0]) is str and type(value[1]) is float


def ranked(value: Any) -> Any:
    """Results of vector searches as sets for each score; everything else as it is."""
    if isinstance(value, list) and value and all(_is_near(one) for one in value):
        groups = [[score, sorted(text for text, _ in found)] for score, found in groupby(value, lambda one: one[1])]
        # Where others are as near as the last ones, either may be left out.
        return [*groups[:-1], [groups[-1][0], len(groups[-1][1])]]
    if isinstance(value, dict):
        return {name: ranked(one) for name, one in value.items()}
    return [ranked(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=60)
@given(asked=st.lists(calls, min_size=4, max_size=10))
def test_vectors_and_requests_give_what_convex_test_gives(node: Node, pushed: Path, asked: list[list[Any]]) -> None:
    sent = [asked_of_node(call) for call in asked]
    source = (SOURCE / "differential.ts").read_text()
    said = node.functions((SOURCE / "schema.ts").read_text(), "differential", source, sent, http=HTTP)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(pushed, Path(folder) / FILE))
        with Deployment(path) as deployment:
            functions = deployment.functions
            functions.engine._store.connection.execute("PRAGMA synchronous = OFF")
            for one, answer in zip(sent, said, strict=True):
                if one["kind"] == "fetch":
                    outcome, found = answered(functions, one)
                    mine: Any = "failed" if outcome.failure is not None else response(_floats(found))
                    theirs = "failed" if "error" in answer else response(_floats(answer["value"]))
                else:
                    outcome = functions.run(Call(one["path"], one["args"], internal=True))
                    assert outcome.failure is None, outcome.failure.message
                    mine = ranked(json.loads(outcome.value or "null", parse_int=float))
                    theirs = ranked(answer.get("value", answer))
                assert mine == theirs, one


def _floats(found: list[Any]) -> list[Any]:
    status, headers, text = found
    whole = json.dumps(json.loads(text, parse_int=float)) if text.startswith("{") else text
    return [int(status), [tuple(pair) for pair in headers], whole]
