"""Counts what the app wrote to Convex since an import."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from supavex.convex.snapshot import SnapshotArchive
from supavex.convex.values import to_export_json
from supavex.migrate.state.row_files import RowFile, RowWriter, difference

_BLOCK = 4096


def written_since(table: str, after: Path, present: Path) -> tuple[int, int, int]:
    """The numbers of documents of a table that were inserted, updated and deleted between two exports."""
    with RowFile() as first, RowFile() as second:
        writers = [RowWriter(first, table), RowWriter(second, table)]
        for path, writer in zip((after, present), writers, strict=True):
            with SnapshotArchive(path) as archive:
                _digest_documents(archive, table, writer)
        bits = max(writer.bits for writer in writers)
        found = np.zeros(3, np.int64)
        for number in range(1 << bits):
            old = first.bucket(table, number, bits, writers[0].bits)
            new = second.bucket(table, number, bits, writers[1].bits)
            found += [len(positions) for positions in difference(old, new)]
    inserted, updated, deleted = found.tolist()
    return inserted, updated, deleted


def _digest_documents(archive: SnapshotArchive, table: str, writer: RowWriter) -> None:
    keys, digests = bytearray(), bytearray()

    def put() -> None:
        matrix = np.frombuffer(bytes(keys), np.uint8).reshape(-1, 16)
        writer.add(matrix, np.frombuffer(bytes(digests), "<i8"))
        keys.clear()
        digests.clear()

    for document in archive.documents(table) if table in archive.tables else ():
        keys += hashlib.sha256(str(document.get("_id")).encode()).digest()[:16]
        digests += hashlib.sha256(to_export_json(document).encode()).digest()[:8]
        if len(keys) >= _BLOCK * 16:
            put()
    put()
    writer.close()
