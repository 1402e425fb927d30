"""Validators: the types of a Convex schema, and what Supabase knew about a column besides.

Each validator gives the JSON that Convex's own package exports for it (:meth:`Validator.to_json`), the text that
Convex prints for it (``str()``), and checks a value (:meth:`Validator.check`). Source: ``values/validators.ts`` of the
npm package, ``schemas/validator.rs`` of convex-backend.

``default``, ``one_of``, ``ge``, ``le``, ``gt``, ``lt``, ``pattern`` and ``unique`` are not Convex's. They stay in
Python: a default is for new documents (and for NULLs where supavex.toml asks to fill them), and all of them are checked
while migrating and verifying.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from supavex.convex import ids
from supavex.convex.values import Value, same, to_internal_json
from supavex.diagnostics import Place

#: Table number to table name, of the deployment that a document is checked for; None for an unknown number.
TableNames = Callable[[int], str | None]


class _Missing:
    """The default of a field that has none (None is a value)."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        # A worker that gets a plan compares with its own.
        return "MISSING"


MISSING: Any = _Missing()


@dataclass(frozen=True, slots=True)
class Rules:
    """What Supabase knew about a column and Convex does not."""

    default: Value = MISSING
    one_of: tuple[Value, ...] | None = None
    ge: float | None = None
    le: float | None = None
    gt: float | None = None
    lt: float | None = None
    pattern: str | None = None
    unique: bool = False

    def problem(self, value: Value) -> str | None:
        """The first rule that ``value`` breaks, as a sentence, or None. ``unique`` is not one value's business."""
        if self.one_of is not None and not any(_equal(value, allowed) for allowed in self.one_of):
            return f"{printed(value)} is not one of {', '.join(map(printed, self.one_of))}"
        for sign, bound, holds in self.bounds():
            if not (isinstance(value, int | float) and not isinstance(value, bool) and holds(value, bound)):
                return f"{printed(value)} is not {sign} {printed(bound)}"
        if self.pattern is not None and not (isinstance(value, str) and re.search(self.pattern, value)):
            return f"{printed(value)} does not match {self.pattern}"
        return None

    def bounds(self) -> Iterator[tuple[str, float, Callable[[float, float], bool]]]:
        """The bounds there are: sign in words, number, and the comparison of a value with it."""
        if self.ge is not None:
            yield "at least", self.ge, operator.ge
        if self.gt is not None:
            yield "above", self.gt, operator.gt
        if self.le is not None:
            yield "at most", self.le, operator.le
        if self.lt is not None:
            yield "below", self.lt, operator.lt

    def describe(self) -> str:
        """One line for a comment: ``default 60, at least 0``; empty where there is nothing to say."""
        parts = [] if self.default is MISSING else [f"default {printed(self.default)}"]
        if self.one_of is not None:
            parts.append(" | ".join(map(printed, self.one_of)))
        if self.ge is not None and self.le is not None:
            parts.append(f"{printed(self.ge)} to {printed(self.le)}")
        else:
            parts += [f"{sign} {printed(bound)}" for sign, bound, _ in self.bounds() if sign in ("at least", "at most")]
        parts += [f"{sign} {printed(bound)}" for sign, bound, _ in self.bounds() if sign in ("above", "below")]
        if self.pattern is not None:
            parts.append(f"matches {self.pattern}")
        if self.unique:
            parts.append("unique")
        return ", ".join(parts)


