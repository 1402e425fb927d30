"""The files that Supabase storage knows of: ``storage.objects``, row by row. Their contents lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from supavex.errors import UsageError

_BATCH = 2000
#: What Supabase's dashboard puts into a folder so that it is there: no file of anybody's.
PLACEHOLDER = ".emptyFolderPlaceholder"


@dataclass(frozen=True, slots=True)
class StorageObject:
    """One file: the row's id, its bucket and name (the path in it), its size in bytes and its media type.

    ``created``: milliseconds since the epoch, above zero; None where the row does not say.
    """

    id: str
    bucket: str
    name: str
    size: int | None
    content_type: str | None
    created: float | None

    @property
    def placeholder(self) -> bool:
        """Whether it stands for an empty folder."""
        return self.name.rpartition("/")[2] == PLACEHOLDER


def objects_digest(connection: psycopg.Connection, buckets: Sequence[str] = ()) -> str:
    """A digest of the rows of ``buckets`` (of all, if there are none) as they are, but for when each was last read."""
    row = connection.execute(
        "SELECT count(*)::text || ' ' || "
        "coalesce(sum(hashtextextended((to_jsonb(o) - 'last_accessed_at')::text, 0)), 0)::text "
        f"FROM storage.objects AS o{' WHERE bucket_id = ANY(%s)' if buckets else ''}".encode(),
        (list(buckets),) if buckets else None,
    ).fetchone()
    assert row is not None
    return str(row[0])


def read_objects(connection: psycopg.Connection, buckets: Sequence[str] = ()) -> Iterator[StorageObject]:
    """Every file of ``buckets`` (all, if there are none), by bucket and name; memory is that of a batch.

    The connection is in a transaction. Raises :class:`~supavex.errors.UsageError` where there is no such bucket.
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
