"""The documents of one table of an archive, checked by Convex's rules, as rows to store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from supavex.convex import validators as kinds
from supavex.convex.ids import InvalidId, decode_id, encode_id, new_internal_id
from supavex.convex.limits import MAX_CREATION_TIME
from supavex.convex.messages import mismatch_text
from supavex.convex.order_keys import index_key
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.validators import Validator
from supavex.convex.values import Document
from supavex.deployment.database.bulk_load import Rows
from supavex.deployment.database.enforcement import SYSTEM_TABLES, check_limits, mismatch_of, quick_check
from supavex.deployment.database.store import write_body
from supavex.errors import SupavexError

#: Documents that are stored at once, if they are read one by one.
_BATCH = 1000
#: Bytes of lines that are read at once. The results fit the processor's cache, and progress is reported often.
_BLOCK = 512 << 10


class Archive(Protocol):
    """The source of an import: a snapshot archive, or a file of one table's documents."""

    @property
    def path(self) -> Path:
        """The path of the file."""

    @property
    def tables(self) -> list[str]:
        """The tables in the archive."""

    @property
    def numbers(self) -> dict[str, int]:
        """The table numbers in the archive."""

    def documents(self, table: str) -> Iterator[Document]:
        """The documents of a table."""

    def rows(self, table: str) -> Iterator[tuple[Document, str | None]]:
        """The documents, with their text if they plainly keep Convex's limits."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """What a table's documents are checked with, and the keys that they get.

    ``names``: the future name of every table by number. ``indexes``: the fields of each index.
    """

    table: str
    number: int
    validator: Validator | None
    names: Mapping[int, str]
    indexes: list[tuple[str, ...]]

    @property
    def numbers(self) -> dict[str, int]:
        """The number of every table, by name."""
        return {name: number for number, name in [*SYSTEM_TABLES.items(), *self.names.items()]}

    def check(self, document: Document) -> bytes:
        """Adds a missing ``_id`` and ``_creationTime`` to a document. Returns its internal id.

        Raises :class:`SupavexError` if it breaks a limit or does not fit.
        """
        internal_id = _complete(self.table, self.number, document)
        check_limits(self.table, document)
        mismatch = None if self.validator is None else mismatch_of(self.validator, document, self.names.get)
        if mismatch:
            raise SupavexError(
                "SchemaEnforcementError",
                f'Failed to insert or update a document in table "{self.table}" because it does not match the schema: '
                f"{mismatch_text(mismatch)}",
                where=f"{self.table} {document['_id']}",
                hint="Nothing was imported.",
            )
        return internal_id

    def row(self, document: Document, text: str | None = None) -> tuple[bytes, bytes, list[bytes]]:
        """Internal id, internal JSON and index keys of a document. Raises as :meth:`check`.

        ``text``: the internal JSON of a document that is known to keep Convex's limits and to fit.
        """
        internal_id = self.check(document) if text is None else _complete(self.table, self.number, document)
        body = write_body(document) if text is None else text
        return internal_id, body.encode(), [index_key(document, fields) for fields in self.indexes]


def rows_by_one(archive: Archive, source: TableSource) -> Iterator[Rows]:
    """The rows of a table, read one document at a time.

    Raises :class:`SupavexError` at the first document that is refused.
    """
    rows = Rows([], [], [[] for _ in source.indexes])
    fits = None if source.validator is None else quick_check(source.validator, source.numbers)
    for document, text in archive.rows(source.table):
        rows.append(*source.row(document, text if fits is None or fits(document) else None))
        if len(rows.ids) == _BATCH:
            yield rows
            rows = Rows([], [], [[] for _ in source.indexes])
    yield rows


def has_blocks(archive: Archive, source: TableSource) -> bool:
    """Whether :func:`rows_of_blocks` can read the table: it is a snapshot's, with objects of declared fields, without
    int64.
    """
    declared = isinstance(source.validator, kinds.Object)
    return declared and isinstance(archive, SnapshotArchive) and not archive.uniform(source.table)


def rows_of_blocks(archive: SnapshotArchive, source: TableSource, turn: int = 0, of: int = 1) -> Iterator[Rows]:
    """The rows of a table, read in blocks of lines. The rows and the errors are those of :func:`rows_by_one`.

    It reads one of every ``of`` blocks, by ``turn``: 0 for the first.
    """
    from supavex.deployment.transfer.blocks import BlockReader

    def careful(line: bytes, number: int) -> tuple[bytes, bytes, list[bytes]]:
        return source.row(archive.document(source.table, line, number))

    assert isinstance(source.validator, kinds.Object)
    reader = BlockReader(source.validator, source.number, source.numbers, source.indexes, careful)
    first = 1
    for number, block in enumerate(archive.blocks(source.table, _BLOCK)):
        if number % of != turn:
            first += block.count(b"\n") + (not block.endswith(b"\n"))
            continue
        rows = reader.rows(block, first)
        first += len(rows.ids)
        yield rows


def _complete(table: str, number: int, document: Document) -> bytes:
    """Checks or adds ``_id`` and ``_creationTime``. Returns the internal id."""
    if "_id" not in document:
        document["_id"] = encode_id(number, new_internal_id())
    try:
        found, internal_id = decode_id(str(document["_id"]))
    except InvalidId as error:
        raise SupavexError("InvalidId", error.message, where=table) from None
    if found != number:
        message = f"{document['_id']} is an id of table number {found}; {table} has {number}."
        raise SupavexError("ImportConflict", message, where=table)
    created = document.setdefault("_creationTime", time.time_ns() / 1e6)
    if not (isinstance(created, float) and 0 < created < MAX_CREATION_TIME):
        message = f"_creationTime {created!r} is no float64 above 0 and below 2^53."
        raise SupavexError("InvalidCreationTimeError", message, where=f"{table} {document['_id']}")
    return internal_id
