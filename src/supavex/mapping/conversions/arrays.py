"""Arrays of any number of dimensions, converted element by element.

An array of one dimension of text, numbers or booleans is read as an Arrow list. Every other array is read as JSON that
PostgreSQL makes of the elements' texts; Python converts it row by row.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from supavex.convex import limits
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import (
    Conversion,
    Guard,
    Misfit,
    Target,
    choose,
    converts,
    misfit,
    same_value,
)
from supavex.mapping.conversions.datetimes import micros
from supavex.mapping.conversions.json import documents, json_text, numbers_as_doubles
from supavex.mapping.conversions.literals import array_of_texts, array_text, vector_text
from supavex.mapping.conversions.objects import as_json, is_object
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule

ONE_DIMENSION = Guard(
    "(cardinality({c}) = 0 OR array_ndims({c}) = 1)",
    "NestedArray",
    "the array has more than one dimension",
    "Make the field v.array(v.array(…)) where its elements can go so, or give the column an sql expression.",
)
SHORT = Guard(
    f"cardinality({{c}}) <= {limits.MAX_ARRAY_LENGTH}",
    "ArrayTooLong",
    f"the array has more than {limits.MAX_ARRAY_LENGTH} elements",
    "Keep the elements in a table of their own.",
)
NO_NULLS = Guard(
    "array_position({c}, NULL) IS NULL",
    "NullElement",
    "an element of the array is NULL",
    "Use v.array(v.union(…, v.null())), or an sql expression such as array_remove(column, NULL).",
)
#: The same guard for elements of a domain, which may refuse NULL alone.
_NO_NULLS_OF_DOMAIN = replace(NO_NULLS, sql="NOT EXISTS (SELECT 1 FROM unnest({c}) AS e(x) WHERE e.x IS NULL)")
#: Renumbers an array from 1: Arrow refuses arrays that start at another index.
_FROM_ONE = "[:]"
_TEXTS = "to_jsonb({c}::text[])::text"
_JSON = "to_jsonb({c})::text"
_HINT = "Use v.array(v.string()), or v.any() with an sql expression such as to_jsonb(column)."


@converts("array")
def arrays(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """An array with converted elements. NULL elements need ``v.null()`` in the element's validator."""
    assert type_.element is not None
    nested = False
    leaf = target
    while not leaf.any and leaf.elements:
        nested = leaf is not target
        leaf = Target(leaf.elements[0])
    if leaf is target and not target.any:
        return misfit(type_, target, "v.array(…)")
    # For elements, "null" would make NULL elements of NaN.
    rule = replace(rule, nonfinite="refuse") if rule.nonfinite == "null" else rule
    if type_.element.base in ("json", "jsonb"):
        # An array of JSON is itself JSON.
        whole = documents(Type("jsonb", "jsonb"), target, rule)
        if isinstance(whole, Misfit):
            return whole
        # With invalid_json = "text", the kept text is jsonb's.
        return replace(whole, select=_JSON, restore=_json_elements(whole.restore, rule))
    if is_object(type_.element) and leaf.objects:
        return as_json(type_, target, rule)
    inner = choose(type_.element, leaf, rule)
    if isinstance(inner, Misfit):
        return Misfit(f"{type_.name} does not fit {target}: {inner.message}", inner.hint)
    if inner.kind == "json":
        return Misfit(f"{type_.name} does not fit {target}.", _HINT)
    no_nulls = NO_NULLS if type_.element.domain is None else _NO_NULLS_OF_DOMAIN
    if nested or target.any:
        made = _nested(type_.element, inner, leaf, no_nulls, checked=not target.any)
    else:
        made = _flat(inner, leaf, no_nulls)
    if type_.base in ("int2vector", "oidvector"):
        return replace(made, restore=vector_text)
    # Of PostgreSQL's types, only box has a delimiter other than the comma, because its text has commas.
    return replace(made, restore=array_text(inner.restore, ";" if type_.element.base == "box" else ","))


def _guards(inner: Conversion) -> tuple[Guard, ...]:
    """The guards of the elements, each as a guard of the whole array."""
    return tuple(
        replace(
            guard,
            sql="NOT EXISTS (SELECT 1 FROM unnest({c}) AS e(x) WHERE NOT coalesce("
            + guard.sql.replace("{c}", "e.x")
            + ", true))",
            message=f"of an element: {guard.message}",
        )
        for guard in inner.guards
    )


def _each(sql: str, type_: str) -> str:
    """An array of ``sql`` over each element of a one-dimensional array."""
    element = sql.replace("{c}", "e.x")
    every = f"SELECT array_agg({element} ORDER BY e.i) FROM unnest({{c}}) WITH ORDINALITY AS e(x, i)"
    return f"CASE WHEN {{c}} IS NOT NULL THEN coalesce(({every}), '{{}}'::{type_}[]) END"


