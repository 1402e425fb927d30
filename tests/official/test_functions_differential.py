"""Random calls of one TypeScript module, on `convex-test` in Node and on a deployment: the same results and errors.

The module is there twice: in the app, and in a component that the app's queries, mutations and actions call.

Where `convex-test` is known to differ from Convex's backend, and so from supavex, the case is not asked for:

- It compares as JavaScript does: numbers, so -0 and NaN are left out; and whatever a filter holds by `lt`, `lte`, `gt`
  and `gte`, so filters have these for numbers only.
- Its words for errors are its own for the most part. Errors are compared by what they are about.
- The error of a function that was called by another reaches the caller with its own message there; in the backend with
  the words and the stack that a client gets. So these words are taken off.
- A ConvexError of null loses its data on the way to a caller, which it keeps in the backend: left out.
- Its text search takes every word of a query for the beginning of one, and gives what it finds as it was created:
  queries have one word, and what is found is compared as a set. Its words end at spaces, so texts hold no other signs.
- Its `isDone` is true for a page that just reaches the end, where the backend gives one more page, an empty one. It is
  compared for shorter pages only.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.values import to_internal_json
from supavex.deployment import Deployment
from supavex.deployment.functions.call import Call
from tests.deployment.functions.app import APPS
from tests.deployment.functions.conftest import FILE, issuer, pushed

from .node import Node

__all__ = ["issuer", "pushed"]  # fixtures
SOURCE = APPS / "behaviours" / "convex"
KINDS = {
    "ArgumentTypeError": r"must provide arg 1 `id`",
    "Nonexistent": r"on non-?existent doc",
    "Schema": r"does not match the schema|Validator error",
    "Unique": r"unique\(\) query returned more than one result",
    "Boolean": r"[Bb]oolean",
}


def kind(message: str) -> str:
    """What an error is about; else its own first words."""
    message = re.sub(r"\A(Uncaught |Error: )+", "", message.strip()).splitlines()[0]
    return next((name for name, pattern in KINDS.items() if re.search(pattern, message, re.IGNORECASE)), message)


VALUES: list[Any] = [None, True, False, 0, 1, -5, 0.0, 1.0, 2.5, "", "a", "b", b"a", [], [1.0, "x"], {}, {"x": 1.0}]
values = st.sampled_from(VALUES)
numbers = st.integers(0, 5).map(float)
bad = st.sampled_from([{"n": "one"}, {"n": 1.0, "c": 1.0}, {"a": 1.0}])
rows = st.fixed_dictionaries({"n": numbers}, optional={"a": values, "b": values})
comparisons = st.one_of(
    st.tuples(st.sampled_from(("eq", "neq")), st.just(["field", "a"]), values.map(lambda value: ["value", value])).map(
        list
    ),
    st.tuples(st.sampled_from(("eq", "neq", "lt", "lte", "gt", "gte")), st.just(["field", "n"]), numbers).map(list),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(("and", "or")), inner, inner).map(list), st.tuples(st.just("not"), inner).map(list)
    ),
    max_leaves=4,
)


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    index, fields = draw(st.sampled_from((("by_n", ["n"]), ("by_a", ["a"]), ("by_a_b", ["a", "b"]))))
    equal = draw(st.integers(0, len(fields)))
    range_: list[list[Any]] = [["eq", field, draw(values)] for field in fields[:equal]]
    if equal < len(fields):
        bounds = [methods for methods in (("gt", "gte"), ("lt", "lte")) if draw(st.booleans())]
        range_ += [[draw(st.sampled_from(methods)), fields[equal], draw(values)] for methods in bounds]
    asked: dict[str, Any] = {"index": index, "range": range_, "order": draw(st.sampled_from(("asc", "desc")))}
    if draw(st.booleans()):
        asked["filter"] = draw(filters)
    return asked


def step(kind_: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.tuples(st.just(kind_), *parts).map(list)


texts = st.lists(st.sampled_from(("red", "Redder", "reddest", "blue", "BLUE", "7", "é")), max_size=4).map(" ".join)
folders = st.sampled_from(("x", "y"))
looked_for = st.sampled_from(("red", "re", "redd", "blue", "b", "7", "É", "none", "r", " "))
notes = st.fixed_dictionaries({"text": texts, "folder": folders})
reading = st.one_of(
    step("search", looked_for, st.none() | folders),
    step("get", numbers),
    step("collect", queries()),
    step("take", queries(), st.integers(0, 3).map(float)),
    step("first", queries()),
    step("unique", queries()),
    step("count"),
)
writing = st.one_of(
    step("note", notes),
    step("note", notes),
    step("rewrite", folders, texts),
    step("tear", folders),
    step("insert", rows),
    step("insert", rows),
    step("insert", rows | bad),
    step("patch", numbers, st.fixed_dictionaries({}, optional={"n": numbers, "a": values, "b": values})),
    step("patch", numbers, bad),
    step("replace", numbers, rows | bad),
    step("unset", numbers, st.sampled_from(("a", "b", "n"))),
    step("delete", numbers),
    step("deleteTwice", numbers),
    step("throw", st.just("no")),
    step("throwData", values.filter(lambda value: value is not None)),
)
nested = st.one_of(
    *(step(kind_, st.lists(writing | reading, max_size=4)) for kind_ in ("call", "part", "part")),
    *(step(kind_, st.lists(reading, max_size=3)) for kind_ in ("ask", "askPart")),
)
alone = st.one_of(
    step("call", st.lists(writing | reading, max_size=4)),
    step("ask", st.lists(reading, max_size=3)),
)
#: Steps of an action: each is a function of its own, of the app or of the component.
acting = st.one_of(
    nested,
    nested,
    step("act", st.lists(nested, max_size=3), st.booleans()),
    step("actPart", st.lists(alone, max_size=3), st.booleans()),
)
calls = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("action"),
            "steps": st.lists(acting, min_size=1, max_size=4),
            "catching": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("mutation"),
            "steps": st.lists(st.one_of(writing, writing, reading, nested), min_size=1, max_size=6),
            "catching": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {"kind": st.just("query"), "steps": st.lists(reading, min_size=1, max_size=4), "catching": st.just(True)}
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("query"),
            "steps": st.tuples(step("pages", queries(), st.integers(1, 3).map(float))).map(list),
            "catching": st.just(True),
        }
    ),
)
PATHS = {"query": "differential:read", "mutation": "differential:write", "action": "differential:act"}
EVERYTHING = [
    ["collect", {"index": index, "range": [], "order": "asc"}] for index in ("by_creation_time", "by_n", "by_a_b")
]


def plain(results: Any) -> Any:
    """Results with errors by their kind, nested ones too."""
    if isinstance(results, list) and len(results) == 2 and results[0] == "threw" and isinstance(results[1], str):
        return ["threw", kind(results[1])]
    return [plain(one) for one in results] if isinstance(results, list) else results


def official(answer: dict[str, Any]) -> Any:
    if "error" in answer:
        return ["failed", ["data", json.loads(answer["data"])] if answer["data"] else kind(answer["error"])]
    return plain(answer["value"])


@settings(max_examples=120)
@given(asked=st.lists(calls, min_size=3, max_size=8))
def test_calls_give_what_convex_test_gives(node: Node, pushed: Path, asked: list[dict[str, Any]]) -> None:
    asked = [*asked, {"kind": "query", "steps": [*EVERYTHING, ["askPart", EVERYTHING]], "catching": False}]
    sent = []
    for one in asked:
        path = PATHS[one["kind"]]
        args = to_internal_json({"steps": one["steps"], "catching": one["catching"]})
        sent.append({"kind": one["kind"], "path": path, "args": args})
    said = node.functions(
        (SOURCE / "schema.ts").read_text(), "differential", (SOURCE / "differential.ts").read_text(), sent
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(pushed, Path(folder) / FILE))
        with Deployment(path) as deployment:
            functions = deployment.functions
            functions.engine._store.connection.execute("PRAGMA synchronous = OFF")
            for one, answer in zip(sent, said, strict=True):
                outcome = functions.run(Call(one["path"], one["args"], internal=True))
                if outcome.failure is not None:
                    data = outcome.failure.data
                    mine: Any = ["failed", ["data", json.loads(data)] if data else kind(outcome.failure.message)]
                else:
                    # Whole numbers are written alike by both.
                    mine = plain(json.loads(outcome.value or "null", parse_int=float))
                assert mine == official(answer), one["args"]
