"""Operators: comparisons of values with different representations in Convex, arithmetic, jsonb, arrays and patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from supavex.convex.ids import encode_id
from supavex.mapping.patterns import of_like, portable
from supavex.rules import form
from supavex.rules.form import (
    Call,
    Claim,
    Compare,
    Constant,
    Distinct,
    Expression,
    Field,
    Kind,
    Not,
    Untranslatable,
)
from supavex.rules.parse.casts import cast, constant, null
from supavex.rules.parse.columns import Source

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_NEGATED = {"!~~": "~~", "!~~*": "~~*", "!~": "~", "!~*": "~*"}


def operated(operator: str, left: Expression, right: Expression, source: Source) -> Expression:
    """``left operator right``. Raises :class:`Untranslatable`."""
    operator = "<>" if operator == "!=" else operator
    if operator in _COMPARISONS:
        return compared(operator, left, right, source)
    if operator in _NEGATED:
        inner = operated(_NEGATED[operator], left, right, source)
        return Not(form.BOOLEAN, inner.nullable, inner)
    if operator in ("~~", "~~*", "~", "~*"):
        return _pattern(operator, left, right)
    made = _OPERATORS.get(operator)
    if made is None:
        raise Untranslatable(f"the operator {operator} is not translated")
    return made(left, right)


def compared(operator: str, left: Expression, right: Expression, source: Source) -> Expression:
    """A comparison of values, or of NULL."""
    left, right = alike(left, right, source)
    kind = left.kind
    if operator in ("<", "<=", ">", ">=") and not kind.ordered:
        raise Untranslatable(f"{operator} of {kind} is not translated: JavaScript orders such values in another way")
    if kind.name == "interval" and any(_months(side) for side in (left, right)):
        raise Untranslatable("a comparison of an interval with months or years is not translated: their length varies")
    if kind.name == "json" and not any(isinstance(side, Constant) for side in (left, right)):
        raise Untranslatable("a comparison of two values of jsonb is translated only if one is a constant")
    if kind.name == "row":
        raise Untranslatable("a comparison of whole rows is not translated")
    return Compare(form.BOOLEAN, left.nullable or right.nullable, operator, left, right)  # type: ignore[arg-type]


def _months(side: Expression) -> bool:
    return isinstance(side, Constant) and isinstance(side.value, tuple) and bool(side.value[0])


def distinct(left: Expression, right: Expression, source: Source) -> Expression:
    """``left IS DISTINCT FROM right``."""
    return Distinct(form.BOOLEAN, False, *alike(left, right, source))


def alike(left: Expression, right: Expression, source: Source) -> tuple[Expression, Expression]:
    """Both sides in one representation. Raises :class:`Untranslatable` if there is none."""
    left, right = _uncast(left), _uncast(right)
    if form.UUID_TEXT in (left.kind, right.kind) and left.kind != right.kind:
        left, right = _as_text(left), _as_text(right)
    if {left.kind.name, right.kind.name} == {"int64", "number"}:
        return _as_numbers(left, right)
    for one, other, turned in ((left, right, False), (right, left, True)):
        found = _held_as(one, other, source)
        if found is not None:
            return (other, found) if turned else (found, other)
    raise Untranslatable(
        f"a comparison of {left.kind} with {right.kind} is not translated{_why(left.kind, right.kind)}"
    )


def _as_numbers(left: Expression, right: Expression) -> tuple[Expression, Expression]:
    """An int64 and a number. Whole numbers are compared as int64, which is exact beyond 2^53."""
    if left.kind.name == "int64":
        return _as_numbers(right, left)[::-1]
    if isinstance(left, Constant) and isinstance(left.value, int | float) and left.value == left.value // 1:
        return Constant(form.INT64, False, int(left.value)), right
    return (cast(left, form.INT64), right) if left.kind.table == "int" else (left, cast(right, left.kind))


def _why(left: Kind, right: Kind) -> str:
    if "clerk" in (left.name, right.name):
        return ": one side is Clerk's id of a user. Say [users] for in supavex.toml, and `ids` of the column"
    return ""


def _uncast(one: Expression) -> Expression:
    """The id itself, if the expression is the text of an id."""
    if isinstance(one, Call) and one.name == "uuidOf":
        return replace(one.arguments[0], kind=replace(one.arguments[0].kind, labels=("text",)))
    return one


def _as_text(one: Expression) -> Expression:
    return replace(one, kind=form.TEXT) if one.kind == form.UUID_TEXT else one


def _held_as(one: Expression, other: Expression, source: Source) -> Expression | None:
    """``one`` in the representation of ``other``; None if there is none."""
    kind, wanted = one.kind, other.kind
    if wanted.name == "unknown":
        return cast(one, form.TEXT) if kind.name == "unknown" else None
    if kind.name == wanted.name:
        if kind.name == "id" and not kind.like(wanted):
            return _as_key(one, wanted) or _id_of_another(one, wanted)
        if kind.name == "array":
            return _array_as(one, wanted, source)
        if kind.name == "time" and kind.table != wanted.table:
            return _time_as(one, wanted)
        return one
    if isinstance(one, Constant) and kind.name == "unknown":
        if wanted.name == "time" and one.value is not None:
            return _time_as(cast(one, form.TIME), wanted)
        if wanted.name == "id":
            return one if one.value is None else id_constant(str(one.value), wanted, source)
        if wanted.name == "clerk":
            return one if one.value is None else None
        return cast(one, wanted)
    if wanted.name == "id":
        return _as_id(one, other, source)
    if {kind.name, wanted.name} == {"date", "moment"} and kind.name == "date":
        return cast(one, form.MOMENT)
    if kind.name == "uuid" and wanted.name == "text":
        return replace(one, kind=form.TEXT)
    return None


def _time_as(one: Expression, wanted: Kind) -> Expression | None:
    """A constant time of day in the field's format; None if the format loses a part."""
    if not isinstance(one, Constant) or not isinstance(one.value, str) or one.kind.table:
        return None
    text = one.value if one.value.count(":") == 2 else f"{one.value}:00"
    length = len(wanted.table) or len(text)
    return Constant(wanted, False, text[:length]) if text[length:] in ("", ":00") else None


