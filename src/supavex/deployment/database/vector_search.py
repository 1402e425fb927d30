"""Vector search, as ``ctx.vectorSearch`` of actions requests it: the nearest by cosine, comparing all vectors.

Source: ``vector/src/{query,qdrant_index}.rs`` of convex-backend, from which the texts of errors come. Convex compares
float32, and approximates if there are many vectors. Here the results are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supavex.convex.field_paths import trimmed
from supavex.convex.ids import encode_id
from supavex.convex.limits import MAX_VECTOR_DIMENSIONS
from supavex.convex.order_keys import UNDEFINED
from supavex.deployment.database.engine import Snapshot
from supavex.deployment.database.filters import literal
from supavex.deployment.database.plans import check_enabled, no_index
from supavex.deployment.database.search_indexes import StoredSearch, unit
from supavex.deployment.database.tokens import filter_key
from supavex.errors import SupavexError, missing_extra

_DEFAULT_LIMIT, _MAX_LIMIT, _MAX_CONDITIONS = 10, 256, 64
#: Bytes of vectors that are compared at once.
_BLOCK_BYTES = 8 << 20
_FILTERS = "Filters should be a combination of `q.eq` and `q.or`."
_EQ = "`q.eq` must take a field path as its first argument and a value as its second"


@dataclass(frozen=True, slots=True)
class Near:
    """A document that was found: its id, and the cosine between its vector and the query's."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class VectorQuery:
    """A vector search. ``index``: ``table.index``. ``conditions``: by field, the bytes of the allowed values."""

    index: str
    vector: list[float]
    limit: int
    conditions: dict[str, set[bytes]]

    @classmethod
    def parsed(cls, query: dict[str, Any]) -> VectorQuery:
        """The search of a query's JSON. Raises Convex's errors, and Python's for JSON of another form."""
        vector, limit = _vector(query["vector"]), _limit(query.get("limit"))
        return cls(str(query["indexName"]), vector, limit, _conditions(query.get("expressions")))


def vector_search(snapshot: Snapshot, query: VectorQuery) -> list[Near]:
    """The nearest documents, the nearest first. Raises Convex's errors."""
    name, vector, limit, conditions = query.index, query.vector, query.limit, query.conditions
    table_name, _, index_name = name.partition(".")
    table = snapshot.catalog.tables.get(table_name)
    if table is None:
        return []
    index = snapshot.catalog.searches(table).get(index_name)
    if index is None and index_name not in snapshot.catalog.indexes(table):
        raise no_index(table_name, index_name)
    if index is not None:
        check_enabled(index, name)
    if index is None or index.definition.kind != "vector":
        raise SupavexError("IndexNotAVectorIndexError", f"Index {name} is not a vector index")
    _check(name, index, vector, limit, conditions)
    if not limit:
        return []
    found = _nearest(snapshot, index, vector, (limit, conditions))
    return [Near(encode_id(table.number, internal_id), score) for score, internal_id in found]


def _vector(data: Any) -> list[float]:
    if not isinstance(data, list) or not all(type(item) in (int, float) for item in data):
        raise SupavexError(
            "InvalidArgument", "Invalid argument `vector` for `vectorSearch`: it is an array of numbers."
        )
    return [float(item) for item in data]


def _limit(data: Any) -> int:
    if data is None:
        return _DEFAULT_LIMIT
    if type(data) not in (int, float) or data != int(data) or not 0 <= data < 1 << 32:
        raise SupavexError(
            "InvalidArgument", f"Invalid argument `limit` for `vectorSearch`: {data} is not a whole number."
        )
    return int(data)


