"""The Convex function that does what a Supabase query did, as TypeScript that compiles against the schema."""

from __future__ import annotations

from typing import Literal

from supavex.mapping.usage.changing import Changing
from supavex.mapping.usage.code import Snippet
from supavex.mapping.usage.patterns import LIKE
from supavex.mapping.usage.queries import OPERATIONS, Query
from supavex.mapping.usage.reading import Reading
from supavex.mapping.usage.tables import Sides, TableSide
from supavex.mapping.usage.writer import Written


def write(sides: Sides, side: TableSide, query: Query) -> Written:
    """The Convex side of ``query`` of a table that has one."""
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
