"""What the source enforces or does and Convex does not, with the replacement for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from supavex.mapping.convex_auth import SOURCES
from supavex.mapping.plan import Plan
from supavex.postgres.catalog import Catalog, Table, ignores_case


@dataclass(frozen=True, slots=True)
class NotCarried:
    """Something of the source that Convex does not do by itself: its kind, its place, and the replacement."""

    kind: str
    where: str
    detail: str
    instead: str


def not_carried(plan: Plan) -> list[NotCarried]:
    """What Convex does not take over from the moving tables and from the rest of the database."""
    own = [table.source for table in plan.moving if table.name not in SOURCES]
    return not_carried_of(plan.catalog, own)


_WRITTEN = "supavex rules writes it as TypeScript, or names it for code of your own."
_INSTEAD = {
    "view": "A query function.",
    "materialized view": "A table that mutations keep up to date, or an aggregate component.",
    "foreign table": "An action that calls the other system.",
    "function": "A query, mutation or action.",
    "procedure": "A mutation or action.",
    "aggregate": "Code in a query.",
    "sequence": "A counter document.",
    "enum": "A union of literals, or one_of in schema.py.",
    "domain": "A rule in schema.py, or code in the mutation.",
    "exclusion": "Look for an overlap by an index in the mutation that inserts.",
    "publication": "Nothing: every Convex query is live.",
    "cron job": "convex/crons.ts.",
    "bucket": "Its files move where [storage] says where they are; who may read them is for functions to say.",
    "extension": "A replacement for its use: a component, an npm package in an action, or code of your own.",
    "trigger": "Code in the mutations that write the table; of auth.users, in the sign-up flow.",
    "policy": "Of Supabase's own tables: check ctx.auth in the functions that do their work.",
}


def not_carried_of(catalog: Catalog, tables: list[Table]) -> list[NotCarried]:
    """What Convex does not take over from ``tables`` and from the rest of the database."""
    found = [item for table in tables for item in _not_carried(table)]
    return found + [NotCarried(o.kind, o.name, o.detail, _INSTEAD.get(o.kind, "")) for o in catalog.others]


def _not_carried(table: Table) -> Iterator[NotCarried]:
    where = table.qualified
    for unique in table.uniques:
        detail = f"unique ({', '.join(unique.columns)})" + (f" where {unique.predicate}" if unique.predicate else "")
        yield NotCarried("unique", where, detail, _WRITTEN)
    for index in table.indexes:
        if index.unique and None in index.columns:
            instead = "Look it up by an index on a field that holds the expression's value."
            yield NotCarried("unique", where, index.definition.partition(" USING ")[2], instead)
    for check in table.checks:
        yield NotCarried("check", where, check.expression, _WRITTEN)
    for key in table.foreign_keys:
        if key.on_delete in ("CASCADE", "SET NULL", "SET DEFAULT"):
            detail = f"{', '.join(key.columns)} on delete {key.on_delete.lower()}"
            yield NotCarried("cascade", where, detail, _WRITTEN)
    for policy in table.policies:
        detail = f"{policy.name} ({policy.command.lower()})"
        yield NotCarried("policy", where, detail, _WRITTEN)
    for trigger in table.triggers:
        yield NotCarried("trigger", where, trigger.name, "Code in the mutations that write the table.")
    for column in table.columns:
        if ignores_case(column):
            instead = "Lower-case it on the way (supavex check has the line), and in what the app looks for and writes."
            yield NotCarried("equality without regard to case", f"{where}.{column.name}", column.type.name, instead)
        if column.default and not column.generated:
            yield NotCarried("default", f"{where}.{column.name}", column.default, "withDefaults in convex/defaults.ts.")
        if column.type.length is not None:
            detail = f"at most {column.type.length} characters"
            yield NotCarried("length", f"{where}.{column.name}", detail, "Check it in the mutation that writes.")
        if column.generated:
            yield NotCarried("generated column", f"{where}.{column.name}", "", "Compute it when writing or reading.")
        if column.identity:
            yield NotCarried("identity", f"{where}.{column.name}", "", "Convex's _id, or a counter document.")
