"""A query of one table, read from the steps of a chain: the operation, the rows, the order, the number."""

from __future__ import annotations

from dataclasses import dataclass, field

from supavex.usage.finding.bindings import Step
from supavex.usage.finding.selects import Condition, Embed, SelectItem, parse_conditions, parse_select
from supavex.usage.finding.values import Value

OPERATIONS = ("select", "insert", "upsert", "update", "delete")
#: Filter methods of supabase-js, with supabase-py's and PostgREST's names for them.
_FILTERS = {
    "eq": "eq", "neq": "neq", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte", "like": "like", "ilike": "ilike",
    "likeAllOf": "likeAll", "likeAnyOf": "likeAny", "ilikeAllOf": "ilikeAll", "ilikeAnyOf": "ilikeAny", "is": "is",
    "isDistinct": "neq", "in": "in", "inFilter": "in", "contains": "contains", "containedBy": "containedBy",
    "overlaps": "overlaps", "textSearch": "textSearch", "fts": "textSearch", "plfts": "textSearch",
    "phfts": "textSearch", "wfts": "textSearch", "cs": "contains", "cd": "containedBy", "ov": "overlaps",
    "rangeGt": "range", "rangeGte": "range", "rangeLt": "range", "rangeLte": "range", "rangeAdjacent": "range",
    "match": "match", "regexMatch": "matches", "regexIMatch": "matches", "imatch": "matches",
    "plFts": "textSearch", "phFts": "textSearch",
}  # fmt: skip
_SYMBOLS = {"eq": "=", "neq": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}
_QUIET = frozenset(
    {
        "execute", "throwOnError", "returns", "overrideTypes", "overrideType", "abortSignal", "setHeader", "retry",
        "toPromise", "csv", "geojson", "stripNulls",
    }
)  # fmt: skip
_ENDS = frozenset({"then", "catch", "finally", "data", "error", "count", "status"})


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition of a query."""

    #: The operator in supabase-js' name.
    operator: str
    #: The column, perhaps with a path into JSON; empty if the code computes it.
    column: str
    #: The compared value; None if the code gives none.
    value: Value | None = None
    #: Whether it is negated.
    negated: bool = False
    #: Whether the code adds it only in some cases.
    maybe: bool = False
    #: The conditions of an ``or``.
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        value = self.value.source if self.value is not None else "?"
        if self.operator == "or":
            text = f"or({self.value.text if self.value and self.value.text else value})"
        elif self.operator in ("eq", "neq", "gt", "gte", "lt", "lte"):
            text = f"{self.column or '?'} {_SYMBOLS[self.operator]} {value}"
        else:
            text = f"{self.column or '?'} {self.operator} {value}"
        text = f"not {text}" if self.negated else text
        return f"[{text}]" if self.maybe else text


@dataclass(slots=True)
class Query:
    """A chain's query of a table."""

    #: Empty if the chain ends before it names one.
    operation: str = ""
    #: The columns of the select list; empty for all.
    columns: tuple[SelectItem, ...] = ()
    #: The rows of other tables in the select list.
    embeds: tuple[Embed, ...] = ()
    #: The conditions, all of which have to hold.
    filters: list[Filter] = field(default_factory=list)
    #: Columns, each with whether it is descending.
    order: list[tuple[str, bool]] = field(default_factory=list)
    #: For columns of ``order``: whether NULLs come first; None if the code does not say.
    nulls_first: dict[str, bool | None] = field(default_factory=dict)
    #: The most rows; None without a limit.
    limit: Value | None = None
    #: Whether the query has a range of rows.
    paged: bool = False
    #: ``single``, ``maybeSingle`` or empty.
    single: str = ""
    #: The kind of count, if one is requested.
    count: str = ""
    #: Whether only the count is requested.
    head: bool = False
    #: The inserted or changed values.
    payload: Value | None = None
    #: The columns of ON CONFLICT.
    conflict: tuple[str, ...] = ()
    #: Whether an upsert leaves existing rows unchanged.
    ignore_duplicates: bool = False
    #: Whether a change returns its rows.
    returning: bool = False
    #: The most rows that a change may affect. With more, it fails.
    most: Value | None = None
    #: Steps that are not understood.
    others: list[str] = field(default_factory=list)

    def described(self) -> str:
        """The query on one line, in SQL's words."""
        parts = [self.operation or "a query that is built here"]
        if self.operation == "select":
            names = [*map(str, self.columns), *(f"{embed.name}(…)" for embed in self.embeds)]
            parts = ["count" if self.head else f"select {', '.join(names) or '*'}"]
        elif self.payload is not None and self.payload.kind == "object" and self.payload.fields:
            names = [name for name, _ in self.payload.fields] + ([] if self.payload.whole else ["…"])
            parts.append(", ".join(names))
        if self.conflict:
            parts.append(f"on conflict {', '.join(self.conflict)}")
        if self.filters:
            parts.append("where " + ", ".join(map(str, self.filters)))
        if self.order:
            parts.append("order " + ", ".join(name + (" desc" if desc else "") for name, desc in self.order))
        if self.limit is not None:
            parts.append(f"limit {self.limit.source}")
        parts += ["a page"] if self.paged else []
        parts += [self.single] if self.single else []
        parts += ["with count"] if self.count and not self.head else []
        parts += [f"then {', '.join(self.others)}"] if self.others else []
        return " ".join(parts)


