"""Reading documents for a page: never more than a page may cost, however large the table is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from supavex.convex.damage import Damaged
from supavex.convex.values import Document, size
from supavex.deployment.database.queries import Query

#: What one page may read. A document has at most one MiB, so that the last one does little harm.
MAX_DOCUMENTS = 2000
MAX_BYTES = 8 << 20
MAX_SECONDS = 1.0


#: The field that stands for those of a document that can't be read: why it can't.
DAMAGED = "(damaged)"


@dataclass(slots=True)
class Budget:
    """What is left of what a page may read."""

    documents: int = MAX_DOCUMENTS
    bytes: int = MAX_BYTES
    until: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def spend(self, document: Document) -> None:
        """Takes off what reading ``document`` has cost."""
        self.documents -= 1
        self.bytes -= size(document)

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.documents <= 0 or self.bytes <= 0 or time.monotonic() > self.until


@dataclass(frozen=True, slots=True)
class Found:
    """Documents that were found, how many were read for them, and where reading goes on (None: there are no more)."""

    documents: list[Document]
    read: int
    cursor: str | None
    #: Whether the budget ended it, not the end of the table or the wanted number.
    stopped: bool


def read(
    query: Query, cursor: str | None, wanted: int, budget: Budget, keep: Callable[[Document], bool] | None = None
) -> Found:
    """The first ``wanted`` documents of ``query`` after ``cursor`` that ``keep`` is true of."""
    documents: list[Document] = []
    count = 0

    def damaged(found: Damaged) -> None:
        nonlocal count
        count += 1
        # A filter keeps no document that it can't read.
        if keep is None:
            documents.append({"_id": found.id or found.place, DAMAGED: found.problem})

    while True:
        # One by one: the cursor then stands behind the very document that was the last one to be read.
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
    """Whether a document comes after ``cursor``, one that can't be read among them."""
    damaged: list[Damaged] = []
    return bool(query.paginate(cursor, 1, damaged.append).page or damaged)
