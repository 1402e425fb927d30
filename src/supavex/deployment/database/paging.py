"""Reads a query in batches, while a function iterates over it, or page by page.

The function gets fetched documents as they were at the fetch, even if it writes to them meanwhile. Only the documents
that reached the function count as read, not those fetched ahead. Source: ``database/src/query`` of convex-backend.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from supavex.convex.values import size
from supavex.deployment.database.filters import holds
from supavex.deployment.database.plans import QueryPlan
from supavex.deployment.database.search_plans import SearchPlan
from supavex.deployment.database.store import read_body
from supavex.deployment.database.text_search import Found, remember, search
from supavex.deployment.database.tokens import MAX_FOUND
from supavex.deployment.database.transaction import Row, Transaction
from supavex.deployment.database.usage import DENSEST, Limits
from supavex.errors import SupavexError

#: Rows in one fetch: Convex's DEFAULT_QUERY_PREFETCH. It determines which of its own writes a loop sees.
_FETCHED = 100
_MOST_FETCHED = 4096
#: The characters of JSON in one batch. Above it, the next fetch is not larger than the last.
_BATCH_CHARACTERS = 1 << 20
#: A page is to be split if it has used this share of its limits, or of SOFT_MAX_PAGE_LEN.
_NEAR = 0.75
_LONG_PAGE = int(8192 * _NEAR)


class _PageFull(Exception):
    """A page has read as much as it may."""


@dataclass(slots=True)
class OpenQuery:
    """A query that is being read. An output is a document for the reader, with the documents before it that filters
    reject.
    """

    #: The index range or the search to read.
    plan: QueryPlan | SearchPlan
    #: Whether each fetch is larger. For a function without writes, the time of a fetch makes no difference.
    growing: bool = False
    #: The key up to which rows have been fetched.
    fetched: bytes | None = None
    #: The key up to which the reader has received them.
    got: bytes | None = None
    #: The number of rows for the next fetch.
    hint: int = _FETCHED
    #: The most rows of a page; None: no limit.
    max_rows: int | None = None
    #: The most bytes of a page; None: no limit.
    max_bytes: int | None = None
    #: For each limit of the plan, the documents that it still allows.
    limits: list[int] = field(init=False)
    #: Fetched rows that have not been processed.
    page: deque[Row] = field(default_factory=deque)
    #: Whether the range has no more rows to fetch.
    exhausted: bool = False
    #: The results of a text search.
    found: list[Found] | None = None
    #: The number of these results that were fetched.
    taken: int = 0
    #: The outputs of the last batch.
    outputs: list[list[Row]] = field(default_factory=list)
    #: The number of these outputs that the reader is known to have received.
    known: int = 0
    #: Rows after the last output.
    tail: list[Row] = field(default_factory=list)
    #: The rows that the page has read.
    rows: int = 0
    #: The bytes that the page has read.
    weight: int = 0

    def __post_init__(self) -> None:
        self.limits = [op for op in self.plan.operators if isinstance(op, int)]

    @property
    def whole(self) -> bool:
        """Whether the whole range, with its end, has been processed."""
        return self.exhausted and not self.page and 0 not in self.limits

    def batch(self, transaction: Transaction) -> tuple[list[str], bool]:
        """The next documents as JSON, and whether they are the last. The documents before them count as read."""
        self.read(transaction, len(self.outputs), end=False)
        self.outputs, self.known = [], 0
        length = 0
        while length <= _BATCH_CHARACTERS:
            if self.outputs and not self.page and not self.exhausted and 0 not in self.limits:
                break  # Rows after this fetch are read when they are asked for.
            output = self.next(transaction)
            if output is None:
                return [output[-1].body for output in self.outputs], True
            self.outputs.append(output)
            length += len(output[-1].body)
        return [output[-1].body for output in self.outputs], False

    def next(self, transaction: Transaction) -> list[Row] | None:
        """The next output; None if there is none. Raises :class:`_PageFull` if the page has reached its limit."""
        while 0 not in self.limits:
            if self.max_bytes is not None and self.weight >= self.max_bytes:
                raise _PageFull
            if not self.page:
                if self.exhausted:
                    return None
                self._fetch(transaction)
                continue
            row = self.page.popleft()
            self.tail.append(row)
            if self.max_bytes is not None:
                self.weight += size(read_body(row.body))
            if _passes(self.plan, row, self.limits):
                output, self.tail = self.tail, []
                return output
        return None

    def _fetch(self, transaction: Transaction) -> None:
        if transaction.usage.read_rows + len(self.tail) > transaction.usage.limits.documents_read:
            transaction.usage.read([row.body for row in self.tail])
        filtered = len(self.limits) < len(self.plan.operators)
        wanted = _FETCHED if filtered and not self.growing else min(self.hint, _MOST_FETCHED)
        # Limits before the first filter count rows.
        inner = sum(1 for _ in takewhile(lambda operator: isinstance(operator, int), self.plan.operators))
        wanted = min([wanted, *self.limits[:inner]])
        if self.max_rows is not None:
            if self.rows >= self.max_rows:
                raise _PageFull
            wanted = min(wanted, self.max_rows - self.rows)
        if isinstance(self.plan, SearchPlan):
            rows, self.fetched = self._searched(transaction, self.plan, wanted)
        else:
            rows, self.fetched = transaction.fetch(self.plan, self.fetched, wanted)
        self.exhausted = self.fetched is None
        self.page.extend(rows)
        self.rows += len(rows)
        if self.growing and sum(len(row.body) for row in rows) <= _BATCH_CHARACTERS:
            self.hint = min(self.hint * 2, _MOST_FETCHED)

    def _searched(self, transaction: Transaction, plan: SearchPlan, count: int) -> tuple[list[Row], bytes | None]:
        """The next rows of a text search, in the form of :meth:`Transaction.fetch`. The search runs once, at the first
        fetch.
        """
        if self.found is None:
            self.found = [found for found in search(transaction, plan) if self.got is None or found.key > self.got]
        if self.taken == MAX_FOUND:
            message = f"Search query scanned too many documents (fetched {MAX_FOUND}). Consider using a smaller limit, "
            message += "paginating the query, or using a filter field to limit the number of documents pulled from the "
            raise SupavexError("SearchQueryScannedTooManyDocumentsError", f"{message}search index.")
        some = self.found[self.taken : self.taken + count]
        self.taken += len(some)
        bodies = [(found, transaction.body(plan.table, found.internal_id)) for found in some]
        rows = [Row(found.key, found.internal_id, body) for found, body in bodies if body is not None]
        ended = self.taken == len(self.found) < MAX_FOUND
        return rows, None if ended or not some else some[-1].key

    def read(self, transaction: Transaction, count: int, *, end: bool) -> None:
        """Records that the function received ``count`` documents of the last batch, and the end if ``end``, so that
        these count as read.
        """
        rows = [row for output in self.outputs[self.known : count] for row in output]
        self.known = max(self.known, count)
        if end:
            rows += self.tail
            self.tail = []
        if isinstance(self.plan, SearchPlan):
            if rows or end:
                remember(transaction, self.plan, rows)
        elif end and self.whole:
            _remember(transaction, self.plan, self.got, None)
        elif rows:
            _remember(transaction, self.plan, self.got, rows[-1].key)
        if rows:
            self.got = rows[-1].key
            transaction.usage.read([row.body for row in rows])


def _remember(transaction: Transaction, plan: QueryPlan, after: bytes | None, until: bytes | None) -> None:
    """Records that a plan's range was read after ``after``, up to and including ``until`` (None: to its end)."""
    if plan.table is None:
        return
    start, end = plan.start, plan.end
    if plan.descending:
        end = end if after is None else after
        start = start if until is None else until
    else:
        start = start if after is None else after + b"\x00"
        end = end if until is None else until + b"\x00"
    if end is None or start < end:
        transaction.read(plan.space, start, end)


