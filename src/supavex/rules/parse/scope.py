"""The meaning of names at the place of an expression, and limits on the size of expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from supavex.mapping.plan import TablePlan
from supavex.postgres.catalog import Column
from supavex.rules import form
from supavex.rules.form import Call, Expression, Function, Kind, Untranslatable, Variable, Whole
from supavex.rules.parse.columns import Source, field_of, value_of
from supavex.rules.parse.conversions import cast_named
from supavex.rules.parse.grammar import expression_node

#: The most nodes of one policy with the functions that it calls, and the most levels of nesting.
MAX_NODES, MAX_DEPTH = 4000, 60


@dataclass
class Work:
    """The state of one rules.ts: the project's functions that policies call, by function and argument kinds."""

    source: Source
    functions: dict[tuple[Any, ...], Function] = field(default_factory=dict)
    #: The functions that are being read. A function that calls itself has no form.
    reading: list[str] = field(default_factory=list)
    nodes: int = 0
    depth: int = 0

    def step(self) -> None:
        """Counts a node. Raises :class:`Untranslatable` if there are too many."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise Untranslatable(f"the policy, with the functions that it calls, has more than {MAX_NODES} parts")

    def function_name(self, name: str) -> str:
        """A TypeScript name for another function."""
        plain = re.sub(r"\W", "_", name)
        plain = f"{plain}_" if plain in RESERVED else plain
        taken = {function.name for function in self.functions.values()}
        return next(n for n in (plain, *(f"{plain}_{i}" for i in range(2, 1000))) if n not in taken)


@dataclass(frozen=True)
class Binding:
    """A table of FROM, the row of a policy, or the outputs of a select."""

    #: The name by which SQL refers to it; empty if SQL can't.
    alias: str
    #: The row's name in TypeScript.
    row: str
    #: The plan of the table; None for outputs.
    table: TablePlan | None = None
    #: The outputs by name; None for a table.
    outputs: Mapping[str, Expression] | None = None
    #: Whether the row may not be stored yet.
    new: bool = False
    #: Whether the table's policies apply.
    secured: bool = True
    #: Whether it is the right side of a LEFT JOIN.
    outer: bool = False

    def column(self, name: str) -> Expression | None:
        """The column ``name``; None if there is none."""
        if self.outputs is not None:
            return self.outputs.get(name)
        assert self.table is not None
        if self.table.source.column(name) is None:
            return None
        found = field_of(self.table, name, self.row, new=self.new)
        return value_of(replace(found, nullable=True) if self.outer else found)


@dataclass(frozen=True)
class Scope:
    """The place of an expression."""

    #: The state of the rules.ts that the expression becomes a part of.
    work: Work
    #: The rows that names refer to, without those of the outer scopes.
    bindings: tuple[Binding, ...] = ()
    #: The variables by name.
    variables: Mapping[str, Expression] = field(default_factory=dict)
    #: The scope around it.
    outer: Scope | None = None
    #: Whether policies apply to the tables that it reads.
    secured: bool = True
    #: The name of the function whose body it is in.
    function: str = ""
    #: The queries of WITH, by name.
    queries: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the body is PL/pgSQL, where a name of both a column and a variable is an error.
    plpgsql: bool = False

    @property
    def source(self) -> Source:
        """The known tables, views and functions."""
        return self.work.source

    def column(self, names: list[str]) -> Expression:
        """The meaning of ``a``, ``a.b`` or ``s.a.b``. Raises :class:`Untranslatable` if it has none."""
        if len(names) == 3:
            names = names[1:]
        scope: Scope | None = self
        while scope is not None:
            found = scope._own(names)
            if found is not None:
                if self.plpgsql and scope.bindings and len(names) == 1 and names[0] in self._every_variable():
                    raise Untranslatable(f"the name {names[0]} is both a column and a variable, which PL/pgSQL refuses")
                return found
            scope = scope.outer
        raise Untranslatable(f"the name {'.'.join(names)} is unknown here")

    def _own(self, names: list[str]) -> Expression | None:
        name = names[-1]
        if len(names) == 2:
            binding = next((b for b in self.bindings if b.alias == names[0]), None)
            if binding is not None:
                return self._of(binding, name)
            return self.variables.get(name) if names[0] == self.function else self.variables.get(".".join(names))
        found = [one for one in (self._of(b, name) for b in self.bindings) if one is not None]
        if len(found) > 1:
            raise Untranslatable(f"the name {name} is a column of several tables: write table.{name}")
        if found:
            return found[0]
        if name in self.variables:
            return self.variables[name]
        whole = next((b for b in self.bindings if b.alias == name and b.table is not None), None)
        if whole is not None and whole.table is not None:
            return Whole(Kind("row", whole.table.target), False, whole.row)
        return None

    def _of(self, binding: Binding, name: str) -> Expression | None:
        """The column ``name`` of a table: of a row that may be a new one, what a generated column is made of."""
        found = binding.column(name)
        column = binding.table.source.column(name) if binding.table is not None and binding.new else None
        if found is None or column is None or not column.generated or not column.expression:
            return found
        alone = replace(self, bindings=(binding,), variables={}, outer=None)
        made = expression(expression_node(column.expression), alone)
        if made.kind.name != found.kind.name:
            raise Untranslatable(
                f"the expression of the generated column {name} gives {made.kind}, and its field holds {found.kind}"
            )
        return _stored(made, found, column, self.source)

    def _every_variable(self) -> set[str]:
        own = set(self.variables)
        return own if self.outer is None else own | self.outer._every_variable()

    def row_name(self, alias: str) -> str:
        """A TypeScript name for the rows of ``alias`` that is unused around it."""
        taken = set()
        scope: Scope | None = self
        while scope is not None:
            taken |= {b.row for b in scope.bindings}
            taken |= {v.name for v in scope.variables.values() if isinstance(v, Variable)}
            scope = scope.outer
        plain = re.sub(r"\W", "_", alias)
        plain = plain if re.match(r"[A-Za-z_]", plain) and plain not in RESERVED else f"{plain}_row"
        return next(n for n in (plain, *(f"{plain}_{i}" for i in range(2, 1000))) if n not in taken)


def _stored(made: Expression, found: Expression, column: Column, source: Source) -> Expression:
    """The value of a generated column's expression as the column stores it."""
    if found.kind == form.REAL:
        return Call(form.REAL, made.nullable, "realOf", (made,))
    return cast_named(made, column.type.name, source) if found.kind.name in ("number", "text") else made


