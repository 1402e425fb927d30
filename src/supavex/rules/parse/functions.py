"""The project's functions: SQL functions of one SELECT, and PL/pgSQL functions that assign, query and return.

A function is parsed once for each combination of argument kinds, because a ``uuid`` argument that Convex holds as an id
is an id inside the function.
"""

from __future__ import annotations

from dataclasses import replace

from supavex.postgres import catalog
from supavex.rules import form
from supavex.rules.form import (
    Expression,
    Function,
    Invoke,
    Kind,
    Scalar,
    Select,
    Statement,
    Untranslatable,
    Variable,
)
from supavex.rules.parse.casts import cast, null, returned
from supavex.rules.parse.columns import kind_named
from supavex.rules.parse.conversions import cast_named
from supavex.rules.parse.expressions import any_of
from supavex.rules.parse.plpgsql import Variables, body_of
from supavex.rules.parse.program import expression_of, statement_of
from supavex.rules.parse.scope import RESERVED, Scope, Work
from supavex.rules.parse.selects import rows, selects


def invoked(candidates: list[catalog.Function], given: list[Expression], scope: Scope) -> Expression:
    """A call of one of the project's functions. Raises :class:`Untranslatable` if it, or its body, has no form."""
    found = [f for f in candidates if _takes(f, len(given))]
    if len(found) > 1:
        found = [f for f in found if len(f.parameters) == len(given)] or found
    if len(found) != 1:
        raise Untranslatable(f"no single function {candidates[0].qualified} takes {len(given)} arguments")
    function = found[0]
    arguments = _arguments(function, given, scope)
    secured = scope.secured and not function.security_definer
    made = _read(function, arguments, scope.work, secured=secured)
    nullable = made.nullable or (function.strict and any(a.nullable for a in arguments))
    # The owner of a SECURITY DEFINER function calls what the function calls.
    denied = function.denied if scope.secured else ()
    return Invoke(made.returns, nullable, made, tuple(arguments), denied)


def _takes(function: catalog.Function, count: int) -> bool:
    required = sum(parameter.default is None for parameter in function.parameters)
    return required <= count <= len(function.parameters)


def _arguments(function: catalog.Function, given: list[Expression], scope: Scope) -> list[Expression]:
    found = []
    for number, parameter in enumerate(function.parameters):
        declared = kind_named(parameter.type, scope.source)
        if number < len(given):
            found.append(_argument(given[number], declared, function))
        else:
            assert parameter.default is not None
            found.append(cast(_default(parameter.default, scope), declared))
    return found


def _default(sql: str, scope: Scope) -> Expression:
    return expression_of(sql, Scope(scope.work, secured=scope.secured))


def _argument(given: Expression, declared: Kind, function: catalog.Function) -> Expression:
    if given.kind.name == declared.name == "number":
        return cast(given, declared)
    if given.kind.stands_for(declared) or (declared.name == "uuid" and given.kind.name == "clerk"):
        return given
    if given.kind.name == "unknown" or (given.kind.name, declared.name) in (("uuid", "text"), ("date", "moment")):
        return cast(given, declared)
    raise Untranslatable(
        f"{function.qualified} is called with a value of {given.kind}, and its parameter is {declared}"
    )


def _read(function: catalog.Function, arguments: list[Expression], work: Work, *, secured: bool) -> Function:
    kinds = tuple((argument.kind, argument.nullable) for argument in arguments)
    key = (function.definition, kinds, secured)
    if key in work.functions:
        return work.functions[key]
    if function.qualified in work.reading:
        raise Untranslatable(f"{function.qualified} calls itself, and a recursive function is not translated")
    work.reading.append(function.qualified)
    try:
        made = _made(function, kinds, work, secured=secured)
    except Untranslatable as error:
        # The innermost function is the one to name.
        if str(error).startswith("in "):
            raise
        raise Untranslatable(f"in {function.qualified}: {error}") from None
    finally:
        work.reading.pop()
    work.functions[key] = made
    return made


def _made(function: catalog.Function, kinds: tuple[tuple[Kind, bool], ...], work: Work, *, secured: bool) -> Function:
    parameters = []
    variables: dict[str, Expression] = {}
    for number, (parameter, (kind, nullable)) in enumerate(zip(function.parameters, kinds, strict=True), 1):
        name = parameter.name or f"argument_{number}"
        name = f"{name}_" if name in RESERVED else name
        variable = Variable(kind, nullable, name)
        parameters.append((name, kind, nullable))
        variables[f"${number}"] = variable
        if parameter.name:
            variables[parameter.name] = variable
    scope = Scope(work, variables=variables, secured=secured, function=function.name)
    locals_: Variables = ()
    if function.columns and len(function.columns) > 1:
        raise Untranslatable("it returns several columns, and only functions of one value or column are translated")
    returns = function.columns[0].type if function.columns and function.returns == "record" else function.returns
    declared = kind_named(returns, work.source)
    if function.language == "sql":
        body = _sql_body(function, scope, declared)
    else:
        body, locals_ = body_of(function, replace(scope, plpgsql=True), declared)
    values = [one for one in _returned(body) if one is not None]
    if not values:
        raise Untranslatable("no RETURN of a value was found in it")
    kind = next((v.kind for v in values if not isinstance(v, form.Constant)), values[0].kind)
    if not all(_is_null(v) or v.kind.like(kind) or v.kind.name == kind.name != "id" for v in values):
        raise Untranslatable("its RETURN statements return values that Convex holds in different ways")
    nullable = any(value.nullable for value in values)
    missing = [form.IsNull(form.BOOLEAN, False, variables[f"${n}"]) for n, one in enumerate(kinds, 1) if one[1]]
    if function.strict and missing:
        # PostgreSQL does not run the body then.
        nothing = form.Constant(kind, False, []) if function.returns_set else null(kind)
        test = any_of(list(missing))
        body = (Statement("if", branches=((test, (Statement("return", nothing),)),)), *body)
        nullable = nullable or not function.returns_set
    name = work.function_name(function.name)
    return Function(name, function.qualified, tuple(parameters), locals_, body, kind, nullable, not secured)


def _is_null(value: Expression) -> bool:
    return isinstance(value, form.Constant) and (value.value is None or value.kind.name == "unknown")


def _returned(body: tuple[Statement, ...]) -> list[Expression | None]:
    found: list[Expression | None] = []
    for statement in body:
        if statement.verb == "return":
            found.append(statement.value)
        for _, inner in statement.branches:
            found += _returned(inner)
        found += _returned(statement.otherwise)
    return found


def _sql_body(function: catalog.Function, scope: Scope, declared: Kind) -> tuple[Statement, ...]:
    node = statement_of(function)
    if type(node).__name__ != "SelectStmt":
        raise Untranslatable("its body is not a SELECT, and statements that write are not translated")
    found = selects(node, scope)
    if function.returns_set:
        value = rows(found)
    elif len(found) != 1:
        raise Untranslatable("it returns one value of a UNION, of which PostgreSQL chooses any row")
    else:
        value = _one(found[0])
        if function.returns == "numeric":
            value = cast_named(value, function.returns, scope.source)
    return (Statement("return", returned(value, declared, returns_set=function.returns_set)),)


def _one(select: Select) -> Expression:
    """The output of the first row, for a function that returns one value."""
    assert select.output is not None
    if not select.sources and select.condition is None:
        return select.output
    return Scalar(select.output.kind, True, replace(select, limit=1))
