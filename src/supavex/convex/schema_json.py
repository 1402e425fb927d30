"""Reads Convex's schema JSON, which a deployment is given, into :class:`~supavex.convex.schema.Schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from supavex.convex import validators as kinds
from supavex.convex.schema import Index, Schema, SearchIndex, TableDefinition, VectorIndex
from supavex.convex.validators import Optional, Validator
from supavex.convex.values import InvalidValue, from_internal_json
from supavex.errors import SupavexError

_SCALARS: dict[str, Callable[[], Validator]] = {
    "null": kinds.Null,
    "number": kinds.Number,
    "bigint": kinds.Int64,
    "boolean": kinds.Boolean,
    "string": kinds.String,
    "bytes": kinds.Bytes,
    "any": kinds.AnyValue,
    # Convex reads these two, which clients no longer make, as any value.
    "map": kinds.AnyValue,
    "set": kinds.AnyValue,
    # A stored commit timestamp is an int64.
    "commitTs": kinds.Int64,
}


def schema_from_json(text: str) -> Schema:
    """The schema of ``text``, which has the form of ``schema.export()``.

    Raises :class:`~supavex.errors.SupavexError` if ``text`` is not such JSON.
    """
    try:
        data = json.loads(text)
        tables: dict[str, TableDefinition] = {}
        for table in _list(data["tables"]):
            name = _text(table["tableName"])
            if name in tables:
                raise ValueError(f"the table {name} appears twice")
            tables[name] = _table(table)
        return Schema(tables, bool(data.get("schemaValidation", False)))
    except RecursionError:
        raise SupavexError("InvalidSchemaExport", "not the JSON of a Convex schema: nested too deep.") from None
    except InvalidValue as error:
        raise SupavexError("InvalidSchemaExport", f"not the JSON of a Convex schema: {error.message}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SupavexError("InvalidSchemaExport", f"not the JSON of a Convex schema: {error!r}.") from None


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"expected a list, got {type(data).__name__}")
    return data


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise TypeError(f"expected a text, got {type(data).__name__}")
    return data


def _texts(data: Any) -> tuple[str, ...]:
    return tuple(map(_text, _list(data)))


def _dimensions(data: Any) -> int:
    """A whole number of 32 bits without a sign, as Convex reads it. The schema's own checks test its range."""
    if type(data) is not int or not 0 <= data < 1 << 32:
        raise TypeError(f"dimensions are a whole number, and not {data!r}")
    return data


def _table(data: dict[str, Any]) -> TableDefinition:
    document = data.get("documentType")
    table = TableDefinition(kinds.AnyValue() if document is None else validator_from_json(document))
    for key, staged in (("indexes", False), ("stagedDbIndexes", True)):
        for item in _list(data.get(key) or []):
            table.indexes.append(Index(_text(item["indexDescriptor"]), _texts(item["fields"]), staged))
    for key, staged in (("searchIndexes", False), ("stagedSearchIndexes", True)):
        for item in _list(data.get(key) or []):
            filters = _texts(item.get("filterFields") or [])
            table.search_indexes.append(SearchIndex(item["indexDescriptor"], item["searchField"], filters, staged))
    for key, staged in (("vectorIndexes", False), ("stagedVectorIndexes", True)):
        for item in _list(data.get(key) or []):
            filters = _texts(item.get("filterFields") or [])
            dimensions = _dimensions(item.get("dimensions", item.get("dimension")))
            index = VectorIndex(item["indexDescriptor"], item["vectorField"], dimensions, filters, staged)
            table.vector_indexes.append(index)
    return table


def validator_from_json(data: dict[str, Any]) -> Validator:
    """The validator of a parsed JSON."""
    kind = data["type"]
    if kind in _SCALARS:
        return _SCALARS[kind]()
    if kind == "id":
        return kinds.Id(table=_text(data["tableName"]))
    if kind == "literal":
        return kinds.Literal(value=from_internal_json(data["value"]))
    if kind == "array":
        return kinds.Array(element=validator_from_json(data["value"]))
    if kind == "record":
        return kinds.Record(keys=validator_from_json(data["keys"]), values=_field(data["values"]))
    if kind == "union":
        return kinds.Union(members=tuple(map(validator_from_json, _list(data["value"]))))
    if kind == "object":
        return kinds.Object(fields={name: _field(field) for name, field in data["value"].items()})
    raise ValueError(f"unknown validator type {kind!r}")


def _field(data: dict[str, Any]) -> Validator:
    inner = validator_from_json(data["fieldType"])
    return Optional(inner=inner) if data.get("optional") else inner