def _equal(left: Value, right: Value) -> bool:
    """Equality as the author of a rule means it: 1 is 1.0, but True is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return same(left, right)


def printed(value: Value) -> str:
    """A value as JSON would show it, for messages and comments."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, bytes):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=repr)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a value does not fit: the path inside the document, and one sentence.

    ``value`` and ``validator`` are what did not meet; ``sentence`` is Convex's own where it is a special one (see
    :mod:`supavex.convex.messages`).
    """

    path: str
    message: str
    value: Value = None
    validator: Validator | None = None
    sentence: str = ""

    def __str__(self) -> str:
        return f"{self.message} Path: {self.path or '(the document)'}"


@dataclass(frozen=True, kw_only=True)
class Validator:
    """A type of Convex's schema language. ``place`` is where it was written; it does not count for equality."""

    kind: ClassVar[str]
    rules: Rules = Rules()
    comment: str = ""
    place: Place | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The JSON that the official package exports for this validator."""
        return {"type": self.kind}

    def __str__(self) -> str:
        return f"v.{self.kind}()"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        """None where ``value`` fits. Only Convex's rules count here, not :attr:`rules`."""
        return None if self.accepts(value) else self._no_match(value, path)

    def accepts(self, value: Value) -> bool:
        """Whether a scalar fits; containers and ids override :meth:`check`."""
        raise NotImplementedError

    def _no_match(self, value: Value, path: str) -> Mismatch:
        return Mismatch(path, f"Value {printed(value)} does not match validator {self}.", value, self)

    def children(self) -> Iterator[tuple[str, Validator]]:
        """The validators inside this one, each with the step of the path that leads to it."""
        return iter(())

    def walk(self, path: str = "") -> Iterator[tuple[str, Validator]]:
        """Itself and all validators inside it, with their paths."""
        yield path, self
        for step, child in self.children():
            yield from child.walk(path + step)


@dataclass(frozen=True)
class Id(Validator):
    """``v.id(table)``: the text of an id of a document in ``table``."""

    kind = "id"
    table: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"type": "id", "tableName": self.table}

    def __str__(self) -> str:
        return f"v.id({json.dumps(self.table)})"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        if isinstance(value, str):
            try:
                number, _ = ids.decode_id(value)
            except ids.InvalidId:
                return self._no_match(value, path)
            found = tables(number)
            if found == self.table:
                return None
            if found is not None:
                table = "a system table" if found.startswith("_") else f"table `{found}`"
                sentence = f'Found ID "{value}" from {table}, which does not match the table name in validator '
                sentence += f"`{self}`."
                message = f'Found ID "{value}" from table "{found}", which does not match {self}.'
                return Mismatch(path, message, sentence=sentence)
        return self._no_match(value, path)


@dataclass(frozen=True)
class Null(Validator):
    """``v.null()``."""

    kind = "null"

    def accepts(self, value: Value) -> bool:
        return value is None


@dataclass(frozen=True)
class Number(Validator):
    """``v.number()``, ``v.float64()``: an IEEE double. A Python int is not one; see :func:`coerce`."""

    kind = "number"

    def accepts(self, value: Value) -> bool:
        return isinstance(value, float)


@dataclass(frozen=True)
class Int64(Validator):
    """``v.int64()``, ``v.bigint()``: an integer from -2**63 to 2**63-1."""

    kind = "bigint"

    def __str__(self) -> str:
        return "v.int64()"

    def accepts(self, value: Value) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Boolean(Validator):
    """``v.boolean()``."""

    kind = "boolean"

    def accepts(self, value: Value) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class String(Validator):
    """``v.string()``."""

    kind = "string"

    def accepts(self, value: Value) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True)
class Bytes(Validator):
    """``v.bytes()``."""

    kind = "bytes"

    def accepts(self, value: Value) -> bool:
        return isinstance(value, bytes)


@dataclass(frozen=True)
class AnyValue(Validator):
    """``v.any()``."""

    kind = "any"

    def accepts(self, value: Value) -> bool:
        return True


@dataclass(frozen=True)
class Literal(Validator):
    """``v.literal(value)``: a string, float64, int64 or boolean."""

    kind = "literal"
    value: Value = field(default=None, compare=False)
    # What counts for equality: Python's 5 == 5.0 == ... and True == 1 are different types to Convex.
    identity: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", f"{type(self.value).__name__} {self.value!r}")

    def to_json(self) -> dict[str, Any]:
        return {"type": "literal", "value": to_internal_json(self.value)}

    def __str__(self) -> str:
        return f"v.literal({literal_text(self.value)})"

    def accepts(self, value: Value) -> bool:
        return same(value, self.value)


@dataclass(frozen=True)
class Array(Validator):
    """``v.array(element)``."""

    kind = "array"
    element: Validator = AnyValue()

    def to_json(self) -> dict[str, Any]:
        return {"type": "array", "value": self.element.to_json()}

    def __str__(self) -> str:
        return f"v.array({self.element})"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        if not isinstance(value, list):
            return self._no_match(value, path)
        for index, item in enumerate(value):
            mismatch = self.element.check(item, tables, f"{path}[{index}]")
            if mismatch:
                return mismatch
        return None

    def children(self) -> Iterator[tuple[str, Validator]]:
        yield "[]", self.element


