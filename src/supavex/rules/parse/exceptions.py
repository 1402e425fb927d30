"""Whether a PL/pgSQL block with EXCEPTION throws in TypeScript exactly where it throws in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

from supavex.rules import form
from supavex.rules.form import Call, Function, Invoke, Scalar, Select, Statement, Untranslatable

#: The functions of the runtime that never throw, and whose counterparts in PostgreSQL never do.
_NEVER = frozenset((
    "lower", "upper", "length", "trimmed", "trimmedLeft", "trimmedRight", "leftOf", "rightOf", "replaced", "positionOf",
    "startsWith", "splitText", "concatenated", "concat", "matches", "nullIf", "countTrue", "greatest", "least",
    "textOfNumber", "textOfBoolean", "textOfJson", "uuidOf", "jsonAt", "jsonText", "jsonAtPath", "jsonTextAtPath",
    "jsonHas", "jsonHasAny", "jsonHasAll", "jsonContains", "jsonType", "list", "joined", "containsAll", "overlaps",
    "arrayLength", "cardinality", "nullIfEmpty", "idInTable", "numberTextOf", "uuidsOf", "momentOf", "dateOf",
))  # fmt: skip
#: The functions that throw for exactly the texts for which PostgreSQL throws.
_ALIKE = ("uuidFromText", "labelOf")
#: What evaluates all its parts, in PostgreSQL and in TypeScript.
_WHOLE = (form.Not, form.Compare, form.Distinct, form.IsNull, form.IsTrue)
#: What evaluates some of its parts, or none.
_PARTLY = (form.All, form.Any, form.Case, form.Coalesce, form.AnyOf)


def demand_alike(statements: tuple[Statement, ...], *, always: bool = True) -> None:
    """Raises :class:`Untranslatable` unless it is known that the statements throw where PostgreSQL's do.

    ``always``: whether both run them whenever one does. Otherwise they must not throw.
    """
    for statement in statements:
        _demand(statement.value, always=always)
        for number, (test, body) in enumerate(statement.branches):
            _demand(test, always=always and number == 0)
            demand_alike(body, always=always)
        demand_alike(statement.otherwise, always=always)


def never_throws(found: object) -> bool:
    """Whether it is known that an expression throws on neither side."""
    try:
        _demand(found, always=False)
    except Untranslatable:
        return False
    return True


def read_in_handlers(found: object) -> Iterator[str]:
    """The tables that the functions in a form read with the caller's rights in a block with EXCEPTION."""
    for block in form.parts_in(found, bodies=True):
        if isinstance(block, Statement) and block.verb == "try":
            for one in form.parts_in(block.branches, bodies=True):
                if isinstance(one, Select):
                    yield from (source.table for source in one.sources if source.secured)


def _demand(found: object, *, always: bool) -> None:
    """``always``: whether PostgreSQL and TypeScript evaluate the expression in each run of its statement."""
    match found:
        case None | form.Constant() | form.Field() | form.Whole() | form.Variable() | form.Claim():
            return
        case Call() if found.name in _NEVER or (always and found.name in _ALIKE):
            inner = always
        case Invoke():
            if found.denied:
                raise Untranslatable(
                    f"a block with EXCEPTION calls {found.function.source}, which a role may not EXECUTE. {_UNSURE}"
                )
            for argument in found.arguments:
                _demand(argument, always=False)
            _demand_body(found.function, always=always)
            return
        case Scalar():
            inner = always
            # More than one row is an error in both, if both look for rows.
            if not always and not found.select.limit and found.select.sources:
                raise Untranslatable(
                    f"a block with EXCEPTION has a subquery that may find several rows, which is an error. {_UNSURE}"
                )
        case form.InSelect():
            _demand(found.left, always=False)
            _demand(found.select, always=always)
            return
        case form.Exists() | form.Rows() | form.Count():
            inner = always
        case _ if isinstance(found, _WHOLE):
            inner = always
        case _ if isinstance(found, _PARTLY):
            inner = False
        case Select():
            _demand_select(found, always=always)
            return
        case _:
            raise Untranslatable(
                f"a block with EXCEPTION evaluates {_named(found)}, which may raise an error. {_UNSURE}"
            )
    for one in _parts(found):
        _demand(one, always=inner)


_UNSURE = "It is not known that TypeScript raises an error exactly when PostgreSQL does: move it out of the block"


def _named(found: object) -> str:
    return found.name if isinstance(found, Call) else type(found).__name__


def _parts(found: object) -> list[object]:
    """The expressions and selects directly in an expression."""
    made: list[object] = []
    for name in found.__dataclass_fields__:  # type: ignore[attr-defined]
        if name in ("kind", "matching"):
            continue
        waiting = [getattr(found, name)]
        while waiting:
            one = waiting.pop()
            if isinstance(one, tuple | list):
                waiting += one
            elif isinstance(one, form.Expression | Select):
                made.append(one)
    return made


def _demand_select(select: Select, *, always: bool) -> None:
    # PostgreSQL looks at the rights of all tables before it reads a row; TypeScript looks at those that it reads.
    for number, source in enumerate(select.sources):
        if source.secured and (number or not always):
            raise Untranslatable(
                f"a block with EXCEPTION may read {source.table} with the caller's rights, or not. {_UNSURE}"
            )
        for _, value in source.equal:
            _demand(value, always=False)
        _demand(source.on, always=False)
    alone = always and not select.sources and select.condition is None
    _demand(select.condition, always=False)
    _demand(select.output, always=alone)
    for key, _ in select.order:
        _demand(key, always=False)


def _demand_body(function: Function, *, always: bool) -> None:
    for _, _, begins in function.variables:
        _demand(begins, always=always)
    if any(one.verb == "raise" for one in form.parts_in(function.body) if isinstance(one, Statement)):
        raise Untranslatable(f"a block with EXCEPTION calls {function.source}, which has a RAISE. {_UNSURE}")
    demand_alike(function.body, always=always)