def _array_as(one: Expression, wanted: Kind, source: Source) -> Expression | None:
    own, element = one.kind.element, wanted.element
    assert own is not None
    assert element is not None
    if own.like(element):
        return one
    if isinstance(one, Constant) and isinstance(one.value, list) and element.name == "id":
        made = [id_constant(str(value), element, source) for value in one.value]
        return Constant(wanted, False, [value.value for value in made])
    if isinstance(one, Constant) and isinstance(one.value, list) and (element.name, own.table) == ("int64", "int"):
        return replace(one, kind=wanted)
    if element.name in ("text", "number") and own.name in ("unknown", element.name):
        return replace(one, kind=wanted)
    if isinstance(one, Call) and one.name == "list":
        parts = tuple(_held_as(part, Constant(element, False, None), source) for part in one.arguments)
        return None if None in parts else Call(wanted, False, "list", parts, False)  # type: ignore[arg-type]
    if element.name == "id" and element.key != "uuid" and own.name == element.key:
        name = {"number": "idsOfNumbers", "text": "idsOfTexts"}[element.key]
        return Call(wanted, one.nullable, name, (_name(element.table), one))
    if element.name == "id" and element.key == "uuid" and (own.name == "uuid" or own.key == "uuid"):
        texts = one if own.name == "uuid" else Call(_UUIDS, one.nullable, "uuidsOf", (one,))
        return Call(wanted, one.nullable, "idsOf", (_name(element.table), texts))
    return None


def _as_id(one: Expression, other: Expression, source: Source) -> Expression | None:
    table = other.kind.table
    if isinstance(one, Constant):
        return null(other.kind) if one.value is None else id_constant(str(one.value), other.kind, source)
    found = _as_key(one, other.kind)
    if found is not None:
        return found
    name = _ID_OF.get((other.kind.key, one.kind.name))
    return None if name is None else Call(source.id_kind(table), one.nullable, name, (_name(table), one))


def _as_key(one: Expression, wanted: Kind) -> Expression | None:
    """The ``_id`` of the row whose column ``one`` is, if ids of the kind ``wanted`` stand for that column."""
    if isinstance(one, Field) and one.key == wanted.table and one.via == wanted.via:
        return Field(wanted, True, one.row, "_id", wanted.table, wanted.via)
    return None


#: The functions of the runtime that make ids, by what the id's column was and what they are made of.
_ID_OF = {
    ("uuid", "uuid"): "idOf",
    ("uuid", "text"): "idOf",
    ("number", "number"): "idOfNumber",
    ("text", "text"): "idOfText",
}


def _id_of_another(one: Expression, wanted: Kind) -> Expression | None:
    """An id of another table, of the row with the same key."""
    if not wanted.key or one.kind.key != wanted.key:
        return None
    if wanted.key == "uuid":
        return Call(wanted, one.nullable, "idOf", (_name(wanted.table), _uuid(one)))
    return Call(wanted, one.nullable, "idInTable", (_name(wanted.table), one))


