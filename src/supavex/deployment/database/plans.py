"""Plans of queries, made from the JSON of ``convex/server``'s runtime.

Source: ``common/src/query.rs`` and ``database/src/query`` of convex-backend, from which the texts of errors come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from supavex.convex.order_keys import order_key, successor
from supavex.deployment.database.catalog import Catalog
from supavex.deployment.database.filters import Expression, expression, literal
from supavex.deployment.database.search_indexes import StoredSearch
from supavex.deployment.database.search_plans import SearchPlan, plan_search
from supavex.deployment.database.store import CREATION_INDEX, StoredIndex, StoredTable
from supavex.errors import SupavexError

_MORE = "For more information see https://docs.convex.dev/using/indexes."
_HELP = "See https://docs.convex.dev/using/indexes for more info."
_MAX_OPERATORS = 256
_SIGNS = {"Eq": "==", "Gt": ">", "Gte": ">=", "Lt": "<", "Lte": "<="}


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The plan of a query: a range of an index, in one direction, with filters and limits."""

    #: The table's name, as the query gave it.
    name: str
    #: None if there is no table of that ``name``. The query is then empty.
    table: StoredTable | None
    #: None for the order of ids.
    index: StoredIndex | None
    #: The first key of the range.
    start: bytes
    #: The key after the range; None: no end.
    end: bytes | None
    #: Whether the range is read from its end.
    descending: bool
    #: Filters, and limits as numbers, in order.
    operators: tuple[Expression | int, ...]
    #: A text that identifies the query in cursors.
    fingerprint: str

    @property
    def space(self) -> int:
        """The space of the plan's keys; see :mod:`~supavex.deployment.database.commits`."""
        assert self.table is not None
        return -self.table.storage if self.index is None else self.index.entries

    def of_new(self, table: StoredTable) -> QueryPlan:
        """The plan for a table that is about to be made: all of it, in the order of creation or of ids."""
        index = StoredIndex(CREATION_INDEX, (), staged=False, entries=_NO_ENTRIES)
        return replace(self, table=table, index=index)


#: The number of entries for an index that is not made yet.
_NO_ENTRIES = 1 << 41


def plan_query(query: Any, catalog: Catalog) -> QueryPlan | SearchPlan:
    """The plan of a query's JSON. Raises Convex's errors for missing indexes and invalid ranges."""
    try:
        source, operators = query["source"], query["operators"]
        kind = source["type"]
        name = source["tableName"] if kind == "FullTableScan" else source["indexName"].partition(".")[0]
        index_name = CREATION_INDEX if kind == "FullTableScan" else source["indexName"].partition(".")[2]
        range_ = source.get("range") or []
        descending = source.get("order") == "desc"
        steps = tuple(_operator(operator) for operator in operators)
    except (KeyError, TypeError, AttributeError) as error:
        raise SupavexError("InvalidArgument", f"Invalid argument `query` for `queryStream`: {error!r}") from None
    if len(steps) > _MAX_OPERATORS:
        raise SupavexError("TooManyOperators", f"A query has at most {_MAX_OPERATORS} operators.")
    table = catalog.readable(name)
    if kind == "Search":
        return plan_search(f"{name}.{index_name}", source, _search_index(catalog, table, name, index_name), steps)
    fingerprint = repr((name, index_name, range_, descending, operators))
    if table is None:
        if kind != "FullTableScan" and index_name not in ("by_id", CREATION_INDEX):
            raise no_index(name, index_name)
        return QueryPlan(name, None, None, b"", None, descending, steps, fingerprint)
    if index_name == "by_id":
        start, end = _by_id(catalog, table, range_)
        return QueryPlan(name, table, None, start, end, descending, steps, fingerprint)
    index = catalog.indexes(table).get(index_name)
    if index is None and index_name in catalog.searches(table):
        raise SupavexError("IndexNotADatabaseIndex", f"Index {name}.{index_name} is not a database index")
    if index is None:
        raise no_index(name, index_name)
    check_enabled(index, f"{name}.{index_name}")
    start, end = interval(f"{name}.{index_name}", index.fields, range_)
    return QueryPlan(name, table, index, start, end, descending, steps, fingerprint + repr(index.fields))


def _operator(data: dict[str, Any]) -> Expression | int:
    if "limit" in data:
        return int(data["limit"])
    return expression(data["filter"])


def _search_index(
    catalog: Catalog, table: StoredTable | None, name: str, index_name: str
) -> tuple[StoredTable, StoredSearch]:
    """A table and its text index. Raises Convex's errors if either is missing."""
    index = None if table is None else catalog.searches(table).get(index_name)
    if table is None or index is None:
        if table is not None and index_name in catalog.indexes(table):
            raise SupavexError("IndexNotASearchIndexError", f"Index {name}.{index_name} is not a search index")
        raise no_index(name, index_name)
    check_enabled(index, f"{name}.{index_name}")
    if index.definition.kind != "text":
        raise SupavexError("IndexNotASearchIndexError", f"Index {name}.{index_name} is not a search index")
    return table, index


