"""Writes the Convex function that replaces a Supabase query, as TypeScript that compiles against the schema."""

from __future__ import annotations

from typing import Literal

from supavex.usage.advice.changing import Changing
from supavex.usage.advice.code import Snippet
from supavex.usage.advice.reading import Reading
from supavex.usage.advice.tables import Sides, TableSide
from supavex.usage.advice.writer import Written
from supavex.usage.finding.patterns import LIKE
from supavex.usage.finding.queries import OPERATIONS, Query


def write(sides: Sides, side: TableSide, query: Query) -> Written:
    """The Convex side of ``query``, for a table that has a Convex table."""
    reads = query.operation == "select"
    writer = Reading(sides, side, query) if reads else Changing(sides, side, query)
    conditions = writer.conditions()
    writer.say_columns()
    if isinstance(writer, Changing):
        writer.check()
    if query.operation not in OPERATIONS or writer.hopeless:
        return writer.result
    body = writer.lines(conditions)
    if body:
        if any(one.interprets for one in conditions):
            body = [LIKE, *body]
        kind: Literal["query", "mutation"] = "query" if reads else "mutation"
        writer.result.snippet = Snippet(kind, writer.arguments.validators, tuple(body), tuple(writer.imports))
    return writer.result
