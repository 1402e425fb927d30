"""Composite types and hstore: the object in the row's JSON, as PostgREST gives it to the app.

Arrays of them are arrays of objects. Their contents are in JSON's form, too: a time is its ISO 8601 text, an array an
array, a composite value inside another an object inside an object.
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
    """Whether the JSON of a value of ``type_`` is an object: the type is composite or the extension's hstore."""
    return type_.category == "c" or (type_.category == "b" and type_.base == "hstore")


@converts("composite", "hstore")
def objects(type_: Type, target: Target, rule: ColumnRule) -> Conversion | Misfit:
    """An object, or PostgreSQL's text of it in a string."""
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
    """A function from a value's JSON to PostgreSQL's text of ``type_``; None (NULL) for null."""
    if type_.base in ("int2vector", "oidvector"):
        return vector_text
    if type_.element is not None:
        # Of PostgreSQL's types, only box has a delimiter other than the comma, because its text has commas.
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
    """The text of an array of JSON of one dimension. An element that is an array is JSON, too."""
    if isinstance(value, list):
        value = [None if item is None else json_text(item) for item in value]
    return array_text(plain_text)(value)