def _passes(plan: QueryPlan | SearchPlan, row: Row, limits: list[int]) -> bool:
    document: Any = None
    at = 0
    for operator in plan.operators:
        if isinstance(operator, int):
            limits[at] -= 1
            at += 1
        else:
            document = read_body(row.body) if document is None else document
            if not holds(operator, document):
                return False
    return True


@dataclass(frozen=True, slots=True)
class PageWanted:
    """The arguments of ``paginate``. Cursors are opaque. ``end_cursor`` None: ``size`` decides."""

    cursor: str | None
    end_cursor: str | None
    size: int
    max_rows: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page: documents as JSON, and the cursor of the next page."""

    documents: list[str]
    cursor: str
    split_cursor: str | None
    status: str | None

    @property
    def done(self) -> bool:
        """Whether the page is the last."""
        return position_of(self.cursor) is None


def read_page(transaction: Transaction, plan: QueryPlan | SearchPlan, wanted: PageWanted) -> Page:
    """The page of ``plan`` after ``wanted.cursor``. Raises ``InvalidCursor`` for a cursor of another query."""
    mark = _fingerprint(plan)
    after = None if wanted.cursor is None else _checked(wanted.cursor, mark)
    if wanted.cursor is not None and after is None:
        return Page([], wanted.cursor, None, None)
    fixed = wanted.end_cursor is not None
    if wanted.end_cursor is not None:
        plan = _until(plan, _checked(wanted.end_cursor, mark))
    # A page with a fixed end is read to it without limits.
    max_rows, max_bytes = (None, None) if fixed else (wanted.max_rows, wanted.max_bytes)
    query = OpenQuery(plan, fetched=after, got=after, hint=wanted.size, max_rows=max_rows, max_bytes=max_bytes)
    documents: list[str] = []
    rows: list[Row] = []
    status: str | None = None
    output: list[Row] | None = []
    try:
        while output is not None and (fixed or len(documents) < wanted.size):
            query.hint = wanted.size if fixed else wanted.size - len(documents)
            output = query.next(transaction)
            if output is not None:
                documents.append(output[-1].body)
                rows += output
                transaction.usage.read([row.body for row in output])
    except _PageFull:
        status = "SplitRequired"
    rows += query.tail
    transaction.usage.read([row.body for row in query.tail])
    whole = output is None and query.whole
    last = rows[-1].key if rows else None
    if isinstance(plan, SearchPlan):
        remember(transaction, plan, rows)
    else:
        _remember(transaction, plan, after, None if whole or fixed else last)
    if status is None and (len(documents) > _LONG_PAGE or _near(query.rows, rows, wanted, transaction.usage.limits)):
        status = "SplitRecommended"
    cursor = wanted.end_cursor or _cursor(mark, None if whole else last)
    # Convex does not split searches, because that would not reduce their work.
    splits = len(rows) > 2 and not isinstance(plan, SearchPlan)
    middle = _cursor(mark, rows[len(rows) // 2].key) if splits else None
    return Page(documents, cursor, middle, status)


def _until(plan: QueryPlan | SearchPlan, key: bytes | None) -> QueryPlan | SearchPlan:
    """The part of a plan's range up to and including ``key``; None: all of it."""
    if key is None:
        return plan
    if plan.descending:
        return replace(plan, start=max(plan.start, key))
    end = key + b"\x00"
    return replace(plan, end=end if plan.end is None else min(plan.end, end))


