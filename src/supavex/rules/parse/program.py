"""Parses SQL text to the typed form: expressions of policies and constraints, and the statements of functions."""

from __future__ import annotations

from typing import Any

from supavex.postgres import catalog
from supavex.rules.form import Expression, Untranslatable
from supavex.rules.parse.expressions import condition
from supavex.rules.parse.grammar import expression_node, parsed_statements
from supavex.rules.parse.scope import Scope, expression


def expression_of(sql: str, scope: Scope) -> Expression:
    """The form of an expression. Raises :class:`Untranslatable`."""
    try:
        return expression(expression_node(sql), scope)
    except RecursionError:
        raise Untranslatable("the expression is nested too deeply") from None


def condition_of(sql: str, scope: Scope) -> Expression:
    """The form of an expression that is true, false or NULL. Raises :class:`Untranslatable`."""
    try:
        return condition(expression_node(sql), scope)
    except RecursionError:
        raise Untranslatable("the expression is nested too deeply") from None


def select_of(sql: str) -> Any:
    """The node of a SELECT statement."""
    found = parsed_statements(sql)
    if len(found) != 1 or type(found[0].stmt).__name__ != "SelectStmt":
        raise Untranslatable("a statement other than SELECT is not translated")
    return found[0].stmt


def statement_of(function: catalog.Function) -> Any:
    """The node of the only statement in an SQL function's body. Raises :class:`Untranslatable` if there are several."""
    if not function.atomic:
        found = parsed_statements(function.body)
        if len(found) != 1:
            raise Untranslatable("an SQL function of several statements is not translated")
        return found[0].stmt
    (made,) = parsed_statements(function.definition)
    body = made.stmt.sql_body
    if type(body).__name__ == "ReturnStmt":
        return _statements_of_return(body)
    while isinstance(body, tuple) and len(body) == 1:
        body = body[0]
    return body


def _statements_of_return(body: Any) -> Any:
    from pglast.ast import ResTarget, SelectStmt
    from pglast.enums import LimitOption, SetOperation

    return SelectStmt(
        targetList=(ResTarget(val=body.returnval),),
        op=SetOperation.SETOP_NONE,
        limitOption=LimitOption.LIMIT_OPTION_DEFAULT,
        all=False,
        groupDistinct=False,
    )
