"""Exported, imported into another deployment and exported again: equal to the byte."""

import base64
import hashlib
import json
import math
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment import Deployment
from supavex.deployment.database.stored_files import Files
from supavex.deployment.transfer.exporting import export_snapshot
from supavex.deployment.transfer.file_import import import_files
from supavex.deployment.transfer.importing import import_snapshot
from supavex.errors import SupavexError
from supavex.schema import define_schema, define_table, v
from tests.deployment.archives import everything
from tests.official.strategies import values

Make = Callable[[str], Deployment]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Deployments by name, each in a folder of its own."""
    made: list[Deployment] = []

    def new(name: str) -> Deployment:
        made.append(Deployment(tmp_path / name / "deployment.sqlite3"))
        return made[-1]

    yield new
    for deployment in made:
        deployment.store.close()


def files_of(deployment: Deployment) -> Files:
    return Files(deployment.store, deployment.path.parent)


def exported(deployment: Deployment) -> bytes:
    path = deployment.path.with_suffix(".zip")
    export_snapshot(deployment, path, deployment.path.parent)
    return path.read_bytes()


def moved(deployment: Deployment, other: Deployment) -> bytes:
    """``deployment``'s export, imported into ``other`` and exported from there."""
    exported(deployment)
    with SnapshotArchive(deployment.path.with_suffix(".zip")) as archive, other.store.transaction():
        import_snapshot(other, archive)
        import_files(other, other.path.parent, archive, replace=False)
    return exported(other)


def keep(deployment: Deployment, content: bytes, kind: str | None) -> str:
    files = files_of(deployment)
    path = files.new_path()
    path.write_bytes(content)
    return files.keep(path, kind).id


EVERY = {
    "int64": [0, -1, 2**63 - 1, -(2**63)],
    "float64": [0.0, -0.0, 1.5, 1e300, 5e-324, math.inf, -math.inf, 1e16, 5.0],
    "not a number": struct.unpack("<d", b"\x01\0\0\0\0\0\xf8\x7f")[0],
    "bytes": [b"", b"\0\xff"],
    "text": ["", 'é😀\u2028\n"\\', "$integer"],
    "nested": {"a": [{"b": [{"": None, "z": 1, "Z": 1.0}]}], "true": True},
}


def test_every_kind_of_value_comes_back_to_the_byte(make: Make):
    deployment = make("one")
    deployment.insert("every", EVERY)
    deployment.insert("Other", {"n": 5})
    deployment.create_table("empty")
    first = exported(deployment)
    assert moved(deployment, make("two")) == first
    entries = zipfile.ZipFile(deployment.path.with_suffix(".zip"))
    assert entries.namelist()[:2] == ["README.md", "_tables/documents.jsonl"]
    assert entries.read("every/generated_schema.jsonl") == b'"uniform"\n'
    line = json.loads(entries.read("every/documents.jsonl"))
    assert list(line) == sorted(line)
    assert line["int64"] == [0, -1, 2**63 - 1, -(2**63)]
    assert line["not a number"] == {"$float": base64.b64encode(struct.pack("<d", EVERY["not a number"])).decode()}


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), values(), max_size=3), min_size=1, max_size=5))
@settings(max_examples=30)
def test_any_values_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]):
    folder = tmp_path_factory.mktemp("export")
    with Deployment(folder / "one" / "d.sqlite3") as one, Deployment(folder / "two" / "d.sqlite3") as two:
        stored = 0
        for row in rows:
            try:
                one.insert("rows", row)
                stored += 1
            except SupavexError:
                continue  # beyond Convex's limits
        first = exported(one)
        assert moved(one, two) == first
        assert two.count("rows") == stored


def test_stored_files_keep_ids_addresses_types_and_times(make: Make):
    deployment = make("one")
    contents = {
        "a.png": (b"\x89PNG", "image/png"),
        "b": (b"", None),
        "c": (b"x" * 3_000_000, "text/plain; charset=utf-8"),
    }
    ids = [keep(deployment, content, kind) for content, kind in contents.values()]
    deployment.push(define_schema({"posts": define_table({"file": v.id("_storage")})}).export())
    deployment.insert("posts", {"file": ids[0]})
    with pytest.raises(SupavexError, match="does not match the schema"):
        deployment.insert("posts", {"file": next(iter(deployment.documents("posts")))["_id"]})
    first = exported(deployment)
    other = make("two")
    other.push(deployment.schema_text or "")
    assert moved(deployment, other) == first
    for before, after in zip(files_of(deployment).all(), files_of(other).all(), strict=True):
        assert (after.id, after.name, after.created, after.content_type) == (
            before.id, before.name, before.created, before.content_type,
        )  # fmt: skip
        assert after.path.read_bytes() == before.path.read_bytes()
        assert after.sha256 == hashlib.sha256(after.path.read_bytes()).digest()


def test_a_file_imported_over_itself_stays_and_others_go_where_it_replaces(make: Make):
    deployment = make("one")
    kept = keep(deployment, b"kept", None)
    exported(deployment)
    gone = keep(deployment, b"gone", None)
    (path,) = [file.path for file in files_of(deployment).all() if file.id == gone]
    with SnapshotArchive(deployment.path.with_suffix(".zip")) as archive:
        count, old = import_files(deployment, deployment.path.parent, archive, replace=True)
    assert (count, old) == (1, {path})
    (left,) = files_of(deployment).all()
    assert (left.id, left.path.read_bytes()) == (kept, b"kept")


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/b", "", "x" * 300, 5])
def test_an_address_in_an_archive_is_a_uuid_or_passed_over(make: Make, name: Any):
    deployment = make("one")
    id_ = keep(deployment, b"a", None)
    exported(deployment)
    other = make("two")
    path = other.path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_storage/documents.jsonl", json.dumps({"_id": id_, "internalId": name}) + "\n")
        archive.writestr(f"_storage/{id_}", b"a")
    with SnapshotArchive(path) as opened:
        import_files(other, other.path.parent, opened, replace=False)
    (file,) = files_of(other).all()
    assert file.path.parent == other.path.parent / "storage" and file.path.read_bytes() == b"a"


def test_a_file_with_another_digest_than_is_said_of_it(make: Make):
    deployment = make("one")
    id_ = keep(deployment, b"a", None)
    other = make("two")
    path = other.path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        said = base64.b64encode(b"0" * 32).decode()
        archive.writestr("_storage/documents.jsonl", json.dumps({"_id": id_, "sha256": said}) + "\n")
        archive.writestr(f"_storage/{id_}", b"a")
    with SnapshotArchive(path) as opened, pytest.raises(SupavexError) as caught:
        import_files(other, other.path.parent, opened, replace=False)
    assert caught.value.code == "Sha256Mismatch"
    assert list(files_of(other).all()) == []
    assert list((other.path.parent / "storage").iterdir()) == []


def test_an_export_is_one_moment_and_changes_nothing(make: Make):
    deployment = make("one")
    deployment.insert("posts", {"a": 1})
    before = everything(deployment)
    assert exported(deployment) == exported(deployment)
    assert everything(deployment) == before


def test_a_deployment_opens_while_another_connection_writes(make: Make):
    deployment = make("one")
    deployment.insert("posts", {"a": 1})
    with deployment.store.transaction():
        deployment.insert("posts", {"a": 2})
        with Deployment(deployment.path) as other:
            assert other.count("posts") == 1
