"""Copies the files of storage buckets into a snapshot archive, as Convex's stored files.

Each row of ``storage.objects`` is first compared with the list of files. A row whose file is missing or has another
size is rejected, and so are the rows that refer to it. The other files are read once, piece by piece, into the archive.
:mod:`supavex.migrate.storage.values` copies the values that become files.
"""

from __future__ import annotations

import hashlib
import sqlite3
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import psycopg

from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.ids import encode_id
from supavex.convex.limits import MAX_CREATION_TIME, STORAGE_NUMBER
from supavex.convex.media_types import fitting_media_type, is_media_type
from supavex.errors import SupavexError
from supavex.mapping.file_columns import OBJECTS
from supavex.mapping.plan import Plan
from supavex.migrate.state.rejects import Reject
from supavex.migrate.storage.entries import FIRST_MILLISECOND, NewFile, add_file, address_name, address_secret
from supavex.migrate.storage.sources import FileSource, file_source
from supavex.postgres.storage import StorageObject, objects_digest, read_objects
from supavex.scratch import scratch_database

#: The most files without a row that are listed. All are counted.
LISTED = 50


@dataclass(frozen=True, slots=True)
class FileJob:
    """The files to copy: those of ``buckets`` (all, if empty) from ``source``; none without a source.

    ``secret`` returns the secret of the files' addresses; see :func:`address_secret`. ``kept``: an export of the
    target, whose own files go into the archive, because an import replaces all files.
    """

    source: FileSource | None
    buckets: tuple[str, ...]
    secret: Callable[[], bytes]
    kept: Path | None = None


@dataclass(slots=True)
class BucketFiles:
    """The files to copy, in a temporary database, and the rejected rows. They are counted while the files
    are listed.
    """

    #: The request.
    job: FileJob
    #: Where the contents of the files are read.
    source: FileSource
    #: A temporary SQLite database. Its table ``going`` has the files to copy.
    database: sqlite3.Connection
    #: The number of rows of storage.objects, without placeholders.
    rows: int = 0
    #: The number of files to copy.
    files: int = 0
    #: The bytes of these files.
    size: int = 0
    #: The number of placeholders: rows for empty folders.
    placeholders: int = 0
    #: The rejected rows of ``storage.objects``.
    rejects: list[Reject] = field(default_factory=list)
    #: The keys (16 bytes) of rejected rows, which references must not name.
    refused: set[bytes] = field(default_factory=set)
    #: The number of files without a row.
    unlisted: int = 0
    #: The first files without a row.
    first_unlisted: list[str] = field(default_factory=list)
    #: The number of files with a media type that Convex refuses. They get another type, or none.
    retyped: int = 0
    #: The first of these files.
    first_retyped: list[str] = field(default_factory=list)
    #: A digest of the rows and of the rejections. It changes if a file is added, deleted or replaced.
    digest: str = ""

    def holds(self, internal_id: bytes) -> bool:
        """Whether the file of that id (16 bytes) is copied, or its row is rejected."""
        self.database.execute("CREATE INDEX IF NOT EXISTS by_id ON going (id)")
        id_ = str(uuid.UUID(bytes=internal_id))
        row = self.database.execute("SELECT 1 FROM going WHERE id = ?", (id_,)).fetchone()
        return row is not None or internal_id in self.refused

    def going(self) -> Iterator[tuple[StorageObject, str]]:
        """The files to copy, each with its name in the source, by bucket and name."""
        sql = "SELECT id, bucket, name, size, type, created, there FROM going ORDER BY number"
        for id_, bucket, name, size, type_, created, there in self.database.execute(sql):
            yield StorageObject(id_, bucket, name, size, type_, created), there


def files_job(plan: Plan, place: str | None = None, kept: Path | None = None) -> FileJob | None:
    """The files to copy, by supavex.toml or from ``place``; None if there are no files and no large values.

    ``kept``: see :class:`FileJob`.
    """
    source = file_source(plan.project, place)
    if source is None and not plan.file_columns:
        return None
    return FileJob(source, plan.project.storage.buckets, partial(address_secret, plan.project), kept)


def file_id(id_: str) -> str:
    """The id of the stored file of a row of ``storage.objects``."""
    return encode_id(STORAGE_NUMBER, uuid.UUID(id_).bytes)


def media_type(object_: StorageObject) -> str | None:
    """The file's media type as Convex keeps it; None if Convex accepts none."""
    return None if object_.content_type is None else fitting_media_type(object_.content_type)


def created_at(object_: StorageObject) -> float:
    """The ``_creationTime`` of a file."""
    created = object_.created
    return created if created is not None and 0 < created < MAX_CREATION_TIME else FIRST_MILLISECOND


@contextmanager
def list_files(job: FileJob, connection: psycopg.Connection) -> Iterator[BucketFiles]:
    """Compares the rows of ``storage.objects``, as ``connection`` sees them, with the files of the source."""
    assert job.source is not None
    with _listed(job.source, connection, job.buckets) as database:
        database.execute(
            "CREATE TABLE going (number INTEGER PRIMARY KEY, id, bucket, name, size INTEGER, type, created, there)"
        )
        found = BucketFiles(job, job.source, database)
        for object_ in read_objects(connection, job.buckets):
            _keep_object(found, object_)
        for bucket, name in database.execute("SELECT bucket, name FROM there ORDER BY bucket, name"):
            found.unlisted += 1
            if found.unlisted <= LISTED:
                found.first_unlisted.append(f"{bucket}/{name}")
        lost = [(reject.key, reject.code) for reject in found.rejects]
        found.digest = f"{objects_digest(connection, job.buckets)} {hashlib.sha256(repr(lost).encode()).hexdigest()}"
        yield found


