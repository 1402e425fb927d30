"""Compares a table with few differing rows: only these are read again, by their keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from supavex.convex.values import Document
from supavex.mapping.plan import ALIAS
from supavex.migrate.proof.compared_table import ComparedTable
from supavex.migrate.proof.digests.sums import Sums
from supavex.migrate.proof.digests.table import TableDigests
from supavex.migrate.proof.pairs import Differing, differing
from supavex.migrate.proof.row_by_row import RowByRow
from supavex.migrate.proof.source_sql import proof_sql
from supavex.migrate.proof.target_rules import chunks

#: Up to one row in so many may differ. With more, all rows are read.
_SHARE = 10
_LEAST = 1000
_CHUNK = 2000
#: The types of keys by which a row can be found.
_TYPES = {"uuid": "uuid", "integer": "int8"}


def few_differing(digests: TableDigests, source: Sums, target: Sums, pairs: tuple[Path, Path]) -> Differing | None:
    """The pairs that differ, if they are few and each is one row or one document; else None."""
    if source.unlike or target.unlike or digests.key.form not in _TYPES:
        return None
    suspects = source.differing(target)
    most = max(_LEAST, source.read // _SHARE)
    found = differing(*pairs, suspects, digests.buckets, most)
    sides = (found.source, found.target)
    if sum(map(len, sides)) > most or any(len(_keys(side)) != len(side) for side in sides):
        return None
    # The remaining sums have to agree. Two pairs that look alike would be missing on both sides.
    sums = [Sums(), Sums()]
    for total, side in zip(sums, sides, strict=True):
        total.add(side["key"], digests.buckets(side["key"]), side["digest"])
    with np.errstate(over="ignore"):
        digest = source.digests - target.digests == sums[0].digests - sums[1].digests
    count = source.counts - target.counts == sums[0].counts - sums[1].counts
    return found if bool(digest.all() and count.all()) else None


def _keys(pairs: np.ndarray[Any, Any]) -> set[bytes]:
    data = np.ascontiguousarray(pairs["key"]).tobytes()
    return {data[start : start + 16] for start in range(0, len(data), 16)}


class FewRows:
    """The rows and documents of a table that differ."""

    def __init__(self, compared: ComparedTable, found: Differing, source: Sums, target: Sums) -> None:
        self._compared, self._table = compared, compared.table
        self._rows, self._documents = _keys(found.source), _keys(found.target)
        self._source, self._target = source, target

    def compare(self, connection: psycopg.Connection, rows: RowByRow, progress: Callable[[int, int], None]) -> bool:
        """Compares the rows with their documents, and lists documents without a row. False: all rows have
        to be read.
        """
        proof, total = self._compared.proof, len(self._rows)
        if self._count(connection) != total:
            return False
        fields = len(self._table.fields) + 1
        proof.rows, proof.documents = self._source.read, self._target.read
        proof.matched = proof.rows - total
        proof.fields = proof.matched * fields
        filled, rounded = Counter[str](), Counter[str]()
        done = 0
        sql = proof_sql(self._table, self._compared.changed_sql)
        for where in self._wheres():
            with connection.cursor(name="supavex_few") as cursor:
                cursor.execute(f"{sql} WHERE {where}".encode())
                found = cursor.fetchall()
            rows.compare_rows(found)
            rows.count_special(found, filled, rounded)
            done += len(found)
            progress(done, total)
        proof.filled = dict(+(self._source.filled - filled))
        proof.rounded = dict(+(self._source.rounded - rounded))
        for internal_id in sorted(self._documents - self._rows):
            self._compared.add_extra(self._compared.id_of(internal_id), internal_id)
        return True

    def documents(self) -> Iterator[Document]:
        """The documents that differ from their rows, or have no row."""
        for some in chunks(sorted(self._documents), _CHUNK):
            yield from self._compared.documents(map(self._compared.id_of, some)).values()

    @property
    def has_documents(self) -> bool:
        """Whether there are any such documents."""
        return bool(self._documents)

    def _wheres(self) -> Iterator[str]:
        """SQL conditions for the rows, for some of them at a time."""
        key = self._table.key
        assert key is not None
        for some in chunks(sorted(self._rows), _CHUNK):
            # A uuid or a number needs no quoting.
            texts = ",".join(str(key.text_of(internal_id)) for internal_id in some)
            yield f"{key.own(ALIAS)[0]} = ANY ('{{{texts}}}'::{_TYPES[key.form]}[])"

    def _count(self, connection: psycopg.Connection) -> int:
        """The number of rows with one of the keys. It is larger than the number of keys if a key is not unique."""
        source = f"{self._table.source.sql_name} AS {ALIAS}"
        counts = (connection.execute(f"SELECT count(*) FROM {source} WHERE {w}".encode()) for w in self._wheres())
        return sum(row[0] for count in counts if (row := count.fetchone()) is not None)
