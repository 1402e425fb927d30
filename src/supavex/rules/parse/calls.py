"""Calls of functions: PostgreSQL's, Supabase's, and the project's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supavex.rules import form
from supavex.rules.form import Call, Claim, Constant, Expression, IsNull, Kind, Untranslatable
from supavex.rules.parse.casts import cast, null
from supavex.rules.parse.functions import invoked
from supavex.rules.parse.scope import Scope, expression, reads


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function of the runtime."""

    #: Its name in TypeScript.
    name: str
    #: The kinds of its arguments.
    takes: tuple[Kind, ...]
    #: The kind of its result.
    gives: Kind
    #: The number of arguments, from the last, that may be missing.
    optional: int = 0
    #: Whether it is NULL if an argument is NULL.
    strict: bool = True
    #: Whether it may be NULL for other arguments.
    nullable: bool = False


_ARRAY = Kind("array", element=form.TEXT)
_T, _N, _J, _B = form.TEXT, form.WHOLE_NUMBER, form.JSON, form.BOOLEAN
BUILTINS = {
    "lower": Builtin("lower", (_T,), _T),
    "upper": Builtin("upper", (_T,), _T),
    **dict.fromkeys(("length", "char_length", "character_length"), Builtin("length", (_T,), _N)),
    "btrim": Builtin("trimmed", (_T, _T), _T, 1),
    "ltrim": Builtin("trimmedLeft", (_T, _T), _T, 1),
    "rtrim": Builtin("trimmedRight", (_T, _T), _T, 1),
    "left": Builtin("leftOf", (_T, _N), _T),
    "right": Builtin("rightOf", (_T, _N), _T),
    **dict.fromkeys(("substr", "substring"), Builtin("substring", (_T, _N, _N), _T, 1)),
    "replace": Builtin("replaced", (_T, _T, _T), _T),
    "split_part": Builtin("splitPart", (_T, _T, _N), _T),
    **dict.fromkeys(("strpos", "position"), Builtin("positionOf", (_T, _T), _N)),
    "starts_with": Builtin("startsWith", (_T, _T), _B),
    "string_to_array": Builtin("splitText", (_T, _T), _ARRAY),
    **dict.fromkeys(("jsonb_exists",), Builtin("jsonHas", (_J, _T), _B)),
    **dict.fromkeys(("jsonb_typeof", "json_typeof"), Builtin("jsonType", (_J,), _T)),
    **dict.fromkeys(("jsonb_array_length", "json_array_length"), Builtin("jsonLength", (_J,), _N)),
    "gen_random_uuid": Builtin("randomUuid", (), form.UUID),
    "uuid_generate_v4": Builtin("randomUuid", (), form.UUID),
}
_NOW = ("now", "transaction_timestamp", "statement_timestamp", "clock_timestamp")
_SETTINGS = {
    "request.jwt.claims": Claim(form.JSON_TEXT, False, "claims"),
    "request.jwt.claim": Claim(form.JSON_TEXT, False, "claims"),
    "request.jwt.claim.role": Claim(form.TEXT, True, "role"),
    "request.jwt.claim.email": Claim(form.TEXT, True, "email"),
    "role": Claim(form.TEXT, False, "databaseRole"),
}


@reads("FuncCall")
def _call(node: Any, scope: Scope) -> Expression:
    names = [part.sval for part in node.funcname]
    schema, name = (names[-2] if len(names) > 1 else ""), names[-1]
    if node.agg_filter or node.over or node.agg_distinct or node.agg_order or node.agg_within_group:
        raise Untranslatable(f"{name} with FILTER, OVER, DISTINCT or ORDER BY is not translated")
    if schema == "auth" and name in ("uid", "role", "email", "jwt") and not node.args:
        return claim(name, scope)
    own = [] if schema == "pg_catalog" else scope.source.functions(schema, name)
    given = [expression(argument, scope) for argument in node.args or () if type(argument).__name__ != "NamedArgExpr"]
    if len(given) != len(node.args or ()):
        raise Untranslatable("a call with arguments by name is not translated: give them by position")
    if own:
        return invoked(own, given, scope)
    return builtin(name, given, scope)


def claim(name: str, scope: Scope) -> Expression:
    """The claim of ``auth.uid()`` and similar functions."""
    if name == "uid":
        return Claim(scope.source.uid, True, "uid")
    if name == "jwt":
        return Claim(form.JSON, False, "claims")
    return Claim(form.TEXT, name == "email", name)


