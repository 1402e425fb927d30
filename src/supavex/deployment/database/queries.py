"""Reading documents: by index range, in Convex's order, as ``ctx.db.query`` does.

    deployment.query("ariPayments").with_index("by_status", lambda q: q.eq("status", "success")).order("desc").take(10)

Source: ``common/src/query.rs`` of convex-backend; Convex's documentation, "Reading Data".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from supavex.convex.damage import DamagedDocument, OnDamaged, refuse
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.order_keys import order_key, successor
from supavex.convex.values import Document, Value
from supavex.deployment.database.store import CREATION_INDEX, Store, StoredIndex, StoredTable, read_body
from supavex.errors import SupavexError

#: Every table's index by id, which is the order of the documents themselves.
BY_ID = StoredIndex("by_id", (), staged=False, entries=0)


@dataclass(slots=True)
class IndexRange:
    """The range of ``with_index``: equalities, then at most one lower and one upper bound on one field."""

    equal: dict[str, Value] = field(default_factory=dict)
    lower: tuple[str, Value, bool] | None = None
    upper: tuple[str, Value, bool] | None = None

    def eq(self, path: str, value: Value) -> IndexRange:
        """The field equals ``value`` (of the same type: 1.0 is not the int64 1)."""
        if path in self.equal:
            raise SupavexError("AlreadyDefinedBound", f"eq is given twice for {path}.")
        self.equal[path] = value
        return self

    def gt(self, path: str, value: Value) -> IndexRange:
        """The field comes after ``value``."""
        return self._lower(path, value, inclusive=False)

    def gte(self, path: str, value: Value) -> IndexRange:
        """The field is ``value`` or comes after it."""
        return self._lower(path, value, inclusive=True)

    def lt(self, path: str, value: Value) -> IndexRange:
        """The field comes before ``value``; a document without the field does."""
        return self._upper(path, value, inclusive=False)

    def lte(self, path: str, value: Value) -> IndexRange:
        """The field is ``value`` or comes before it; a document without the field does."""
        return self._upper(path, value, inclusive=True)

    def _lower(self, path: str, value: Value, *, inclusive: bool) -> IndexRange:
        if self.lower is not None:
            raise SupavexError("AlreadyDefinedBound", f"{self.lower[0]} has a lower bound already.")
        self.lower = (path, value, inclusive)
        return self

    def _upper(self, path: str, value: Value, *, inclusive: bool) -> IndexRange:
        if self.upper is not None:
            raise SupavexError("AlreadyDefinedBound", f"{self.upper[0]} has an upper bound already.")
        self.upper = (path, value, inclusive)
        return self

    def interval(self, index: str, fields: tuple[str, ...]) -> tuple[bytes, bytes | None]:
        """The keys ``start <= key < end`` of an index on ``fields`` (None: no end). Raises Convex's errors."""
        every = ["_id"] if index == BY_ID.name else [*fields, "_creationTime", "_id"]
        bounds = [bound[0] for bound in (self.lower, self.upper) if bound]
        named = [*self.equal, *bounds]
        if len(set(bounds)) > 1:
            raise SupavexError("BoundsOnMultipleFields", f"bounds on {bounds[0]} and on {bounds[1]}.")
        for path in bounds:
            if path in self.equal:
                raise SupavexError("AlreadyDefinedBound", f"{path} has an equality and a bound.")
        for path in named:
            if path not in every:
                raise SupavexError("FieldNotInIndex", f"the index {index} does not have the field {path}.")
        count = len(self.equal)
        bound = self.lower or self.upper
        if set(every[:count]) != self.equal.keys() or (bound and every[count : count + 1] != [bound[0]]):
            raise SupavexError(
                "InvalidIndexRange",
                f"the range on {', '.join(dict.fromkeys(named))} is none of the index {index} ({', '.join(every)}).",
                hint="Equalities on its first fields, then bounds on the next one.",
            )
        prefix = b"".join(order_key(self.equal[path]) for path in every[:count])
        start, end = prefix, successor(prefix)
        if self.lower:
            key = prefix + order_key(self.lower[1])
            start = key if self.lower[2] else successor(key) or key
        if self.upper:
            key = prefix + order_key(self.upper[1])
            end = successor(key) if self.upper[2] else key
        return start, end


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a query: its documents, whether it is the last, and the cursor of the next."""

    page: list[Document]
    is_done: bool
    continue_cursor: str


#: The cursor after the last page.
END = "_end_"


@dataclass(frozen=True, slots=True)
class Query:
    """A query of one table. Each method returns a new query. Iterating it reads the documents."""

    store: Store
    table: StoredTable
    index: StoredIndex
    range: IndexRange = field(default_factory=IndexRange)
    direction: Literal["asc", "desc"] = "asc"

    def with_index(self, name: str, build: Callable[[IndexRange], IndexRange] | None = None) -> Query:
        """Reads the index ``name``, in the range that ``build`` makes."""
        index = BY_ID if name == BY_ID.name else self.store.indexes(self.table).get(name)
        if index is None:
            raise SupavexError("IndexNotFoundError", f"{self.table.name} has no index {name}.")
        if index.staged:
            raise SupavexError(
                "IndexStagedError", f"the index {self.table.name}.{name} is staged: it can't be read yet."
            )
        range_ = IndexRange() if build is None else build(IndexRange())
        return replace(self, index=index, range=range_)

    def order(self, direction: Literal["asc", "desc"]) -> Query:
        """The order of the index, or its reverse."""
        return replace(self, direction=direction)

    def __iter__(self) -> Iterator[Document]:
        for _, document in self._keyed(None):
            yield document

    def _keyed(self, after: bytes | None, damaged: OnDamaged = refuse) -> Iterator[tuple[bytes, Document]]:
        """Index keys and documents after the key ``after``, in the query's order."""
        start, end = self.range.interval(self.index.name, self.index.fields)
        if self.index is BY_ID:
            yield from self._by_id(start, end, after, damaged)
            return
        conditions, values = ["e.key >= ?"], [start]
        if end is not None:
            conditions.append("e.key < ?")
            values.append(end)
        if after is not None:
            conditions.append(f"e.key {'>' if self.direction == 'asc' else '<'} ?")
            values.append(after)
        sql = (
            f"SELECT e.key, d.body, d.internal_id, d.row FROM entries_{self.index.entries} AS e "
            f"JOIN documents_{self.table.storage} AS d ON d.row = e.row "
            f"WHERE {' AND '.join(conditions)} ORDER BY e.key {self.direction}"
        )
        for key, body, internal_id, row in self.store.connection.execute(sql, values):
            try:
                document = read_body(body, self.table, internal_id, row)
            except DamagedDocument as error:
                damaged(error.damaged)
                continue
            yield key, document

    def _by_id(
        self, start: bytes, end: bytes | None, after: bytes | None, damaged: OnDamaged
    ) -> Iterator[tuple[bytes, Document]]:
        # Within a table, ids sort as their 16 bytes do.
        condition, values = "", list[bytes]()
        if "_id" in self.range.equal:
            condition, values = "WHERE internal_id = ?", [self._internal_id(self.range.equal["_id"])]
        source = f"documents_{self.table.storage} {condition} ORDER BY internal_id {self.direction}"
        sql = f"SELECT body, internal_id, row FROM {source}"
        for body, internal_id, row in self.store.connection.execute(sql, values):
            try:
                document = read_body(body, self.table, internal_id, row)
            except DamagedDocument as error:
                damaged(error.damaged)
                continue
            key = order_key(document["_id"])
            passed = after is None or (key > after if self.direction == "asc" else key < after)
            if key >= start and (end is None or key < end) and passed:
                yield key, document

    def _internal_id(self, id_: Value) -> bytes:
        """The 16 bytes of an id of this table; empty for other texts."""
        try:
            number, internal_id = decode_id(id_) if isinstance(id_, str) else (0, b"")
        except InvalidId:
            return b""
        return internal_id if number == self.table.number else b""

    def paginate(self, cursor: str | None, num_items: int, damaged: OnDamaged = refuse) -> Page:
        """The page of at most ``num_items`` documents after ``cursor`` (None: the first page).

        ``is_done`` is only true if the query is known to have no more documents. A page that ends with the last
        document is followed by an empty one. ``damaged`` is called with unreadable documents, which no page contains.
        Raises ``InvalidCursor`` for a cursor of another query.
        """
        if num_items < 1:
            raise SupavexError("NoDocumentsForPagination", "a page has at least one document.")
        if cursor == END:
            return Page([], True, END)
        page: list[Document] = []
        last = None if cursor is None else self._position(cursor)
        for key, document in self._keyed(last, damaged):
            page.append(document)
            last = key
            if len(page) == num_items:
                return Page(page, False, self._cursor(key))
        return Page(page, True, END)

    def _cursor(self, key: bytes) -> str:
        return base64.urlsafe_b64encode(self._fingerprint() + key).decode()

    def _position(self, cursor: str) -> bytes:
        try:
            data = base64.urlsafe_b64decode(cursor.encode())
        except ValueError:
            data = b""
        if data[:8] != self._fingerprint():
            raise SupavexError("InvalidCursor", "the cursor is of another query.")
        return data[8:]

    def _fingerprint(self) -> bytes:
        """Eight bytes that identify this query."""
        text = repr((self.table.name, self.index.name, self.index.fields, self.direction, self.range))
        return hashlib.sha256(text.encode()).digest()[:8]

    def collect(self) -> list[Document]:
        """All documents."""
        return list(self)

    def take(self, count: int) -> list[Document]:
        """The first ``count`` documents."""
        return [document for document, _ in zip(self, range(count), strict=False)]

    def unique(self) -> Document | None:
        """The only document, or None. Raises ``NotUnique`` if there are several."""
        found = self.take(2)
        if len(found) > 1:
            raise SupavexError("NotUnique", f"the query of {self.table.name} gives more than one document.")
        return found[0] if found else None

    def first(self) -> Document | None:
        """The first document, or None."""
        return next(iter(self), None)


def full_scan(store: Store, table: StoredTable) -> Query:
    """A query of the whole table, in the order of creation."""
    return Query(store, table, store.indexes(table)[CREATION_INDEX])
