"""Reading a query: in batches as a function iterates over it, or page by page.

What a function has read is what reached it, and not what was read ahead for it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from supavex.convex.values import size
from supavex.deployment.functions.filters import holds
from supavex.deployment.functions.plans import QueryPlan
from supavex.deployment.functions.transaction import (
    MAX_READ_BYTES,
    MAX_READ_ROWS,
    Row,
    Transaction,
)
from supavex.deployment.store import read_body
from supavex.errors import SupavexError

_BATCH = 128
_BATCH_BYTES = 1 << 20
#: A longer page, or one that comes near the limits, is to be split; Convex's SOFT_MAX_PAGE_LEN.
_LONG_PAGE = 5000
_NEAR = 0.75
END = "_end_"


@dataclass(slots=True)
class Position:
    """How far a query has come: the last key, and how many documents each of its limits lets pass yet."""

    after: bytes | None
    limits: tuple[int, ...]


@dataclass(slots=True)
class Output:
    """A document that a query gives, where it stands then, and what was read to get there."""

    row: Row
    position: Position
    read: list[str]


@dataclass(slots=True)
class OpenQuery:
    """A query that a function iterates over."""

    plan: QueryPlan
    position: Position
    outputs: list[Output] = field(default_factory=list)
    #: Documents read behind the last output.
    tail: list[str] = field(default_factory=list)
    ended: bool = False
    #: Whether the end is that of the range, and not of a limit.
    exhausted: bool = False

    @classmethod
    def of(cls, plan: QueryPlan) -> OpenQuery:
        """A query that begins."""
        return cls(plan, Position(None, tuple(op for op in plan.operators if isinstance(op, int))))

    def batch(self, transaction: Transaction) -> tuple[list[str], bool]:
        """The next documents as JSON, and whether no more come behind them. What came before has been read."""
        self.read(transaction, len(self.outputs), end=False)
        self.outputs, self.tail = [], []
        length = 0
        for output in _outputs(self, transaction):
            self.outputs.append(output)
            length += len(output.row.body)
            if len(self.outputs) == _BATCH or length > _BATCH_BYTES:
                break
        else:
            self.ended = True
        return [output.row.body for output in self.outputs], self.ended

    def read(self, transaction: Transaction, count: int, *, end: bool) -> None:
        """The function has got ``count`` documents of the last batch, and the end if ``end``: that much it has read.

        What is left of the batch is thrown away.
        """
        got = self.outputs[:count]
        bodies = [body for output in got for body in output.read]
        if end and self.exhausted:
            _remember(transaction, self.plan, self.position.after, None)
            bodies += self.tail
            self.tail = []
        elif got:
            _remember(transaction, self.plan, self.position.after, got[-1].position.after)
        if bodies:
            transaction.usage.read(bodies)
        if count < len(self.outputs) or not end:
            self.ended = self.exhausted = False
        if got:
            self.position = got[-1].position
        self.outputs = []


def _remember(transaction: Transaction, plan: QueryPlan, after: bytes | None, until: bytes | None) -> None:
    """Remembers that a plan's range was read behind ``after``, up to and with ``until`` (None: to its end)."""
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


def _outputs(query: OpenQuery, transaction: Transaction) -> Iterator[Output]:
    """What a query gives from its position on; sets ``exhausted`` where the range ends."""
    plan, limits, after = query.plan, list(query.position.limits), query.position.after
    read: list[str] = []
    count = _BATCH
    while True:
        if 0 in limits:
            return
        wanted = min([count, *limits]) if len(limits) == len(plan.operators) and limits else count
        rows = transaction.rows(plan, after, wanted)
        for row in rows:
            if 0 in limits:
                return
            after = row.key
            read.append(row.body)
            if _passes(plan, row, limits):
                yield Output(row, Position(row.key, tuple(limits)), read)
                read = []
        if len(rows) < wanted:
            query.exhausted, query.tail = True, read
            return
        count = min(count * 2, 4096)


def _passes(plan: QueryPlan, row: Row, limits: list[int]) -> bool:
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
    """What ``paginate`` asks for. Cursors are opaque; ``end_cursor`` None: as many as ``size`` says."""

    cursor: str | None
    end_cursor: str | None
    size: int
    max_rows: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page: documents as JSON, and where the next one begins."""

    documents: list[str]
    cursor: str
    split_cursor: str | None
    status: str | None

    @property
    def done(self) -> bool:
        """Whether nothing comes behind it."""
        return position_of(self.cursor) is None


def read_page(transaction: Transaction, plan: QueryPlan, wanted: PageWanted) -> Page:
    """The page of ``plan`` behind ``wanted.cursor``. Raises ``InvalidCursor`` for one of another query."""
    mark = _fingerprint(plan)
    after = None if wanted.cursor is None else _checked(wanted.cursor, mark)
    if wanted.cursor is not None and after is None:
        return Page([], wanted.cursor, None, None)
    until = None if wanted.end_cursor is None else _checked(wanted.end_cursor, mark)
    fixed = wanted.end_cursor is not None
    limits = tuple(op for op in plan.operators if isinstance(op, int))
    query = OpenQuery(plan, Position(after, limits))
    documents: list[str] = []
    keys: list[bytes] = []
    rows = weight = 0
    status: str | None = None
    last: bytes | None = None
    stopped = False
    for output in _outputs(query, transaction):
        key = output.row.key
        if fixed and until is not None and (key < until if plan.descending else key > until):
            stopped = True
            break
        rows += len(output.read)
        weight += sum(map(len, output.read))
        transaction.usage.read(output.read)
        documents.append(output.row.body)
        keys.append(key)
        last = key
        near = rows > MAX_READ_ROWS * _NEAR or weight > MAX_READ_BYTES * _NEAR
        full = (wanted.max_rows is not None and rows >= wanted.max_rows) or (
            wanted.max_bytes is not None and sum(size(read_body(b)) for b in documents) >= wanted.max_bytes
        )
        if not fixed and (len(documents) >= wanted.size or near or full):
            stopped = True
            status = "SplitRequired" if near else None
            break
    if fixed:
        cursor = wanted.end_cursor or ""
        _remember(transaction, plan, after, until)
    elif stopped and last is not None:
        cursor = _cursor(mark, last)
        _remember(transaction, plan, after, last)
    else:
        cursor = _cursor(mark, None)
        transaction.usage.read(query.tail)
        _remember(transaction, plan, after, None)
    if status is None and len(documents) > _LONG_PAGE:
        status = "SplitRecommended"
    middle = keys[(len(keys) - 1) // 2] if len(keys) > 1 else None
    return Page(documents, cursor, None if middle is None else _cursor(mark, middle), status)


def _fingerprint(plan: QueryPlan) -> bytes:
    """Eight bytes that tell a query from others."""
    return hashlib.sha256(plan.fingerprint.encode()).digest()[:8]


def _cursor(mark: bytes, key: bytes | None) -> str:
    """A cursor behind ``key``; None: behind everything."""
    return base64.urlsafe_b64encode(mark + (b"\x00" if key is None else b"\x01" + key)).decode()


def position_of(cursor: str) -> bytes | None:
    """The key that a cursor stands behind; None at the end."""
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
    """A cursor of another query: told as Convex does, so that ``usePaginatedQuery`` begins anew."""

    DATA = '{"isConvexSystemError":true,"paginationError":"InvalidCursor"}'

    def __init__(self) -> None:
        super().__init__(
            "InvalidCursor",
            "InvalidCursor: Tried to run a query starting from a cursor, but it looks like "
            "this cursor is from a different query.",
        )
