"""The typed form between SQL and TypeScript: expressions over documents, selects, functions.

The :class:`Kind` of a value says how Convex holds a value of SQL. NULL is ``null`` or an absent field. A form only has
what TypeScript can express with SQL's meaning. Other SQL raises :class:`Untranslatable`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal


class Untranslatable(Exception):
    """SQL without a form. The message says which part, and why."""


#: ``id``: a document's id, of ``table``. ``clerk``: the new id of an id file. ``row``: a whole document of ``table``.
KindName = Literal[
    "boolean", "text", "uuid", "id", "clerk", "number", "int64", "moment", "date", "time", "interval", "json",
    "array", "row", "unknown",
]  # fmt: skip


#: Kinds in PostgreSQL's words.
_WORDS = {
    "moment": "timestamp", "json": "jsonb", "clerk": "Clerk's id of a user", "int64": "bigint", "row": "a whole row",
    "unknown": "an untyped constant",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """The representation of a value in Convex. Timestamps and intervals are milliseconds; dates ``YYYY-MM-DD``; times
    as in the field. NULL of jsonb is undefined, because null is JSON's null.
    """

    #: The kind; see :data:`KindName`.
    name: KindName
    #: For an ``id`` or a ``row``: the Convex table. For a number: ``int`` if it is whole, ``real`` if it is a float4.
    #: For a text: ``uuid``, ``json`` or ``char`` if it was one. For a time: its format. For jsonb: ``null`` if null is
    #: NULL. Else empty.
    table: str = ""
    #: The kind of an array's elements; None for other kinds.
    element: Kind | None = None
    #: The labels of an enum, in order; empty for other kinds.
    labels: tuple[str, ...] = ()
    #: For an ``id``: the kind of its column (``uuid``, ``number`` or ``text``); empty for another, or several.
    key: str = field(default="", compare=False)
    #: For a whole number: its bits in PostgreSQL (16, 32 or 64); 0 if unknown, and for other kinds.
    bits: int = field(default=0, compare=False)
    #: For an ``id``: the columns that SQL compares, if these are another unique key than the table's own; else empty.
    via: tuple[str, ...] = ()

    def stands_for(self, declared: Kind) -> bool:
        """Whether SQL takes the value for one of the kind ``declared``: as it is, or an id for what its column was."""
        return self.name == declared.name or (declared.name == self.key and self.name == "id")

    def like(self, other: Kind) -> bool:
        """Whether equal values of both kinds have one representation in Convex."""
        return (self.name, self.table, self.via) == (other.name, other.table, other.via)

    @property
    def ordered(self) -> bool:
        """Whether ``<`` means the same in PostgreSQL and JavaScript."""
        return self.name in ("number", "int64", "moment", "date", "time", "interval", "boolean")

    def __str__(self) -> str:
        if self.name == "id":
            return f"an id of {self.table} (by {', '.join(self.via)})" if self.via else f"an id of {self.table}"
        if self.element is not None:
            return f"an array ({self.element})"
        if self.name == "number":
            return {"int": "integer", "real": "real"}.get(self.table, "number with decimals")
        return _WORDS.get(self.name, self.name)


BOOLEAN, TEXT, UUID, NUMBER, INT64 = Kind("boolean"), Kind("text"), Kind("uuid"), Kind("number"), Kind("int64")
SMALLINT, WHOLE_NUMBER, BIGINT = (Kind("number", "int", bits=bits) for bits in (16, 32, 64))
REAL, UUID_TEXT, JSON_TEXT = Kind("number", "real"), Kind("text", "uuid"), Kind("text", "json")
MOMENT, DATE, TIME, INTERVAL, JSON = Kind("moment"), Kind("date"), Kind("time"), Kind("interval"), Kind("json")
UNKNOWN, JSON_OR_NULL, PADDED = Kind("unknown"), Kind("json", "null"), Kind("text", "char")


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression. ``nullable``: whether it can be NULL."""

    kind: Kind
    nullable: bool


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A constant in the SQL: a str, bool, int, float, None, or a JSON value."""

    value: object


@dataclass(frozen=True, slots=True)
class Field(Expression):
    """A field of a document. ``key``: the Convex table whose source rows are identified by the field's column alone.

    ``via``: that column, if it is not the table's key.
    """

    row: str
    name: str
    key: str = ""
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole(Expression):
    """A whole document."""

    row: str


@dataclass(frozen=True, slots=True)
class Variable(Expression):
    """A parameter or variable of a function."""

    name: str


@dataclass(frozen=True, slots=True)
class Claim(Expression):
    """A property of the caller: ``uid``, ``role``, ``email``, ``claims`` or ``now``."""

    name: str


@dataclass(frozen=True, slots=True)
class All(Expression):
    """SQL's AND."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Any(Expression):
    """SQL's OR."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """SQL's NOT."""

    part: Expression