def _near(fetched: int, rows: list[Row], wanted: PageWanted, limits: Limits) -> bool:
    """Whether a page comes near its limits, or those of a transaction."""
    most, weight = limits.documents_read, limits.bytes_read
    if fetched > int(min(wanted.max_rows or most, most) * _NEAR):
        return True
    limit = int(min(wanted.max_bytes or weight, weight) * _NEAR)
    if sum(len(row.body) for row in rows) * DENSEST <= limit:
        return False
    return sum(size(read_body(row.body)) for row in rows) > limit


def _fingerprint(plan: QueryPlan | SearchPlan) -> bytes:
    """Eight bytes that identify a query."""
    return hashlib.sha256(plan.fingerprint.encode()).digest()[:8]


def _cursor(mark: bytes, key: bytes | None) -> str:
    """The cursor after ``key``; None: at the end."""
    return base64.urlsafe_b64encode(mark + (b"\x00" if key is None else b"\x01" + key)).decode()


def position_of(cursor: str) -> bytes | None:
    """The key after which a cursor is; None at the end."""
    data = base64.urlsafe_b64decode(cursor.encode())
    return data[9:] if data[8:9] == b"\x01" else None


def _checked(cursor: str, mark: bytes) -> bytes | None:
    try:
        data = base64.urlsafe_b64decode(cursor.encode())
    except ValueError:
        data = b""
    if data[:8] != mark or data[8:9] not in (b"\x00", b"\x01"):
        raise InvalidCursor
    return position_of(cursor)


class InvalidCursor(SupavexError):
    """A cursor of another query. The error is Convex's, so that ``usePaginatedQuery`` begins again."""

    DATA = '{"isConvexSystemError":true,"paginationError":"InvalidCursor"}'

    def __init__(self) -> None:
        super().__init__(
            "InvalidCursor",
            "InvalidCursor: Tried to run a query starting from a cursor, but it looks like "
            "this cursor is from a different query.",
        )
