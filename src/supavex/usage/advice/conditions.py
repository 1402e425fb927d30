"""A Supabase filter as Convex code: in an index range, in ``.filter((q) => …)``, or in plain TypeScript on a row."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from supavex.convex import validators as kinds
from supavex.convex.schema import SearchIndex
from supavex.convex.typescript import IDENTIFIER, quoted, render, value_text
from supavex.convex.validators import Validator
from supavex.convex.values import Value as ConvexValue
from supavex.usage.advice.tables import ColumnSide, TableSide
from supavex.usage.finding.patterns import exact_text, matches, parts_of
from supavex.usage.finding.queries import Filter, canonical_operator
from supavex.usage.finding.values import Value

#: Operators of index ranges, and of ``q`` in filters.
RANGES = ("gt", "gte", "lt", "lte")
#: Operators that compare with patterns: with one, with each of several, or with any of several.
LIKES = ("like", "ilike", "likeAll", "ilikeAll", "likeAny", "ilikeAny")
_SIGNS = {"eq": "===", "neq": "!==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NOW = re.compile(r"new Date\(\)|Date\.now\(|\bnow\(|utcnow")


@dataclass(slots=True)
class Arguments:
    """The arguments of a Convex function: their names, and their validators as TypeScript."""

    validators: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, validator: str, *, optional: bool = False) -> str:
        """The expression for an argument, ``args.name``. A second argument of that name gets a number."""
        wanted = name if IDENTIFIER.match(name) else "value"
        name, number = wanted, 2
        while name in self.validators:
            name, number = f"{wanted}_{number}", number + 1
        self.validators[name] = f"v.optional({validator})" if optional else validator
        return f"args.{name}"


def member(name: str) -> str:
    """Access to a field: ``.name``."""
    return f".{name}" if IDENTIFIER.match(name) else f"[{quoted(name)}]"


def validator_text(side: TableSide, column: ColumnSide) -> str:
    """The validator of an argument that is compared with the field."""
    if column.field == "_id":
        return f"v.id({quoted(side.target)})"
    return render(column.inner) if column.inner is not None else "v.any()"


def literal(column: ColumnSide, value: Value | None) -> str | None:
    """The value as TypeScript, if the code has it as a literal and the field takes it."""
    inner = column.inner
    if value is None or inner is None or (isinstance(inner, kinds.AnyValue) and value.kind not in ("text", "boolean")):
        return None
    found: ConvexValue
    if value.kind == "text":
        found = value.text
    elif value.kind == "boolean":
        found = value.text == "true"
    elif value.kind == "number":
        try:
            found = int(value.text) if _takes_int64(inner) else float(value.text)
        except ValueError:
            return None
    else:
        return None
    return value_text(found) if inner.check(found, lambda _: None) is None else None


def _takes_int64(validator: Validator) -> bool:
    members = validator.members if isinstance(validator, kinds.Union) else (validator,)
    return any(isinstance(one, kinds.Int64) for one in members)


def absent(column: ColumnSide) -> str:
    """The form of SQL's NULL in the field: ``undefined``, or null if the field takes it; empty if it is required."""
    return "null" if column.nullable else "undefined" if column.optional else ""


def is_scalar(column: ColumnSide) -> bool:
    """Whether the field's kind suits an index."""
    return not isinstance(column.inner, kinds.AnyValue | kinds.Array | kinds.Object | kinds.Record)


def is_text(column: ColumnSide) -> bool:
    """Whether the field holds only former texts, and NULL."""
    inner = column.inner
    members = inner.members if isinstance(inner, kinds.Union) else (inner,)
    texts = [one for one in members if not isinstance(one, kinds.Null)]
    return bool(texts) and all(
        isinstance(one, kinds.String) or (isinstance(one, kinds.Literal) and isinstance(one.value, str))
        for one in texts
    )


