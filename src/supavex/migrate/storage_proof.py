"""The proof of all stored files that a migration makes: those of buckets, and those of large values."""

from __future__ import annotations

from collections.abc import Mapping

from supavex.mapping.storage import OBJECTS
from supavex.migrate.file_proof import Stored, prove_files
from supavex.migrate.file_sources import FileSource
from supavex.migrate.proof import TableProof
from supavex.migrate.value_proof import prove_values
from supavex.migrate.verification import Asked, FilesProof


def files_proof(source: FileSource | None, buckets: tuple[str, ...], target: Mapping[str, Stored]) -> FilesProof:
    """What :func:`~supavex.migrate.verification.verify` proves stored files with, those of large values among them.

    Without a ``source``, there are no files of buckets.
    """

    def prove(asked: Asked) -> list[TableProof]:
        proofs = [
            prove_values(asked, table, large, seen, target) for table, seen in asked.tables for large in table.files
        ]
        if source is not None:
            explained = asked.rejects.get(OBJECTS, {})

            def progress(done: int) -> None:
                asked.progress(OBJECTS, done, 0)

            proofs.append(prove_files(asked.snapshot, source, buckets, target, explained, progress))
        return proofs

    return prove