def _conditions(data: Any) -> dict[str, set[bytes]]:
    """By field, the bytes of the allowed values. A document needs an allowed value in any one of the fields."""
    if data is None:
        return {}
    if not isinstance(data, dict) or len(data) != 1 or next(iter(data)) not in ("$eq", "$or"):
        raise SupavexError("InvalidVectorSearchFilter", _FILTERS)
    ((operator, operand),) = data.items()
    found: dict[str, set[bytes]] = {}
    if operator == "$or":
        for part in operand:
            for path, values in _conditions(part).items():
                found.setdefault(path, set()).update(values)
        return found
    left, right = operand
    if not isinstance(left, dict) or list(left) != ["$field"] or not _is_literal(right):
        raise SupavexError("InvalidVectorSearchFilter", _EQ)
    value = literal(right["$literal"] if isinstance(right, dict) and "$literal" in right else right)
    return {trimmed(str(left["$field"])): {filter_key(UNDEFINED if value is UNDEFINED else value)}}


def _is_literal(data: Any) -> bool:
    return not (isinstance(data, dict) and len(data) == 1 and next(iter(data)).startswith("$")) or "$literal" in data


def _check(name: str, index: StoredSearch, vector: list[float], limit: int, conditions: dict[str, set[bytes]]) -> None:
    """Raises Convex's errors, in its order."""
    if len(vector) > MAX_VECTOR_DIMENSIONS:
        raise _mismatch(len(vector), MAX_VECTOR_DIMENSIONS)
    if limit > _MAX_LIMIT:
        message = f"Vector queries can fetch at most {_MAX_LIMIT} results, requested {limit}."
        raise SupavexError("VectorLimitTooLargeError", message)
    for path in conditions:
        if path not in index.definition.filters:
            message = f'Vector query against {name} contains a filter on "{path}" but that field isn\'t indexed for '
            raise SupavexError("IncorrectVectorFilterField", f"{message}filtering in `filterFields`.")
    count = sum(map(len, conditions.values()))
    if count > _MAX_CONDITIONS:
        message = f"Vector query against {name} has too many conditions. Max: {_MAX_CONDITIONS} Actual: {count}"
        raise SupavexError("TooManyElementsInVectorQueryError", message)
    if len(vector) != index.definition.dimensions:
        raise _mismatch(len(vector), index.definition.dimensions)


def _mismatch(found: int, expected: int) -> SupavexError:
    message = f"Expected a vector with dimensions {expected}, received {found}."
    return SupavexError("VectorDimensionsMismatch", message)


def _nearest(
    snapshot: Snapshot, index: StoredSearch, vector: list[float], how: tuple[int, dict[str, set[bytes]]]
) -> list[tuple[float, bytes]]:
    """The best scores with their 16 bytes, the best first. ``how``: the number of results, and the conditions."""
    try:
        import numpy as np
    except ImportError:
        raise missing_extra("numpy", "serve", "vector search") from None
    limit, conditions = how
    fields = [(index.definition.filters.index(path), value) for path, values in conditions.items() for value in values]
    either = " OR ".join(f"f{number} = ?" for number, _ in fields)
    sql = f"SELECT internal_id, vector FROM found_{index.entries}" + (f" WHERE {either}" if either else "")
    rows = snapshot.connection.execute(sql, [value for _, value in fields])
    wanted = np.frombuffer(unit(vector), "<f4")
    best: list[tuple[float, bytes]] = []
    while block := rows.fetchmany(max(1, _BLOCK_BYTES // (4 * len(vector)))):
        stored = np.frombuffer(b"".join(row[1] for row in block), "<f4").reshape(len(block), len(vector))
        scores = stored @ wanted
        some = range(len(block)) if len(block) <= limit else np.argpartition(-scores, limit - 1)[:limit]
        worst = min((float(scores[at]) for at in some), default=0.0)
        # Includes all documents that tie with the last, among which the ids decide.
        kept = [at for at in range(len(block)) if scores[at] >= worst] if len(block) > limit else some
        best = sorted(best + [(float(scores[at]), bytes(block[at][0])) for at in kept], reverse=True)[:limit]
    # Printed as float32, because further digits of a float64 would be wrong.
    return [(float(str(np.float32(score))), internal_id) for score, internal_id in best]
