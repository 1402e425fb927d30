"""SQL text to the nodes of PostgreSQL's grammar."""

from __future__ import annotations

from typing import Any

from supavex.rules.form import Untranslatable

#: Characters of one policy's expression.
MAX_LENGTH = 50_000


def parsed_statements(sql: str) -> Any:
    """The statements of a text, as PostgreSQL's grammar has them. Raises :class:`Untranslatable`."""
    from pglast import parse_sql
    from pglast.parser import ParseError

    if len(sql) > MAX_LENGTH:
        raise Untranslatable(f"the SQL is longer than {MAX_LENGTH} characters")
    try:
        return parse_sql(sql)
    except (ParseError, RecursionError):
        raise Untranslatable("the parser of PostgreSQL's grammar does not read the SQL") from None


def expression_node(sql: str) -> Any:
    """The node of an expression. Raises :class:`Untranslatable` where the text is none."""
    found = parsed_statements(f"SELECT {sql}")
    if len(found) != 1 or type(found[0].stmt).__name__ != "SelectStmt":
        raise Untranslatable("the SQL is not an expression")
    node = found[0].stmt
    if node.fromClause or node.whereClause or len(node.targetList or ()) != 1:
        # In PL/pgSQL `RETURN x FROM t` is an expression, too.
        raise Untranslatable("an expression with FROM or WHERE outside a subquery is not translated: write (SELECT …)")
    return node.targetList[0].val
