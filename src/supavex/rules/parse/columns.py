"""The representation of a column in Convex: the field of a document, and its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from supavex.convex import validators as kinds
from supavex.convex.validators import Optional, unwrap
from supavex.mapping.conversions import Target
from supavex.mapping.keys import Key
from supavex.mapping.names import camel_case
from supavex.mapping.plan import FieldPlan, Plan, TablePlan
from supavex.postgres.catalog import Column, Function, Type, View
from supavex.rules import form
from supavex.rules.form import Call, Expression, Field, Kind, Untranslatable

#: PostgreSQL's types by the kinds of their values, if the field's validator does not decide.
_NUMBERS = ("int2", "int4", "int8", "oid", "float4", "float8", "numeric")
_WHOLE = {"int2": form.SMALLINT, "int4": form.WHOLE_NUMBER, "int8": form.BIGINT, "oid": form.BIGINT}
_TEXTS = ("text", "varchar", "bpchar", "name", "char")


@dataclass(frozen=True)
class Source:
    """The tables, views and functions that SQL may name, and the kind of ``auth.uid()``."""

    plan: Plan
    uid: Kind
    #: Table numbers by the names of Convex tables.
    numbers: Mapping[str, int] = field(default_factory=dict)

    def table(self, schema: str, name: str) -> TablePlan:
        """The table of that name; without a schema, in the project's first one. Raises :class:`Untranslatable` if
        Convex has none.
        """
        for each in (schema,) if schema else self.plan.project.schemas:
            found = self.plan.of_source(each, name)
            if found is not None:
                if found.definition is None:
                    raise Untranslatable(f"the table {found.name} has no Convex table")
                return found
        raise Untranslatable(f"the table {schema + '.' if schema else ''}{name} does not move to Convex")

    def id_kind(self, name: str) -> Kind:
        """The ids of a Convex table."""
        table = self.plan.to_target(name)
        column = table.source.column(table.key.columns[0]) if table is not None and table.key is not None else None
        if table is None or table.key is None or column is None or table.status != "mapped":
            return Kind("id", name)
        return Kind("id", name, key=_key_kind(table.key, column.type))

    def view(self, schema: str, name: str) -> View | None:
        """The view of that name, or None."""
        schemas = (schema,) if schema else self.plan.project.schemas
        views = self.plan.catalog.views
        return next((v for each in schemas for v in views if (v.schema, v.name) == (each, name)), None)

    def functions(self, schema: str, name: str) -> list[Function]:
        """The project's functions of that name."""
        found = [f for f in self.plan.catalog.functions if f.name == name]
        if schema:
            return [f for f in found if f.schema == schema]
        own = [f for f in found if f.schema in self.plan.project.schemas]
        return own or found


def _key_kind(key: Key, type_: Type) -> str:
    """The kind of the column that ids are made of; empty if they are made of several, or of another kind."""
    if key.form == "hash" and len(key.columns) == 1 and (type_.category == "e" or type_.base in _HASHED):
        return "text"
    return {"uuid": "uuid", "integer": "number"}.get(key.form, "")


#: Types of keys whose ids are hashes of the value itself.
_HASHED = ("text", "varchar", "name")


def field_of(table: TablePlan, column_name: str, row: str, *, new: bool = False) -> Field:
    """The field of the column ``column_name``. Raises :class:`Untranslatable` if there is none, or its value is
    converted.

    ``new``: the document may not exist yet, so its ``_id`` may be absent.
    """
    column = table.source.column(column_name)
    if column is None:
        raise Untranslatable(f"{table.name} has no column {column_name}")
    if column_name in table.skipped:
        raise Untranslatable(f"{table.name}.{column_name} is left behind: {table.skipped[column_name]}")
    own = table.key is not None and table.key.columns == (column_name,) and table.key.form in ("uuid", "integer")
    if own and table.status == "mapped":
        assert table.key is not None
        return Field(Kind("id", table.target, key=_key_kind(table.key, column.type)), new, row, "_id", table.target)
    planned = next((f for f in table.fields if f.column is not None and f.column.name == column_name), None)
    if planned is None:
        return _existing(table, column, row)
    if planned.expression:
        raise Untranslatable(f"{table.name}.{column_name} has another value in Convex (sql in supavex.toml)")
    if planned.file is not None:
        raise Untranslatable(f"{table.name}.{column_name} may be a stored file in Convex")
    sole = table.key is not None and table.key.columns == (column_name,)
    unique = table.key is not None and not sole and not column.nullable and _is_unique(table, column_name)
    key, via = (table.target if sole or unique else ""), ((column_name,) if unique else ())
    kind = _kind(planned, column)
    if kind == form.JSON and planned.takes_null and column.nullable:
        kind = form.JSON_OR_NULL
    return Field(kind, _nullable(planned), row, planned.name, key, via)


def _is_unique(table: TablePlan, column: str) -> bool:
    keys = (unique.columns for unique in table.source.uniques if unique.predicate is None)
    return (column,) in (table.source.primary_key, *keys)


def value_of(found: Field) -> Expression:
    """The value of a field in PostgreSQL. A float4 is the nearest one to the decimal number that Convex holds. Texts of
    ``char(n)`` are compared, and become other texts, without the spaces at their end.
    """
    if found.kind == form.PADDED:
        return Call(form.PADDED, found.nullable, "trimmedRight", (found,))
    if found.kind == form.JSON_OR_NULL:
        return Call(form.JSON, True, "jsonOf", (found,), False)
    return Call(form.REAL, found.nullable, "realOf", (found,)) if found.kind == form.REAL else found


