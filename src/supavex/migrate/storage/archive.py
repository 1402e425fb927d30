"""The ``_storage`` of a snapshot archive: files of buckets, large values, and the target's own files.

Convex's import replaces all stored files by those of an archive, so the archive has to contain every file that must
stay.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.ids import decode_id
from supavex.convex.limits import STORAGE_NUMBER, STORAGE_TABLE
from supavex.convex.snapshot import SnapshotArchive
from supavex.mapping.file_columns import OBJECTS
from supavex.mapping.plan import TablePlan
from supavex.migrate.storage.buckets import BucketFiles, FileJob, add_files
from supavex.migrate.storage.entries import NewFile, add_file
from supavex.migrate.storage.values import ValueFiles, add_values, left_over
from supavex.postgres.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Storage:
    """The content of ``_storage``."""

    #: The requested files.
    job: FileJob
    #: The files of buckets; None if none move.
    files: BucketFiles | None
    #: The values that become files.
    values: ValueFiles
    #: The tables of these values.
    tables: list[TablePlan]
    #: By table, the keys (16 bytes) of rejected rows.
    rejected: Mapping[str, set[bytes]]
    #: The snapshot at which the values are read.
    snapshot: Snapshot

    def write(self, writer: ArchiveWriter, progress: Callable[[str, int, int], None]) -> int:
        """Writes the files into an archive. Returns how many of the target's files are among them. Without files, it
        writes nothing.
        """
        kept, stale = self._kept()
        if self.files is None and not self.values.files and not stale:
            return 0
        with tempfile.TemporaryFile() as lines:
            if self.files is not None:
                total = self.files.files
                add_files(self.files, writer, lines, lambda done: progress(OBJECTS, done, total))
            add_values(self.values, self.snapshot, self.rejected, writer, lines, progress)
            self._write_kept(kept, writer, lines)
            lines.seek(0)
            writer.add_streamed(f"{STORAGE_TABLE}/documents.jsonl", iter(lambda: lines.read(1 << 20), b""))
        return len(kept)

    def _kept(self) -> tuple[set[bytes], set[bytes]]:
        """The target's files that did not come from a migration, and those of earlier migrations."""
        if self.job.kept is None:
            return set(), set()
        with SnapshotArchive(self.job.kept) as target:
            others = {decode_id(entry.id)[1] for entry in target.stored_files(STORAGE_NUMBER)}
            others = {id_ for id_ in others if not self._goes(id_)}

            def ids(table: str) -> Iterator[str]:
                return (str(document["_id"]) for document in target.documents(table))

            stale = left_over(self.tables, ids, others)
        return others - stale, stale

    def _goes(self, internal_id: bytes) -> bool:
        """Whether a file of that id comes from this migration: it is copied, or its row is rejected."""
        return self.values.holds(internal_id) or (self.files is not None and self.files.holds(internal_id))

    def _write_kept(self, kept: set[bytes], writer: ArchiveWriter, lines: IO[bytes]) -> None:
        if not kept:
            return
        assert self.job.kept is not None
        with SnapshotArchive(self.job.kept) as target:
            for entry in target.stored_files(STORAGE_NUMBER):
                if decode_id(entry.id)[1] in kept:
                    pieces = target.read_stored(entry.entry)
                    file = NewFile(entry.id, entry.created, entry.content_type, entry.name)
                    add_file(writer, lines, file, pieces)