def check_enabled(index: StoredIndex | StoredSearch, name: str) -> None:
    """Raises if an index is staged."""
    if index.staged:
        message = f"Index {name} is currently staged and not available to query until it is enabled."
        raise SupavexError("IndexStagedError", message)


def no_index(table: str, index: str) -> SupavexError:
    """The error for a missing index."""
    return SupavexError("IndexNotFoundError", f"Index {table}.{index} not found.")


def _bounds(name: str, fields: Sequence[str], range_: list[dict[str, Any]]) -> tuple[dict[str, bytes], Any, Any]:
    """The equalities, the lower and the upper bound (path, key, inclusive) of a range's expressions."""
    equal: dict[str, bytes] = {}
    lower: tuple[str, bytes, bool] | None = None
    upper: tuple[str, bytes, bool] | None = None
    for part in range_:
        kind, path, value = part["type"], part["fieldPath"], literal(part["value"])
        key = order_key(value)
        if path not in fields:
            listed = ", ".join(f'"{field}"' for field in fields)
            message = f'The index range included a comparison with "{path}", but {name} with fields [{listed}] '
            raise SupavexError("FieldNotInIndex", f"{message}doesn't index this field. {_MORE}")
        what = {"Eq": "equality", "Gt": "lower", "Gte": "lower"}.get(kind, "upper")
        taken = path in equal if kind == "Eq" else (lower if what == "lower" else upper) is not None
        if taken:
            message = f'Already defined {what} bound in index range. Can\'t add "{path}" {_SIGNS[kind]} '
            raise SupavexError("AlreadyDefinedBound", f"{message}{value!r}.")
        if kind == "Eq":
            equal[path] = key
        elif what == "lower":
            lower = (path, key, kind == "Gte")
        else:
            upper = (path, key, kind == "Lte")
    if lower and upper and lower[0] != upper[0]:
        message = "Upper and lower bounds in `range` can only be applied to a single index field. This query against "
        message += f'index {name} attempted to set a range bound on both "{lower[0]}" and "{upper[0]}". Consider using '
        raise SupavexError("BoundsOnMultipleFields", f"{message}`filter` instead. {_HELP}")
    return equal, lower, upper


def interval(name: str, fields: Sequence[str], range_: list[dict[str, Any]]) -> tuple[bytes, bytes | None]:
    """The keys ``start <= key < end`` of an index on ``fields``."""
    every = [*fields, "_creationTime", "_id"]
    equal, lower, upper = _bounds(name, every, range_)
    bound = lower or upper
    wanted = every[: len(equal)]
    odd = next((path for path in wanted if path not in equal), None)
    if odd is None and bound is not None and (bound[0] in equal or every[len(equal)] != bound[0]):
        odd = bound[0]
    if odd is not None:
        named = [*equal, *([bound[0]] if bound else [])]
        message = f"Tried to query index {name} but the query didn't use the index fields in order.\n"
        message += f"Index fields: [{', '.join(fields)}]\nQuery fields: [{', '.join(named)}]\n"
        raise SupavexError("InvalidIndexRange", f"{message}First incorrect field: {odd}\n{_MORE}")
    prefix = b"".join(equal[path] for path in wanted)
    start, end = prefix, successor(prefix)
    if lower:
        key = prefix + lower[1]
        start = key if lower[2] else successor(key) or key
    if upper:
        key = prefix + upper[1]
        end = successor(key) if upper[2] else key
    return start, end


def _by_id(catalog: Catalog, table: StoredTable, range_: list[dict[str, Any]]) -> tuple[bytes, bytes | None]:
    """The internal ids of a range of ``by_id``. Within a table, ids sort as their bytes do."""
    equal, lower, upper = _bounds(f"{table.name}.by_id", ["_id"], range_)
    given = [part["value"] for part in range_]
    keys = [catalog.internal_id(table, text) for text in given]
    if any(key is None for key in keys):
        return b"", b""  # It is not an id of this table.
    by_key = {order_key(literal(text)): key for text, key in zip(given, keys, strict=True)}
    start, end = b"", None
    if equal:
        start = by_key[equal["_id"]] or b""
        end = start + b"\x00"
    if lower:
        start = (by_key[lower[1]] or b"") + (b"" if lower[2] else b"\x00")
    if upper:
        end = (by_key[upper[1]] or b"") + (b"\x00" if upper[2] else b"")
    return start, end