def _existing(table: TablePlan, column: Column, row: str) -> Field:
    """The field of the same name in a table that exists in Convex."""
    if table.status != "existing" or table.definition is None:
        raise Untranslatable(f"{table.name}.{column.name} has no field in Convex")
    match = next((f for f, c in (table.rule.existing or {}).items() if c == column.name), "")
    name = next((n for n in (match, column.name, camel_case(column.name)) if n in table.definition.fields), "")
    if not name:
        if table.key is not None and table.key.columns == (column.name,):
            return Field(Kind("id", table.target), True, row, "_id", table.target)
        raise Untranslatable(f"{table.name}.{column.name} has no field in Convex")
    validator = table.definition.fields[name]
    inner = unwrap(validator)
    target = Target(inner)
    kind = Kind("id", inner.table) if isinstance(inner, kinds.Id) else kind_of_type(column.type, target)
    return Field(kind, isinstance(validator, Optional) or target.null, row, name)


def _kind(planned: FieldPlan, column: Column) -> Kind:
    if planned.ids is not None:
        return Kind("clerk")
    if planned.reference is not None:
        one = column.type.element if planned.reference.is_array and column.type.element else column.type
        plain = not planned.reference.existing and not planned.reference.via_unique
        key = _key_kind(planned.reference.key, one) if plain else ""
        own = set(planned.reference.columns) == set(planned.reference.key.columns)
        inner = Kind("id", planned.reference.target, key=key, via=() if own else planned.reference.columns)
        return Kind("array", element=inner) if planned.reference.is_array else inner
    cut = re.search(r"HH:MM(?::SS)?$", planned.conversion.name)
    return kind_of_type(column.type, Target(planned.validator), cut[0] if cut else "")


def _nullable(planned: FieldPlan) -> bool:
    return planned.optional or planned.takes_null or isinstance(planned.validator, kinds.AnyValue)


def kind_of_type(type_: Type, target: Target, time_format: str = "") -> Kind:
    """The kind of a column's values in a field that takes ``target``. Raises :class:`Untranslatable` if it has no
    counterpart of SQL's operators.
    """
    if type_.element is not None:
        if type_.element.base == "float4":
            raise Untranslatable(
                f"values of {type_.name} are not translated: PostgreSQL rounds each element to 24 bits"
            )
        if type_.element.base == "bpchar":
            raise Untranslatable(f"values of {type_.name} are not translated: PostgreSQL pads each element")
        element = target.elements[0] if target.elements else kinds.AnyValue()
        return Kind("array", element=kind_of_type(type_.element, Target(element), time_format))
    if type_.category == "e":
        return Kind("text", labels=type_.labels)
    base = type_.base
    if base == "bool":
        return form.BOOLEAN
    if base == "uuid":
        return form.UUID
    if base == "bpchar":
        return form.PADDED
    if base in _TEXTS:
        return Kind("text", labels=tuple(map(str, target.allowed() or ())))
    if base in _NUMBERS:
        if target.takes(kinds.Number):
            return form.REAL if base == "float4" else _WHOLE.get(base, form.NUMBER)
        if target.takes(kinds.Int64):
            return form.INT64
    elif base in ("timestamptz", "timestamp") and target.takes(kinds.Number):
        return form.MOMENT
    elif base == "date":
        return form.DATE if target.takes(kinds.String) else form.MOMENT
    elif base == "time" and target.takes(kinds.String):
        return Kind("time", time_format)
    elif base in ("json", "jsonb") and (target.any or target.structured):
        return form.JSON
    raise Untranslatable(
        f"Convex holds values of {type_.name} as {target}, and SQL's operators are not translated for them"
    )


def kind_named(name: str, source: Source) -> Kind:
    """The kind of an SQL type by its name (``uuid``, ``text[]``, ``timestamp with time zone``). Raises
    :class:`Untranslatable`.
    """
    name = name.lower().removeprefix("pg_catalog.").replace('"', "")
    if name.endswith("[]"):
        return Kind("array", element=kind_named(name[:-2], source))
    if name.startswith("_") and name[1:] in _NAMED:
        return Kind("array", element=_NAMED[name[1:]])
    if "(" in name or name in _CUT:
        raise Untranslatable(f"the type {name} is not translated: PostgreSQL cuts, pads or rounds its values")
    found = _NAMED.get(name)
    if found is not None:
        return found
    enums = {other.name.lower() for other in source.plan.catalog.others if other.kind == "enum"}
    if name in enums or any(enum.endswith(f".{name}") for enum in enums if "." not in name):
        return form.TEXT
    raise Untranslatable(f"the type {name} is not translated")


#: Types that change a value without a modifier, too, or compare it in a way of their own.
_CUT = ("char", "character", "bpchar", "float4", "real")
_NAMED = {
    "uuid": form.UUID,
    **dict.fromkeys(("bool", "boolean"), form.BOOLEAN),
    **dict.fromkeys(("text", "varchar", "character varying", "name"), form.TEXT),
    **dict.fromkeys(("int2", "smallint"), form.SMALLINT),
    **dict.fromkeys(("int4", "int", "integer"), form.WHOLE_NUMBER),
    **dict.fromkeys(("int8", "bigint"), form.BIGINT),
    **dict.fromkeys(("numeric", "float8", "double precision", "decimal"), form.NUMBER),
    **dict.fromkeys(
        ("timestamptz", "timestamp", "timestamp with time zone", "timestamp without time zone"), form.MOMENT
    ),
    "date": form.DATE,
    "interval": form.INTERVAL,
    **dict.fromkeys(("json", "jsonb"), form.JSON),
    **dict.fromkeys(("time", "time without time zone"), form.TIME),
}
