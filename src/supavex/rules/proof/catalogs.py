"""Compares the catalog of a replica with its source, as far as rules and constraints depend on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from supavex.postgres.catalog import Catalog, Column, Table


def differences(live: Catalog, made: Catalog) -> Iterator[tuple[str, str]]:
    """Tables, functions and views that differ, each with the difference."""
    for table in live.tables:
        other = made.table(table.schema, table.name)
        if other is None:
            yield table.qualified, "the table is not in the copy"
            continue
        for what, detail in _of_table(table, other):
            yield table.qualified, f"{what}: {detail}"
    functions = [
        {
            f"{f.qualified}({', '.join(p.type for p in f.parameters)})": (
                f.body,
                f.returns,
                f.security_definer,
                f.strict,
                f.denied,
            )
            for f in catalog.functions
        }
        for catalog in (live, made)
    ]
    yield from _named("function", *functions)
    views = [{f"{v.schema}.{v.name}": (v.query, v.invoker) for v in catalog.views} for catalog in (live, made)]
    yield from _named("view", *views)


#: Casts and parentheses that PostgreSQL adds when it reads back its own text of an expression.
_CASTS = re.compile(
    r"::(?:character varying|bit varying|double precision|(?:timestamp|time)(?:\(\d\))? with(?:out)? time zone"
    r"|[\w.]+|\"[^\"]*\"(?:\.\"[^\"]*\")?)(?:\(\d+(?:,\d+)?\))?(?:\[\])*|[()\s]+"
)


def _plain(found: object) -> str:
    """A part of a catalog as a text for comparison."""
    return _CASTS.sub("", repr(found))


def _named(kind: str, live: Mapping[str, object], made: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in live.items():
        if name not in made:
            yield name, f"the {kind} is not in the copy"
        elif _plain(made[name]) != _plain(value):
            yield name, f"the {kind} is another one in the copy"


def _of_table(live: Table, made: Table) -> Iterator[tuple[str, str]]:
    if live.row_security != made.row_security:
        yield "row level security", "it is not the same in the copy"
    if live.primary_key != made.primary_key:
        yield "primary key", "it is not the same in the copy"
    for word, own in (
        ("column", lambda t: {c.name: _column(c) for c in t.columns}),
        ("foreign key", lambda t: {k.name: k for k in t.foreign_keys}),
        ("unique", lambda t: {u.name: u for u in t.uniques}),
        ("check", lambda t: {c.name: (c.expression, c.columns) for c in t.checks}),
        ("policy", lambda t: {p.name: p for p in t.policies}),
        ("trigger", lambda t: {g.name: g for g in t.triggers}),
        ("grant", lambda t: {g.role: g for g in t.grants}),
    ):
        there, here = own(live), own(made)
        for name in [*there, *(name for name in here if name not in there)]:
            if _plain(there.get(name)) != _plain(here.get(name)):
                how = (
                    "not in the copy"
                    if name not in here
                    else "only in the copy"
                    if name not in there
                    else "another one"
                )
                yield f"{word} {name}", how


def _column(column: Column) -> tuple[object, ...]:
    return column.type.name, column.nullable, column.default, column.generated, column.identity, column.collation
