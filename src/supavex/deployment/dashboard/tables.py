"""The pages of tables, and of the documents of one table: paged by an index, filtered by one field."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from supavex.convex.order_keys import UNDEFINED
from supavex.convex.schema import TableDefinition
from supavex.convex.values import Document, to_internal_json
from supavex.deployment.dashboard.filters import OPERATORS, Filter, read_filter
from supavex.deployment.dashboard.pages import Asked
from supavex.deployment.dashboard.reading import Budget, Found, read
from supavex.deployment.dashboard.references import index_for, known_tables
from supavex.deployment.database.queries import IndexRange
from supavex.deployment.database.store import CREATION_INDEX, StoredIndex
from supavex.errors import SupavexError

_DEFAULT_ROWS, _MAX_ROWS = 25, 200
_MAX_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class TableRow:
    """A table in the list. ``count`` is None if counting would take too long."""

    name: str
    number: int
    count: int | None
    indexes: list[StoredIndex]
    in_schema: bool


@dataclass(frozen=True, slots=True)
class TablesPage:
    """All tables."""

    template: ClassVar[str] = "tables.html"
    section: ClassVar[str] = "tables"
    title: ClassVar[str] = "Tables"
    tables: list[TableRow]

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        return {
            "tables": [
                {
                    "name": table.name,
                    "number": table.number,
                    "documents": table.count,
                    "indexes": [_index_json(index) for index in table.indexes],
                    "inSchema": table.in_schema,
                }
                for table in self.tables
            ]
        }


def _index_json(index: StoredIndex) -> dict[str, Any]:
    return {"name": index.name, "fields": list(index.fields), "staged": index.staged}


def tables_page(asked: Asked, counting_seconds: float = 2.0) -> TablesPage:
    """Every table with its number, count and indexes. Counting ends after ``counting_seconds``."""
    deployment = asked.deployment
    schema = deployment.schema
    until = time.monotonic() + counting_seconds
    rows = []
    for name, table in deployment.store.tables().items():
        count = deployment.count(name) if time.monotonic() < until else None
        indexes = list(deployment.store.indexes(table).values())
        rows.append(TableRow(name, table.number, count, indexes, schema is not None and name in schema.tables))
    return TablesPage(rows)


@dataclass(frozen=True, slots=True)
class TablePage:
    """Some documents of a table, in the order of ``index``."""

    template: ClassVar[str] = "table.html"
    section: ClassVar[str] = "tables"
    #: The table's name.
    name: str
    #: The table's number, the first part of its documents' ids.
    number: int
    #: The documents of the table.
    count: int
    #: The indexes that the page may be ordered by.
    indexes: list[StoredIndex]
    #: The name of the index that gives the order.
    index: str
    #: ``asc`` or ``desc``.
    order: str
    #: The most documents on a page.
    limit: int
    #: The filter's field as it was typed; empty without a filter.
    field: str
    #: The value of the filter, as it was typed.
    text: str
    #: The filter's operator, one of :data:`OPERATORS`.
    operator: str
    #: Whether neither the schema nor a document of the page has the filter's field.
    no_such_field: bool
    #: The filter's value.
    value: Any
    #: Whether an index found the documents. Otherwise documents were tested one by one.
    through_index: bool
    #: The documents of the page.
    found: Found
    #: Whether the page begins after earlier documents.
    later: bool
    #: The fields that have a column on the page.
    columns: list[str]
    #: The number of fields without a column, because the page would be too wide.
    columns_left_out: int
    #: The fields that a filter can have.
    fields: list[str]
    #: The name of each table, by its number: links of ids need it.
    names: Mapping[int, str]

    @property
    def title(self) -> str:
        """The table's name."""
        return self.name

    def link(self, **changes: str) -> dict[str, str]:
        """The query parameters of this page with ``changes``, without empty ones."""
        now = {"index": self.index, "order": self.order, "limit": str(self.limit)}
        if self.field:
            now |= {"field": self.field, "op": self.operator, "value": self.text}
        return {name: text for name, text in {**now, **changes}.items() if text}

    @property
    def operators(self) -> dict[str, str]:
        """The operators of a filter."""
        return OPERATORS

    def sorting(self, column: str) -> dict[str, str] | None:
        """The query parameters that sort by ``column``; None if no index begins with it."""
        for index in self.indexes:
            if not index.staged and (*index.fields, "_creationTime")[0] == column:
                turned = "asc" if self.sorted_by == column and self.order == "desc" else "desc"
                return self.link(index=index.name, order=turned)
        return None

    @property
    def sorted_by(self) -> str:
        """The column that determines the order."""
        index = next((index for index in self.indexes if index.name == self.index), None)
        return "_creationTime" if index is None else (*index.fields, "_creationTime")[0]

    def to_json(self) -> dict[str, Any]:
        """The page as JSON; documents in Convex's internal JSON."""
        return {
            "table": self.name,
            "number": self.number,
            "count": self.count,
            "indexes": [_index_json(index) for index in self.indexes],
            "index": self.index,
            "order": self.order,
            "filter": {
                "field": self.field,
                "operator": self.operator,
                "value": self.text,
                "throughIndex": self.through_index,
                "noSuchField": self.no_such_field,
            }
            if self.field
            else None,
            "documents": [to_internal_json(document) for document in self.found.documents],
            "documentsRead": self.found.read,
            "stopped": self.found.stopped,
            "cursor": self.found.cursor,
        }