def is_now(value: Value) -> bool:
    """Whether the code means the current time."""
    return bool(_NOW.search(value.source))


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter of a query, with its column."""

    #: Supabase's filter.
    filter: Filter
    #: The filter's column, with its field in Convex.
    column: ColumnSide
    #: The compared value, as TypeScript.
    operand: str
    #: The values of a list in the code.
    values: tuple[str, ...] = ()
    #: The conditions of an ``or``.
    parts: tuple[Condition, ...] = ()
    #: TypeScript that is true if a filter that is added only in some cases is absent.
    off: str = ""
    #: The LIKE patterns that the code has as literals.
    patterns: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether an index can have the condition among its equal fields."""
        certain = not self.filter.maybe and not self.filter.negated
        return certain and self.filter.operator in ("eq", "is") and is_scalar(self.column)

    @property
    def is_range(self) -> bool:
        """Whether an index can have the condition as its range."""
        certain = not self.filter.maybe and not self.filter.negated
        return certain and self.filter.operator in RANGES and is_scalar(self.column)

    @property
    def needs_code(self) -> bool:
        """Whether Convex's own filters can't express the condition."""
        if self.parts:
            return any(part.needs_code for part in self.parts)
        return self.filter.operator not in ("eq", "neq", "is", "in", *RANGES)

    @property
    def interprets(self) -> bool:
        """Whether the condition reads a pattern at run time, which needs a helper function."""
        return any(part.interprets for part in self.parts) or (self.filter.operator in LIKES and not self.patterns)

    def in_filter(self) -> str:
        """The condition as an expression of ``.filter((q) => …)``."""
        if self.parts:
            return f"q.or({', '.join(part.in_filter() for part in self.parts)})"
        found = self._expression()
        if self.filter.negated:
            found = f"q.not({found})"
            if absent(self.column):
                found = f"q.and(q.neq(q.field({quoted(self.column.field)}), {absent(self.column)}), {found})"
        return f"{self.off} ? true : {found}" if self.off else found

    def _expression(self) -> str:
        at, operator = f"q.field({quoted(self.column.field)})", self.filter.operator
        if operator == "in":
            if self.values:
                return "q.or(" + ", ".join(f"q.eq({at}, {value})" for value in self.values) + ")"
            return f"q.or(...{self.operand}.map((one) => q.eq({at}, one)))"
        operator = "eq" if operator == "is" else operator
        found = f"q.{operator}({at}, {self.operand})"
        if operator in ("neq", "lt", "lte") and absent(self.column) and self.operand != absent(self.column):
            # In SQL, NULL is neither less nor different. In Convex, undefined is both.
            found = f"q.and(q.neq({at}, {absent(self.column)}), {found})"
        return found

    def on_row(self, row: str = "row") -> str:
        """The condition as an expression over a row."""
        if self.parts:
            return f"({' || '.join(part.on_row(row) for part in self.parts)})"
        at = row + member(self.column.field)
        found = self._on_row(at)
        if self.filter.negated:
            there = _there(at, self.column)
            found = f"({there}!({found}))"
        return f"({self.off} || {found})" if self.off else found

    def _on_row(self, at: str) -> str:
        operator, operand = self.filter.operator, self.operand
        may_lack = bool(absent(self.column))
        there = _there(at, self.column)
        if operator in ("eq", "is"):
            return f"{at} === {operand}"
        if operator in _SIGNS:
            found = f"{at} {_SIGNS[operator]} {operand}"
            return f"({there}{found})" if there and operand != absent(self.column) else found
        if operator == "in":
            return f"({there}{operand}.includes({at}))" if there else f"{operand}.includes({at})"
        found = self._of_text_or_list(at, may_lack)
        return f"({there}{found})" if there else found

    def _of_text_or_list(self, at: str, may_lack: bool) -> str:
        operator, operand = self.filter.operator, self.operand
        if operator in ("contains", "overlaps"):
            every = "every" if operator == "contains" else "some"
            return f"{operand}.{every}((one) => {_else(at, may_lack)}.includes(one))"
        if operator == "containedBy":
            # Inside a closure, TypeScript forgets that an argument is defined.
            operand = f"{operand}!" if self.off else operand
            return f"{_else(at, may_lack)}.every((one) => {operand}.includes(one))"
        return self._like(at if isinstance(self.column.inner, kinds.String) else f"String({at})")

    def _like(self, text: str) -> str:
        operator, fold = self.filter.operator, self.filter.operator.startswith("i")
        if self.patterns:
            if len(self.patterns) > 1 and not text.startswith("String("):
                text = f"String({text})"  # Without this, TypeScript reports that the two texts can never be equal.
            each = [matches(text, pattern, fold=fold) or "false" for pattern in self.patterns]
            found = (" || " if operator.endswith("Any") else " && ").join(each)
            return f"({found})" if len(each) > 1 else found
        if operator in ("like", "ilike"):
            text, pattern = (f"{one}.toLowerCase()" if fold else one for one in (text, self.operand))
            return f"like({text}, {pattern})"
        # Inside a closure, TypeScript forgets that the field is defined.
        text, operand = text if text.startswith("String(") else f"String({text})", self.operand + "!" * bool(self.off)
        text, one = (f"{each}.toLowerCase()" if fold else each for each in (text, "one"))
        return f"{operand}.{'some' if operator.endswith('Any') else 'every'}((one) => like({text}, {one}))"


