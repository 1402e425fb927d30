"""What CHECK constraints say of one column, where they say it in a form that a rule of the schema can hold.

PostgreSQL prints expressions in one way, whatever the author wrote: ``status IN ('a', 'b')`` comes back as
``(status = ANY (ARRAY['a'::text, 'b'::text]))``.

A constraint that is NOT VALID or NOT ENFORCED says nothing of the rows that are there: no rule comes from it.
"""

from __future__ import annotations

import re

from supavex.postgres.catalog import Check, ForeignKey, Table

_ITEM = r"'(?:[^']|'')*'(?:::[a-z_ .\"]+)?"
_ANY = re.compile(
    r"\(*(?P<column>\"[^\"]+\"|[a-z_][a-z0-9_]*)\)?(?:::[a-z ]+)? = ANY \(+"
    rf"ARRAY\[(?P<items>{_ITEM}(?:, {_ITEM})*)\]\)?(?:::[a-z \[\]]+)?\)*"
)
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_NUMERIC = ("int2", "int4", "int8", "numeric", "float4", "float8")


def allowed_values(table: Table, column: str) -> tuple[str, ...] | None:
    """The values that an enum type or a CHECK constraint allows in ``column``; None where neither says."""
    found = table.column(column)
    if found is not None and found.type.labels:
        return found.type.labels
    for check in table.checks:
        match = _ANY.fullmatch(check.expression)
        if check.validated and check.columns == (column,) and match and match["column"].strip('"') == column:
            return tuple(value.replace("''", "'") for value in _TEXT.findall(match["items"]))
    return None


_BOUND = re.compile(
    r"\(*(?P<column>\"[^\"]+\"|[a-z_][a-z0-9_]*)\)*(?:::[a-z ]+)? (?P<sign>>=|<=|>|<) "
    r"\(*'?(?P<number>-?[0-9]+(?:\.[0-9]+)?)'?\)*(?:::[a-z ]+)?\)*"
)
_SIGNS = {">=": "ge", "<=": "le", ">": "gt", "<": "lt"}


def numeric_bounds(table: Table, column: str) -> dict[str, str]:
    """``ge``, ``le``, ``gt``, ``lt`` to numbers (as text) that CHECK constraints on ``column`` alone say plainly."""
    bounds: dict[str, str] = {}
    found = table.column(column)
    if found is None or found.type.base not in _NUMERIC:
        return bounds
    for check in table.checks:
        if not check.validated or check.columns != (column,) or " OR " in check.expression:
            continue
        terms = check.expression.removeprefix("(").removesuffix(")").split(" AND ")
        matches = [_BOUND.fullmatch(term) for term in terms]
        if all(match is not None and match["column"].strip('"') == column for match in matches):
            bounds |= {_SIGNS[match["sign"]]: match["number"] for match in matches if match is not None}
    return bounds


def not_validated(table: Table, column: str) -> list[Check | ForeignKey]:
    """The CHECK constraints and foreign keys over ``column`` that the rows of the source may break."""
    constraints: list[Check | ForeignKey] = [*table.checks, *table.foreign_keys]
    return [constraint for constraint in constraints if not constraint.validated and column in constraint.columns]
