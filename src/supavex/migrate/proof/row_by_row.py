"""Compares a table's rows with their documents one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from supavex.convex.field_rules import MISSING
from supavex.convex.values import Document
from supavex.mapping.conversions.json import MAY_ROUND, rounds
from supavex.mapping.plan import FieldPlan
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.migrate.proof.comparison import RowComparison
from supavex.migrate.proof.digests.table import TableDigests
from supavex.migrate.proof.source_sql import proof_sql
from supavex.migrate.proof.target_rules import chunks
from supavex.migrate.state.rejects import NO_KEY

_CHUNK = 2000
_MAY_ROUND = re.compile(MAY_ROUND)
#: A row as :func:`~supavex.migrate.proof.comparison.proof_sql` reads it.
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Suspects:
    """The buckets of a table's digests that differ, as a boolean for each bucket."""

    digests: TableDigests
    buckets: np.ndarray[Any, Any]

    def among(self, rows: list[Row]) -> np.ndarray[Any, Any]:
        """A boolean for each row: whether it may differ from its document."""
        if self.buckets.all() or any(row[0] is None for row in rows):
            return np.ones(len(rows), np.bool_)
        return np.asarray(self.buckets[self.digests.bucket_of([row[0] for row in rows])])


class RowByRow:
    """Compares the rows of one table. Differences go to the table's proof."""

    def __init__(self, compared: ComparedTable, comparison: RowComparison) -> None:
        self._compared, self._table, self._proof = compared, compared.table, compared.proof
        self._comparison = comparison

    def compare_all(
        self,
        connection: psycopg.Connection,
        done: Callable[[int], None],
        sample: int | None = None,
        suspects: Suspects | None = None,
    ) -> None:
        """Compares all rows, ``sample`` rows, or only the ``suspects``. ``done`` is called with the rows so far."""
        proof = self._proof
        proof.rows = 0
        filled, rounded = Counter[str](), Counter[str]()
        unexplained = set[str | None](self._compared.rejects)
        with connection.cursor(name="supavex_proof") as cursor:
            cursor.itersize = _CHUNK
            limit = "" if sample is None else f" LIMIT {sample}"
            cursor.execute((proof_sql(self._table, self._compared.changed_sql) + limit).encode())
            for rows in chunks(cursor, _CHUNK):
                looked_at = rows if suspects is None else self._suspected(rows, suspects)
                unexplained.difference_update(row[0] for row in looked_at)
                unequal = self.compare_rows(looked_at)
                self.count_special([row for row in rows if id(row) not in unequal], filled, rounded)
                proof.rows += len(rows)
                done(proof.rows)
        proof.filled, proof.rounded = dict(filled), dict(+rounded)
        for key in sorted(key or NO_KEY for key in unexplained) if sample is None else ():
            gone = "; it may have been deleted since the copy" if self._compared.written else ""
            proof.add("stale reject", key, f"the rejects file names a row that the source does not have{gone}")

    def compare_rows(self, rows: list[Row]) -> set[int]:
        """Compares some rows with their documents. Returns the ids (Python's) of those that differ."""
        ids = [self._comparison.id_of(row[0]) for row in rows]
        documents = self._compared.documents(id_ for id_ in ids if id_ is not None)
        unequal = set[int]()
        for id_, row in zip(ids, rows, strict=True):
            document = None if id_ is None else documents.get(id_)
            unreadable = document is None and id_ is not None and id_ in self._compared.unreadable
            if unreadable or not self._row(row, document):
                unequal.add(id(row))
        return unequal

    def count_special(self, rows: list[Row], filled: Counter[str], rounded: Counter[str]) -> None:
        """Counts, among equal rows, the filled NULLs and the JSON with a number that JSON.parse rounds."""
        for place, planned in enumerate(self._table.fields, 1):
            values = [row[place] for row in rows] if _counted(planned) else []
            if planned.fill is not MISSING and (count := values.count(None)):
                filled[planned.place] += count
            if planned.conversion.rounding:
                rounded[planned.place] += sum(_MAY_ROUND.search(v) is not None and rounds(v) for v in values if v)

    def would_go(self, keys: Iterable[str]) -> None:
        """Records rejected rows that the copy would accept now. Their rejection no longer explains a
        missing document.
        """
        compared = self._compared
        assert self._table.key is not None
        ids = {compared.id_of(self._table.key.internal_id(key)): key for key in keys}
        there = compared.documents(ids)
        for id_, key in ids.items():
            if id_ not in there:
                self._proof.rejected -= 1
                compared.missing += 1
                code = compared.rejects[key].code
                detail = f"it was rejected ({code}), and would go now: it was corrected, or what decides on it"
                self._proof.add_change(key, detail)

    def _suspected(self, rows: list[Row], suspects: Suspects) -> list[Row]:
        """The rows to compare. The others are equal, and are only counted."""
        some = []
        for row, look in zip(rows, suspects.among(rows), strict=True):
            if look or row[0] in self._compared.rejects:
                some.append(row)
            else:
                self._proof.matched += 1
                self._proof.fields += len(self._table.fields) + 1
        return some

    def _row(self, row: Row, document: Document | None) -> bool:
        """Compares a row with its document, and records each difference. Returns whether they are equal."""
        proof, key = self._proof, NO_KEY if row[0] is None else row[0]
        row, changed = row[:-1], row[-1]
        rejected = row[0] in self._compared.rejects
        if document is None:
            if rejected:
                proof.rejected += 1
            elif changed:
                self._compared.missing += 1
                proof.add_change(key, "it has no document")
            else:
                self._compared.missing += 1
                proof.add("missing document", key, "the row has no document, and was not rejected")
            return False
        if rejected:
            proof.add("rejected but there", key, f"{document['_id']} is in the target though the row was rejected")
        proof.fields += len(self._table.fields) + 1
        mismatches = list(self._comparison.compare(row, document))
        if not mismatches:
            proof.matched += 1
        elif changed:
            proof.add_change(key, f"it differs in {', '.join(mismatch.column for mismatch in mismatches)}")
        else:
            proof.add_mismatches(mismatches)
        return not mismatches


def _counted(planned: FieldPlan) -> bool:
    return planned.fill is not MISSING or bool(planned.conversion.rounding)
