"""Composite types and hstore: the object that the row's JSON has, as PostgREST gave it to the app.

So do arrays of them. What is inside is as JSON has it, too: a moment is its text in ISO 8601, an array an array, a
composite type within another an object within the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from supavex.convex import validators as kinds
from supavex.convex.values import Value
from supavex.mapping.conversions.conversion import Conversion, Misfit, Target, converts, misfit, plain_text
from supavex.mapping.conversions.json import documents, json_text, numbers_as_doubles, unescape_keys
from supavex.mapping.conversions.literals import array_text, hstore_text, row_text, vector_text
from supavex.postgres.catalog import Type
from supavex.settings.rules import ColumnRule

_JSONB = Type("jsonb", "jsonb")


def is_object(type_: Type) -> bool:
    """Whether the JSON of a value of ``type_`` is an object: of a composite type, or of the extension hstore."""
    return type_.category == "c" or (type_.category == "b" and type_.base == "hstore")


@converts("composite", "hstore")
def objects(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """An object; or PostgreSQL's own text of it, in a string."""
    if target.objects:
        return as_json(type_, target, rule)
    if target.takes(kinds.String):
        return Conversion(f"{type_.base} as text", "string", "{c}::text")
    return misfit(type_, target, "v.object({…})", "v.any()", "v.string()")


def as_json(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """The JSON of a composite type, of hstore, or of an array of them."""
    whole = documents(_JSONB, target, rule)
    if isinstance(whole, Misfit):
        return whole
    return replace(
        whole,
        name=f"{type_.name} as {whole.name}",
        select="to_json({c})::text",
        load=whole.load or numbers_as_doubles,
        restore=_restored(type_, rule),
    )


def _restored(type_: Type, rule: ColumnRule) -> Callable[[Value], str | None]:
    text_of = text_of_json(type_)

    def restore(value: Value) -> str | None:
        if rule.invalid_json == "escape":
            value = unescape_keys(value)
        elif rule.invalid_json == "text" and isinstance(value, str):
            value = json.loads(value)
        return text_of(value)

    return restore


def text_of_json(type_: Type) -> Callable[[Value], str | None]:
    """PostgreSQL's text of a value of ``type_``, of what the JSON of a row says of it; None (NULL) for null."""
    if type_.base in ("int2vector", "oidvector"):
        return vector_text
    if type_.element is not None:
        # Of PostgreSQL's own types box alone has another delimiter, for its text holds commas.
        each, delimiter = text_of_json(type_.element), ";" if type_.element.base == "box" else ","
        if type_.element.base in ("json", "jsonb"):
            return _array_of_json
        return array_text(each, delimiter)
    made: Callable[[Value], str] = json_text
    if type_.category == "c":
        attributes = {attribute.name: text_of_json(attribute.type) for attribute in type_.attributes}
        made = partial(row_text, restore=attributes)
    elif is_object(type_):
        made = hstore_text
    elif type_.base not in ("json", "jsonb"):
        return plain_text
    return lambda value: None if value is None else made(value)


def _array_of_json(value: Value) -> str | None:
    """The text of an array of JSON, of one dimension: an array among its elements is JSON."""
    if isinstance(value, list):
        value = [None if item is None else json_text(item) for item in value]
    return array_text(plain_text)(value)
