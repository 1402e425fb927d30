"""Lines read a block at a time give the rows, and the refusals, of documents read one by one."""

from __future__ import annotations

import json
import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supavex.convex import validators as kinds
from supavex.convex.snapshot import SnapshotArchive
from supavex.deployment.database.bulk_load import Rows
from supavex.deployment.database.store import read_body
from supavex.deployment.transfer import aside, reading
from supavex.deployment.transfer.table_rows import TableSource, has_blocks, rows_by_one, rows_of_blocks
from supavex.errors import SupavexError
from supavex.schema import v
from tests.deployment.archives import id_of, write_archive

NUMBER, PEOPLE = 10_001, 10_002
FIELDS: dict[str, Any] = {
    "amount": v.number(),
    "any": v.optional(v.any()),
    "class": v.optional(v.string()),
    "deep": v.optional(v.object({"a": v.number(), "b": v.optional(v.array(v.object({"c": v.string()})))})),
    "either": v.optional(v.union(v.string(), v.number(), v.null(), v.boolean())),
    "file": v.optional(v.id("_storage")),
    "list": v.optional(v.array(v.union(v.number(), v.null()))),
    "one": v.optional(v.literal(5)),
    "owner": v.optional(v.id("people")),
    "record": v.optional(v.record(v.string(), v.number())),
    "status": v.optional(v.union(v.literal("paid"), v.literal("ünpaid"))),
    "text": v.string(),
}
INDEXES: list[tuple[str, ...]] = [
    (),
    ("amount",),
    ("text", "amount"),
    ("either", "owner"),
    ("any",),
    ("deep.a",),
    ("list", "_creationTime"),
    ("record", "nowhere", "status"),
]
SOURCE = TableSource(
    "rows", NUMBER, kinds.Object(fields=FIELDS), {NUMBER: "rows", PEOPLE: "people"}, INDEXES
)  # fmt: skip

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**25), 10**25), st.sampled_from([0, -0.0, 5])
)
texts = st.text(st.characters(codec="utf-8"), max_size=12)
keys = st.one_of(texts, st.sampled_from(["a", "$b", "_c"]))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
ids = st.one_of(
    st.integers(0, 3).map(lambda n: id_of(PEOPLE, n)),
    st.integers(0, 3).map(lambda n: id_of(540, n)),
    st.integers(0, 3).map(lambda n: id_of(NUMBER, n)),
    texts,
)
parts = st.lists(st.fixed_dictionaries({"c": texts}), max_size=2)
likely = {
    "amount": numbers, "any": anything, "class": texts,
    "deep": st.fixed_dictionaries({"a": numbers}, optional={"b": parts}),
    "either": st.one_of(texts, numbers, st.none(), st.booleans()), "file": ids,
    "list": st.lists(st.one_of(numbers, st.none()), max_size=3), "one": st.sampled_from([5, 5.0, 6]), "owner": ids,
    "record": st.dictionaries(texts, numbers, max_size=2), "status": st.sampled_from(["paid", "ünpaid", "open"]),
    "text": texts,
}  # fmt: skip


@st.composite
def line(draw: st.DrawFn) -> str:
    """A line that mostly fits, as various writers write it."""
    names = draw(st.sets(st.sampled_from(sorted(FIELDS)))) | {"amount", "text"}
    fields = {name: draw(likely[name]) for name in sorted(names)}
    for name in draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=1)):
        fields[name] = draw(anything)
    document = {
        "_creationTime": draw(st.one_of(st.floats(1, 2.0**53), st.sampled_from([0.0, 1, -1.0, 2.0**53, "x"]))),
        "_id": draw(st.one_of(st.integers(0, 5).map(lambda n: id_of(NUMBER, n)), ids)),
        **fields,
    }
    if draw(st.integers(0, 19)) == 0:
        del document[draw(st.sampled_from(sorted(fields)))]
    if draw(st.integers(0, 19)) == 0:
        document[draw(texts)] = 1.0
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    text = json.dumps(document, ensure_ascii=draw(st.booleans()), separators=separators)
    return draw(st.sampled_from(["", "", "", " "])) + text + draw(st.sampled_from(["", "", "", "\r"]))


