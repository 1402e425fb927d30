"""The files of storage buckets into a snapshot archive, as Convex's stored files.

Each row of ``storage.objects`` is held against the list of files first: one that is not there, or has another size, is
a rejected row, and so are the rows that refer to it. The others are read once, piece by piece, into the archive. Of
values that become files, see :mod:`supavex.migrate.storage.values`.
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

#: Files that no row stands for that are listed; all are counted.
LISTED = 50


@dataclass(frozen=True, slots=True)
class FileJob:
    """What is to be moved: the files of ``buckets`` (all, if there are none) from ``source``; without one, none.

    ``secret`` gives what makes the names in the files' addresses; see :func:`address_secret`. ``kept``: an export of
    the target, whose own files go into the archive too: an import replaces all of them.
    """

    source: FileSource | None
    buckets: tuple[str, ...]
    secret: Callable[[], bytes]
    kept: Path | None = None


@dataclass(slots=True)
class BucketFiles:
    """The files that go, in a database of their own, and the rows that don't: counted while they are listed."""

    job: FileJob
    source: FileSource
    database: sqlite3.Connection
    rows: int = 0
    files: int = 0
    size: int = 0
    placeholders: int = 0
    rejects: list[Reject] = field(default_factory=list)
    #: The keys (16 bytes) of rows that references may not name.
    refused: set[bytes] = field(default_factory=set)
    unlisted: int = 0
    #: The first of the files that no row stands for.
    first_unlisted: list[str] = field(default_factory=list)
    #: Files whose media type Convex refuses, and which get one that it takes, or none; the first of them.
    retyped: int = 0
    first_retyped: list[str] = field(default_factory=list)
    #: Of the rows, and of which of them don't go: another one where a file came, went or was uploaded again.
    digest: str = ""

    def holds(self, internal_id: bytes) -> bool:
        """Whether the file of that id (16 bytes) goes, or its row is rejected."""
        self.database.execute("CREATE INDEX IF NOT EXISTS by_id ON going (id)")
        id_ = str(uuid.UUID(bytes=internal_id))
        row = self.database.execute("SELECT 1 FROM going WHERE id = ?", (id_,)).fetchone()
        return row is not None or internal_id in self.refused

    def going(self) -> Iterator[tuple[StorageObject, str]]:
        """The files that go, each with its name in the source, by bucket and name."""
        sql = "SELECT id, bucket, name, size, type, created, there FROM going ORDER BY number"
        for id_, bucket, name, size, type_, created, there in self.database.execute(sql):
            yield StorageObject(id_, bucket, name, size, type_, created), there


def files_job(plan: Plan, place: str | None = None, kept: Path | None = None) -> FileJob | None:
    """What is to be moved by supavex.toml, or from ``place``; None where there are no files, nor values to become some.

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
    """The file's media type as Convex keeps it; None where there is none that it takes."""
    return None if object_.content_type is None else fitting_media_type(object_.content_type)


def created_at(object_: StorageObject) -> float:
    """The ``_creationTime`` of a file."""
    created = object_.created
    return created if created is not None and 0 < created < MAX_CREATION_TIME else FIRST_MILLISECOND


@contextmanager
def list_files(job: FileJob, connection: psycopg.Connection) -> Iterator[BucketFiles]:
    """Holds the rows of ``storage.objects``, as ``connection`` sees them, against the files that are there."""
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
    """As :func:`list_files`; None where no files of buckets are moved."""
    if job is None or job.source is None:
        yield None
        return
    with list_files(job, connection) as found:
        yield found


@contextmanager
def names_of(
    source: FileSource, connection: psycopg.Connection, buckets: Sequence[str]
) -> Iterator[Callable[[StorageObject], tuple[str, int] | None]]:
    """A function of a file's row: its name in the source, which may write it in another way, and its bytes there.

    None where it is not.
    """
    with _listed(source, connection, buckets) as database:

        def name(object_: StorageObject) -> tuple[str, int] | None:
            place = (object_.bucket, _key(object_.name))
            row = database.execute("SELECT name, size FROM there WHERE bucket = ? AND key = ?", place).fetchone()
            return None if row is None else (str(row[0]), int(row[1]))

        yield name


@contextmanager
def _listed(source: FileSource, connection: psycopg.Connection, buckets: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """A database with what the source lists: ``there``."""
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
    """A name as it is compared: composed, for some file systems take letters with accents apart."""
    return unicodedata.normalize("NFC", _text(name))


def _text(name: str) -> str:
    """A name as text; bytes that are none become question marks, and match no row."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def add_files(
    found: BucketFiles, writer: ArchiveWriter, lines: IO[bytes], progress: Callable[[int], None] = lambda done: None
) -> None:
    """Writes the files that go into an archive, and what there is to say of each to ``lines``.

    Raises where one has another size than the list says, or can't be read.
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
