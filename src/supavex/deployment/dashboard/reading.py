"""Reads documents for a page within a budget that does not depend on the size of the table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from supavex.convex.damage import Damaged
from supavex.convex.values import Document, size
from supavex.deployment.database.queries import Query

#: The budget of one page. It may be exceeded by one document, which has at most 1 MiB.
MAX_DOCUMENTS = 2000
MAX_BYTES = 8 << 20
MAX_SECONDS = 1.0


#: The field that replaces the fields of an unreadable document, with the reason.
DAMAGED = "(damaged)"


@dataclass(slots=True)
class Budget:
    """The rest of a page's budget."""

    documents: int = MAX_DOCUMENTS
    bytes: int = MAX_BYTES
    until: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def spend(self, document: Document) -> None:
        """Subtracts the cost of reading ``document``."""
        self.documents -= 1
        self.bytes -= size(document)

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.documents <= 0 or self.bytes <= 0 or time.monotonic() > self.until


@dataclass(frozen=True, slots=True)
class Found:
    """The found documents, the number of documents read, and the cursor for the rest (None: there are no more)."""

    documents: list[Document]
    read: int
    cursor: str | None
    #: Whether the budget ended the search, and not the end of the table or the wanted number.
    stopped: bool


def read(
    query: Query, cursor: str | None, wanted: int, budget: Budget, keep: Callable[[Document], bool] | None = None
) -> Found:
    """The first ``wanted`` documents of ``query`` after ``cursor`` for which ``keep`` is true."""
    documents: list[Document] = []
    count = 0

    def damaged(found: Damaged) -> None:
        nonlocal count
        count += 1
        # A filter never matches an unreadable document.
        if keep is None:
            documents.append({"_id": found.id or found.place, DAMAGED: found.problem})

    while True:
        # One at a time, so that the cursor is after the last document that was read.
        page = query.paginate(cursor, 1, damaged)
        for document in page.page:
            count += 1
            budget.spend(document)
            if keep is None or keep(document):
                documents.append(document)
        if page.is_done:
            return Found(documents, count, None, False)
        cursor = page.continue_cursor
        if len(documents) >= wanted or budget.spent:
            more = _more(query, cursor)
            return Found(documents, count, cursor if more else None, more and len(documents) < wanted)


def _more(query: Query, cursor: str) -> bool:
    """Whether a document, readable or not, comes after ``cursor``."""
    damaged: list[Damaged] = []
    return bool(query.paginate(cursor, 1, damaged.append).page or damaged)
