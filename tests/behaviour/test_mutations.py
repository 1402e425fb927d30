"""Each encoder of the copy is broken in turn, and the proof must find it: one that never fails proves nothing.

Two projects: one whose rows are compared one by one, for it has values that no digest takes, and one that goes by
digests only. There, each field of a document is bent in a way that only its own form in the digests can see.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from supavex.convex.ids import decode_id, encode_id
from supavex.convex.snapshot import SnapshotArchive
from supavex.migrate.copy.encoding import encoder as encoding
from supavex.migrate.copy.encoding import fixed_width, json_columns
from supavex.migrate.proof import row_by_row
from supavex.migrate.proof.digests import table as digests
from supavex.migrate.proof.digests.forms import CanonicalForm
from tests import projects
from tests.projects import supavex

Writer = Callable[[pa.Array], pa.Array]


def wraps(kind: str, change: Callable[[pa.Array], pa.Array]) -> Callable[[pytest.MonkeyPatch], None]:
    """Breaks how one kind of column is written: ``change`` gets the JSON texts."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right: Writer = json_columns._WRITERS[kind]
        monkeypatch.setitem(json_columns._WRITERS, kind, lambda column: change(right(column)))

    return patch


def off_by_a_microsecond(monkeypatch: pytest.MonkeyPatch) -> None:
    right = json_columns.micros

    def wrong(column: pa.Array) -> pa.Array:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz)).view(pa.int64())
        return right(pc.add(column, 1))

    monkeypatch.setitem(json_columns._WRITERS, "micros", wrong)


def creation_time_off_by_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    right = encoding.creation_times

    def wrong(*arguments: Any) -> pa.Array:
        return pa.array([f"{float(value) + 1:.3f}" for value in right(*arguments).to_pylist()], pa.string())

    monkeypatch.setattr(encoding, "creation_times", wrong)


