"""The ids of tables that exist in Convex, joined to the source's rows by columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from supavex.convex.ids import INTERNAL_ID_BYTES, InvalidId, decode_id
from supavex.convex.values import Document
from supavex.errors import SupavexError
from supavex.mapping.key_sql import key_sql
from supavex.mapping.plan import ALIAS, TablePlan
from supavex.migrate.keys.sets import KeySet, key_bytes, once
from supavex.migrate.target.matching import Match, Matched, matches_of
from supavex.postgres.columns import ColumnReader


@dataclass(frozen=True, slots=True)
class ExistingIds:
    """The ids that Convex chose, by the rows' keys. A row takes 40 bytes of memory.

    ``ids``: an (n, 16) matrix of bytes, in the order of ``keys``. ``number``: the table's number, a part of every id.
    """

    keys: KeySet
    ids: np.ndarray[Any, Any]
    number: int

    def digest(self) -> str:
        """A digest of everything that decides on the id of a reference."""
        return hashlib.sha256(f"{self.keys.digest()} {self.number}".encode() + self.ids.tobytes()).hexdigest()


def matched_ids(reader: ColumnReader, table: TablePlan, documents: Iterable[Document]) -> tuple[ExistingIds, Matched]:
    """The ids of the documents that match the rows of ``table``, by a join of columns of hashes.

    It takes about 64 bytes of memory for each row and each document, and no Python object for a row.
    """
    assert table.key is not None
    matches = matches_of(table)
    hashes, ids = bytearray(), bytearray()
    count, number = 0, 0
    for document in documents:
        count += 1
        values = [document.get(match.field) for match in matches]
        if any(value is None for value in values):
            continue
        try:
            number, internal = decode_id(str(document.get("_id")))
        except InvalidId as error:
            raise SupavexError("InvalidId", error.message, where=table.target) from None
        hashes += _hash(matches, values)
        ids += internal
    theirs, their_ids = _matrix(hashes), _matrix(ids)
    key = key_sql(table.key, table.key.own(ALIAS))
    hashed = " || ".join(f"sha256(convert_to({match.sql}, 'UTF8'))" for match in matches)
    source = table.source.sql_name
    sql = f"SELECT {key} AS k, substr(sha256({hashed}), 1, {INTERNAL_ID_BYTES}) AS h FROM {source} AS {ALIAS}"
    keys, ours = bytearray(), bytearray()
    rows = 0
    for batch in reader.read(sql):
        rows += batch.num_rows
        there = batch.filter(batch.column("h").is_valid())
        keys += key_bytes(there.column("k")).tobytes()
        ours += key_bytes(there.column("h")).tobytes()
    their_own, their_shared = once(theirs)
    our_matches = _matrix(ours)
    our_own, our_shared = once(our_matches)
    repeated = int((~our_own).sum()) - our_shared
    known, order = KeySet.ordered(theirs[their_own])
    places = known.find(our_matches[our_own])
    matched = places >= 0
    found, by_key = KeySet.ordered(_matrix(keys)[our_own][matched])
    chosen = their_ids[their_own][order][places[matched]][by_key]
    report = Matched(table.name, table.target, rows, count, len(found), repeated + their_shared)
    return ExistingIds(found, chosen, number), report


def _hash(matches: list[Match], values: list[Any]) -> bytes:
    texts = (match.text(value) for match, value in zip(matches, values, strict=True))
    digests = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
    return hashlib.sha256(digests).digest()[:INTERNAL_ID_BYTES]


def _matrix(content: bytearray) -> np.ndarray[Any, Any]:
    return np.frombuffer(content, np.uint8).reshape(-1, INTERNAL_ID_BYTES)
