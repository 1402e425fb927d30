"""An entry of a ZIP, piece by piece, with ISA-L and without: what ``zipfile`` reads, and what it refuses."""

from __future__ import annotations

import random
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from supavex.convex.inflate import inflated
from supavex.convex.snapshot import SnapshotArchive
from supavex.errors import SupavexError


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    return str(request.param)


def written(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED, before: bytes = b"") -> Path:
    with open(path, "wb") as file:
        file.write(before)
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("first/documents.jsonl", b'{"a": 1}\n')
            archive.writestr("t/documents.jsonl", content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_the_contents_are_those_that_went_in(tmp_path: Path, size: int, method: int) -> None:
    content = random.Random(size).randbytes(size // 3) * 3
    # What stands before the archive, as in one that unpacks itself, is not of it.
    path = written(tmp_path / "a.zip", content, method, before=b"#!/bin/sh\n")
    with zipfile.ZipFile(path) as archive:
        assert b"".join(inflated(archive, "t/documents.jsonl")) == content


@pytest.mark.slow
def test_what_inflates_to_far_more_comes_in_small_pieces(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", bytes(200 << 20))
    assert path.stat().st_size < 1 << 20
    with zipfile.ZipFile(path) as archive:
        sizes = [len(piece) for piece in inflated(archive, "t/documents.jsonl")]
    assert sum(sizes) == 200 << 20
    assert max(sizes) <= 1 << 20
    # No document is as long: that is said long before all of it is there.
    with SnapshotArchive(path) as snapshot, pytest.raises(SupavexError, match="longer than any document"):
        next(snapshot.blocks("t"))


@pytest.mark.parametrize("more", [1, 100, 257, 258, 300, 1 << 20, (1 << 20) + 1])
@pytest.mark.parametrize("unit", [b"a", b'{"a": 1}\n', random.Random(1).randbytes(50)])
def test_the_last_piece_comes_though_all_input_was_taken(tmp_path: Path, unit: bytes, more: int) -> None:
    content = (unit * (3 << 20))[: (1 << 20) + more]
    with zipfile.ZipFile(written(tmp_path / "a.zip", content)) as archive:
        assert b"".join(inflated(archive, "t/documents.jsonl")) == content


def test_contents_of_another_checksum_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", b"x" * 100_000)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("t/documents.jsonl")
        info.CRC += 1
        with pytest.raises(zipfile.BadZipFile):
            list(inflated(archive, "t/documents.jsonl"))


@pytest.mark.parametrize("at", range(0, 1000, 37))
def test_a_damaged_byte_is_told(tmp_path: Path, at: int) -> None:
    content = random.Random(1).randbytes(500) * 2
    path = written(tmp_path / "a.zip", content)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("t/documents.jsonl")
    start = info.header_offset + 30 + len("t/documents.jsonl")
    data = bytearray(path.read_bytes())
    data[start + at % info.compress_size] ^= 0x55
    path.write_bytes(data)
    with (
        zipfile.ZipFile(path) as archive,
        pytest.raises((zipfile.BadZipFile, zlib.error, EOFError)),
    ):
        list(inflated(archive, "t/documents.jsonl"))


def test_an_end_that_is_missing_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", random.Random(1).randbytes(100_000))
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("t/documents.jsonl")
        info.compress_size -= 70_000
        with pytest.raises((zipfile.BadZipFile, zlib.error, EOFError)):
            list(inflated(archive, "t/documents.jsonl"))


def test_blocks_end_where_lines_do(tmp_path: Path) -> None:
    lines = [b'{"n": %d, "text": "%s"}\n' % (n, b"x" * (n * 7919 % 3000)) for n in range(8000)]
    for last in (b"", b'{"n": "no line\'s end"}'):
        content = b"".join(lines) + last
        with SnapshotArchive(written(tmp_path / "a.zip", content)) as snapshot:
            blocks = list(snapshot.blocks("t"))
        assert b"".join(blocks) == content
        assert len(blocks) > 1
        assert all(block.endswith(b"\n") for block in blocks[:-1])
