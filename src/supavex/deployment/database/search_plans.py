"""Plans of text searches: words and filters, checked against Convex's limits.

Source: ``database/src/query/search_query.rs`` of convex-backend, from which the texts of errors come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supavex.convex.field_paths import trimmed
from supavex.deployment.database.filters import Expression, literal
from supavex.deployment.database.search_indexes import StoredSearch
from supavex.deployment.database.store import StoredTable
from supavex.deployment.database.tokens import (
    MAX_FILTERS,
    MAX_QUERY_WORDS,
    filter_key,
    words,
)
from supavex.errors import SupavexError


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The plan of a text search."""

    #: The table's name, as the query gave it.
    name: str
    #: The stored table.
    table: StoredTable
    #: The search index.
    index: StoredSearch
    #: The words to search for.
    words: tuple[str, ...]
    #: The required bytes of filter fields, by number.
    filters: tuple[tuple[int, bytes], ...]
    #: Filters, and limits as numbers, in order.
    operators: tuple[Expression | int, ...]
    #: A text that identifies the query in cursors.
    fingerprint: str
    #: The first key of the results' order, for pages.
    start: bytes = b""
    #: The key after the last result, for pages; None: no end.
    end: bytes | None = None
    #: False, because a search orders its documents by relevance.
    descending: bool = False


def plan_search(
    name: str, source: dict[str, Any], found: tuple[StoredTable, StoredSearch], operators: tuple[Expression | int, ...]
) -> SearchPlan:
    """The plan of a search of the index ``name`` (``table.index``). Raises Convex's errors for its filters."""
    table, index = found
    told: str | None = None
    filters: list[tuple[int, bytes]] = []
    if not any(part["type"] == "Search" for part in source["filters"]):
        message = f"Search query against {name} does not contain any search filters. You must include a search filter "
        raise SupavexError("MissingSearchFilterError", f'{message}like `q.search("field", searchText)`.')
    for part in source["filters"]:
        path = trimmed(part["fieldPath"])
        if part["type"] != "Search":
            if path not in index.definition.filters:
                message = f'Search query against {name} contains an equality filter on "{path}" but that field isn\'t '
                raise SupavexError("IncorrectFilterFieldError", f"{message}indexed for filtering in `filterFields`.")
            filters.append((index.definition.filters.index(path), filter_key(literal(part["value"]))))
            continue
        if path != index.definition.field:
            message = (
                f'Search query against {name} contains a search filter against "{path}", which doesn\'t match the '
            )
            raise SupavexError("IncorrectSearchField", f'{message}indexed `searchField` "{index.definition.field}".')
        if told is not None:
            twice = f'Search query against {name} contains multiple search filters against "{path}". Only one is '
            twice += "allowed."
            raise SupavexError("DuplicateSearchFiltersError", twice)
        told = part["value"]
    if len(filters) > MAX_FILTERS:
        many = f"Search query against {name} has too many filter conditions. Max: {MAX_FILTERS} Actual: {len(filters)}"
        raise SupavexError("TooManyFilterConditionsInSearchQueryError", many)
    wanted = tuple(words(str(told))[:MAX_QUERY_WORDS])
    fingerprint = repr((name, index.definition, wanted, filters))
    return SearchPlan(name.partition(".")[0], table, index, wanted, tuple(filters), operators, fingerprint)
