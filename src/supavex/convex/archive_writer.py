"""Writes the ZIP of a snapshot archive from streams that are already deflated.

All entries have the same fixed time, so that equal contents give equal bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

from supavex.errors import SupavexError

_DOS_TIME = (1 << 5 | 1) << 16  # 1980-01-01 00:00, the earliest time that a ZIP can hold
_ZIP64 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class JoinedEntry:
    """An entry of deflated pieces: its name, the CRC-32 and bytes of its content, and the bytes of the pieces."""

    name: str
    crc: int
    size: int
    packed: int


class ArchiveWriter:
    """Writes a snapshot archive to ``file`` from streams that are already deflated. Call :meth:`close` at the end.

    It writes the container only (APPNOTE 6.3.9; ZIP64 if a size needs it). Python's ``zipfile`` can't take a member
    that is already compressed.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._directory: list[bytes] = []

    def add_joined(self, entry: JoinedEntry, pieces: Iterable[bytes]) -> None:
        """Adds an entry whose ``pieces`` are one raw deflate stream. The pieces are not compressed again."""
        offset = self._header(entry.name, entry.crc, entry.packed, entry.size)
        start = self._file.tell()
        for piece in pieces:
            self._file.write(piece)
        written = self._file.tell() - start
        if written != entry.packed:
            message = f"{entry.name}: {written:,} bytes where {entry.packed:,} were announced."
            raise SupavexError("PartChanged", message, hint="Run the command again.", retryable=True)
        self._remember(entry.name, entry.crc, entry.packed, entry.size, offset)

    def add_streamed(self, name: str, pieces: Iterable[bytes], deflate: Any = None) -> tuple[int, int]:
        """Adds an entry of any length and deflates it. Returns the CRC-32 and the number of bytes of the unpacked
        content.

        Both are known only at the end, when the entry's header is written again, so the file has to be seekable.
        ``deflate`` compresses to a raw deflate stream; the default is zlib at level 1.
        """
        offset = self._header(name, 0, _ZIP64, _ZIP64)
        start = self._file.tell()
        # Level 1: most stored files are compressed formats already.
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15) if deflate is None else deflate
        crc = size = 0
        for piece in pieces:
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            self._file.write(deflate.compress(piece))
        self._file.write(deflate.flush())
        end = self._file.tell()
        self._file.seek(offset)
        self._header(name, crc, end - start, size, wide=True)
        self._file.seek(end)
        self._remember(name, crc, end - start, size, offset)
        return crc, size

    def add(self, name: str, content: bytes) -> None:
        """Adds a small entry, deflated at level 6."""
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = deflate.compress(content) + deflate.flush()
        crc = zlib.crc32(content)
        offset = self._header(name, crc, len(packed), len(content))
        self._file.write(packed)
        self._remember(name, crc, len(packed), len(content), offset)

    def _header(self, name: str, crc: int, packed: int, size: int, *, wide: bool = False) -> int:
        offset = self._file.tell()
        big = wide or packed >= _ZIP64 or size >= _ZIP64
        extra = struct.pack("<HHQQ", 1, 16, size, packed) if big else b""
        sizes = (_ZIP64, _ZIP64) if big else (packed, size)
        encoded = name.encode()
        head = struct.pack(
            "<IHHHIIIIHH", 0x04034B50, 45 if big else 20, 0x800, 8, _DOS_TIME, crc, *sizes, len(encoded), len(extra)
        )
        self._file.write(head + encoded + extra)
        return offset

    def _remember(self, name: str, crc: int, packed: int, size: int, offset: int) -> None:
        wide = [value for value in (size, packed, offset) if value >= _ZIP64]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        encoded = name.encode()
        version = 45 if wide else 20
        # 3 is Unix; mode 0644 stands in the upper half of the external attributes.
        entry = struct.pack(
            "<IHHHHIIIIHHHHHII",
            0x02014B50, 3 << 8 | version, version, 0x800, 8, _DOS_TIME, crc, min(packed, _ZIP64), min(size, _ZIP64),
            len(encoded), len(extra), 0, 0, 0, 0o100644 << 16, min(offset, _ZIP64),
        )  # fmt: skip
        self._directory.append(entry + encoded + extra)

    def close(self) -> None:
        """Writes the central directory. The file itself stays open."""
        start = self._file.tell()
        self._file.write(b"".join(self._directory))
        size, count = self._file.tell() - start, len(self._directory)
        if start >= _ZIP64 or size >= _ZIP64 or count >= 0xFFFF:
            end = self._file.tell()
            self._file.write(
                struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 3 << 8 | 45, 45, 0, 0, count, count, size, start)
            )
            self._file.write(struct.pack("<IIQI", 0x07064B50, 0, end, 1))
        short = min(count, 0xFFFF)
        self._file.write(
            struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, short, short, min(size, _ZIP64), min(start, _ZIP64), 0)
        )