def table_page(asked: Asked) -> TablePage:
    """A page of a table's documents.

    Query parameters: ``index``, ``order`` (``asc``, ``desc``), ``limit``, ``cursor``, and ``field`` with ``value``.
    Raises ``TableNotFound``, ``IndexNotFoundError``, ``InvalidCursor`` and ``BadParameter``.
    """
    deployment, parameters = asked.deployment, asked.query
    name = asked.path["name"]
    query = deployment.query(name)
    schema = deployment.schema
    definition = None if schema is None else schema.tables.get(name)
    names = known_tables(deployment)
    index, order = parameters.get("index") or CREATION_INDEX, parameters.get("order") or "desc"
    if order not in ("asc", "desc"):
        raise SupavexError("BadParameter", f"the order is asc or desc, not {order[:40]!r}.")
    limit = asked.number("limit", _DEFAULT_ROWS, most=_MAX_ROWS)
    field, text = parameters.get("field", "").strip(), parameters.get("value", "")
    compared = parameters.get("op") or "eq"
    wanted = read_filter(field, text, definition, names, compared) if field else None
    ranged = wanted is not None and wanted.operator in ("eq", "lt", "lte", "gt", "gte")
    by_index = index_for(query, wanted.field, index) if wanted is not None and ranged else None
    if wanted is not None and by_index is not None:
        index = by_index
        query = query.with_index(index, lambda q: _range(q, wanted))
    else:
        query = query.with_index(index)
    keep = wanted.keeps if wanted is not None and by_index is None else None
    cursor = parameters.get("cursor") or None
    found = read(query.order("asc" if order == "asc" else "desc"), cursor, limit, Budget(), keep)
    columns = _columns(definition, found.documents)
    return TablePage(
        name=name,
        number=query.table.number,
        count=deployment.count(name),
        operator=compared,
        no_such_field=bool(field) and not _is_field(definition, field) and field.partition(".")[0] not in columns,
        indexes=list(deployment.store.indexes(query.table).values()),
        index=index,
        order=order,
        limit=limit,
        field=field,
        text=text,
        value=None if wanted is None else wanted.value,
        through_index=by_index is not None,
        found=found,
        later=cursor is not None,
        columns=columns[:_MAX_COLUMNS],
        columns_left_out=max(0, len(columns) - _MAX_COLUMNS),
        fields=[column for column in columns if column != "_id"],
        names=names,
    )


def _range(query: IndexRange, wanted: Filter) -> IndexRange:
    if wanted.operator in ("lt", "lte"):
        # Documents without the field come first in the index, but a filter does not find them.
        query = query.gt(wanted.field, UNDEFINED)
    bound = {"eq": query.eq, "lt": query.lt, "lte": query.lte, "gt": query.gt, "gte": query.gte}[wanted.operator]
    return bound(wanted.field, wanted.value)


def _is_field(definition: TableDefinition | None, field: str) -> bool:
    """Whether documents of a table may have the field, by the schema."""
    if field in ("_id", "_creationTime"):
        return True
    if definition is None or not definition.fields:
        return definition is not None  # Any document may have any field.
    return field.partition(".")[0] in definition.fields


def _columns(definition: TableDefinition | None, documents: list[Document]) -> list[str]:
    """The id, the schema's fields in order, further fields of the documents, the creation time."""
    declared = [] if definition is None else list(definition.fields)
    others = sorted({field for document in documents for field in document})
    fields = [field for field in dict.fromkeys([*declared, *others]) if not field.startswith("_")]
    return ["_id", *fields, "_creationTime"]
