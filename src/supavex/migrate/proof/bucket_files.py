"""Proves stored files: each is read again in the source and in the target, and the SHA-256 are compared.

The target, a deployment or an archive, says where its files are. Files of the target without a row in the source are
ignored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from supavex.convex.limits import STORAGE_TABLE
from supavex.errors import SupavexError
from supavex.mapping.file_columns import OBJECTS
from supavex.migrate.proof.comparison import Mismatch
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.state.rejects import Reject
from supavex.migrate.storage.buckets import created_at, file_id, media_type, names_of
from supavex.migrate.storage.sources import FileSource
from supavex.migrate.target.stored_files import Stored
from supavex.postgres.snapshot import Snapshot, imported
from supavex.postgres.storage import StorageObject, read_objects

#: The compared properties of a file: contents, metadata, size, media type, creation time.
FIELDS = 5


def prove_files(
    snapshot: Snapshot,
    source: FileSource,
    buckets: tuple[str, ...],
    target: Mapping[str, Stored],
    rejects: Mapping[str | None, Reject],
    progress: Callable[[int], None] = lambda done: None,
) -> TableProof:
    """Proves that the files of ``storage.objects`` are those of ``target``, except the rejected ones."""
    proof = TableProof(OBJECTS, STORAGE_TABLE)
    unexplained = {key for key in rejects if key is not None}
    with imported(snapshot) as connection, names_of(source, connection, buckets) as name_in_source:
        for object_ in read_objects(connection, buckets):
            if object_.placeholder:
                continue
            proof.rows += 1
            unexplained.discard(object_.id)
            rejected = object_.id in rejects
            stored = target.get(file_id(object_.id))
            if stored is None:
                there = name_in_source(object_) if rejected else None
                if there is not None and object_.size in (None, there[1]):
                    proof.add_change(object_.id, f"{object_.bucket}/{object_.name} was rejected, and would go now")
                elif rejected:
                    proof.rejected += 1
                else:
                    proof.add("missing file", object_.id, f"{object_.bucket}/{object_.name} is not in the target")
                continue
            proof.documents += 1
            if rejected:
                proof.add("rejected but there", object_.id, "the file is in the target though its row was rejected")
                continue
            proof.fields += FIELDS
            there = name_in_source(object_)
            found = list(_compare(source, object_, None if there is None else there[0], stored))
            proof.add_mismatches(found)
            proof.matched += not found
            progress(proof.rows)
    for key in sorted(unexplained):
        proof.add("stale reject", key, "the rejects file names a file that the source does not have")
    return proof


def _compare(source: FileSource, object_: StorageObject, there: str | None, stored: Stored) -> Iterator[Mismatch]:
    expected: tuple[str, int] | None = None
    if there is not None:
        expected = digest(source.read(object_.bucket, there))
    about = (media_type(object_), created_at(object_))
    return compare_stored(OBJECTS, object_.id, expected, about, stored)


def compare_stored(
    source: str, key: str, expected: tuple[str, int] | None, about: tuple[str | None, float], stored: Stored
) -> Iterator[Mismatch]:
    """Every difference between a file's expected and stored properties.

    ``source`` and ``key`` identify the file. ``expected``: SHA-256 and bytes, None if it can't be read. ``about``: its
    media type and its ``_creationTime``.
    """

    def differs(column: str, expected: object, found: object) -> Mismatch:
        return Mismatch(source, key, column, str(expected), str(found))

    try:
        found: tuple[str, int] | None = digest(stored.read())
    except (OSError, SupavexError):
        found = None
    if expected is None or found is None or expected[0] != found[0]:
        shown = tuple("(can't be read)" if side is None else f"sha256 {side[0]}" for side in (expected, found))
        yield differs("contents", *shown)
    if found is not None and stored.sha256 is not None and stored.sha256.hex() != found[0]:
        yield differs("sha256", found[0], stored.sha256.hex())
    if found is not None and stored.size is not None and stored.size != found[1]:
        yield differs("size", found[1], stored.size)
    kind, created = about
    if stored.content_type != kind:
        yield differs("contentType", kind, stored.content_type)
    if stored.created != created:
        yield differs("_creationTime", created, stored.created)


def digest(pieces: Iterable[bytes]) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and bytes of a file's contents."""
    hashed, size = hashlib.sha256(), 0
    for piece in pieces:
        hashed.update(piece)
        size += len(piece)
    return hashed.hexdigest(), size
