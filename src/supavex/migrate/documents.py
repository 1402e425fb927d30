"""Where a proof reads documents: a deployment, or an archive."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import Document, parse_export_json, plain_document, to_export_json
from supavex.errors import SupavexError
from supavex.migrate.scratch import scratch_database

_BATCH = 1000


class Documents(Protocol):
    """Documents by table and id. A local deployment is one; so is :class:`ArchiveDocuments`."""

    def table_numbers(self) -> dict[str, int]:
        """Table name to number."""

    def count(self, table: str) -> int:
        """How many documents a table holds."""

    def get_many(self, table: str, ids: Sequence[str]) -> dict[str, Document]:
        """Those of ``ids`` that are documents of ``table``."""

    def documents(self, table: str) -> Iterator[Document]:
        """All documents of a table."""

    def blocks(self, table: str) -> Generator[bytes]:
        """All documents of a table as JSON, one a line, in any order; some megabytes at a time."""

    def uniform(self, table: str) -> bool:
        """Whether bare integers in :meth:`blocks` are int64; else they are float64."""


class ArchiveDocuments:
    """The documents of a snapshot archive, by id: kept in a temporary file, so that memory stays flat.

    Raises where an id stands twice. A context manager.
    """

    def __init__(self, path: Path) -> None:
        self._archive = SnapshotArchive(path)
        self._database = scratch_database()
        self._loaded: set[str] = set()

    def __enter__(self) -> ArchiveDocuments:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._archive.__exit__()

    def table_numbers(self) -> dict[str, int]:
        """Table name to number, as ``_tables`` gives them, or where it does not, a table's first id."""
        numbers = self._archive.numbers
        for table in self._archive.tables:
            first = None if table in numbers else next(self._archive.documents(table), None)
            if first is not None:
                try:
                    numbers[table] = decode_id(str(first.get("_id")))[0]
                except InvalidId as error:
                    raise SupavexError("InvalidId", error.message, where=f"{self._archive.path} {table}") from None
        return numbers

    def _load(self, table: str) -> None:
        if table in self._loaded:
            return
        self._database.execute(
            f'CREATE TABLE "{table}" (id TEXT PRIMARY KEY, body TEXT NOT NULL, uniform INTEGER NOT NULL) WITHOUT ROWID'
        )
        uniform = self._archive.uniform(table)
        rows = (
            # What was looked at in any other way is kept in the form that says every type.
            (self._id(table, document), text or to_export_json(document), text is None or uniform)
            for document, text in self._archive.rows(table)
        )
        sql = f'INSERT OR IGNORE INTO "{table}" VALUES (?, ?, ?)'
        for row in rows:
            try:
                new = self._database.execute(sql, row).rowcount
            except UnicodeEncodeError:
                raise SupavexError(
                    "InvalidArchive",
                    "a text holds an unpaired surrogate (\\ud800 to \\udfff), which no Convex text does.",
                    where=f"{self._archive.path} {table}/documents.jsonl {row[0]!a}",
                    hint="Correct the document, or export again.",
                ) from None
            if new == 0:
                where = f"{self._archive.path} {table}"
                raise SupavexError("DuplicateId", f"the id {row[0]} stands twice.", where=where)
        self._loaded.add(table)

    def _id(self, table: str, document: Document) -> str:
        id_ = document.get("_id")
        if not isinstance(id_, str):
            raise SupavexError(
                "InvalidArchive",
                "a document has no _id, or none that is a text.",
                where=f"{self._archive.path} {table}/documents.jsonl",
                hint="An export (npx convex export) and supavex migrate --out give each document one.",
            )
        return id_

    def count(self, table: str) -> int:
        """How many documents a table holds."""
        self._load(table)
        (count,) = self._database.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        return int(count)

    def get_many(self, table: str, ids: Sequence[str]) -> dict[str, Document]:
        """Those of ``ids`` that are documents of ``table``."""
        if not ids:
            return {}  # the archive need not be read for that
        self._load(table)
        found = {}
        for start in range(0, len(ids), _BATCH):
            some = ids[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            sql = f'SELECT id, body, uniform FROM "{table}" WHERE id IN ({marks})'
            for id_, body, uniform in self._database.execute(sql, some):
                found[id_] = _document(body, uniform=bool(uniform))
        return found

    def documents(self, table: str) -> Iterator[Document]:
        """All documents of a table, in the order of their ids."""
        self._load(table)
        for body, uniform in self._database.execute(f'SELECT body, uniform FROM "{table}" ORDER BY id'):
            yield _document(body, uniform=bool(uniform))

    def blocks(self, table: str) -> Generator[bytes]:
        """All documents of a table as JSON, one a line, in the order of the archive."""
        return self._archive.blocks(table)

    def uniform(self, table: str) -> bool:
        """Whether bare integers are int64."""
        return self._archive.uniform(table)


class WithExisting:
    """Documents, and those of some ``tables`` as another place has them: tables that an archive was made beside."""

    def __init__(self, own: Documents, existing: Documents, tables: Collection[str]) -> None:
        self._own, self._existing, self._tables = own, existing, frozenset(tables)

    def _of(self, table: str) -> Documents:
        return self._existing if table in self._tables else self._own

    def table_numbers(self) -> dict[str, int]:
        """Table name to number."""
        numbers = {name: n for name, n in self._existing.table_numbers().items() if name in self._tables}
        return {**self._own.table_numbers(), **numbers}

    def count(self, table: str) -> int:
        """How many documents a table holds."""
        return self._of(table).count(table)

    def get_many(self, table: str, ids: Sequence[str]) -> dict[str, Document]:
        """Those of ``ids`` that are documents of ``table``."""
        return self._of(table).get_many(table, ids)

    def documents(self, table: str) -> Iterator[Document]:
        """All documents of a table."""
        return self._of(table).documents(table)

    def blocks(self, table: str) -> Generator[bytes]:
        """All documents of a table as JSON, one a line."""
        return self._of(table).blocks(table)

    def uniform(self, table: str) -> bool:
        """Whether bare integers are int64."""
        return self._of(table).uniform(table)


def _document(body: str, *, uniform: bool) -> Document:
    """A document from its line."""
    plain = plain_document(body.encode(), uniform=uniform)
    document: Document = plain[0] if plain else parse_export_json(body, uniform=uniform)
    return document