def id_constant(text: str, kind: Kind, source: Source) -> Constant:
    """The id of the row whose key is ``text``. Raises :class:`Untranslatable` if ids are not computed from keys."""
    table = kind.table
    found = source.plan.to_target(table)
    if kind.via:
        raise Untranslatable(f"a constant is compared with an id of {table} that stands for {', '.join(kind.via)}")
    if found is None or found.key is None or found.status != "mapped" or len(found.key.columns) != 1:
        raise Untranslatable(f"a constant is compared with an id of {table}, whose ids are not computed from keys")
    try:
        return Constant(source.id_kind(table), False, encode_id(source.numbers[table], found.key.internal_id(text)))
    except (ValueError, OverflowError, KeyError):
        raise Untranslatable(f"the constant {text!r} can't be a key of {table}") from None


def _name(table: str) -> Constant:
    return Constant(form.TEXT, False, table)


def _uuid(one: Expression) -> Expression:
    return Call(form.UUID, one.nullable, "uuidOf", (one,))


#: The operators of patterns, as people write them.
_PATTERNS = {"~~": "LIKE", "~~*": "ILIKE", "~": "~ (a regular expression)", "~*": "~* (a regular expression)"}


def _pattern(operator: str, left: Expression, right: Expression) -> Expression:
    """LIKE and regular expressions with constant patterns."""
    if left.kind.name not in ("text", "unknown") or not isinstance(right, Constant) or not isinstance(right.value, str):
        raise Untranslatable(f"{_PATTERNS[operator]} is translated only for a text with a constant pattern")
    if left.kind == form.PADDED:
        raise Untranslatable(f"{_PATTERNS[operator]} of char(n) is not translated: spaces at its end count there")
    ignore = operator.endswith("*")
    found = (of_like if "~~" in operator else portable)(right.value, ignore_case=ignore)
    if found is None and right.value in ("%", "") and "~~" in operator:
        found = "" if right.value else "^$"
    if found is None:
        raise Untranslatable(f"the pattern {right.value!r} is not translated: JavaScript may match it in another way")
    return Call(form.BOOLEAN, left.nullable, "matches", (left, Constant(form.TEXT, False, found)))


def _arithmetic(operator: str) -> Callable[[Expression, Expression], Expression]:
    def made(left: Expression, right: Expression) -> Expression:
        nullable = left.nullable or right.nullable
        kinds = (left.kind.name, right.kind.name)
        if kinds == ("moment", "moment") and operator == "-":
            return Call(form.INTERVAL, nullable, "elapsed", (left, right))
        if kinds == ("date", "date") and operator == "-":
            return Call(form.WHOLE_NUMBER, nullable, "daysBetween", (left, right))
        if kinds == ("interval", "moment") and operator == "+":
            left, right, kinds = right, left, ("moment", "interval")
        if kinds[0] in ("moment", "date") and kinds[1] == "interval" and isinstance(right, Constant):
            assert isinstance(right.value, tuple)
            sign = -1 if operator == "-" else 1
            parts = [Constant(form.NUMBER, False, sign * part) for part in right.value]
            moment = cast(left, form.MOMENT) if kinds[0] == "date" else left
            return Call(form.MOMENT, nullable, "later", (moment, *parts))
        if kinds == ("date", "number") and operator in "+-":
            return Call(form.DATE, nullable, "dayAfter" if operator == "+" else "dayBefore", (left, right))
        if kinds == ("array", "array") and operator == "||":
            return Call(left.kind, nullable, "joined", (left, right))
        if operator == "||" and "text" in kinds and set(kinds) <= {"text", "unknown", "uuid"}:
            return Call(form.TEXT, nullable, "concatenated", (left, right))
        whole = [one.kind == form.WHOLE_NUMBER or one.kind.name == "unknown" for one in (left, right)]
        if all(whole) and operator in _ARITHMETIC:
            kind = max(left.kind, right.kind, key=lambda one: one.bits)
            kind = kind if kind.bits else form.WHOLE_NUMBER
            sides = [cast(one, kind) if one.kind.name == "unknown" else one for one in (left, right)]
            # The runtime's functions throw where PostgreSQL's type of the result has no such number.
            size = [] if kind.bits == form.WHOLE_NUMBER.bits else [Constant(form.WHOLE_NUMBER, False, kind.bits)]
            return Call(kind, nullable, _ARITHMETIC[operator], (*sides, *size))
        if "json" in kinds and operator == "-":
            raise Untranslatable("jsonb - key is not translated")
        raise Untranslatable(f"{left.kind} {operator} {right.kind} is not translated")

    return made


