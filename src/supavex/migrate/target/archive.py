"""Documents of a snapshot archive, by table and by id."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from supavex.convex.damage import Damaged, OnDamaged, refuse
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import Document, parse_export_json, plain_document, to_export_json
from supavex.errors import SupavexError
from supavex.migrate.target.documents import Documents, id_problem
from supavex.scratch import scratch_database

_BATCH = 1000


class ArchiveDocuments:
    """The documents of a snapshot archive, by id, in a temporary file, so that memory stays constant.

    A line that is not a document, or a second document with an id, is reported as damaged. A context manager.
    """

    def __init__(self, path: Path) -> None:
        self._archive = SnapshotArchive(path)
        self._database = scratch_database()
        #: The tables that were read, with the damage in each.
        self._damaged: dict[str, list[Damaged]] = {}

    def __enter__(self) -> ArchiveDocuments:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._archive.__exit__()

    def table_numbers(self) -> dict[str, int]:
        """Table name to number from ``_tables``; for a table that is not in it, from its first id."""
        numbers = self._archive.numbers
        for table in self._archive.tables:
            first = None if table in numbers else next(self._archive.documents(table), None)
            if first is not None:
                try:
                    numbers[table] = decode_id(str(first.get("_id")))[0]
                except InvalidId as error:
                    raise SupavexError("InvalidId", error.message, where=f"{self._archive.path} {table}") from None
        return numbers

    def load(self, table: str) -> None:
        """Reads the documents of ``table`` into the temporary file."""
        if table in self._damaged:
            return
        damaged: list[Damaged] = []
        self._database.execute(
            f'CREATE TABLE "{table}" (id TEXT PRIMARY KEY, body TEXT NOT NULL, uniform INTEGER NOT NULL) WITHOUT ROWID'
        )
        uniform = self._archive.uniform(table)
        sql = f'INSERT OR IGNORE INTO "{table}" VALUES (?, ?, ?)'
        for document, text in self._archive.rows(table, damaged.append):
            id_ = document.get("_id")
            problem = id_problem(id_)
            if problem is None:
                # A document without plain text is kept in the export form, which has all types.
                row = (id_, text or to_export_json(document), text is None or uniform)
                try:
                    new = self._database.execute(sql, row).rowcount
                    problem = None if new else "its _id appears twice, and this is the second document."
                except UnicodeEncodeError:
                    problem = "a text holds an unpaired surrogate (\\ud800 to \\udfff), which no Convex text does."
            if problem is not None:
                # The id in a form that a report can show
                shown = id_.encode("ascii", "backslashreplace").decode() if isinstance(id_, str) else None
                damaged.append(Damaged(table, shown, "documents.jsonl", problem))
        self._damaged[table] = damaged

    def count(self, table: str) -> int:
        """The number of documents in a table."""
        self.load(table)
        (count,) = self._database.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        return int(count)

    def get_many(self, table: str, ids: Sequence[str], damaged: OnDamaged = refuse) -> dict[str, Document]:
        """Those of ``ids`` that are documents of ``table``. ``damaged`` is called with unreadable ones."""
        if not ids:
            return {}  # Saves reading the archive.
        self.load(table)
        if self._damaged[table]:
            wanted = frozenset(ids)
            for found_damaged in self._damaged[table]:
                if found_damaged.id in wanted:
                    damaged(found_damaged)
        found = {}
        for start in range(0, len(ids), _BATCH):
            some = ids[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            sql = f'SELECT id, body, uniform FROM "{table}" WHERE id IN ({marks})'
            for id_, body, uniform in self._database.execute(sql, some):
                found[id_] = _document(body, uniform=bool(uniform))
        return found

    def present(self, table: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of ``ids`` with a document in ``table``, readable or not."""
        wanted = sorted(set(ids))
        if not wanted:
            return frozenset()  # Saves reading the archive.
        self.load(table)
        found = {damaged.id for damaged in self._damaged[table] if damaged.id is not None}.intersection(wanted)
        for start in range(0, len(wanted), _BATCH):
            some = wanted[start : start + _BATCH]
            sql = f'SELECT id FROM "{table}" WHERE id IN ({",".join("?" * len(some))})'
            found.update(id_ for (id_,) in self._database.execute(sql, some))
        return frozenset(found)

    def documents(self, table: str, damaged: OnDamaged = refuse) -> Iterator[Document]:
        """All documents of a table, in the order of their ids. ``damaged`` is called with lines that are
        not documents.
        """
        self.load(table)
        for found in self._damaged[table]:
            damaged(found)
        for body, uniform in self._database.execute(f'SELECT body, uniform FROM "{table}" ORDER BY id'):
            yield _document(body, uniform=bool(uniform))

    def blocks(self, table: str) -> Generator[bytes]:
        """All documents of a table as JSON, one a line, in the order of the archive.

        If the archive can't be read to its end, the last line is an invalid document.
        """
        try:
            yield from self._archive.blocks(table)
        except SupavexError:
            yield b"\n(damaged)\n"

    def uniform(self, table: str) -> bool:
        """Whether bare integers are int64."""
        return self._archive.uniform(table)


class WithExisting:
    """Documents of one place, with some ``tables`` taken from another: an archive, and the export that it was made
    with.
    """

    def __init__(self, own: Documents, existing: Documents, tables: Collection[str]) -> None:
        self._own, self._existing, self._tables = own, existing, frozenset(tables)

    def _of(self, table: str) -> Documents:
        return self._existing if table in self._tables else self._own

    def table_numbers(self) -> dict[str, int]:
        """Table name to number."""
        numbers = {name: n for name, n in self._existing.table_numbers().items() if name in self._tables}
        return {**self._own.table_numbers(), **numbers}

    def count(self, table: str) -> int:
        """The number of documents in a table."""
        return self._of(table).count(table)

    def get_many(self, table: str, ids: Sequence[str], damaged: OnDamaged = refuse) -> dict[str, Document]:
        """Those of ``ids`` that are documents of ``table``. ``damaged`` is called with unreadable ones."""
        return self._of(table).get_many(table, ids, damaged)

    def present(self, table: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of ``ids`` with a document in ``table``, readable or not."""
        return self._of(table).present(table, ids)

    def documents(self, table: str, damaged: OnDamaged = refuse) -> Iterator[Document]:
        """All documents of a table. ``damaged`` is called with unreadable ones."""
        return self._of(table).documents(table, damaged)

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
