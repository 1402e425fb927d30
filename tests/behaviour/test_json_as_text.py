"""JSON is compared as PostgreSQL writes it first; where documents hold it in another form, it is parsed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supavex.library import Project
from supavex.migrate.proof.compared_table import LARGE_BYTES
from supavex.migrate.proof.digests.table import TableDigests
from supavex.migrate.verifying import VerifyOptions
from tests import projects
from tests.projects import supavex

SQL = """
CREATE TABLE events (id int PRIMARY KEY, kind text NOT NULL, data jsonb NOT NULL, more jsonb);
INSERT INTO events SELECT n, 'kind ' || n, jsonb_build_object('n', n, 'data', jsonb_build_array(n, 'x', n / 8.0)),
  CASE WHEN n % 3 = 0 THEN to_jsonb('text ' || n) END FROM generate_series(1, 1200) AS n;
"""
SCHEMA = """
schema = define_schema({
    "events": define_table({"kind": v.string(), "data": v.any(), "more": v.optional(v.any())}),
})
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        projects.write(path, schema=SCHEMA, migrations={"1.sql": SQL})
        assert supavex("migrate", "-C", path, "--out", path / "right.zip").code == 0
        yield path


def changed(folder: Path, change: Callable[[int, bytes], bytes]) -> Path:
    """The archive with each line of its documents changed."""
    path = folder / "changed.zip"
    with zipfile.ZipFile(folder / "right.zip") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "events/documents.jsonl":
                content = b"".join(change(n, line) + b"\n" for n, line in enumerate(content.splitlines()))
            new.writestr(name, content)
    return path


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each pass over the digests was one of texts."""
    found: list[bool] = []
    right = TableDigests.target

    def seen(self: TableDigests, *arguments: Any, **named: Any) -> Any:
        found.append(self.verbatim)
        return right(self, *arguments, **named)

    monkeypatch.setattr(TableDigests, "target", seen)
    return found


def compact(line: bytes) -> bytes:
    return json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False).encode()


def verdict(folder: Path, archive: Path, large_bytes: int = LARGE_BYTES) -> tuple[str, dict[str, int]]:
    proof = Project(folder).verify(VerifyOptions(archive=archive, large_bytes=large_bytes))
    (table,) = proof.tables
    return proof.verdict, dict(table.counts)


#: The source's side is read here, or in a process of its own.
either_place = pytest.mark.parametrize("large_bytes", [LARGE_BYTES, 0], ids=["here", "in a process"])


@either_place
def test_what_the_copy_wrote_is_not_parsed(folder: Path, passes: list[bool], large_bytes: int) -> None:
    assert verdict(folder, folder / "right.zip", large_bytes) == ("proven", {})
    assert passes == [True]


def test_another_form_is_seen_at_once(folder: Path, passes: list[bool]) -> None:
    assert verdict(folder, changed(folder, lambda n, line: compact(line))) == ("proven", {})
    assert passes == [False]


@either_place
def test_another_form_further_on_is_parsed(
    folder: Path, passes: list[bool], monkeypatch: pytest.MonkeyPatch, large_bytes: int
) -> None:
    monkeypatch.setattr(TableDigests, "seems_verbatim", lambda self, block, uniform: True)
    archive = changed(folder, lambda n, line: compact(line) if n % 2 else line)
    assert verdict(folder, archive, large_bytes) == ("proven", {})
    assert passes == [True, False]


@pytest.mark.parametrize("count", [5, 300], ids=["in few buckets", "in many buckets"])
@either_place
def test_few_rows_in_another_form_are_compared_by_themselves(
    folder: Path, passes: list[bool], monkeypatch: pytest.MonkeyPatch, count: int, large_bytes: int
) -> None:
    monkeypatch.setattr(TableDigests, "seems_verbatim", lambda self, block, uniform: True)
    archive = changed(folder, lambda n, line: compact(line) if n < count else line)
    assert verdict(folder, archive, large_bytes) == ("proven", {})
    assert passes == [True]


@either_place
def test_few_documents_that_can_only_be_parsed_are_compared_by_themselves(
    folder: Path, passes: list[bool], large_bytes: int
) -> None:
    archive = changed(folder, lambda n, line: line.replace(b'"kind 251"', b"null"))
    assert verdict(folder, archive, large_bytes) == ("not proven", {"mismatch": 1})
    assert passes == [True]


@either_place
def test_many_that_can_only_be_parsed_end_the_first_pass(
    folder: Path, passes: list[bool], monkeypatch: pytest.MonkeyPatch, large_bytes: int
) -> None:
    monkeypatch.setattr(TableDigests, "seems_verbatim", lambda self, block, uniform: True)
    archive = changed(folder, lambda n, line: line.replace(b'"data":{', b'"none":null,"data":{'))
    wrong, counts = verdict(folder, archive, large_bytes)
    assert (wrong, set(counts)) == ("not proven", {"mismatch"})
    assert passes == [True, False]


def test_blanks_outside_of_values_are_no_other_form(folder: Path, passes: list[bool]) -> None:
    archive = changed(
        folder, lambda n, line: line.replace(b'"data":{', b'"data" : {').replace(b',"kind"', b' , "kind"')
    )
    assert verdict(folder, archive) == ("proven", {})
    assert passes == [True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"n": 7,', b'"n": 8,'),
        (b'"n": 7,', b'"n": "7",'),
        (b'"n": 7,', b""),
        (b'"x"', b'"X"'),
        (b'"kind 7"', b'"kind 8"'),
        (b'"n": 7,', b'"n": 7, "o": null,'),
        (b'"data":{', b'"more":{"n": 1},"data":{'),
        (b'"data": [7', b'"data": [7, 7'),
    ],
)
def test_a_change_is_found_in_either_way(folder: Path, passes: list[bool], old: bytes, new: bytes) -> None:
    def change(n: int, line: bytes) -> bytes:
        return line.replace(old, new) if b'"kind 7"' in line else line

    verbatim = changed(folder, change)
    assert verdict(folder, verbatim) == ("not proven", {"mismatch": 1})
    assert verdict(folder, changed(folder, lambda n, line: compact(change(n, line)))) == ("not proven", {"mismatch": 1})
