"""A conversion: how one column's values go to Convex, and how the proof takes them back.

The copy reads ``select`` (SQL over ``{c}``, the column) as an Arrow column and writes it as ``kind``. The proof reads a
text, the value as the app saw it, by SQL of its own and through another driver, and compares ``parse(text)`` with
``decode(value of the document)``: the two ways share nothing but the rule. ``guards`` are SQL conditions that are false
for the rows whose value can't go. ``restore`` gives the text that a column of the type reads the value from, on the way
back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from supavex.convex import validators as kinds
from supavex.convex.validators import Validator, unwrap
from supavex.convex.values import Value
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule

#: How a converted Arrow column is written as JSON; see :mod:`supavex.migrate.copy.encoding.json_columns`.
#: ``micros`` is int64 microseconds that become float64 milliseconds; ``json`` is text that is JSON already.
Kind = Literal["string", "number", "micros", "boolean", "int64", "bytes", "json", "array", "id"]


def same_value(value: Any) -> Any:
    """The value itself: for conversions that change nothing."""
    return value


def plain_text(value: Value) -> str | None:
    """The text that PostgreSQL reads a scalar from; None (NULL) for null. Raises ValueError for arrays and objects."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, int):
        return str(value)
    raise ValueError("it is no single value")


def _number_text(number: float) -> str:
    """The text of a double, whole numbers without a dot or exponent, as columns of integers read them."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return f"{number:.0f}" if number.is_integer() and abs(number) < 1e21 else repr(number)


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition that a value must meet to go: SQL over ``{c}``, and what to say of a row that does not meet it."""

    sql: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """One column's way to Convex and back; see the module."""

    name: str
    kind: Kind
    select: str = "{c}"
    guards: tuple[Guard, ...] = ()
    parse: Callable[[str], Any] = same_value
    decode: Callable[[Value], Any] = same_value
    element: Conversion | None = None
    #: Of kind ``json``: makes the value from the text that ``select`` gives, and has the value checked against the
    #: field's validator, in Python, row by row. None: the text is embedded as it is.
    load: Callable[[str], Value] | None = None
    #: Whether a value that is not NULL can become NULL.
    makes_null: bool = False
    #: Whether it may write an int64, bytes or a number that is not finite, which JSON alone can't say.
    special: bool = False
    #: The way back: the text that PostgreSQL reads a document's value from, None for NULL. Raises ValueError or
    #: TypeError for a value that the copy would not have written.
    restore: Callable[[Value], str | None] = plain_text
    #: SQL over ``{c}`` that is true only where every guard holds, and quicker than they are; empty: there is none.
    quick: str = ""
    #: Whether the copy can tell from what ``select`` gives which guards hold: then PostgreSQL need not evaluate them.
    seen: bool = False
    #: SQL over ``{c}`` that is true where the value goes cut short; empty: none does.
    cut: str = ""
    #: Of JSON: how rows are treated whose numbers are no doubles.
    rounding: Literal["", "counted", "refused"] = ""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a column can't go to a field, and what to do."""

    message: str
    hint: str = ""
    code: str = "TypeDoesNotFit"


class Target:
    """What a field's validator can take: scalars by name, ``array`` with its element, ``any``."""

    def __init__(self, validator: Validator) -> None:
        self.validator = unwrap(validator)
        self.members = _members(self.validator)
        self.any = any(isinstance(member, kinds.AnyValue) for member in self.members)
        self.null = self.any or any(isinstance(member, kinds.Null) for member in self.members)

    def takes(self, kind: type[Validator]) -> bool:
        """Whether a value of ``kind`` may fit: its own validator, a literal of it, or ``v.any()``."""
        return self.any or any(isinstance(m, kind) or _literal_of(m, kind) for m in self.members)

    @property
    def structured(self) -> bool:
        """Whether it takes JSON objects or arrays of some declared shape."""
        return any(isinstance(m, kinds.Object | kinds.Record | kinds.Array) for m in self.members)

    @property
    def objects(self) -> bool:
        """Whether it takes objects: any, or of some declared shape."""
        return self.any or any(isinstance(m, kinds.Object | kinds.Record) for m in self.members)

    @property
    def elements(self) -> list[Validator]:
        """The element validators of the arrays it takes."""
        return [m.element for m in self.members if isinstance(m, kinds.Array)]

    def allowed(self) -> list[Value] | None:
        """The only values it takes, where it is a union of literals (null aside); else None."""
        members = [m for m in self.members if not isinstance(m, kinds.Null)]
        if members and all(isinstance(m, kinds.Literal) for m in members):
            return [m.value for m in members if isinstance(m, kinds.Literal)]
        return None

    def __str__(self) -> str:
        return str(self.validator)


def _members(validator: Validator) -> list[Validator]:
    if isinstance(validator, kinds.Union):
        return [inner for member in validator.members for inner in _members(member)]
    return [validator]


def _literal_of(validator: Validator, kind: type[Validator]) -> bool:
    if not isinstance(validator, kinds.Literal):
        return False
    value = validator.value
    if kind is kinds.String:
        return isinstance(value, str)
    if kind is kinds.Boolean:
        return isinstance(value, bool)
    if kind is kinds.Int64:
        return isinstance(value, int) and not isinstance(value, bool)
    return kind is kinds.Number and isinstance(value, float)


#: A family's choice: the conversion of a type for a target, or why there is none.
Choice = Callable[[Type, Target, ColumnRule], Conversion | Misfit]
_REGISTRY: dict[str, Choice] = {}


def converts(*bases: str) -> Callable[[Choice], Choice]:
    """Registers a family's choice for PostgreSQL's internal type names ``bases``."""

    def register(choice: Choice) -> Choice:
        for base in bases:
            _REGISTRY[base] = choice
        return choice

    return register


def choose(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """The conversion of a column of ``type_`` into ``target``, or why there is none."""
    conversion = _REGISTRY[_family(type_) or "other"](type_, target, rule)
    if rule.truncate is None or isinstance(conversion, Misfit):
        return conversion
    return _cut(conversion, rule.truncate)


def _cut(conversion: Conversion, length: int) -> Conversion | Misfit:
    """``conversion`` with texts cut to ``length`` characters."""
    if conversion.kind != "string" or conversion.guards:
        return Misfit("truncate cuts text, and this becomes none.", "Leave truncate out.")
    whole = conversion.parse
    return replace(
        conversion,
        name=f"{conversion.name}, cut to {length} characters",
        select=f"left({conversion.select}, {length})",
        parse=lambda text: whole(text)[:length],
        cut=f"char_length({conversion.select}) > {length}",
    )


def _family(type_: Type) -> str | None:
    """The name that the type's family is registered by; None for a type of an unknown extension."""
    if type_.element is not None:
        return "array"
    categories = {"e": "enum", "c": "composite", "r": "range", "m": "range"}
    return categories.get(type_.category) or (type_.base if type_.base in _REGISTRY else None)


def registered(type_: Type) -> bool:
    """Whether a family decides about ``type_`` (or what it is an array of); else only its text is known."""
    if type_.element is not None:
        return registered(type_.element)
    return _family(type_) is not None


def misfit(type_: Type, target: Target, *better: str) -> Misfit:
    """The usual :class:`Misfit`: the type does not fit, and what would."""
    return Misfit(f"{type_.name} does not fit {target}.", f"Use {' or '.join(better)}." if better else "")