@dataclass(frozen=True)
class Object(Validator):
    """``v.object({...})``: just these fields; a field whose validator is :class:`Optional` may be absent."""

    kind = "object"
    fields: Mapping[str, Validator] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "object",
            "value": {
                name: {"fieldType": unwrap(inner).to_json(), "optional": isinstance(inner, Optional)}
                for name, inner in self.fields.items()
            },
        }

    def __str__(self) -> str:
        return "v.object({" + ", ".join(f"{name}: {inner}" for name, inner in self.fields.items()) + "})"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        if not isinstance(value, dict):
            return self._no_match(value, path)
        for name in sorted(self.fields):
            inner = self.fields[name]
            if name in value:
                mismatch = unwrap(inner).check(value[name], tables, f"{path}.{name}")
                if mismatch:
                    return mismatch
            elif not isinstance(inner, Optional):
                sentence = f"Object is missing the required field `{name}`. Consider wrapping the field validator in "
                sentence += "`v.optional(...)` if this is expected."
                message = f"Object is missing the required field `{name}`. Validator: {self}"
                return Mismatch(path, message, value, self, sentence)
        for name in sorted(value.keys() - self.fields.keys()):
            sentence = f"Object contains extra field `{name}` that is not in the validator."
            return Mismatch(path, sentence, value, self, sentence)
        return None

    def children(self) -> Iterator[tuple[str, Validator]]:
        for name, inner in self.fields.items():
            yield f".{name}", inner


@dataclass(frozen=True)
class Record(Validator):
    """``v.record(keys, values)``: an object with any keys of one type."""

    kind = "record"
    keys: Validator = String()
    values: Validator = AnyValue()

    def to_json(self) -> dict[str, Any]:
        values = {"fieldType": self.values.to_json(), "optional": False}
        return {"type": "record", "keys": self.keys.to_json(), "values": values}

    def __str__(self) -> str:
        return f"v.record({self.keys}, {self.values})"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        if not isinstance(value, dict):
            return self._no_match(value, path)
        for key, item in sorted(value.items()):
            mismatch = self.keys.check(key, tables, f"{path}.keys()") or self.values.check(
                item, tables, f"{path}.values()"
            )
            if mismatch:
                return mismatch
        return None

    def children(self) -> Iterator[tuple[str, Validator]]:
        yield ".keys()", self.keys
        yield ".values()", self.values


@dataclass(frozen=True)
class Union(Validator):
    """``v.union(...)``: any of the members."""

    kind = "union"
    members: tuple[Validator, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"type": "union", "value": [member.to_json() for member in self.members]}

    def __str__(self) -> str:
        return f"v.union({', '.join(map(str, self.members))})"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        mismatches = []
        for member in self.members:
            mismatch = member.check(value, tables, path)
            if mismatch is None:
                return None
            mismatches.append(mismatch)
        return mismatches[0] if len(mismatches) == 1 else self._no_match(value, path)

    def children(self) -> Iterator[tuple[str, Validator]]:
        for member in self.members:
            yield "", member


@dataclass(frozen=True)
class Optional(Validator):
    """``v.optional(inner)``: a field that may be absent. It has a meaning only as a field of an object."""

    kind = "optional"
    inner: Validator = AnyValue()

    def to_json(self) -> dict[str, Any]:
        return self.inner.to_json()

    def __str__(self) -> str:
        return f"v.optional({self.inner})"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        return self.inner.check(value, tables, path)

    def children(self) -> Iterator[tuple[str, Validator]]:
        yield "", self.inner


def unwrap(validator: Validator) -> Validator:
    """The validator inside ``v.optional``, or the validator itself."""
    while isinstance(validator, Optional):
        validator = validator.inner
    return validator