def canonical(name: str) -> str:
    """supabase-js' name of a supabase-py method: ``text_search``, ``in_``, ``maybe_single``."""
    head, *rest = name.strip("_").split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def canonical_operator(name: str) -> str:
    """supabase-js' name of a PostgREST operator: ``contains`` for ``cs``; ``?`` for an unknown one."""
    return _FILTERS.get(name, "?")


def read_steps(query: Query, steps: tuple[Step, ...], *, maybe: bool = False) -> None:
    """Adds ``steps`` to ``query``. ``maybe``: the code runs them only in some cases."""
    negated = False
    for step in steps:
        name = canonical(step.name)
        if name in _ENDS and (step.called or name != "count"):
            return
        if step.arguments is None:
            negated = name == "not"  # supabase-py: .not_.is_("a", "null")
            if not negated and name != "count":
                return
            continue
        _read(query, name, step.arguments, negated=negated, maybe=maybe)
        negated = False


def _read(query: Query, name: str, arguments: tuple[Value, ...], *, negated: bool, maybe: bool) -> None:
    first = arguments[0] if arguments else None
    options = arguments[-1] if arguments and arguments[-1].kind == "object" else None
    if name in OPERATIONS:
        _operation(query, name, arguments, options)
    elif name in ("filter", "not", "or", "match") or name in _FILTERS:
        query.filters += _filters(name, arguments, negated=negated, maybe=maybe)
    elif name == "order":
        ascending = options.field("ascending") if options is not None else None
        desc = options.field("desc") if options is not None else None
        if options is not None and options.field("referencedTable", "foreignTable", "foreign_table") is not None:
            return  # It is the order of embedded rows.
        falling = (ascending and ascending.text == "false") or (desc and desc.text == "true")
        query.order.append((_column(first), bool(falling)))
        nulls = options.field("nullsFirst", "nullsfirst", "nulls_first") if options is not None else None
        if nulls is not None and nulls.kind != "null":
            query.nulls_first[_column(first)] = nulls.text == "true" if nulls.kind == "boolean" else None
    elif name == "limit":
        query.limit = first
    elif name == "range":
        query.paged = True
    elif name in ("single", "maybeSingle"):
        query.single = name
    elif name == "count":
        query.count = "exact"
    elif name == "maxAffected":
        query.most = first
    elif name not in _QUIET:
        query.others.append(name)


def _operation(query: Query, name: str, arguments: tuple[Value, ...], options: Value | None) -> None:
    if options is not None:
        count, head = options.field("count"), options.field("head")
        query.count = count.text or "?" if count is not None else query.count
        query.head = query.head or (head is not None and head.text == "true")
    if name == "select":
        query.columns, query.embeds = (), ()
        for one in arguments:  # of Python, one argument for each column, too
            if one.kind in ("text", "template"):
                columns, embeds = parse_select(one.text)
                query.columns, query.embeds = query.columns + columns, query.embeds + embeds
            elif one.kind not in ("object", "null"):
                query.columns += (SelectItem(one.source, known=False),)
        query.returning = bool(query.operation)
        query.operation = query.operation or "select"
        return
    query.operation = name
    query.payload = arguments[0] if arguments else None
    if name == "upsert" and options is not None:
        conflict = options.field("onConflict", "on_conflict")
        ignored = options.field("ignoreDuplicates", "ignore_duplicates")
        if conflict is not None and conflict.kind == "text":
            query.conflict = tuple(column.strip() for column in conflict.text.split(",") if column.strip())
        query.ignore_duplicates = ignored is not None and ignored.text == "true"


def _filters(name: str, arguments: tuple[Value, ...], *, negated: bool, maybe: bool) -> list[Filter]:
    first = arguments[0] if arguments else None
    if name == "or":
        text = first.text if first is not None and first.kind in ("text", "template") else ""
        return [Filter("or", "", first, negated, maybe, parse_conditions(text) or ())]
    if name == "match" and first is not None and first.kind in ("object", "code") and len(arguments) == 1:
        if first.kind == "code" or not first.fields:
            return [Filter("eq", "", first, negated, maybe)]
        return [Filter("eq", column, value, negated, maybe) for column, value in first.fields]
    if name in ("filter", "not"):
        operator = arguments[1].text if len(arguments) > 1 else ""
        inverse = operator.startswith("not.")
        operator = canonical_operator(operator.removeprefix("not."))
        value = arguments[2] if len(arguments) > 2 else None
        return [Filter(operator, _column(first), value, (name == "not") != inverse, maybe)]
    value = arguments[1] if len(arguments) > 1 else None
    return [Filter(_FILTERS[name], _column(first), value, negated, maybe)]


def _column(value: Value | None) -> str:
    """The column's name; empty if the code computes it."""
    return value.text if value is not None and value.kind == "text" else ""
