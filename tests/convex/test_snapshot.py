"""Snapshot archives: what is read is checked."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex.archive_writer import ArchiveWriter
from supavex.convex.ids import encode_id
from supavex.convex.limits import STORAGE_NUMBER
from supavex.convex.snapshot import SnapshotArchive, schema_entry, tables_entry
from supavex.convex.values import same, to_export_json
from supavex.errors import SupavexError, UsageError
from tests.deployment.archives import UNIFORM, lines, tables, write_archive
from tests.official.strategies import values

FOUR_GIB = 0xFFFFFFFF


def written(*entries: tuple[str, bytes]) -> bytes:
    """An archive of small entries."""
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    for name, content in entries:
        writer.add(name, content)
    writer.close()
    return file.getvalue()


def test_the_list_of_tables_is_by_number():
    assert tables_entry({"users": 10_002, "Posts": 10_003, "accounts": 10_001}) == (
        b'{"name": "accounts", "id": 10001}\n{"name": "users", "id": 10002}\n{"name": "Posts", "id": 10003}\n'
    )
    assert tables_entry({}) == b""


def read(folder: Path, entries: dict[str, str], table: str = "posts") -> list[dict[str, Any]]:
    with SnapshotArchive(write_archive(folder / "a.zip", entries)) as archive:
        return list(archive.documents(table))


def read_whole(path: Path) -> None:
    with SnapshotArchive(path) as archive:
        for table in archive.tables:
            list(archive.documents(table))


def refused(folder: Path, entries: dict[str, str]) -> SupavexError:
    """What the reader says when everything in the archive is read."""
    path = write_archive(folder / "a.zip", entries)
    with pytest.raises(SupavexError) as caught:
        read_whole(path)
    return caught.value


def test_what_the_writer_wrote_is_read_back(tmp_path: Path):
    document = {"_id": encode_id(10_001, bytes(16)), "_creationTime": 1.5, "count": 5, "data": b"\x00"}
    file = tmp_path / "a.zip"
    file.write_bytes(
        written(
            ("_tables/documents.jsonl", tables_entry({"posts": 10_001, "users": 10_002})),
            ("posts/documents.jsonl", to_export_json(document).encode() + b"\n"),
            ("posts/generated_schema.jsonl", schema_entry()),
        )
    )
    with SnapshotArchive(file) as archive:
        assert archive.path == file
        assert archive.tables == ["posts", "users"]
        assert archive.numbers == {"posts": 10_001, "users": 10_002}
        assert (archive.uniform("posts"), archive.uniform("users")) == (True, False)
        assert list(archive.documents("posts")) == [document]
        assert list(archive.documents("users")) == []


@given(found=st.lists(st.dictionaries(st.text("abc", min_size=1, max_size=2), values(), max_size=3), max_size=3))
def test_a_uniform_table_keeps_every_value(tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, Any]]):
    folder = tmp_path_factory.mktemp("archive")
    text = "".join(to_export_json(document) + "\n" for document in found)
    back = read(folder, {"posts/documents.jsonl": text, "posts/generated_schema.jsonl": UNIFORM})
    assert len(back) == len(found) and all(map(same, back, found))


def test_without_the_schema_file_every_number_is_a_float(tmp_path: Path):
    """A table without int64, bytes and special floats needs no schema file; then JSON means what it means to an app."""
    text = '{"a":1,"b":[-2,{"c":3}],"d":1.0,"e":9007199254740993}\n'
    assert same(
        read(tmp_path, {"posts/documents.jsonl": text})[0], {"a": 1.0, "b": [-2.0, {"c": 3.0}], "d": 1.0, "e": 2.0**53}
    )
    assert same(
        read(tmp_path, {"posts/documents.jsonl": text, "posts/generated_schema.jsonl": UNIFORM})[0],
        {"a": 1, "b": [-2, {"c": 3}], "d": 1.0, "e": 2**53 + 1},
    )


@pytest.mark.parametrize("special", ['{"$integer":"AQAAAAAAAAA="}', '{"$bytes":"AA=="}', '{"$float":"AAAAAAAA8H8="}'])
def test_without_the_schema_file_convex_takes_no_special_values(tmp_path: Path, special: str):
    """Convex reads such a file by its older rules, to which a key that starts with $ is no field."""
    entries = {"posts/documents.jsonl": f'{{"a":{special}}}\n'}
    assert len(read(tmp_path, {**entries, "posts/generated_schema.jsonl": UNIFORM})) == 1
    assert "posts/documents.jsonl:1" in refused(tmp_path, entries).where


def test_tables_are_those_with_documents_or_a_number(tmp_path: Path):
    entries = {**tables(users=10_002, Accounts=10_003), "posts/documents.jsonl": "", "users/documents.jsonl": "{}"}
    with SnapshotArchive(write_archive(tmp_path / "a.zip", entries)) as archive:
        assert archive.tables == ["Accounts", "posts", "users"]
        assert list(archive.documents("Accounts")) == []
        assert list(archive.documents("nowhere")) == []


def test_an_archive_without_a_list_of_tables_gives_no_numbers(tmp_path: Path):
    with SnapshotArchive(write_archive(tmp_path / "a.zip", {"posts/documents.jsonl": "{}\n"})) as archive:
        assert (archive.numbers, archive.tables) == ({}, ["posts"])


@pytest.mark.parametrize("folder", ["snapshot_1700000000/", "a/b/", "all_components/", "./"])
def test_folders_above_do_not_count(tmp_path: Path, folder: str):
    entries = {**tables(posts=10_001), "posts/documents.jsonl": '{"a":1}\n', "posts/generated_schema.jsonl": UNIFORM}
    path = write_archive(tmp_path / "a.zip", {folder + name: text for name, text in entries.items()})
    with SnapshotArchive(path) as archive:
        assert (archive.tables, archive.numbers) == (["posts"], {"posts": 10_001})
        assert list(archive.documents("posts")) == [{"a": 1}]


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "posts/notes.txt",
        "posts/documents.json",
        "posts/documents.jsonl.bak",
        "documents.jsonl",
        "_storage/documents.jsonl",
        "_storage/kg204m40v9m1bmkthp86n486mh85s0rc.png",
        "_scheduled_functions/documents.jsonl",
        "_components/waitlist/posts/documents.jsonl",
        "_components/waitlist/_tables/documents.jsonl",
        "snapshot/_components/a/_components/b/posts/documents.jsonl",
    ],
)
def test_other_entries_are_passed_over(tmp_path: Path, name: str):
    entries = {**tables(posts=10_001), "posts/documents.jsonl": '{"a":1.0}\n', name: "no JSON"}
    with SnapshotArchive(write_archive(tmp_path / "a.zip", entries)) as archive:
        assert (archive.tables, archive.numbers) == (["posts"], {"posts": 10_001})
        assert list(archive.documents("posts")) == [{"a": 1.0}]


@pytest.mark.parametrize("table", ["my-table", "9lives", "a b", "é", "t" * 65])
def test_a_folder_that_can_name_no_table_is_refused(tmp_path: Path, table: str):
    """Its documents would be lost otherwise. Convex refuses it too."""
    assert refused(tmp_path, {f"{table}/documents.jsonl": "{}\n"}).code == "InvalidTableName"


def test_a_table_in_two_folders_is_not_read_by_half(tmp_path: Path):
    """Convex reads both, one after the other."""
    entries = {"x/posts/documents.jsonl": '{"a":1}\n', "y/posts/documents.jsonl": '{"a":2}\n'}
    assert read(tmp_path, entries) == [{"a": 1.0}, {"a": 2.0}]


@pytest.mark.parametrize("blank", ["", "  ", "\r"])
def test_a_blank_line_is_refused_as_convex_does(tmp_path: Path, blank: str):
    error = refused(tmp_path, {"posts/documents.jsonl": f'{{"a":1}}\r\n{blank}\n{{"a":2}}'})
    assert error.where == f"{tmp_path / 'a.zip'} posts/documents.jsonl:2"
    assert "the line is blank" in error.message


def test_the_older_form_of_generated_schema_is_refused(tmp_path: Path):
    entries = {"posts/documents.jsonl": "{}\n", "posts/generated_schema.jsonl": '{"a": "int64"}\n'}
    error = refused(tmp_path, entries)
    assert error.code == "UnsupportedArchive"
    assert "posts/generated_schema.jsonl" in error.message
    assert "Export again" in error.hint
    assert error.where == str(tmp_path / "a.zip")


# What is wrong is said, with its place


BAD_LINES = {
    "no JSON": ("{bad", "not JSON"),
    "half a document": ('{"a":1', "not JSON"),
    "two documents": ("{} {}", "not JSON"),
    "an array": ("[]", "not a JSON object"),
    "a text": ('"a"', "not a JSON object"),
    "NaN": ('{"a":NaN}', "NaN is not JSON"),
    "Infinity": ('{"a":[-Infinity]}', "-Infinity is not JSON"),
    "too large for a float": ('{"a":1e400}', "too large for float64"),
    "an integer too large for a float": ('{"a":1' + "0" * 400 + "}", "too large for float64"),
    "an integer of thousands of digits": ('{"a":1' + "0" * 9000 + "}", ""),
    "an unknown special value": ('{"a":{"$set":[]}}', "$set"),
    "a broken special value": ('{"a":{"$integer":"AA=="}}', "$integer"),
    "containers without end": ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", ""),
    "containers six hundred deep": ('{"a":' + "[" * 600 + "]" * 600 + "}", ""),
}


@pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "floats"])
@pytest.mark.parametrize(("line", "why"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_named(tmp_path: Path, line: str, why: str, uniform: bool):
    entries = {"posts/documents.jsonl": f'{{"a":1.0}}\n{{}}\n{line}\n{{"a":2.0}}\n'}
    if uniform:
        entries["posts/generated_schema.jsonl"] = UNIFORM
    error = refused(tmp_path, entries)
    assert error.where == f"{tmp_path / 'a.zip'} posts/documents.jsonl:3"
    assert why in error.message


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path):
    path = tmp_path / "a.zip"
    path.write_bytes(written(("posts/documents.jsonl", b'{"a":"\xff"}\n')))
    with SnapshotArchive(path) as archive, pytest.raises(SupavexError, match="not JSON") as caught:
        list(archive.documents("posts"))
    assert caught.value.where == f"{path} posts/documents.jsonl:1"


@pytest.mark.parametrize(
    "line",
    [
        *('{"id":10001}', '{"name":"a"}', '{"name":5,"id":10001}', '{"name":null,"id":10001}', "[]", "{bad"),
        *('{"name":"a","id":"10001"}', '{"name":"a","id":null}', '{"name":"a","id":true}', '{"name":"a","id":[]}'),
        *('{"name":"a","id":0}', '{"name":"a","id":-1}', '{"name":"a","id":4294967296}', '{"name":"a","id":1e400}'),
        *('{"name":"a b","id":10001}', '{"name":"","id":10001}', '{"name":"_private","id":10001}'),
    ],
)
def test_a_bad_line_in_the_list_of_tables_is_named(tmp_path: Path, line: str):
    error = refused(tmp_path, {"_tables/documents.jsonl": f'{{"name":"posts","id":10007}}\n{line}\n'})
    assert error.where == f"{tmp_path / 'a.zip'} _tables/documents.jsonl:2"


def test_a_table_listed_twice(tmp_path: Path):
    rows = [{"name": "a", "id": 10_001}, {"name": "b", "id": 10_002}, {"name": "a", "id": 10_003}]
    error = refused(tmp_path, {"_tables/documents.jsonl": lines(*rows)})
    assert error.code == "DuplicateTableName"
    assert "a appears twice" in error.message


def test_a_number_given_twice(tmp_path: Path):
    error = refused(tmp_path, tables(a=10_001, b=10_002, c=10_001))
    assert error.code == "InvalidId"
    assert "10001" in error.message


def test_no_such_file(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        SnapshotArchive(tmp_path / "missing.zip")
    assert (caught.value.code, caught.value.where) == ("NoArchive", str(tmp_path / "missing.zip"))


@pytest.mark.parametrize("content", [b"", b"PK", b'{"a":1}\n' * 99, bytes(1000)])
def test_not_a_zip(tmp_path: Path, content: bytes):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a ZIP archive") as caught:
        SnapshotArchive(path)
    assert (caught.value.code, caught.value.where) == ("InvalidArchive", str(path))


def test_a_folder_is_not_a_zip(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        SnapshotArchive(tmp_path)
    assert caught.value.code == "InvalidArchive"


ORDINARY = {
    **tables(posts=10_001),
    "posts/documents.jsonl": "".join(f'{{"a":{n}}}\n' for n in range(50)),
    "posts/generated_schema.jsonl": UNIFORM,
}


def test_an_archive_cut_off_anywhere_is_refused(tmp_path: Path):
    """As an interrupted download leaves it."""
    path = write_archive(tmp_path / "a.zip", ORDINARY)
    whole = path.read_bytes()
    read_whole(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SupavexError) as caught:
            read_whole(path)
        assert caught.value.code == "InvalidArchive", length


@pytest.mark.parametrize("entry", ORDINARY)
def test_damaged_contents_are_refused(tmp_path: Path, entry: str):
    path = write_archive(tmp_path / "a.zip", ORDINARY)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(entry)
    damaged = bytearray(path.read_bytes())
    at = info.header_offset + 30 + len(entry) + info.compress_size // 2
    damaged[at] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(SupavexError) as caught:
        read_whole(path)
    assert caught.value.code == "InvalidArchive"
    assert str(path) in caught.value.where


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_no_damaged_byte_breaks_the_reader(tmp_path: Path, bits: int):
    """It is an error that says so, or nothing that counts was hit: never an exception of another kind."""
    path = write_archive(tmp_path / "a.zip", ORDINARY)
    whole = path.read_bytes()
    refusals = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
        try:
            read_whole(path)
        except SupavexError:
            refusals += 1
    assert refusals > len(whole) / 3


# What Convex's import takes names for


def files_of(path: Path, entries: dict[str, str]) -> list[str]:
    with SnapshotArchive(write_archive(path, entries)) as archive:
        return [entry.entry for entry in archive.stored_files(STORAGE_NUMBER)]


def test_stored_files_of_components_are_not_the_apps_own(tmp_path: Path):
    own, other = encode_id(STORAGE_NUMBER, b"o" * 16), encode_id(10_044, b"c" * 16)
    entries = {
        f"_storage/{own}.png": "own",
        f"_components/files/_storage/{own}.png": "theirs",
        f"export/_components/a/_components/b/_storage/{other}": "theirs",
        "_components/files/posts/documents.jsonl": "{}\n",
        "_components/files/_storage/documents.jsonl": "no json",
    }
    assert files_of(tmp_path / "a.zip", entries) == [f"_storage/{own}.png"]
    with SnapshotArchive(tmp_path / "a.zip") as archive:
        assert archive.tables == []


def test_a_name_that_convex_takes_for_a_stored_file_is_refused(tmp_path: Path):
    assert files_of(tmp_path / "a.zip", {"user_storage/documents.jsonl": "", "_storage/.DS_Store": "x"}) == []
    names = [
        "user_storage/generated_schema.jsonl",
        "_storage/generated_schema.jsonl",
        "_storage/readme.txt",
        "a_storage/b",
    ]
    for name in names:
        with pytest.raises(SupavexError) as caught:
            files_of(tmp_path / "a.zip", {name: UNIFORM})
        assert caught.value.code == "InvalidStorageId" and name in caught.value.message