def literal_text(value: Value) -> str:
    """A literal as TypeScript writes it: ``"a"``, ``1.5``, ``5n``, ``true``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value}n"
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        if value.is_integer() and abs(value) < 1e15:
            return "-0" if value == 0 and str(value) == "-0.0" else str(int(value))
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def coerce(value: Value, validator: Validator) -> Value:
    """``value`` as a Python author writes it, turned to what ``validator`` takes: 60 is 60.0 for a number."""
    validator = unwrap(validator)
    if isinstance(value, bool) or value is None:
        return value
    wants_float = isinstance(validator, Number)
    wants_float |= isinstance(validator, Literal) and isinstance(validator.value, float)
    if wants_float and isinstance(value, int):
        return float(value)
    if isinstance(validator, Array) and isinstance(value, list | tuple):
        return [coerce(item, validator.element) for item in value]
    if isinstance(validator, Object) and isinstance(value, dict):
        return {k: coerce(x, validator.fields[k]) if k in validator.fields else x for k, x in value.items()}
    if isinstance(validator, Record) and isinstance(value, dict):
        return {k: coerce(x, validator.values) for k, x in value.items()}
    if isinstance(validator, AnyValue):
        return _floats(value)
    if isinstance(validator, Union):
        for member in validator.members:
            candidate = coerce(value, member)
            if isinstance(member, Validator) and member.check(candidate, lambda number: None) is None:
                return candidate
    return value


def _floats(value: Value) -> Value:
    """JSON-like data for ``v.any()``: what an app's JSON.parse gives has floats only."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list | tuple):
        return [_floats(item) for item in value]
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    return value


def with_rules(validator: Validator, rules: Rules, comment: str) -> Validator:
    """A copy of ``validator`` with ``rules`` (values coerced to its type) and ``comment``."""
    default = rules.default if rules.default is MISSING else coerce(rules.default, validator)
    one_of = None if rules.one_of is None else tuple(coerce(item, validator) for item in rules.one_of)
    return replace(validator, rules=replace(rules, default=default, one_of=one_of), comment=comment)


def field_rules(validator: Validator) -> Rules:
    """The rules of a field's values but null: its own, and those of the one member that its union has besides null."""
    validator = unwrap(validator)
    members = [member for member in _members(validator) if not isinstance(member, Null)]
    if not isinstance(validator, Union) or len(members) != 1:
        return validator.rules
    inner = members[0].rules
    return replace(inner, default=validator.rules.default, unique=inner.unique or validator.rules.unique)


def _members(validator: Validator) -> list[Validator]:
    """The members of a union, and of unions in it; of any other validator, itself."""
    if isinstance(validator, Union):
        return [inner for member in validator.members for inner in _members(member)]
    return [validator]


def _fits(validator: Validator, value: Value) -> bool:
    """Whether ``value`` is of the shape; any text is an id of any table."""
    validator = unwrap(validator)
    if isinstance(validator, Id):
        return isinstance(value, str)
    if isinstance(validator, Union):
        return any(_fits(member, value) for member in validator.members)
    if isinstance(validator, Array):
        return isinstance(value, list) and all(_fits(validator.element, item) for item in value)
    if isinstance(validator, Record):
        return isinstance(value, dict) and all(_fits(validator.values, item) for item in value.values())
    if isinstance(validator, Object):
        if not isinstance(value, dict) or not value.keys() <= validator.fields.keys():
            return False
        fields = validator.fields.items()
        return all(_fits(f, value[name]) if name in value else isinstance(f, Optional) for name, f in fields)
    return validator.accepts(value)


def rules_problem(validator: Validator, value: Value) -> str | None:
    """The first rule that ``value`` breaks, at any level, where it fits ``validator``; or None. Null breaks none.

    Of a union, it breaks those of every member that it fits.
    """
    if value is None:
        return None
    validator = unwrap(validator)
    problem = validator.rules.problem(value)
    if problem:
        return problem
    if isinstance(validator, Array) and isinstance(value, list):
        return next((p for item in value if (p := rules_problem(validator.element, item))), None)
    if isinstance(validator, Object) and isinstance(value, dict):
        fields = ((inner, value[name]) for name, inner in validator.fields.items() if name in value)
        return next((p for inner, item in fields if (p := rules_problem(inner, item))), None)
    if isinstance(validator, Record) and isinstance(value, dict):
        return next((p for item in value.values() if (p := rules_problem(validator.values, item))), None)
    if isinstance(validator, Union):
        problems = [rules_problem(member, value) for member in validator.members if _fits(member, value)]
        return None if None in problems or not problems else problems[0]
    return None