def wrong_table_number(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fixed_width.ids
    calls = iter(range(1_000_000))
    # The rows' own ids stay right; every other reference goes to the next table's number.
    monkeypatch.setattr(encoding.fixed_width, "ids", lambda keys, number: right(keys, number + (next(calls) % 3 == 1)))


def wrong_byte_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fixed_width.ids

    def wrong(keys: np.ndarray[Any, Any], number: int) -> pa.Array:
        changed = keys.copy()
        changed[:, 5] ^= 1
        return right(changed, number)

    monkeypatch.setattr(encoding.fixed_width, "ids", wrong)


def swapped_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    right = encoding.TableEncoder.encode

    def wrong(self: encoding.TableEncoder, batch: pa.RecordBatch) -> encoding.Encoded:
        places = [
            f"v{number}"
            for number, field in enumerate(self.table.fields)
            if field.conversion.kind == "string" and field.reference is None and field.ids is None
        ]
        swapped = dict(zip(places, [*places[1:], *places[:1]], strict=True))
        return right(self, batch.rename_columns([swapped.get(name, name) for name in batch.schema.names]))

    monkeypatch.setattr(encoding.TableEncoder, "encode", wrong)


def dropped_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    right = json_columns.escaped
    monkeypatch.setattr(json_columns, "escaped", lambda column: right(pc.fill_null(column.cast("string"), "")))
    monkeypatch.setattr(encoding.pc, "is_null", lambda column: pa.array(np.zeros(len(column), np.bool_)))


def rows_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of the row before: what an off-by-one in a slice would do."""
    right = json_columns.escaped

    def wrong(column: pa.Array) -> pa.Array:
        texts = right(column)
        return pa.concat_arrays([texts[-1:], texts[:-1]]) if len(texts) > 1 else texts

    monkeypatch.setattr(json_columns, "escaped", wrong)


def cut_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    right = json_columns.escaped
    monkeypatch.setattr(json_columns, "escaped", lambda column: pc.utf8_slice_codeunits(right(column), 0, -1))


def lost_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    right = encoding.json_lines

    def wrong(*arguments: Any) -> pa.Array:
        lines = right(*arguments)
        return lines[: max(1, len(lines) - 1)]

    monkeypatch.setattr(encoding, "json_lines", wrong)


def unescaped_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_columns, "escaped", lambda column: pc.replace_substring(column.cast("string"), '"', "'"))


def json_without_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    right = json_columns.json_texts
    monkeypatch.setattr(
        encoding.json_columns, "json_texts", lambda column: pc.replace_substring(right(column), "null", "false")
    )


def _turned(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, r"^\[([^,]+),(.*)\]$", r"[\2,\1]")


MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a moment off by a microsecond": off_by_a_microsecond,
    "creation time off by a millisecond": creation_time_off_by_a_millisecond,
    "another table's number in references": wrong_table_number,
    "a bit of a key": wrong_byte_of_a_key,
    "two columns swapped": swapped_columns,
    "NULL as an empty text": dropped_nulls,
    "texts of the row before": rows_in_another_order,
    "a row lost": lost_rows,
    "quotes changed": unescaped_text,
    "JSON without its nulls": json_without_nulls,
    "texts cut": cut_texts,
    "numbers rounded": wraps("number", lambda texts: pc.replace_substring_regex(texts, r"\.[0-9]+$", ".0")),
    "a sign lost": wraps("number", lambda texts: pc.replace_substring_regex(texts, r"^-", "")),
    "booleans turned over": wraps("boolean", lambda texts: pc.if_else(pc.equal(texts, "true"), "false", "true")),
    "an int64 off by one": wraps("int64", lambda texts: pc.add(texts.cast(pa.int64()), 1).cast(pa.string())),
    "other bytes": wraps("bytes", lambda texts: pc.replace_substring(texts, "A", "B")),
    "an array's elements turned over": wraps("array", _turned),
}

#: Of kinds that no digest takes.
SPECIAL = ("an int64 off by one", "other bytes")
SQL = r"""
CREATE TABLE teams (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE people (id uuid PRIMARY KEY, team uuid REFERENCES teams, chief uuid REFERENCES people, name text NOT NULL,
  nick text, score float8, big int8, raw bytea, flag bool, seen timestamptz, data jsonb, tags text[],
  created_at timestamptz NOT NULL);
INSERT INTO teams VALUES ('00000000-0000-4000-8000-000000000001', 'red'),
  ('00000000-0000-4000-8000-000000000002', 'blue');
INSERT INTO people VALUES
  ('00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000001', NULL, 'Ada "A" Ö', NULL, -1.25, 7,
   '\x0001ff', true, '2026-01-02 03:04:05.678901+00', '{"a": null, "b": [1]}', '{x,y}', '2026-01-01+00'),
  ('00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-000000000002',
   '00000000-0000-4000-8000-00000000000a', 'Bob', 'B', 2.5, -9007199254740993, '\x00', false, NULL, '[]',
   '{}', '2026-01-03 00:00:00.5+00');
"""
SCHEMA = """
schema = define_schema({
    "teams": define_table({"name": v.string()}),
    "people": define_table({
        "team": v.optional(v.id("teams")), "chief": v.optional(v.id("people")), "name": v.string(),
        "nick": v.optional(v.string()), "score": v.number(), "big": v.int64(), "raw": v.bytes(), "flag": v.boolean(),
        "seen": v.optional(v.number()), "data": v.any(), "tags": v.array(v.string()), "created_at": v.number(),
    }),
})
"""
# Without int64 and bytes, and with a column for each form of the digests.
QUICK_SQL = (
    SQL.replace("big int8, raw bytea, ", "")
    .replace("7,\n   '\\x0001ff', ", "")
    .replace("-9007199254740993, '\\x00', ", "")
    + r"""
CREATE TABLE numbered (id int8 PRIMARY KEY, name text);
CREATE TABLE named (slug text PRIMARY KEY, name text);
ALTER TABLE people ADD number int8 REFERENCES numbered, ADD slug text REFERENCES named, ADD small int4, ADD whole int8,
  ADD money numeric(12,2), ADD free numeric, ADD day date, ADD clerk uuid, ADD kind text, ADD local timestamp,
  ADD raw json;
INSERT INTO numbered VALUES (-5, 'minus five'), (5, 'five');
INSERT INTO named VALUES ('a', 'A'), ('b', 'B');
UPDATE people SET number = -5, slug = 'a', small = 3, whole = 9007199254740991, money = 0.10, free = 0.5,
  day = '2026-01-01', clerk = '00000000-0000-4000-8000-0000000000c1',
  local = '1999-12-31 23:59:59.999999', raw = '{"x": 1}';
"""
)
QUICK_SCHEMA = """
schema = define_schema({
    "teams": define_table({"name": v.string()}), "numbered": define_table({"name": v.string()}),
    "named": define_table({"name": v.string()}),
    "people": define_table({
        "team": v.optional(v.id("teams")), "chief": v.optional(v.id("people")), "name": v.string(),
        "nick": v.optional(v.string()), "score": v.number(), "flag": v.boolean(),
        "seen": v.optional(v.number()), "data": v.any(), "tags": v.array(v.string()), "created_at": v.number(),
        "number": v.id("numbered"), "slug": v.id("named"), "small": v.number(), "whole": v.number(),
        "money": v.number(), "free": v.number(), "day": v.number(), "clerk": v.string(),
        "kind": v.string(default="plain"), "local": v.number(), "raw": v.any(),
    }),
})
"""
QUICK_TOML = 'fill = "defaults"\n[tables.people.columns.clerk]\nids = "clerk.json"\n'


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        projects.write(path, schema=SCHEMA, migrations={"1.sql": SQL})
        assert supavex("check", "-C", path).code == 0
        yield path


@pytest.fixture(scope="module")
def quick() -> Iterator[Path]:
    with projects.folder() as path:
        projects.write(path, schema=QUICK_SCHEMA, migrations={"1.sql": QUICK_SQL}, toml=QUICK_TOML)
        (path / "clerk.json").write_text(json.dumps({"00000000-0000-4000-8000-0000000000c1": "user_1"}))
        checked = supavex("check", "-C", path)
        assert checked.code == 0, checked.out + checked.err
        yield path


def verdict(folder: Path) -> tuple[bool, str]:
    """Whether the copy, broken as it is, is proven (or can't even be read), and what is said of it."""
    archive = folder / "archive.zip"
    migrated = supavex("migrate", "-C", folder, "--out", archive)
    if migrated.code:
        return False, migrated.err
    verified = supavex("verify", "-C", folder, archive)
    return verified.code == 0, verified.out + verified.err


def not_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a comparison row by row an error."""
    monkeypatch.setattr(row_by_row.RowByRow, "compare_all", None)


def test_unbroken_it_is_proven(folder: Path) -> None:
    proven, said = verdict(folder)
    assert proven, said


def test_unbroken_it_is_proven_by_digests_alone(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    not_row_by_row(monkeypatch)
    proven, said = verdict(quick)
    assert proven, said


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_proof_finds(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    MUTATIONS[name](monkeypatch)
    proven, said = verdict(folder)
    assert not proven, said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", [name for name in MUTATIONS if name not in SPECIAL])
def test_digests_find(quick: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    MUTATIONS[name](monkeypatch)
    proven, said = verdict(quick)
    assert not proven, said
    assert "Traceback" not in said


def another(table: int, key: bytes) -> Callable[[Any], str]:
    return lambda old: encode_id(
        decode_id(old)[0] + table, bytes(a ^ b for a, b in zip(decode_id(old)[1], key, strict=True))
    )


BIT = b"\0" * 15 + b"\1"
#: For each field, a change of Ada's value that nothing else shows: the least that its form has to see.
BENT: dict[str, Callable[[Any], Any]] = {
    "team": another(0, BIT[:15] + b"\3"),  # the other team: no reference dangles
    "name": lambda old: old.replace("Ö", "O\u0308"),  # looks the same
    "score": lambda old: math.nextafter(old, 0),
    "flag": lambda old: not old,
    "seen": lambda old: old + 0.001,
    "local": lambda old: old - 0.001,
    "data": lambda old: {"b": old["b"]},  # null and nothing
    "raw": lambda old: {"x": "1"},
    "tags": lambda old: ["x,y"],
    "number": another(0, bytes(8) + b"\xff" * 7 + b"\xfe"),  # -5 and 5
    "slug": lambda old: old,  # see below
    "small": lambda old: old + 1,
    "whole": lambda old: old - 1,
    "money": lambda old: 0.1 + 0.2 - 0.2,
    "free": lambda old: old + 1e-15,
    "day": lambda old: old + 86_400_000,
    "clerk": lambda old: "user_2",
    "kind": lambda old: "plain ",
    "created_at": lambda old: old + 0.001,
}


def bend(archive: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    """A copy of an archive with Ada changed, compressed again."""
    path = archive.with_name("bent.zip")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "people/documents.jsonl":
                documents = [json.loads(line) for line in content.splitlines()]
                documents = [change(d) if d["name"].startswith("Ada") else d for d in documents]
                content = "".join(json.dumps(d, ensure_ascii=False) + "\n" for d in documents if d).encode()
            new.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def archive(quick: Path) -> Path:
    path = quick / "right.zip"
    migrated = supavex("migrate", "-C", quick, "--out", path)
    assert migrated.code == 0, migrated.err
    return path


def blind(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Lets the digests take any value of a field for any other."""
    right = digests.canonical_form

    def canonical_form(planned: Any, comparison: Any) -> CanonicalForm:
        form = right(planned, comparison)
        if planned.name != name:
            return form
        same = lambda values: np.zeros(len(values), np.uint64)  # noqa: E731
        return CanonicalForm(form.sql, same, form.type, same)

    monkeypatch.setattr(digests, "canonical_form", canonical_form)


@pytest.mark.parametrize("name", BENT)
def test_each_form_finds_what_only_it_can_see(
    quick: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def change(document: dict[str, Any]) -> dict[str, Any]:
        bent = BENT[name](document[name])
        if name == "slug":
            with SnapshotArchive(archive) as opened:
                bent = next(d["_id"] for d in opened.documents("named") if d["_id"] != document[name])
        assert bent != document[name] or type(bent) is not type(document[name])
        return {**document, name: bent}

    bent = bend(archive, change)
    ran = supavex("verify", "-C", quick, bent, "--json")
    (people,) = (table for table in ran.json["tables"] if table["target"] == "people")
    assert (ran.code, people["counts"]) == (1, {"mismatch": 1})
    assert people["mismatches"][0]["column"] == name
    # And without it, nothing would.
    blind(monkeypatch, name)
    not_row_by_row(monkeypatch)
    assert supavex("verify", "-C", quick, bent, "--json").code == 0


OTHERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "a creation time off by a microsecond": lambda d: {**d, "_creationTime": d["_creationTime"] + 0.001},
    "a field too many": lambda d: {**d, "more": 1.0},
    "a field too many that is null": lambda d: {**d, "more": None},
    "an optional field that is null": lambda d: {**d, "nick": None},
    "an optional field that is an empty text": lambda d: {**d, "nick": ""},
    "a field that is missing": lambda d: {k: x for k, x in d.items() if k != "tags"},
    "a text that goes on in the next field": lambda d: {
        **d,
        "name": d["name"] + d["clerk"][:1],
        "clerk": d["clerk"][1:],
    },
    "two numbers exchanged": lambda d: {**d, "small": d["free"], "free": d["small"]},
    "a number as a text": lambda d: {**d, "small": "3"},
    "a text as a number": lambda d: {**d, "kind": 3},
    "a number for true": lambda d: {**d, "flag": 1},
    "another row's id": lambda d: {**d, "_id": another(0, BIT)(d["_id"])},
    "an id of another table": lambda d: {**d, "_id": another(1, bytes(16))(d["_id"])},
    "no document": lambda d: {},
}


@pytest.mark.parametrize("name", OTHERS)
def test_digests_find_what_is_in_no_one_field(quick: Path, archive: Path, name: str) -> None:
    ran = supavex("verify", "-C", quick, bend(archive, OTHERS[name]))
    assert ran.code == 1, ran.out
    assert "Traceback" not in ran.err


def test_a_document_that_stands_twice_is_found(quick: Path, archive: Path) -> None:
    path = archive.with_name("twice.zip")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(
                name, content + content.splitlines(keepends=True)[0] if name == "people/documents.jsonl" else content
            )
    ran = supavex("verify", "-C", quick, path)
    assert ran.code == 1
    (finding,) = [line for line in ran.out.splitlines() if line.startswith("damaged document: public.people")]
    assert "its _id appears twice" in finding


def test_the_form_of_the_file_is_no_difference(quick: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks, empty lines, carriage returns, escapes, another order of fields and documents."""
    not_row_by_row(monkeypatch)
    path = archive.with_name("formed.zip")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "people/documents.jsonl":
                documents = [json.loads(line) for line in reversed(content.splitlines())]
                lines = [json.dumps(dict(reversed(d.items())), separators=(" , ", " : ")) for d in documents]
                content = ("\n \n" + "\r\n".join(f"  {line} " for line in lines)).encode()
            new.writestr(name, content)
    ran = supavex("verify", "-C", quick, path)
    assert ran.code == 0, ran.out + ran.err
