"""Expressions as TypeScript, with SQL's three-valued logic.

A boolean has two translations: one that is true exactly if SQL's value is true (:meth:`Writer.true`), and one that is
true exactly if SQL's value is false (:meth:`Writer.false`). If SQL's value is NULL, both are false. A condition needs
only the first, so that most policies look as a person would write them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from supavex.convex.typescript import key, quoted
from supavex.rules import form
from supavex.rules.form import (
    AnyOf,
    Call,
    Case,
    Claim,
    Coalesce,
    Compare,
    Constant,
    Count,
    Distinct,
    Exists,
    Expression,
    Field,
    InSelect,
    Invoke,
    IsNull,
    IsTrue,
    Not,
    Rows,
    Scalar,
    Select,
    Source,
    Variable,
    Whole,
    fields_in,
    rows_in,
)
from supavex.rules.typescript.notation import binds_less, grouped, literal, may_be_nan, member, type_text

#: The most characters of an unbroken line.
_WIDTH = 100
_NATIVE = ("text", "uuid", "id", "clerk", "number", "int64", "boolean", "moment", "date", "time", "interval")


class Writer:
    """Writes the expressions of one rule or function. ``used`` collects the runtime's functions that they call."""

    def __init__(self, used: set[str]) -> None:
        self.used = used
        self._seen: Counter[tuple[str, str]] = Counter()

    def rule(self, expression: Expression) -> str:
        """A condition of a rule."""
        self._seen = Counter(fields_in(expression))
        return self.true(expression)

    def not_false(self, expression: Expression) -> str:
        """TypeScript that is true if a check constraint fails."""
        self._seen = Counter(fields_in(expression))
        return self.false(expression)

    def rights(self, e: Expression) -> str:
        """A test that throws for the roles that may not EXECUTE what ``e`` calls; empty if every role may."""
        # PostgreSQL looks at the rights of all calls in an expression before it evaluates one.
        denied = {role for one in form.parts_in(e) if isinstance(one, Invoke) for role in one.denied}
        return f"{self._use('mayCall')}(caller, [{', '.join(map(quoted, sorted(denied)))}])" if denied else ""

    # Booleans

    def true(self, e: Expression) -> str:
        """TypeScript that is true exactly if ``e`` is true."""
        match e:
            case Constant():
                return "true" if e.value is True else "false"
            case form.All():
                return self._joined(" && ", [self.true(part) for part in e.parts])
            case form.Any():
                return self._joined(" || ", [self.true(part) for part in e.parts])
            case Not():
                return self.false(e.part)
            case Compare():
                return self._compare(e.operator, e)
            case Distinct():
                return f"!{self._not_distinct(e)}"
            case IsNull():
                return self._is_null(e.part)
            case IsTrue():
                return self.true(e.part) if e.value else self.false(e.part)
            case Exists():
                return self._some(e.select)
            case InSelect():
                return self._some(e.matching)
            case AnyOf():
                return self._any_of(e, True)
            case Coalesce():
                return self._coalesce(e, self.true)
            case Case():
                return self._case(e, self.true)
            case Field() | Variable() if not e.nullable and not self._repeated(e):
                return self.value(e)
            case _:
                return f"{grouped(self.value(e))} === true" if not self._repeated(e) else self._same(e, "true")

    def false(self, e: Expression) -> str:
        """TypeScript that is true exactly if ``e`` is false."""
        match e:
            case Constant():
                return "true" if e.value is False else "false"
            case form.All():
                return self._joined(" || ", [self.false(part) for part in e.parts])
            case form.Any():
                return self._joined(" && ", [self.false(part) for part in e.parts])
            case Not():
                return self.true(e.part)
            case Compare():
                return self._compare(_OPPOSITE[e.operator], e)
            case Distinct():
                return self._not_distinct(e)
            case IsNull():
                return self._is_null(e.part, negated=True)
            case IsTrue() | Exists():
                return f"!{grouped(self.true(e))}"
            case InSelect():
                return self._not_in(e)
            case AnyOf():
                return self._any_of(e, False)
            case Coalesce():
                return self._coalesce(e, self.false)
            case Case():
                return self._case(e, self.false)
            case Field() | Variable() if not e.nullable and not self._repeated(e):
                return f"!{self.value(e)}"
            case _:
                return f"{grouped(self.value(e))} === false" if not self._repeated(e) else self._same(e, "false")

    def _joined(self, sign: str, parts: list[str]) -> str:
        empty = "true" if sign == " && " else "false"
        other = "false" if empty == "true" else "true"
        parts = list(dict.fromkeys(part for part in parts if part != empty))
        if other in parts:
            return other
        if len(parts) < 2:
            return parts[0] if parts else empty
        parts = [grouped(part) if binds_less(part, sign) else part for part in parts]
        text = sign.join(parts)
        return text if len(text) <= _WIDTH else f"{sign.rstrip()}\n".join(parts)

    def _compare(self, operator: str, e: Compare) -> str:
        left, right = e.left, e.right
        if operator in (">", ">="):
            left, right, operator = right, left, {">": "<", ">=": "<="}[operator]
        one, other = self.value(left), self.value(right)
        if left.kind.name == "json":
            return f"{self._use('sameJson' if operator == '=' else 'differJson')}({one}, {other})"
        sides = (left, right)
        native = all(self._native(side) for side in sides) and not any(side.kind.labels for side in sides)
        native = native and not may_be_nan(sides, operator)
        native = native and (left.kind.name != "date" or operator in ("=", "<>"))
        missing = sum(side.nullable for side in sides)
        if operator == "=" and native and missing < 2 and left.kind.name in _NATIVE:
            return f"{grouped(one)} === {grouped(other)}"
        if native and not missing and left.kind.name in _NATIVE:
            sign = {"<>": "!==", "<": "<", "<=": "<="}[operator]
            return f"{grouped(one)} {sign} {grouped(other)}"
        name = {"=": "same", "<>": "differ", "<": "less", "<=": "atMost"}[operator]
        return f"{self._use(name)}({one}, {other})"

    def _not_distinct(self, e: Distinct) -> str:
        name = self._use("equalValues" if e.left.kind.name == "json" else "notDistinct")
        return f"{name}({self.value(e.left)}, {self.value(e.right)})"

    def _native(self, side: Expression) -> bool:
        """Whether JavaScript's operators work on the expression directly."""
        if isinstance(side, Field):
            return not self._repeated(side)
        return isinstance(side, Constant | Claim | Variable)

    def _repeated(self, e: Expression) -> bool:
        """Whether the rule reads the field several times. TypeScript would narrow its type by the first read."""
        return isinstance(e, Field) and self._seen[e.row, e.name] > 1

    def _same(self, e: Expression, value: str) -> str:
        return f"{self._use('same')}({self.value(e)}, {value})"

    def _is_null(self, part: Expression, *, negated: bool = False) -> str:
        may_throw = any(isinstance(one, Call | Invoke | Scalar | Select) for one in form.parts_in(part))
        if not part.nullable and not may_throw:
            return "true" if negated else "false"
        if part.kind.name == "json":
            return f"{grouped(self.value(part))} {'!==' if negated else '==='} undefined"
        return f"{'!' if negated else ''}isNull({self.value(part)})"

    def _any_of(self, e: AnyOf, wanted: bool) -> str:
        name = {
            ("=", False): ("equalsAny", "differsFromAll"),
            ("<>", True): ("differsFromAll", "equalsAny"),
            ("=", True): ("equalsAll", "differsFromAny"),
            ("<>", False): ("differsFromAny", "equalsAll"),
        }[e.operator, e.every][0 if wanted else 1]
        return f"{self._use(name)}({self.value(e.left)}, {self.value(e.array)})"

    def _coalesce(self, e: Coalesce, of: object) -> str:
        assert callable(of)
        parts = list(e.parts)
        found = str(of(parts[-1]))
        for part in reversed(parts[:-1]):
            own = str(of(part))
            if found == "false":
                found = own
            else:
                found = self._joined(" || ", [own, self._joined(" && ", [self._is_null(part), found])])
        return found

    def _case(self, e: Case, of: object) -> str:
        assert callable(of)
        found = str(of(e.otherwise))
        for test, result in reversed(e.branches):
            found = f"{grouped(self.true(test))} ? {grouped(str(of(result)))} : {grouped(found)}"
        return found

    # Values

    def value(self, e: Expression) -> str:
        """The value; ``null`` or ``undefined`` for NULL."""
        match e:
            case Constant():
                return literal(e.value, e.kind)
            case Field():
                return member(e.row, e.name)
            case Whole():
                return e.row
            case Variable():
                return e.name
            case Claim():
                return f"caller.{'role' if e.name == 'databaseRole' else e.name}"
            case Call():
                return f"{self._use(e.name)}({', '.join(self.value(a) for a in e.arguments)})"
            case Invoke():
                arguments = ["caller", *(self.value(a) for a in e.arguments)]
                return f"await {e.function.name}({', '.join(arguments)})"
            case Scalar():
                return self._scalar(e.select)
            case Rows():
                return self._rows(e)
            case Count():
                return f"(await {self._gathered(e.select, '1')}).length"
            case Coalesce() if e.kind.name == "json":
                return f"{self._use('firstJson')}({', '.join(self.value(part) for part in e.parts)})"
            case Coalesce() if e.kind.name != "boolean" or not _is_condition(e):
                return " ?? ".join(grouped(self.value(part)) for part in e.parts)
            case Case() if e.kind.name != "boolean":
                return self._case(e, self.value)
            case _:
                return self._boolean(e)

    def _boolean(self, e: Expression) -> str:
        true = self.true(e)
        if not e.nullable:
            return true
        return f"{grouped(true)} ? true : {grouped(self.false(e))} ? false : null"

    def _use(self, name: str) -> str:
        self.used.add(name)
        return name

    # Subqueries

    def _find(self, source: Source) -> str:
        db = "caller.db" if source.secured else "caller.all"
        self.used.add("find")
        arguments = [db, quoted(source.table)]
        if source.equal:
            pairs = [f"{key(name)}: {self.value(value)}" for name, value in source.equal]
            arguments.append(f"{{ {', '.join(pairs)} }}")
        if source.index:
            arguments.append(quoted(source.index))
            if len(source.index_fields) < len(source.equal):
                arguments.append(f"[{', '.join(map(quoted, source.index_fields))}]")
        found = f"find({', '.join(arguments)})"
        if not source.outer:
            return found
        self.used.add("orNullRow")
        return f"orNullRow({found}{'' if source.on is None else f', {self._arrow(source.row, self.true(source.on))}'})"

    def _some(self, select: Select) -> str:
        if not select.sources:
            return "true" if select.condition is None else self.true(select.condition)
        return f"await {self._nested(select, 0, list(_parts(select.condition)))}"

    def _nested(self, select: Select, at: int, parts: list[Expression]) -> str:
        source, here, later = self._level(select, at, parts)
        tests = [self.true(part) for part in here]
        if at + 1 < len(select.sources):
            inner = self._nested(select, at + 1, later)
            tests.append(inner if not tests else f"(await {inner})")
        self.used.add("some")
        if not tests:
            return f"some({self._find(source)})"
        body = self._joined(" && ", tests) if len(tests) > 1 else tests[0]
        return f"some({self._find(source)}, {self._arrow(source.row, body)})"

    def _level(
        self, select: Select, at: int, parts: list[Expression]
    ) -> tuple[Source, list[Expression], list[Expression]]:
        """The table at a level, the conditions that can be tested there, and those that can't yet."""
        later_rows = {source.row for source in select.sources[at + 1 :]}
        here = [part for part in parts if not rows_in(part) & later_rows]
        return select.sources[at], here, [part for part in parts if rows_in(part) & later_rows]

    def _arrow(self, row: str, body: str) -> str:
        asynchronous = "async " if "await " in body else ""
        return f"{asynchronous}({row}) => {body}"

    def _gathered(self, select: Select, output: str) -> str:
        """The outputs of a select, as an expression of a promise."""
        if not select.sources:
            found = "true" if select.condition is None else self.true(select.condition)
            return f"[{output}]" if found == "true" else f"({grouped(found)} ? [{output}] : [])"
        return self._gathered_at(select, 0, list(_parts(select.condition)), output)

    def _gathered_at(self, select: Select, at: int, parts: list[Expression], output: str) -> str:
        source, here, later = self._level(select, at, parts)
        self.used.add("gathered")
        last = at + 1 == len(select.sources)
        inner = f"[{output}]" if last else self._gathered_at(select, at + 1, later, output)
        if here:
            inner = f"{grouped(self._joined(' && ', [self.true(part) for part in here]))} ? {inner} : []"
        return f"gathered({self._find(source)}, {self._arrow(source.row, inner)})"

    def _scalar(self, select: Select) -> str:
        assert select.output is not None
        output = self.value(select.output)
        if select.order:
            keys = [self.value(each) for each, _ in select.order]
            directions = ", ".join("true" if down else "false" for _, down in select.order)
            rows = self._gathered(
                select, f"[{', '.join([output, *keys])}] as [{type_text(select.output)}, ...unknown[]]"
            )
            return f"{self._use('firstBy')}(await {rows}, [{directions}])"
        rows = f"await {self._gathered(select, output)}"
        return f"({rows})[0]" if select.limit else f"{self._use('single')}({rows})"

    def _rows(self, e: Rows) -> str:
        found = []
        for select in e.selects:
            assert select.output is not None
            if (
                not select.sources
                and select.condition is None
                and select.output.kind.name == "array"
                and (e.kind.element is None or e.kind.element.name != "array")
            ):
                found.append(self.value(select.output))
            else:
                found.append(f"await {self._gathered(select, self.value(select.output))}")
        if len(found) == 1:
            return found[0]
        return f"[{', '.join(f'...({each})' for each in found)}]"

    def _not_in(self, e: InSelect) -> str:
        """NOT IN, which is true if no row equals the left side and no row may equal it."""
        assert e.select.output is not None
        differs = self._compare("<>", Compare(form.BOOLEAN, True, "=", e.left, e.select.output))
        parts = list(_parts(e.select.condition))
        if not e.select.sources:
            return differs
        unsure = f"!{grouped(differs)}"
        return f"!(await {self._nested_with(e.select, 0, parts, unsure)})"

    def _nested_with(self, select: Select, at: int, parts: list[Expression], last: str) -> str:
        source, here, later = self._level(select, at, parts)
        tests = [self.true(part) for part in here]
        if at + 1 < len(select.sources):
            tests.append(f"(await {self._nested_with(select, at + 1, later, last)})")
        else:
            tests.append(last)
        self.used.add("some")
        body = self._joined(" && ", tests)
        return f"some({self._find(source)}, {self._arrow(source.row, body)})"


_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _is_condition(e: Coalesce) -> bool:
    """Whether the parts of a COALESCE of booleans are conditions, which have no plain value."""
    return not all(isinstance(part, Constant | Field | Variable | Call | Invoke | Scalar) for part in e.parts)


def _parts(condition: Expression | None) -> Iterable[Expression]:
    if condition is None:
        return ()
    return condition.parts if isinstance(condition, form.All) else (condition,)
