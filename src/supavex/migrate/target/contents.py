"""What the tables of an export hold, as counts and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import to_export_json


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a table: the number of documents, and a digest of all of them (128 bits, hexadecimal)."""

    documents: int
    digest: str


NOTHING = Content(0, "0" * 32)


def content_of(archive: SnapshotArchive, table: str) -> Content:
    """The content of ``table`` in an archive, which is empty if the archive lacks the table."""
    if table not in archive.tables:
        return NOTHING
    total = count = 0
    for document in archive.documents(table):
        count += 1
        total += int.from_bytes(hashlib.sha256(to_export_json(document).encode()).digest()[:16], "big")
    return Content(count, f"{total % (1 << 128):032x}")


def same_content(first: SnapshotArchive, second: SnapshotArchive, table: str) -> bool:
    """Whether two archives hold the same documents of a table. If the JSON is equal, no document is parsed."""
    if _lines_digest(first, table) == _lines_digest(second, table):
        return True
    return content_of(first, table) == content_of(second, table)


def _lines_digest(archive: SnapshotArchive, table: str) -> bytes:
    hashed = hashlib.sha256()
    if table in archive.tables:
        hashed.update(b"uniform\n" if archive.uniform(table) else b"\n")
        for block in archive.blocks(table):
            hashed.update(block)
    return hashed.digest()


def contents(path: Path, tables: Iterable[str]) -> dict[str, Content]:
    """The content of some tables in the archive at ``path``."""
    with SnapshotArchive(path) as archive:
        return {table: content_of(archive, table) for table in sorted(tables)}


def changed_tables(before: Path, after: Path, moved: set[str]) -> list[str]:
    """The tables, except ``moved``, whose documents differ between two exports."""
    with SnapshotArchive(before) as first, SnapshotArchive(after) as second:
        names = (set(first.tables) | set(second.tables)) - moved
        return sorted(name for name in names if not same_content(first, second, name))
