"""Proves all stored files of a migration: those of buckets, and those of large values."""

from __future__ import annotations

from collections.abc import Mapping

from supavex.mapping.file_columns import OBJECTS
from supavex.migrate.proof.bucket_files import prove_files
from supavex.migrate.proof.findings import TableProof
from supavex.migrate.proof.request import Asked, FilesProof
from supavex.migrate.proof.value_files import prove_values
from supavex.migrate.storage.sources import FileSource
from supavex.migrate.target.stored_files import Stored


def files_proof(source: FileSource | None, buckets: tuple[str, ...], target: Mapping[str, Stored]) -> FilesProof:
    """The function with which :func:`~supavex.migrate.proof.run.verify` proves stored files, including those of large
    values.

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
