"""Values that fit the validators of an app that nobody here has written: as few as can be, all of them made up."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any

from supavex.convex.ids import encode_id
from supavex.deployment.database.catalog import SYSTEM_NUMBERS

#: What `convex function-spec` and a schema's export say of a type: Convex's own JSON.
ValidatorJson = Mapping[str, Any]
#: Documents per table, made up: one, so that `unique()` finds it.
WHICH = (1).to_bytes(16, "big")


def id_in(table: str, numbers: Mapping[str, int]) -> str:
    """The id of the table's one made-up document; of a table that nobody knows, an id that no table has."""
    return encode_id(numbers.get(table) or SYSTEM_NUMBERS.get(table) or 9_999, WHICH)


def made(validator: ValidatorJson, numbers: Mapping[str, int]) -> Any:
    """A value that fits, as Convex's encoded JSON. ``numbers``: of tables, by name."""
    kind = validator["type"]
    if kind == "object":
        return fields_of(validator, numbers)
    if kind == "array":
        return [made(validator["value"], numbers)]
    if kind == "union":
        options = validator["value"]
        empty = any(option["type"] == "null" for option in options)
        return None if empty or not options else made(options[0], numbers)
    if kind == "id":
        return id_in(validator["tableName"], numbers)
    if kind == "literal":
        return validator["value"]
    plain = {"null": None, "number": 1.0, "boolean": True, "string": "text", "record": {}, "any": "text"}
    if kind in plain:
        return plain[kind]
    if kind == "bigint":
        return {"$integer": base64.b64encode(struct.pack("<q", 1)).decode()}
    if kind == "bytes":
        return {"$bytes": base64.b64encode(b"bytes").decode()}
    raise ValueError(f"no value of the type {kind} can be made up")


def fields_of(validator: ValidatorJson, numbers: Mapping[str, int]) -> dict[str, Any]:
    """The fields of an object that must be there."""
    fields = validator["value"].items()
    return {name: made(field["fieldType"], numbers) for name, field in fields if not field["optional"]}


def document(validator: ValidatorJson, numbers: Mapping[str, int]) -> dict[str, Any] | None:
    """A document that fits a table's type; None where the type is none of objects."""
    if validator["type"] == "union":
        validator = next((option for option in validator["value"] if option["type"] == "object"), validator)
    return (
        fields_of(validator, numbers) if validator["type"] == "object" else {} if validator["type"] == "any" else None
    )
