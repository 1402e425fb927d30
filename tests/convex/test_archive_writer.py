"""What the writer of snapshot archives writes is what zipfile reads."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.archive_writer import ArchiveWriter, JoinedEntry
from supavex.convex.snapshot import schema_entry
from supavex.errors import SupavexError

FOUR_GIB = 0xFFFFFFFF


def deflated(name: str, content: bytes) -> tuple[JoinedEntry, list[bytes]]:
    """``content`` as an entry of two deflated pieces."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    pieces = [deflate.compress(content) + deflate.flush(zlib.Z_FULL_FLUSH), deflate.flush()]
    return JoinedEntry(name, zlib.crc32(content), len(content), sum(map(len, pieces))), pieces


def written(*entries: tuple[str, bytes]) -> bytes:
    """An archive of small entries."""
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    for name, content in entries:
        writer.add(name, content)
    writer.close()
    return file.getvalue()


def opened(archive: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(archive))


def test_pieces_that_are_not_as_announced_are_refused():
    entry, pieces = deflated("posts/documents.jsonl", b"{}\n" * 100)
    with pytest.raises(SupavexError, match="announced"):
        ArchiveWriter(io.BytesIO()).add_joined(entry, pieces[:1])


def test_zipfile_reads_what_was_written():
    documents = b'{"a":"\xc3\xa9"}\n' * 10_000
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    writer.add("_tables/documents.jsonl", b"{}\n")
    writer.add_joined(*deflated("posts/documents.jsonl", documents))
    writer.add("posts/generated_schema.jsonl", schema_entry())
    writer.add("empty/documents.jsonl", b"")
    writer.close()
    with opened(file.getvalue()) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "_tables/documents.jsonl": b"{}\n",
            "posts/documents.jsonl": documents,
            "posts/generated_schema.jsonl": b'"uniform"\n',
            "empty/documents.jsonl": b"",
        }
    assert len(file.getvalue()) < len(documents) / 10


def test_entries_are_in_the_order_they_were_added_with_mode_0644_and_a_fixed_date():
    with opened(written(("b/documents.jsonl", b"x"), ("ä", b"y"), ("a", b""))) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["b/documents.jsonl", "ä", "a"]
    for entry in entries:
        assert entry.external_attr >> 16 == 0o100644
        assert entry.create_system == 3, "Unix, so that the mode counts"
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert entry.compress_type == zipfile.ZIP_DEFLATED


@given(contents=st.dictionaries(st.text("abc/é_.", min_size=1, max_size=8), st.binary(max_size=99), max_size=5))
def test_any_contents(contents: dict[str, bytes]):
    archive = written(*contents.items())
    assert archive == written(*contents.items()), "equal contents give equal bytes"
    with opened(archive) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == contents


def test_the_writer_leaves_the_file_open_and_starts_where_it_stands():
    file = io.BytesIO()
    file.write(b"#!/bin/sh\n")
    writer = ArchiveWriter(file)
    writer.add("a", b"1")
    writer.close()
    assert not file.closed
    with opened(file.getvalue()) as archive:
        assert archive.read("a") == b"1"


def test_no_entries():
    with opened(written()) as archive:
        assert archive.namelist() == []


@pytest.mark.parametrize(("count", "zip64"), [(0xFFFE, False), (0xFFFF, True)])
def test_many_entries(count: int, zip64: bool):
    """A count of 65,535 is what ZIP64 says in the old field, so from there on the new one is needed."""
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    for number in range(count):
        writer.add(f"t{number:05}/documents.jsonl", b"")
    writer.close()
    archive = file.getvalue()
    assert (b"PK\x06\x06" in archive) == zip64
    with opened(archive) as found:
        names = found.namelist()
    assert (len(names), names[0], names[-1]) == (count, "t00000/documents.jsonl", f"t{count - 1:05}/documents.jsonl")


@pytest.mark.parametrize("start", [FOUR_GIB - 1, FOUR_GIB, FOUR_GIB + 7])
def test_an_entry_that_starts_beyond_four_gib(tmp_path: Path, start: int):
    """The file has a hole of four GiB in front, which takes no room on the disk."""
    path = tmp_path / "big.zip"
    with path.open("wb") as file:
        file.seek(start)
        writer = ArchiveWriter(file)
        writer.add("a/documents.jsonl", b"1\n")
        writer.add("b/documents.jsonl", b"2\n")
        writer.close()
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].header_offset == start
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == [b"1\n", b"2\n"]


def local_sizes(header: bytes) -> tuple[int, int]:
    """Packed size and size as a local file header says them (APPNOTE 6.3.9, sections 4.3.7 and 4.5.3)."""
    packed, size, name, extra = struct.unpack("<IIHH", header[18:30])
    if (packed, size) != (FOUR_GIB, FOUR_GIB):
        return packed, size
    tag, length, size, packed = struct.unpack("<HHQQ", header[30 + name : 30 + name + extra])
    assert (tag, length) == (1, 16)
    return packed, size


@pytest.mark.parametrize(
    ("packed", "size"),
    [
        (10, FOUR_GIB - 1),
        (10, FOUR_GIB),
        (10, FOUR_GIB + 1),
        (FOUR_GIB - 1, FOUR_GIB - 1),
        (FOUR_GIB, 20 << 30),
        (5 << 30, 20 << 30),
    ],
)
def test_an_entry_larger_than_four_gib(tmp_path: Path, packed: int, size: int):
    """The deflated data is a hole in the file."""
    path = tmp_path / "big.zip"

    def hole(file: IO[bytes]) -> Iterator[bytes]:
        file.seek(packed, io.SEEK_CUR)
        yield b""

    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        writer.add_joined(JoinedEntry("big/documents.jsonl", 0x12345678, size, packed), hole(file))
        writer.add("small/documents.jsonl", b"{}\n")
        writer.close()
    with zipfile.ZipFile(path) as archive:
        big, small = archive.infolist()
        assert (big.compress_size, big.file_size, big.CRC) == (packed, size, 0x12345678)
        assert small.header_offset == 30 + len("big/documents.jsonl") + (20 if size >= FOUR_GIB else 0) + packed
        assert archive.read(small) == b"{}\n"
    with path.open("rb") as file:
        assert local_sizes(file.read(100)) == (packed, size)