def archive(folder: Path, texts: list[str]) -> SnapshotArchive:
    entry = {"rows/documents.jsonl": "".join(text + "\n" for text in texts)}
    return SnapshotArchive(write_archive(folder / "a.zip", entry))


def told(rows: Any) -> Any:
    """The rows, with their documents parsed; or why they are refused."""
    found: list[tuple[bytes, Any, list[bytes]]] = []
    try:
        for some in rows:
            assert isinstance(some, Rows)
            keys = list(zip(*some.keys, strict=True)) if some.ids else []
            found += [
                (id_, repr(_sorted(read_body(body.decode()))), list(key))
                for id_, body, key in zip(some.ids, some.bodies, keys, strict=True)
            ]
    except SupavexError as error:
        return error.code, error.message, error.where
    return found


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return list(map(_sorted, value)) if isinstance(value, list) else value


@given(st.lists(line(), max_size=6))
def test_blocks_give_what_single_documents_give(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    with archive(tmp_path_factory.mktemp("a"), texts) as opened:
        assert has_blocks(opened, SOURCE)
        assert told(rows_of_blocks(opened, SOURCE)) == told(rows_by_one(opened, SOURCE))


PLAIN = {"_creationTime": 1.5, "_id": id_of(NUMBER, 1), "amount": 1.0, "text": "x"}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**PLAIN, "amount": 10**400}),
        json.dumps({**PLAIN, "any": 10**400}),
        json.dumps({**PLAIN, "any": [10**400]}),
        json.dumps(PLAIN).replace("1.0", "-0"),
        json.dumps({**PLAIN, "any": 7}).replace("7", "-0"),
        json.dumps({**PLAIN, "text": "a\0b"}),
        json.dumps({**PLAIN, "any": "a\0b"}),
        json.dumps(PLAIN).replace('"x"', '"\\ud800"'),
        json.dumps(PLAIN).replace('"x"', '"\\udc00\\ud800"'),
        json.dumps({**PLAIN, "any": 1}).replace('"any": 1', '"any": {"a": "\\ud83d\\ud83d"}'),
        json.dumps({**PLAIN, "any": {"é": 1}}),
        json.dumps({**PLAIN, "any": {"a\x7f": 1}}),
        json.dumps({**PLAIN, "any": {"$a": 1}}),
        json.dumps({**PLAIN, "any": {"$integer": "AAAAAAAAAAA="}}),
        json.dumps({**PLAIN, "any": {"k" * 1025: 1}}),
        json.dumps({**PLAIN, "any": {f"k{n}": 1 for n in range(1025)}}),
        json.dumps({**PLAIN, "any": {f"k{n}": 1 for n in range(1024)}}),
        json.dumps({**PLAIN, "any": [1] * 8193}, separators=(",", ":")),
        json.dumps({**PLAIN, "list": [1] * 8193}, separators=(",", ":")),
        json.dumps({**PLAIN, "any": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}),
        json.dumps({**PLAIN, "any": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}),
        "[" * 3000 + "]" * 3000,
        json.dumps({**PLAIN, "any": "x" * (1 << 20)}),
        json.dumps({**PLAIN, "text": "x" * (1 << 20)}),
        json.dumps(PLAIN).replace("1.5", "NaN"),
        json.dumps(PLAIN).replace("1.0", "1e999"),
        json.dumps(PLAIN)[:-1] + ', "text": "again"}',
        json.dumps({**PLAIN, "_id": PLAIN["_id"].upper()}),  # type: ignore[attr-defined]
        json.dumps({**PLAIN, "_id": PLAIN["_id"] + "0"}),  # type: ignore[operator]
        json.dumps({**PLAIN, "_x": 1}),
        json.dumps({**PLAIN, "_id": id_of(PEOPLE, 1)}),
        json.dumps({**PLAIN, "_creationTime": 0.0}),
        json.dumps({**PLAIN, "_creationTime": 2.0**53}),
        json.dumps({**PLAIN, "owner": id_of(PEOPLE, 1)}),
        json.dumps({**PLAIN, "owner": id_of(NUMBER, 1)}),
        *(json.dumps({**PLAIN, "owner": id_of(PEOPLE, 1)[:n] + "z" + id_of(PEOPLE, 1)[n + 1 :]}) for n in range(32)),
        json.dumps({**PLAIN, "owner": "ann"}),
        json.dumps({**PLAIN, "file": id_of(540, 1)}),
        json.dumps({**PLAIN, "file": id_of(PEOPLE, 1)}),
        json.dumps({**PLAIN, "record": {"a": "b"}}),
        json.dumps({**PLAIN, "deep": {"a": "b"}}),
        json.dumps({**PLAIN, "status": "open"}),
        "null",
        json.dumps({"_id": PLAIN["_id"], "_creationTime": 1.5}),
        "{",
    ],
)
def test_a_line_that_is_odd_is_judged_as_a_single_document(tmp_path: Path, text: str):
    with archive(tmp_path, [json.dumps(PLAIN), text, json.dumps({**PLAIN, "_id": id_of(NUMBER, 2)})]) as opened:
        assert told(rows_of_blocks(opened, SOURCE)) == told(rows_by_one(opened, SOURCE))


