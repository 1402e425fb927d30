"""What names mean where an expression stands, and how much of it there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from supavex.mapping.plan import TablePlan
from supavex.rules.form import Expression, Function, Kind, Untranslatable, Variable, Whole
from supavex.rules.parse.columns import Source, field_of

#: Nodes of one policy with the functions that it calls, and levels of nesting.
MAX_NODES, MAX_DEPTH = 4000, 60


@dataclass
class Work:
    """What one rules.ts is made of so far: the project's functions that policies call, by what they are called with."""

    source: Source
    functions: dict[tuple[Any, ...], Function] = field(default_factory=dict)
    #: Of functions that are being read: a function that calls itself has no form.
    reading: list[str] = field(default_factory=list)
    nodes: int = 0
    depth: int = 0

    def step(self) -> None:
        """One more node. Raises where there are too many."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise Untranslatable(f"it is larger than {MAX_NODES} nodes")

    def function_name(self, name: str) -> str:
        """A name for one more function in TypeScript."""
        plain = re.sub(r"\W", "_", name)
        taken = {function.name for function in self.functions.values()}
        return next(n for n in (plain, *(f"{plain}_{i}" for i in range(2, 1000))) if n not in taken)


@dataclass(frozen=True)
class Binding:
    """A table of FROM, or the row that a policy is about; or a select's outputs by name.

    ``new``: the row may not be stored yet. ``secured``: policies of the table apply. ``outer``: of a LEFT JOIN.
    """

    alias: str
    row: str
    table: TablePlan | None = None
    outputs: Mapping[str, Expression] | None = None
    new: bool = False
    secured: bool = True
    outer: bool = False

    def column(self, name: str) -> Expression | None:
        """The column ``name``; None where there is none."""
        if self.outputs is not None:
            return self.outputs.get(name)
        assert self.table is not None
        if self.table.source.column(name) is None:
            return None
        found = field_of(self.table, name, self.row, new=self.new)
        return replace(found, nullable=True) if self.outer else found


@dataclass(frozen=True)
class Scope:
    """Where an expression stands. ``secured``: policies apply to the tables that it reads."""

    work: Work
    bindings: tuple[Binding, ...] = ()
    variables: Mapping[str, Expression] = field(default_factory=dict)
    outer: Scope | None = None
    secured: bool = True
    #: The name of the function whose body it is.
    function: str = ""
    #: The queries of WITH, by name.
    queries: Mapping[str, Any] = field(default_factory=dict)
    #: Whether that is PL/pgSQL, where a name that is a column's and a variable's too raises.
    plpgsql: bool = False

    @property
    def source(self) -> Source:
        """The tables, views and functions there are."""
        return self.work.source

    def column(self, names: list[str]) -> Expression:
        """What ``a``, ``a.b`` or ``s.a.b`` means. Raises where it means nothing."""
        if len(names) == 3:
            names = names[1:]
        scope: Scope | None = self
        while scope is not None:
            found = scope._own(names)
            if found is not None:
                if self.plpgsql and scope.bindings and len(names) == 1 and names[0] in self._every_variable():
                    raise Untranslatable(f"the name {names[0]} is a column's and a variable's: PL/pgSQL raises")
                return found
            scope = scope.outer
        raise Untranslatable(f"the name {'.'.join(names)}")

    def _own(self, names: list[str]) -> Expression | None:
        name = names[-1]
        if len(names) == 2:
            binding = next((b for b in self.bindings if b.alias == names[0]), None)
            if binding is not None:
                return binding.column(name)
            return self.variables.get(name) if names[0] == self.function else self.variables.get(".".join(names))
        found = [one for one in (b.column(name) for b in self.bindings) if one is not None]
        if len(found) > 1:
            raise Untranslatable(f"the name {name} is ambiguous")
        if found:
            return found[0]
        if name in self.variables:
            return self.variables[name]
        whole = next((b for b in self.bindings if b.alias == name and b.table is not None), None)
        if whole is not None and whole.table is not None:
            return Whole(Kind("row", whole.table.target), False, whole.row)
        return None

    def _every_variable(self) -> set[str]:
        own = set(self.variables)
        return own if self.outer is None else own | self.outer._every_variable()

    def row_name(self, alias: str) -> str:
        """A name in TypeScript for the rows of ``alias``, unlike those around it."""
        taken = set()
        scope: Scope | None = self
        while scope is not None:
            taken |= {b.row for b in scope.bindings}
            taken |= {v.name for v in scope.variables.values() if isinstance(v, Variable)}
            scope = scope.outer
        plain = re.sub(r"\W", "_", alias)
        plain = plain if re.match(r"[A-Za-z_]", plain) and plain not in RESERVED else f"{plain}_row"
        return next(n for n in (plain, *(f"{plain}_{i}" for i in range(2, 1000))) if n not in taken)


#: Names that rules.ts uses itself, and words of TypeScript.
RESERVED = frozenset(
    [
        "row",
        "caller",
        "db",
        "all",
        "rules",
        "constraints",
        "query",
        "mutation",
        "some",
        "find",
        "first",
        "count",
        "same",
        "differ",
        "less",
        "atMost",
        "rowsOf",
        "break",
        "case",
        "catch",
        "class",
        "const",
        "continue",
        "debugger",
        "default",
        "delete",
        "do",
        "else",
        "enum",
        "export",
        "extends",
        "false",
        "finally",
        "for",
        "function",
        "if",
        "import",
        "in",
        "instanceof",
        "new",
        "null",
        "return",
        "super",
        "switch",
        "this",
        "throw",
        "true",
        "try",
        "typeof",
        "var",
        "void",
        "while",
        "with",
        "yield",
        "let",
        "static",
        "implements",
        "interface",
        "package",
        "private",
        "protected",
        "public",
        "await",
        "async",
        "arguments",
        "eval",
        "undefined",
        "number",
        "string",
        "boolean",
        "object",
        "symbol",
        "any",
        "type",
        "of",
        "get",
        "set",
        "Row",
        "Caller",
        "Id",
        "Doc",
        "idOf",
        "uuidOf",
        "NaN",
        "Infinity",
        "Date",
        "Math",
        "JSON",
        "Object",
        "Array",
        "String",
        "Number",
        "Boolean",
        "Promise",
        "Set",
        "Map",
        "process",
        "module",
        "require",
        "exports",
    ]
)

Handler = Callable[[Any, Scope], Expression]
HANDLERS: dict[str, Handler] = {}


def reads(*nodes: str) -> Callable[[Handler], Handler]:
    """Registers what reads the grammar's nodes of those names."""

    def register(handler: Handler) -> Handler:
        for node in nodes:
            HANDLERS[node] = handler
        return handler

    return register


def expression(node: Any, scope: Scope) -> Expression:
    """The form of a node of PostgreSQL's grammar. Raises :class:`Untranslatable`."""
    work = scope.work
    work.step()
    handler = HANDLERS.get(type(node).__name__)
    if handler is None:
        raise Untranslatable(f"{type(node).__name__} of PostgreSQL's grammar")
    work.depth += 1
    try:
        if work.depth > MAX_DEPTH:
            raise Untranslatable(f"it is nested more than {MAX_DEPTH} levels deep")
        return handler(node, scope)
    finally:
        work.depth -= 1
