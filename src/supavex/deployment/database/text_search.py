"""Text search, as ``ctx.db.query(…).withSearchIndex(…)`` requests it.

Results are ordered by BM25 over the words of the query, the last of which also matches as the beginning of a word; then
the newest first. Source: ``search/src/lib.rs``, ``database/src/query/search_query.rs`` of convex-backend, from which
the texts of errors come. The transaction's own writes are found as if they were committed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from supavex.convex.ids import decode_id
from supavex.convex.order_keys import order_key, successor
from supavex.convex.values import Document
from supavex.deployment.database.search_indexes import filtered_key, totals, word_key
from supavex.deployment.database.search_plans import SearchPlan
from supavex.deployment.database.tokens import (
    MAX_FOUND,
    MAX_WORDS,
    dampers,
    norm,
    weight,
)
from supavex.deployment.database.transaction import Row, Transaction

#: Significant digits of a score. Documents with the same words equally often are ordered by time.
_DIGITS = 6
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Found:
    """A document that was found: its key in the order of results, and its 16 bytes."""

    key: bytes
    internal_id: bytes


def remember(transaction: Transaction, plan: SearchPlan, rows: list[Row]) -> None:
    """Records what a search depends on: documents with its words, and the documents that were read."""
    # If there are several filters, the first: every document that meets all of them meets it, too.
    filters = plan.filters[:1]
    for at, word in enumerate(plan.words):
        key = word_key(word) if not filters else filtered_key(*filters[0], word)
        last = at == len(plan.words) - 1
        transaction.read(plan.index.entries, key, successor(key) if last else key + b"\x00")
    for row in rows:
        transaction.read(-plan.table.storage, row.internal_id, row.internal_id + b"\x00")


def search(transaction: Transaction, plan: SearchPlan) -> list[Found]:
    """The results of a plan within its bounds, in order: at most 1,024 documents."""
    if not plan.words:
        return []
    own = _Own(transaction, plan)
    count, length = totals(transaction.connection, plan.index)
    count, length = count + own.documents, length + own.length
    boosts = _looked_for(transaction, plan, own)
    having = _having(transaction, plan, boosts)
    weights = {word: weight(count, having[word] + own.having[word], boost) for word, boost in boosts.items()}
    scores = _stored(transaction, plan, weights, (count, length, len(own.changed)))
    scores = [found for found in scores if found[2] not in own.changed] + own.scores(weights, dampers(count, length))
    best = sorted(((round(score, _DIGITS), created, id_) for score, created, id_ in scores), reverse=True)[:MAX_FOUND]
    keyed = [Found(order_key(-score) + order_key(-created) + order_key(id_), id_) for score, created, id_ in best]
    return [f for f in keyed if f.key >= plan.start and (plan.end is None or f.key < plan.end)]


def _looked_for(transaction: Transaction, plan: SearchPlan, own: _Own) -> dict[str, float]:
    """The words to search for, with the weight of each. Words that the last one begins have half the weight."""
    boosts = dict.fromkeys(plan.words, 1.0)
    room = MAX_WORDS - len(boosts) - len(plan.filters)
    prefix, n = plan.words[-1], plan.index.entries
    sql = f"SELECT term FROM words_{n} WHERE term >= ? AND term <= ? ORDER BY term LIMIT ?"
    rows = transaction.connection.execute(sql, (prefix, prefix + _LAST, MAX_WORDS))
    begun = {str(word) for (word,) in rows} | {word for word in own.having if word.startswith(prefix)}
    for word in sorted(begun - boosts.keys(), key=str.encode)[: max(0, room)]:
        boosts[word] = 0.5
    return boosts


def _having(transaction: Transaction, plan: SearchPlan, boosts: dict[str, float]) -> dict[str, int]:
    """The number of stored documents with each word."""
    found = dict.fromkeys(boosts, 0)
    sql = f"SELECT term, doc FROM words_{plan.index.entries} WHERE term = ?"
    for word in boosts:
        found |= {term: int(count) for term, count in transaction.connection.execute(sql, (word,))}
    return found


def _stored(
    transaction: Transaction, plan: SearchPlan, weights: dict[str, float], how: tuple[int, int, int]
) -> list[tuple[float, float, bytes]]:
    """The best stored documents: score, creation time, 16 bytes. ``how``: documents, words, rows to ignore."""
    n = plan.index.entries
    a, b = dampers(how[0], how[1])
    wanted = ", ".join(["(?, ?)"] * len(weights))
    values: list[Any] = [value for pair in weights.items() for value in pair]
    conditions = "".join(f" AND d.f{number} = ?" for number, _ in plan.filters)
    sql = f"""
        WITH wanted (word, weight) AS (VALUES {wanted}),
        hits AS (SELECT p.doc AS row, w.weight AS weight, count(*) AS n FROM wanted AS w
                 CROSS JOIN places_{n} AS p ON p.term = w.word GROUP BY w.word, p.doc)
        SELECT sum(h.weight * h.n / (h.n + ? + ? * d.norm)) AS score, d.created, d.internal_id
        FROM hits AS h CROSS JOIN found_{n} AS d ON d.row = h.row WHERE true{conditions}
        GROUP BY d.row ORDER BY round(score, {_DIGITS}) DESC, d.created DESC, d.internal_id DESC LIMIT ?"""
    values += [a, b, *(value for _, value in plan.filters), MAX_FOUND + how[2]]
    return transaction.connection.execute(sql, values).fetchall()


class _Own:
    """A transaction's own writes to a table, as a text index would contain them."""

    def __init__(self, transaction: Transaction, plan: SearchPlan) -> None:
        self._plan = plan
        self._after: list[tuple[Document, Counter[str], int]] = []
        self.changed: set[bytes] = set()
        #: The differences to the stored numbers of documents, words, and documents with each word.
        self.documents = self.length = 0
        self.having: Counter[str] = Counter()
        for (storage, internal_id), written in transaction.writes.items():
            if storage != plan.table.storage:
                continue
            self.changed.add(internal_id)
            for document, sign in ((written.before, -1), (written.after, 1)):
                if document is not None:
                    self._count(document, sign)

    def _count(self, document: Document, sign: int) -> None:
        told = self._plan.index.words(document)
        counted = Counter(told)
        self.documents += sign
        self.length += sign * len(told)
        for word in counted:
            self.having[word] += sign
        if sign > 0:
            self._after.append((document, counted, len(told)))

    def scores(self, weights: dict[str, float], damped: tuple[float, float]) -> list[tuple[float, float, bytes]]:
        """Score, creation time and 16 bytes of the matching documents."""
        found = []
        a, b = damped
        for document, counted, length in self._after:
            filters = self._plan.index.filter_keys(document)
            if all(filters[number] == value for number, value in self._plan.filters):
                by = a + b * norm(length)
                hits = [w * counted[word] / (counted[word] + by) for word, w in weights.items() if word in counted]
                if hits:
                    found.append((sum(hits), document["_creationTime"], decode_id(document["_id"])[1]))
        return found
