"""Finds the references of a plan: the fields with ids of other rows, and the keys by which these are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from supavex.convex import validators as kinds
from supavex.convex.limits import STORAGE_TABLE
from supavex.convex.validators import Optional, Validator, unwrap
from supavex.mapping.conversions import Conversion, Misfit, Target
from supavex.mapping.keys import Key
from supavex.mapping.plan import ALIAS, FieldPlan, Plan, Reference, TablePlan
from supavex.postgres.catalog import Column, ForeignKey, Table, Type
from supavex.postgres.connection import quoted

_INTEGERS = ("int2", "int4", "int8")
_TEXTS = ("text", "varchar", "name")
#: Types whose equal values have equal texts, by which a key is hashed (decimals: without trailing zeros). Other types
#: do not: intervals of a day and of 24 hours are equal, so are -0 and 0, 1 and 1.0 in JSON, and values of extensions.
_ONE_TEXT = frozenset([
    *_INTEGERS, *_TEXTS, "numeric", "bpchar", "char", "uuid", "bool", "bytea", "oid", "money", "date", "time", "timetz",
    "timestamp", "timestamptz", "inet", "cidr", "macaddr", "macaddr8", "bit", "varbit", "pg_lsn",
])  # fmt: skip

_DEFAULT_COLLATION = 'pg_catalog."default"'


@dataclass(frozen=True, slots=True)
class _Part:
    """The SQL that names a part of the parent's key, with its type and collation (for an array: of an element).

    Type and collation are None for an expression of unknown type.
    """

    sql: str
    type: Type | None = None
    collation: str | None = None


def pointer_of(validator: Validator) -> tuple[kinds.Id, bool] | None:
    """The ``v.id(…)`` that a field takes, and whether the field is an array of them; each may be in a union with null.
    Else None.
    """
    member = _only_member(validator)
    is_array = isinstance(member, kinds.Array)
    if isinstance(member, kinds.Array):
        member = _only_member(member.element)
    return (member, is_array) if isinstance(member, kinds.Id) else None


def _only_member(validator: Validator) -> Validator | None:
    members = [member for member in Target(validator).members if not isinstance(member, kinds.Null)]
    return members[0] if len(members) == 1 else None


def add_references(plan: Plan, table: TablePlan, name: str, validator: Validator, columns: tuple[str, ...]) -> None:
    """Adds a field for a reference by several columns, or by one that also has its own field."""
    inner, optional = unwrap(validator), isinstance(validator, Optional)
    pointer = pointer_of(inner)
    unknown = next((column for column in columns if table.source.column(column) is None), None)
    found: Reference | Misfit
    if unknown is not None:
        found = Misfit(f"{table.name} has no column {unknown}.", "`references` names columns of this table.")
    elif pointer is None or pointer[1]:
        found = Misfit(f"{inner} holds no id.", "Make it v.id(…) of the table that the columns refer to.")
    else:
        own = {column: table.source.column(column) for column in columns}
        parts = {
            name: _Part(f"{ALIAS}.{quoted(name)}", column.type, column.collation)
            for name, column in own.items()
            if column is not None
        }
        found = _referred(plan, pointer[0], _foreign_key(plan, table, columns, pointer[0]), parts)
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
            replace(found, by_columns=columns),
            Conversion("reference", "id"),
            Type("jsonb", "jsonb"),
            ", ".join(columns),
            null_is_rejected=not any(nulls),
        )
    )


def _referred(
    plan: Plan, pointer: kinds.Id, foreign_key: ForeignKey | None, parts: Mapping[str, _Part], *, is_array: bool = False
) -> Reference | Misfit:
    """The reference by a foreign key, or else to the table of ``pointer``. ``parts`` are by column."""
    if foreign_key is None:
        # Without a foreign key, the schema names the parent, and the copy looks up every value there.
        parent = plan.to_target(pointer.table)
        referenced = parent.key.columns if parent is not None and parent.key is not None else ()
        own = tuple(parts)
    else:
        parent = plan.of_source(foreign_key.referenced_schema, foreign_key.referenced_table)
        referenced = foreign_key.referenced_columns
        own = foreign_key.columns
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
    if parent.key is None or not parent.key.refers or len(referenced) != len(own):
        count = "one column" if len(own) == 1 else f"{len(own)} columns"
        return Misfit(
            f"{parent.name} has no key of {count} that it could refer to.",
            f"Give that table a `key` in supavex.toml, make the field a string, or set fields.NAME = "
            f'{{ references = ["…"] }} with a column for each of {", ".join(referenced) or "its key"}.',
        )
    via_unique = set(referenced) != set(parent.key.columns)
    if not via_unique:
        by_column = dict(zip(referenced, own, strict=True))
        referenced, own = parent.key.columns, tuple(by_column[column] for column in parent.key.columns)
    pairs = []
    for column_name, name in zip(referenced, own, strict=True):
        column, part = parent.source.column(column_name), parts[name]
        if column is None:
            return Misfit(f"{parent.name} has no column {column_name}.", "Correct its `key` in supavex.toml.")
        # The foreign key says nothing about an expression.
        if (foreign_key is None or part.collation is None) and not _comparable(parent.key, column, part):
            cast = f"{name}::{column.type.name}{'[]' if is_array else ''}"
            shown = part.type.name if part.type else ""
            return Misfit(
                f"it is {shown}, but {parent.name}.{column_name} is {column.type.name}.",
                f'Give the column an sql expression, such as sql = "{cast}".',
            )
        pairs.append((column, part))
    comparisons = tuple(_comparison(column, part) for column, part in pairs)
    if parent.key.form == "hash" and not all(_one_text(column, part) for column, part in pairs):
        # The parent's text gives its id. PostgreSQL finds the parent by equality, or by the text if nothing keeps equal
        # values unique.
        if foreign_key is not None or _kept_unique(parent.source, referenced):
            via_unique = True
        elif not via_unique:
            comparisons = tuple(
                comparison if _one_text(column, part) else ("::text =", "::text")
                for (column, part), comparison in zip(pairs, comparisons, strict=True)
            )
    return Reference(
        parent.source.schema,
        parent.source.name,
        parent.target,
        parent.key,
        referenced,
        tuple(part.sql for _, part in pairs),
        parent.status == "existing",
        via_unique,
        is_array,
        comparisons if any(comparison != ("=", "") for comparison in comparisons) else (),
    )


def _kept_unique(table: Table, columns: tuple[str, ...]) -> bool:
    """Whether PostgreSQL keeps some columns unique, so that no two rows are equal in them."""
    kept = [table.primary_key, *(unique.columns for unique in table.uniques if unique.predicate is None)]
    return any(names and set(names) <= set(columns) for names in kept)


def _one_text(parent: Column, part: _Part) -> bool:
    """Whether a part that equals a value of ``parent`` has the same text, by which the key is hashed."""
    type_ = part.type or parent.type
    if not parent.deterministic:
        return False
    if type_.base == parent.type.base:
        element = parent.type.element
        known = _ONE_TEXT if element is None else _ONE_TEXT - {"numeric"}
        return (element or parent.type).category == "e" or (element or parent.type).base in known
    both = {type_.base, parent.type.base}
    return both <= {*_INTEGERS} or both <= {*_TEXTS} or (parent.type.base == "numeric" and type_.base in _INTEGERS)


def _comparison(parent: Column, part: _Part) -> tuple[str, str]:
    """The operator that compares a column with its part, and the SQL behind the part. They do not depend on the search
    path and on the two collations: a foreign key compares by the referenced column's collation.
    """
    type_ = parent.type
    if type_.category == "b" and type_.element is None and type_.schema != "pg_catalog":
        cast = "" if part.type == type_ else f"::{quoted(type_.schema, type_.base)}"
        return f"OPERATOR({quoted(type_.schema)}.=)", cast
    collated = part.type is not None and _collated(type_) and _collated(part.type)
    if collated and part.collation != parent.collation:
        return "=", f" COLLATE {parent.collation or _DEFAULT_COLLATION}"
    return "=", ""


def _collated(type_: Type) -> bool:
    return (type_.element or type_).base in (*_TEXTS, "bpchar")


def reference_of(
    plan: Plan, table: TablePlan, column: Column, pointer: tuple[kinds.Id, bool], source: str, type_: Type | None
) -> Reference | Misfit:
    """The reference of a column by ``pointer`` (see :func:`pointer_of`), or why there is none. ``source``: the column's
    SQL.

    ``type_``: the type of ``source``; None for an expression of unknown type.
    """
    id_, is_array = pointer
    expression = source != f"{ALIAS}.{quoted(column.name)}"
    if is_array and type_ is not None and type_.element is None:
        return Misfit(f"{type_.name} is not an array.", f'Make it v.id("{id_.table}").')
    foreign_key = None if is_array else _foreign_key(plan, table, (column.name,), id_)
    type_ = type_.element if is_array and type_ is not None else type_
    part = _Part("e.x" if is_array else source, type_, None if expression else column.collation)
    return _referred(plan, id_, foreign_key, {column.name: part}, is_array=is_array)


def _comparable(key: Key, column: Column, part: _Part) -> bool:
    """Whether PostgreSQL can compare a column with its part, as far as is known."""
    if part.type is None or _kin(part.type) == _kin(column.type):
        return True
    # The text of an expression is read as a uuid.
    return key.form == "uuid" and part.collation is None and _kin(part.type) == "text"


def leading_key(table: Table, column: str, moves: Callable[[str, str], bool]) -> ForeignKey | None:
    """The foreign key on ``column`` alone that makes the reference: one to a moving table, if any.

    ``moves`` says whether a schema and table move. ``auth.users`` comes last and the table's own schema first; then the
    constraint's name decides.
    """

    def rank(key: ForeignKey) -> tuple[bool, bool, bool, str]:
        there = (key.referenced_schema, key.referenced_table)
        return not moves(*there), there == ("auth", "users"), key.referenced_schema != table.schema, key.name

    return min((key for key in table.foreign_keys if key.columns == (column,)), key=rank, default=None)


def _foreign_key(plan: Plan, table: TablePlan, columns: tuple[str, ...], pointer: kinds.Id) -> ForeignKey | None:
    """The foreign key of some columns. Of several, the one to the field's table.

    None if their tables stay behind and the field names a moving table. Its rows may have the same keys, and the copy
    looks up each value there.
    """
    keys = [key for key in table.source.foreign_keys if sorted(key.columns) == sorted(columns)]
    parents = [plan.of_source(key.referenced_schema, key.referenced_table) for key in keys]
    for key, parent in zip(keys, parents, strict=True):
        if parent is not None and parent.target == pointer.table:
            return key
    if not any(parent is not None and parent.target for parent in parents) and plan.to_target(pointer.table):
        return None
    return keys[0] if keys else None


def _kin(type_: Type) -> str:
    """One name for all types that PostgreSQL compares without a cast."""
    for kin in (_INTEGERS, ("text", "varchar", "bpchar", "name", "citext")):
        if type_.base in kin:
            return kin[0]
    return type_.base
