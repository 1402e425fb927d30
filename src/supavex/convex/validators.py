"""Validators: the types of a Convex schema.

Each validator gives the JSON that Convex's package exports for it (:meth:`Validator.to_json`) and the text that Convex
prints for it (``str()``), and checks a value (:meth:`Validator.check`). Source: ``values/validators.ts`` of the npm
package, ``schemas/validator.rs`` of convex-backend. :mod:`supavex.convex.field_rules` has the rules that only Supabase
knew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from supavex.convex import ids
from supavex.convex.field_rules import NO_RULES, Rules, printed
from supavex.convex.values import Value, same, to_internal_json
from supavex.diagnostics import Place

#: Table number to table name in one deployment; None for an unknown number.
TableNames = Callable[[int], str | None]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a value does not fit: the path inside the document, and one sentence.

    ``value`` does not fit ``validator``. ``sentence`` is Convex's own, for the mismatches that have a special one (see
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
    """A type of Convex's schema language. ``place`` is the line that defines it; equality ignores it."""

    kind: ClassVar[str]
    rules: Rules = NO_RULES
    comment: str = ""
    place: Place | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The JSON that the official package exports for this validator."""
        return {"type": self.kind}

    def __str__(self) -> str:
        return f"v.{self.kind}()"

    def check(self, value: Value, tables: TableNames, path: str = "") -> Mismatch | None:
        """None if ``value`` fits, else the first mismatch. Only Convex's rules are checked, not :attr:`rules`."""
        return None if self.accepts(value) else self._no_match(value, path)

    def accepts(self, value: Value) -> bool:
        """Whether a scalar fits; containers and ids override :meth:`check`."""
        raise NotImplementedError

    def _no_match(self, value: Value, path: str) -> Mismatch:
        return Mismatch(path, f"Value {printed(value)} does not match validator {self}.", value, self)

    def children(self) -> Iterator[tuple[str, Validator]]:
        """The validators inside this one, each with its step of the path."""
        return iter(())

    def walk(self, path: str = "") -> Iterator[tuple[str, Validator]]:
        """The validator itself and all validators inside it, with their paths."""
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
    # The key for equality. Python's 5 == 5.0 and 1 == True, but Convex has a type for each.
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