def builtin(name: str, given: list[Expression], scope: Scope) -> Expression:
    """A call of one of PostgreSQL's functions. Raises :class:`Untranslatable` if the runtime has no counterpart."""
    if name in _NOW and not given:
        return Claim(form.MOMENT, False, "now")
    if name == "current_setting":
        return _setting(given, scope)
    special = _SPECIAL.get(name)
    if special is not None:
        return special(given)
    if name == "timezone" and len(given) == 2 and isinstance(given[0], Constant) and given[0].value == "utc":
        return given[1]
    found = BUILTINS.get(name)
    if found is None or not len(found.takes) - found.optional <= len(given) <= len(found.takes):
        raise Untranslatable(f"the function {name} with {len(given)} arguments is not translated")
    arguments = tuple(_argument(one, kind, name) for one, kind in zip(given, found.takes, strict=False))
    nullable = found.nullable or any(one.nullable for one in arguments)
    return Call(found.gives, nullable, found.name, arguments, found.strict)


def _argument(given: Expression, kind: Kind, name: str) -> Expression:
    if given.kind.name == kind.name:
        return given
    if given.kind.name == "unknown" or (given.kind.name == "uuid" and kind.name == "text"):
        return cast(given, kind)
    raise Untranslatable(f"the function {name} of {given.kind} is not translated")


def _setting(given: list[Expression], scope: Scope) -> Expression:
    name = given[0].value if given and isinstance(given[0], Constant) else None
    if name == "request.jwt.claim.sub":
        return Claim(scope.source.uid, True, "uid")
    if isinstance(name, str) and "." in name and not name.startswith("request."):
        # It is the app's own setting, which no caller of an API sets. PostgreSQL gives NULL then, or raises.
        missing = len(given) == 2 and isinstance(given[1], Constant) and given[1].value is True
        return null(form.TEXT) if missing else Call(form.TEXT, True, "unsetParameter", (given[0],), False)
    if name not in _SETTINGS:
        raise Untranslatable(f"current_setting('{name}') is not translated: a Convex function does not know it")
    return _SETTINGS[str(name)]


def _concat(given: list[Expression]) -> Expression:
    if not all(one.kind.name in ("text", "unknown", "uuid") for one in given):
        raise Untranslatable("concat of values other than text is not translated: cast them to text")
    if any(one.kind == form.PADDED for one in given):
        raise Untranslatable("concat of char(n) is not translated: spaces at its end count there")
    return Call(form.TEXT, False, "concat", tuple(cast(one, form.TEXT) for one in given), False)


def _array_length(given: list[Expression]) -> Expression:
    if not given or given[0].kind.name != "array":
        raise Untranslatable("array_length of a value that is not an array")
    if len(given) == 2 and not (isinstance(given[1], Constant) and given[1].value == 1):
        raise Untranslatable("array_length of a dimension other than the first is not translated")
    return Call(form.WHOLE_NUMBER, True, "arrayLength", (given[0],))


def _cardinality(given: list[Expression]) -> Expression:
    if len(given) != 1 or given[0].kind.name != "array":
        raise Untranslatable("cardinality of a value that is not an array")
    return Call(form.WHOLE_NUMBER, given[0].nullable, "cardinality", (given[0],))


def _nulls(given: list[Expression]) -> Expression:
    tests = [cast(IsNull(_B, False, one), _B) for one in given]
    return Call(form.WHOLE_NUMBER, False, "countTrue", tuple(tests), False)


def _non_nulls(given: list[Expression]) -> Expression:
    tests = tuple(form.Not(_B, False, IsNull(_B, False, one)) for one in given)
    return Call(form.WHOLE_NUMBER, False, "countTrue", tests, False)


def _unnest(given: list[Expression]) -> Expression:
    """The elements of an array, as the rows of a subquery without FROM."""
    if len(given) != 1 or given[0].kind.name != "array":
        raise Untranslatable("unnest of a value that is not an array")
    return given[0]


def _json_texts(given: list[Expression]) -> Expression:
    if len(given) != 1 or given[0].kind.name != "json":
        raise Untranslatable("jsonb_array_elements_text of a value that is not jsonb")
    return Call(_ARRAY, given[0].nullable, "jsonTexts", (given[0],))


def _absolute(given: list[Expression]) -> Expression:
    if len(given) != 1 or given[0].kind.name != "number":
        raise Untranslatable("abs of a value that is not a number")
    kind = given[0].kind
    # No bits: PostgreSQL's numeric and double precision have the opposite of each of their numbers.
    size = Constant(_N, False, kind.bits or None)
    return Call(kind, given[0].nullable, "absolute", (given[0], *([size] if kind.bits != _N.bits else [])), False)


_SPECIAL = {
    "abs": _absolute,
    "unnest": _unnest,
    **dict.fromkeys(("jsonb_array_elements_text", "json_array_elements_text"), _json_texts),
    **dict.fromkeys(("concat",), _concat),
    "array_length": _array_length,
    "cardinality": _cardinality,
    "num_nulls": _nulls,
    "num_nonnulls": _non_nulls,
}