@dataclass(frozen=True, slots=True)
class Compare(Expression):
    """A comparison. For jsonb and arrays only ``=`` and ``<>``."""

    operator: Literal["=", "<>", "<", "<=", ">", ">="]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Distinct(Expression):
    """IS DISTINCT FROM."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """IS NULL."""

    part: Expression


@dataclass(frozen=True, slots=True)
class IsTrue(Expression):
    """IS TRUE; with ``value`` false IS FALSE."""

    part: Expression
    value: bool


@dataclass(frozen=True, slots=True)
class Coalesce(Expression):
    """The first part that is not NULL."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """CASE with conditions."""

    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A call of a function of the runtime in rules.ts. If ``strict``, it is NULL if an argument is NULL."""

    name: str
    arguments: tuple[Expression, ...]
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Invoke(Expression):
    """A call of one of the project's functions. ``denied``: the roles that PostgreSQL refuses the call."""

    function: Function
    arguments: tuple[Expression, ...]
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf(Expression):
    """``left operator ANY (array)``; with ``every``, ALL."""

    operator: Literal["=", "<>"]
    left: Expression
    array: Expression
    every: bool = False


@dataclass(frozen=True, slots=True)
class Exists(Expression):
    """EXISTS (select)."""

    select: Select


@dataclass(frozen=True, slots=True)
class InSelect(Expression):
    """``left IN (select)``. ``matching``: the select with the condition that its output equals ``left``."""

    left: Expression
    select: Select
    matching: Select


@dataclass(frozen=True, slots=True)
class Scalar(Expression):
    """``(select)`` as a value: NULL without a row."""

    select: Select


@dataclass(frozen=True, slots=True)
class Rows(Expression):
    """ARRAY(select), array_agg, or the rows of a set-returning function: an array."""

    selects: tuple[Select, ...]


@dataclass(frozen=True, slots=True)
class Count(Expression):
    """(SELECT count(*) …)."""

    select: Select


@dataclass(frozen=True, slots=True)
class Source:
    """A table of FROM."""

    #: The Convex table.
    table: str
    #: The variable of the table's document in TypeScript.
    row: str
    #: The fields that equal an expression.
    equal: tuple[tuple[str, Expression], ...] = ()
    #: The index for ``equal``; empty if the table is read whole, or the document is read by its ``_id``.
    index: str = ""
    #: The fields of ``equal`` that begin the index, in its order.
    index_fields: tuple[str, ...] = ()
    #: Whether the table's policies apply.
    secured: bool = True
    #: Whether it is the right side of a LEFT JOIN. Without a document, all its fields are NULL.
    outer: bool = False
    #: Further conditions of the LEFT JOIN.
    on: Expression | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT. ``limit``: 0 for none."""

    sources: tuple[Source, ...]
    condition: Expression | None
    output: Expression | None
    limit: int = 0
    order: tuple[tuple[Expression, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a function's body.

    ``return``: of ``value`` (or of nothing). ``set``: of the variable ``name``. ``if``: ``branches``, ``otherwise``.
    ``raise``: an exception with the text ``name``. ``try``: the statements of the only branch, and ``otherwise`` after
    an error in them.
    """

    verb: Literal["return", "set", "if", "raise", "try"]
    value: Expression | None = None
    name: str = ""
    branches: tuple[tuple[Expression, tuple[Statement, ...]], ...] = ()
    otherwise: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the project, for arguments of certain kinds."""

    #: The name in TypeScript.
    name: str
    #: The name in the catalog.
    source: str
    #: The name, the kind and the nullability of each parameter.
    parameters: tuple[tuple[str, Kind, bool], ...]
    #: The name, the kind and the first value of each variable.
    variables: tuple[tuple[str, Kind, Expression | None], ...]
    #: The statements in order.
    body: tuple[Statement, ...]
    #: The kind of the result.
    returns: Kind
    #: Whether the result can be NULL.
    nullable: bool
    #: Whether it is SECURITY DEFINER.
    definer: bool


def parts_in(found: object, *, bodies: bool = False) -> Iterator[object]:
    """A form and all that is in it; what the functions that it calls are made of only with ``bodies``."""
    waiting: list[object] = [found]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple | list):
            waiting += reversed(one)
            continue
        if isinstance(one, Function):
            if not bodies or one.name in seen:
                continue
            seen.add(one.name)
        yield one
        if hasattr(one, "__dataclass_fields__"):
            # InSelect holds its select twice.
            skipped = ("kind", "matching")
            waiting += [getattr(one, name) for name in one.__dataclass_fields__ if name not in skipped]


def rows_in(found: object) -> set[str]:
    """The names of the rows and variables in a form."""
    names: set[str] = set()
    waiting: list[object] = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Field | Whole):
            names.add(one.row)
        elif isinstance(one, tuple):
            waiting += one
        if isinstance(one, Function) or not hasattr(one, "__dataclass_fields__"):
            continue
        waiting += [getattr(one, name) for name in one.__dataclass_fields__ if name != "kind"]
    return names


def fields_in(found: object) -> Iterator[tuple[str, str]]:
    """Each field in a form, by row and name, as often as it occurs."""
    waiting: list[object] = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Field):
            yield one.row, one.name
        elif isinstance(one, tuple | list):
            waiting += one
        elif hasattr(one, "__dataclass_fields__") and not isinstance(one, Function):
            waiting += [getattr(one, name) for name in one.__dataclass_fields__ if name != "kind"]