def _flat(inner: Conversion, leaf: Target, no_nulls: Guard) -> Conversion:
    """An array of one dimension."""
    # array_position fails for several dimensions, so this guard is evaluated only if the dimension's guard holds.
    no_nulls = replace(no_nulls, sql=f"(CASE WHEN {ONE_DIMENSION.sql} THEN {no_nulls.sql} END)")
    guards = (ONE_DIMENSION, SHORT, *(() if leaf.null else (no_nulls,)), *_guards(inner))
    name = f"array of {inner.name}"
    if inner.kind == "boolean":
        return Conversion(name, "array", f"({{c}}){_FROM_ONE}", guards, json.loads, element=inner)
    if inner.kind == "string":
        plain = inner.select in ("{c}", "{c}::text")
        select = f"({{c}}::text[]){_FROM_ONE}" if plain else _each(f"({inner.select})", "text")
        return Conversion(name, "array", select, guards, _leaves(inner.parse), element=inner)
    if inner.kind == "number":
        holds = " AND ".join(guard.sql for guard in guards) or "true"
        plain = inner.select in ("{c}", "{c}::int8")
        select = (
            f"({{c}}{'::int8[]' if '::' in inner.select else ''}::float8[]){_FROM_ONE}"
            if plain
            else _each(f"({inner.select})::float8", "float8")
        )
        select = f"CASE WHEN {holds} THEN {select} END"
        return Conversion(
            name, "array", select, guards, _leaves(inner.parse), _values(inner.decode), inner,
            special=inner.special,
        )  # fmt: skip
    element = f"({inner.select})::text"
    if inner.kind == "micros":
        element = f"(extract(epoch FROM {inner.select}) * 1000000)::int8::text"
    made = f"to_jsonb({_each(element, 'text')})::text"
    select = f"CASE WHEN {' AND '.join(guard.sql for guard in guards)} THEN {made} END"
    return Conversion(
        name, "json", select, guards, _leaves(inner.parse), _values(inner.decode), inner,
        load=_leaves(_from_text(inner)), special=inner.special,
    )  # fmt: skip


def _nested(element: Type, inner: Conversion, leaf: Target, no_nulls: Guard, *, checked: bool) -> Conversion:
    """An array of any number of dimensions, from the array's text. ``checked``: by the field's validator."""
    name, guards = f"array of {inner.name}", _guards(inner)
    load = json.loads if checked else None
    if inner.kind == "boolean":
        return Conversion(name, "json", _JSON, guards, json.loads, element=inner, load=load)
    if inner.kind == "string" and inner.select in ("{c}", "{c}::text"):
        return Conversion(name, "json", _TEXTS, guards, json.loads, element=inner, load=load)
    if inner.kind == "string" and inner.parse is same_value:
        # The cast to text differs from the row's JSON.
        return Conversion(name, "json", "array_to_json({c})::text", guards, json.loads, element=inner, load=load)
    if inner.decode is not micros and element.base != "money":
        return Conversion(
            name, "json", _TEXTS, guards, _leaves(inner.parse), _values(inner.decode), inner,
            load=_leaves(_from_text(inner)), special=inner.special,
        )  # fmt: skip
    # SQL for single elements loses the dimensions, so only one dimension is supported here.
    return _flat(inner, leaf, no_nulls)


def _from_text(inner: Conversion) -> Callable[[str], Value]:
    """A function from an element's text to its value."""
    if inner.kind == "micros":
        return lambda text: float(text) if "infinity" in text else int(text) / 1000
    if inner.kind == "number":
        return lambda text: float(inner.parse(text))
    if inner.kind == "int64":
        return lambda text: int(inner.parse(text))
    return inner.parse


def _json_elements(whole: Callable[[Value], str | None], rule: ColumnRule) -> Callable[[Value], str | None]:
    """A function from an array of JSON of one dimension to PostgreSQL's text. null becomes NULL."""

    def restore(value: Value) -> str | None:
        if isinstance(value, str) and rule.invalid_json == "text":
            value = numbers_as_doubles(value)
        if value is None:
            return None
        if not isinstance(value, list):
            raise ValueError("it is not an array")
        # A string element is a string: "text" applies to the whole array only.
        each = json_text if rule.invalid_json == "text" else whole
        return array_of_texts([None if item is None else each(item) for item in value])

    return restore


def _leaves(function: Callable[[str], Value]) -> Callable[[str], Value]:
    """Applies ``function`` to the texts in the JSON text of nested arrays. NULL stays NULL."""
    apply = _values(function)
    return lambda text: apply(json.loads(text))


def _values(function: Callable[[Any], Value]) -> Callable[[Value], Value]:
    """Applies ``function`` to each leaf of nested lists."""

    def apply(value: Value) -> Value:
        if isinstance(value, list):
            return [apply(item) for item in value]
        return value if value is None else function(value)

    return apply
