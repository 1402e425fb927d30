"""Finds the app's existing Convex functions, and the tables that each reads and writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from supavex.usage.finding.bindings import Step
from supavex.usage.finding.sources import SourceFile
from supavex.usage.finding.syntax import Chain, Syntax, parse

_KIND = re.compile(r"(query|mutation|action)$", re.IGNORECASE)
_WRITES = frozenset({"insert", "patch", "replace", "delete"})


@dataclass(frozen=True, slots=True)
class ConvexFunction:
    """An exported Convex function."""

    #: ``api.articles.bySlug``.
    name: str
    #: The kind of the function. Internal functions have the same kinds.
    kind: Literal["query", "mutation", "action"]
    #: ``file:line``.
    place: str
    #: The tables that it reads.
    reads: frozenset[str]
    #: The tables that it writes.
    writes: frozenset[str]
    #: The indexes that it uses.
    indexes: frozenset[str]
    #: Whether it patches or deletes documents.
    changes: bool

    def serves(self, table: str, *, writing: bool) -> bool:
        """Whether it reads ``table`` as a query, or writes it as a mutation."""
        if writing:
            # The id may come from a document that was read.
            return self.kind == "mutation" and (table in self.writes or (self.changes and table in self.reads))
        return self.kind == "query" and table in self.reads


def find_functions(files: Iterable[SourceFile], folder: str) -> list[ConvexFunction]:
    """The functions of the modules below ``folder`` (the convex folder, relative to the app's)."""
    prefix = f"{folder}/" if folder not in ("", ".") else ""
    found: list[ConvexFunction] = []
    for file in files:
        inside = file.path.removeprefix(prefix)
        if file.path.startswith(prefix) and file.language != "python" and inside not in ("schema.ts", "schema.js"):
            syntax = parse(file) if b"db" in file.text else None
            if syntax is not None:
                found += _functions(syntax, inside)
    return found


def _functions(syntax: Syntax, path: str) -> Sequence[ConvexFunction]:
    module = re.sub(r"\.[cm]?[jt]sx?$", "", path).replace("/", ".")
    found: list[ConvexFunction] = []
    current: Chain | None = None
    own: dict[int, list[Chain]] = {}
    for chain in syntax.chains:
        # Chains are in the order of the text. A chain in an argument comes after the outer chain.
        if len(chain.names) == 1 and chain.scope == 0 and len(chain.steps) == 1 and chain.steps[0].called:
            current = chain if _KIND.search(chain.steps[0].name) else None
            if current is not None:
                own[id(current)] = []
        elif current is not None:
            own[id(current)].append(chain)
    for chain in syntax.chains:
        if id(chain) not in own:
            continue
        word = _KIND.search(chain.steps[0].name)
        assert word is not None
        internal = chain.steps[0].name.startswith("internal")
        name = ".".join(["internal" if internal else "api", module, chain.names[0]])
        kind = word[0].lower()
        reads: set[str] = set()
        writes: set[str] = set()
        indexes: set[str] = set()
        ids: set[str] = set()
        changes = False
        for inner in own[id(chain)]:
            for at, step in enumerate(inner.steps):
                if at and inner.steps[at - 1].name == "v" and step.name == "id" and step.called:
                    ids.add(_first(step))
                elif at and inner.steps[at - 1].name == "db" and step.called:
                    table = _first(step)
                    reads |= {table} if step.name in ("query", "get") else set()
                    writes |= {table} if step.name in _WRITES else set()
                    changes = changes or step.name in _WRITES - {"insert"}
                elif step.name in ("withIndex", "withSearchIndex") and step.called:
                    indexes.add(_first(step))
        place = f"{syntax.file.path}:{chain.line}"
        found.append(
            ConvexFunction(
                name,
                "query" if kind == "query" else "mutation" if kind == "mutation" else "action",
                place,
                frozenset(reads - {""}),
                # patch and delete take an id. Its validator names the table.
                frozenset((writes | ids if changes else writes) - {""}),
                frozenset(indexes),
                changes,
            )
        )
    return found


def _first(step: Step) -> str:
    return step.arguments[0].text if step.arguments and step.arguments[0].kind == "text" else ""
