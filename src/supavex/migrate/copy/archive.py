"""Writes the archive of a copy from the parts of its tables."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from supavex.callbacks import Progress
from supavex.convex.archive_writer import ArchiveWriter, JoinedEntry
from supavex.convex.snapshot import schema_entry, tables_entry
from supavex.files import chosen_folder, owner_only
from supavex.migrate.copy.deflate import LAST_BLOCK, joined_crc
from supavex.migrate.copy.encoding.encoder import needs_uniform
from supavex.migrate.copy.part_files import PartFiles
from supavex.migrate.copy.tables import TableCopy
from supavex.migrate.storage.archive import Storage
from supavex.version import __version__

_MARK = "A Convex snapshot written by supavex"
_README = f"{_MARK} {__version__}. Import it with: npx convex import --replace FILE.zip\n"


def is_own(path: Path) -> bool:
    """Whether supavex wrote the file ``path`` as an archive.

    An export of Convex has the same form, and may be the only copy of what a deployment held.
    """
    try:
        with ZipFile(path) as archive, archive.open("README.md") as readme:
            return readme.read(len(_MARK)) == _MARK.encode()
    except (OSError, BadZipFile, KeyError, NotImplementedError, RuntimeError, zlib.error):
        return False


def write_archive(
    path: Path,
    copies: Sequence[TableCopy],
    numbers: Mapping[str, int],
    files: PartFiles,
    storage: Storage | None,
    progress: Progress,
) -> int:
    """Writes ``path``, which appears when it is whole. Returns the number of the target's stored files in it."""
    chosen_folder(path.parent)
    partial = path.with_name(path.name + ".partial")
    kept = 0
    try:
        with open(partial, "wb", opener=owner_only) as file:
            writer = ArchiveWriter(file)
            writer.add("README.md", _README.encode())
            writer.add(
                "_tables/documents.jsonl",
                tables_entry({copy.table.target: numbers[copy.table.target] for copy in copies}),
            )
            for copy in copies:
                results = [result for _, result in copy.parts]
                sizes = sum(r.size for r in results), sum(r.packed for r in results) + len(LAST_BLOCK)
                target = copy.table.target
                entry = JoinedEntry(f"{target}/documents.jsonl", joined_crc(results), *sizes)
                writer.add_joined(entry, _pieces(files, [name for name, _ in copy.parts]))
                if needs_uniform(copy.table):
                    writer.add(f"{target}/generated_schema.jsonl", schema_entry())
            if storage is not None:
                kept = storage.write(writer, progress)
            writer.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return kept


def _pieces(files: PartFiles, names: list[str]) -> Iterator[bytes]:
    """The bytes of parts, one after another, and the block that ends the stream."""
    for name in names:
        with files.read(name) as file:
            while piece := file.read(1 << 20):
                yield piece
    yield LAST_BLOCK
