"""Each encoder of the copy is broken in turn, and the proof must find it: one that never fails proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from supavex.migrate import encoding, fixed_width, json_columns
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
    right = encoding._Slice._created

    def wrong(self: Any, texts: Any) -> Any:
        text, adjusted = right(self, texts)
        later = [f"{float(value) + 1:.3f}" for value in text.column.to_pylist()]
        return encoding._Text(pa.array(later, pa.string())), adjusted

    monkeypatch.setattr(encoding._Slice, "_created", wrong)


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
    right = encoding._Slice._field

    def wrong(self: Any, index: int, field: Any) -> pa.Array:
        others = [
            (number, other)
            for number, other in enumerate(self.encoder.table.fields)
            if other.conversion.kind == "string" and other.reference is None and other.ids is None
        ]
        places = [number for number, _ in others]
        if index in places and len(others) > 1:
            index, field = others[(places.index(index) + 1) % len(others)]
        return right(self, index, field)

    monkeypatch.setattr(encoding._Slice, "_field", wrong)


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
    right = encoding._Slice._lines
    monkeypatch.setattr(encoding._Slice, "_lines", lambda self, texts: right(self, texts)[: max(1, self.rows - 1)])


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


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with projects.folder() as path:
        projects.write(path, schema=SCHEMA, migrations={"1.sql": SQL})
        assert supavex("check", "-C", path).code == 0
        yield path


def verdict(folder: Path) -> tuple[bool, str]:
    """Whether the copy, broken as it is, is proven (or can't even be read), and what is said of it."""
    archive = folder / "archive.zip"
    migrated = supavex("migrate", "-C", folder, "--out", archive)
    if migrated.code:
        return False, migrated.err
    verified = supavex("verify", "-C", folder, archive)
    return verified.code == 0, verified.out + verified.err


def test_unbroken_it_is_proven(folder: Path) -> None:
    proven, said = verdict(folder)
    assert proven, said


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_proof_finds(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    MUTATIONS[name](monkeypatch)
    proven, said = verdict(folder)
    assert not proven, said
    assert "Traceback" not in said