def _there(at: str, column: ColumnSide) -> str:
    """A condition that the field has a value, with ``&&`` after it; empty if it always has one."""
    names = [name for name, may in (("undefined", column.optional), ("null", column.nullable)) if may]
    return "".join(f"{at} !== {name} && " for name in names)


def _else(at: str, may_lack: bool) -> str:
    return f"({at} ?? [])" if may_lack else at


def condition(
    side: TableSide, column: ColumnSide, filter_: Filter, arguments: Arguments, *, in_mutation: bool = False
) -> Condition | None:
    """The condition of a filter on a field; None if no code can express it. It adds the argument that it needs."""
    is_ = filter_.operator == "is"
    if in_mutation and not is_ and filter_.value is not None and filter_.value.kind == "null":
        return None  # In SQL, NULL equals nothing and differs from nothing.
    if filter_.negated and filter_.operator in ("eq", "is"):
        filter_ = replace(filter_, operator="neq", negated=False)
    operator, value = filter_.operator, filter_.value
    name = "id" if column.field == "_id" else column.field
    kind = validator_text(side, column)

    def made(operand: str, *, fixed: bool = False) -> Condition:
        off = ""
        if filter_.maybe:
            off = f"{operand} === undefined"
            if fixed:
                off = "!" + arguments.add(f"with_{name}", "v.boolean()", optional=True)
        return Condition(filter_, column, operand, off=off)

    if is_ or (value is not None and value.kind == "null"):
        null = value is None or value.kind == "null" or value.text.lower() == "null"
        if null:
            known = absent(column) and operator in ("is", "eq", "neq")
            return made(absent(column), fixed=True) if known else None
        word = value.text.lower() if value is not None else ""
        fits = word in ("true", "false") and literal(column, Value("boolean", word, word)) is not None
        return made(word, fixed=True) if fits else None
    if operator in ("eq", "neq", *RANGES):
        fixed = literal(column, value)
        if fixed is not None and not filter_.maybe:
            return made(fixed)
        # A query runs again when its data change, and not when time passes, so the time is an argument there.
        if in_mutation and column.is_time and value is not None and is_now(value) and not filter_.maybe:
            return made("Date.now()")
        suffix = "" if operator == "eq" else f"_{operator}"
        return made(arguments.add(name + suffix, kind, optional=filter_.maybe))
    if operator == "in":
        if value is not None and value.kind == "list" and value.whole and not filter_.maybe:
            values = tuple(text for item in value.items if (text := literal(column, item)) is not None)
            if values and len(values) == len(value.items):
                return Condition(filter_, column, f"[{', '.join(values)}]", values)
        many = "ids" if column.field == "_id" else f"{name}_in"
        return made(arguments.add(many, f"v.array({kind})", optional=filter_.maybe))
    if operator in ("contains", "overlaps", "containedBy") and isinstance(column.inner, kinds.Array):
        return made(arguments.add(name, kind, optional=filter_.maybe))
    if operator in LIKES and is_text(column):
        return _like(side, column, filter_, arguments, name)
    if operator == "textSearch" and not in_mutation and not filter_.negated and not filter_.maybe:
        # PostgreSQL searches by stems and operators. Convex's text search is similar enough if rows are only shown.
        return made(arguments.add(f"{name}_text", "v.string()")) if search_index(side, column) is not None else None
    return None


