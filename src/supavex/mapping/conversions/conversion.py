"""A conversion: how a column's values become Convex values, and how the proof and the restore read them back.

The copy reads ``select`` (SQL over ``{c}``, the column) as an Arrow column and writes it as ``kind``. The proof reads
the value's text as the app saw it, with its own SQL and another driver, and compares ``parse(text)`` with
``decode(value of the document)``. Both sides share the rule and no code. ``guards`` are SQL conditions that are false
for rows whose value can't be converted. ``restore`` gives the text from which a column of the type reads the value
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

#: How an Arrow column is written as JSON; see :mod:`supavex.migrate.copy.encoding.json_columns`. ``micros``: int64
#: microseconds become float64 milliseconds. ``json``: the text is already JSON.
Kind = Literal["string", "number", "micros", "boolean", "int64", "bytes", "json", "array", "id"]


def same_value(value: Any) -> Any:
    """Returns its argument: the function of conversions that change nothing."""
    return value


def plain_text(value: Value) -> str | None:
    """PostgreSQL's text of a scalar; None (NULL) for null. Raises ValueError for arrays and objects."""
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
    raise ValueError("it is not a single value")


def _number_text(number: float) -> str:
    """The text of a double. Whole numbers have no dot or exponent, so that integer columns can read them."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return f"{number:.0f}" if number.is_integer() and abs(number) < 1e21 else repr(number)


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition that a convertible value meets: SQL over ``{c}``, and the message for rows that do not meet it."""

    sql: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """The conversion of a column, described in the module's docstring."""

    #: The words for it in reports.
    name: str
    #: How the Arrow column of ``select`` is written.
    kind: Kind
    #: SQL over ``{c}`` that the copy reads.
    select: str = "{c}"
    #: The conditions of convertible values.
    guards: tuple[Guard, ...] = ()
    #: The value to compare, from the proof's text.
    parse: Callable[[str], Any] = same_value
    #: The value to compare, from the document's value.
    decode: Callable[[Value], Any] = same_value
    #: The conversion of an array's elements.
    element: Conversion | None = None
    #: For kind ``json``: makes the value from the text of ``select``. Python then checks the value against the field's
    #: validator, row by row. None: the text is used unchanged.
    load: Callable[[str], Value] | None = None
    #: Whether a value other than NULL may become NULL.
    makes_null: bool = False
    #: Whether it may write an int64, bytes or a number that is not finite. Plain JSON has none of these.
    special: bool = False
    #: The way back: PostgreSQL's text of a document's value, None for NULL. Raises ValueError or TypeError for a value
    #: that the copy never writes.
    restore: Callable[[Value], str | None] = plain_text
    #: SQL over ``{c}`` that implies all guards and is faster than they are; empty if there is none.
    quick: str = ""
    #: Whether the result of ``select`` shows which guards hold, so that PostgreSQL need not evaluate them.
    seen: bool = False
    #: SQL over ``{c}`` that is true if the value is truncated; empty if it never is.
    cut: str = ""
    #: For JSON: how to treat rows with numbers that are not doubles.
    rounding: Literal["", "counted", "refused"] = ""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a column does not fit a field, and what to do."""

    message: str
    hint: str = ""
    code: str = "TypeDoesNotFit"


class Target:
    """The values that a field's validator takes: scalars by name, ``array`` with its element, ``any``."""

    def __init__(self, validator: Validator) -> None:
        self.validator = unwrap(validator)
        self.members = _members(self.validator)
        self.any = any(isinstance(member, kinds.AnyValue) for member in self.members)
        self.null = self.any or any(isinstance(member, kinds.Null) for member in self.members)

    def takes(self, kind: type[Validator]) -> bool:
        """Whether a value of ``kind`` may fit: by its validator, a literal of it, or ``v.any()``."""
        return self.any or any(isinstance(m, kind) or _literal_of(m, kind) for m in self.members)

    @property
    def structured(self) -> bool:
        """Whether the field takes JSON objects or arrays of a declared shape."""
        return any(isinstance(m, kinds.Object | kinds.Record | kinds.Array) for m in self.members)

    @property
    def objects(self) -> bool:
        """Whether the field takes objects, of any or of a declared shape."""
        return self.any or any(isinstance(m, kinds.Object | kinds.Record) for m in self.members)

    @property
    def elements(self) -> list[Validator]:
        """The validators of the elements of the arrays that the field takes."""
        return [m.element for m in self.members if isinstance(m, kinds.Array)]

    def allowed(self) -> list[Value] | None:
        """The allowed values, if the validator is a union of literals (null aside); else None."""
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


#: Chooses the conversion of a type for a target, or says why there is none.
Choice = Callable[[Type, Target, ColumnRule], Conversion | Misfit]
_REGISTRY: dict[str, Choice] = {}


def converts(*bases: str) -> Callable[[Choice], Choice]:
    """Registers a family's :data:`Choice` for PostgreSQL's internal type names ``bases``."""

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
    """``conversion`` with texts truncated to ``length`` characters."""
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
    """The name under which the type's family is registered; None for a type of an unknown extension."""
    if type_.element is not None:
        return "array"
    categories = {"e": "enum", "c": "composite", "r": "range", "m": "range"}
    return categories.get(type_.category) or (type_.base if type_.base in _REGISTRY else None)


def registered(type_: Type) -> bool:
    """Whether a family is registered for ``type_`` (or for the elements of the array). Otherwise only its text is
    known.
    """
    if type_.element is not None:
        return registered(type_.element)
    return _family(type_) is not None


def misfit(type_: Type, target: Target, *better: str) -> Misfit:
    """The usual :class:`Misfit`: the type does not fit, with the validators that would."""
    return Misfit(f"{type_.name} does not fit {target}.", f"Use {' or '.join(better)}." if better else "")
