"""The files that Supabase storage lists: the rows of ``storage.objects``. The contents are elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from supavex.errors import UsageError

_BATCH = 2000
#: The name of the row that Supabase's dashboard creates for an empty folder. It is not a file of the app.
PLACEHOLDER = ".emptyFolderPlaceholder"


@dataclass(frozen=True, slots=True)
class StorageObject:
    """One stored file: a row of ``storage.objects``."""

    #: The row's id.
    id: str
    #: The id of the bucket.
    bucket: str
    #: The path in the bucket.
    name: str
    #: Bytes; None if the row does not say.
    size: int | None
    #: The media type.
    content_type: str | None
    #: Milliseconds since the epoch, above zero; None if the row does not say.
    created: float | None

    @property
    def placeholder(self) -> bool:
        """Whether the row stands for an empty folder."""
        return self.name.rpartition("/")[2] == PLACEHOLDER


def objects_digest(connection: psycopg.Connection, buckets: Sequence[str] = ()) -> str:
    """A digest of the rows of ``buckets`` (all, if empty), without the time of each row's last access."""
    row = connection.execute(
        "SELECT count(*)::text || ' ' || "
        "coalesce(sum(hashtextextended((to_jsonb(o) - 'last_accessed_at')::text, 0)), 0)::text "
        f"FROM storage.objects AS o{' WHERE bucket_id = ANY(%s)' if buckets else ''}".encode(),
        (list(buckets),) if buckets else None,
    ).fetchone()
    assert row is not None
    return str(row[0])


def read_objects(connection: psycopg.Connection, buckets: Sequence[str] = ()) -> Iterator[StorageObject]:
    """Every file of ``buckets`` (all, if empty), by bucket and name. Memory is bounded by one batch.

    The connection is in a transaction. Raises :class:`~supavex.errors.UsageError` if a bucket does not exist.
    """
    row = connection.execute("SELECT pg_catalog.to_regclass('storage.objects') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        raise UsageError("NoStorage", "the source has no storage.objects.", hint="It is a Supabase project's table.")
    known = {str(name) for (name,) in connection.execute("SELECT id FROM storage.buckets")}
    for bucket in buckets:
        if bucket not in known:
            hint = f"Buckets: {', '.join(sorted(known))}." if known else "It has none."
            raise UsageError("UnknownBucket", f"the source has no bucket {bucket}.", hint=hint)
    wanted = "bucket_id IS NOT NULL AND name IS NOT NULL" + (" AND bucket_id = ANY(%s)" if buckets else "")
    sql = (
        "SELECT id::text, bucket_id, name, CASE WHEN metadata ->> 'size' ~ '^[0-9]{1,15}$' THEN "
        "(metadata ->> 'size')::int8 END, metadata ->> 'mimetype', CASE WHEN created_at > 'epoch' AND "
        "isfinite(created_at) THEN (extract(epoch FROM created_at) * 1000)::float8 END "
        f'FROM storage.objects WHERE {wanted} ORDER BY bucket_id COLLATE "C", name COLLATE "C", id'
    )
    with connection.cursor(name="supavex_objects") as cursor:
        cursor.itersize = _BATCH
        cursor.execute(sql.encode(), (list(buckets),) if buckets else None)
        for found in cursor:
            yield StorageObject(*found)