def search_index(side: TableSide, column: ColumnSide) -> SearchIndex | None:
    """The search index of the field."""
    indexes = side.definition.search_indexes if side.definition is not None else []
    return next((i for i in indexes if i.search_field == column.field and not i.staged), None)


def _like(side: TableSide, column: ColumnSide, filter_: Filter, arguments: Arguments, name: str) -> Condition | None:
    """A comparison with one or more patterns. Literal patterns are translated, others are read at run time."""
    operator, value = filter_.operator, filter_.value
    several = operator not in ("like", "ilike")
    items = (value.items if value.kind == "list" and value.whole else ()) if several and value else (value,)
    texts = tuple(item.text for item in items if item is not None and item.kind == "text")
    if not texts or len(texts) != len(items) or filter_.maybe:
        kind = "v.array(v.string())" if several else "v.string()"
        operand = arguments.add(f"{name}_pattern{'s' * several}", kind, optional=filter_.maybe)
        return Condition(filter_, column, operand, off=f"{operand} === undefined" if filter_.maybe else "")
    if any(parts_of(text) is None for text in texts):
        return None
    exact = exact_text(texts[0]) if operator == "like" else None
    if exact is not None and literal(column, Value("text", "", exact)) is not None:
        equal = replace(filter_, operator="eq", value=Value("text", value.source if value else "", exact))
        return condition(side, column, equal, arguments)
    return Condition(filter_, column, "", patterns=texts)


def alternatives(
    side: TableSide, filter_: Filter, arguments: Arguments, *, in_mutation: bool = False
) -> Condition | None:
    """The condition of an ``or``; None if one of its parts can't be expressed."""
    parts = []
    trial = Arguments(dict(arguments.validators))
    for one in filter_.conditions:
        column = side.column(one.column)
        if not column.field or filter_.negated or filter_.maybe:
            return None
        part = Filter(canonical_operator(one.operator), one.column, _written(column, one.value), one.negated)
        made = condition(side, column, part, trial, in_mutation=in_mutation)
        if made is None or part.operator == "textSearch":
            return None
        parts.append(made)
    arguments.validators = trial.validators
    return Condition(filter_, ColumnSide(""), "", (), tuple(parts)) if parts else None


def _written(column: ColumnSide, text: str) -> Value:
    """A value inside an ``or``, as if the code had it as a literal for the field."""
    bare = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.S) if len(text) > 1 and text[0] == text[-1] == '"' else text
    if "${" in text:
        return Value("code", text)
    if bare.lower() == "null":
        return Value("null", text)
    if bare in ("true", "false") and not isinstance(column.inner, kinds.String):
        return Value("boolean", text, bare)
    if text.startswith("(") and text.endswith(")"):
        return Value("list", text, items=tuple(_written(column, one.strip()) for one in text[1:-1].split(",")))
    if not isinstance(column.inner, kinds.String) and re.fullmatch(r"-?\d+(\.\d+)?", bare):
        return Value("number", text, bare)
    return Value("text", text, bare)