#: Names that rules.ts uses itself, and TypeScript's words.
RESERVED = frozenset(
    """
    absolute all allTrue Answer any anyTrue arguments Array arrayLength arrayType async atMost Auth await BigInt
    Boolean boolean booleanFromJson booleanFromText break Caller caller callerOf cardinality case catch
    changeWithChildren charType checkConstraints Child class Command concat concatenated const Constraints
    constraints constraintsOf containsAll containsJson continue ConvexError count countTrue crypto customMutation
    customQuery DatabaseReader DatabaseWriter Date dateOf dateOfDay dateType dayAfter dayBefore dayOf daysBetween db
    debugger decimalOf deeper default delete demandSelect differ differJson differsFromAll differsFromAny DIGITS
    divided do Doc elapsed element else encodedId enum equalsAll equalsAny equalValues Error eval export exports
    extends false finally find first firstBy firstJson for Found function gathered get granted greatest greatestOf
    guarded Id identityOf idInTable idOf idOfNumber idOfText idsOf idsOfNumbers idsOfTexts if implements import in
    Infinity insert instanceof int64Of integerType interface isDuplicate isNull joined JSON jsonAt jsonAtPath
    jsonbText jsonContains jsonHas jsonHasAll jsonHasAny jsonLength jsonOf jsonText jsonTextAtPath jsonTexts
    jsonType keyBytes labelOf later least leastOf leftOf length less let levels limited list Loose lower Map matches
    Math mayCall midnightType minus module momentOf mutation NaN new notDistinct null nullIf nullIfEmpty Number
    number numberFromJson numberFromText numberOf numberTextOf numericTextType numericType Object object of
    oneLevelDeeper ordered orNullRow overlaps package passes plus Policy positionOf private process Promise
    protected public publicMutation publicQuery query randomUuid read reader realOf realType referring refused
    RegExp remainder remove removeWithChildren replaced require return rightOf Row row rowsOf rules rulesOf same
    sameJson Set set sha256 single some splitPart splitText startsWith static strict strictJson String string
    substring super switch symbol TableNames tableNumbers tableOf TableRules TextEncoder textOfBoolean textOfJson
    textOfNumber Texts this throw times timestampType timeType trimmed trimmedLeft trimmedRight true try type typed
    typeof undefined unguarded Unique unsetParameter update upper uuidFromText uuidOf uuidsOf uuidType var visibleBy
    visibleOnly void Way WeakMap while wholeFromText wholeOf with withDefaults withinBits withoutAbsent yield
    """.split()  # noqa: SIM905
)

Handler = Callable[[Any, Scope], Expression]
HANDLERS: dict[str, Handler] = {}


def reads(*nodes: str) -> Callable[[Handler], Handler]:
    """Registers the reader of the grammar's nodes of those names."""

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
        raise Untranslatable(f"the SQL syntax that PostgreSQL's parser calls {type(node).__name__} is not translated")
    work.depth += 1
    try:
        if work.depth > MAX_DEPTH:
            raise Untranslatable(f"the expression is nested more than {MAX_DEPTH} levels deep")
        return handler(node, scope)
    finally:
        work.depth -= 1
