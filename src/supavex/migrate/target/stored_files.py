"""The stored files of an archive or a deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.database.stored_files import Files
from supavex.deployment.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored file of a target: its metadata, and a function that reads it."""

    sha256: bytes | None
    size: int | None
    content_type: str | None
    created: float | None
    read: Callable[[], Iterator[bytes]]


def archive_files(archive: SnapshotArchive) -> dict[str, Stored]:
    """The stored files of an archive, by id."""
    sizes = {str(row.get("_id")): row.get("size") for row in archive.documents(STORAGE_TABLE)}
    return {
        entry.id: Stored(
            entry.sha256,
            int(size) if isinstance(size := sizes.get(entry.id), float | int) else None,
            entry.content_type,
            entry.created,
            lambda name=entry.entry: archive.read_stored(name),  # type: ignore[misc]
        )
        for entry in archive.stored_files(STORAGE_NUMBER)
    }


def deployment_files(deployment: Deployment) -> dict[str, Stored]:
    """The stored files of a local deployment, by id."""

    def read(path: object) -> Iterator[bytes]:
        with open(str(path), "rb") as file:
            while piece := file.read(1 << 20):
                yield piece

    return {
        file.id: Stored(
            file.sha256,
            file.size,
            file.content_type,
            file.created,
            lambda path=file.path: read(path),  # type: ignore[misc]
        )
        for file in Files(deployment.store, deployment.path.parent).all()
    }