@contextmanager
def listed_files(job: FileJob | None, connection: psycopg.Connection) -> Iterator[BucketFiles | None]:
    """As :func:`list_files`; None if no files of buckets are copied."""
    if job is None or job.source is None:
        yield None
        return
    with list_files(job, connection) as found:
        yield found


@contextmanager
def names_of(
    source: FileSource, connection: psycopg.Connection, buckets: Sequence[str]
) -> Iterator[Callable[[StorageObject], tuple[str, int] | None]]:
    """A function from a row to its file's name in the source, which may have another Unicode form, and its bytes.

    It returns None if the file does not exist.
    """
    with _listed(source, connection, buckets) as database:

        def name(object_: StorageObject) -> tuple[str, int] | None:
            place = (object_.bucket, _key(object_.name))
            row = database.execute("SELECT name, size FROM there WHERE bucket = ? AND key = ?", place).fetchone()
            return None if row is None else (str(row[0]), int(row[1]))

        yield name


@contextmanager
def _listed(source: FileSource, connection: psycopg.Connection, buckets: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """A database with the source's list of files in the table ``there``."""
    wanted = list(buckets) or [str(row[0]) for row in connection.execute("SELECT id FROM storage.buckets")]
    with closing(scratch_database()) as database:
        columns = "bucket, key, name, size INTEGER, PRIMARY KEY (bucket, key)"
        database.execute(f"CREATE TABLE there ({columns}) WITHOUT ROWID")
        for bucket, name, size in source.files(sorted(wanted)):
            row = (bucket, _key(name), _text(name), size)
            database.execute("INSERT OR IGNORE INTO there VALUES (?, ?, ?, ?)", row)
        yield database


def _keep_object(found: BucketFiles, object_: StorageObject) -> None:
    place = (object_.bucket, _key(object_.name))
    there = found.database.execute("SELECT name, size FROM there WHERE bucket = ? AND key = ?", place).fetchone()
    if there is not None:
        found.database.execute("DELETE FROM there WHERE bucket = ? AND key = ?", place)
    key = uuid.UUID(object_.id).bytes
    if object_.placeholder:
        found.placeholders += 1
        found.refused.add(key)
        return
    found.rows += 1
    where = f"{object_.bucket}/{object_.name}"
    if there is None:
        reason, fix = f"there is no file {where} in {found.source.shown}", "Copy the file there, or delete the row."
        found.rejects.append(Reject(OBJECTS, object_.id, "name", "FileMissing", reason, fix))
    elif object_.size is not None and there[1] != object_.size:
        reason = f"{where} has {there[1]:,} bytes where the row says {object_.size:,}"
        fix = "Copy the file again: it was cut short, or has changed."
        found.rejects.append(Reject(OBJECTS, object_.id, "metadata", "FileSizeDiffers", reason, fix))
    else:
        row = (object_.id, object_.bucket, object_.name, there[1], object_.content_type, object_.created, there[0])
        sql = "INSERT INTO going (id, bucket, name, size, type, created, there) VALUES (?, ?, ?, ?, ?, ?, ?)"
        found.database.execute(sql, row)
        found.files += 1
        found.size += int(there[1])
        if object_.content_type is not None and not is_media_type(object_.content_type):
            found.retyped += 1
            if found.retyped <= LISTED:
                now = media_type(object_)
                found.first_retyped.append(f"{where}: {object_.content_type!r} becomes {now or 'no type'}")
        return
    found.refused.add(key)


def _key(name: str) -> str:
    """A name for comparison: in composed form, because some file systems decompose accented letters."""
    return unicodedata.normalize("NFC", _text(name))


def _text(name: str) -> str:
    """A name as text. Invalid bytes become question marks, and match no row."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def add_files(
    found: BucketFiles, writer: ArchiveWriter, lines: IO[bytes], progress: Callable[[int], None] = lambda done: None
) -> None:
    """Writes the files into an archive, and the metadata of each to ``lines``.

    Raises :class:`~supavex.errors.SupavexError` if a file has another size than listed, or can't be read.
    """
    secret = found.job.secret()
    for done, (object_, there) in enumerate(found.going(), 1):
        id_, kind = file_id(object_.id), media_type(object_)
        name = address_name(secret, uuid.UUID(object_.id).bytes)
        pieces = found.source.read(object_.bucket, there)
        size = add_file(writer, lines, NewFile(id_, created_at(object_), kind, name), pieces)
        if size != object_.size:
            message = f"the file has {size:,} bytes where {object_.size:,} were listed: it changed meanwhile."
            where = f"{object_.bucket}/{object_.name}"
            hint = "Nothing was replaced. Run the command again."
            raise SupavexError("FileChanged", message, where=where, hint=hint, retryable=True)
        progress(done)