def test_bytes_that_are_no_utf_8_are_refused_wherever_they_stand(tmp_path: Path):
    text = json.dumps({**PLAIN, "any": {"a": ["?"]}})
    with archive(tmp_path, [json.dumps(PLAIN), text]) as opened:
        path = opened.path
    with zipfile.ZipFile(path) as whole:
        data = whole.read("rows/documents.jsonl").replace(b"?", b"\xff")
    with zipfile.ZipFile(path, "w") as whole:
        whole.writestr("rows/documents.jsonl", data)
    with SnapshotArchive(path) as opened:
        found = told(rows_of_blocks(opened, SOURCE))
        assert found == told(rows_by_one(opened, SOURCE))
        assert found[0] == "InvalidArchive"


def many(folder: Path, count: int = 40_000) -> SnapshotArchive:
    """So many that their process can't have written them all before it is looked at."""
    return archive(folder, [json.dumps({**PLAIN, "_id": id_of(NUMBER, n), "amount": n}) for n in range(count)])


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.slow
def test_a_process_gives_the_same_rows(processes: int, tmp_path: Path):
    with many(tmp_path) as opened:
        assert told(reading.rows_read_aside(opened, SOURCE, processes)) == told(rows_of_blocks(opened, SOURCE))


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.slow
def test_what_a_process_that_is_killed_did_not_read_is_read_here(
    processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    started: list[int] = []
    popen = aside.subprocess.Popen

    def noted(*args: Any, **options: Any) -> Any:
        process = popen(*args, **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(aside.subprocess, "Popen", noted)
    with many(tmp_path) as opened:
        rows = reading.rows_read_aside(opened, SOURCE, processes)
        found = [next(rows)]
        os.kill(started[0], signal.SIGKILL)
        found += rows
        assert told(iter(found)) == told(rows_of_blocks(opened, SOURCE))


@pytest.mark.parametrize("processes", [1, 3])
def test_a_process_raises_what_it_finds(processes: int, tmp_path: Path):
    with archive(tmp_path, [json.dumps(PLAIN), json.dumps({**PLAIN, "amount": "many"})]) as opened:
        found = told(reading.rows_read_aside(opened, SOURCE, processes))
        assert found == told(rows_by_one(opened, SOURCE))
        assert found[0] == "SchemaEnforcementError"


@pytest.mark.parametrize("processes", [1, 3])
def test_without_a_process_the_table_is_read_here(processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aside.sys, "executable", str(tmp_path / "nowhere"))
    with archive(tmp_path, [json.dumps(PLAIN)]) as opened:
        assert told(reading.rows_read_aside(opened, SOURCE, processes)) == told(rows_by_one(opened, SOURCE))


def test_a_process_runs_no_module_of_the_folder_it_is_started_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "of somebody"
    folder.mkdir()
    (folder / "zipfile.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(folder)
    with archive(tmp_path, [json.dumps(PLAIN)]) as opened:
        assert told(reading.rows_read_aside(opened, SOURCE, 1)) == told(rows_by_one(opened, SOURCE))
    assert not (tmp_path / "ran").exists()
