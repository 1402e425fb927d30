"""References of a plan: which fields hold ids of other rows, and by which key these are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from supavex.convex import validators as kinds
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.validators import Optional, Validator, unwrap
from supavex.mapping.conversions import Conversion, Misfit, Target
from supavex.mapping.plan import ALIAS, FieldPlan, Plan, Reference, TablePlan
from supavex.postgres.catalog import Column, ForeignKey, Type
from supavex.postgres.connection import quoted


def pointer_of(validator: Validator) -> tuple[kinds.Id, bool] | None:
    """The ``v.id(…)`` that a field takes, and whether it is an array of them; null may stand beside each. Else None."""
    member = _only_member(validator)
    many = isinstance(member, kinds.Array)
    if isinstance(member, kinds.Array):
        member = _only_member(member.element)
    return (member, many) if isinstance(member, kinds.Id) else None


def _only_member(validator: Validator) -> Validator | None:
    members = [member for member in Target(validator).members if not isinstance(member, kinds.Null)]
    return members[0] if len(members) == 1 else None


def add_references(plan: Plan, table: TablePlan, name: str, validator: Validator, columns: tuple[str, ...]) -> None:
    """A field for a reference by several columns (or by one that has a field of its own too)."""
    inner, optional = unwrap(validator), isinstance(validator, Optional)
    pointer = pointer_of(inner)
    unknown = next((column for column in columns if table.source.column(column) is None), None)
    found: Reference | Misfit
    if unknown is not None:
        found = Misfit(f"{table.name} has no column {unknown}.", "`references` names columns of this table.")
    elif pointer is None or pointer[1]:
        found = Misfit(f"{inner} holds no id.", "Make it v.id(…) of the table that the columns refer to.")
    else:
        parts = {column: f"{ALIAS}.{quoted(column)}" for column in columns}
        key = _foreign_key(plan, table, columns, pointer[0])
        found = _referred(plan, pointer[0], key, parts)
        if key is None and not isinstance(found, Misfit):
            found = _comparable(plan, table, columns, found) or found
    if isinstance(found, Misfit):
        table.misfits.append((None, name, found))
        return
    there = " AND ".join(f"{part} IS NOT NULL" for part in found.parts)
    texts = ", ".join(f"{part}::text" for part in found.parts)
    source = f"(CASE WHEN {there} THEN to_jsonb(ARRAY[{texts}])::text END)"
    nulls = [column.nullable for name in columns if (column := table.source.column(name)) is not None]
    table.fields.append(
        FieldPlan(
            name,
            inner,
            optional,
            source,
            None,
            Conversion("reference", "id"),
            inner.rules.default,
            found,
            null_is_rejected=not any(nulls),
            by_columns=columns,
        )
    )


def _referred(
    plan: Plan, pointer: kinds.Id, foreign_key: ForeignKey | None, parts: Mapping[str, str]
) -> Reference | Misfit:
    """What a foreign key leads to, or, without one, the table of ``pointer``; ``parts`` are SQL by column."""
    if foreign_key is None:
        # No constraint says where it points: the schema does, and every value is looked for there.
        parent = plan.to_target(pointer.table)
        referenced = parent.key.columns if parent is not None and parent.key is not None else ()
        named = tuple(parts.values())
    else:
        parent = plan.of_source(foreign_key.referenced_schema, foreign_key.referenced_table)
        referenced = foreign_key.referenced_columns
        named = tuple(parts[column] for column in foreign_key.columns)
    if parent is None or parent.status not in ("mapped", "existing"):
        if pointer.table == STORAGE_TABLE:
            return Misfit(
                "nothing says how its values name stored files.",
                'Say storage = "BUCKET" for the column in supavex.toml (or true, where it holds whole addresses).',
            )
        where = f"{foreign_key.referenced_schema}.{foreign_key.referenced_table}" if foreign_key else pointer.table
        return Misfit(
            f"it refers to {where}, which no source table that is moved or declared existing stands for.",
            "Move that table, declare it existing, give the column an `ids` file, or make the field v.string().",
        )
    if parent.target != pointer.table:
        return Misfit(
            f"its foreign key refers to {parent.name}, which is {parent.target}, but the field is "
            f'v.id("{pointer.table}").',
            f'Make it v.id("{parent.target}").',
        )
    if parent.key is None or not parent.key.refers or len(referenced) != len(named):
        count = "one column" if len(named) == 1 else f"{len(named)} columns"
        return Misfit(
            f"{parent.name} has no key of {count} that it could refer to.",
            f"Give that table a `key` in supavex.toml, make the field a string, or set fields.NAME = "
            f'{{ references = ["…"] }} with a column for each of {", ".join(referenced) or "its key"}.',
        )
    through = set(referenced) != set(parent.key.columns)
    if not through:
        by_column = dict(zip(referenced, named, strict=True))
        referenced, named = parent.key.columns, tuple(by_column[column] for column in parent.key.columns)
    return Reference(
        parent.source.schema,
        parent.source.name,
        parent.target,
        parent.key,
        referenced,
        named,
        parent.status == "existing",
        through,
    )


def reference_of(
    plan: Plan, table: TablePlan, column: Column, pointer: tuple[kinds.Id, bool], source: str, *, sql: bool
) -> Reference | Misfit:
    """What a column refers to, by ``pointer`` (see :func:`pointer_of`), or why it can't be told. ``source``: its SQL.

    ``sql``: the source is an expression, which has no foreign key.
    """
    id_, many = pointer
    foreign_key = None if many else _foreign_key(plan, table, (column.name,), id_)
    if many and not sql and column.type.element is None:
        return Misfit(f"{column.type.name} is no array.", f'Make it v.id("{id_.table}").')
    found = _referred(plan, id_, foreign_key, {column.name: "e.x" if many else source})
    if isinstance(found, Misfit):
        return found
    found = replace(found, many=many)
    if sql or foreign_key is not None:
        return found
    return _comparable(plan, table, (column.name,), found) or found


def _comparable(plan: Plan, table: TablePlan, columns: tuple[str, ...], found: Reference) -> Misfit | None:
    """Why columns that no foreign key holds to it can't be compared with what they refer to; None where they can."""
    parent = plan.of_source(found.schema, found.table)
    assert parent is not None
    for name, referenced in zip(columns, found.columns, strict=True):
        column, expected = table.source.column(name), parent.source.column(referenced)
        if column is None or expected is None:
            continue
        type_ = column.type.element or column.type if found.many else column.type
        if _kin(type_) != _kin(expected.type):
            cast = f"{name}::{expected.type.name}{'[]' if found.many else ''}"
            return Misfit(
                f"it is {type_.name}, but {found.schema}.{found.table}.{referenced} is {expected.type.name}.",
                f'Give the column an sql expression, such as sql = "{cast}".',
            )
    return None


def _foreign_key(plan: Plan, table: TablePlan, columns: tuple[str, ...], pointer: kinds.Id) -> ForeignKey | None:
    """The foreign key of some columns; of several, the one to the table that the field names."""
    keys = [key for key in table.source.foreign_keys if sorted(key.columns) == sorted(columns)]
    for key in keys:
        parent = plan.of_source(key.referenced_schema, key.referenced_table)
        if parent is not None and parent.target == pointer.table:
            return key
    return keys[0] if keys else None


def _kin(type_: Type) -> str:
    """Types that PostgreSQL compares without a cast have one name."""
    for kin in (("int2", "int4", "int8"), ("text", "varchar", "bpchar", "name", "citext")):
        if type_.base in kin:
            return kin[0]
    return type_.base