_ARITHMETIC = {"+": "plus", "-": "minus", "*": "times", "/": "divided", "%": "remainder"}


def _json(name: str, kind: Kind) -> Callable[[Expression, Expression], Expression]:
    def made(left: Expression, right: Expression) -> Expression:
        if left.kind.name != "json":
            raise Untranslatable(f"an operator of jsonb is used on {left.kind}")
        if isinstance(right, Constant) and right.kind.name == "unknown":
            right = constant(str(right.value), form.TEXT)
        if right.kind.name == "array" or (right.kind.name == "json" and name != "jsonContains"):
            raise Untranslatable("-> or ->> with an array or jsonb on the right is not translated")
        if name == "jsonText" and isinstance(left, Claim) and isinstance(right, Constant) and right.value in _CLAIMS:
            return Claim(form.TEXT, True, str(right.value))
        return Call(kind, True, name, (left, right))

    return made


#: Claims that depend on more than the token.
_CLAIMS = ("role", "email")


def _path(name: str, kind: Kind) -> Callable[[Expression, Expression], Expression]:
    def made(left: Expression, right: Expression) -> Expression:
        if left.kind.name != "json" or not isinstance(right, Constant):
            raise Untranslatable("#> and #>> are translated only for jsonb with a constant path")
        value = right.value if isinstance(right.value, list) else constant(str(right.value), _TEXTS).value
        return Call(kind, True, name, (left, Constant(_TEXTS, False, value)))

    return made


_TEXTS, _UUIDS = Kind("array", element=form.TEXT), Kind("array", element=form.UUID)


def _contains(turned: bool) -> Callable[[Expression, Expression], Expression]:
    def made(left: Expression, right: Expression) -> Expression:
        whole, part = (right, left) if turned else (left, right)
        if isinstance(part, Constant) and part.kind.name == "unknown":
            part = cast(part, whole.kind)
        if isinstance(whole, Constant) and whole.kind.name == "unknown":
            whole = cast(whole, part.kind)
        names = {whole.kind.name, part.kind.name}
        nullable = whole.nullable or part.nullable
        if names == {"json"}:
            return Call(form.BOOLEAN, nullable, "jsonContains", (whole, part))
        if names == {"array"} and _same_elements(whole, part):
            return Call(form.BOOLEAN, nullable, "containsAll", (whole, part))
        raise Untranslatable(f"{whole.kind} @> {part.kind} is not translated")

    return made


def _overlaps(left: Expression, right: Expression) -> Expression:
    if left.kind.name == "array" and isinstance(right, Constant) and right.kind.name == "unknown":
        right = cast(right, left.kind)
    if left.kind.name != "array" or right.kind.name != "array" or not _same_elements(left, right):
        raise Untranslatable(f"{left.kind} && {right.kind} is not translated")
    return Call(form.BOOLEAN, left.nullable or right.nullable, "overlaps", (left, right))


def _same_elements(left: Expression, right: Expression) -> bool:
    elements = [side.kind.element for side in (left, right)]
    if elements[0] is None or elements[1] is None or elements[0].name != elements[1].name:
        return False
    return elements[0].name != "id" or elements[0] == elements[1]


def _has_key(left: Expression, right: Expression) -> Expression:
    if left.kind.name != "json":
        raise Untranslatable(f"{left.kind} ? {right.kind} is not translated")
    key = cast(right, form.TEXT) if right.kind.name == "unknown" else right
    return Call(form.BOOLEAN, left.nullable or key.nullable, "jsonHas", (left, key))


def _has_keys(name: str) -> Callable[[Expression, Expression], Expression]:
    def made(left: Expression, right: Expression) -> Expression:
        if left.kind.name != "json" or right.kind.name != "array":
            raise Untranslatable(f"?| or ?& of {left.kind} with {right.kind} is not translated")
        return Call(form.BOOLEAN, left.nullable or right.nullable, name, (left, right))

    return made


_OPERATORS: dict[str, Callable[[Expression, Expression], Expression]] = {
    **{sign: _arithmetic(sign) for sign in ("+", "-", "*", "/", "%", "||")},
    "->": _json("jsonAt", form.JSON),
    "->>": _json("jsonText", form.TEXT),
    "#>": _path("jsonAtPath", form.JSON),
    "#>>": _path("jsonTextAtPath", form.TEXT),
    "?": _has_key,
    "?|": _has_keys("jsonHasAny"),
    "?&": _has_keys("jsonHasAll"),
    "@>": _contains(turned=False),
    "<@": _contains(turned=True),
    "&&": _overlaps,
}
