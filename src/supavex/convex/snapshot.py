"""Snapshot archives: the ZIP that ``npx convex export`` writes and ``npx convex import`` reads.

    _tables/documents.jsonl             {"name": …, "id": <table number>}, a line for each table
    <table>/documents.jsonl             one document a line, keys in byte order, with _id and _creationTime
    <table>/generated_schema.jsonl      "uniform": bare integers are int64. Absent: every number is a float64

Source: ``exports`` and ``application/src/snapshot_import`` of convex-backend. Entries are found by their suffix, so
any folder above them is ignored.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import struct
import uuid
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supavex.convex.damage import Damaged, OnDamaged
from supavex.convex.ids import InvalidId, decode_id
from supavex.convex.inflate import inflated
from supavex.convex.limits import MAX_TABLE_NUMBER
from supavex.convex.names import identifier_problem, table_name_problem
from supavex.convex.values import Document, InvalidValue, parse_export_json, plain_document
from supavex.errors import SupavexError, UsageError

_TABLE_FILE = re.compile(r"(?P<folder>.*/)?(?P<table>[^/]+)/(?P<kind>documents|generated_schema)\.jsonl\Z")
_SEEMING_ID = re.compile(rb'"_id"\s*:\s*"([0-9a-z]{31,37})"')
#: Convex's import finds stored files by this pattern anywhere in a name, so it takes user_storage/… for a stored
#: file, too.
_STORED_FILE = re.compile(r"(?P<folder>.*/)?_storage/(?P<id>[^/.]+)(?:\.[^/]+)?\Z")
_OF_COMPONENT = re.compile(r"(?P<before>.*/)?_components/(?P<name>[^/]+)/\Z")
#: What ``zipfile`` raises for an archive that is damaged, encrypted, or deflated by a method that it does not know.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)
_UNIFORM = b'"uniform"\n'
#: No document is that long, however its text is escaped. An archive with a longer line is refused.
_MAX_LINE = 32 << 20
_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A stored file in an archive."""

    #: The name of the ZIP entry with the contents.
    entry: str
    #: The file's document id.
    id: str
    #: The creation time in milliseconds since the epoch; None if the metadata have none.
    created: float | None
    #: The digest of the contents that the metadata name.
    sha256: bytes | None
    #: The media type that the metadata name; None if they have none.
    content_type: str | None
    #: The uuid of the file's address.
    name: str | None


def tables_entry(numbers: dict[str, int]) -> bytes:
    """The content of ``_tables/documents.jsonl``, sorted by table number."""
    rows = sorted(numbers.items(), key=lambda item: item[1])
    return "".join(json.dumps({"name": name, "id": number}) + "\n" for name, number in rows).encode()


def schema_entry() -> bytes:
    """The content of ``generated_schema.jsonl`` for a table whose bare integers are int64."""
    return _UNIFORM


#: The hint for a table for which :func:`is_storage_like` is true.
STORAGE_LIKE_HINT = "Give the table a name that does not end with _storage: by `to` in supavex.toml, and in the schema."


def is_storage_like(table: str, *, uniform: bool) -> bool:
    """Whether Convex's import refuses an archive with this table because of its name.

    Convex's import takes every entry in a folder with a name like ``user_storage`` for a stored file, except
    ``documents.jsonl``. A table with int64, bytes or special floats (``uniform``) has a second entry, which it refuses.
    """
    return uniform and table.endswith("_storage")


