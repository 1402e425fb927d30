"""Calls the app's public queries as each user: a returned document that PostgreSQL hides is a leak.

Arguments are made from the validators and the data. A function that could not be called is listed, never counted as
good.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supavex.convex import validators as kinds
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.validators import Optional, Validator, unwrap
from supavex.convex.values import Value, from_internal_json
from supavex.deployment import Deployment
from supavex.deployment.functions.app import Function
from supavex.rules.proof.convex import MODULE, call
from supavex.rules.proof.users import User

#: The most calls of one function as one user, and the most values for one argument.
MAX_CALLS, _VALUES = 24, 4


@dataclass(frozen=True, slots=True)
class Leak:
    """A document that a function returned to a user from whom PostgreSQL hides its row."""

    #: The user who called the function.
    user: str
    #: The path of the function.
    function: str
    #: The file and line of the function.
    place: str
    #: The Convex table of the document.
    table: str
    #: The document's ``_id``.
    key: str
    #: The policy that hides the row.
    policy: str

    def to_json(self) -> dict[str, Any]:
        """The leak in ``verify --rules --json``."""
        return {
            "kind": "leak",
            "user": self.user,
            "function": self.function,
            "place": self.place,
            "table": self.table,
            "key": self.key,
            "policy": self.policy,
        }


@dataclass(slots=True)
class Called:
    """The result of calling the app's functions. ``unguarded``: those that answered without reading the caller's
    identity.
    """

    functions: list[str] = field(default_factory=list)
    calls: int = 0
    #: By user, function and document.
    leaks: dict[tuple[str, str, str], Leak] = field(default_factory=dict)
    #: What could not be called or compared, in words.
    not_tried: dict[str, None] = field(default_factory=dict)
    unguarded: list[str] = field(default_factory=list)


#: Whether PostgreSQL shows a user the row of a document (its table and id); a text if that is unknown.
Visible = Callable[[str, str, User], bool | str]


class AppFunctions:
    """Calls the public queries of an app. ``hiding``: the policies of a Convex table, in words."""

    def __init__(
        self, deployment: Deployment, folder: Path, visible: Visible, hiding: Mapping[str, str], root: Path
    ) -> None:
        self.deployment, self.folder, self.visible, self.hiding, self.root = deployment, folder, visible, hiding, root
        self.called = Called()
        self._guarded: dict[str, bool] = {}
        with deployment.functions.engine.snapshot() as snapshot:
            app = deployment.functions.app(snapshot)
        everything = sorted((one for one in app.functions.values() if not one.component.id), key=lambda one: one.path)
        public = [f for f in everything if f.public and not f.module.startswith(MODULE)]
        self.queries = [f for f in public if f.kind == "query" and not f.node]
        for function in public:
            if function not in self.queries:
                why = "it needs Node" if function.node else f"a {function.kind}: only queries are called"
                self.called.not_tried[f"{function.path}: {why}"] = None
        for method, path in app.routes.get("", ()):
            self.called.not_tried[f"{method} {path}: a route of http.ts: only queries are called"] = None
        self.called.functions = [function.path for function in self.queries]
        self._names = dict(deployment.table_names())
        self._samples = {name: list(itertools.islice(deployment.documents(name), 200)) for name in self.hiding}

    def of_user(self, user: User) -> None:
        """Calls each query as ``user``."""
        for function in self.queries:
            answered, why = False, "no arguments can be made for it"
            for args in self._arguments(function):
                outcome = call(self.deployment, function.path, args, user)
                self.called.calls += 1
                if outcome.failure is not None:
                    why = outcome.failure.message.strip().splitlines()[0][:200]
                    self._guarded[function.path] = self._guarded.get(function.path, False) or outcome.saw_identity
                    continue
                answered = True
                self._guarded[function.path] = self._guarded.get(function.path, False) or outcome.saw_identity
                self._look(from_internal_json(json.loads(outcome.value or "null")), function, user)
            if not answered:
                self.called.not_tried[f"{function.path} as {user}: {why}"] = None

    def done(self) -> Called:
        """The result, with the functions that never read the caller's identity."""
        self.called.unguarded = [f"{path} ({self._place(path)})" for path, seen in self._guarded.items() if not seen]
        return self.called

    def _look(self, answer: Value, function: Function, user: User) -> None:
        for document in _documents(answer):
            table = self._table(document["_id"])
            if table is None or table not in self.hiding:
                continue
            seen = self.visible(table, document["_id"], user)
            if isinstance(seen, str):
                self.called.not_tried[f"{table} as {user}: {seen}"] = None
            elif not seen:
                key = (str(user), function.path, document["_id"])
                place = self._place(function.path)
                self.called.leaks[key] = Leak(str(user), function.path, place, table, key[2], self.hiding[table])

    def _table(self, id_: object) -> str | None:
        try:
            return self._names.get(decode_id(str(id_))[0])
        except InvalidId:
            return None

    def _place(self, path: str) -> str:
        """The file and line of a function."""
        module, _, name = path.partition(":")
        for suffix in (".ts", ".tsx", ".js", ".mjs"):
            file = self.folder / f"{module}{suffix}"
            if file.is_file():
                pattern = re.compile(rf"export\s+(?:const|let|var|function)\s+{re.escape(name or 'default')}\b")
                lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
                line = next((at for at, text in enumerate(lines, 1) if pattern.search(text)), 1)
                return f"{file.relative_to(self.root).as_posix()}:{line}"
        return module

    def _arguments(self, function: Function) -> Iterator[dict[str, Value]]:
        """Arguments that the function's validator accepts, with values from the data."""
        validator = function.args
        if validator is None or isinstance(validator, kinds.AnyValue):
            yield {}
            return
        if not isinstance(validator, kinds.Object):
            return
        choices: dict[str, list[Value]] = {}
        for name, inner in validator.fields.items():
            found = self._values(name, unwrap(inner))
            if not found and not isinstance(inner, Optional):
                return
            choices[name] = found
        required = {n: c for n, c in choices.items() if not isinstance(validator.fields[n], Optional)}
        sets: list[dict[str, list[Value]]] = [required]
        sets += [{**required, n: c} for n, c in choices.items() if n not in required and c]
        count = 0
        for chosen in sets:
            for values in itertools.product(*chosen.values()):
                yield dict(zip(chosen, values, strict=True))
                count += 1
                if count >= MAX_CALLS:
                    return

    def _values(self, name: str, validator: Validator) -> list[Value]:
        if isinstance(validator, kinds.Id):
            if validator.table not in self._samples:
                return []
            return [d["_id"] for d in self._samples[validator.table][:_VALUES]]
        if isinstance(validator, kinds.Literal):
            return [validator.value]
        if isinstance(validator, kinds.Union):
            return [value for member in validator.members for value in self._values(name, member)[:2]]
        if isinstance(validator, kinds.Boolean):
            return [True, False]
        if isinstance(validator, kinds.Null):
            return [None]
        if isinstance(validator, kinds.Array):
            return [list(self._values(name, validator.element)[:2])]
        if isinstance(validator, kinds.Object):
            if {"numItems", "cursor"} <= validator.fields.keys():
                return [{"numItems": 100.0, "cursor": None}]
            inner = {n: self._values(n, unwrap(v)) for n, v in validator.fields.items() if not isinstance(v, Optional)}
            return [{n: found[0] for n, found in inner.items()}] if all(inner.values()) else []
        return self._scalars(name, validator)

    def _scalars(self, name: str, validator: Validator) -> list[Value]:
        """Values of fields of that name, or of fields whose name is the end of the argument's name."""
        found: dict[str, Value] = {}
        for documents in self._samples.values():
            for document in documents:
                for own, value in document.items():
                    if _alike(name, own) and validator.check(value, lambda _: None) is None:
                        found.setdefault(repr(value), value)
        if isinstance(validator, kinds.String):
            found |= {repr(v): v for v in self._slugs(name)}
            return list(found.values())[:_VALUES] or ["a"]
        if isinstance(validator, kinds.Number):
            return list(found.values())[:_VALUES] or [0.0]
        return list(found.values())[:_VALUES]

    def _slugs(self, name: str) -> list[Value]:
        """Names of documents of the table that the argument is named after: slugs or names."""
        table = next((t for t in self._samples if _alike(name, t.rstrip("s")) or name == t), None)
        found: list[Value] = []
        for document in self._samples.get(table, []) if table else []:
            found += [document[key] for key in ("slug", "name", "_id") if isinstance(document.get(key), str)][:1]
        return found


def _alike(argument: str, name: str) -> bool:
    plain, other = argument.replace("_", "").lower(), name.replace("_", "").lower()
    return plain == other or (len(other) > 2 and plain.endswith(other))


def _documents(value: Value) -> Iterator[Mapping[str, Any]]:
    """The objects with an ``_id`` in an answer."""
    waiting: list[Value] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("_id"), str):
                yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
