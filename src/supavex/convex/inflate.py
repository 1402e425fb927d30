"""Inflates the entries of a ZIP. If ISA-L is installed, it is more than twice as fast as zlib."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

#: Deflated bytes read at a time: their content stays in the processor's cache.
_READ = 64 << 10
#: The most bytes that one step inflates to, even if the entry expands further.
_MOST = 1 << 20
_HEADER = struct.Struct("<26xHH")


def inflated(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """The contents of an entry, piece by piece. Raises the exceptions of ``zipfile`` for a damaged entry."""
    info = archive.getinfo(name)
    isal: Any = None
    if info.compress_type == zipfile.ZIP_DEFLATED and archive.filename is not None:
        with suppress(ImportError):
            from isal import isal_zlib as isal
    with archive.open(name) as entry:  # zipfile checks the entry's own header.
        if isal is None:
            while piece := entry.read(_MOST):
                yield piece
            return
    crc, inflater = 0, isal.decompressobj(-15)
    with open(str(archive.filename), "rb") as file:
        file.seek(info.header_offset)
        file.seek(sum(_HEADER.unpack(file.read(_HEADER.size))), 1)
        left, data = info.compress_size, b""
        while not inflater.eof:
            if not data:
                data = file.read(min(_READ, left))
                left -= len(data)
            try:
                # Without input, this gives the output that an earlier call had no room for.
                piece = inflater.decompress(data, _MOST)
            except isal.error as error:
                raise zlib.error(str(error)) from None
            if not (data or piece or inflater.eof):
                raise EOFError(f"{name} ends too early")
            data = inflater.unconsumed_tail
            crc = isal.crc32(piece, crc)
            if piece:
                yield piece
    if crc != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {name!r}")