class SnapshotArchive:
    """A snapshot archive opened for reading. A context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            hint = "`supavex migrate --out FILE.zip` writes one, and `npx convex export --path FILE.zip`."
            raise UsageError("NoArchive", "there is no such archive.", where=str(path), hint=hint) from None
        except _DAMAGE as error:
            raise UsageError("InvalidArchive", f"not a ZIP archive: {error}.", where=str(path)) from None
        #: The path of the component whose tables are visible; empty for the app. See :meth:`within`.
        self.component = ""
        self._every: dict[str, dict[tuple[str, str], list[str]]] = {"": {}}
        try:
            self._sort()
        except SupavexError:
            self._zip.close()
            raise

    def _sort(self) -> None:
        """Groups the entries of tables by component."""
        for name in self._zip.namelist():
            match = _TABLE_FILE.match(name)
            if match is None:
                continue
            problem = None if match["table"].startswith("_") else table_name_problem(match["table"])
            if problem:
                message = f"the folder {match['table']!r} can't name a table: {problem}."
                raise SupavexError("InvalidTableName", message, where=str(self.path))
            entries = self._every.setdefault(self._component_of(match["folder"] or ""), {})
            entries.setdefault((match["table"], match["kind"]), []).append(name)

    def _component_of(self, folder: str) -> str:
        """The path of the component of a folder: ``_components/a/_components/b/`` belongs to ``a/b``."""
        names = []
        while (match := _OF_COMPONENT.match(folder)) is not None:
            problem = identifier_problem(match["name"])
            if problem:
                message = f"component name '{match['name']}' invalid: {problem}."
                raise SupavexError("InvalidComponentName", message, where=str(self.path))
            names.append(match["name"])
            folder = match["before"] or ""
        return "/".join(reversed(names))

    @property
    def _entries(self) -> dict[tuple[str, str], list[str]]:
        return self._every.get(self.component, {})

    @property
    def components(self) -> list[str]:
        """The paths of the components with tables or stored files in this archive; parents first."""
        files = (_STORED_FILE.search(name) for name in self._zip.namelist())
        stored = {self._component_of(file["folder"] or "") for file in files if file is not None}
        return sorted((self._every.keys() | stored) - {""})

    def within(self, component: str) -> SnapshotArchive:
        """The same archive with the tables and stored files of one component, which may have none."""
        view = copy.copy(self)
        view.component = component
        return view

    def __enter__(self) -> SnapshotArchive:
        return self

    def __exit__(self, *details: object) -> None:
        self._zip.close()

    @property
    def tables(self) -> list[str]:
        """The user tables with documents or a number, sorted."""
        held = {name for name, kind in self._entries if kind == "documents" and not name.startswith("_")}
        return sorted(held | self.numbers.keys())

    @property
    def numbers(self) -> dict[str, int]:
        """Table numbers from ``_tables``.

        Raises :class:`~supavex.errors.SupavexError` for an invalid or repeated name or number.
        """
        numbers: dict[str, int] = {}
        for line_number, line in self._lines("_tables"):
            data = self._parsed("_tables", line, uniform=True, number=line_number)
            name, number = data.get("name"), data.get("id")
            valid = isinstance(name, str) and table_name_problem(name) is None
            valid = valid and type(number) is int and 1 <= number <= MAX_TABLE_NUMBER
            if not valid:
                raise self._invalid("_tables", line_number, "a line gives a table's name and its number as id.")
            assert isinstance(name, str)
            assert isinstance(number, int)
            if name in numbers:
                raise SupavexError("DuplicateTableName", f"{name} appears twice in _tables.", where=str(self.path))
            if number in numbers.values():
                raise SupavexError("InvalidId", f"two tables have the number {number}.", where=str(self.path))
            numbers[name] = number
        return numbers

    def uniform(self, table: str) -> bool:
        """Whether the table's bare integers are int64.

        Raises :class:`~supavex.errors.SupavexError` for the older form of generated_schema.jsonl.
        """
        for name in self._entries.get((table, "generated_schema"), ()):
            try:
                with self._zip.open(name) as file:
                    first = file.readline(1 << 10).strip()
            except _DAMAGE as error:
                raise SupavexError("InvalidArchive", f"{name} is damaged: {error}.", where=str(self.path)) from None
            if first != _UNIFORM.strip():
                raise SupavexError(
                    "UnsupportedArchive",
                    f"{table}/generated_schema.jsonl has the form of exports before March 2026.",
                    where=str(self.path),
                    hint="Export again from a current deployment.",
                )
            return True
        return False

    def documents(self, table: str) -> Iterator[Document]:
        """The documents of ``table``, in the order of the archive."""
        uniform = self.uniform(table)
        for number, line in self._lines(table):
            yield self._parsed(table, line, uniform=uniform, number=number)

    def size(self, table: str) -> int:
        """The size in bytes of the documents of ``table`` as JSON lines, from the archive's directory."""
        return sum(self._zip.getinfo(name).file_size for name in self._entries.get((table, "documents"), ()))

    def document(self, table: str, line: bytes, number: int) -> Document:
        """The document on line ``number`` of ``table``, whose bare integers are float64.

        Raises :class:`~supavex.errors.SupavexError` if the line is not a document.
        """
        return self._parsed(table, line, uniform=False, number=number)

    def blocks(self, table: str, size: int = _BLOCK) -> Generator[bytes]:
        """The unparsed JSON lines of ``table`` in blocks of whole lines, each of about ``size`` bytes."""
        for name in self._entries.get((table, "documents"), ()):
            try:
                parts: list[bytes] = []
                held = 0
                for piece in inflated(self._zip, name):
                    parts.append(piece)
                    held += len(piece)
                    if held < size or b"\n" not in piece:
                        if held > _MAX_LINE:
                            raise SupavexError(
                                "InvalidArchive", "a line is longer than any document.", where=f"{self.path} {name}"
                            )
                        continue
                    end = piece.rindex(b"\n") + 1
                    yield b"".join([*parts[:-1], piece[:end]])
                    parts, held = [piece[end:]], len(piece) - end
                if held:
                    yield b"".join(parts)
            except _DAMAGE as error:
                raise SupavexError("InvalidArchive", f"{name} is damaged: {error}.", where=str(self.path)) from None

    def rows(self, table: str, damaged: OnDamaged | None = None) -> Iterator[tuple[Document, str | None]]:
        """As :meth:`documents`, each with its text if it plainly keeps Convex's limits (None: the text needs a check).

        ``damaged`` is called with lines that are not documents, and with an entry that can't be read to its end.
        Without ``damaged``, the first of them raises.
        """
        uniform = self.uniform(table)
        for number, line in self._lines(table, damaged):
            plain = plain_document(line, uniform=uniform)
            if plain is not None:
                yield plain
                continue
            try:
                document = self._parsed(table, line, uniform=uniform, number=number)
            except SupavexError as error:
                if damaged is None:
                    raise
                damaged(Damaged(table, _id_in(line), f"documents.jsonl:{number}", error.message))
                continue
            yield document, None

    def stored_files(self, number: int) -> Iterator[StoredEntry]:
        """The stored files of the archive that have contents, by id. ``number`` is the table number of _storage."""
        metadata = {str(row.get("_id")): row for row in self.documents("_storage")}
        for name in self._zip.namelist():
            match = _STORED_FILE.search(name)
            if match is None or match["id"] == "documents":
                continue
            if self._component_of(match["folder"] or "") != self.component:
                continue
            try:
                found, _ = decode_id(match["id"])
            except InvalidId as error:
                raise SupavexError(
                    "InvalidStorageId",
                    f"Convex's import takes {name} for a stored file, and its name is not an id: {error}",
                    where=str(self.path),
                    hint=None if not name.endswith("/generated_schema.jsonl") else STORAGE_LIKE_HINT,
                ) from None
            if found != number:
                raise SupavexError("InvalidId", f"{name} is not an id of _storage.", where=str(self.path))
            row = metadata.get(match["id"], {})
            digest = row.get("sha256")
            try:
                sha256 = base64.b64decode(digest, validate=True) if isinstance(digest, str) else None
            except ValueError:
                raise SupavexError("InvalidStorageFile", f"the sha256 of {name} is no base64.") from None
            created, kind = row.get("_creationTime"), row.get("contentType")
            yield StoredEntry(
                name,
                match["id"],
                created if isinstance(created, float) else None,
                sha256,
                kind if isinstance(kind, str) else None,
                _uuid(row.get("internalId")),
            )

    def read_stored(self, entry: str) -> Iterator[bytes]:
        """The contents of a stored file, piece by piece. Raises :class:`~supavex.errors.SupavexError` if the archive is
        damaged.
        """
        try:
            with self._zip.open(entry) as file:
                while piece := file.read(1 << 20):
                    yield piece
        except _DAMAGE as error:
            raise SupavexError("InvalidArchive", f"{entry} is damaged: {error}.", where=str(self.path)) from None

    def _parsed(self, table: str, line: bytes, *, uniform: bool, number: int) -> dict[str, Any]:
        try:
            document = parse_export_json(line, uniform=uniform)
        except InvalidValue as error:
            raise self._invalid(table, number, error.message) from None
        if not isinstance(document, dict):
            raise self._invalid(table, number, "a line is not a JSON object.")
        return document

    def _invalid(self, table: str, line: int, message: str) -> SupavexError:
        return SupavexError("InvalidArchive", message, where=f"{self.path} {table}/documents.jsonl:{line}")

    def _lines(self, table: str, damaged: OnDamaged | None = None) -> Iterator[tuple[int, bytes]]:
        for name in self._entries.get((table, "documents"), ()):
            number = 0
            try:
                for line in _split(inflated(self._zip, name)):
                    number += 1
                    if len(line) >= _MAX_LINE:
                        raise self._invalid(table, number, "a line is longer than any document.")
                    if not line.strip() and damaged is None:
                        raise self._invalid(table, number, "the line is blank, which Convex's import refuses.")
                    if line.strip():
                        yield number, line
            except _DAMAGE as error:
                message = f"{name} is damaged: {error or type(error).__name__}."
                if damaged is None:
                    raise SupavexError("InvalidArchive", message, where=str(self.path)) from None
                damaged(Damaged(table, None, f"documents.jsonl:{number + 1}", message))


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text that arrives in pieces. A line of :data:`_MAX_LINE` bytes or more is given as far as it was
    read.
    """
    rest: list[bytes] = []
    size = 0
    for piece in pieces:
        first, *lines = piece.split(b"\n")
        rest.append(first)
        size += len(first)
        if lines:
            yield b"".join(rest)
            yield from lines[:-1]
            rest, size = lines[-1:], len(lines[-1])
        if size >= _MAX_LINE:
            break
    if size:
        yield b"".join(rest)


def _id_in(line: bytes) -> str | None:
    """The id that a damaged line seems to have, if any."""
    found = _SEEMING_ID.search(line)
    return None if found is None else found[1].decode()


def _uuid(text: object) -> str | None:
    """``text`` if it is a uuid as Convex writes it, else None."""
    try:
        return text if isinstance(text, str) and str(uuid.UUID(text)) == text else None
    except ValueError:
        return None
