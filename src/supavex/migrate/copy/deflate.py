"""Deflate streams that can be joined: each part ends at a byte, and one last block ends the joined stream."""

from __future__ import annotations

import zlib
from typing import IO, Any

from supavex.errors import missing_extra
from supavex.migrate.copy.part_files import PartFiles
from supavex.migrate.copy.results import PartResult


class Deflater:
    """Deflates into a file (ISA-L level 1) that ends at a byte, so that the file of the next part may follow."""

    def __init__(self, file: IO[bytes]) -> None:
        self._isal = _isal()
        self._file = file
        self._deflate: Any = self._isal.compressobj(1, zlib.DEFLATED, -15)
        self.crc = self.size = self.packed = 0

    def write(self, content: memoryview) -> None:
        """Adds some bytes."""
        self.crc = self._isal.crc32(content, self.crc)
        self.size += len(content)
        self._put(self._deflate.compress(content))

    def close(self) -> None:
        """Writes the rest. The stream stays open: :data:`LAST_BLOCK` ends it."""
        self._put(self._deflate.flush(zlib.Z_FULL_FLUSH))

    def _put(self, packed: bytes) -> None:
        self.packed += len(packed)
        self._file.write(packed)


#: An empty deflate block with the mark of the last block.
LAST_BLOCK = b"\x03\x00"


def joined_crc(results: list[PartResult]) -> int:
    """The CRC-32 of the lines of several parts, one after another."""
    crc = 0
    for result in results:
        crc = _isal().crc32_combine(crc, result.crc, result.size)
    return crc


def whole(files: PartFiles, name: str, result: PartResult) -> bool:
    """Whether the part's file exists and unpacks to the lines that were written."""
    if files.size(name) != result.packed:
        return False
    isal = _isal()
    inflate, crc, size = isal.decompressobj(-15), 0, 0
    try:
        with files.read(name) as file:
            while piece := file.read(1 << 20):
                content = inflate.decompress(piece)
                crc, size = isal.crc32(content, crc), size + len(content)
    except (OSError, isal.error):
        return False
    return bool(crc == result.crc and size == result.size)


def _isal() -> Any:
    try:
        from isal import isal_zlib
    except ImportError:
        raise missing_extra("isal", "copy", "Writing archives") from None
    return isal_zlib
